// half_lanes: halves to and from the bits of floats, many lanes abreast, where no instruction does it.
//
// The steps are those of dtype.hpp without its branches. Rows of 1,000 halves take .37 of the time of one by one (SSE2).
#pragma once

#include <cstring>

#include "../dtype.hpp"
#include "isa.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

#if defined(__GNUC__) && !defined(__s390x__)

/// Word, Short and Float are parameters because GCC 12 takes vectors of a type that it knows for that type itself.
template <index_t Lanes, class Word = std::int32_t, class Short = std::uint16_t, class Float = float>
struct half_lanes {
    static constexpr bool exist = Lanes > 1;
    typedef Word words __attribute__((vector_size(sizeof(Word) * Lanes)));
    typedef Short shorts __attribute__((vector_size(sizeof(Short) * Lanes)));
    typedef Float floats __attribute__((vector_size(sizeof(Float) * Lanes)));

    template <class H>
    EIGEN_ALWAYS_INLINE static words load(H const* p) noexcept {
        shorts some;
        std::memcpy(&some, p, sizeof some);
        return float_bits_of(__builtin_convertvector(some, words), H());
    }

    template <class H>
    EIGEN_ALWAYS_INLINE static void store(H* p, words x) noexcept {
        shorts const some = __builtin_convertvector(half_bits_of(x, H()), shorts);
        std::memcpy(static_cast<void*>(p), &some, sizeof some);
    }

private:
    EIGEN_ALWAYS_INLINE static words float_bits_of(words h, bfloat16) noexcept { return h << 16; }

    EIGEN_ALWAYS_INLINE static words float_bits_of(words h, half) noexcept {
        words const m = h & 0x7fff, normal = (m << 13) + 0x38000000;
        words const subnormal = (words)(__builtin_convertvector(m, floats) * 0x1p-24f);
        words const finite = m < 0x400 ? subnormal : normal;
        return ((h & 0x8000) << 16) | (m < 0x7c00 ? finite : normal + 0x38000000);
    }

    /// A NaN keeps its upper bits and becomes quiet.
    EIGEN_ALWAYS_INLINE static words half_bits_of(words x, bfloat16) noexcept {
        words const odd = (x >> 16) & 1;
        return ((x & 0x7fffffff) > 0x7f800000 ? x | 0x400000 : x + odd + 0x7fff) >> 16;
    }

    EIGEN_ALWAYS_INLINE static words half_bits_of(words x, half) noexcept {
        words const m = x & 0x7fffffff, odd = (m >> 13) & 1;
        words const normal = (m + odd + (0xfff - 0x38000000)) >> 13;
        words const subnormal = (words)((floats)m + 0.5f) - 0x3f000000;
        words const finite = m < 0x38800000 ? subnormal : normal, some = m < 0x477ff000 ? finite : words{} + 0x7c00;
        return ((x >> 16) & 0x8000) | (m > 0x7f800000 ? ((m >> 13) & 0x3ff) | 0x7e00 : some);
    }
};

#else

template <index_t Lanes>
struct half_lanes {
    static constexpr bool exist = false;
};

#endif

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
