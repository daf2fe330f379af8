// expect: is a temporary
#include <softax/eigen.hpp>

Eigen::MatrixXf make();
void f() { softax::view_of(make()); }
