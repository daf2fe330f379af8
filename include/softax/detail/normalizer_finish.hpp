// normalizer_finish: what is made of a normalizer: the logarithm of its sum, and the softmax of elements of its group.
#pragma once

#include "normalizer_state.hpp"

namespace softax::detail {

/// The elements of at most so many groups, in runs or side by side in x and y, which may be one, and what is known of the groups.
template <class E, class T>
struct finish_block {
    E const* x;
    E* y;
    bool const* where;  // the mask, or null
    walked_axis group;
    walked_axes elements;
    bool are_runs;
    normalizer_state<T> const* states;
    double scale;
};

}  // namespace softax::detail

#define SOFTAX_TARGET_FILE "finish_kernels.hpp"
#include "targets.hpp"
#undef SOFTAX_TARGET_FILE

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// Sum of exp(x - max) over all elements.
template <class T>
wide total_of(normalizer_state<T> const& s) noexcept {
    return wide{s.count, 0} + scaled(wide::of(s.others), 1 / bias_power<T>);
}

/// log(total_of(s)).
template <class T>
wide log_total_of(normalizer_state<T> const& s) noexcept {
    using c = exp_constants<T>;
    wide const others = wide::of(s.others);
    // A pivot at the maximum itself, with k = 0.
    return log_of(log_terms<T>{T(0), T(0), c::magic + T(c::bias + c::exponent_bias), s.count, others},
                  request<T>::of(1, -std::numeric_limits<double>::infinity()));
}

template <class T>
bool is_nan(normalizer_state<T> const& s) noexcept {
    return !(std::abs(wide::of(s.max).hi) <= std::numeric_limits<double>::max());  // only -inf included
}

/// scale x, not rounded, the scale being rounded to T as the kernels do.
template <class T>
wide scaled(T x, double scale) noexcept {
    return two_product(static_cast<double>(x), static_cast<double>(static_cast<T>(scale)));
}

template <class T>
T logsumexp_of(normalizer_state<T> const& s) noexcept {
    if (s.count == 0) return -std::numeric_limits<T>::infinity();
    if (is_nan(s)) return std::numeric_limits<T>::quiet_NaN();
    wide const log = log_total_of(s), m = wide::of(s.max), sum = two_sum(m.hi, log.hi);
    return static_cast<T>(sum.hi + (sum.lo + (log.lo + m.lo)));
}

template <class T>
T sum_of(normalizer_state<T> const& s) noexcept {
    if (s.count == 0) return T(0);
    return is_nan(s) ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(total_of(s).hi);
}

/// log(exp(x) / total), x being one of the elements.
template <class T>
T log_softmax_of(normalizer_state<T> const& s, wide x) noexcept {
    if (is_nan(s)) return std::numeric_limits<T>::quiet_NaN();
    if (x.hi == -std::numeric_limits<double>::infinity()) return static_cast<T>(x.hi);
    wide const result = (x - wide::of(s.max)) - log_total_of(s);
    return static_cast<T>(result.hi + result.lo);
}

/// exp(from's logsumexp - to's).
template <class T>
T rescale_of(normalizer_state<T> const& from, normalizer_state<T> const& to) noexcept {
    if (from.count == 0) return T(0);
    if (is_nan(to) || wide::of(from.max).hi != wide::of(from.max).hi) return std::numeric_limits<T>::quiet_NaN();
    wide const part = total_of(from) * exp_of<T>(wide::of(from.max) - wide::of(to.max));
    return static_cast<T>(part.hi / total_of(to).hi / bias_power<T>);
}

/// The results of a block, in the instruction set in use.
template <form Form, class E, class T>
void finish(finish_block<E, T> const& b) noexcept {
#ifdef SOFTAX_HAS_REGIONS
    switch (chosen_instruction_set()) {
        case instruction_set::avx512:
            return avx512::run_finish<Form>(b);
        case instruction_set::avx2:
            return avx2::run_finish<Form>(b);
        case instruction_set::flags:
            break;
    }
#endif
    run_finish<Form>(b);
}

/// y[0, n) of x[0, n), of one group, given the whole of it and the mask, if there is one; y may be x.
template <form Form, class T>
void finish(T const* x, T* y, bool const* where, index_t n, normalizer_state<T> const& s, double scale) noexcept {
    finish_block<T, T> b = {x, y, where, {1, 0, 0, 0}, {}, true, &s, scale};
    b.elements.at[b.elements.size++] = {n, 1, 1, 1};
    finish<Form>(b);
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
