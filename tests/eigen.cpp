// eigen.hpp: Eigen objects as views and back as Maps. Every element is named by a number of its own, and every expected
// stride is written out, so that an element in the wrong place shows.
#include <softax/eigen.hpp>

#include "catch.hpp"

#include <cstdint>
#include <type_traits>
#include <vector>

using softax::array;
using softax::index_list;
using softax::matrix_of;
using softax::vector_of;
using softax::view;
using softax::view_of;

namespace {

using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;

/// rows x cols, element (i, j) is 10 i + j.
template <class M = Eigen::MatrixXf>
M numbered(Eigen::Index rows, Eigen::Index cols) {
    M m(rows, cols);
    for (Eigen::Index i = 0; i < rows; ++i) {
        for (Eigen::Index j = 0; j < cols; ++j) m(i, j) = static_cast<typename M::Scalar>(10 * i + j);
    }
    return m;
}

array<float> numbered_array(softax::index_t rows, softax::index_t cols) {
    auto a = array<float>::uninitialized({rows, cols});
    for (softax::index_t i = 0; i < rows; ++i) {
        for (softax::index_t j = 0; j < cols; ++j) a(i, j) = static_cast<float>(10 * i + j);
    }
    return a;
}

/// Whether the view shows exactly the elements of m, in m's own memory.
template <class V, class M>
bool shows(V const& v, M const& m) {
    if (v.shape() != index_list{m.rows(), m.cols()}) return false;
    for (Eigen::Index i = 0; i < m.rows(); ++i) {
        for (Eigen::Index j = 0; j < m.cols(); ++j) {
            if (&v(i, j) != &m.coeffRef(i, j)) return false;
        }
    }
    return true;
}

/// The type of view_of(M), as a caller with an object of type M gets it.
template <class M>
using view_type = decltype(view_of(std::declval<M>()));

/// A sum through a Ref, which may or may not make a copy of its own.
float sum_through(Eigen::Ref<Eigen::MatrixXf const, 0, strides> m) { return m.sum(); }

}  // namespace

TEST_CASE("a matrix of either storage order is seen as (rows, columns)") {
    Eigen::MatrixXf columns = numbered(2, 3);
    REQUIRE(shows(view_of(columns), columns));
    REQUIRE(view_of(columns).strides() == index_list{1, 2});

    row_major rows = numbered<row_major>(2, 3);
    REQUIRE(shows(view_of(rows), rows));
    REQUIRE(view_of(rows).strides() == index_list{3, 1});
    REQUIRE(view_of(rows).is_row_major());

    Eigen::Array<double, 4, 2> fixed = numbered<Eigen::Array<double, 4, 2>>(4, 2);
    REQUIRE(shows(view_of(fixed), fixed));
}

TEST_CASE("a view writes into the matrix that it sees") {
    Eigen::MatrixXf m = Eigen::MatrixXf::Zero(2, 3);
    view_of(m)(1, 2) = 7;
    REQUIRE(m(1, 2) == 7);
    REQUIRE(m.sum() == 7);
}

TEST_CASE("what is a vector by its type has rank 1") {
    Eigen::VectorXf column = Eigen::VectorXf::LinSpaced(4, 0, 3);
    Eigen::RowVector3d row(1, 2, 3);
    REQUIRE(view_of(column).shape() == index_list{4});
    REQUIRE(view_of(row).shape() == index_list{3});
    REQUIRE(view_of(row)(2) == 3);

    Eigen::MatrixXf one_column = numbered(3, 1);  // a matrix by its type
    REQUIRE(view_of(one_column).shape() == index_list{3, 1});

    Eigen::MatrixXf m = numbered(3, 4);
    REQUIRE(view_of(m.row(1)).strides() == index_list{3});
    REQUIRE(view_of(m.row(1))(2) == 12);
    REQUIRE(view_of(m.col(2)).strides() == index_list{1});
    REQUIRE(view_of(m.col(2))(1) == 12);
    REQUIRE(view_of(m.col(2).segment(1, 2)).shape() == index_list{2});
    REQUIRE(view_of(m.col(2).segment(1, 2))(1) == 22);
}

TEST_CASE("blocks, transposes and array wrappers share the memory of their matrix") {
    Eigen::MatrixXf m = numbered(4, 5);
    auto const v = view_of(m.block(1, 2, 2, 3));
    REQUIRE(v.shape() == index_list{2, 3});
    REQUIRE(v.strides() == index_list{1, 4});
    REQUIRE(&v(1, 2) == &m(2, 4));

    auto const t = view_of(m.transpose());
    REQUIRE(t.shape() == index_list{5, 4});
    REQUIRE(t.strides() == index_list{4, 1});
    REQUIRE(&t(3, 1) == &m(1, 3));

    REQUIRE(shows(view_of(m.array()), m));
    REQUIRE(shows(view_of(m.topRows(2)), m.topRows(2)));
}

