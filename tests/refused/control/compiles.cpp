// expect: element type
#include <softax/softax.hpp>

softax::array<float> a;
