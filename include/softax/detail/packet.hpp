// packet: one vector register of float or double, the only door to Eigen::internal.
//
// The kernels are written in these few operations and run on whatever vectors Eigen has on the target; with vectorization off
// a packet is one scalar. Everything that touches packets lives in a namespace named after the instruction set, so that units
// compiled with different flags do not share a definition.
#pragma once

// With -march of an AVX-512 processor GCC 12 warns of uninitialized registers inside its own avx512fintrin.h.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/Core>
#include <array>
#include <bit>
#include <cstdint>

#include "half_lanes.hpp"

// What Eigen has no name for: lanes at the end of a row in one instruction (rows of 49 take half as long as through memory),
// and conversions of half.
#if !defined(EIGEN_DONT_VECTORIZE)
#if defined(__AVX512F__)
#define SOFTAX_HAS_AVX512 1
#endif
#if defined(__AVX2__)
#define SOFTAX_HAS_MASKED_MEMORY 1
#endif
#if defined(__F16C__)
#define SOFTAX_HAS_F16C 1
#endif
#endif

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// A register of T, T being float or double. a + b and so on act lane by lane.
template <class T>
struct packet {
    using raw_type = typename Eigen::internal::packet_traits<T>::type;
    static constexpr index_t lanes = Eigen::internal::unpacket_traits<raw_type>::size;
    /// Whether madd rounds once.
#if defined(EIGEN_HAS_SINGLE_INSTRUCTION_MADD) && !defined(EIGEN_DONT_VECTORIZE)
    static constexpr bool has_fma = true;
#else
    static constexpr bool has_fma = false;
#endif

    raw_type raw;

    EIGEN_ALWAYS_INLINE static packet set(T x) noexcept { return {Eigen::internal::pset1<raw_type>(x)}; }
    EIGEN_ALWAYS_INLINE static packet load(T const* p) noexcept { return {Eigen::internal::ploadu<raw_type>(p)}; }
    EIGEN_ALWAYS_INLINE void store(T* p) const noexcept { Eigen::internal::pstoreu(p, raw); }
    EIGEN_ALWAYS_INLINE T first() const noexcept { return Eigen::internal::pfirst(raw); }

    /// Lanes of a half type, converted.
    template <class H>
        requires is_half_type<H>
    EIGEN_ALWAYS_INLINE static packet load(H const* p) noexcept {
#ifdef SOFTAX_HAS_AVX512
        if constexpr (has_f16c<H, 64>)
            return {_mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<__m256i const*>(p)))};
#endif
#ifdef SOFTAX_HAS_F16C
        if constexpr (has_f16c<H, 32>) return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<__m128i const*>(p)))};
#endif
        if constexpr (has_halves<H>) {
            return {Eigen::internal::pcast<half_raw<H>, raw_type>(
                Eigen::internal::ploadu<half_raw<H>>(reinterpret_cast<eigen_type<H> const*>(p)))};
        } else if constexpr (half_lanes<lanes>::exist && sizeof(T) == 4) {
            return {(raw_type)half_lanes<lanes>::load(p)};
        } else {
            alignas(64) T lane[lanes];
            for (index_t i = 0; i < lanes; ++i) lane[i] = static_cast<T>(p[i]);
            return load(lane);
        }
    }

    template <class H>
        requires is_half_type<H>
    EIGEN_ALWAYS_INLINE void store(H* p) const noexcept {
#ifdef SOFTAX_HAS_AVX512
        if constexpr (has_f16c<H, 64>)
            return _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                                       _mm512_maskz_cvtps_ph(0xffff, raw, _MM_FROUND_TO_NEAREST_INT));
#endif
#ifdef SOFTAX_HAS_F16C
        constexpr int nearest = _MM_FROUND_TO_NEAREST_INT;
        if constexpr (has_f16c<H, 32>)
            return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(raw, nearest));
