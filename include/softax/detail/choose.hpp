// choose: one of two packets, lane by lane as bools in memory say.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set

// The bytes of packets for which there are instructions.
#if defined(SOFTAX_PACKET_BYTES)
#define SOFTAX_CHOICE_BYTES SOFTAX_PACKET_BYTES
#elif defined(EIGEN_DONT_VECTORIZE)
#define SOFTAX_CHOICE_BYTES 0
#elif defined(__AVX512BW__) && defined(__AVX512VL__)
#define SOFTAX_CHOICE_BYTES 64
#elif defined(__AVX2__) && !defined(__AVX512F__)
#define SOFTAX_CHOICE_BYTES 32
#elif defined(__SSE2__) && defined(__x86_64__) && !defined(__AVX512F__)
#define SOFTAX_CHOICE_BYTES 16
#else
#define SOFTAX_CHOICE_BYTES 0
#endif

SOFTAX_KERNELS_BEGIN

/// The first n bytes, 0 <= n <= 8, as a word from the lowest on, on little-endian machines; the others are 0. Reads nothing else.
EIGEN_ALWAYS_INLINE std::uint64_t first_bytes(void const* bytes, index_t n) noexcept {
    auto const* const p = static_cast<unsigned char const*>(bytes);
    if (n >= 4) {
        std::uint32_t low, high;
        std::memcpy(&low, p, sizeof low);
        std::memcpy(&high, p + n - 4, sizeof high);
        return low | std::uint64_t{high} << 8 * (n - 4);
    }
    if (n == 0) return 0;
    return p[0] | std::uint64_t{p[n / 2]} << 8 * (n / 2) | std::uint64_t{p[n - 1]} << 8 * (n - 1);
}

#if SOFTAX_CHOICE_BYTES > 0
/// A byte for each lane of a packet.
template <class P>
EIGEN_ALWAYS_INLINE __m128i lane_bytes(bool const* where) noexcept {
    auto const* const p = reinterpret_cast<__m128i const*>(where);
    if constexpr (P::lanes == 16) return _mm_loadu_si128(p);
    if constexpr (P::lanes == 8) return _mm_loadl_epi64(p);
    if constexpr (P::lanes == 4) return _mm_loadu_si32(p);
    if constexpr (P::lanes == 2) return _mm_loadu_si16(p);
}

/// The same of the first live lanes, the others 0. Reads nothing else.
template <class P>
EIGEN_ALWAYS_INLINE __m128i lane_bytes(bool const* where, index_t live) noexcept {
    if (live == P::lanes) return lane_bytes<P>(where);
#if SOFTAX_CHOICE_BYTES == 64
    return _mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << live) - 1u), where);
#else
    return _mm_cvtsi64_si128(static_cast<long long>(first_bytes(where, live)));
#endif
}

#if SOFTAX_CHOICE_BYTES == 32
/// All bits of lanes of which the byte is not 0.
template <class T>
EIGEN_ALWAYS_INLINE auto live_lanes(__m128i bytes) noexcept {
    __m256i const zero = _mm256_setzero_si256();
    if constexpr (sizeof(T) == 4) return (__m256)_mm256_cmpgt_epi32(_mm256_cvtepu8_epi32(bytes), zero);
    if constexpr (sizeof(T) == 8) return (__m256d)_mm256_cmpgt_epi64(_mm256_cvtepu8_epi64(bytes), zero);
}
#endif

/// Lane by lane x where a byte is not 0, else other.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> chosen_by_bytes(__m128i bytes, packet<T> x, packet<T> other) noexcept {
    using raw = typename packet<T>::raw_type;
#if SOFTAX_CHOICE_BYTES == 64
    __mmask16 const mask = _mm_test_epi8_mask(bytes, bytes);
    if constexpr (sizeof(T) == 4) return {(raw)_mm512_mask_blend_ps(mask, (__m512)other.raw, (__m512)x.raw)};
    auto const half = static_cast<__mmask8>(mask);
    if constexpr (sizeof(T) == 8) return {(raw)_mm512_mask_blend_pd(half, (__m512d)other.raw, (__m512d)x.raw)};
#elif SOFTAX_CHOICE_BYTES == 16
    __m128i const zero = _mm_setzero_si128();
    __m128i const left = _mm_cmpeq_epi32(_mm_unpacklo_epi16(_mm_unpacklo_epi8(bytes, zero), zero), zero);
    if constexpr (sizeof(T) == 4) {
        __m128 const all = _mm_castsi128_ps(left);
        return {(raw)_mm_or_ps(_mm_and_ps(all, (__m128)other.raw), _mm_andnot_ps(all, (__m128)x.raw))};
    } else {
        __m128d const all = _mm_castsi128_pd(_mm_unpacklo_epi32(left, left));
        return {(raw)_mm_or_pd(_mm_and_pd(all, (__m128d)other.raw), _mm_andnot_pd(all, (__m128d)x.raw))};
    }
