// mask_mover: what a mask says, moved to where it lies as is wanted.
//
// A mask is often the same along some axes. What is inside of these is moved once and repeated, in runs as long as can be.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// to = what a mask says, over all axes, y being their strides there. A class, since a function would be found in every kernel
/// namespace.
class mask_mover {
public:
    mask_mover(bool* to, bool const* where, walked_axes const& axes) noexcept {
        // Of axes along which it is the same the outermost. Runs are repeated one by one, which is as fast.
        index_t k = 0;
        while (k + 1 < axes.size && axes.at[k].where != 0) ++k;
        bool const are_runs = k + 2 == axes.size && axes.at[k + 1].where <= 1;
        if (k + 1 >= axes.size || are_runs) {
            move(to, where, axes);
        } else if (index_t const run = repeated_run(axes, k); run > 0) {
            repeat(to, where, axes, k, run);
        } else if (k > 0 && axes.at[0].y > axes.at[1].y) {
            // Perhaps of each step along the first.
            walked_axes inside = axes;
            walked_axis const first = inside.take(0);
            for (index_t i = 0; i < first.extent; ++i) mask_mover(to + i * first.y, where + i * first.where, inside);
        } else {
            move(to, where, axes);
        }
    }

private:
    /// How many bytes are repeated along an axis: what is inside, if that is one run and those outside follow one another; else 0.
    static index_t repeated_run(walked_axes const& axes, index_t k) noexcept {
        index_t run = 1;
        for (index_t i = axes.size - 1; i > k; run *= axes.at[i--].extent) {
            if (axes.at[i].y != run) return 0;
        }
        bool is_dense = k == 0 ? run <= axes.at[0].y : run == axes.at[k].y;
        for (index_t i = 1; i <= k; ++i) is_dense = is_dense && axes.at[i - 1].y == axes.at[i].y * axes.at[i].extent;
        return is_dense ? run : 0;
    }

    static void repeat(bool* to, bool const* where, walked_axes const& axes, index_t k, index_t run) noexcept {
        walked_axis const along = axes.at[k];
        walked_axes others;
        index_t outer = 1;
        for (index_t i = 0; i < axes.size; ++i) {
            walked_axis const& a = axes.at[i];
            if (i < k) outer *= a.extent;
            if (i != k) others.push_back({a.extent, 0, i < k ? a.y / along.extent : a.y, a.where});
        }
        // First to the end, where it is read before it is written over.
        bool* const once = to + outer * (along.extent - 1) * along.y;
        mask_mover(once, where, others);
        auto const* const from = reinterpret_cast<char const*>(once);
        auto* const y = reinterpret_cast<char*>(to);
        for (index_t i = 0; i < outer && run == along.y; ++i)
            repeat_row(y + i * along.extent * run, from + i * run, along.extent, run);
        for (index_t i = 0; i + 1 < along.extent && run < along.y; ++i) copy_bytes(y + i * along.y, from, run);
    }

    static void move(bool* to, bool const* where, walked_axes axes) noexcept {
        index_t const last = axes.size - 1;
        if (last >= 1 && axes.at[last].where == 0 && axes.at[last].y == 1 &&
            axes.at[last - 1].y == axes.at[last].extent) {
            index_t const n = axes.take(last).extent;
            walked_axis const rows = axes.take(last - 1);
            for_each_place(axes, [&](walked_axis const& at) {
                fill_rows(reinterpret_cast<char*>(to + at.y), reinterpret_cast<char const*>(where + at.where),
                          rows.where, rows.extent, n);
            });
            return;
        }
        for (index_t i = 0; i < axes.size; ++i) axes.at[i].x = axes.at[i].where;
        mover<bool, bool>(to, where, axes);
    }
};

SOFTAX_KERNELS_END
#endif
