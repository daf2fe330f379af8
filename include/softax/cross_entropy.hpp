// Cross entropy of logits and the numbers of the right classes, alone or with its gradient.
#pragma once

#include "gradient.hpp"

namespace softax {

/// What becomes of the losses: an array of all, their mean over those that are not ignored, or their sum.
enum class reduction { none, mean, sum };

/// cross_entropy(logits, targets, -1, {.label_smoothing = 0.1, .ignored = -100}).
struct cross_entropy_options {
    /// How much of the target is spread over all classes: 1 - label_smoothing + label_smoothing / classes for the right one,
    /// label_smoothing / classes for the others. In [0, 1].
    double label_smoothing = 0;

    /// Targets of this number have the loss 0 and the gradient 0, and do not count in the mean. It need not be a class.
    std::optional<index_t> ignored = std::nullopt;

    softax::reduction reduction = softax::reduction::mean;

    double scale = 1;  // the loss is that of scale * logits

    /// Which classes take part, broadcast against the logits; see options. The share of label_smoothing is spread over them alone.
    std::optional<view<bool const>> where = std::nullopt;

    std::optional<stream> on = std::nullopt;
};

namespace detail {

[[noreturn]] inline void fail_target(std::string const& target, index_t place, index_t classes) {
    throw std::out_of_range("softax: target " + target + ", number " + std::to_string(place) +
                            " in row-major order, is out of range for " + std::to_string(classes) + " classes");
}

[[noreturn]] inline void fail_label_smoothing(double smoothing) {
    throw std::invalid_argument("softax: label_smoothing is " + std::to_string(smoothing) + ", it must be in [0, 1]");
}

/// What a call of cross entropy has checked.
struct classes_and_targets {
    index_list reduced;  // the axis of the classes
    index_t classes, groups;
    index_t const* of = nullptr;  // the target of each group, in row-major order; below 0 where it is ignored
    index_t counted = 0;          // those that are not ignored
    checked_options said;

