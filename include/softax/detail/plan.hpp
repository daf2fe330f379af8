// plan: which kernel the groups of a partition go to, and where they are worked on.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Blocks of groups, along the last outer axis and along the inner one, and the way of each through a kernel.
struct plan {
    enum class kernel { row, panel, strip } which;
    /// From the input to the output; from a scratch, to which the input is moved, to the output; moved to the output and worked
    /// on there; moved to a scratch, worked on there, moved on.
    enum class place { direct, input, output, scratch } where;
    index_t outer_block, inner_block;
    bool is_streamed = false;    // results are written past the caches
    bool is_large = false;       // the array is more than caches keep
    bool masks_as_read = false;  // a panel masks elements in both passes over them
    index_t waiting = 0;         // elements of scratch in which masked or streamed ones wait
    index_t bits = 0;            // elements of scratch in which a panel keeps what a mask says
    index_t answers = 0;         // elements of scratch to which a mask is moved
    bool masks_first = false;    // elements are masked on their way to a scratch between, as they lie

    /// Elements of scratch, answers at the beginning, those in which rows wait at the end.
    index_t scratch_size(index_t count) const noexcept {
        index_t const moved = where == place::input || where == place::scratch ? count * outer_block * inner_block : 0;
        return answers + moved + (masks_first ? masked_runs::room_of(moved) : 0) + bits + waiting;
    }

    /// How far what is moved next is, where it may not be in cache: some rows of groups side by side, else the next block.
    reach next_move(partition const& p) const noexcept {
        constexpr index_t rows = 8;
        if (!is_large || p.outer.size + p.reduce.size == 0) return {};
        bool const is_block = p.inner.extent == 1 ? p.outer.size > 0 : p.reduce.size == 0;
        walked_axes const& axes = is_block ? p.outer : p.reduce;
        walked_axis const& last = axes.at[axes.size - 1];
        index_t const steps = is_block ? outer_block : rows;
        return {steps * last.x, steps * last.y, steps * last.where};
    }

    /// Whether all there is is one short row, for which a plan takes as long as the row.
    template <form Form>
    static bool is_short_row(partition const& p, call const& c) noexcept {
        bool const is_alone = p.outer.size == 0 && p.inner.extent == 1 && p.reduce.size == 1 && p.count < short_group;
        return is_alone && p.reduce.at[0].x == 1 && (Form == form::logsumexp || p.reduce.at[0].y == 1) &&
               (!c.is_masked || p.reduce.at[0].where == 1) && c.extra == -std::numeric_limits<double>::infinity();
    }

