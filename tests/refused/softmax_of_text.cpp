// expect: (no matching function|deleted)
#include <softax/softax.hpp>

auto f() { return softax::softmax("text"); }