    template <class L, std::integral I>
    classes_and_targets(view<L const> const& logits, view<I const> const& targets, index_t axis,
                        cross_entropy_options const& o)
        : reduced(axes(axis).canonical(logits.rank())),
          classes(logits.shape()[reduced[0]]),
          groups(targets.size()),
          said({.scale = o.scale, .where = o.where}, logits.shape()) {
        check_same_shape("targets", targets, reduced_shape(logits.shape(), reduced, false));
        if (!(o.label_smoothing >= 0 && o.label_smoothing <= 1)) fail_label_smoothing(o.label_smoothing);
        bool const may_be_ignored = o.ignored && std::in_range<decltype(+I())>(*o.ignored);
        // Targets that are as kernels want them stay where they are.
        if constexpr (std::same_as<I, index_t>) {
            if (targets.is_row_major() && !(may_be_ignored && *o.ignored >= 0)) of = targets.data();
        }
        if (of == nullptr) {
            copy_ = buffer<index_t>(groups);
            copy_row_major(copy_.data(), targets.data(), {targets.shape(), targets.strides()});
            of = copy_.data();
        }
        for (index_t j = 0; j < groups; ++j) {
            bool const is_ignored = may_be_ignored && of[j] == *o.ignored;
            if (!is_ignored && (of[j] < 0 || of[j] >= classes))
                fail_target(std::to_string(static_cast<I>(of[j])), j, classes);
            counted += !is_ignored;
            if (is_ignored && of == copy_.data()) copy_.data()[j] = -1;
        }
    }

private:
    buffer<index_t> copy_;
};

inline namespace SOFTAX_ISA {

/// The loss of every group and, where gradient is not null, the gradient of their reduction into row-major memory.
template <class L>
buffer<double> class_losses(view<L const> const& logits, L* gradient, classes_and_targets const& targets,
                            cross_entropy_options const& o) {
    buffer<double> losses(targets.groups);
    if (logits.empty()) return std::fill_n(losses.data(), losses.size(), 0.0), std::move(losses);
    double const spread = o.where ? 0 : o.label_smoothing / static_cast<double>(targets.classes);
    double const weight = o.reduction == reduction::mean ? o.scale / static_cast<double>(targets.counted) : o.scale;
    index_list const strides = row_major_strides(logits.shape());
    auto const& mask = targets.said.where;
    class_call<L> c = {
        nullptr,
        gradient,
        targets.classes,
        partition_of(logits.shape(), targets.reduced, {strides, strides, mask ? &mask->strides() : nullptr}),
        targets.of,
        losses.data(),
        o.scale,
        {o.label_smoothing, spread, weight},
        mask ? mask->data() : nullptr};
    run_on(o.on, [&](team* on) {
        row_major_elements<L> const x(logits);
        c.x = x.data();
        in_parts(targets.groups, logits.size(), on,
                 [&](index_t first, index_t end, team*) { apply_classes(c, first, end); });
    });
    return losses;
}

/// The reduced losses into out, which has been checked; the gradient where it is not null.
template <class L>
void cross_entropy_of(view<L> const& out, L* gradient, view<L const> const& logits, classes_and_targets const& targets,
                      cross_entropy_options const& o) {
    auto const losses = class_losses(logits, gradient, targets, o);
    if (o.reduction == reduction::none) {
        return copy(out.data(), losses.data(), tandem{out.shape(), out.strides(), row_major_strides(out.shape())});
    }
    double const total = total_of(losses.data(), losses.size());
    *out.data() = static_cast<L>(o.reduction == reduction::mean ? total / static_cast<double>(targets.counted) : total);
}

inline index_list loss_shape(classes_and_targets const& targets, index_list const& shape,
                             cross_entropy_options const& o) {
    return o.reduction == reduction::none ? reduced_shape(shape, targets.reduced, false) : index_list();
}

/// out can take what has a shape, and is not among the targets or the mask.
template <class L, class I>
void check_result(view<L> const& out, index_list const& shape, view<L const> const& logits,
                  view<I const> const& targets, cross_entropy_options const& o) {
    check_out(out, shape, logits);
    check_mask_apart(out, o);
    if (shares_memory(targets, out)) fail_overlap();
}

}  // namespace SOFTAX_ISA
}  // namespace detail

inline namespace SOFTAX_ISA {

/// -log_softmax(scale logits, axis)[target] for each target; with label smoothing e in a share of 1 - e, the mean of
/// -log_softmax over all classes that a mask leaves having the rest. Then their mean, their sum, or all of them.
///
/// logits  array or view of any strides, of float, double, half or bfloat16; axis is that of the classes.
/// targets integers of any type, in the shape of the logits without that axis.
/// returns the loss, rank 0; for reduction::none all losses, in the shape of the targets. In the type of the logits.
/// throws  std::out_of_range for a bad axis and for a target that is neither a class nor the ignored number;
///         std::invalid_argument for other shapes and options that make no sense.
/// special A group that holds NaN or +inf, or only -inf, has the loss NaN; a target at -inf has +inf, and so has one that the mask
///         leaves out. The mean over no target is NaN.
/// error   of each loss at most 2.5 ULP without label smoothing, the confident class included; sums are those of double.
/// cost    two passes over the logits, the second from cache where some groups fit, and 8 bytes of memory for each loss; logits and
///         targets are copied if they are not row-major, and targets unless they are index_t. A mask costs a tenth to a quarter more.
template <viewable A, viewable I>
array<element_of<A const>> cross_entropy(A const& logits, I const& targets, index_t axis = -1,
                                         cross_entropy_options const& o = {}) {
    using L = element_of<A const>;
    static_assert(detail::differentiable<L>, "softax: logits must be float, double, half or bfloat16");
    auto const x = detail::reading(logits);
    detail::classes_and_targets const checked(x, detail::reading(targets), axis, o);
    auto loss = array<L>::uninitialized(detail::loss_shape(checked, x.shape(), o));
    detail::cross_entropy_of(view(loss), static_cast<L*>(nullptr), x, checked, o);
    return loss;
}

/// cross_entropy(logits, targets, axis, options), with its gradient with respect to the logits written into gradient in the
/// same visit: scale (softmax - target) / count for the mean, each loss having its own gradient for reduction::none.
///
/// gradient has the shape and type of the logits and any strides; it may be the logits themselves, else memory apart from them.
/// throws  as cross_entropy(), and std::invalid_argument for a gradient that does not fit; then nothing has been written.
/// error   of the gradient at most 6 epsilon of softmax / count; that of a right class keeps its digits next to 0.
/// cost    that of cross_entropy(), and for 48 classes or more a pass that takes one more exponential.
template <detail::writable Out, viewable A, viewable I>
array<element_of<A const>> cross_entropy_with_gradient_into(Out&& gradient, A const& logits, I const& targets,
                                                            index_t axis = -1, cross_entropy_options const& o = {}) {
    using L = element_of<A const>;
    static_assert(detail::differentiable<L>, "softax: logits must be float, double, half or bfloat16");
    auto const x = detail::reading(logits);
    view<L> const out(gradient);
    detail::classes_and_targets const checked(x, detail::reading(targets), axis, o);
    detail::check_result(out, x.shape(), x, detail::reading(targets), o);
    auto loss = array<L>::uninitialized(detail::loss_shape(checked, x.shape(), o));
    detail::write_row_major(out, [&](L* g) { detail::cross_entropy_of(view(loss), g, x, checked, o); });
    return loss;
}

/// cross_entropy(logits, targets, axis, options) into out, an array or a view of any strides with the shape and type of the loss,
/// apart from logits and targets.
/// throws  as cross_entropy(), and std::invalid_argument for an out that does not fit; then nothing has been written.
template <detail::writable Out, viewable A, viewable I>
void cross_entropy_into(Out&& out, A const& logits, I const& targets, index_t axis = -1,
                        cross_entropy_options const& o = {}) {
    using L = element_of<A const>;
    static_assert(detail::differentiable<L>, "softax: logits must be float, double, half or bfloat16");
    auto const x = detail::reading(logits);
    view<L> const loss(out);
    detail::classes_and_targets const checked(x, detail::reading(targets), axis, o);
    detail::check_result(loss, detail::loss_shape(checked, x.shape(), o), x, detail::reading(targets), o);
    detail::cross_entropy_of(loss, static_cast<L*>(nullptr), x, checked, o);
}

/// Where both results of cross entropy go: loss_and_gradient<float>{loss, gradient}.
template <class L>
struct loss_and_gradient {
    view<L> loss, gradient;
};

/// cross_entropy_into() and cross_entropy_with_gradient_into() in the same visit. The gradient may be the logits themselves; else all
/// memories are apart.
/// throws  as these, and std::invalid_argument if loss and gradient overlap; then nothing has been written.
template <class L, viewable A, viewable I>
void cross_entropy_into(loss_and_gradient<L> const& out, A const& logits, I const& targets, index_t axis = -1,
                        cross_entropy_options const& o = {}) {
    static_assert(detail::differentiable<L>, "softax: logits must be float, double, half or bfloat16");
    view<L const> const x = detail::reading(logits);
    detail::classes_and_targets const checked(x, detail::reading(targets), axis, o);
    detail::check_result(out.loss, detail::loss_shape(checked, x.shape(), o), x, detail::reading(targets), o);
    detail::check_result(out.gradient, x.shape(), x, detail::reading(targets), o);
    if (detail::shares_memory(view<L const>(out.loss), out.gradient)) detail::fail_overlap();
    detail::write_row_major(out.gradient, [&](L* g) { detail::cross_entropy_of(out.loss, g, x, checked, o); });
}

// The same on a stream, or on the default stream of a device.

template <viewable A, viewable I>
auto cross_entropy(A const& logits, I const& targets, index_t axis, stream const& on) {
    return cross_entropy(logits, targets, axis, cross_entropy_options{.on = on});
}

template <detail::writable Out, viewable A, viewable I>
auto cross_entropy_with_gradient_into(Out&& gradient, A const& logits, I const& targets, index_t axis,
                                      stream const& on) {
    return cross_entropy_with_gradient_into(gradient, logits, targets, axis, cross_entropy_options{.on = on});
}

template <detail::writable Out, viewable A, viewable I>
void cross_entropy_into(Out&& out, A const& logits, I const& targets, index_t axis, stream const& on) {
    cross_entropy_into(out, logits, targets, axis, cross_entropy_options{.on = on});
}

template <class L, viewable A, viewable I>
void cross_entropy_into(loss_and_gradient<L> const& out, A const& logits, I const& targets, index_t axis,
                        stream const& on) {
    cross_entropy_into(out, logits, targets, axis, cross_entropy_options{.on = on});
}

}  // namespace SOFTAX_ISA
}  // namespace softax