    template <form Form, class In, class Out>
    static plan of(partition const& p, call const& c, index_t parts) noexcept {
        using T = compute_type<In>;
        constexpr index_t line = 64 / static_cast<index_t>(sizeof(T)), large = line << 17;
        plan chosen = kernel_of<Form, In, Out>(p, c, parts);
        if (c.is_mask_moved) chosen.narrow<T>(p);
        // Rows of which some are filled are in a cache then; a few are slower than that pays.
        if (c.is_filled && p.inner.extent == 1) {
            constexpr index_t most = scratch_bytes / static_cast<index_t>(sizeof(T)), least = 64;
            chosen.outer_block = std::min(chosen.outer_block, std::max(most / p.count, least));
        }
        bool const is_row = chosen.which == kernel::row && chosen.where != place::scratch;
        bool const is_side_by_side = !is_row && chosen.where == place::direct && p.inner.extent > 1;
        bool const is_panel = is_side_by_side && chosen.which == kernel::panel;
        index_t const size = p.count * p.outer.count() * p.inner.extent;
        // Runs as short as the rows of a panel are asked for too late unless they are in a second-level cache.
        chosen.is_large = size >= (is_panel ? large / 8 : large);
        panel_room<Form, In> const room(p, c, parts);
        if (is_panel && room.must_wait()) chosen.waiting = p.count * chosen.inner_block;
        // Results of log_softmax are made of what is read, and need not wait.
        bool const are_read = Form == form::log_softmax && !c.is_masked;
        // Strips and panels write in pieces that the caches are slower with.
        bool const pays = is_row ? size >= 2 * large && (are_read || p.count <= longest_waiting<T>)
                                 : is_side_by_side && size >= large && (!is_panel || room.is_used());
        chosen.is_streamed = pays && std::same_as<Out, T> && Form != form::logsumexp && is_past_cache<T>(p, c);
        if (is_panel && chosen.is_streamed) {
            chosen.inner_block = room.columns();
            chosen.waiting = p.count * chosen.inner_block;
        }
        chosen.masks_as_read = is_panel && c.is_masked && room.masks_as_read();
        if (chosen.masks_as_read && keeps_bits<T> && chosen.is_large)
            chosen.bits = panel_bits<T>::size(p.count, chosen.inner_block);
        // Masked rows wait where results will be, but for those of logsumexp, which wait in a scratch, or are masked where they are
        // read if they are too long for one, or a row by itself.
        bool const has_no_place =
            Form == form::logsumexp && c.is_masked && chosen.where == place::direct && p.outer.size > 0;
        bool const is_between = p.count > row_block<Form, T>::longest && p.count <= longest_waiting<T>;
        if (is_row && is_between && (has_no_place || chosen.is_streamed)) chosen.waiting = rows_waiting * p.count;
        // Rows of a half type are converted on their way to a scratch, one by one if they are too long for three to wait.
        if (is_row && is_half_type<In>) chosen.waiting = (chosen.outer_block > 1 ? rows_waiting : 1) * p.count;
        chosen.masks_first = chosen.where == place::scratch && c.is_masked && !is_wide_integer<In> &&
                             p.count * chosen.outer_block >= 256 && masked_runs::are_short_pieces(p);
        if (c.is_mask_moved)
            chosen.answers = block_mask::room(p, c, chosen.outer_block, chosen.inner_block) / 64 * line;
        return chosen;
    }

private:
    /// Blocks of which what a mask says stays in a first-level cache, of rows in a second-level one, or enough of them: while one is
    /// worked on the next are read ahead.
    template <class T>
    void narrow(partition const& p) noexcept {
        constexpr index_t width = strip<T>::width, enough = 32;
        bool const are_rows = p.inner.extent == 1;
        index_t const least = are_rows ? std::min(together_bytes / p.count, enough) : 1;
        index_t const fitting = std::max({(are_rows ? 4 : 1) * row_bytes / p.count, least, index_t{1}});
        index_t const some = fitting > width ? fitting / width * width : fitting;
        if (are_rows && outer_block > fitting) outer_block = some;
        constexpr index_t line = 64 / static_cast<index_t>(sizeof(T));
        if (!are_rows)
            inner_block = std::min(inner_block, std::max(block_mask::most_bytes / p.count / line, index_t{1}) * line);
        if (which != kernel::strip) return;
        // Halves fill packets in the last block too.
        index_t const columns = std::min(std::max(some, width), p.inner.extent);
        inner_block = std::min(inner_block, filled_block(p.inner.extent, columns, width, line));
    }

    template <form Form, class In, class Out>
    static plan kernel_of(partition const& p, call const& c, index_t parts) noexcept;

    /// Groups side by side for each part, in whole strips.
    template <class T>
    static index_t side_of(partition const& p, index_t parts) noexcept {
        if (p.outer.count() >= parts) return p.inner.extent;
        constexpr index_t width = strip<T>::width;
        index_t const each = p.outer.count() * p.inner.extent / parts;
        return std::min(p.inner.extent, (each + width - 1) / width * width);
    }

    /// Rows that are moved are worked on while they are in a cache that keeps so many bytes, of a first-level one if it is not said.
    template <class T>
    static index_t few_of(index_t count, index_t some, index_t bytes = row_bytes) noexcept {
        return std::clamp(bytes / static_cast<index_t>(sizeof(T)) / count, index_t{1}, some);
    }

    /// Whether the results of rows may be written past the caches: in whole cache lines, and not to where the input lies, which
    /// has just been read.
    template <class T>
    static bool is_past_cache(partition const& p, call const& c) noexcept {
        constexpr index_t line = 64 / static_cast<index_t>(sizeof(T));
        bool is_whole = (p.inner.extent > 1 ? p.inner.extent : p.count) % line == 0 && c.is_aligned;
        for (index_t k = 0; k < p.outer.size; ++k) is_whole = is_whole && p.outer.at[k].y % line == 0;
        for (index_t k = 0; k < p.reduce.size && p.inner.extent > 1; ++k)
            is_whole = is_whole && p.reduce.at[k].y % line == 0;
        return is_whole && !c.is_in_place;
    }
};

