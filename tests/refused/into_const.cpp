// expect: writable
#include <softax/softax.hpp>

void f(softax::view<float const> out, softax::array<float> const& a) { softax::softmax_into(out, a, -1); }
