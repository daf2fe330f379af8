// expect: double.* to .*softax::axes
#include <softax/softax.hpp>

auto f(softax::array<float> const& a) { return softax::softmax(a, 1.5); }
