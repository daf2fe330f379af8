// x86_lanes: what packets of x86.hpp do across lanes.
#ifdef SOFTAX_PACKET_BYTES  // targets.hpp includes this once for each region
SOFTAX_KERNELS_BEGIN

/// a0 b0 a1 b1 ... of the lower halves of a and b (First 0) or the upper ones (First lanes / 2).
template <std::size_t First, class T, std::size_t... I>
EIGEN_ALWAYS_INLINE packet<T> interleaved(packet<T> a, packet<T> b, std::index_sequence<I...>) noexcept {
    constexpr std::size_t lanes = sizeof...(I);
    return {__builtin_shufflevector(a.raw, b.raw, static_cast<int>(First + I / 2 + (I % 2 ? lanes : 0))...)};
}

/// One perfect shuffle of all rows, written out, since -O2 unrolls nothing and the rows belong in registers.
template <class T, std::size_t... I>
EIGEN_ALWAYS_INLINE void shuffle_rows(packet<T> (&rows)[packet<T>::lanes], std::index_sequence<I...> all) noexcept {
    constexpr std::size_t half = sizeof...(I) / 2;
    packet<T> const next[] = {interleaved < I % 2 ? half : 0 > (rows[I / 2], rows[I / 2 + half], all)...};
    ((rows[I] = next[I]), ...);
}

/// Lane j of row i <-> lane i of row j: each perfect shuffle moves one bit of the lane into the row.
template <class T, index_t Bit = 1>
EIGEN_ALWAYS_INLINE void transpose(packet<T> (&rows)[packet<T>::lanes]) noexcept {
    shuffle_rows(rows, std::make_index_sequence<static_cast<std::size_t>(packet<T>::lanes)>{});
    if constexpr (2 * Bit < packet<T>::lanes) transpose<T, 2 * Bit>(rows);
}

/// a0 a2 ... b0 b2 ...
template <class T, std::size_t... I>
EIGEN_ALWAYS_INLINE packet<T> every_second(packet<T> a, packet<T> b, std::index_sequence<I...>) noexcept {
    return {__builtin_shufflevector(a.raw, b.raw, static_cast<int>(2 * I)...)};
}

template <class T>
EIGEN_ALWAYS_INLINE packet<T> every_second(packet<T> a, packet<T> b) noexcept {
    return every_second(a, b, std::make_index_sequence<static_cast<std::size_t>(packet<T>::lanes)>{});
}

/// How two lanes, or vectors of them, become one.
struct larger {
    template <class V>
    EIGEN_ALWAYS_INLINE static V of(V a, V b) noexcept {
        return a < b ? b : a;
    }
};

struct added {
    template <class V>
    EIGEN_ALWAYS_INLINE static V of(V a, V b) noexcept {
        return a + b;
    }
};

/// The lower and the upper half of some lanes as one.
template <class Combine, class V, std::size_t... I>
EIGEN_ALWAYS_INLINE auto folded(V x, std::index_sequence<I...>) noexcept {
    constexpr std::size_t half = sizeof...(I);
    return Combine::of(__builtin_shufflevector(x, x, I...), __builtin_shufflevector(x, x, (half + I)...));
}

/// All lanes of x as one, as a tree of halves.
template <class Combine, class V>
EIGEN_ALWAYS_INLINE auto folded_lanes(V x) noexcept {
    using T = std::remove_reference_t<decltype(x[0])>;
    if constexpr (sizeof(V) > 16) {
        return folded_lanes<Combine>(folded<Combine>(x, std::make_index_sequence<sizeof(V) / 2 / sizeof(T)>()));
    } else if constexpr (sizeof(T) == 8) {
        return Combine::of(x[0], x[1]);
    } else {
        return Combine::of(Combine::of(x[0], x[2]), Combine::of(x[1], x[3]));
    }
}

/// The largest lane; where one is NaN, any of them or NaN.
template <class T>
EIGEN_ALWAYS_INLINE T max_lane(packet<T> x) noexcept {
    return folded_lanes<larger>(x.raw);
}

/// Whether a lane is above 0.
template <class T>
EIGEN_ALWAYS_INLINE bool has_positive(packet<T> x) noexcept {
#if SOFTAX_PACKET_BYTES == 64
    if constexpr (sizeof(T) == 4) return _mm512_cmp_ps_mask((__m512)x.raw, __m512{}, _CMP_GT_OQ) != 0;
    if constexpr (sizeof(T) == 8) return _mm512_cmp_pd_mask((__m512d)x.raw, __m512d{}, _CMP_GT_OQ) != 0;
#else
    auto const is_above = x.raw > typename packet<T>::raw_type{};
    if constexpr (sizeof(T) == 4) return _mm256_movemask_ps((__m256)is_above) != 0;
    if constexpr (sizeof(T) == 8) return _mm256_movemask_pd((__m256d)is_above) != 0;
#endif
}

/// The lanes of x, added.
template <class T>
EIGEN_ALWAYS_INLINE T sum_lane(packet<T> x) noexcept {
    return folded_lanes<added>(x.raw);
}

SOFTAX_KERNELS_END
#endif
