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
    static constexpr index_t ignored = -1;

    index_list reduced;  // the axis of the classes
    index_t classes;
    std::vector<index_t> of;  // the target of each group, in row-major order
    index_t counted = 0;      // those that are not ignored

    template <class L, std::integral I>
    classes_and_targets(view<L const> const& logits, view<I const> const& targets, index_t axis,
                        cross_entropy_options const& o)
        : reduced(axes(axis).canonical(logits.rank())), classes(logits.shape()[reduced[0]]) {
        check_same_shape("targets", targets, reduced_shape(logits.shape(), reduced, false));
        if (!std::isfinite(o.scale)) fail_scale(o.scale);
        if (!(o.label_smoothing >= 0 && o.label_smoothing <= 1)) fail_label_smoothing(o.label_smoothing);
        of.reserve(static_cast<std::size_t>(targets.size()));
        for_each_offset({targets.shape(), targets.strides(), targets.strides()}, [&](index_t place, index_t) {
            I const target = targets.data()[place];
            bool const is_ignored = o.ignored && std::cmp_equal(+target, *o.ignored);
            bool const is_class = std::cmp_greater_equal(+target, 0) && std::cmp_less(+target, classes);
            if (!is_ignored && !is_class) {
                fail_target(std::to_string(target), static_cast<index_t>(of.size()), classes);
            }
            of.push_back(is_ignored ? ignored : static_cast<index_t>(target));
            counted += !is_ignored;
        });
    }
};

inline namespace SOFTAX_ISA {

/// The losses of all groups and, where gradient is not null, the gradient of their reduction into row-major memory.
template <class L>
class cross_entropy_work {
    using T = compute_type<L>;

public:
    cross_entropy_work(view<L const> const& logits, L* gradient, classes_and_targets const& targets,
                       cross_entropy_options const& o)
        : losses_(targets.of.size()),
          weights_(gradient ? targets.of.size() : 0),
          logits_(logits),
          gradient_(gradient),
          targets_(targets),
          smoothing_(o.label_smoothing),
          spread_(o.label_smoothing / static_cast<double>(targets.classes)) {
        said_.scale = o.scale;
        double const each = o.reduction == reduction::mean ? o.scale / static_cast<double>(targets.counted) : o.scale;
        for (std::size_t k = 0; k < weights_.size(); ++k) {
            weights_[k] = static_cast<T>(targets.of[k] == targets.ignored ? 0 : each);
        }
    }

    void operator()(team* on) {
        if (logits_.empty()) return;
        slabs const all(logits_.shape(), targets_.reduced);
        in_parts(all.count(), logits_.size(), on, [&](index_t first, index_t last, team* help) {
            T* const place = place_in<T>(gradient_, logits_.data());
            buffer<T> scratch(place ? 0 : all.largest());
            for (index_t k = first; k < last; ++k) {
                slab const s = all[k];
                run(s, place ? place + s.first_element : scratch.data(), help);
            }
        });
    }

    std::vector<double> const& losses() const noexcept { return losses_; }

private:
    void run(slab const& s, T* y, team* on) {
        checked_options const own(said_, s.shape);
        apply<form::log_softmax>(view<T>(y, s.shape), s.of(logits_.data(), logits_.strides()), s.reduced, own, on);
        index_t inner = 1;
        for (index_t axis = s.reduced[0] + 1; axis < s.shape.size(); ++axis) inner *= s.shape[axis];
        index_t const groups = size_of(s.shape) / targets_.classes;
        std::vector<T> totals(smoothing_ > 0 ? static_cast<std::size_t>(groups) : 0);
        if (smoothing_ > 0) {
            gradient_call<T, T, T> const c = {y, y, y, totals.data()};
            apply_rule<rule::total>(c, s.shape, s.reduced, own.where, on);
        }
        // What the losses need of y is taken before the gradient, which may come to the same memory.
        std::vector<T> right(static_cast<std::size_t>(groups));
        for (index_t k = 0; k < groups; ++k) {
            auto const at = static_cast<std::size_t>(k);
            index_t const target = targets_.of[static_cast<std::size_t>(s.first_group + k)];
            if (target != targets_.ignored) right[at] = y[first_of(k, inner) + target * inner];
            take_loss(s.first_group + k, static_cast<double>(right[at]), smoothing_ > 0 ? totals[at] : T(0));
        }
        if (gradient_ == nullptr) return;
        L* const out = gradient_ + s.first_element;
        gradient_call<T, T, L> const c = {y, y, out, weights_.data() + s.first_group, 1, spread_};
        apply_rule<rule::cross_entropy>(c, s.shape, s.reduced, own.where, on);
        for (index_t k = 0; k < groups; ++k) {
            mend(out + first_of(k, inner), inner, s.first_group + k, right[static_cast<std::size_t>(k)]);
        }
    }

    index_t first_of(index_t k, index_t inner) const noexcept {
        return k / inner * targets_.classes * inner + k % inner;
    }

    /// The loss of one group from the log-probability of its target and the total of all of them.
    void take_loss(index_t group, double right, T total) noexcept {
        auto const k = static_cast<std::size_t>(group);
        double const rest = smoothing_ > 0 ? spread_ * static_cast<double>(total) : 0;
        losses_[k] = targets_.of[k] == targets_.ignored ? 0 : 0 - (1 - smoothing_) * right - rest;
    }

    /// The element of the gradient of one group that is its target's; all of them where the target is ignored.
    void mend(L* out, index_t stride, index_t group, T right) const noexcept {
        auto const k = static_cast<std::size_t>(group);
        index_t const target = targets_.of[k];
        if (target == targets_.ignored) {
            for (index_t i = 0; i < targets_.classes; ++i) out[i * stride] = static_cast<L>(T(0));
            return;
        }
        // Where the right class has nearly all of the probability, what is missing keeps its digits.
        double const less_one =
            right > T(-0.7) ? std::expm1(static_cast<double>(right)) : static_cast<double>(std::exp(right)) - 1;
        double const above = less_one + (smoothing_ - spread_);
        out[target * stride] = static_cast<L>(static_cast<T>(above * static_cast<double>(weights_[k])));
    }

    std::vector<double> losses_;
    std::vector<T> weights_;
    view<L const> logits_;
    L* gradient_;
    classes_and_targets const& targets_;
    double smoothing_, spread_;
    options said_;
};

/// The reduced losses into out, which has been checked; the gradient where it is not null.
template <class L>
void cross_entropy_of(view<L> const& out, L* gradient, view<L const> const& logits, classes_and_targets const& targets,
                      cross_entropy_options const& o) {
    cross_entropy_work<L> work(logits, gradient, targets, o);
    run_on(o.on, [&](team* on) { work(on); });
    if (o.reduction == reduction::none) {
        return copy(out.data(), work.losses().data(),
                    tandem{out.shape(), out.strides(), row_major_strides(out.shape())});
    }
    wide sum = {0, 0};
    for (double const loss : work.losses()) sum = sum + wide{loss, 0};
    double const total = sum.hi + sum.lo;
    *out.data() = static_cast<L>(o.reduction == reduction::mean ? total / static_cast<double>(targets.counted) : total);
}

template <class L>
array<L> loss_array(classes_and_targets const& targets, index_list const& shape, cross_entropy_options const& o) {
    return array<L>::uninitialized(o.reduction == reduction::none ? reduced_shape(shape, targets.reduced, false)
                                                                  : index_list());
}

}  // namespace SOFTAX_ISA
}  // namespace detail

