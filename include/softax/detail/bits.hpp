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

/// y[0, n) = x[0, n), bytes, in words of Word bytes, the last of which overlap; n >= Word.
template <index_t Word>
EIGEN_ALWAYS_INLINE void copy_words(char* y, char const* x, index_t n) noexcept {
    for (index_t i = 0; i + Word < n; i += Word) std::memcpy(y + i, x + i, Word);
    std::memcpy(y + n - Word, x + n - Word, Word);
}

/// The same of any n: a call would take longer for few.
EIGEN_ALWAYS_INLINE void copy_bytes(char* y, char const* x, index_t n) noexcept {
    if (n < 8 || n > 64) return void(std::memcpy(y, x, static_cast<std::size_t>(n)));
    n < 16 ? copy_words<8>(y, x, n) : copy_words<16>(y, x, n);
}

/// A byte eight times.
EIGEN_ALWAYS_INLINE std::uint64_t eight_times(char x) noexcept {
    return std::uint64_t{static_cast<unsigned char>(x)} * 0x0101010101010101;
}

/// y[0, n) = x, a byte.
EIGEN_ALWAYS_INLINE void fill_bytes(char* y, char x, index_t n) noexcept {
    if (n < 8) return void(std::memset(y, x, static_cast<std::size_t>(n)));
    std::uint64_t const words[] = {eight_times(x), eight_times(x)};
    if (n < 16) {
        std::memcpy(y, words, 8);
        return void(std::memcpy(y + n - 8, words, 8));
    }
    using P = packet<double>;
    constexpr index_t bytes = sizeof(P);
    P const all = P::set(std::bit_cast<double>(words[0]));
    index_t i = 0;
    for (; i + bytes <= n; i += bytes) std::memcpy(y + i, &all.raw, bytes);
    for (; i + 16 < n; i += 16) std::memcpy(y + i, words, 16);
    std::memcpy(y + n - 16, words, 16);
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
