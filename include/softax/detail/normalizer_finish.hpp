// normalizer_finish: what is made of a normalizer: the logarithm of its sum, and the softmax of elements of its group.
#pragma once

#include "normalizer_state.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// Sum of exp(x - max) over all elements.
template <class T>
wide total_of(normalizer_state<T> const& s) noexcept {
    return wide{s.count, 0} + scaled(wide_of(s.others), unbiased<T>);
}

/// log(total_of(s)).
template <class T>
wide log_total_of(normalizer_state<T> const& s) noexcept {
    using c = exp_constants<T>;
    wide const others = wide_of(s.others);
    // A pivot at the maximum itself, with k = 0.
    return log_of(log_terms<T>{T(0), T(0), c::magic + T(c::bias + c::exponent_bias), s.count, others},
                  request<T>::of(1, -std::numeric_limits<double>::infinity()));
}

template <class T>
bool is_nan(normalizer_state<T> const& s) noexcept {
    return !(std::abs(wide_of(s.max).hi) <= std::numeric_limits<double>::max());  // only -inf included
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
    wide const log = log_total_of(s), m = wide_of(s.max), sum = two_sum(m.hi, log.hi);
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
    wide const result = (x - wide_of(s.max)) - log_total_of(s);
    return static_cast<T>(result.hi + result.lo);
}

/// exp(from's logsumexp - to's).
template <class T>
T rescale_of(normalizer_state<T> const& from, normalizer_state<T> const& to) noexcept {
    if (from.count == 0) return T(0);
    if (is_nan(to) || wide_of(from.max).hi != wide_of(from.max).hi) return std::numeric_limits<T>::quiet_NaN();
    wide const part = total_of(from) * exp_of<T>(wide_of(from.max) - wide_of(to.max), exp_constants<T>::bias);
    return static_cast<T>(part.hi / total_of(to).hi * unbiased<T>);
}

/// The largest element that, times mantissa, is at most max. Elements of the group are at most that.
template <class T>
T pivot_below(wide max, T mantissa) noexcept {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    auto const is_above = [&](T p) {
        return is_less(max, two_product(static_cast<double>(p), static_cast<double>(mantissa)));
    };
    using limits = std::numeric_limits<T>;
    T p = static_cast<T>(std::clamp(max.hi / static_cast<double>(mantissa), static_cast<double>(limits::lowest()),
                                    static_cast<double>(limits::max())));
    while (is_above(p)) p = std::nextafter(p, -infinity);
    while (!is_above(std::nextafter(p, infinity))) p = std::nextafter(p, infinity);
    return p;
}

template <class T>
finishing<T> finishing_of(normalizer_state<T> const& s, double scale) noexcept {
    using c = exp_constants<T>;
    constexpr T powers = T(c::bias + c::exponent_bias), no_magic = c::magic + powers;
    if (is_nan(s)) {
        constexpr double nan = std::numeric_limits<double>::quiet_NaN();
        return {scale, nan, nan, T(0), T(0), -powers * c::ln2, no_magic, static_cast<T>(nan)};
    }
    auto const asked = request<T>::of(scale, -std::numeric_limits<double>::infinity());
    double const mantissa = static_cast<double>(asked.mantissa);
    wide const max = wide_of(s.max), log = log_total_of(s);
    T const m = pivot_below(max, asked.mantissa), shift = std::abs(m) > asked.wide_over_mantissa ? m : T(0);
    wide rest = max - two_product(static_cast<double>(shift), mantissa);
    // So far above the shift, and so above every element of this scale, that exp is 0 there.
    double const far = 2 * static_cast<double>(powers * c::ln2);
    if (shift != T(0) && rest.hi > far) rest = {far, 0};
    double const k = std::rint(rest.hi * static_cast<double>(c::log2_e));
    wide const sum = total_of(s) * exp_of<T>(rest - times_ln2(k), c::bias);
    wide const log_and_rest = log + (max - two_product(static_cast<double>(m), mantissa));
    return {scale,
            sum.hi,
            sum.lo,
            m,
            shift,
            (static_cast<T>(k) - powers) * asked.ln2_over_mantissa,
            no_magic - static_cast<T>(k),
            -static_cast<T>(log_and_rest.hi + log_and_rest.lo)};
}

/// y[0, n) of x[0, n), given the whole group and the mask, if there is one; y may be x.
template <form Form, class T>
void finish(T const* x, T* y, bool const* where, index_t n, finishing<T> const& f) noexcept {
#ifdef SOFTAX_HAS_REGIONS
    switch (chosen_instruction_set()) {
        case instruction_set::avx512:
            return avx512::run_finish<Form>(x, y, where, n, f);
        case instruction_set::avx2:
            return avx2::run_finish<Form>(x, y, where, n, f);
        case instruction_set::flags:
            break;
    }
#endif
    run_finish<Form>(x, y, where, n, f);
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
