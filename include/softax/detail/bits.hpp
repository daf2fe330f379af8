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

#if defined(__GNUC__)
/// Eight rows of eight bytes.
class byte_square {
    typedef std::uint64_t two __attribute__((vector_size(16)));
    typedef unsigned char bytes __attribute__((vector_size(16)));

public:
    EIGEN_ALWAYS_INLINE static byte_square load(void const* p, index_t row) noexcept {
        auto const* const at = static_cast<char const*>(p);
        return {two_rows(at, row), two_rows(at + 2 * row, row), two_rows(at + 4 * row, row),
                two_rows(at + 6 * row, row)};
    }

    EIGEN_ALWAYS_INLINE void store(void* p, index_t row) const noexcept {
        auto* const at = static_cast<char*>(p);
        store_rows(first_, at, row), store_rows(second_, at + 2 * row, row);
        store_rows(third_, at + 4 * row, row), store_rows(fourth_, at + 6 * row, row);
    }

    /// A place has three bits for the row and three for the column; each step moves every bit up, the last one down.
    EIGEN_ALWAYS_INLINE byte_square transposed() const noexcept { return interleaved().interleaved().interleaved(); }

private:
    EIGEN_ALWAYS_INLINE byte_square(bytes a, bytes b, bytes c, bytes d) noexcept
        : first_(a), second_(b), third_(c), fourth_(d) {}

    /// The bytes of the first half between those of the second.
    EIGEN_ALWAYS_INLINE byte_square interleaved() const noexcept {
        return {low(first_, third_), high(first_, third_), low(second_, fourth_), high(second_, fourth_)};
    }
    EIGEN_ALWAYS_INLINE static bytes low(bytes a, bytes b) noexcept {
        return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    }
    EIGEN_ALWAYS_INLINE static bytes high(bytes a, bytes b) noexcept {
        return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }

    EIGEN_ALWAYS_INLINE static bytes two_rows(char const* p, index_t row) noexcept {
        std::uint64_t a, b;
        std::memcpy(&a, p, sizeof a);
        std::memcpy(&b, p + row, sizeof b);
        return (bytes)two{a, b};
    }
    EIGEN_ALWAYS_INLINE static void store_rows(bytes rows, char* p, index_t row) noexcept {
        std::uint64_t const a = ((two)rows)[0], b = ((two)rows)[1];
        std::memcpy(p, &a, sizeof a);
        std::memcpy(p + row, &b, sizeof b);
    }

    bytes first_, second_, third_, fourth_;
};
#endif

SOFTAX_KERNELS_END
#endif
