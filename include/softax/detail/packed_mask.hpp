// packed_mask: rows of a mask whose columns are in runs, transposed as bits some hundred at a time, and as bytes a few.
//
// Where each line of the mask lies on a page of its own it is found once for all the rows it has: softmax of (4096,4096) under such a
// mask takes 1.3 times the unmasked call then rather than 1.55 (AVX2 1.45 rather than 2.05), logsumexp 1.3 rather than 1.9 (AMD Zen 4).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

class packed_mask {
    static constexpr index_t most = 512, least = 128, few = 64;

public:
    /// How many of so many rows are packed at once, none if a second-level cache keeps the mask anyhow.
    static index_t rows_of(index_t rows, index_t columns) noexcept {
        index_t const some = std::min({rows, most, scratch_bytes / width_of(columns)});
        return packed_answers::exists && columns >= few && rows * columns >= 4 * scratch_bytes && some >= least ? some
                                                                                                                : 0;
    }

    /// How many bytes these take, in whole cache lines.
    static index_t room(index_t rows, index_t columns) noexcept {
        return rows == 0 ? 0 : pitch_of(rows) * width_of(columns);
    }

    packed_mask() = default;
    packed_mask(bool* room, index_t rows, walked_axis const& columns) noexcept
        : bits_(reinterpret_cast<char*>(room)), rows_(rows), columns_(columns) {}

    /// y = n rows from x on, so far apart there, of which as many are left; whether they are packed.
    bool move(bool* y, index_t pitch, bool const* x, index_t n, index_t left) noexcept {
        if (x < first_ || x + n > end_) {
            index_t const rows = std::min(rows_, left);
            if (rows < std::max(n, few)) return false;
            first_ = x, end_ = x + rows;
            for_each_tile([&](char* bits, index_t j, index_t columns) {
                bool const* const from = x + j * columns_.where;
                packed_answers{rows, columns}.pack(bits, pitch_of(rows_), reinterpret_cast<char const*>(from),
                                                   columns_.where);
            });
        }
        for_each_tile([&](char const* bits, index_t j, index_t columns) {
            packed_answers{n, columns}.expand(reinterpret_cast<char*>(y + j), pitch, bits + (x - first_),
                                              pitch_of(rows_));
        });
        return true;
    }

private:
    /// 16 rows are read from any on.
    static index_t pitch_of(index_t rows) noexcept { return (rows + 30) / 16 * 16; }
    static index_t width_of(index_t columns) noexcept { return (columns + tile_bytes - 1) / tile_bytes * 8; }

    /// visit(bits, first, n) for tiles of columns; a last one of few overlaps.
    template <class Visit>
    void for_each_tile(Visit const& visit) const noexcept {
        index_t const end = columns_.extent, step = pitch_of(rows_) * 8;
        char* bits = bits_;
        for (index_t j = 0; j < end; j += tile_bytes, bits += step) {
            index_t const first = std::min(j, end - 8);
            visit(bits, first, std::min(end - first, tile_bytes));
        }
    }

    char* bits_ = nullptr;
    index_t rows_ = 0;
    walked_axis columns_ = {1, 0, 0, 0};
    bool const *first_ = nullptr, *end_ = nullptr;  // those that are packed
};

SOFTAX_KERNELS_END
#endif