#endif
        if constexpr (has_halves<H>) {
            Eigen::internal::pstoreu(reinterpret_cast<eigen_type<H>*>(p),
                                     Eigen::internal::pcast<raw_type, half_raw<H>>(raw));
        } else if constexpr (half_lanes<lanes>::exist && sizeof(T) == 4) {
            half_lanes<lanes>::store(p, (typename half_lanes<lanes>::words)raw);
        } else {
            alignas(64) T lane[lanes];
            store(lane);
            for (index_t i = 0; i < lanes; ++i) p[i] = static_cast<H>(lane[i]);
        }
    }

    /// The first live lanes from memory, 1 <= live <= lanes; the others are fill. Reads nothing else.
    EIGEN_ALWAYS_INLINE static packet load(T const* p, index_t live, T fill) noexcept {
        if (live == lanes) return load(p);
#ifdef SOFTAX_HAS_AVX512
        if constexpr (is_long && sizeof(T) == 4)
            return {_mm512_mask_loadu_ps(set(fill).raw, bits_of<__mmask16>(live), p)};
        if constexpr (is_long && sizeof(T) == 8)
            return {_mm512_mask_loadu_pd(set(fill).raw, bits_of<__mmask8>(live), p)};
#endif
#ifdef SOFTAX_HAS_MASKED_MEMORY
        if constexpr (is_masked_in_memory && sizeof(T) == 4) {
            __m256i const mask = mask_of(live);
            return {_mm256_blendv_ps(set(fill).raw, _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask))};
        } else if constexpr (is_masked_in_memory) {
            __m256i const mask = mask_of(live);
            return {_mm256_blendv_pd(set(fill).raw, _mm256_maskload_pd(p, mask), _mm256_castsi256_pd(mask))};
        }
#endif
        alignas(64) T lane[lanes];
        for (index_t i = 0; i < lanes; ++i) lane[i] = i < live ? p[i] : fill;
        return load(lane);
    }

    /// 1 in the first live lanes, 0 in the others, 0 <= live <= lanes.
    EIGEN_ALWAYS_INLINE static packet ones(index_t live) noexcept {
        static constexpr auto table = [] {
            std::array<T, 2 * lanes> t = {};
            for (index_t i = 0; i < lanes; ++i) t[static_cast<std::size_t>(i)] = T(1);
            return t;
        }();
        return load(table.data() + (lanes - live));
    }

    /// Writes the first live lanes and nothing else.
    EIGEN_ALWAYS_INLINE void store(T* p, index_t live) const noexcept {
        if (live == lanes) return store(p);
#ifdef SOFTAX_HAS_AVX512
        if constexpr (is_long && sizeof(T) == 4) return _mm512_mask_storeu_ps(p, bits_of<__mmask16>(live), raw);
        if constexpr (is_long && sizeof(T) == 8) return _mm512_mask_storeu_pd(p, bits_of<__mmask8>(live), raw);
#endif
#ifdef SOFTAX_HAS_MASKED_MEMORY
        if constexpr (is_masked_in_memory && sizeof(T) == 4) return _mm256_maskstore_ps(p, mask_of(live), raw);
        if constexpr (is_masked_in_memory && sizeof(T) == 8) return _mm256_maskstore_pd(p, mask_of(live), raw);
#endif
        alignas(64) T lane[lanes];
        store(lane);
        for (index_t i = 0; i < lanes; ++i) {
            if (i < live) p[i] = lane[i];
        }
    }

    friend EIGEN_ALWAYS_INLINE packet operator+(packet a, packet b) noexcept {
        return {Eigen::internal::padd(a.raw, b.raw)};
    }
    friend EIGEN_ALWAYS_INLINE packet operator-(packet a, packet b) noexcept {
        return {Eigen::internal::psub(a.raw, b.raw)};
    }
    friend EIGEN_ALWAYS_INLINE packet operator*(packet a, packet b) noexcept {
        return {Eigen::internal::pmul(a.raw, b.raw)};
    }
    friend EIGEN_ALWAYS_INLINE packet operator/(packet a, packet b) noexcept {
        return {Eigen::internal::pdiv(a.raw, b.raw)};
    }

