// expect: element type of this Eigen object
#include <softax/eigen.hpp>

void f(Eigen::MatrixXcf const& a) { softax::view_of(a); }
