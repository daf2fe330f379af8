// Element types: half and bfloat16, which types an array may hold, and which type each is computed in.
//
// The half types store 16 bits and convert; arithmetic is done in float. The conversions are exact upwards and round to
// nearest, ties to even, downwards.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace softax {

namespace detail {

/// The bits of x rounded to nearest even after the given number of low bits is dropped.
constexpr std::uint32_t round_off(std::uint32_t x, unsigned dropped) noexcept {
    std::uint32_t const odd = (x >> dropped) & 1u;
    return (x + (1u << (dropped - 1)) - 1u + odd) >> dropped;
}

constexpr std::uint16_t half_bits_of(float x) noexcept {
    std::uint32_t const bits = std::bit_cast<std::uint32_t>(x), magnitude = bits & 0x7fffffffu;
    std::uint32_t const sign = (bits >> 16) & 0x8000u;
    if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
    if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // 65520 and above
    if (magnitude < 0x38800000u) {                                                    // below 2^-14: a subnormal
        // Adding 0.5 leaves the result in the low bits, rounded by the hardware's own ties to even.
        float const shifted = std::bit_cast<float>(magnitude) + 0.5f;
        return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u));
    }
    return static_cast<std::uint16_t>(sign | round_off(magnitude - 0x38000000u, 13));
}

constexpr float float_of_half(std::uint16_t h) noexcept {
    std::uint32_t const sign = static_cast<std::uint32_t>(h & 0x8000u) << 16, magnitude = h & 0x7fffu;
    if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
    if (magnitude >= 0x0400u) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
    float const subnormal = static_cast<float>(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(subnormal));
}

constexpr std::uint16_t bfloat16_bits_of(float x) noexcept {
    std::uint32_t const bits = std::bit_cast<std::uint32_t>(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
    return static_cast<std::uint16_t>(round_off(bits, 16));
}

/// x as the float that loses nothing on the way to a shorter type: rounded to odd, so that rounding again is right.
constexpr float sticky_float_of(double x) noexcept {
    float const f = static_cast<float>(x);
    double const back = f;
    bool const is_infinite = f > std::numeric_limits<float>::max() || f < std::numeric_limits<float>::lowest();
    if (back == x || x != x || is_infinite) return f;
    std::uint32_t bits = std::bit_cast<std::uint32_t>(f);
    if ((back < 0 ? -back : back) > (x < 0 ? -x : x)) --bits;
    return std::bit_cast<float>(bits | 1u);
}

/// The same for an integer and double.
template <std::integral I>
constexpr double sticky_double_of(I x) noexcept {
    if constexpr (sizeof(I) > 4) {
        I const beyond = x >> 53;  // 0 or -1 where 53 bits hold x
        if (beyond != 0 && beyond != static_cast<I>(-1) && (x & 2047) != 0) x = (x & ~I{2047}) | 2048;
    }
    return static_cast<double>(x);
}

}  // namespace detail

/// IEEE 754 binary16. Converts to float exactly; from float, double or an integer rounded once, to nearest even, from
/// 65520 on to infinity.
struct half {
    std::uint16_t bits = 0;

    constexpr half() noexcept = default;
    constexpr explicit half(float x) noexcept : bits(detail::half_bits_of(x)) {}
    constexpr explicit half(double x) noexcept : half(detail::sticky_float_of(x)) {}
    constexpr explicit half(std::integral auto x) noexcept : half(detail::sticky_double_of(x)) {}
    constexpr operator float() const noexcept { return detail::float_of_half(bits); }

    static constexpr half from_bits(std::uint16_t b) noexcept {
        half h;
        h.bits = b;
        return h;
    }
};

/// The upper half of an IEEE 754 binary32. Converts to float exactly; from float, double or an integer rounded
/// once, to nearest even.
struct bfloat16 {
    std::uint16_t bits = 0;

    constexpr bfloat16() noexcept = default;
    constexpr explicit bfloat16(float x) noexcept : bits(detail::bfloat16_bits_of(x)) {}
    constexpr explicit bfloat16(double x) noexcept : bfloat16(detail::sticky_float_of(x)) {}
    constexpr explicit bfloat16(std::integral auto x) noexcept : bfloat16(detail::sticky_double_of(x)) {}
    constexpr operator float() const noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

    static constexpr bfloat16 from_bits(std::uint16_t b) noexcept {
        bfloat16 h;
        h.bits = b;
        return h;
    }
};