#else
    // A blend is one instruction inside on AMD, two on Intel, three on its newest. Without it there are four for three: masked panels
    // of softmax take 1.05 times as long (AMD Zen 5).
    if constexpr (sizeof(T) == 4)
        return {(raw)_mm256_blendv_ps((__m256)other.raw, (__m256)x.raw, live_lanes<T>(bytes))};
    if constexpr (sizeof(T) == 8)
        return {(raw)_mm256_blendv_pd((__m256d)other.raw, (__m256d)x.raw, live_lanes<T>(bytes))};
#endif
}
#endif

/// Lane by lane x where the mask is true, else other.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> chosen(bool const* where, packet<T> x, packet<T> other) noexcept {
    using P = packet<T>;
    [[maybe_unused]] constexpr std::size_t bytes = sizeof(typename P::raw_type);
#if SOFTAX_CHOICE_BYTES > 0
    if constexpr (bytes == SOFTAX_CHOICE_BYTES) return chosen_by_bytes(lane_bytes<P>(where), x, other);
#endif
#if defined(__GNUC__)
    if constexpr (P::lanes > 1 && bytes != SOFTAX_CHOICE_BYTES) {
        using integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
        typedef integer vector __attribute__((vector_size(bytes)));
        typedef unsigned char bytes_type __attribute__((vector_size(P::lanes)));
        bytes_type some;
        std::memcpy(&some, where, sizeof some);
        vector const mask = __builtin_convertvector(some, vector) != 0;
        return {(typename P::raw_type)(((vector)x.raw & mask) | ((vector)other.raw & ~mask))};
    }
#endif
    alignas(64) T lane[2 * P::lanes];
    x.store(lane);
    other.store(lane + P::lanes);
    for (index_t i = 0; i < P::lanes; ++i) lane[i] = lane[where[i] ? i : i + P::lanes];
    return P::load(lane);
}

/// The same with an answer for the first live lanes only, 1 <= live <= lanes; the others are other. Reads nothing else.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> chosen(bool const* where, index_t live, packet<T> x, packet<T> other) noexcept {
    using P = packet<T>;
    if (live == P::lanes) return chosen(where, x, other);
#if SOFTAX_CHOICE_BYTES > 0
    if constexpr (sizeof(typename P::raw_type) == SOFTAX_CHOICE_BYTES)
        return chosen_by_bytes(lane_bytes<P>(where, live), x, other);
#endif
    bool some[P::lanes];
    for (index_t k = 0; k < P::lanes; ++k) some[k] = k < live && where[k];
    return chosen(some, x, other);
}

/// x where the mask is false, else 0; lanes beyond the first live ones are x.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> zero_where_left(packet<T> x, bool const* where, index_t live) noexcept {
#if SOFTAX_CHOICE_BYTES == 32
    // One of the two instructions of a blend on Intel.
    using P = packet<T>;
    using raw = typename P::raw_type;
    if constexpr (sizeof(raw) == 32 && sizeof(T) == 4)
        return {(raw)_mm256_andnot_ps(live_lanes<T>(lane_bytes<P>(where, live)), (__m256)x.raw)};
    if constexpr (sizeof(raw) == 32 && sizeof(T) == 8)
        return {(raw)_mm256_andnot_pd(live_lanes<T>(lane_bytes<P>(where, live)), (__m256d)x.raw)};
#endif
    return chosen(where, live, packet<T>::set(T(0)), x);
}

#if SOFTAX_CHOICE_BYTES == 64
/// A bit for each lane that a mask leaves out, and for those beyond the first live ones. Reads nothing else.
template <class T>
EIGEN_ALWAYS_INLINE std::uint16_t lanes_left_out(bool const* where, index_t live) noexcept {
    __m128i const bytes = lane_bytes<packet<T>>(where, live);
    return _mm_testn_epi8_mask(bytes, bytes);
}

/// Lane by lane other where a bit is set, else x, which is loaded whole: loads under a mask teach a prefetcher nothing, and masked
/// logsumexp of 10,000 rows of 10,000 takes 1.7 times as long (AMD Zen 5).
template <class T>
EIGEN_ALWAYS_INLINE packet<T> replaced(std::uint16_t lanes, packet<T> x, packet<T> other) noexcept {
    using raw = typename packet<T>::raw_type;
    if constexpr (sizeof(T) == 4) return {(raw)_mm512_mask_blend_ps(lanes, (__m512)x.raw, (__m512)other.raw)};
    auto const half = static_cast<__mmask8>(lanes);
    if constexpr (sizeof(T) == 8) return {(raw)_mm512_mask_blend_pd(half, (__m512d)x.raw, (__m512d)other.raw)};
}
#endif

SOFTAX_KERNELS_END
#endif
