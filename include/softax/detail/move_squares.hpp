// move_squares: a rectangle of elements between strided memories, transposed on the way where it must be.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// y = x over the rows and columns of a block, masked or not.
template <class To, class From, class Mask>
class moved_rectangle {
public:
    rectangle const& block;
    To* y;
    From const* x;
    Mask const& which;

    /// The elements [i0, i1) x [j0, j1).
    void move_elements(index_t i0, index_t i1, index_t j0, index_t j1) const noexcept {
        index_t const x_step = block.column.x, y_step = block.column.y;
        for (index_t i = i0; i < i1; ++i) {
            From const* from = x + i * block.row.x;
            To* to = y + i * block.row.y;
            for (index_t j = j0; j < j1; ++j) to[j * y_step] = converted<To>(which(from[j * x_step], i, j));
        }
    }

    /// All elements, where rows are neighbours in the input and columns in the output: squares that fit go through registers.
    /// Whether there is a way for these types and that mask.
    bool move_transposed() const noexcept {
        constexpr bool is_bits = std::same_as<From, To> && sizeof(To) >= 4 && !is_masked;
        if constexpr (is_bits || is_number) {
            which.row() == 1 || which.column() == 1 ? transpose_squares() : transpose_gathered();
            return true;
        }
        if constexpr (std::same_as<From, To> && sizeof(To) == 1 && !is_masked) {
            transpose_bytes();
            return true;
        }
        return false;
    }

private:
    static constexpr bool is_masked = !std::same_as<Mask, everything<To>>;

    /// Answers that are neighbours along neither axis are gathered first: softmax of (5,1024,3,30) over {0,2} under (1,1,3,1) takes 1.4 times
    /// the unmasked call then rather than 2.0 (AVX2, AMD Zen 4).
    void transpose_gathered() const noexcept {
        if constexpr (is_masked) {
            constexpr index_t most = 64;
            bool answers[most * most];
            Mask own = which;
            own.where = {answers, 1, most};
            for (index_t i = 0; i < block.row.extent; i += most) {
                for (index_t j = 0; j < block.column.extent; j += most) {
                    index_t const rows = std::min(most, block.row.extent - i);
                    index_t const columns = std::min(most, block.column.extent - j);
                    for (index_t k = 0; k < columns; ++k) gather_answers(answers + k * most, i, j + k, rows);
                    rectangle const part = {block.row.of(rows), block.column.of(columns)};
                    moved_rectangle{part, y + i * block.row.y + j, x + i + j * block.column.x, own}.transpose_squares();
                }
            }
        }
    }
    void gather_answers(bool* to, index_t i, index_t j, index_t rows) const noexcept {
        bool const* const from = &which.where(i, j);
        if (which.row() == 0) return fill_bytes(reinterpret_cast<char*>(to), static_cast<char>(*from), rows);
        for (index_t k = 0; k < rows; ++k) to[k] = from[k * which.row()];
    }

    void transpose_squares() const noexcept {
        constexpr index_t lanes = packet<moved_type>::lanes;
        // So many rows of squares at a time that a cache line of a mask is read once.
        constexpr index_t together = 64;
        index_t const whole = block.column.extent / lanes * lanes;
        for (index_t first = 0; first < block.row.extent; first += together) {
            index_t const end = std::min(first + together, block.row.extent), rest = (end - first) % lanes;
            // A few rows take less time element by element; a few columns, runs of which are short, do not.
            index_t const few = has_parts && 2 * rest >= lanes ? 0 : rest;
            for (index_t j = 0; j < whole; j += lanes) {
                index_t i = first;
                if constexpr (is_masked) {
                    for (index_t k = 0; k < lanes && which.row() == 1; ++k) which.ask_for(first, j + lanes + k);
                }
                for (; i + lanes <= end; i += lanes) transpose_square(i, j);
                if (i < end - few) transpose_part({i, j, end - i, lanes});
            }
            for (index_t i = first; i < end - few; i += lanes) {
                transpose_end({i, whole, std::min(lanes, end - i), block.column.extent - whole});
            }
            if (few > 0) transpose_end({end - few, 0, few, block.column.extent});
        }
    }

    EIGEN_ALWAYS_INLINE void transpose_square(index_t i, index_t j) const noexcept {
        using P = packet<moved_type>;
        bool const is_masked_first = which.row() == 1;
        P square[P::lanes];
        SOFTAX_UNROLLED
        for (index_t k = 0; k < P::lanes; ++k) {
            square[k] = loaded(x + i + (j + k) * block.column.x);
            if constexpr (is_masked) {
                if (is_masked_first) square[k] = which(square[k], i, j + k, P::lanes);
            }
        }
        transpose(square);
        SOFTAX_UNROLLED
        for (index_t k = 0; k < P::lanes; ++k) {
            if constexpr (is_masked) {
                if (!is_masked_first) square[k] = which(square[k], i + k, j, P::lanes);
            }
            keep(square[k], y + (i + k) * block.row.y + j);
        }
    }

