// expect: bool.* to .*softax::axes
// Elsewhere a bool there asks for reduced axes to be kept or for a precise mode; it is no axis.
#include <softax/softax.hpp>

auto f(softax::array<float> const& a) { return softax::softmax(a, true); }
