// plan: which kernel the groups of a partition go to, and where they are worked on.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Bytes of scratch for a block of groups, about half of an L2 cache.
inline constexpr index_t scratch_bytes = index_t{1} << 18, row_bytes = index_t{1} << 15;

/// Blocks of groups, along the last outer axis and along the inner one, and the way of each through a kernel.
struct plan {
    enum class kernel { row, panel, strip } which;
    /// From the input to the output; from a scratch, to which the input is moved, to the output; moved to the output and worked
    /// on there; moved to a scratch, worked on there, moved on.
    enum class place { direct, input, output, scratch } where;
    index_t outer_block, inner_block;
    bool is_streamed = false;  // results are written past the caches

    /// Elements of scratch.
    index_t scratch_size(index_t count) const noexcept {
        index_t const moved = where == place::input || where == place::scratch ? count * outer_block * inner_block : 0;
        return moved + (is_streamed ? 2 * count : 0);
    }

    template <form Form, class In, class Out>
    static plan of(partition const& p, call const& c, index_t parts) noexcept;

private:
    /// Whether results are better written past the caches: more of them than a last-level cache holds, in whole cache lines,
    /// from rows whose exponentials wait in a first-level one, and not to where the input lies, which has just been read.
    template <form Form, class T>
    static bool is_past_cache(partition const& p, call const& c) noexcept {
        constexpr index_t line = 64 / static_cast<index_t>(sizeof(T)), large = line << 19,
                          longest = row<Form, T>::longest_waiting;
        bool const is_whole =
            p.count % line == 0 && c.is_aligned && (p.outer.size == 0 || p.outer.at[p.outer.size - 1].y % line == 0);
        return Form != form::logsumexp && is_whole && !c.is_in_place && p.count <= longest &&
               p.count * p.outer.count() >= large;
    }
};

/// What of a partition a kernel could take as it lies.
template <form Form, class In, class Out>
class fitness {
    using T = compute_type<In>;
    static constexpr index_t line = 64 / static_cast<index_t>(sizeof(T));

public:
    explicit fitness(partition const& p) noexcept
        : inner_(p.inner), is_one_(p.reduce.size <= 1), has_one_block_(p.outer.size == 0) {
        if (p.reduce.size == 1) element_ = p.reduce.at[0];
        if (p.outer.size > 0) group_ = p.outer.at[p.outer.size - 1];
    }

    bool is_short_fit() const noexcept {
        bool const is_wide = inner_.extent == 1 || inner_.extent >= line || has_one_block_;
        walked_axis const& side = inner_.extent == 1 ? group_ : inner_;
        return is_one_ && is_wide && (Form != form::logsumexp || side.extent == 1 || side.y == 1);
    }
    bool row_input() const noexcept { return is_one_ && inner_.extent == 1 && element_.x == 1; }
    bool row_output() const noexcept {
        return is_one_ && inner_.extent == 1 && (Form == form::logsumexp || element_.y == 1);
    }
    bool panel_input() const noexcept {
        return is_one_ && inner_.x == 1 && (inner_.extent >= line || is_folded(element_.x));
    }
    bool panel_output() const noexcept {
        if (!is_one_ || inner_.y != 1) return false;
        return Form == form::logsumexp || inner_.extent >= line || is_folded(element_.y);
    }

private:
    /// Whether the panel folds rows of so few columns.
    bool is_folded(index_t row) const noexcept {
        return row == inner_.extent && inner_.extent * sum_lanes <= panel<T>::width;
    }

    walked_axis inner_, element_ = {1, 0, 0, 0}, group_ = {1, 0, 0, 0};
    bool is_one_, has_one_block_;
};

template <form Form, class In, class Out>
plan plan::of(partition const& p, call const& c, index_t parts) noexcept {
    using T = compute_type<In>;
    constexpr index_t width = panel<T>::width, line = 64 / static_cast<index_t>(sizeof(T));
    constexpr bool is_input_fit = std::same_as<In, T>, is_output_fit = std::same_as<Out, T>;
    constexpr bool is_moved_through = is_output_fit && Form != form::logsumexp && !is_wide_integer<In>;
    bool const reads = is_input_fit && is_output_fit && !c.is_masked;
    index_t const last = p.outer.size == 0 ? 1 : p.outer.at[p.outer.size - 1].extent;
    // Blocks along the last outer axis, or along the inner one, such that there is one for each part if there can be.
    index_t const outer_most = std::max(index_t{1}, p.outer.count() * p.inner.extent / parts / p.inner.extent);
    index_t const some = std::min(last, outer_most);
    fitness<Form, In, Out> const fit(p);
    // Rows that are moved are worked on while they are in a first-level cache.
    index_t const few = std::clamp(row_bytes / static_cast<index_t>(sizeof(T)) / p.count, index_t{1}, some);
    using enum kernel;
    using enum place;
    bool const is_short = p.count < short_group;
    if (is_short) {
        if (reads && fit.is_short_fit()) {
            return p.inner.extent == 1 ? plan{strip, direct, some, 1} : plan{strip, direct, 1, p.inner.extent};
        }
        if (is_moved_through && p.inner.extent == 1 && fit.row_output()) return {strip, output, few, 1};
    } else if (p.inner.extent == 1) {
        if (reads && fit.row_input() && fit.row_output()) return {row, direct, some, 1, is_past_cache<Form, T>(p, c)};
        if (is_moved_through && fit.row_output()) return {row, input, few, 1, is_past_cache<Form, T>(p, c)};
    } else {
        index_t const columns = std::min(p.inner.extent, width);
        if (reads && fit.panel_input() && fit.panel_output()) return {panel, direct, 1, columns};
        if (is_moved_through && fit.panel_output()) return {panel, output, 1, columns};
    }
    // A group of integers by itself where each has an extra logit of its own.
    if (is_wide_integer<In> && c.extra != -std::numeric_limits<double>::infinity()) {
        return {is_short ? strip : row, scratch, 1, 1};
    }
    // A scratch of as many columns as fit, or a scratch row where even a cache line of columns is too many.
    index_t const fitting = std::max(scratch_bytes / static_cast<index_t>(sizeof(T)) / p.count, line);
    index_t const columns = std::min(width, fitting);
    index_t const inner_block = std::min(p.inner.extent, columns), outer_block = std::min(last, columns / inner_block);
    if (is_short) return {strip, scratch, outer_block, inner_block};
    bool const fills_packets = outer_block * inner_block >= line && p.count < (index_t{1} << 20);
    if (fills_packets && p.inner.extent > 1) return {panel, scratch, outer_block, inner_block};
    return {row, scratch, p.inner.extent == 1 && !is_wide_integer<In> ? few : 1, 1};
}

SOFTAX_KERNELS_END
#endif
