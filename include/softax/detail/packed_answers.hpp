// packed_answers: what masks say of up to 64 columns, transposed as bits.
//
// Of each eight columns a byte is made for each row, which takes a sum for each column and an eighth of the caches.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

#if defined(__GNUC__)
/// Vectors of so many bytes. A class, since types of vectors lose their size as arguments of templates.
template <int Size>
class byte_lanes {
public:
    typedef unsigned char bytes __attribute__((vector_size(Size)));

    EIGEN_ALWAYS_INLINE static bytes load(char const* x) noexcept {
        bytes all;
        std::memcpy(&all, x, sizeof all);
        return all;
    }

    /// Eight bytes of each lane of 16 of a between those of b, from the first or the eighth on.
    template <int First>
    EIGEN_ALWAYS_INLINE static bytes interleaved(bytes a, bytes b) noexcept {
        return interleaved<First>(a, b, std::make_integer_sequence<int, Size>());
    }

    /// The bits of a word from one on, as bytes.
    template <int First>
    EIGEN_ALWAYS_INLINE static bytes of_bits(std::uint64_t word) noexcept {
        return of_bits<First>(word, std::make_integer_sequence<int, Size>());
    }

private:
    typedef std::uint16_t pairs __attribute__((vector_size(Size)));
    typedef std::uint32_t fours __attribute__((vector_size(Size)));
    typedef std::uint64_t words __attribute__((vector_size(Size)));

    template <int First, int... I>
    EIGEN_ALWAYS_INLINE static bytes interleaved(bytes a, bytes b, std::integer_sequence<int, I...>) noexcept {
        return __builtin_shufflevector(a, b, (I / 16 * 16 + First + I % 16 / 2 + I % 2 * Size)...);
    }

    template <int First, int... I>
    EIGEN_ALWAYS_INLINE static bytes of_bits(std::uint64_t word, std::integer_sequence<int, I...>) noexcept {
        bytes const bit = {(1 << I % 8)...};
        bytes own = (bytes)(words{} + word);
        if constexpr (Size == 32) {
            own = __builtin_shufflevector(own, own, (I / 16 * 16 + (First + I) / 8)...);
        } else {
            // In steps for which SSE2 has instructions.
            constexpr int from = First / 32 * 4, next = First / 16 % 2 * 2;
            pairs const two = (pairs)interleaved<0>(own, own);
            fours const four = (fours)__builtin_shufflevector(two, two, from, from + 8, from + 1, from + 9, from + 2,
                                                              from + 10, from + 3, from + 11);
            own = (bytes)__builtin_shufflevector(four, four, next, next, next + 1, next + 1);
        }
        return (bytes)((own & bit) == bit) & 1;
    }
};

/// Answers that are bits of a word, from the lowest on, as bytes.
class answer_word {
    static constexpr int piece = packet_bytes >= 32 ? 32 : 16;

public:
    /// All 64.
    EIGEN_ALWAYS_INLINE static void expand(char* y, std::uint64_t word) noexcept {
#if SOFTAX_CHOICE_BYTES == 64
        _mm512_storeu_si512(y, _mm512_maskz_mov_epi8(word, _mm512_set1_epi8(1)));
#else
        expand(y, word, std::make_integer_sequence<int, 64 / piece>());
#endif
    }

    /// The first n >= 8.
    EIGEN_ALWAYS_INLINE static void expand(char* y, std::uint64_t word, index_t n) noexcept {
        if (n >= piece) return expand<piece, piece>(y, word, n);
        n >= 16 ? expand<16, 16>(y, word, n) : expand<8, 16>(y, word, n);
    }

private:
    /// In stores of so many bytes, the last of which overlap.
    template <index_t Stored, int Size>
    EIGEN_ALWAYS_INLINE static void expand(char* y, std::uint64_t word, index_t n) noexcept {
        for (index_t i = 0; i + Stored < n; i += Stored) store<Stored, Size, 0>(y + i, word >> i);
        store<Stored, Size, 0>(y + n - Stored, word >> (n - Stored));
    }
    template <int... I>
    EIGEN_ALWAYS_INLINE static void expand(char* y, std::uint64_t word, std::integer_sequence<int, I...>) noexcept {
        (store<piece, piece, I * piece>(y + I * piece, word), ...);
    }
    template <index_t Stored, int Size, int First>
    EIGEN_ALWAYS_INLINE static void store(char* y, std::uint64_t word) noexcept {
        auto const all = byte_lanes<Size>::template of_bits<First>(word);
        std::memcpy(y, &all, Stored);
    }
};
#endif

