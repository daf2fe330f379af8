// packet_bits: what packets of packet.hpp do that Eigen has no name for.
#pragma once

#include "packet.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// The lanes of x, added as a tree of halves.
template <class T>
EIGEN_ALWAYS_INLINE T sum_lane(packet<T> x) noexcept {
    alignas(64) T lane[packet<T>::lanes];
    x.store(lane);
    for (index_t half = packet<T>::lanes / 2; half > 0; half /= 2) {
        for (index_t l = 0; l < half; ++l) lane[l] = lane[l] + lane[l + half];
    }
    return lane[0];
}

/// a0 a2 ... b0 b2 ...
template <class T>
EIGEN_ALWAYS_INLINE packet<T> every_second(packet<T> a, packet<T> b) noexcept {
    alignas(64) T lane[2 * packet<T>::lanes];
    a.store(lane);
    b.store(lane + packet<T>::lanes);
    for (index_t l = 0; l < packet<T>::lanes; ++l) lane[l] = lane[2 * l];
    return packet<T>::load(lane);
}

/// Keeps the optimizer from seeing through x. Only -ffast-math needs it: sums here must be done in the order written.
template <class T>
EIGEN_ALWAYS_INLINE T opaque(T x) noexcept {
#if defined(__FAST_MATH__) && (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__i386__))
    if constexpr (std::is_scalar_v<T>) {
        asm("" : "+x"(x));
    } else {
        asm("" : "+x"(x.raw));
    }
#endif
    return x;
}

/// The low bits of every lane, an integer that was added to 1.5 * 2^(digits - 1), moved to where the exponent is:
/// 2^(integer - bias).
template <class T>
EIGEN_ALWAYS_INLINE packet<T> power_of_low_bits(packet<T> x) noexcept {
    using bits_type = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr int shift = std::numeric_limits<T>::digits - 1;
    using raw_type = typename packet<T>::raw_type;
    if constexpr (packet<T>::lanes == 1) {
        return packet<T>::set(std::bit_cast<T>(std::bit_cast<bits_type>(x.raw) << shift));
    } else {
#if defined(__GNUC__) && !defined(__s390x__)
        typedef bits_type vector __attribute__((vector_size(sizeof(raw_type))));
        return {(raw_type)((vector)x.raw << shift)};
#else
        alignas(64) T lane[packet<T>::lanes];
        x.store(lane);
        for (T& l : lane) l = std::bit_cast<T>(std::bit_cast<bits_type>(l) << shift);
        return packet<T>::load(lane);
#endif
    }
}

/// Whether a lane is above 0.
template <class T>
EIGEN_ALWAYS_INLINE bool has_positive(packet<T> x) noexcept {
    return max_lane(x) > 0;
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
