// bytes: what masks say, moved as bytes: copied and repeated.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The bytes of a packet of any type.
inline constexpr index_t packet_bytes = sizeof(packet<double>::raw_type);

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

/// A packet of one byte.
EIGEN_ALWAYS_INLINE packet<double> packet_of(char x) noexcept {
    return packet<double>::set(std::bit_cast<double>(eight_times(x)));
}

/// y[0, n) = x, a byte.
EIGEN_ALWAYS_INLINE void fill_bytes(char* y, char x, index_t n) noexcept {
    if (n >= 4 && n <= 8) {
        std::uint64_t const word = eight_times(x);
        std::memcpy(y, &word, 4);
        return void(std::memcpy(y + n - 4, &word, 4));
    }
    if (n < packet_bytes) return void(std::memset(y, x, static_cast<std::size_t>(n)));
    auto const all = packet_of(x);
    for (index_t i = 0; i + packet_bytes < n; i += packet_bytes) std::memcpy(y + i, &all.raw, packet_bytes);
    std::memcpy(y + n - packet_bytes, &all.raw, packet_bytes);
}

#if SOFTAX_CHOICE_BYTES >= 32
/// The first of the rows of fill_rows, of 2 to 15 bytes each, looked up 32 bytes at a time in answers that are neighbours; how many
/// they are.
class row_filler {
    static constexpr index_t bytes = 32;

public:
    static constexpr index_t least = 3 * bytes;

    explicit row_filler(index_t n) noexcept : n_(n) {
        // After so many rows, n of those bytes, it is the same again. What is written too much belongs to the next.
        for (index_t k = 0; k < bytes; ++k)
            _mm_storeu_si128(reinterpret_cast<__m128i*>(from_ + k * n), _mm_set1_epi8(static_cast<char>(k)));
        for (index_t k = 0; k < n; ++k) {
            auto* const own = reinterpret_cast<__m256i*>(from_ + k * bytes);
            first_[k] = from_[k * bytes];
            *own = _mm256_sub_epi8(*own, _mm256_set1_epi8(static_cast<char>(first_[k])));
        }
    }

    index_t operator()(char* y, char const* x, index_t rows) const noexcept {
        index_t i = 0;
        for (; i + bytes + 16 <= rows; i += bytes) {
            for (index_t k = 0; k < n_; ++k, y += bytes) {
                __m128i const some = _mm_loadu_si128(reinterpret_cast<__m128i const*>(x + i + first_[k]));
                __m256i const at = _mm256_load_si256(reinterpret_cast<__m256i const*>(from_ + k * bytes));
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(y),
                                    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(some), at));
            }
        }
        return i;
    }

private:
    index_t n_, first_[16];
    alignas(bytes) char from_[16 * bytes];
};
#endif

/// Rows of n bytes that follow one another in y, each filled with a byte, these step apart in x. What is written too much belongs to
/// the next rows.
inline void fill_rows(char* y, char const* x, index_t step, index_t rows, index_t n) noexcept {
    index_t const all = rows * n;
    index_t i = 0;
#if SOFTAX_CHOICE_BYTES >= 32
    if (step == 1 && n > 1 && n < 16 && rows >= row_filler::least) i = row_filler(n)(y, x, rows);
#endif
    for (; n <= 8 && i * n + 8 <= all; ++i) {
        std::uint64_t const word = eight_times(x[i * step]);
        std::memcpy(y + i * n, &word, 8);
    }
    for (; n > 8 && n <= packet_bytes && i * n + packet_bytes <= all; ++i) {
        auto const row = packet_of(x[i * step]);
        std::memcpy(y + i * n, &row.raw, packet_bytes);
    }
    for (; i < rows; ++i) fill_bytes(y + i * n, x[i * step], n);
}

/// The same, each a copy of x[0, n): as many together as a packet holds.
inline void repeat_row(char* y, char const* x, index_t rows, index_t n) noexcept {
    index_t const all = rows * n, together = packet_bytes / n * n;
    index_t have = 0;
    std::uint64_t word = 0;
    if (n <= 8) std::memcpy(&word, x, static_cast<std::size_t>(n));
    if (n <= 8 && all <= 2 * packet_bytes) {
        for (; have + 8 <= all; have += n) std::memcpy(y + have, &word, 8);
        for (; have < all; have += n) std::memcpy(y + have, &word, static_cast<std::size_t>(n));
        return;
    }
    if (together > 0 && all >= packet_bytes) {
        char some[packet_bytes + 8] = {};
        for (; have < together; have += n)
            n <= 8 ? void(std::memcpy(some + have, &word, 8)) : copy_bytes(some + have, x, n);
        for (have = 0; have + packet_bytes <= all; have += together) std::memcpy(y + have, some, packet_bytes);
    } else {
        copy_bytes(y, x, n);
        have = n;
    }
    // What there is once more, and so on.
    for (; have < all; have *= 2) std::memcpy(y + have, y, static_cast<std::size_t>(std::min(have, all - have)));
}

SOFTAX_KERNELS_END
#endif