private:
    static constexpr bool is_long = sizeof(raw_type) == 64;
    template <class Bits>
    EIGEN_ALWAYS_INLINE static Bits bits_of(index_t live) noexcept {
        return static_cast<Bits>((1u << live) - 1u);
    }
#ifdef SOFTAX_HAS_MASKED_MEMORY
    static constexpr bool is_masked_in_memory = sizeof(raw_type) == 32;
    EIGEN_ALWAYS_INLINE static __m256i mask_of(index_t live) noexcept {
        if constexpr (sizeof(T) == 4)
            return _mm256_castps_si256(_mm256_cmp_ps(ones(live).raw, _mm256_setzero_ps(), _CMP_GT_OQ));
        else
            return _mm256_castpd_si256(_mm256_cmp_pd(ones(live).raw, _mm256_setzero_pd(), _CMP_GT_OQ));
    }
#endif

    // Eigen 3.4.0 does not use this instruction with GCC, and has no way from and to half for AVX-512.
    template <class H, std::size_t Bytes>
    static constexpr bool has_f16c = std::same_as<H, half> && sizeof(raw_type) == Bytes && sizeof(T) == 4;
    // Eigen's type for the bits of a half type, and its packet where there is one of as many lanes.
    template <class H>
    using eigen_type = std::conditional_t<std::same_as<H, half>, Eigen::half, Eigen::bfloat16>;
    template <class H>
    using half_raw = typename Eigen::internal::packet_traits<eigen_type<H>>::type;
    template <class H>
    static constexpr bool has_halves = Eigen::internal::packet_traits<eigen_type<H>>::Vectorizable &&
                                       Eigen::internal::unpacket_traits<half_raw<H>>::size == lanes && lanes >= 8;
};

/// a * b + c, rounded once where packet::has_fma.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> madd(packet<T> a, packet<T> b, packet<T> c) noexcept {
    return {Eigen::internal::pmadd(a.raw, b.raw, c.raw)};
}

/// The larger lane. Where a is NaN the result is NaN.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> max(packet<T> a, packet<T> b) noexcept {
    return {Eigen::internal::pmax(a.raw, b.raw)};
}

/// Lane j of row i <-> lane i of row j.
template <class T>
EIGEN_ALWAYS_INLINE void transpose(packet<T> (&rows)[packet<T>::lanes]) noexcept {
    if constexpr (packet<T>::lanes > 1) {
        using raw_type = typename packet<T>::raw_type;
        struct : Eigen::internal::PacketBlock<raw_type, packet<T>::lanes> {
        } block;
        SOFTAX_UNROLLED
        for (index_t i = 0; i < packet<T>::lanes; ++i) block.packet[i] = rows[i].raw;
        Eigen::internal::ptranspose(block);
        SOFTAX_UNROLLED
        for (index_t i = 0; i < packet<T>::lanes; ++i) rows[i].raw = block.packet[i];
    }
}

/// The largest lane; where one is NaN, any of them or NaN.
template <class T>
EIGEN_ALWAYS_INLINE T max_lane(packet<T> x) noexcept {
    return Eigen::internal::predux_max(x.raw);
}

/// x where a and b differ, else 0.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> zero_where_equal(packet<T> x, packet<T> a, packet<T> b) noexcept {
    return {Eigen::internal::pandnot(x.raw, Eigen::internal::pcmp_eq(a.raw, b.raw))};
}

/// m where abs(m) > limit, else 0; 0 where m is NaN.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> zero_unless_above(packet<T> m, packet<T> limit) noexcept {
    return {Eigen::internal::pand(m.raw, Eigen::internal::pcmp_lt(limit.raw, Eigen::internal::pabs(m.raw)))};
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