TEST_CASE("Maps keep their inner and outer strides, negative ones too") {
    std::vector<float> memory(40);
    Eigen::Map<Eigen::MatrixXf, 0, strides> both(memory.data() + 1, 3, 2, strides(11, 3));
    REQUIRE(shows(view_of(both), both));
    REQUIRE(view_of(both).strides() == index_list{3, 11});

    Eigen::Map<row_major, 0, Eigen::OuterStride<>> outer(memory.data(), 3, 2, Eigen::OuterStride<>(7));
    REQUIRE(shows(view_of(outer), outer));
    REQUIRE(view_of(outer).strides() == index_list{7, 1});

    Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<4>> stepped(memory.data(), 5);
    REQUIRE(view_of(stepped).strides() == index_list{4});

    Eigen::Map<row_major, 0, strides> reversed(memory.data() + 39, 3, 4, strides(-8, -2));
    REQUIRE(shows(view_of(reversed), reversed));
    REQUIRE(view_of(reversed).strides() == index_list{-8, -2});
}

TEST_CASE("Refs of every kind are seen, whether or not they hold a copy") {
    Eigen::MatrixXf m = numbered(4, 5);
    Eigen::Ref<Eigen::MatrixXf> writes = m.block(1, 1, 2, 3);
    REQUIRE(shows(view_of(writes), writes));
    REQUIRE(&view_of(writes)(0, 0) == &m(1, 1));

    Eigen::Ref<Eigen::MatrixXf const> const copy = m + m;
    REQUIRE(shows(view_of(copy), copy));
    REQUIRE(view_of(copy)(3, 4) == 68);
}

// Eigen takes the inner stride of a strided Map for 1 when it tells the stride of its diagonal.
TEST_CASE("a diagonal is seen, of a strided Map too") {
    Eigen::MatrixXf m = numbered(3, 4);
    REQUIRE(view_of(m.diagonal()).shape() == index_list{3});
    REQUIRE(view_of(m.diagonal())(2) == 22);
    REQUIRE(view_of(m.diagonal(1))(2) == 23);

    std::vector<float> memory(40);
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);
    Eigen::Map<Eigen::MatrixXf, 0, strides> map(memory.data(), 3, 3, strides(10, 2));
    REQUIRE(view_of(map.diagonal()).strides() == index_list{12});
    REQUIRE(view_of(map.diagonal())(2) == 24);
}

TEST_CASE("const stays const") {
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::MatrixXf&>, view<float>>);
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::MatrixXf const&>, view<float const>>);
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::Map<Eigen::MatrixXi>&>, view<int>>);
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::Map<Eigen::MatrixXi>>, view<int>>);
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::Map<Eigen::MatrixXi> const&>, view<int const>>);
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::Map<Eigen::MatrixXi const>>, view<int const>>);
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::Ref<Eigen::ArrayXd>&>, view<double>>);
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::Ref<Eigen::ArrayXd const>&>, view<double const>>);
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::Block<Eigen::MatrixXf>>, view<float>>);
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::Block<Eigen::MatrixXf const>>, view<float const>>);
    STATIC_REQUIRE(std::is_same_v<view_type<Eigen::Transpose<Eigen::MatrixXf const>>, view<float const>>);
    STATIC_REQUIRE(
        std::is_same_v<decltype(matrix_of(std::declval<array<float> const&>())), Eigen::Map<row_major const>>);
    STATIC_REQUIRE(std::is_same_v<decltype(matrix_of(std::declval<array<float>&>())), Eigen::Map<row_major>>);
    STATIC_REQUIRE(std::is_same_v<decltype(matrix_of(std::declval<view<float const>>())),
                                  Eigen::Map<row_major const, 0, strides>>);
}

