// expect: \.eval\(\)
#include <softax/eigen.hpp>

void f(Eigen::MatrixXf const& a, Eigen::MatrixXf const& b) { softax::view_of(a + b); }
