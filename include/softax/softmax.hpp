// softmax, log_softmax and logsumexp over any set of axes, into a new array or into memory of the caller.
//
// This file is the door: it checks everything, then hands memory and strides to the kernels.
#pragma once

#include "array.hpp"
#include "detail/overlap.hpp"
#include "detail/shared_groups.hpp"
#include "options.hpp"

namespace softax {

namespace detail {

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

/// Strides of a result over the full shape: 0 for reduced axes, which the result has lost or keeps with extent 1.
inline index_list spread_strides(index_list const& strides, index_list const& reduced, index_t rank) {
    if (strides.size() + reduced.size() == rank) {
        index_list spread;
        for (index_t axis = 0, next = 0, kept = 0; axis < rank; ++axis) {
            bool const is_reduced = next < reduced.size() && reduced[next] == axis;
            spread.push_back(is_reduced ? 0 : strides[kept]);
            ++(is_reduced ? next : kept);
        }
        return spread;
    }
    index_list spread = strides;
    for (index_t const axis : reduced) spread[axis] = 0;
    return spread;
}

/// What options say of the elements of a shape. Throws std::invalid_argument for a scale that is not finite, or a mask of
/// another shape.
struct checked_options {
    call said;
    std::optional<broadcast_mask> where;

    checked_options(options const& o, index_list const& shape) : said{o.scale, o.extra, o.where.has_value()} {
        if (!std::isfinite(o.scale)) fail_scale(o.scale);
        if (o.where) where.emplace(o.where->data(), o.where->layout(), shape);
    }
};

/// The type that kernels read instead: of the same numbers in the same bytes.
template <class T>
using read_as =
    std::conditional_t<std::same_as<T, bool>, unsigned char,
                       std::conditional_t<std::same_as<T, char>,
                                          std::conditional_t<std::is_signed_v<char>, signed char, unsigned char>, T>>;

inline namespace SOFTAX_ISA {

/// All groups of a into out, which has been checked.
template <form Form, class In, class Out>
void apply(view<Out> const& out, view<In const> const& a, index_list const& reduced, checked_options const& o,
           team* on) {
    if (a.empty()) {
        // Nothing to add up: the logarithm of 0, or of the extra logit alone.
        auto const alone =
            o.said.extra > std::numeric_limits<double>::max() ? std::numeric_limits<double>::quiet_NaN() : o.said.extra;
        if (Form == form::logsumexp) {
            for_each_offset({out.shape(), out.strides(), out.strides()},
                            [&](index_t place, index_t) { out.data()[place] = static_cast<Out>(alone); });
        }
        return;
    }
    index_list const y = Form == form::logsumexp ? spread_strides(out.strides(), reduced, a.rank()) : out.strides();
    call said = o.said;
    said.is_in_place = static_cast<void const*>(a.data()) == out.data();
    auto const y_at = reinterpret_cast<std::uintptr_t>(out.data()), x_at = reinterpret_cast<std::uintptr_t>(a.data());
    said.is_aligned = y_at % alignment == 0;
    said.is_alike = (y_at - x_at) % 4096 < 128;
    auto const* const x = reinterpret_cast<read_as<In> const*>(a.data());
    apply_groups<Form>(memories<read_as<In>, Out>{x, out.data(), o.where ? o.where->data() : nullptr},
                       partition_of(a.shape(), reduced, {a.strides(), y, o.where ? &o.where->strides() : nullptr}),
                       said, on);
}

template <form Form, class In, class Out>
void apply_on(view<Out> const& out, view<In const> const& a, index_list const& reduced, options const& o) {
    checked_options const checked(o, a.shape());
    if (!o.on) return apply<Form>(out, a, reduced, checked, nullptr);
    o.on->run([&](team& t) { apply<Form>(out, a, reduced, checked, &t); });
}

template <form Form, class In>
array<result_type<In>> applied(view<In const> const& a, axes const& over, options const& o) {
    index_list const reduced = over.canonical(a.rank());
    auto result = array<result_type<In>>::uninitialized(
        Form == form::logsumexp ? reduced_shape(a.shape(), reduced, o.keepdims) : a.shape());
    apply_on<Form>(view(result), a, reduced, o);
    return result;
}

template <form Form, class In, class Out>
void apply_into(view<Out> const& out, view<In const> const& a, axes const& over, options const& o) {
    static_assert(std::same_as<Out, result_type<In>>,
                  "softax: out must hold the result type: that of the input if it is floating or half, else float");
    index_list const reduced = over.canonical(a.rank());
    check_out(out, Form == form::logsumexp ? reduced_shape(a.shape(), reduced, o.keepdims) : a.shape(), a);
    if (o.where && shares_memory(*o.where, out)) fail_mask_overlap();
    apply_on<Form>(out, a, reduced, o);
}

}  // namespace SOFTAX_ISA

/// The view of something viewable, for reading; one that is given is not copied, which takes as long as some elements.
template <viewable A>
view<element_of<A const> const> reading(A const& a) {
    return view(a);
}
template <class T>
view<T const> const& reading(view<T const> const& a) noexcept {
    return a;
}

/// The same for writing.
template <class Out>
decltype(auto) writing(Out& out) {
    if constexpr (std::same_as<decltype(view(out)), std::remove_const_t<Out>>) {
        return (out);
    } else {
        return view(out);
    }
}

/// The view of an array or a view, for writing. A view may be a temporary, an array may not.
template <class Out>
concept writable =
    viewable<Out> && !std::is_const_v<std::remove_pointer_t<decltype(view(std::declval<Out&>()).data())>>;

}  // namespace detail

inline namespace SOFTAX_ISA {

/// exp(scale a - m) / sum(exp(scale a - m)) over axes, m being the maximum there: probabilities that add up to 1 in every
/// group.
///
/// a       array, view of any strides, or contiguous range; not modified.
/// axes    -1, {0, 2}, a range of integers, all_axes (none given: one group over the full array), {} (groups of one).
/// options scale, a mask, one more logit, where it runs; see options. Or a stream or device alone.
/// returns a new row-major array of the same shape; the element type of a, float for bool and integers.
/// throws  std::out_of_range for an axis outside [-rank, rank); std::invalid_argument for one given twice or of rank 0, for a
///         scale that is not finite, and for a mask that cannot be broadcast to the shape of a.
/// special A group that holds NaN or +inf, or only -inf, is NaN; -inf beside a finite element gives exactly 0; subnormal
///         results are kept; equal elements give equal results; what a mask leaves out is exactly 0.
/// error   at most 4 ULP in float and double, 0.51 ULP in the half types, for every finite input and length.
/// cost    three passes over the array, two of them reading; the allocation of the result.
/// source  Milakov and Gimelshein 2018 for the safe form; Blanchard, Higham and Higham 2021 for its rounding errors.
template <viewable A>
array<result_type<element_of<A const>>> softmax(A const& a, axes const& over = all_axes,
                                                options const& o = detail::no_options) {
    return detail::applied<detail::form::softmax>(detail::reading(a), over, o);
}

/// scale a - m - log(sum(exp(scale a - m))) over axes: the logarithm of softmax, accurate where softmax is next to 1 or 0.
///
/// As softmax(), but: -inf beside a finite element and what a mask leaves out give -inf; results are never above 0; error at
/// most 2.5 ULP.
template <viewable A>
array<result_type<element_of<A const>>> log_softmax(A const& a, axes const& over = all_axes,
                                                    options const& o = detail::no_options) {
    return detail::applied<detail::form::log_softmax>(detail::reading(a), over, o);
}

/// m + log(sum(exp(scale a - m))) over axes, which are dropped from the shape, or stay with extent 1 if .keepdims.
///
/// As softmax(), but: a group without elements, or none that a mask leaves, gives -inf (the extra logit where there is one);
/// error at most 1 ULP of max(abs(m), abs(result), 1).
template <viewable A>
array<result_type<element_of<A const>>> logsumexp(A const& a, axes const& over = all_axes,
                                                  options const& o = detail::no_options) {
    return detail::applied<detail::form::logsumexp>(detail::reading(a), over, o);
}

/// softmax(a, axes, options) into out, an array or a view of any strides with the shape of a and the type of the result. out
/// may be a itself, or else memory apart from it. On one thread nothing is allocated if the groups lie in one run or side by
/// side in both, in float or double, no mask is given, and the result has less than 16 MiB (a scratch of three rows serves
/// larger ones, and one of a few hundred KiB slices of fewer than 16 groups or 160 elements).
/// throws  as softmax(), and std::invalid_argument if out has another shape, overlaps a in part, or overlaps itself or the
///         mask; then nothing has been written.
template <detail::writable Out, viewable A>
void softmax_into(Out&& out, A const& a, axes const& over = all_axes, options const& o = detail::no_options) {
    detail::apply_into<detail::form::softmax>(detail::writing(out), detail::reading(a), over, o);
}

/// log_softmax(a, axes, options) into out; as softmax_into().
template <detail::writable Out, viewable A>
void log_softmax_into(Out&& out, A const& a, axes const& over = all_axes, options const& o = detail::no_options) {
    detail::apply_into<detail::form::log_softmax>(detail::writing(out), detail::reading(a), over, o);
}

/// logsumexp(a, axes, options) into out, whose shape is that of the result; as softmax_into().
template <detail::writable Out, viewable A>
void logsumexp_into(Out&& out, A const& a, axes const& over = all_axes, options const& o = detail::no_options) {
    detail::apply_into<detail::form::logsumexp>(detail::writing(out), detail::reading(a), over, o);
}

// The same on a stream, or on the default stream of a device.

template <viewable A>
array<result_type<element_of<A const>>> softmax(A const& a, axes const& over, stream const& on) {
    return softmax(a, over, options{.on = on});
}

template <viewable A>
array<result_type<element_of<A const>>> log_softmax(A const& a, axes const& over, stream const& on) {
    return log_softmax(a, over, options{.on = on});
}

template <viewable A>
array<result_type<element_of<A const>>> logsumexp(A const& a, axes const& over, stream const& on) {
    return logsumexp(a, over, options{.on = on});
}

template <detail::writable Out, viewable A>
void softmax_into(Out&& out, A const& a, axes const& over, stream const& on) {
    softmax_into(out, a, over, options{.on = on});
}

template <detail::writable Out, viewable A>
void log_softmax_into(Out&& out, A const& a, axes const& over, stream const& on) {
    log_softmax_into(out, a, over, options{.on = on});
}

template <detail::writable Out, viewable A>
void logsumexp_into(Out&& out, A const& a, axes const& over, stream const& on) {
    logsumexp_into(out, a, over, options{.on = on});
}

}  // namespace SOFTAX_ISA
}  // namespace softax