// What view_of says about each of these stands in its static_asserts; here is what they ask.
TEST_CASE("expressions and temporaries that own their elements are told from memory that stays") {
    using softax::detail::eigen_memory;
    using softax::detail::is_passing_owner;
    using matrix = Eigen::MatrixXf;
    matrix const m(1, 1);
    STATIC_REQUIRE_FALSE(eigen_memory<decltype(m + m)>);
    STATIC_REQUIRE_FALSE(eigen_memory<decltype(m * m)>);
    STATIC_REQUIRE_FALSE(eigen_memory<decltype(m.cwiseAbs())>);
    STATIC_REQUIRE_FALSE(eigen_memory<decltype(m.cast<double>())>);
    STATIC_REQUIRE_FALSE(eigen_memory<decltype(m.rowwise().reverse())>);
    STATIC_REQUIRE_FALSE(eigen_memory<decltype((m + m).row(0))>);
    STATIC_REQUIRE_FALSE(eigen_memory<decltype(matrix::Zero(2, 2))>);
    STATIC_REQUIRE(eigen_memory<decltype(m.row(0).transpose())>);
    STATIC_REQUIRE(is_passing_owner<matrix>);
    STATIC_REQUIRE(is_passing_owner<matrix const>);
    STATIC_REQUIRE(is_passing_owner<Eigen::Array3d>);
    STATIC_REQUIRE(is_passing_owner<Eigen::Ref<matrix const>>);
    STATIC_REQUIRE_FALSE(is_passing_owner<matrix&>);
    STATIC_REQUIRE_FALSE(is_passing_owner<matrix const&>);
    STATIC_REQUIRE_FALSE(is_passing_owner<Eigen::Map<matrix>>);
    STATIC_REQUIRE_FALSE(is_passing_owner<Eigen::Ref<matrix>>);
    STATIC_REQUIRE_FALSE(is_passing_owner<decltype(m.row(0))>);
    STATIC_REQUIRE_FALSE(softax::detail::eigen_object<std::vector<float>>);
}

TEMPLATE_TEST_CASE("every element type goes there and back", "", float, bool, std::int8_t, unsigned, std::int64_t) {
    Eigen::Matrix<TestType, Eigen::Dynamic, Eigen::Dynamic> m(2, 2);
    m << TestType(0), TestType(1), TestType(1), TestType(0);
    array<TestType> const a(view_of(m));
    REQUIRE(a == array<TestType>{{TestType(0), TestType(1)}, {TestType(1), TestType(0)}});
    REQUIRE(matrix_of(a) == m);
}

TEST_CASE("an array is a row-major matrix without a copy") {
    array<float> a = {{1, 2, 3}, {4, 5, 6}};
    auto m = matrix_of(a);
    REQUIRE(m.data() == a.data());
    REQUIRE((m.rows() == 2 && m.cols() == 3 && m(1, 0) == 4));
    m.row(0) *= 10;
    REQUIRE(a == array<float>{{10, 20, 30}, {4, 5, 6}});
    REQUIRE(shows(view_of(m), m));
}

TEST_CASE("a product is written straight into an array") {
    array<double> const a = {{1, 2}, {3, 4}}, b = {{1, 0, 2}, {0, 1, 3}};
    array<double> c({2, 3}, 0.0);
    matrix_of(c).noalias() = matrix_of(a) * matrix_of(b);
    REQUIRE(c == array<double>{{1, 2, 8}, {3, 4, 18}});
}

TEST_CASE("an array of rank 1 is a column") {
    array<int> a = {1, 2, 3};
    auto v = vector_of(a);
    REQUIRE(v.data() == a.data());
    REQUIRE((v.rows() == 3 && v.cols() == 1));
    v.array() += 1;
    REQUIRE(a == array<int>{2, 3, 4});
    array<int> const& fixed = a;
    REQUIRE(vector_of(fixed).sum() == 9);
}

TEST_CASE("a strided view is a strided matrix") {
    array<float> a = numbered_array(4, 6);
    auto const even = view(a).slice(0, {.start = 1, .step = 2}).slice(1, {.step = 3});
    REQUIRE(matrix_of(even) == (Eigen::Matrix2f() << 10, 13, 30, 33).finished());
    REQUIRE(matrix_of(even.transpose()) == (Eigen::Matrix2f() << 10, 30, 13, 33).finished());
    matrix_of(even) *= 2;
    REQUIRE((a(1, 0) == 20 && a(3, 3) == 66 && a(1, 1) == 11));

    auto const column = view(a).slice(1, {.start = 5}).reshape({4});
    REQUIRE(vector_of(column) == Eigen::Vector4f(5, 15, 25, 35));
}