template <class T>
inline constexpr bool is_half_type = std::same_as<T, half> || std::same_as<T, bfloat16>;

/// The element types: float, double, half, bfloat16, bool and every integer type.
template <class T>
concept element = std::same_as<T, float> || std::same_as<T, double> || is_half_type<T> || std::integral<T>;

/// The type of a result: floating and half types keep their type, bool and integers give float.
template <element T>
using result_type = std::conditional_t<std::integral<T>, float, T>;

/// The type an element is computed in: double in double, everything else in float.
template <element T>
using compute_type = std::conditional_t<std::same_as<T, double>, double, float>;

}  // namespace softax

/// The constants of half, as for every IEEE type.
template <>
class std::numeric_limits<softax::half> {
public:
    static constexpr bool is_specialized = true, is_signed = true, is_integer = false, is_exact = false,
                          is_iec559 = true;
    static constexpr bool is_bounded = true, is_modulo = false, traps = false, tinyness_before = false;
    static constexpr bool has_infinity = true, has_quiet_NaN = true, has_signaling_NaN = true, has_denorm_loss = false;
    static constexpr std::float_denorm_style has_denorm = std::denorm_present;
    static constexpr std::float_round_style round_style = std::round_to_nearest;
    static constexpr int radix = 2, digits = 11, digits10 = 3, max_digits10 = 5, min_exponent = -13, max_exponent = 16;
    static constexpr int min_exponent10 = -4, max_exponent10 = 4;
    static constexpr softax::half min() noexcept { return softax::half::from_bits(0x0400); }
    static constexpr softax::half max() noexcept { return softax::half::from_bits(0x7bff); }
    static constexpr softax::half lowest() noexcept { return softax::half::from_bits(0xfbff); }
    static constexpr softax::half epsilon() noexcept { return softax::half::from_bits(0x1400); }
    static constexpr softax::half round_error() noexcept { return softax::half::from_bits(0x3800); }
    static constexpr softax::half infinity() noexcept { return softax::half::from_bits(0x7c00); }
    static constexpr softax::half quiet_NaN() noexcept { return softax::half::from_bits(0x7e00); }
    static constexpr softax::half signaling_NaN() noexcept { return softax::half::from_bits(0x7d00); }
    static constexpr softax::half denorm_min() noexcept { return softax::half::from_bits(0x0001); }
};

/// The constants of bfloat16, as for every IEEE type.
template <>
class std::numeric_limits<softax::bfloat16> {
public:
    static constexpr bool is_specialized = true, is_signed = true, is_integer = false, is_exact = false,
                          is_iec559 = false;
    static constexpr bool is_bounded = true, is_modulo = false, traps = false, tinyness_before = false;
    static constexpr bool has_infinity = true, has_quiet_NaN = true, has_signaling_NaN = true, has_denorm_loss = false;
    static constexpr std::float_denorm_style has_denorm = std::denorm_present;
    static constexpr std::float_round_style round_style = std::round_to_nearest;
    static constexpr int radix = 2, digits = 8, digits10 = 2, max_digits10 = 4, min_exponent = -125, max_exponent = 128;
    static constexpr int min_exponent10 = -37, max_exponent10 = 38;
    static constexpr softax::bfloat16 min() noexcept { return softax::bfloat16::from_bits(0x0080); }
    static constexpr softax::bfloat16 max() noexcept { return softax::bfloat16::from_bits(0x7f7f); }
    static constexpr softax::bfloat16 lowest() noexcept { return softax::bfloat16::from_bits(0xff7f); }
    static constexpr softax::bfloat16 epsilon() noexcept { return softax::bfloat16::from_bits(0x3c00); }
    static constexpr softax::bfloat16 round_error() noexcept { return softax::bfloat16::from_bits(0x3f00); }
    static constexpr softax::bfloat16 infinity() noexcept { return softax::bfloat16::from_bits(0x7f80); }
    static constexpr softax::bfloat16 quiet_NaN() noexcept { return softax::bfloat16::from_bits(0x7fc0); }
    static constexpr softax::bfloat16 signaling_NaN() noexcept { return softax::bfloat16::from_bits(0x7fa0); }
    static constexpr softax::bfloat16 denorm_min() noexcept { return softax::bfloat16::from_bits(0x0001); }
};
