// expect: view<const float>.* to .*view<float>
#include <softax/softax.hpp>

softax::view<float> f(softax::view<float const> v) { return v; }
