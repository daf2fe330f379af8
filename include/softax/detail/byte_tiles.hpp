// byte_tiles: up to 64 rows and columns of what masks say, transposed as bits.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The most rows and columns of a tile of bytes.
inline constexpr index_t tile_bytes = 64;

/// Places so far apart, or anywhere. From one to the next is a sum, where products would take registers and time.
struct regular_places {
    index_t step;

    index_t operator()(index_t i) const noexcept { return i * step; }
    template <class P>
    P next(P at, P, index_t) const noexcept {
        return at + step;
    }
    template <class P>
    P previous(P at, P, index_t) const noexcept {
        return at - step;
    }
};
struct laid_places {
    index_t const* at;

    index_t operator()(index_t i) const noexcept { return at[i]; }
    template <class P>
    P next(P, P first, index_t i) const noexcept {
        return first + at[i + 1];
    }
    template <class P>
    P previous(P, P first, index_t i) const noexcept {
        return first + at[i - 1];
    }
};

/// Where rows lie in y, columns in x. Passed by value, since writing bytes could change it for all the compiler knows.
template <class Places>
struct byte_tile {
    index_t rows, columns;
    Places row, column;
};

#if SOFTAX_CHOICE_BYTES == 64
/// A tile of answers, transposed as bits: .4 of the time of bytes in squares of 8.
class answer_square {
    static constexpr index_t most = tile_bytes;

public:
    /// Element (i, j) of y, rows of which are in runs, from that of x, columns of which are.
    template <class Tile>
    static void transpose(Tile t, char* y, char const* x) noexcept {
        alignas(64) std::uint64_t bits[most];
        bool const is_whole = t.rows == most && t.columns == most;
        is_whole ? take_bits<true>(t, bits, x) : take_bits<false>(t, bits, x);
        t.columns == most ? put_bits<true>(t, y, bits) : put_bits<false>(t, y, bits);
    }

private:
    static std::uint64_t first(index_t n) noexcept { return ~std::uint64_t{0} >> (most - n); }

    /// For each row a word: of each 16 rows the first two, of all; then the next two.
    template <bool IsWhole, class Tile>
    static void take_bits(Tile t, std::uint64_t* bits, char const* x) noexcept {
        __mmask64 const live = first(t.rows);
        __m512i a[8], b[8];
        index_t const eights = IsWhole ? 8 : (t.columns + 7) / 8;
        for (index_t k = eights; k < 8; ++k) a[k] = _mm512_setzero_si512();
        SOFTAX_UNROLLED
        for (index_t k = 0; k < eights; ++k) {
            // Each moves those after it up by one.
            index_t const some = IsWhole ? 8 : std::min(t.columns - 8 * k, index_t{8});
            char const* from = x + t.column(8 * k + some - 1);
            __m512i eight = IsWhole ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi8(live, from);
            SOFTAX_UNROLLED
            for (index_t j = some - 1; j > 0; --j) {
                from = t.column.previous(from, x, 8 * k + j);
                eight = _mm512_add_epi8(_mm512_add_epi8(eight, eight),
                                        IsWhole ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi8(live, from));
            }
            a[k] = eight;
        }
        interleave(a, b), interleave(b, a), interleave(a, reinterpret_cast<__m512i*>(bits));
    }

    template <bool IsWhole>
    static void put(char* y, __mmask64 live, __m512i row) noexcept {
        IsWhole ? _mm512_storeu_si512(y, row) : _mm512_mask_storeu_epi8(y, live, row);
    }

    template <bool IsWhole, class Tile>
    static void put_bits(Tile t, char* y, std::uint64_t const* bits) noexcept {
        __mmask64 const live = first(t.columns);
        __m512i const one = _mm512_set1_epi8(1);
        for (index_t first = 0; first < t.rows; first += 16) {
            std::uint64_t const* words = bits + first / 8;
            index_t const end = std::min(t.rows, first + 16);
            char* to = y + t.row(first);
            for (index_t i = first; i < end; ++i) {
                put<IsWhole>(to, live, _mm512_maskz_mov_epi8(words[i % 2], one));
                if (i + 1 < end) to = t.row.next(to, y, i);
                words += i % 2 * 8;
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

SOFTAX_KERNELS_END
#endif
