// x86: packets for the regions of kernels.hpp, under the names of packet.hpp.
//
// Eigen's packets are as wide as the compiler flags say, so a region needs vectors of its own: those of GCC and Clang, which
// become whatever instructions the region has, and intrinsics where a plain operator does not say which.
#ifdef SOFTAX_PACKET_BYTES  // targets.hpp includes this once for each region
SOFTAX_KERNELS_BEGIN

template <class T>
inline constexpr T ones_then_zeros[32] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

template <class T>
struct packet {
    static constexpr std::size_t bytes = SOFTAX_PACKET_BYTES;
    static constexpr index_t lanes = static_cast<index_t>(bytes / sizeof(T));
    static constexpr bool has_fma = true;
    typedef T raw_type __attribute__((vector_size(SOFTAX_PACKET_BYTES)));
    // In memory: not aligned, but elements of T, so that a store is not taken to change anything else.
    typedef T memory_type __attribute__((vector_size(SOFTAX_PACKET_BYTES), aligned(sizeof(T))));
    using integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    typedef integer bits __attribute__((vector_size(SOFTAX_PACKET_BYTES)));
    typedef std::make_unsigned_t<integer> unsigned_bits __attribute__((vector_size(SOFTAX_PACKET_BYTES)));

    raw_type raw;

    // x - 0 is x, also for -0 and NaN.
    EIGEN_ALWAYS_INLINE static packet set(T x) noexcept { return {x - raw_type{}}; }
    EIGEN_ALWAYS_INLINE static packet load(T const* p) noexcept { return {*reinterpret_cast<memory_type const*>(p)}; }
    EIGEN_ALWAYS_INLINE void store(T* p) const noexcept { *reinterpret_cast<memory_type*>(p) = raw; }
    EIGEN_ALWAYS_INLINE T first() const noexcept { return raw[0]; }

    /// Lanes of a half type, converted.
    template <class H>
        requires is_half_type<H>
    EIGEN_ALWAYS_INLINE static packet load(H const* p) noexcept {
#if SOFTAX_PACKET_BYTES == 64
        return widened(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(p)), H());
#else
        return widened(_mm_loadu_si128(reinterpret_cast<__m128i const*>(p)), H());
#endif
    }
    template <class H>
        requires is_half_type<H>
    EIGEN_ALWAYS_INLINE void store(H* p) const noexcept {
#if SOFTAX_PACKET_BYTES == 64
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowed(H()));
#else
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrowed(H()));
#endif
    }

#if SOFTAX_PACKET_BYTES == 64
    /// The first live lanes of a half type, converted; the others are 0. Reads, or writes, nothing else.
    template <class H>
        requires is_half_type<H>
    EIGEN_ALWAYS_INLINE static packet load(H const* p, index_t live) noexcept {
        return widened(_mm256_maskz_loadu_epi16(mask_of(live), p), H());
    }
    template <class H>
        requires is_half_type<H>
    EIGEN_ALWAYS_INLINE void store(H* p, index_t live) const noexcept {
        _mm256_mask_storeu_epi16(p, mask_of(live), narrowed(H()));
    }
