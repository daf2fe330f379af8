// byte_squares: what masks say, transposed: 8 rows of 8 bytes, 16 of 16 in each lane of a packet, or 64 of 64 as bits.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

#if SOFTAX_CHOICE_BYTES == 64
/// Up to 64 rows of answers in 64 columns, transposed as bits: .4 of the time of bytes in squares of 8.
class answer_square {
public:
    static constexpr index_t most = 64;

    index_t rows, columns;

    /// Element (i, j) of y, rows of which are in runs, from that of x, columns of which are.
    void transpose(bool* y, index_t y_row, bool const* x, index_t x_column) const noexcept {
        alignas(64) std::uint64_t bits[most];
        bool const is_whole = rows == most && columns == most;
        is_whole ? take_bits<true>(bits, x, x_column) : take_bits<false>(bits, x, x_column);
        columns == most ? put_bits<true>(y, y_row, bits) : put_bits<false>(y, y_row, bits);
    }

private:
    static std::uint64_t first(index_t n) noexcept { return ~std::uint64_t{0} >> (most - n); }

    /// For each row a word: of each 16 rows the first two, of all; then the next two.
    template <bool IsWhole>
    void take_bits(std::uint64_t* bits, bool const* x, index_t x_column) const noexcept {
        __mmask64 const live = first(rows);
        __m512i a[8], b[8];
        SOFTAX_UNROLLED
        for (index_t k = 0; k < 8; ++k) {
            // Each moves those after it up by one.
            index_t const some = IsWhole ? 8 : std::min(columns - 8 * k, index_t{8});
            bool const* last = x + (8 * k + some - 1) * x_column;
            __m512i eight = _mm512_setzero_si512();
            SOFTAX_UNROLLED
            for (index_t j = 0; j < some; ++j, last -= x_column)
                eight = _mm512_add_epi8(_mm512_add_epi8(eight, eight),
                                        IsWhole ? _mm512_loadu_si512(last) : _mm512_maskz_loadu_epi8(live, last));
            a[k] = eight;
        }
        interleave(a, b), interleave(b, a), interleave(a, reinterpret_cast<__m512i*>(bits));
    }

    template <bool IsWhole>
    static void put(bool* y, __mmask64 live, __m512i row) noexcept {
        IsWhole ? _mm512_storeu_si512(y, row) : _mm512_mask_storeu_epi8(y, live, row);
    }

    template <bool IsWhole>
    void put_bits(bool* y, index_t y_row, std::uint64_t const* bits) const noexcept {
        __mmask64 const live = first(columns);
        __m512i const one = _mm512_set1_epi8(1);
        for (index_t first = 0; first < rows; first += 16) {
            std::uint64_t const* words = bits + first / 8;
            index_t const end = std::min(rows - first, index_t{16});
            for (index_t i = 0; i < end; i += 2, words += 8, y += 2 * y_row) {
                put<IsWhole>(y, live, _mm512_maskz_mov_epi8(words[0], one));
                if (i + 1 < end) put<IsWhole>(y + y_row, live, _mm512_maskz_mov_epi8(words[1], one));
            }
        }
    }

    /// The bytes of the first half between those of the second.
    static void interleave(__m512i const* from, __m512i* to) noexcept {
        SOFTAX_UNROLLED
        for (index_t k = 0; k < 4; ++k) {
            to[2 * k] = _mm512_unpacklo_epi8(from[k], from[k + 4]);
            to[2 * k + 1] = _mm512_unpackhi_epi8(from[k], from[k + 4]);
        }
    }
};
#endif

/// y = x, an answer (i, j) of which lies at x[i + j * x_column] and at y[i * y_row + j]. Whether there is a way.
inline bool transpose_answers([[maybe_unused]] lattice<bool> const& y, [[maybe_unused]] lattice<bool const> const& x,
                              [[maybe_unused]] index_t rows, [[maybe_unused]] index_t columns) noexcept {
#if SOFTAX_CHOICE_BYTES == 64
    constexpr index_t most = answer_square::most;
    for (index_t i = 0; i < rows; i += most) {
        for (index_t j = 0; j < columns; j += most) {
            // The last columns overlap those before.
            index_t const column = columns < most ? 0 : std::min(j, columns - most);
            answer_square const square = {std::min(rows - i, most), std::min(columns - column, most)};
            square.transpose(&y(i, column), y.row, &x(i, column), x.column);
        }
    }
    return true;
#else
    return false;
#endif
}

#if defined(__GNUC__)
/// Squares of 16 bytes side by side, as many as a packet has lanes.
template <index_t Lanes>
class byte_squares {
    typedef unsigned char bytes __attribute__((vector_size(16 * Lanes)));

public:
    static constexpr index_t rows = 16, columns = 16 * Lanes;

    EIGEN_ALWAYS_INLINE static void transpose(char* y, index_t y_row, char const* x, index_t x_row) noexcept {
        bytes row[rows];
        SOFTAX_UNROLLED
        for (index_t i = 0; i < rows; ++i) std::memcpy(&row[i], x + i * x_row, columns);
        // A place has four bits for the row and four for the column; each step moves every bit up, the last one down.
        bytes a[rows], b[rows];
        interleave(row, a), interleave(a, b), interleave(b, a), interleave(a, b);
        SOFTAX_UNROLLED
        for (index_t i = 0; i < rows; ++i) {
            store(b[i], y + i * y_row, rows * y_row, std::make_integer_sequence<int, Lanes>());
        }
    }

private:
    /// The rows of the first half between those of the second.
    EIGEN_ALWAYS_INLINE static void interleave(bytes const* from, bytes* to) noexcept {
        SOFTAX_UNROLLED
        for (index_t i = 0; i < rows / 2; ++i) {
            to[2 * i] = interleaved<0>(from[i], from[i + rows / 2]);
            to[2 * i + 1] = interleaved<8>(from[i], from[i + rows / 2]);
        }
    }

    /// The lanes of a packet, so far apart.
    template <int... L>
    EIGEN_ALWAYS_INLINE static void store(bytes b, char* y, index_t apart, std::integer_sequence<int, L...>) noexcept {
        (store<L>(b, y + L * apart, std::make_integer_sequence<int, 16>()), ...);
    }
    template <int L, int... I>
    EIGEN_ALWAYS_INLINE static void store(bytes b, char* y, std::integer_sequence<int, I...>) noexcept {
        auto const lane = __builtin_shufflevector(b, b, (16 * L + I)...);
        std::memcpy(y, &lane, sizeof lane);
    }

    /// Eight bytes of each lane of a between those of b.
    template <int First>
    EIGEN_ALWAYS_INLINE static bytes interleaved(bytes a, bytes b) noexcept {
        return interleaved<First>(a, b, std::make_integer_sequence<int, 16 * Lanes>());
    }
    template <int First, int... I>
    EIGEN_ALWAYS_INLINE static bytes interleaved(bytes a, bytes b, std::integer_sequence<int, I...>) noexcept {
        return __builtin_shufflevector(a, b, (I / 16 * 16 + First + I % 16 / 2 + I % 2 * int(16 * Lanes))...);
    }
};

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

#undef SOFTAX_CHOICE_BYTES
#endif
