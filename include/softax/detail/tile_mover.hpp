// tile_mover: what a mask says, transposed in tiles along several axes.
//
// Boxes of many short axes would be moved byte by byte otherwise.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// to = what a mask says, over all axes. Rows of a tile are neighbours in the mask, columns neighbours where they are moved, each along
/// as many axes as a tile takes.
class tile_mover {
public:
    /// Of axes the last of which runs through neighbours where it is moved, some other one through neighbours in the mask.
    tile_mover(char* to, char const* where, walked_axes const& axes) noexcept {
        constexpr index_t most = tile_bytes;
        walked_axes others = axes, rows, columns;
        index_t all_rows = 1, all_columns = axes.at[axes.size - 1].extent;
        columns.at[columns.size++] = others.take(others.size - 1);
        auto const take = [&](walked_axes& taken, index_t& run, index_t walked_axis::*stride) {
            for (index_t k = others.size - 1; k >= 0 && run < most; --k) {
                if (others.at[k].*stride != run) continue;
                run *= others.at[k].extent;
                taken.at[taken.size++] = others.take(k);
                return true;
            }
            return false;
        };
        // An axis may go on with either, so the fewer come first.
        auto const take_row = [&] { return take(rows, all_rows, &walked_axis::where); };
        while ((all_rows <= all_columns && take_row()) || take(columns, all_columns, &walked_axis::y) || take_row()) {
        }
        index_t row_at[most], column_at[most];
        byte_tile<laid_places> const tile = {
            std::min(all_rows, most), std::min(all_columns, most), {row_at}, {column_at}};
        for (index_t i = 0; i < all_rows; i += most) {
            index_t const row = std::min(i, all_rows - tile.rows);
            if (i == 0 || rows.size > 1) lay(row_at, rows, row, tile.rows, &walked_axis::y);
            char* const y = rows.size > 1 ? to : to + row * rows.at[0].y;
            for (index_t j = 0; j < all_columns; j += most) {
                index_t const column = std::min(j, all_columns - tile.columns);
                bool const is_laid = all_columns <= most ? i > 0 : columns.size == 1 && i + j > 0;
                if (!is_laid) lay(column_at, columns, column, tile.columns, &walked_axis::where);
                char const* const x = columns.size > 1 ? where : where + column * columns.at[0].where;
                for_each_place(others, [&](walked_axis const& p) {
                    transpose_tile<true>(tile, y + p.y + column, x + p.where + row);
                });
            }
        }
    }

private:
    /// The places of n steps along axes, the innermost first, from one on; along one axis those from the first on.
    static void lay(index_t* places, walked_axes const& axes, index_t first, index_t n,
                    index_t walked_axis::*stride) noexcept {
        if (axes.size == 1) first = 0;
        for (index_t i = 0; i < n;) {
            walked_axis const& inner = axes.at[0];
            index_t rest = (first + i) / inner.extent, j = first + i - rest * inner.extent, place = 0;
            for (index_t k = 1; k < axes.size; ++k) {
                place += rest % axes.at[k].extent * (axes.at[k].*stride);
                rest /= axes.at[k].extent;
            }
            for (; j < inner.extent && i < n; ++j) places[i++] = place + j * (inner.*stride);
        }
    }
};

SOFTAX_KERNELS_END
#endif