/// Rows of 8 to 64 columns. Bytes of eight columns are a run, so far from the next that 16 rows from any on may be read.
class packed_answers {
public:
    index_t rows, columns;

    static constexpr index_t longest = 1024;  // of which bits stay in a first-level cache

    /// Whether there is a way.
    static constexpr bool exists =
#if defined(__GNUC__)
        std::endian::native == std::endian::little;
#else
        false;
#endif

    /// Of at least 64 rows, from columns that are in runs, so far apart.
    void pack([[maybe_unused]] char* bits, [[maybe_unused]] index_t pitch, [[maybe_unused]] char const* x,
              [[maybe_unused]] index_t step) const noexcept {
#if defined(__GNUC__)
        for (index_t j = 0; j < columns; j += 8, bits += pitch, x += 8 * step) {
            j + 8 <= columns ? pack<true>(bits, x, step, 8) : pack<false>(bits, x, step, columns - j);
        }
#endif
    }

    /// To rows that are in runs, so far apart.
    void expand([[maybe_unused]] char* y, [[maybe_unused]] index_t step, [[maybe_unused]] char const* bits,
                [[maybe_unused]] index_t pitch) const noexcept {
#if defined(__GNUC__)
        index_t i = 0;
        for (; i + widest <= rows; i += widest) expand<widest>(y + i * step, step, bits + i, pitch, widest);
        for (; i < rows; i += 16) expand<16>(y + i * step, step, bits + i, pitch, std::min(rows - i, index_t{16}));
#endif
    }

#if defined(__GNUC__)
private:
    static constexpr index_t most = tile_bytes, eights = most / 8;
    static constexpr int widest = packet_bytes >= 64 ? 64 : packet_bytes >= 32 ? 32 : 16;

    template <bool AreEight>
    EIGEN_ALWAYS_INLINE void pack(char* bits, char const* x, index_t step, index_t n) const noexcept {
        using lanes = byte_lanes<widest>;
        for (index_t i = 0;; i = std::min(i + widest, rows - widest)) {
            // Each moves those after it up by one.
            index_t const last = AreEight ? 7 : n - 1;
            char const* from = x + i + last * step;
            auto all = lanes::load(from);
            SOFTAX_UNROLLED
            for (index_t k = 0; k < last; ++k) from -= step, all = all + all + lanes::load(from);
            std::memcpy(bits + i, &all, sizeof all);
            if (i == rows - widest) return;
        }
    }

    /// So many rows, of which as many as a vector has bytes are read.
    template <int Rows>
    void expand(char* y, index_t step, char const* bits, index_t pitch, index_t n) const noexcept {
        typename byte_lanes<Rows>::bytes a[eights], b[eights];
        index_t const last = (columns - 1) / 8;
        SOFTAX_UNROLLED
        for (index_t k = 0; k < eights; ++k) a[k] = byte_lanes<Rows>::load(bits + std::min(k, last) * pitch);
        // For each row a word: of each 16 rows the first two, of all; then the next two.
        interleave<Rows>(a, b), interleave<Rows>(b, a), interleave<Rows>(a, b);
        char const* const words = reinterpret_cast<char const*>(b);
        columns == most ? put<Rows, true>(y, step, words, n) : put<Rows, false>(y, step, words, n);
    }

    /// The bytes of the first half between those of the second.
    template <int Rows>
    EIGEN_ALWAYS_INLINE static void interleave(typename byte_lanes<Rows>::bytes const* from,
                                               typename byte_lanes<Rows>::bytes* to) noexcept {
        SOFTAX_UNROLLED
        for (index_t k = 0; k < eights / 2; ++k) {
            to[2 * k] = byte_lanes<Rows>::template interleaved<0>(from[k], from[k + eights / 2]);
            to[2 * k + 1] = byte_lanes<Rows>::template interleaved<8>(from[k], from[k + eights / 2]);
        }
    }

    template <int Rows, bool IsWhole>
    EIGEN_ALWAYS_INLINE void put(char* y, index_t step, char const* words, index_t n) const noexcept {
        for (index_t first = 0; first < n; first += 16, words += 16) {
            char const* from = words;
            for (index_t i = first; i < std::min(n, first + 16); ++i, y += step) {
                std::uint64_t word;
                std::memcpy(&word, from + i % 2 * 8, sizeof word);
                IsWhole ? answer_word::expand(y, word) : answer_word::expand(y, word, columns);
                from += i % 2 * Rows;
            }
        }
    }
#endif
};

SOFTAX_KERNELS_END
#endif
