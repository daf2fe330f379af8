// normalizer_state: what a normalizer holds, how it comes from elements, and how two of them merge.
//
// The sum of exp(x - max) is kept in two parts: how many elements are the maximum, and the sum of the others, so that the
// confident class keeps its digits. The others carry a factor 2^bias, so that none is lost among subnormal numbers. Where the
// maximum moves the sum is multiplied by exp(difference), for double in two doubles: a thousand million moves do not show.
#pragma once

#include "group_pieces.hpp"
#include "kernels.hpp"

namespace softax::detail {

/// What a piece of a row adds: sum = sum of exp((x - shift) mantissa) 2^(bias - k) over the elements below the maximum m,
/// of which there are count; x and m are as factored (see request).
template <class T>
struct piece {
    T m, shift, mantissa;
    double k, count, sum_hi, sum_lo;
};

}  // namespace softax::detail

#define SOFTAX_TARGET_FILE "normalizer_kernels.hpp"
#include "targets.hpp"
#undef SOFTAX_TARGET_FILE

namespace softax::detail {
inline namespace SOFTAX_ISA {

template <class T>
EIGEN_ALWAYS_INLINE sum_type<T> rounded(wide x) noexcept {
    if constexpr (std::same_as<T, float>) {
        return x.hi + x.lo;
    } else {
        return {x.hi, x.lo};
    }
}

/// k ln 2, k being an integer below 2^16: the product with the upper part is exact.
inline wide times_ln2(double k) noexcept {
    return wide{k * 0x1.62e42fefap-1, 0} + two_product(k, 0x1.cf79abc9e3b3ap-40);
}

/// exp(d) 2^exponent, as exact as sums of T are kept; 0 below exp(-800), where nothing of T is left (see exp_constants).
/// exponent is 0 for abs(d) <= 0.36, else bias, so that no result is subnormal.
template <class T>
wide exp_of(wide d, int exponent) noexcept {
    if (!(d.hi > -800)) return {0, 0};
    double const k = std::rint(std::min(d.hi, 500.0) * 0x1.71547652b82fep+0);
    auto const power = std::bit_cast<double>(static_cast<std::uint64_t>(static_cast<int>(k) + exponent + 1023) << 52);
    wide const r = d - times_ln2(k);
    wide const e = sizeof(T) == 4 ? wide{std::exp(r.hi) * (1 + r.lo), 0} : exp_near_zero(r);
    return {e.hi * power, e.lo * power};
}

template <class T>
constexpr normalizer_state<T> nan_state() noexcept {
    return {sum_type<T>{std::numeric_limits<double>::quiet_NaN()}, sum_type<T>{}, 1};
}

/// The state of count elements x.
template <class T>
normalizer_state<T> state_of(wide x, double count) noexcept {
    if (!(x.hi < std::numeric_limits<double>::infinity())) return nan_state<T>();
    return {rounded<T>(x.hi == 0 ? wide{0, 0} : x), sum_type<T>{}, count};  // the zeros are one number
}

/// run_piece of the instruction set in use.
template <class T>
piece<T> piece_of(T const* x, T* y, bool const* where, index_t n, double scale) noexcept {
#ifdef SOFTAX_HAS_REGIONS
    switch (chosen_instruction_set()) {
        case instruction_set::avx512:
            return avx512::run_piece(x, y, where, n, scale);
        case instruction_set::avx2:
            return avx2::run_piece(x, y, where, n, scale);
        case instruction_set::flags:
            break;
    }
#endif
    return run_piece(x, y, where, n, scale);
}

/// run_term of the instruction set in use.
template <class T>
piece<T> term_of(T x, T m) noexcept {
#ifdef SOFTAX_HAS_REGIONS
    switch (chosen_instruction_set()) {
        case instruction_set::avx512:
            return avx512::run_term(x, m);
        case instruction_set::avx2:
            return avx2::run_term(x, m);
        case instruction_set::flags:
            break;
    }
#endif
    return run_term(x, m);
}

/// run_merge of the instruction set in use.
inline std::uint32_t left_of_merge(normalizer_state<float>* to, normalizer_state<float> const* from,
                                   index_t n) noexcept {
#ifdef SOFTAX_HAS_REGIONS
    switch (chosen_instruction_set()) {
        case instruction_set::avx512:
            return avx512::run_merge(to, from, n);
        case instruction_set::avx2:
            return avx2::run_merge(to, from, n);
        case instruction_set::flags:
            break;
    }
#endif
    return run_merge(to, from, n);
}

/// The sum of a piece as the others of a state.
template <class T>
wide others_of(piece<T> const& p) noexcept {
    wide const rest = two_product(static_cast<double>(p.m - p.shift), static_cast<double>(p.mantissa));
    return wide{p.sum_hi, p.sum_lo} * exp_of<T>(times_ln2(p.k) - rest, 0);
}

/// The state of a piece; x[0, n) are its elements.
template <class T>
normalizer_state<T> state_of(piece<T> const& p, T const* x, index_t n) noexcept {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    if (p.m == -infinity) {
        // A maximum of -inf has room for NaN beside it, and a factor may have made NaN of an infinity.
        bool const is_nan = std::any_of(x, x + n, [](T e) { return !(std::abs(e) <= infinity); });
        return is_nan ? nan_state<T>() : state_of<T>({-infinity, 0}, static_cast<double>(n));
    }
    if (!(p.m < infinity) || !(p.sum_hi < infinity)) return nan_state<T>();
    auto s = state_of<T>(two_product(static_cast<double>(p.m), static_cast<double>(p.mantissa)), p.count);
    s.others = rounded<T>(others_of(p));
    return s;
}

/// What count elements x below the maximum max are among the others: where T holds both, what the kernels add for them, so that
/// it does not show whether an element was a maximum for a while.
template <class T>
wide others_below(wide x, double count, wide max) noexcept {
    T const a = static_cast<T>(x.hi), m = static_cast<T>(max.hi);
    bool const are_held =
        static_cast<double>(a) == x.hi && static_cast<double>(m) == max.hi && x.lo == 0 && max.lo == 0;
    bool const is_plain =
        are_held && std::abs(a) <= std::numeric_limits<T>::max() && std::abs(m) <= exp_constants<T>::wide;
    return wide{count, 0} * (is_plain ? others_of(term_of(a, m)) : exp_of<T>(x - max, exp_constants<T>::bias));
}

template <class T>
normalizer_state<T> merged(normalizer_state<T> const& a, normalizer_state<T> const& b) noexcept {
    if (a.count == 0 || b.count == 0) return a.count == 0 ? b : a;
    wide const a_max = wide::of(a.max), b_max = wide::of(b.max);
    if (a_max.hi != a_max.hi || b_max.hi != b_max.hi) return nan_state<T>();
    if (is_less(a_max, b_max)) return merged(b, a);
    wide b_others = wide::of(b.others);
    if (!is_less(b_max, a_max)) return {a.max, rounded<T>(wide::of(a.others) + b_others), a.count + b.count};
    if (b_others.hi != 0) {
        b_others = scaled(b_others, 1 / bias_power<T>) * exp_of<T>(b_max - a_max, exp_constants<T>::bias);
    }
    return {a.max, rounded<T>(wide::of(a.others) + (b_others + others_below<T>(b_max, b.count, a_max))), a.count};
}

/// Groups that are merged at once: the bits of what left_of_merge returns.
inline constexpr index_t merged_at_once = 32;

/// to[0, n) = both, group by group, of float a packet at once; n <= merged_at_once.
template <class T>
void merge_into(normalizer_state<T>* to, normalizer_state<T> const* from, index_t n) noexcept {
    std::uint32_t left = 0xffffffff;
    if constexpr (std::same_as<T, float>) left = left_of_merge(to, from, n);
    for (index_t j = 0; j < n && left != 0; ++j) {
        if (left >> j & 1u) to[j] = merged(to[j], from[j]);
    }
}

/// s and the elements scale * x[0, n), taken in pieces that stay in cache between their two passes.
template <class T>
normalizer_state<T> with_row(normalizer_state<T> s, T const* x, index_t n, double scale) noexcept {
    for (index_t i = 0; i < n; i += piece_size) {
        index_t const length = std::min(piece_size, n - i);
        s = merged(s, state_of(piece_of<T>(x + i, nullptr, nullptr, length, scale), x + i, length));
    }
    return s;
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
