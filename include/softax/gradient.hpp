// The derivatives of the family: vector-Jacobian products (vjp: what a gradient becomes on its way back) and Jacobian-vector
// products (jvp: what a direction becomes on its way forward).
//
// softmax and log_softmax are differentiated at their result y, which the forward pass has; logsumexp at its input a.
#pragma once

#include "detail/gradient_door.hpp"

namespace softax {

inline namespace SOFTAX_ISA {

/// scale y (g - sum(g y)) over axes: the gradient of <g, softmax(a, axes, options)> with respect to a, y being that softmax.
///
/// y, g    arrays or views of any strides and of one shape and one type: float, double, half or bfloat16.
/// axes    and options: those of the softmax; y depends on .extra, the formula does not.
/// returns a new row-major array of the shape and type of y; computed in float for the half types.
/// throws  as softmax(), and std::invalid_argument if the shapes differ.
/// special What a mask leaves out gives exactly 0 and takes no part, even NaN or inf in g; else NaN or inf in a group makes it
///         NaN. A group has the same bits wherever it lies and however many threads there are.
/// error   of the sum at most 12 epsilon sum(abs(g y)), whatever the length; of what follows 1.5 epsilon.
/// cost    two passes over y and g, the second from cache where a group fits; operands that are not row-major are copied.
template <viewable Y, viewable G>
array<element_of<Y const>> softmax_vjp(Y const& y, G const& g, axes const& over = all_axes,
                                       options const& o = detail::no_options) {
    return detail::derived<detail::rule::softmax>(detail::reading(y), detail::reading(g), over, o);
}

/// scale y (t - sum(t y)) over axes: how softmax(a, axes, options), which is y, changes along t. The Jacobian is symmetric, so
/// this is softmax_vjp().
template <viewable Y, viewable G>
array<element_of<Y const>> softmax_jvp(Y const& y, G const& t, axes const& over = all_axes,
                                       options const& o = detail::no_options) {
    return softmax_vjp(y, t, over, o);
}

/// scale (g - exp(y) sum(g)) over axes: the gradient of <g, log_softmax(a, axes, options)> with respect to a, y being that
/// log_softmax. As softmax_vjp(); error of the sum at most 12 epsilon sum(abs(g)).
template <viewable Y, viewable G>
array<element_of<Y const>> log_softmax_vjp(Y const& y, G const& g, axes const& over = all_axes,
                                           options const& o = detail::no_options) {
    return detail::derived<detail::rule::log_softmax_vjp>(detail::reading(y), detail::reading(g), over, o);
}

/// scale (t - sum(exp(y) t)) over axes: how log_softmax(a, axes, options), which is y, changes along t. As softmax_vjp();
/// error of the sum at most 13 epsilon sum(abs(exp(y) t)).
template <viewable Y, viewable G>
array<element_of<Y const>> log_softmax_jvp(Y const& y, G const& t, axes const& over = all_axes,
                                           options const& o = detail::no_options) {
    return detail::derived<detail::rule::log_softmax_jvp>(detail::reading(y), detail::reading(t), over, o);
}

/// scale g softmax(a, axes, options): the gradient of <g, logsumexp(a, axes, options)> with respect to a.
///
/// a       array or view of any strides and any element type.
/// g       of the shape of logsumexp(a, axes, options) and the type of the result.
/// returns a new row-major array of the shape of a; the element type of a, float for bool and integers.
/// throws  as softmax(), and std::invalid_argument if g has another shape.
/// special As softmax(), but a group of only -inf gives 0; what a mask leaves out gives exactly 0 whatever g holds.
/// error   that of softmax() and 1 epsilon.
/// cost    softmax() and one pass more, in cache.
template <viewable A, viewable G>
array<result_type<element_of<A const>>> logsumexp_vjp(A const& a, G const& g, axes const& over = all_axes,
                                                      options const& o = detail::no_options) {
    auto const in = detail::reading(a);
    over.canonical(in.rank());
    auto result = array<result_type<element_of<A const>>>::uninitialized(in.shape());
    detail::logsumexp_vjp_into(view(result), in, detail::reading(g), over, o);
    return result;
}

/// scale sum(softmax(a, axes, options) t) over axes: how logsumexp(a, axes, options) changes along t, which has the shape of a.
///
/// returns a new array of the shape of logsumexp(a, axes, options). As logsumexp_vjp(); a group without elements gives 0; error
///         at most 14 epsilon sum(abs(softmax t)).
template <viewable A, viewable G>
array<result_type<element_of<A const>>> logsumexp_jvp(A const& a, G const& t, axes const& over = all_axes,
                                                      options const& o = detail::no_options) {
    auto const in = detail::reading(a);
    auto result = array<result_type<element_of<A const>>>::uninitialized(
        detail::reduced_shape(in.shape(), over.canonical(in.rank()), o.keepdims));
    detail::logsumexp_jvp_into(view(result), in, detail::reading(t), over, o);
    return result;
}

/// softmax_vjp(y, g, axes, options) into out, an array or a view of any strides with the shape of y. out may be y or g itself,
/// or else memory apart from both; on one thread nothing is allocated for row-major float and double without a mask.
/// throws  as softmax_vjp(), and std::invalid_argument if out has another shape, overlaps y or g in part, or overlaps itself or
///         the mask; then nothing has been written.
template <detail::writable Out, viewable Y, viewable G>
void softmax_vjp_into(Out&& out, Y const& y, G const& g, axes const& over = all_axes,
                      options const& o = detail::no_options) {
    detail::derive_into<detail::rule::softmax>(detail::writing(out), detail::reading(y), detail::reading(g), over, o);
}

/// softmax_jvp(y, t, axes, options) into out; as softmax_vjp_into().
template <detail::writable Out, viewable Y, viewable G>
void softmax_jvp_into(Out&& out, Y const& y, G const& t, axes const& over = all_axes,
                      options const& o = detail::no_options) {
    softmax_vjp_into(out, y, t, over, o);
}

/// log_softmax_vjp(y, g, axes, options) into out; as softmax_vjp_into().
template <detail::writable Out, viewable Y, viewable G>
void log_softmax_vjp_into(Out&& out, Y const& y, G const& g, axes const& over = all_axes,
                          options const& o = detail::no_options) {
    detail::derive_into<detail::rule::log_softmax_vjp>(detail::writing(out), detail::reading(y), detail::reading(g),
                                                       over, o);
}

/// log_softmax_jvp(y, t, axes, options) into out; as softmax_vjp_into().
template <detail::writable Out, viewable Y, viewable G>
void log_softmax_jvp_into(Out&& out, Y const& y, G const& t, axes const& over = all_axes,
                          options const& o = detail::no_options) {
    detail::derive_into<detail::rule::log_softmax_jvp>(detail::writing(out), detail::reading(y), detail::reading(t),
                                                       over, o);
}

/// logsumexp_vjp(a, g, axes, options) into out, which has the shape of a and may be a itself; memory of a slab of a is allocated.
template <detail::writable Out, viewable A, viewable G>
void logsumexp_vjp_into(Out&& out, A const& a, G const& g, axes const& over = all_axes,
                        options const& o = detail::no_options) {
    detail::logsumexp_vjp_into(detail::writing(out), detail::reading(a), detail::reading(g), over, o);
}

/// logsumexp_jvp(a, t, axes, options) into out, whose shape is that of the result.
template <detail::writable Out, viewable A, viewable G>
void logsumexp_jvp_into(Out&& out, A const& a, G const& t, axes const& over = all_axes,
                        options const& o = detail::no_options) {
    detail::logsumexp_jvp_into(detail::writing(out), detail::reading(a), detail::reading(t), over, o);
}

// The same on a stream, or on the default stream of a device.

template <viewable Y, viewable G>
auto softmax_vjp(Y const& y, G const& g, axes const& over, stream const& on) {
    return softmax_vjp(y, g, over, options{.on = on});
}

template <viewable Y, viewable G>
auto softmax_jvp(Y const& y, G const& t, axes const& over, stream const& on) {
    return softmax_jvp(y, t, over, options{.on = on});
}

template <viewable Y, viewable G>
auto log_softmax_vjp(Y const& y, G const& g, axes const& over, stream const& on) {
    return log_softmax_vjp(y, g, over, options{.on = on});
}

template <viewable Y, viewable G>
auto log_softmax_jvp(Y const& y, G const& t, axes const& over, stream const& on) {
    return log_softmax_jvp(y, t, over, options{.on = on});
}

template <viewable A, viewable G>
auto logsumexp_vjp(A const& a, G const& g, axes const& over, stream const& on) {
    return logsumexp_vjp(a, g, over, options{.on = on});
}

template <viewable A, viewable G>
auto logsumexp_jvp(A const& a, G const& t, axes const& over, stream const& on) {
    return logsumexp_jvp(a, t, over, options{.on = on});
}

template <detail::writable Out, viewable Y, viewable G>
void softmax_vjp_into(Out&& out, Y const& y, G const& g, axes const& over, stream const& on) {
    softmax_vjp_into(out, y, g, over, options{.on = on});
}

template <detail::writable Out, viewable Y, viewable G>
void softmax_jvp_into(Out&& out, Y const& y, G const& t, axes const& over, stream const& on) {
    softmax_jvp_into(out, y, t, over, options{.on = on});
}

template <detail::writable Out, viewable Y, viewable G>
void log_softmax_vjp_into(Out&& out, Y const& y, G const& g, axes const& over, stream const& on) {
    log_softmax_vjp_into(out, y, g, over, options{.on = on});
}

template <detail::writable Out, viewable Y, viewable G>
void log_softmax_jvp_into(Out&& out, Y const& y, G const& t, axes const& over, stream const& on) {
    log_softmax_jvp_into(out, y, t, over, options{.on = on});
}

template <detail::writable Out, viewable A, viewable G>
void logsumexp_vjp_into(Out&& out, A const& a, G const& g, axes const& over, stream const& on) {
    logsumexp_vjp_into(out, a, g, over, options{.on = on});
}

template <detail::writable Out, viewable A, viewable G>
void logsumexp_jvp_into(Out&& out, A const& a, G const& t, axes const& over, stream const& on) {
    logsumexp_jvp_into(out, a, t, over, options{.on = on});
}

}  // namespace SOFTAX_ISA
}  // namespace softax
