// byte_squares: tiles of bytes transposed: 8 rows of 8, 16 of 16 in each lane of a packet, or answers as bits.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

#if defined(__GNUC__)
/// Squares of 16 bytes side by side, as many as a packet has lanes.
template <index_t Lanes>
class byte_squares {
    using vectors = byte_lanes<int(16 * Lanes)>;
    typedef typename vectors::bytes bytes;

public:
    static constexpr index_t rows = 16, columns = 16 * Lanes;

    /// From row i and column j of a tile on.
    template <class Tile>
    EIGEN_ALWAYS_INLINE static void transpose(Tile t, index_t i, index_t j, char* y, char const* x) noexcept {
        bytes row[rows];
        SOFTAX_UNROLLED
        for (index_t k = 0; k < rows; ++k) std::memcpy(&row[k], x + i + t.column(j + k), columns);
        // A place has four bits for the row and four for the column; each step moves every bit up, the last one down.
        bytes a[rows], b[rows];
        interleave(row, a), interleave(a, b), interleave(b, a), interleave(a, b);
        SOFTAX_UNROLLED
        for (index_t k = 0; k < rows; ++k) {
            store(b[k], y + j, t, i + k, std::make_integer_sequence<int, Lanes>());
        }
    }

private:
    /// The rows of the first half between those of the second.
    EIGEN_ALWAYS_INLINE static void interleave(bytes const* from, bytes* to) noexcept {
        SOFTAX_UNROLLED
        for (index_t i = 0; i < rows / 2; ++i) {
            to[2 * i] = vectors::template interleaved<0>(from[i], from[i + rows / 2]);
            to[2 * i + 1] = vectors::template interleaved<8>(from[i], from[i + rows / 2]);
        }
    }

    /// The lanes of a packet, to every 16th row.
    template <class Tile, int... L>
    EIGEN_ALWAYS_INLINE static void store(bytes b, char* y, Tile t, index_t i,
                                          std::integer_sequence<int, L...>) noexcept {
        (store<L>(b, y + t.row(i + rows * L), std::make_integer_sequence<int, 16>()), ...);
    }
    template <int L, int... I>
    EIGEN_ALWAYS_INLINE static void store(bytes b, char* y, std::integer_sequence<int, I...>) noexcept {
        auto const lane = __builtin_shufflevector(b, b, (16 * L + I)...);
        std::memcpy(y, &lane, sizeof lane);
    }
};

/// Eight rows of eight bytes.
class byte_square {
    typedef std::uint64_t two __attribute__((vector_size(16)));
    typedef unsigned char bytes __attribute__((vector_size(16)));

public:
    template <class Tile>
    static byte_square load(Tile t, index_t i, index_t j, char const* x) noexcept {
        return of([&](index_t k) {
            std::uint64_t word;
            std::memcpy(&word, x + i + t.column(j + k), sizeof word);
            return word;
        });
    }

    /// So many columns of n bytes, 4 <= n <= 8; the others are like the last.
    template <class Tile>
    static byte_square load(Tile t, index_t i, index_t j, char const* x, index_t columns, index_t n) noexcept {
        return of([&](index_t k) { return first_bytes(x + i + t.column(j + std::min(k, columns - 1)), n); });
    }

    template <class Tile>
    void store(Tile t, index_t i, index_t j, char* y) const noexcept {
        std::uint64_t word[8];
        std::memcpy(word, this, sizeof word);
        SOFTAX_UNROLLED
        for (index_t k = 0; k < 8; ++k) std::memcpy(y + t.row(i + k) + j, word + k, 8);
    }

    /// So many rows of n bytes, 2 <= n <= 8.
    template <class Tile>
    void store(Tile t, index_t i, index_t j, char* y, index_t rows, index_t n) const noexcept {
        char row[64];
        std::memcpy(row, this, sizeof row);
        for (index_t k = 0; k < rows; ++k) {
            char* const to = y + t.row(i + k) + j;
            n < 4 ? copy_words<2>(to, row + 8 * k, n) : copy_words<4>(to, row + 8 * k, n);
        }
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

    template <class Row>
    EIGEN_ALWAYS_INLINE static byte_square of(Row const& row) noexcept {
        return {(bytes)two{row(0), row(1)}, (bytes)two{row(2), row(3)}, (bytes)two{row(4), row(5)},
                (bytes)two{row(6), row(7)}};
    }

    bytes first_, second_, third_, fourth_;
};
#endif

/// visit(i, j) for squares of so many rows and columns; those at an edge overlap the last.
template <class Tile, class Visit>
void for_each_square(Tile t, index_t rows, index_t columns, Visit const& visit) noexcept {
    for (index_t i = 0; i < t.rows; i += rows) {
        for (index_t j = 0; j < t.columns; j += columns) {
            visit(std::min(i, std::max(t.rows - rows, index_t{0})),
                  std::min(j, std::max(t.columns - columns, index_t{0})));
        }
    }
}

/// y[row(i) + j] = x[i + column(j)], rows and columns being those of a tile, of answers or any bytes.
template <bool AreAnswers, class Tile>
void transpose_tile(Tile t, char* y, char const* x) noexcept {
    [[maybe_unused]] constexpr bool is_little = std::endian::native == std::endian::little;
#if SOFTAX_CHOICE_BYTES == 64
    constexpr index_t small = 16;
    bool const are_squares = t.columns <= small && (t.rows <= small || t.columns % 8 == 0);
    if (AreAnswers && t.rows >= 8 && !are_squares) return answer_square::transpose(t, y, x);
#endif
#if defined(__GNUC__)
    constexpr index_t lanes = packet_bytes >= 32 ? 2 : 1, most = byte_squares<lanes>::columns;
    if (t.rows >= most && t.columns >= 16)
        return for_each_square(t, most, 16,
                               [&](index_t i, index_t j) { byte_squares<lanes>::transpose(t, i, j, y, x); });
    if (t.rows >= 16 && t.columns >= 16)
        return for_each_square(t, 16, 16, [&](index_t i, index_t j) { byte_squares<1>::transpose(t, i, j, y, x); });
    if (t.rows >= 8 && t.columns >= 8) {
        return for_each_square(
            t, 8, 8, [&](index_t i, index_t j) { byte_square::load(t, i, j, x).transposed().store(t, i, j, y); });
    }
    if (is_little && t.rows >= 4 && t.columns >= 2) {
        index_t const n = std::min(t.rows, index_t{8}), some = std::min(t.columns, index_t{8});
        return for_each_square(t, 8, 8, [&](index_t i, index_t j) {
            byte_square::load(t, i, j, x, some, n).transposed().store(t, i, j, y, n, some);
        });
    }
#endif
    // Eight of a row at a time, of which a word is made.
    for (index_t i = 0; i < t.rows; ++i) {
        index_t j = 0;
        for (; is_little && j + 8 <= t.columns; j += 8) {
            std::uint64_t word = 0;
            SOFTAX_UNROLLED
            for (index_t k = 7; k >= 0; --k) word = word << 8 | static_cast<unsigned char>(x[i + t.column(j + k)]);
            std::memcpy(y + t.row(i) + j, &word, 8);
        }
        for (; j < t.columns; ++j) y[t.row(i) + j] = x[i + t.column(j)];
    }
}

SOFTAX_KERNELS_END
#endif
