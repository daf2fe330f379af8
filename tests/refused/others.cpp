#include <Eigen/Sparse>
#include <iostream>
#include <softax/eigen.hpp>
// more: triangular, diagonal matrices, sparse, product, const temporary, real part, reshaped, seq
int main() {
    Eigen::MatrixXcf c(2, 2);
    c << 1, 2, 3, 4;
    auto v = softax::view_of(c.real());
    std::cout << v(1, 0) << ' ' << v.strides()[0] << ' ' << v.strides()[1] << '\n';
    Eigen::MatrixXf m(4, 4);
    for (int i = 0; i < 16; ++i) m(i % 4, i / 4) = float(i % 4 * 10 + i / 4);
    auto r = softax::view_of(m.reshaped(2, 8));
    std::cout << r(1, 3) << ' ' << m.reshaped(2, 8)(1, 3) << '\n';
    auto r2 = softax::view_of(m.reshaped());
    std::cout << r2.rank() << ' ' << r2(5) << '\n';
#ifdef SEQ
    auto s = softax::view_of(m(Eigen::seq(0, 3, 2), Eigen::all));
    std::cout << s(1, 3) << '\n';
#endif
#ifdef TRI
    softax::view_of(m.triangularView<Eigen::Upper>());
#endif
#ifdef DIA
    softax::view_of(m.diagonal().asDiagonal());
#endif
#ifdef SPA
    Eigen::SparseMatrix<float> sp(3, 3);
    softax::view_of(sp);
#endif
#ifdef PRO
    softax::view_of(m * m);
#endif
#ifdef EVA
    softax::view_of((m * m).eval());
#endif
#ifdef VEC
    softax::view_of(std::vector<int>{});
#endif
#ifdef CTMP
    struct X {
        static const Eigen::MatrixXf f();
    };
    softax::view_of(X::f());
#endif
}
