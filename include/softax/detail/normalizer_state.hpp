// normalizer_state: what a normalizer holds, how it comes from elements, and how two of them merge.
//
// The sum of exp(x - max) is kept in two parts: how many elements are the maximum, and the sum of the others, so that the
// confident class keeps its digits. The others carry a factor 2^bias, so that none is lost among subnormal numbers. Where the
// maximum moves the sum is multiplied by exp(difference), for double in two doubles: a thousand million moves do not show.
#pragma once

#include "group_pieces.hpp"
#include "kernels.hpp"

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
    using c = exp_constants<double>;
    return wide{k * c::ln2_high, 0} + two_product(k, c::ln2_low);
}

/// exp(d) 2^bias, as exact as sums of T are kept; 0 where nothing of T is left, before the exponent is too low for a double.
template <class T>
wide exp_of(wide d) noexcept {
    constexpr double lowest = sizeof(T) == 4 ? -700 : -800;
    constexpr int unbiased = exp_constants<T>::bias + 1023;
    if (!(d.hi > lowest)) return {0, 0};
    double const k = std::rint(std::min(d.hi, 500.0) * exp_constants<double>::log2_e);
    auto const power = std::bit_cast<double>(static_cast<std::uint64_t>(static_cast<int>(k) + unbiased) << 52);
    wide const r = d - times_ln2(k);
    wide const e = sizeof(T) == 4 ? wide{std::exp(r.hi) * (1 + r.lo), 0} : exp_near_zero(r);
    return scaled(e, power);
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

/// run_state of the instruction set in use.
template <class T>
normalizer_state<T> state_with_sum(T const* x, bool const* where, index_t n, double scale) noexcept {
#ifdef SOFTAX_HAS_REGIONS
    switch (chosen_instruction_set()) {
        case instruction_set::avx512:
            return avx512::run_state(x, where, n, scale);
        case instruction_set::avx2:
            return avx2::run_state(x, where, n, scale);
        case instruction_set::flags:
            break;
    }
#endif
    return run_state(x, where, n, scale);
}

/// run_term of the instruction set in use.
template <class T>
wide term_of(T x, T m) noexcept {
#ifdef SOFTAX_HAS_REGIONS
    switch (chosen_instruction_set()) {
        case instruction_set::avx512:
            return wide::of(avx512::run_term(x, m));
        case instruction_set::avx2:
            return wide::of(avx2::run_term(x, m));
        case instruction_set::flags:
            break;
    }
#endif
    return wide::of(run_term(x, m));
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

/// The state of a group that has no sum: NaN or +inf is in it, or nothing above -inf.
template <class T, class In>
normalizer_state<T> state_without_sum(In const* x, bool const* where, walked_axes const& elements, double scale) {
    double count = 0;
    bool is_nan = false;
    for_each_place(elements, [&](walked_axis const& at) {
        if (where != nullptr && !where[at.where]) return;
        count += 1;
        is_nan = is_nan || !(scale * static_cast<double>(x[at.x]) < std::numeric_limits<double>::infinity());
    });
    return is_nan ? nan_state<T>() : state_of<T>({-std::numeric_limits<double>::infinity(), 0}, count);
}

/// The state of those of x[0, n) that take part, as scale * x.
template <class T>
normalizer_state<T> state_of_run(T const* x, bool const* where, index_t n, double scale) noexcept {
    auto const s = state_with_sum(x, where, n, scale);
    if (s.count > 0) return s;
    walked_axes run;
    run.push_back({n, 1, 0, 1});
    return state_without_sum<T>(x, where, run, static_cast<double>(static_cast<T>(scale)));
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
    return wide{count, 0} * (is_plain ? term_of(a, m) : exp_of<T>(x - max));
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
        b_others = scaled(b_others, 1 / bias_power<T>) * exp_of<T>(b_max - a_max);
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

/// s and the elements scale * x[0, n).
template <class T>
normalizer_state<T> with_row(normalizer_state<T> const& s, T const* x, index_t n, double scale) noexcept {
    return n == 0 ? s : merged(s, state_of_run(x, nullptr, n, scale));
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
