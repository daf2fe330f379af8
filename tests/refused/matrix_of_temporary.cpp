// expect: deleted
#include <softax/eigen.hpp>

softax::array<float> make();
void f() { softax::matrix_of(make()); }
