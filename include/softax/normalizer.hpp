// normalizer: the running state of a softmax: push elements, merge two, finish.
//
// One idea carries the family: a maximum and the rest of the sum of exp(x - maximum) (Milakov and Gimelshein 2018, "Online
// normalizer calculation for softmax"). A row that arrives in pieces, does not fit in memory or lies on several machines is
// pushed piece by piece; then each piece is finished with what is known of all.
#pragma once

#include <span>
#include <vector>

#include "detail/normalizer_groups.hpp"

namespace softax {

/// What is known of the exponentials of a group of logits: enough to finish their softmax, log_softmax or logsumexp.
///
///     normalizer<float> n;
///     for (piece : row) n.push(piece);                        // the first pass
///     for (piece : row) n.softmax_into(piece, piece);         // the second
///
/// T       float or double: the type of the elements, and that in which they are computed.
/// memory  24 bytes for float, 40 for double, trivially copyable; the layout depends on no compiler flag.
/// scale   exp is taken of scale * x, the product not being rounded; it must not overflow.
/// special A group that holds NaN or +inf, or only -inf, is NaN; -inf beside a finite element gives exactly 0; a group
///         without elements has the logsumexp -inf. An extra logit of every group (0, an attention sink) is pushed once.
/// bits    Merging is commutative to the bit, and the empty normalizer changes none. How a row was cut may show in the last
///         bit, but hardly does: in 0 of 1,000,000 results (tests/normalizer.cpp), where the scale is a power of two.
/// error   as for the whole row at once, however it was cut and merged: softmax at most 4 ULP, log_softmax 2.5, logsumexp
///         1 ULP of max(abs(m), abs(result), 1). For float the maximum may move 2^26 times before that is in doubt.
template <class T>
class normalizer {
    static_assert(std::same_as<T, float> || std::same_as<T, double>,
                  "softax: a normalizer computes in float or double; half types use normalizer<float>");

public:
    // The members are inlined always: each calls what was compiled for the flags of its own unit.

    /// Of no elements: what changes nothing when it is merged.
    normalizer() noexcept = default;

    /// Of the elements of a row.
    EIGEN_ALWAYS_INLINE explicit normalizer(std::span<T const> x, double scale = 1) noexcept { push(x, scale); }

    /// One more element, in 80 ns for float and 190 ns for double: 200 times the cost of an element that comes in a row.
    EIGEN_ALWAYS_INLINE void push(T x) noexcept {
        state_ = detail::merged(state_, detail::state_of<T>({static_cast<double>(x), 0}, 1));
    }

    /// The elements of a row, or of a piece of one, as scale * x. Cost: as logsumexp().
    EIGEN_ALWAYS_INLINE void push(std::span<T const> x, double scale = 1) noexcept {
        state_ = detail::with_row(state_, x.data(), static_cast<index_t>(x.size()), scale);
    }

    /// The elements of another. The order of the two changes no bit; three in another order agree within the error.
    EIGEN_ALWAYS_INLINE void merge(normalizer const& other) noexcept { state_ = detail::merged(state_, other.state_); }
    friend EIGEN_ALWAYS_INLINE normalizer merged(normalizer a, normalizer const& b) noexcept {
        a.merge(b);
        return a;
    }

    /// Whether nothing was pushed.
    bool empty() const noexcept { return state_.count == 0; }

    /// m, -inf if empty; NaN if the group holds NaN or +inf.
    EIGEN_ALWAYS_INLINE T maximum() const noexcept { return static_cast<T>(detail::wide::of(state_.max).hi); }

    /// sum of exp(x - m), 0 if empty.
    EIGEN_ALWAYS_INLINE T sum() const noexcept { return detail::sum_of(state_); }

    /// m + log(sum of exp(x - m)).
    EIGEN_ALWAYS_INLINE T logsumexp() const noexcept { return detail::logsumexp_of(state_); }

    /// x - m - log(sum of exp(x - m)) of one element that was pushed with that scale.
    EIGEN_ALWAYS_INLINE T log_softmax(T x, double scale = 1) const noexcept {
        return detail::log_softmax_of(state_, detail::scaled(x, scale));
    }

    /// exp(x - m) / sum of exp(x - m) of some of the elements that were pushed with that scale. out may be x.
    /// throws std::invalid_argument if out has another size or overlaps x in part. Cost: one pass, at the speed of softmax.
    EIGEN_ALWAYS_INLINE void softmax_into(std::span<T> out, std::span<T const> x, double scale = 1) const {
        detail::finish_into<detail::form::softmax>(state_, out, x, scale);
    }

    /// x - m - log(sum of exp(x - m)) of some of the elements; as softmax_into().
    EIGEN_ALWAYS_INLINE void log_softmax_into(std::span<T> out, std::span<T const> x, double scale = 1) const {
        detail::finish_into<detail::form::log_softmax>(state_, out, x, scale);
    }

    /// What softmax under `from` is to be multiplied by to become softmax under `to`, which holds all of `from` and more:
    /// exp(logsumexp of from - logsumexp of to); 0 if from is empty. It keeps the output of tiled attention right:
    ///
    ///     before = n;  n.push(scores);  n.softmax_into(scores, scores);
    ///     output = rescale(before, n) * output + scores * values;
    friend EIGEN_ALWAYS_INLINE T rescale(normalizer const& from, normalizer const& to) noexcept {
        return detail::rescale_of(from.state_, to.state_);
    }

