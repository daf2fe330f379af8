// conversions: elements of any type on their way between memory and packets.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// A packet of elements, converted.
template <class T, class From>
EIGEN_ALWAYS_INLINE packet<T> load_as(From const* p) noexcept {
    using P = packet<T>;
    if constexpr (std::same_as<From, T> || is_half_type<From>) {
        return P::load(p);
    } else {
#if defined(__GNUC__)
        if constexpr (P::lanes > 1 && sizeof(T) == 4 && sizeof(From) <= 2) {
            // bool and the characters have no vectors of their own. By steps, for which there are instructions.
            constexpr bool is_signed = std::is_signed_v<From>;
            using two_bytes = std::conditional_t<is_signed, std::int16_t, std::uint16_t>;
            using byte = std::conditional_t<is_signed, std::int8_t, std::uint8_t>;
            using number = std::conditional_t<sizeof(From) == 2, two_bytes, byte>;
            typedef number small __attribute__((vector_size(P::lanes * sizeof(From))));
            typedef two_bytes middle __attribute__((vector_size(P::lanes * 2)));
            typedef std::int32_t large __attribute__((vector_size(P::lanes * 4)));
            typedef T real __attribute__((vector_size(P::lanes * 4)));
            small some;
            std::memcpy(&some, p, sizeof some);
            large const whole = __builtin_convertvector(__builtin_convertvector(some, middle), large);
            return {(typename P::raw_type) __builtin_convertvector(whole, real)};
        }
#endif
        T some[P::lanes];
        for (index_t k = 0; k < P::lanes; ++k) some[k] = static_cast<T>(p[k]);
        return P::load(some);
    }
}

/// to[0, n) = from[0, n), 0 <= n < Lanes <= 16, in two pieces of fixed length, which may overlap.
template <index_t Lanes, class H>
    requires is_half_type<H>
EIGEN_ALWAYS_INLINE void copy_some(H* to, H const* from, index_t n) noexcept {
    auto const copy = [=](auto count) {
        std::memcpy(static_cast<void*>(to), from, count * sizeof(H));
        std::memcpy(static_cast<void*>(to + n - count), from + n - count, count * sizeof(H));
    };
    if constexpr (Lanes > 8) {
        if (n >= 8) return copy(std::integral_constant<index_t, 8>());
    }
    if constexpr (Lanes > 4) {
        if (n >= 4) return copy(std::integral_constant<index_t, 4>());
    }
    for (index_t l = 0; l < n; ++l) to[l] = from[l];
}

/// The first n lanes from memory, converted; the others are 0. Reads nothing else.
template <class T, class E>
EIGEN_ALWAYS_INLINE packet<T> fetch(E const* p, index_t n) noexcept {
    using P = packet<T>;
    if constexpr (std::same_as<E, T>) {
        return P::load(p, n, T(0));
    } else if constexpr (requires { P::load(p, n); }) {
        return P::load(p, n);
    } else {
        if (n == P::lanes) return P::load(p);
        alignas(64) E some[P::lanes] = {};
        copy_some<P::lanes>(some, p, n);
        return P::load(some);
    }
}

/// The first n lanes to memory, converted. Writes nothing else.
template <class T, class Out>
EIGEN_ALWAYS_INLINE void put(packet<T> x, Out* p, index_t n) noexcept {
    if constexpr (requires { x.store(p, n); }) {
        x.store(p, n);
    } else {
        if (n == packet<T>::lanes) return x.store(p);
        alignas(64) Out some[packet<T>::lanes];
        x.store(some);
        copy_some<packet<T>::lanes>(p, some, n);
    }
}

/// One element, converted: where there are instructions for half, by these.
template <class To, class From>
EIGEN_ALWAYS_INLINE To converted(From x) noexcept {
#if defined(SOFTAX_PACKET_BYTES) || (defined(__F16C__) && !defined(EIGEN_DONT_VECTORIZE))
    if constexpr (std::same_as<From, half> && std::same_as<To, float>) {
        return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(std::bit_cast<std::uint16_t>(x))));
    } else if constexpr (std::same_as<From, float> && std::same_as<To, half>) {
        return std::bit_cast<half>(static_cast<std::uint16_t>(_mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(x), 0))));
    }
#endif
    return static_cast<To>(x);
}

SOFTAX_KERNELS_END
#endif
