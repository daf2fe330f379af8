// The unit without flags.
#include "unit.hpp"

softax::array<float> plain_make() { return make(); }
bool plain_check(softax::array<float> const& x) { return check(x); }