    /// What the kernels work on.
    detail::normalizer_state<T>& state() noexcept { return state_; }
    detail::normalizer_state<T> const& state() const noexcept { return state_; }

private:
    detail::normalizer_state<T> state_;
};

namespace detail {

/// A scale, and no braces.
template <class Scale>
concept number = std::is_arithmetic_v<Scale>;

}  // namespace detail

/// A normalizer for each group of an array.
template <class T>
class normalizer_array {
public:
    /// Of no elements. shape is that of logsumexp: the reduced axes are left out.
    explicit normalizer_array(index_list const& shape)
        : shape_(shape), groups_(static_cast<std::size_t>(detail::size_of(shape))) {}

    index_list const& shape() const noexcept { return shape_; }
    index_t size() const noexcept { return static_cast<index_t>(groups_.size()); }
    normalizer<T>* data() noexcept { return groups_.data(); }
    normalizer<T> const* data() const noexcept { return groups_.data(); }
    normalizer<T>* begin() noexcept { return data(); }
    normalizer<T>* end() noexcept { return data() + size(); }
    normalizer<T> const* begin() const noexcept { return data(); }
    normalizer<T> const* end() const noexcept { return data() + size(); }

    /// The elements of a that the mask of the options leaves, as scale * a: more of every group; and once a call the extra logit.
    /// a has any strides and an element type of which normalizers() gives this one. On a stream, groups and pieces of long ones
    /// are shared out; the bits are the same on any number of threads. Cost: as logsumexp(). throws as softmax(), and
    /// std::invalid_argument if the kept axes of a have another shape.
    template <viewable A>
    EIGEN_ALWAYS_INLINE void push(A const& a, axes const& over = all_axes, options const& o = detail::no_options) {
        detail::push_groups(*this, detail::reading(a), over, o);
    }
    template <viewable A, detail::number Scale>
    EIGEN_ALWAYS_INLINE void push(A const& a, axes const& over, Scale scale) {
        push(a, over, options{.scale = static_cast<double>(scale)});
    }

    /// Group by group. throws std::invalid_argument if the shapes differ.
    EIGEN_ALWAYS_INLINE void merge(normalizer_array const& other) {
        if (shape_ != other.shape_) detail::fail_shapes_differ("a normalizer_array", other.shape_, shape_);
        detail::merge_groups(data(), 0, size(), [&](index_t i) { return other.data()[i].state(); });
    }

    /// logsumexp of every group.
    EIGEN_ALWAYS_INLINE array<T> logsumexp() const {
        auto result = array<T>::uninitialized(shape_);
        for (index_t i = 0; i < size(); ++i) result.data()[i] = data()[i].logsumexp();
        return result;
    }

    /// softmax of a, which holds some of the elements that were pushed, into out; as softax::softmax_into(). Give it the options
    /// of the push, and of the mask the part for a: what that leaves out is exactly 0, also where nothing was pushed. An extra
    /// logit has been pushed and is not looked at. throws also if the kept axes of a have another shape.
    template <detail::writable Out, viewable A>
    EIGEN_ALWAYS_INLINE void softmax_into(Out&& out, A const& a, axes const& over = all_axes,
                                          options const& o = detail::no_options) const {
        detail::finish_groups<detail::form::softmax>(*this, detail::writing(out), detail::reading(a), over, o);
    }
    template <detail::writable Out, viewable A, detail::number Scale>
    EIGEN_ALWAYS_INLINE void softmax_into(Out&& out, A const& a, axes const& over, Scale scale) const {
        softmax_into(out, a, over, options{.scale = static_cast<double>(scale)});
    }

    /// log_softmax of a into out, -inf where the mask leaves an element out; as softmax_into().
    template <detail::writable Out, viewable A>
    EIGEN_ALWAYS_INLINE void log_softmax_into(Out&& out, A const& a, axes const& over = all_axes,
                                              options const& o = detail::no_options) const {
        detail::finish_groups<detail::form::log_softmax>(*this, detail::writing(out), detail::reading(a), over, o);
    }
    template <detail::writable Out, viewable A, detail::number Scale>
    EIGEN_ALWAYS_INLINE void log_softmax_into(Out&& out, A const& a, axes const& over, Scale scale) const {
        log_softmax_into(out, a, over, options{.scale = static_cast<double>(scale)});
    }

private:
    index_list shape_;
    std::vector<normalizer<T>> groups_;
};

/// The normalizers of the groups of a over axes, with the options of softmax() but keepdims: normalizers(a, -1).data()[i] is that
/// of row i.
///
/// a       as for softmax(). Half types, bool and integers of 8 and 16 bits give normalizer<float>; longer integers, of which
///         float does not hold the maximum, normalizer<double>, and results in float all the same.
/// special A group of which the mask leaves nothing, and that has no extra logit, is that of no elements: its logsumexp is -inf.
template <viewable A>
EIGEN_ALWAYS_INLINE auto normalizers(A const& a, axes const& over = all_axes, options const& o = detail::no_options) {
    auto const from = detail::reading(a);
    normalizer_array<detail::normalizer_type<element_of<A const>>> result(
        detail::reduced_shape(from.shape(), over.canonical(from.rank()), false));
    result.push(from, over, o);
    return result;
}
template <viewable A, detail::number Scale>
EIGEN_ALWAYS_INLINE auto normalizers(A const& a, axes const& over, Scale scale) {
    return normalizers(a, over, options{.scale = static_cast<double>(scale)});
}

}  // namespace softax
