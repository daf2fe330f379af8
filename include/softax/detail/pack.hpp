// pack: a few packets that take every step of a calculation together, so that one works while another waits.
//
// A processor looks ahead less far than a chain of wide steps is long: one row of 32,000 takes .86 of the time with four
// packets abreast, rows of 1,000 take .91 with two (AVX-512). Narrow packets gain nothing and lack the registers.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T, index_t Count>
struct halves;

/// Count packets, a power of two.
template <class T, index_t Count>
using pack = std::conditional_t<Count == 1, packet<T>, halves<T, Count>>;

/// In halves, since compilers keep a structure in registers, an array not always.
template <class T, index_t Count>
struct halves {
    using half = pack<T, Count / 2>;

    half low, high;

    EIGEN_ALWAYS_INLINE halves(half a, half b) noexcept : low(a), high(b) {}
    /// The same packet everywhere.
    EIGEN_ALWAYS_INLINE halves(packet<T> p) noexcept : low(p), high(p) {}

    friend EIGEN_ALWAYS_INLINE halves operator-(halves a, halves b) noexcept {
        return {a.low - b.low, a.high - b.high};
    }
    friend EIGEN_ALWAYS_INLINE halves operator*(halves a, halves b) noexcept {
        return {a.low * b.low, a.high * b.high};
    }
    friend EIGEN_ALWAYS_INLINE halves madd(halves a, halves b, halves c) noexcept {
        return {madd(a.low, b.low, c.low), madd(a.high, b.high, c.high)};
    }
    friend EIGEN_ALWAYS_INLINE halves max(halves a, halves b) noexcept {
        return {max(a.low, b.low), max(a.high, b.high)};
    }
    friend EIGEN_ALWAYS_INLINE halves opaque(halves a) noexcept { return {opaque(a.low), opaque(a.high)}; }
    friend EIGEN_ALWAYS_INLINE halves power_of_low_bits(halves a) noexcept {
        return {power_of_low_bits(a.low), power_of_low_bits(a.high)};
    }
};

/// p[0, Count) as a pack.
template <index_t Count, class T>
EIGEN_ALWAYS_INLINE pack<T, Count> pack_of(packet<T> const* p) noexcept {
    if constexpr (Count == 1) {
        return *p;
    } else {
        return {pack_of<Count / 2>(p), pack_of<Count / 2>(p + Count / 2)};
    }
}

/// The packets of a pack into to.
template <class T>
EIGEN_ALWAYS_INLINE void unpack(packet<T>* to, packet<T> p) noexcept {
    *to = p;
}

template <class T, index_t Count>
EIGEN_ALWAYS_INLINE void unpack(packet<T>* to, halves<T, Count> p) noexcept {
    unpack(to, p.low);
    unpack(to + Count / 2, p.high);
}

SOFTAX_KERNELS_END
#endif
