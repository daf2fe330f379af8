// bits: elements of any type, moved as bits in packets.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The floating type of as many bits, in whose packets elements can be moved.
template <class T>
using carrier = std::conditional_t<std::is_floating_point_v<T>, T, std::conditional_t<sizeof(T) == 4, float, double>>;

/// As many elements as a packet has lanes, as bits.
template <class T>
EIGEN_ALWAYS_INLINE packet<carrier<T>> load_bits(T const* p) noexcept {
    packet<carrier<T>> x;
    std::memcpy(&x.raw, p, sizeof x.raw);
    return x;
}
template <class T>
EIGEN_ALWAYS_INLINE void store_bits(packet<carrier<T>> x, T* p) noexcept {
    std::memcpy(p, &x.raw, sizeof x.raw);
}

SOFTAX_KERNELS_END
#endif
