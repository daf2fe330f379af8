// expect: no matching function
#include <softax/softax.hpp>

auto f(softax::array<float> const& a) { return softax::softmax(a, "x"); }
