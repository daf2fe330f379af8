// expect: no matching function
// Two axes are a list, {0, 1}. A third argument that is an integer is none of the things that may stand there.
#include <softax/softax.hpp>

auto f(softax::array<float> const& a) { return softax::softmax(a, 0, 1); }