#endif

    /// The first live lanes from memory, 1 <= live <= lanes; the others are fill. Reads nothing else.
    EIGEN_ALWAYS_INLINE static packet load(T const* p, index_t live, T fill) noexcept {
        if (live == lanes) return load(p);
        auto const mask = mask_of(live);
#if SOFTAX_PACKET_BYTES == 64
        packet const rest = set(fill);
        if constexpr (sizeof(T) == 4) return {(raw_type)_mm512_mask_loadu_ps((__m512)rest.raw, mask, p)};
        if constexpr (sizeof(T) == 8) return {(raw_type)_mm512_mask_loadu_pd((__m512d)rest.raw, mask, p)};
#else
        raw_type x;
        if constexpr (sizeof(T) == 4) x = (raw_type)_mm256_maskload_ps(p, (__m256i)mask);
        if constexpr (sizeof(T) == 8) x = (raw_type)_mm256_maskload_pd(p, (__m256i)mask);
        return {(raw_type)(((bits)x & mask) | ((bits)set(fill).raw & ~mask))};
#endif
    }

    /// Writes the first live lanes and nothing else.
    EIGEN_ALWAYS_INLINE void store(T* p, index_t live) const noexcept {
        if (live == lanes) return store(p);
        auto const mask = mask_of(live);
#if SOFTAX_PACKET_BYTES == 64
        if constexpr (sizeof(T) == 4) _mm512_mask_storeu_ps(p, mask, (__m512)raw);
        if constexpr (sizeof(T) == 8) _mm512_mask_storeu_pd(p, mask, (__m512d)raw);
#else
        if constexpr (sizeof(T) == 4) _mm256_maskstore_ps(p, (__m256i)mask, (__m256)raw);
        if constexpr (sizeof(T) == 8) _mm256_maskstore_pd(p, (__m256i)mask, (__m256d)raw);
#endif
    }

    /// 1 in the first live lanes, 0 in the others, 0 <= live <= lanes.
    EIGEN_ALWAYS_INLINE static packet ones(index_t live) noexcept { return load(ones_then_zeros<T> + (16 - live)); }

    friend EIGEN_ALWAYS_INLINE packet operator+(packet a, packet b) noexcept { return {a.raw + b.raw}; }
    friend EIGEN_ALWAYS_INLINE packet operator-(packet a, packet b) noexcept { return {a.raw - b.raw}; }
    friend EIGEN_ALWAYS_INLINE packet operator*(packet a, packet b) noexcept { return {a.raw * b.raw}; }
    friend EIGEN_ALWAYS_INLINE packet operator/(packet a, packet b) noexcept { return {a.raw / b.raw}; }

private:
    // To a half type it is to nearest, ties to even; a NaN keeps its upper bits and becomes quiet.
#if SOFTAX_PACKET_BYTES == 64
    EIGEN_ALWAYS_INLINE static packet widened(__m256i x, half) noexcept {
        return {(raw_type)_mm512_maskz_cvtph_ps(0xffff, x)};
    }
    EIGEN_ALWAYS_INLINE static packet widened(__m256i x, bfloat16) noexcept {
        return {(raw_type)((bits)_mm512_maskz_cvtepu16_epi32(0xffff, x) << 16)};
    }
    EIGEN_ALWAYS_INLINE __m256i narrowed(half) const noexcept {
        return _mm512_maskz_cvtps_ph(0xffff, (__m512)raw, _MM_FROUND_TO_NEAREST_INT);
    }
    EIGEN_ALWAYS_INLINE __m256i narrowed(bfloat16) const noexcept {
        return _mm512_maskz_cvtepi32_epi16(0xffff, (__m512i)upper_bits());
    }
#else
    EIGEN_ALWAYS_INLINE static packet widened(__m128i x, half) noexcept { return {(raw_type)_mm256_cvtph_ps(x)}; }
    EIGEN_ALWAYS_INLINE static packet widened(__m128i x, bfloat16) noexcept {
        return {(raw_type)((bits)_mm256_cvtepu16_epi32(x) << 16)};
    }
    EIGEN_ALWAYS_INLINE __m128i narrowed(half) const noexcept {
        return _mm256_cvtps_ph((__m256)raw, _MM_FROUND_TO_NEAREST_INT);
    }
    EIGEN_ALWAYS_INLINE __m128i narrowed(bfloat16) const noexcept {
        __m256i const v = (__m256i)upper_bits();
        return _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    }
#endif
    EIGEN_ALWAYS_INLINE bits upper_bits() const noexcept {
        bits const x = (bits)raw, whole = raw != raw ? x | 0x400000 : x + 0x7fff + ((x >> 16) & 1);
        return (bits)((unsigned_bits)whole >> 16);
    }

#if SOFTAX_PACKET_BYTES == 64
    using mask_type = std::conditional_t<sizeof(T) == 4, __mmask16, __mmask8>;
    EIGEN_ALWAYS_INLINE static mask_type mask_of(index_t live) noexcept {
        return static_cast<mask_type>((1u << live) - 1u);
    }
#else
    EIGEN_ALWAYS_INLINE static bits mask_of(index_t live) noexcept { return (bits)(ones(live).raw != raw_type{}); }
#endif
};

/// a * b + c, rounded once.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> madd(packet<T> a, packet<T> b, packet<T> c) noexcept {
    using raw = typename packet<T>::raw_type;
