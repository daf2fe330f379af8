// The unit compiled for AVX2 and FMA, where the compiler knows them.
#include "unit.hpp"

softax::array<float> wide_make() { return make(); }
bool wide_check(softax::array<float> const& x) { return check(x); }
