// softmax, log_softmax and logsumexp over any set of axes, into a new array or into memory of the caller.
//
// This file is the door: it checks everything, then hands row-major memory to the kernels.
#pragma once

#include <vector>

#include "array.hpp"
#include "detail/kernels.hpp"

namespace softax {

/// What may be said beside the axes, by name: `logsumexp(a, -1, {.keepdims = true})`.
struct options {
    /// Reduced axes stay, with extent 1. Only logsumexp reduces.
    bool keepdims = false;
};

namespace detail {

/// Whether two elements of a layout share a place, found by marking places: O(size). Only called where strides allow it.
inline bool overlaps_itself(layout const& l) {
    index_t span = 1;
    for (index_t axis = 0; axis < l.shape.size(); ++axis) {
        index_t const stride = l.strides[axis] < 0 ? -l.strides[axis] : l.strides[axis];
        span += stride * (l.shape[axis] - 1);
    }
    // Places are at least as many as elements, or two elements share one.
    if (span < size_of(l.shape)) return true;
    index_t first = 0;
    for (index_t axis = 0; axis < l.shape.size(); ++axis) {
        first -= l.strides[axis] < 0 ? l.strides[axis] * (l.shape[axis] - 1) : 0;
    }
    std::vector<bool> taken(static_cast<std::size_t>(span));
    bool found = false;
    for_each_offset({l.shape, l.strides, l.strides}, [&](index_t offset, index_t) {
        auto const place = static_cast<std::size_t>(first + offset);
        found = found || taken[place];
        taken[place] = true;
    });
    return found;
}

/// Whether two layouts of one shape put every element in the same place. Strides of axes of extent 1 do not matter.
inline bool is_same_place(layout const& a, layout const& b) noexcept {
    for (index_t axis = 0; axis < a.shape.size(); ++axis) {
        if (a.shape[axis] != 1 && a.strides[axis] != b.strides[axis]) return false;
    }
    return true;
}

/// First and one past the last byte that a view with elements can touch.
template <class T>
std::pair<std::uintptr_t, std::uintptr_t> bytes_of(view<T> const& v) noexcept {
    index_t low = 0, high = 0;
    for (index_t axis = 0; axis < v.rank(); ++axis) {
        index_t const reach = v.strides()[axis] * (v.shape()[axis] - 1);
        (reach < 0 ? low : high) += reach;
    }
    return {reinterpret_cast<std::uintptr_t>(v.data() + low), reinterpret_cast<std::uintptr_t>(v.data() + high + 1)};
}

/// Whether some byte belongs to an element of both. Views whose ranges are apart are decided at once; for others, such as
/// the even and the odd columns of one matrix, the bytes of a are marked: O(size).
template <class A, class B>
bool shares_memory(view<A> const& a, view<B> const& b) {
    if (a.empty() || b.empty()) return false;
    auto const [a_first, a_last] = bytes_of(a);
    auto const [b_first, b_last] = bytes_of(b);
    if (a_last <= b_first || b_last <= a_first) return false;
    std::vector<bool> taken(a_last - a_first);
    for_each_offset({a.shape(), a.strides(), a.strides()}, [&, first = a_first](index_t offset, index_t) {
        auto const place = reinterpret_cast<std::uintptr_t>(a.data() + offset) - first;
        for (std::size_t k = 0; k < sizeof(A); ++k) taken[place + k] = true;
    });
    bool found = false;
    for_each_offset({b.shape(), b.strides(), b.strides()}, [&, first = a_first](index_t offset, index_t) {
        auto const place = reinterpret_cast<std::uintptr_t>(b.data() + offset) - first;
        for (std::size_t k = 0; k < sizeof(B); ++k) found = found || (place + k < taken.size() && taken[place + k]);
    });
    return found;
}

/// The shape of logsumexp over ascending axes.
inline index_list reduced_shape(index_list const& shape, index_list const& reduced, bool keepdims) {
    index_list result;
    for (index_t axis = 0, next = 0; axis < shape.size(); ++axis) {
        bool const is_reduced = next < reduced.size() && reduced[next] == axis;
        if (is_reduced) ++next;
        if (!is_reduced) result.push_back(shape[axis]);
        if (is_reduced && keepdims) result.push_back(1);
    }
    return result;
}

/// Throws unless out has that shape, elements of its own, and memory that is the input itself or apart from it.
template <class In, class Out>
void check_out(view<Out> const& out, index_list const& shape, view<In const> const& a) {
    if (out.shape() != shape) fail_shapes_differ("out", out.shape(), shape);
    if (!out.is_row_major() && overlaps_itself(out.layout())) fail_self_overlap(out.shape(), out.strides());
    bool const is_at_a = static_cast<void const*>(out.data()) == a.data() && std::same_as<In, Out>;
    bool const is_a = is_at_a && out.shape() == a.shape() && is_same_place(out.layout(), a.layout());
    if (!is_a && shares_memory(a, out)) fail_overlap();
}

inline namespace SOFTAX_ISA {

/// Row-major x through the kernels to row-major y, as application does; sizes 0 included.
template <form Form, class In, class Out>
void apply(In const* x, Out* y, index_list const& shape, index_list const& reduced) {
    if (size_of(shape) == 0) {
        // Nothing to add up: the logarithm of 0.
        index_t const results = Form == form::logsumexp ? size_of(reduced_shape(shape, reduced, false)) : 0;
        std::fill_n(y, results, static_cast<Out>(-std::numeric_limits<float>::infinity()));
        return;
    }
    apply_groups<Form>(x, y, partition_of(shape, reduced));
}

/// Any strides in, row-major out, which may be the input itself if that is row-major too.
template <form Form, class In, class Out>
void apply_to_row_major(view<In const> const& a, Out* y, index_list const& reduced) {
    if (a.is_row_major()) return apply<Form>(a.data(), y, a.shape(), reduced);
    if constexpr (Form != form::logsumexp && std::same_as<In, Out>) {
        copy_row_major(y, a.data(), a.layout());
        apply<Form>(y, y, a.shape(), reduced);
    } else {
        array<In> const copy(a);
        apply<Form>(copy.data(), y, a.shape(), reduced);
    }
}

template <form Form, class In>
array<result_type<In>> applied(view<In const> const& a, axes const& over, options const& o) {
    index_list const reduced = over.canonical(a.rank());
    auto result = array<result_type<In>>::uninitialized(
        Form == form::logsumexp ? reduced_shape(a.shape(), reduced, o.keepdims) : a.shape());
    apply_to_row_major<Form>(a, result.data(), reduced);
    return result;
}

template <form Form, class In, class Out>
void apply_into(view<Out> const& out, view<In const> const& a, axes const& over, options const& o) {
    static_assert(std::same_as<Out, result_type<In>>,
                  "softax: out must hold the result type: that of the input if it is floating or half, else float");
    index_list const reduced = over.canonical(a.rank());
    check_out(out, Form == form::logsumexp ? reduced_shape(a.shape(), reduced, o.keepdims) : a.shape(), a);
    if (out.is_row_major()) return apply_to_row_major<Form>(a, out.data(), reduced);
    auto result = array<Out>::uninitialized(out.shape());
    apply_to_row_major<Form>(a, result.data(), reduced);
    copy(out.data(), result.data(), tandem{out.shape(), out.strides(), result.strides()});
}

}  // namespace SOFTAX_ISA

/// The view of something viewable, for reading.
template <viewable A>
view<element_of<A const> const> reading(A const& a) {
    return view(a);
}

/// The view of an array or a view, for writing. A view may be a temporary, an array may not.
template <class Out>
concept writable =
    viewable<Out> && !std::is_const_v<std::remove_pointer_t<decltype(view(std::declval<Out&>()).data())>>;

}  // namespace detail

inline namespace SOFTAX_ISA {

/// exp(a - m) / sum(exp(a - m)) over axes, m being the maximum there: probabilities that add up to 1 in every group.
///
/// a       array, view of any strides, or contiguous range; not modified.
/// axes    -1, {0, 2}, a range of integers, all_axes (none given: one group over the full array), {} (groups of one).
/// returns a new row-major array of the same shape; the element type of a, float for bool and integers.
/// throws  std::out_of_range for an axis outside [-rank, rank); std::invalid_argument for one given twice or of rank 0.
/// special A group that holds NaN or +inf, or only -inf, is NaN; -inf beside a finite element gives exactly 0; subnormal
///         results are kept; equal elements give equal results.
/// error   at most 4 ULP in float and double, 0.51 ULP in the half types, for every finite input and length.
/// cost    three passes over the array, two of them reading; the allocation of the result.
/// source  Milakov and Gimelshein 2018 for the safe form; Blanchard, Higham and Higham 2021 for its rounding errors.
template <viewable A>
array<result_type<element_of<A const>>> softmax(A const& a, axes const& over = all_axes) {
    return detail::applied<detail::form::softmax>(detail::reading(a), over, {});
}

/// a - m - log(sum(exp(a - m))) over axes: the logarithm of softmax, accurate where softmax is next to 1 or 0.
///
/// As softmax(), but: -inf beside a finite element gives -inf; results are never above 0; error at most 2.5 ULP.
template <viewable A>
array<result_type<element_of<A const>>> log_softmax(A const& a, axes const& over = all_axes) {
    return detail::applied<detail::form::log_softmax>(detail::reading(a), over, {});
}

/// m + log(sum(exp(a - m))) over axes, which are dropped from the shape, or stay with extent 1 if .keepdims.
///
/// As softmax(), but: a group without elements gives -inf; error at most 1 ULP of max(abs(m), abs(result), 1).
template <viewable A>
array<result_type<element_of<A const>>> logsumexp(A const& a, axes const& over = all_axes, options const& o = {}) {
    return detail::applied<detail::form::logsumexp>(detail::reading(a), over, o);
}

/// softmax(a, axes) into out, an array or a view of any strides with the shape of a and the type of the result. out may be a
/// itself, or else memory apart from it; nothing is allocated if both are row-major and of type float or double.
/// throws  as softmax(), and std::invalid_argument if out has another shape, overlaps a in part, or overlaps itself; then
///         nothing has been written.
template <detail::writable Out, viewable A>
void softmax_into(Out&& out, A const& a, axes const& over = all_axes) {
    detail::apply_into<detail::form::softmax>(view(out), detail::reading(a), over, {});
}

/// log_softmax(a, axes) into out; as softmax_into().
template <detail::writable Out, viewable A>
void log_softmax_into(Out&& out, A const& a, axes const& over = all_axes) {
    detail::apply_into<detail::form::log_softmax>(view(out), detail::reading(a), over, {});
}

/// logsumexp(a, axes) into out, whose shape is that of the result; as softmax_into().
template <detail::writable Out, viewable A>
void logsumexp_into(Out&& out, A const& a, axes const& over = all_axes, options const& o = {}) {
    detail::apply_into<detail::form::logsumexp>(view(out), detail::reading(a), over, o);
}

}  // namespace SOFTAX_ISA
}  // namespace softax