#if SOFTAX_PACKET_BYTES == 64
    if constexpr (sizeof(T) == 4) return {(raw)_mm512_fmadd_ps((__m512)a.raw, (__m512)b.raw, (__m512)c.raw)};
    if constexpr (sizeof(T) == 8) return {(raw)_mm512_fmadd_pd((__m512d)a.raw, (__m512d)b.raw, (__m512d)c.raw)};
#else
    if constexpr (sizeof(T) == 4) return {(raw)_mm256_fmadd_ps((__m256)a.raw, (__m256)b.raw, (__m256)c.raw)};
    if constexpr (sizeof(T) == 8) return {(raw)_mm256_fmadd_pd((__m256d)a.raw, (__m256d)b.raw, (__m256d)c.raw)};
#endif
}

/// The larger lane. Where a is NaN the result is NaN: the instruction gives its second operand then.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> max(packet<T> a, packet<T> b) noexcept {
    using raw = typename packet<T>::raw_type;
#if SOFTAX_PACKET_BYTES == 64
    if constexpr (sizeof(T) == 4) return {(raw)_mm512_maskz_max_ps(0xffff, (__m512)b.raw, (__m512)a.raw)};
    if constexpr (sizeof(T) == 8) return {(raw)_mm512_maskz_max_pd(0xff, (__m512d)b.raw, (__m512d)a.raw)};
#else
    if constexpr (sizeof(T) == 4) return {(raw)_mm256_max_ps((__m256)b.raw, (__m256)a.raw)};
    if constexpr (sizeof(T) == 8) return {(raw)_mm256_max_pd((__m256d)b.raw, (__m256d)a.raw)};
#endif
}

/// x where a and b differ, else 0.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> zero_where_equal(packet<T> x, packet<T> a, packet<T> b) noexcept {
    using bits = typename packet<T>::bits;
    return {(typename packet<T>::raw_type)((bits)x.raw & ~(bits)(a.raw == b.raw))};
}

/// m where abs(m) > limit, else 0; 0 where m is NaN.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> zero_unless_above(packet<T> m, packet<T> limit) noexcept {
    using bits = typename packet<T>::bits;
    bits const is_above = (bits)(m.raw > limit.raw) | (bits)(-m.raw > limit.raw);
    return {(typename packet<T>::raw_type)((bits)m.raw & is_above)};
}

/// As for Eigen's packets: keeps the optimizer from seeing through x where -ffast-math would let it.
template <class T>
EIGEN_ALWAYS_INLINE T opaque(T x) noexcept {
#ifdef __FAST_MATH__
    if constexpr (std::is_scalar_v<T>) {
        asm("" : "+x"(x));
    } else {
        asm("" : "+x"(x.raw));
    }
#endif
    return x;
}

/// The low bits of every lane moved to where the exponent is.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> power_of_low_bits(packet<T> x) noexcept {
    return {(typename packet<T>::raw_type)((typename packet<T>::bits)x.raw << (std::numeric_limits<T>::digits - 1))};
}

/// Writes x to an aligned place, past the caches.
template <class T>
EIGEN_ALWAYS_INLINE void store_past_caches(T* p, packet<T> x) noexcept {
#if SOFTAX_PACKET_BYTES == 64
    if constexpr (sizeof(T) == 4) _mm512_stream_ps(p, (__m512)x.raw);
    if constexpr (sizeof(T) == 8) _mm512_stream_pd(p, (__m512d)x.raw);
#else
    if constexpr (sizeof(T) == 4) _mm256_stream_ps(p, (__m256)x.raw);
    if constexpr (sizeof(T) == 8) _mm256_stream_pd(p, (__m256d)x.raw);
#endif
}

/// Whoever lets kernels in from outside of the region holds one: it clears the upper halves of vector registers, for which the SSE
/// instructions outside would wait. Compilers do so themselves from -O2 on, and not where packets are passed by value.
struct door {
    EIGEN_ALWAYS_INLINE ~door() { _mm256_zeroupper(); }
};

/// Asks for the cache line at p, which need not exist.
template <class T>
EIGEN_ALWAYS_INLINE void prefetch(T const* p) noexcept {
    __builtin_prefetch(p);
}

/// The same to write there.
template <class T>
EIGEN_ALWAYS_INLINE void prefetch_to(T* p) noexcept {
    __builtin_prefetch(p, 1);
}

SOFTAX_KERNELS_END
#endif