    /// What is left of a square at an edge.
    struct part_of_square {
        index_t i, j, rows, columns;
    };

    void transpose_end(part_of_square const& at) const noexcept {
        constexpr index_t lanes = packet<moved_type>::lanes;
        bool const is_part = has_parts && at.columns < lanes && at.rows * at.columns >= 3 * lanes;
        is_part ? transpose_part(at) : move_elements(at.i, at.i + at.rows, at.j, at.j + at.columns);
    }

    /// (100,1000,8) so that rows of 1,000 follow one another takes .4 of the time of one element after another (AVX-512).
    void transpose_part(part_of_square const& at) const noexcept {
        if constexpr (has_parts) {
            using P = packet<moved_type>;
            bool const is_masked_first = which.row() == 1;
            P square[P::lanes];
            for (index_t k = 0; k < at.columns; ++k) {
                square[k] = fetch<moved_type>(x + at.i + (at.j + k) * block.column.x, at.rows);
                if constexpr (is_masked) {
                    if (is_masked_first) square[k] = which(square[k], at.i, at.j + k, at.rows);
                }
            }
            for (index_t k = at.columns; k < P::lanes; ++k) square[k] = P::set(moved_type(0));
            transpose(square);
            for (index_t k = 0; k < at.rows; ++k) {
                if constexpr (is_masked) {
                    if (!is_masked_first) square[k] = which(square[k], at.i + k, at.j, at.columns);
                }
                put(square[k], y + (at.i + k) * block.row.y + at.j, at.columns);
            }
        }
    }

    /// What a packet has on its way: the type that is converted to or from, else any of as many bits.
    static constexpr bool is_number = std::floating_point<To> || std::floating_point<From>;
    using moved_type = std::conditional_t<std::floating_point<From> && is_half_type<To>, From, carrier<To>>;
    /// Whether both memories have parts of packets of it.
    template <class E>
    static constexpr bool has_parts_of = std::same_as<E, moved_type> || (is_half_type<E> && sizeof(moved_type) == 4);
    static constexpr bool has_parts =
        is_number && has_parts_of<From> && has_parts_of<To> && packet<moved_type>::lanes >= 8;

    EIGEN_ALWAYS_INLINE static packet<moved_type> loaded(From const* x) noexcept {
        if constexpr (is_number) return load_as<moved_type>(x);
        if constexpr (!is_number) return load_bits(x);
    }

    EIGEN_ALWAYS_INLINE static void keep(packet<moved_type> x, To* y) noexcept {
        if constexpr (is_number) x.store(y);
        if constexpr (!is_number) store_bits(x, y);
    }

    /// The same for bytes: tiles at an edge overlap the last.
    void transpose_bytes() const noexcept {
        constexpr index_t most = tile_bytes;
        bool const are_long = block.row.extent >= packed_answers::longest && block.column.extent >= most;
        if (std::same_as<To, bool> && packed_answers::exists && are_long) return transpose_answers();
        byte_tile<regular_places> const tile = {
            std::min(block.row.extent, most), std::min(block.column.extent, most), {block.row.y}, {block.column.x}};
        for (index_t i = 0; i < block.row.extent; i += most) {
            for (index_t j = 0; j < block.column.extent; j += most) {
                index_t const row = std::min(i, block.row.extent - tile.rows);
                index_t const column = std::min(j, block.column.extent - tile.columns);
                transpose_tile<std::same_as<To, bool>>(
                    tile, reinterpret_cast<char*>(y) + row * block.row.y + column,
                    reinterpret_cast<char const*>(x) + row + column * block.column.x);
            }
        }
    }

    /// Long columns from one cache line to the next: softmax of (4096,4096) over axis 0 under a transposed mask takes 1.27 times the
    /// unmasked call then rather than 1.6 (AVX-512, AMD Zen 4).
    void transpose_answers() const noexcept {
        constexpr index_t longest = packed_answers::longest, most = tile_bytes;
        auto* const to = reinterpret_cast<char*>(y);
        auto const* const from = reinterpret_cast<char const*>(x);
        alignas(64) char bits[longest * most / 8];
        for (index_t i = 0; i < block.row.extent; i += longest) {
            index_t const row = std::min(i, block.row.extent - most);
            packed_answers const tile = {std::min(block.row.extent - row, longest), most};
            for (index_t j = 0; j < block.column.extent; j += most) {
                index_t const column = std::min(j, block.column.extent - most);
                tile.pack(bits, longest, from + row + column * block.column.x, block.column.x);
                tile.expand(to + row * block.row.y + column, block.row.y, bits, longest);
            }
        }
    }
};

SOFTAX_KERNELS_END
#endif
