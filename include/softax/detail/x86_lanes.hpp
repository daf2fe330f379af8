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

/// The largest lane; where one is NaN, any of them or NaN.
template <class T>
EIGEN_ALWAYS_INLINE T max_lane(packet<T> x) noexcept {
    typedef T half_type __attribute__((vector_size(SOFTAX_PACKET_BYTES / 2)));
    typedef T quarter_type __attribute__((vector_size(16)));
    half_type a, b;
    __builtin_memcpy(&a, &x.raw, sizeof a);
    __builtin_memcpy(&b, reinterpret_cast<char const*>(&x.raw) + sizeof a, sizeof b);
    a = a < b ? b : a;
    if constexpr (sizeof(half_type) > 16) {
        typedef T eighth __attribute__((vector_size(SOFTAX_PACKET_BYTES / 4)));
        eighth c, d;
        __builtin_memcpy(&c, &a, sizeof c);
        __builtin_memcpy(&d, reinterpret_cast<char const*>(&a) + sizeof c, sizeof d);
        c = c < d ? d : c;
        __builtin_memcpy(&a, &c, sizeof c);
    }
    quarter_type q;
    __builtin_memcpy(&q, &a, sizeof q);
    T largest = q[0];
    for (std::size_t i = 1; i < 16 / sizeof(T); ++i) largest = largest < q[i] ? q[i] : largest;
    return largest;
}

/// The lanes of x, added as a tree of halves.
template <class T>
EIGEN_ALWAYS_INLINE T sum_lane(packet<T> x) noexcept {
    typedef T half_type __attribute__((vector_size(SOFTAX_PACKET_BYTES / 2)));
    typedef T quarter_type __attribute__((vector_size(16)));
    half_type a, b;
    __builtin_memcpy(&a, &x.raw, sizeof a);
    __builtin_memcpy(&b, reinterpret_cast<char const*>(&x.raw) + sizeof a, sizeof b);
    a += b;
    if constexpr (sizeof(half_type) > 16) {
        typedef T eighth __attribute__((vector_size(SOFTAX_PACKET_BYTES / 4)));
        eighth c, d;
        __builtin_memcpy(&c, &a, sizeof c);
        __builtin_memcpy(&d, reinterpret_cast<char const*>(&a) + sizeof c, sizeof d);
        c += d;
        __builtin_memcpy(&a, &c, sizeof c);
    }
    quarter_type q;
    __builtin_memcpy(&q, &a, sizeof q);
    if constexpr (sizeof(T) == 8) return q[0] + q[1];
    if constexpr (sizeof(T) == 4) return (q[0] + q[2]) + (q[1] + q[3]);
}

SOFTAX_KERNELS_END
#endif