TEST_CASE("reversed views work in Eigen: reads, writes, products on either side and into them, Refs, blocks") {
    array<float> a = numbered_array(3, 3);
    auto const view_both = view(a).slice(0, {.step = -1}).slice(1, {.step = -1});
    auto const m = matrix_of(view_both);
    Eigen::Matrix3f const plain = (Eigen::Matrix3f() << 22, 21, 20, 12, 11, 10, 2, 1, 0).finished();
    REQUIRE(m == plain);
    REQUIRE(m.transpose() == plain.transpose());
    REQUIRE(m.sum() == plain.sum());
    REQUIRE(m.maxCoeff() == 22);
    REQUIRE(m * plain == plain * plain);
    REQUIRE(plain * m == plain * plain);
    REQUIRE(m * m.col(1) == plain * plain.col(1));
    REQUIRE(m.row(2) * m == plain.row(2) * plain);
    REQUIRE(m.block(1, 1, 2, 2) == plain.block(1, 1, 2, 2));
    REQUIRE(sum_through(m) == plain.sum());
    REQUIRE(sum_through(m.leftCols(2)) == plain.leftCols(2).sum());
    REQUIRE(Eigen::Ref<Eigen::MatrixXf const>(m) == plain);
    REQUIRE(vector_of(view(a).slice(0, {.stop = 1}).reshape({3}).slice(0, {.step = -1})) == Eigen::Vector3f(2, 1, 0));

    array<float> out({3, 3}, 0.0f);
    auto const reversed_out = view(out).slice(0, {.step = -1}).slice(1, {.step = -1});
    matrix_of(reversed_out).noalias() = plain * plain;
    REQUIRE(matrix_of(out) == (plain * plain).reverse());
    matrix_of(reversed_out).row(0).setConstant(-1);
    REQUIRE((out(2, 0) == -1 && out(2, 2) == -1 && out(1, 0) != -1));
}

// Products this large take Eigen's blocked kernels instead of its loops for small matrices.
TEST_CASE("a large product of reversed views is the reversed product") {
    array<float> a = numbered_array(40, 50), b = numbered_array(50, 60), c({40, 60}, 0.0f);
    matrix_of(c).noalias() =
        matrix_of(view(a).slice(1, {.step = -1})) * matrix_of(view(b).slice(0, {.step = -1}).slice(1, {.step = -1}));
    double worst = 0;
    for (softax::index_t i = 0; i < 40; ++i) {
        for (softax::index_t j = 0; j < 60; ++j) {
            double sum = 0;
            for (softax::index_t k = 0; k < 50; ++k) sum += double(a(i, k)) * double(b(k, 59 - j));
            worst = std::max(worst, std::abs(sum - double(c(i, j))) / std::max(1.0, sum));
        }
    }
    REQUIRE(worst < 50 * 6e-8);  // 50 roundings of float, all terms positive
}

TEST_CASE("extents of 0 and 1 have a Map") {
    array<float> const none({0, 4}, 0.0f), also_none({3, 0}, 0.0f), one({1, 1}, 5.0f), nothing;
    REQUIRE((matrix_of(none).rows() == 0 && matrix_of(none).cols() == 4));
    REQUIRE((matrix_of(view(also_none)).rows() == 3 && matrix_of(view(also_none)).size() == 0));
    REQUIRE(matrix_of(one)(0, 0) == 5);
    REQUIRE(vector_of(nothing).size() == 0);
    Eigen::MatrixXf empty(0, 3);
    REQUIRE(view_of(empty).shape() == index_list{0, 3});
    REQUIRE(matrix_of(view_of(empty)).cols() == 3);
    array<float> const row = {1, 2, 3};
    REQUIRE(sum_through(matrix_of(view(row.data(), {1, 3}, {0, 1}))) == 6);  // stride 0 where nothing is repeated
    REQUIRE(sum_through(matrix_of(view(row.data(), {3, 1}, {1, 0}))) == 6);
}

TEST_CASE("a rank that does not fit is refused with the numbers") {
    array<float> cube({2, 3, 4}, 0.0f), row({3}, 0.0f), table({2, 3}, 0.0f);
    array<float> const scalar = array<float>::scalar(1);
    REQUIRE_FAILS(matrix_of(cube), std::invalid_argument, "a matrix has rank 2, shape (2, 3, 4) has rank 3");
    REQUIRE_FAILS(matrix_of(view(row)), std::invalid_argument, "a matrix has rank 2, shape (3,) has rank 1");
    REQUIRE_FAILS(matrix_of(scalar), std::invalid_argument, "a matrix has rank 2, shape () has rank 0");
    REQUIRE_FAILS(vector_of(table), std::invalid_argument, "a vector has rank 1, shape (2, 3) has rank 2");
    REQUIRE_FAILS(vector_of(view(scalar)), std::invalid_argument, "a vector has rank 1, shape () has rank 0");
}

TEST_CASE("a broadcast view is refused, with the way out") {
    array<float> const row = {1, 2, 3};
    auto const repeated = view(row).broadcast_to({4, 3});
    REQUIRE_FAILS(matrix_of(repeated), std::invalid_argument,
                  "a view of shape (4, 3) and strides (0, 1) repeats elements, which an Eigen Map cannot say");
    REQUIRE_FAILS(vector_of(view(row).slice(0, {.stop = 1}).broadcast_to({5})), std::invalid_argument, "strides (0,)");
    array<float> const copy(repeated);
    REQUIRE(matrix_of(copy).colwise().sum() == Eigen::RowVector3f(4, 8, 12));
}
