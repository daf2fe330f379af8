// expect: no types that Eigen computes in
#include <softax/eigen.hpp>

void f(softax::array<softax::half> const& a) { softax::matrix_of(a); }