template <form Form, class In, class Out>
plan plan::kernel_of(partition const& p, call const& c, index_t parts) noexcept {
    using T = compute_type<In>;
    constexpr index_t width = panel<T>::width, line = 64 / static_cast<index_t>(sizeof(T));
    constexpr bool is_input_fit = std::same_as<In, T>, is_output_fit = std::same_as<Out, T>;
    constexpr bool is_half = is_half_type<In> && std::same_as<In, Out>;
    constexpr bool is_moved_through = is_output_fit && Form != form::logsumexp && !is_wide_integer<In>;
    bool const reads = is_input_fit && is_output_fit;
    index_t const last = p.outer.size == 0 ? 1 : p.outer.at[p.outer.size - 1].extent;
    // Blocks along the last outer axis, or along the inner one, such that there is one for each part if there can be.
    index_t const some = parts == 1 ? last : std::clamp(p.outer.count() / parts, index_t{1}, last);
    fitness<Form, In, Out> const fit(p);
    using enum kernel;
    using enum place;
    bool const is_short = p.count < short_group;
    // Folded panels take some two hundred nanoseconds each; small ones are better transposed together.
    constexpr index_t most = scratch_bytes / 256;
    bool const is_small = p.inner.extent > 1 && p.inner.extent * line <= width && last >= line && p.count <= chunk &&
                          p.count * p.inner.extent <= most;
    if (is_short) {
        if (reads && fit.is_short_fit()) {
            return p.inner.extent == 1 ? plan{strip, direct, some, 1} : plan{strip, direct, 1, side_of<T>(p, parts)};
        }
        if (is_half && Form != form::logsumexp && fit.half_strips(side_of<T>(p, parts), c.is_masked)) {
            return {strip, direct, 1, side_of<T>(p, parts)};
        }
        if (is_moved_through && p.inner.extent == 1 && fit.row_output())
            return {strip, output, few_of<T>(p.count, some), 1};
    } else if (p.inner.extent == 1) {
        bool const is_direct = fit.row_input() && (!c.is_masked || fit.row_mask());
        if (reads && is_direct && fit.row_output()) return {row, direct, some, 1};
        if (is_half && is_direct && fit.row_output()) return {row, direct, p.count <= longest_waiting<T> ? some : 1, 1};
        if (is_moved_through && fit.row_output()) return {row, input, few_of<T>(p.count, some), 1};
    } else {
        panel_room<Form, In> const room(p, c, parts);
        bool const is_kept = room.must_wait();
        index_t columns = room.most();
        if (is_kept) columns = is_half ? room.packed_columns() : room.columns();
        bool const is_direct =
            fit.panel_input() && (!c.is_masked || fit.panel_mask()) && (!is_kept || room.is_enough());
        bool const is_read = reads || (is_half && fit.fills_packets(columns));
        if (is_read && is_direct && fit.panel_output() && !is_small) return {panel, direct, 1, columns};
        if (is_moved_through && fit.panel_output() && !is_small) return {panel, output, 1, room.most()};
    }
    // What need only be converted, or taken together from pieces, to be folded stays as it lies: (1000,2,8,4) over {0,2} takes .43 of the
    // time that columns of several such blocks take (AVX-512).
    bool const is_in_cache = p.count * p.inner.extent <= together_bytes / static_cast<index_t>(sizeof(T));
    bool const is_converted = p.inner.extent > 1 && fit.is_foldable() && (p.inner.extent < line || is_in_cache);
    if (!is_short && !is_small && !is_wide_integer<In> && is_converted) return {panel, scratch, 1, p.inner.extent};
    // A group of integers by itself where each has an extra logit of its own.
    if (is_wide_integer<In> && c.extra != -std::numeric_limits<double>::infinity()) {
        return {is_short ? strip : row, scratch, 1, 1};
    }
    // A scratch of as many columns as fit, or a scratch row where even a cache line of columns is too many.
    // At least four of these while they fit in a larger cache: the memory between them is what takes time then.
    index_t const least = p.count < (index_t{1} << 14) ? 4 * line : line;
    index_t const fitting = std::max(scratch_bytes / static_cast<index_t>(sizeof(T)) / p.count / line * line, least);
    index_t const columns = std::min(width, fitting);
    index_t const inner_block = std::min(p.inner.extent, columns);
    index_t const fit_outer = columns / inner_block,
                  outer_block = std::min(last, fit_outer > line ? fit_outer / line * line : fit_outer);
    if (is_short) return {strip, scratch, outer_block, inner_block};
    bool const fills_packets = outer_block * inner_block >= line && p.count < (index_t{1} << 20);
    if (fills_packets && p.inner.extent > 1) return {panel, scratch, outer_block, inner_block};
    // Of groups in pieces more, since those of neighbours share cache lines: (1024,100,2) over {0,2} takes .9 of the time.
    index_t const bytes = p.reduce.size > 1 ? 4 * row_bytes : row_bytes;
    return {row, scratch, p.inner.extent == 1 && !is_wide_integer<In> ? few_of<T>(p.count, some, bytes) : 1, 1};
}

SOFTAX_KERNELS_END
#endif
