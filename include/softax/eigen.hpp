// Eigen objects as views, arrays and views as Eigen Maps; no element is copied either way.
//
// Apart because it is the one header that shows Eigen's types to whoever includes it. An array has no arithmetic of its own:
// products and sums are written in Eigen, through here.
#pragma once

#include <Eigen/Core>

#include <stdexcept>
#include <string>
#include <type_traits>

#include "array.hpp"

namespace softax {

namespace detail {

template <class Derived>
void takes_eigen(Eigen::EigenBase<Derived> const&);
template <class Derived>
void takes_owner(Eigen::PlainObjectBase<Derived> const&);
// A Ref to const elements holds a copy of what it could not refer to.
template <class Plain, int Options, class Strides>
void takes_owner(Eigen::Ref<Plain const, Options, Strides> const&);

/// Anything of Eigen's: a Matrix, a Map, an expression.
template <class M>
concept eigen_object = requires(std::remove_cvref_t<M> const& m) { takes_eigen(m); };

/// What holds its elements itself, so that they go when it goes.
template <class M>
concept eigen_owner = requires(std::remove_cvref_t<M> const& m) { takes_owner(m); };

/// What has its elements in memory, at fixed strides.
template <class M>
concept eigen_memory = requires(M& m) {
    m.data();
    m.innerStride();
} && (std::remove_cvref_t<M>::Flags & Eigen::DirectAccessBit) != 0;

/// What is a view of the elements only as long as something else keeps them.
template <class M>
inline constexpr bool is_passing_owner = eigen_owner<M> && !std::is_lvalue_reference_v<M>;

template <class M>
inline constexpr bool has_eigen_element = element<typename std::remove_cvref_t<M>::Scalar>;

template <class Vector>
index_t vector_stride(Vector const& v) {
    return v.innerStride();
}

// Eigen, 3.4.0 and 5.0.1, takes the inner stride of what a diagonal lies in for 1.
template <class M, int Index>
index_t vector_stride(Eigen::Diagonal<M, Index> const& diagonal) {
    return diagonal.nestedExpression().rowStride() + diagonal.nestedExpression().colStride();
}

/// T, const where From is.
template <class From, class T>
using const_as = std::conditional_t<std::is_const_v<From>, T const, T>;

template <class T>
struct eigen_types {
    static_assert(!is_half_type<std::remove_const_t<T>>,
                  "softax: half and bfloat16 are no types that Eigen computes in; make an array<float> first");
    using matrix = const_as<T, Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
    using vector = const_as<T, Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, 1>>;
};

[[noreturn]] inline void fail_eigen_rank(char const* what, index_t needed, index_list const& shape) {
    throw std::invalid_argument(std::string("softax: ") + what + " has rank " + std::to_string(needed) + ", shape " +
                                text_of(shape) + " has rank " + std::to_string(shape.size()));
}

[[noreturn]] inline void fail_eigen_stride(layout const& l) {
    throw std::invalid_argument("softax: a view of shape " + text_of(l.shape) + " and strides " + text_of(l.strides) +
                                " repeats elements, which an Eigen Map cannot say; make an array of it first");
}

/// Throws std::invalid_argument unless the rank is the one needed and a Map can say the strides. A Map can hold stride 0, but
/// a Ref made from it takes 0 for "none given" and reads other memory.
inline void check_eigen(char const* what, index_t needed, layout const& l) {
    if (l.shape.size() != needed) fail_eigen_rank(what, needed, l.shape);
    if (size_of(l.shape) == 0) return;
    for (index_t axis = 0; axis < needed; ++axis) {
        if (l.shape[axis] > 1 && l.strides[axis] == 0) fail_eigen_stride(l);
    }
}

}  // namespace detail

/// The elements of a Matrix, Array, Map, Ref, Block or whatever else of Eigen's lies in memory, whatever its strides and
/// storage order: rank 2, (rows, columns), or rank 1 if the type is a row or a column. Const objects and Maps to const give
/// a view<T const>. The memory must outlive the view, so a Matrix that is a temporary does not compile; nor does an
/// expression such as a + b, which has no memory until it is evaluated.
template <detail::eigen_object M>
auto view_of(M&& m) {
    constexpr bool is_memory = detail::eigen_memory<M>, is_passing = detail::is_passing_owner<M>;
    static_assert(is_memory,
                  "softax: this Eigen expression has no memory to view; give its .eval() a name, then view that");
    static_assert(!is_passing,
                  "softax: this Eigen object is a temporary, gone before the view is used; give it a name first");
    static_assert(detail::has_eigen_element<M>,
                  "softax: the element type of this Eigen object must be float, double, bool or an integer type");
    if constexpr (is_memory && !is_passing && detail::has_eigen_element<M>) {
        if constexpr (std::remove_cvref_t<M>::IsVectorAtCompileTime) {
            return view(m.data(), index_list(m.size()), index_list(detail::vector_stride(m)));
        } else {
            return view(m.data(), {m.rows(), m.cols()}, {m.rowStride(), m.colStride()});
        }
    }
}

/// An array of rank 2 as an Eigen matrix in row-major order. Throws std::invalid_argument for any other rank.
template <class T>
auto matrix_of(array<T>& a) {
    detail::check_eigen("a matrix", 2, detail::row_major(a.shape()));
    return Eigen::Map<typename detail::eigen_types<T>::matrix>(a.data(), a.shape()[0], a.shape()[1]);
}
template <class T>
auto matrix_of(array<T> const& a) {
    detail::check_eigen("a matrix", 2, detail::row_major(a.shape()));
    return Eigen::Map<typename detail::eigen_types<T const>::matrix>(a.data(), a.shape()[0], a.shape()[1]);
}
/// A temporary array would be gone before the Map is used; give it a name first.
template <class T>
void matrix_of(array<T> const&&) = delete;

/// A view of rank 2 as an Eigen matrix. Strides may be negative. Throws std::invalid_argument for any other rank, and for a
/// broadcast axis: an Eigen Ref made from stride 0 would read other memory.
template <class T>
auto matrix_of(view<T> const& v) {
    detail::check_eigen("a matrix", 2, v.layout());
    using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
    return Eigen::Map<typename detail::eigen_types<T>::matrix, 0, strides>(v.data(), v.shape()[0], v.shape()[1],
                                                                           strides(v.strides()[0], v.strides()[1]));
}

/// An array of rank 1 as an Eigen column. Throws std::invalid_argument for any other rank.
template <class T>
auto vector_of(array<T>& a) {
    detail::check_eigen("a vector", 1, detail::row_major(a.shape()));
    return Eigen::Map<typename detail::eigen_types<T>::vector>(a.data(), a.size());
}
template <class T>
auto vector_of(array<T> const& a) {
    detail::check_eigen("a vector", 1, detail::row_major(a.shape()));
    return Eigen::Map<typename detail::eigen_types<T const>::vector>(a.data(), a.size());
}
/// A temporary array would be gone before the Map is used; give it a name first.
template <class T>
void vector_of(array<T> const&&) = delete;

/// A view of rank 1 as an Eigen column. Throws as matrix_of.
template <class T>
auto vector_of(view<T> const& v) {
    detail::check_eigen("a vector", 1, v.layout());
    return Eigen::Map<typename detail::eigen_types<T>::vector, 0, Eigen::InnerStride<>>(
        v.data(), v.size(), Eigen::InnerStride<>(v.strides()[0]));
}

}  // namespace softax