inline namespace SOFTAX_ISA {

/// -log_softmax(scale logits, axis)[target] for each target; with label smoothing e in a share of 1 - e, the mean of
/// -log_softmax over all classes having the rest. Then their mean, their sum, or all of them.
///
/// logits  array or view of any strides, of float, double, half or bfloat16; axis is that of the classes.
/// targets integers of any type, in the shape of the logits without that axis.
/// returns the loss, rank 0; for reduction::none all losses, in the shape of the targets. In the type of the logits.
/// throws  std::out_of_range for a bad axis and for a target that is neither a class nor the ignored number;
///         std::invalid_argument for other shapes and options that make no sense.
/// special A group that holds NaN or +inf, or only -inf, has the loss NaN; a target at -inf has +inf. The mean over no target
///         is NaN.
/// error   of each loss at most 2.5 ULP without label smoothing, the confident class included; sums are those of double.
/// cost    that of log_softmax(); memory of a slab of the logits.
template <viewable A, viewable I>
array<element_of<A const>> cross_entropy(A const& logits, I const& targets, index_t axis = -1,
                                         cross_entropy_options const& o = {}) {
    using L = element_of<A const>;
    static_assert(detail::differentiable<L>, "softax: logits must be float, double, half or bfloat16");
    auto const x = detail::reading(logits);
    detail::classes_and_targets const checked(x, detail::reading(targets), axis, o);
    auto loss = detail::loss_array<L>(checked, x.shape(), o);
    detail::cross_entropy_of(view(loss), static_cast<L*>(nullptr), x, checked, o);
    return loss;
}

/// cross_entropy(logits, targets, axis, options), with its gradient with respect to the logits written into gradient in the
/// same visit: scale (softmax - target) / count for the mean, each loss having its own gradient for reduction::none.
///
/// gradient has the shape and type of the logits and any strides; it may be the logits themselves, else memory apart from them.
/// throws  as cross_entropy(), and std::invalid_argument for a gradient that does not fit; then nothing has been written.
/// error   of the gradient at most 6 epsilon of softmax / count; that of a right class keeps its digits next to 0.
/// cost    that of log_softmax() and of one more exponential.
template <detail::writable Out, viewable A, viewable I>
array<element_of<A const>> cross_entropy_with_gradient_into(Out&& gradient, A const& logits, I const& targets,
                                                            index_t axis = -1, cross_entropy_options const& o = {}) {
    using L = element_of<A const>;
    static_assert(detail::differentiable<L>, "softax: logits must be float, double, half or bfloat16");
    auto const x = detail::reading(logits);
    view<L> const out(gradient);
    detail::classes_and_targets const checked(x, detail::reading(targets), axis, o);
    detail::check_out(out, x.shape(), x);
    if (detail::shares_memory(detail::reading(targets), out)) detail::fail_overlap();
    auto loss = detail::loss_array<L>(checked, x.shape(), o);
    detail::write_row_major(out, [&](L* g) { detail::cross_entropy_of(view(loss), g, x, checked, o); });
    return loss;
}

}  // namespace SOFTAX_ISA
}  // namespace softax
