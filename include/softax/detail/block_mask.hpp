// block_mask: a mask that lies otherwise than the elements do, moved block by block to lie as kernels want it.
//
// Of steps beside channels, transposed, of one of two axes: what a mask says is a byte an element, and to move that takes less than to
// move elements to where it fits and results back: of 128 rows of 1,000, transposed, 1.3 times the unmasked call rather than 4.9; of
// the steps of 5,000 channels 1.1 rather than 2.8 (softmax of floats, AVX-512).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

class block_mask {
public:
    /// Of groups side by side at most so many are moved at once, if these are more than a cache line of elements.
    static constexpr index_t most_bytes = index_t{1} << 26;

    /// Whether elements lie in runs, or side by side, and what the mask says of them does not, or keeps axes apart. Short rows are
    /// masked all in one, floating ones if they are of fewer than eight: 1,000 of three under one mask take 1.15 times the unmasked call
    /// rather than 1.54 (AVX-512).
    template <class In>
    static bool is_needed(partition const& p) noexcept {
        constexpr index_t line = 64 / static_cast<index_t>(sizeof(compute_type<In>)), few = 8;
        bool const is_row = p.inner.extent == 1;
        bool const fits_room = is_row || p.count * std::min(p.inner.extent, line) <= most_bytes;
        if (is_split<compute_type<In>>(p)) return fits_room;
        if (masked_runs::are_pieces(p)) return fits_room && masked_runs::are_broken(p);
        if (p.reduce.size > 1) return fits_room && !lies_alike(p.reduce.at[p.reduce.size - 1]);
        if (p.reduce.size == 0) return p.inner.x == 1 && p.inner.where != 1;
        walked_axis const& along = p.reduce.at[0];
        index_t const element = along.where, extent = p.inner.extent;
        if (!is_row) {
            // Of few columns the same for all rows is said again where these are folded, unless many are transposed together.
            bool const is_folded = std::floating_point<In> && along.x == extent && p.inner.y == 1 &&
                                   (along.y == extent || along.y == 0) && p.outer.size == 0;
            bool const fits =
                p.inner.where == 1 && (extent >= line || element == extent || (element == 0 && is_folded));
            return !fits && p.inner.x == 1 && fits_room;
        }
        bool const is_dense = p.outer.size == 0 || p.outer.at[p.outer.size - 1].where == p.count;
        bool const fits = element == 1 && (p.count >= (std::floating_point<In> ? few : short_group) || is_dense);
        return !fits && along.x == 1;
    }

    /// Whether what is in runs along an axis is so in the mask too, or one answer for long ones.
    static bool lies_alike(walked_axis const& a) noexcept {
        return a.x != 1 || a.where == 1 || (a.where == 0 && a.extent >= masked_runs::long_run);
    }

    /// Whether axes are apart for the mask alone, and blocks would be small. Heads that share a mask of queries x keys are apart, but
    /// what each reads of it is large enough.
    template <class T>
    static bool is_split(partition const& p) noexcept {
        constexpr index_t enough = index_t{1} << 13;
        if (p.reduce.are_split_by_mask()) return true;
        bool const is_row = p.inner.extent == 1;
        index_t const rows = p.outer.size == 0 ? 1 : p.outer.at[p.outer.size - 1].extent;
        bool const are_large = is_row ? rows * p.count >= enough : p.inner.extent >= panel<T>::width;
        return !are_large && p.kept().are_split_by_mask();
    }

    /// From then on the mask lies in the bare partition as it does once it is moved, but for the offsets of blocks.
    explicit block_mask(masked_axes& axes) noexcept : axes_(axes), lying_(axes.bare()) { lie(lying_.inner.extent, 1); }

    /// How many bytes the answers for blocks of so many groups along both axes take, in whole cache lines.
    static index_t room(partition const& p, call const& c, index_t outer, index_t inner) noexcept {
        index_t const row = row_of(p, c, inner);
        return bytes_of(p, c, outer, row) + packed_mask::room(c.mask_packed, p.count);
    }

    /// Says how many groups at least are moved at once, along the inner axis and along the last outer one: of those that are neighbours in
    /// the mask some, so that a cache line of it is not read again for each.
    static void take_neighbours(call& c, partition const& p) noexcept {
        constexpr index_t some = 64;
        index_t k = p.outer.size - 1, groups = p.inner.extent;
        for (walked_axis inside = p.inner; k >= 0 && inside.extent > 1; --k) {
            if (!p.outer.at[k].merges_without_mask(inside)) break;
            inside = p.outer.at[k];
            // Of runs of one answer all, if a larger cache keeps them, since blocks end within some: (1000,300,3) over axis 0 under
            // (1000,300,1) takes 1.2 times the unmasked call then rather than 1.7 (AVX-512, AMD Zen 4).
            index_t const all = groups * inside.extent;
            bool const are_repeated = p.inner.where == 0 && all * p.count <= 8 * scratch_bytes;
            if (inside.where == 1) return void(c.mask_columns = are_repeated ? all : std::min(all, groups * some));
            groups = all;
        }
        for (groups = 1; k >= 0; --k) {
            walked_axis const& a = p.outer.at[k];
            if (a.where == 1) {
                bool const are_rows = p.inner.extent == 1 && groups == 1 && p.reduce.size == 1;
                if (are_rows && p.reduce.at[0].where != 0) c.mask_packed = packed_mask::rows_of(a.extent, p.count);
                return void(c.mask_groups = groups * std::min(some, a.extent));
            }
            if (k > 0 && !p.outer.at[k - 1].merges_without_mask(a)) return;
            groups *= a.extent;
        }
    }

    /// For such blocks, into room(); none after the last.
    void move_to(bool* answers, call const& c, index_t outer, index_t inner, group_block const& last) noexcept {
        row_ = row_of(lying_, c, inner);
        rows_ = rows_of(lying_, c, outer, row_);
        lie(row_, rows_);
        answers_ = answers;
        if (c.mask_packed > 0)
            packed_ = {answers + bytes_of(lying_, c, outer, row_), c.mask_packed, axes_.reduce().at[0]};
        last_rest_ = last.rest, last_end_ = last.outer_place + last.outer;
    }

    /// What the mask says of a block.
    bool const* operator()(bool const* where, group_block const& at) noexcept {
        bool const is_there = at.rest == rest_ && at.outer_place >= outer_ && at.outer_place < outer_end_ &&
                              at.inner_place >= inner_ && at.inner_place < inner_ + row_;
        if (!is_there) move(where, at);
        return place_of(at.outer_place - outer_, at.inner_place - inner_);
    }

private:
    /// Where what it says of a group lies.
    bool* place_of(index_t outer, index_t inner) const noexcept {
        return answers_ + outer * pitch_ + inner * lying_.inner.where;
    }

    /// It is moved from the block on, as far as there is room.
    void move(bool const* where, group_block const& first) noexcept {
        index_t const last = lying_.outer.size == 0 ? 1 : lying_.outer.at[lying_.outer.size - 1].extent;
        outer_ = first.outer_place, inner_ = first.inner_place, rest_ = first.rest;
        index_t const end = rest_ == last_rest_ ? last_end_ : last;
        outer_end_ = std::min(outer_ + rows_, end);
        group_block all = first;
        all.outer = outer_end_ - outer_, all.inner = std::min(row_, lying_.inner.extent - inner_);
        axes_.for_each_box(all, [&](masked_axes::box const& part) {
            bool* const to = place_of(part.i, part.j);
            bool const* const from = where + part.where;
            if (part.outer.size == 1 && part.outer.at[0].where == 1) {
                index_t const left = std::min(part.left, end - outer_ - part.i);
                if (packed_.move(to, pitch_, from, part.outer.at[0].extent, left)) return;
            }
            walked_axes axes;
            auto const take = [&axes](walked_axis const& a, index_t step) {
                axes.push_back({a.extent, 0, step, a.where});
            };
            for (index_t k = 0; k < part.outer.size; ++k) take(part.outer.at[k], part.outer.at[k].x * pitch_);
            for (index_t k = 0, i = 0; k < lying_.reduce.size; ++k) {
                index_t step = lying_.reduce.at[k].where * lying_.reduce.at[k].extent;
                while (step > lying_.reduce.at[k].where) {
                    walked_axis const& a = axes_.reduce().at[i++];
                    step /= a.extent, take(a, step);
                }
            }
            for (index_t k = 0; k < part.inner.size; ++k)
                take(part.inner.at[k], part.inner.at[k].x * lying_.inner.where);
            if (masked_runs::are_pieces(lying_)) axes = axes.from_outermost(&walked_axis::y);
            mask_mover(to, from, axes);
        });
    }

    /// How many groups side by side are moved at once: as many blocks as what the mask says of them stays in a second-level cache, of
    /// neighbours in a third-level one.
    static index_t row_of(partition const& p, call const& c, index_t inner) noexcept {
        index_t const wanted = std::min(c.mask_columns, together_bytes / p.count);
        index_t const some = std::max(scratch_bytes / p.count, wanted);
        return p.inner.extent <= some ? p.inner.extent : std::max(some / inner, index_t{1}) * inner;
    }

    /// How many groups along the last outer axis are moved at once: of small blocks, of one each, as stay in a first-level cache; of
    /// neighbours some, if larger caches keep them. Whole blocks.
    static index_t rows_of(partition const& p, call const& c, index_t outer, index_t row) noexcept {
        if (row < p.inner.extent || p.outer.size == 0) return outer;
        index_t const pitch = pitch_of(p, row), small = outer > 1 ? 1 : row_bytes / pitch;
        index_t const some = std::max(small, std::min(c.mask_groups, together_bytes / pitch));
        return std::clamp((some + outer - 1) / outer * outer, outer, p.outer.at[p.outer.size - 1].extent);
    }

    /// So many, in whole cache lines.
    static index_t bytes_of(partition const& p, call const& c, index_t outer, index_t row) noexcept {
        return (rows_of(p, c, outer, row) * pitch_of(p, row) + 63) / 64 * 64;
    }

    /// How far groups are from one another, along the last outer axis. Long rows begin cache lines, an odd number of them apart, so that
    /// some may be written together.
    static index_t pitch_of(partition const& p, index_t row) noexcept {
        constexpr index_t line = 64, least = 512;
        bool const is_long_row = p.inner.extent == 1 && p.reduce.size == 1 && p.count >= least;
        return is_long_row ? ((p.count + line - 1) / line | 1) * line : p.count * row;
    }

    /// For so many groups along both axes. Those of a kernel: elements follow one another, those of groups side by side a row of the
    /// block apart. Pieces of runs lie as these do, which then are as long.
    void lie(index_t row, index_t rows) noexcept {
        walked_axis none = {1, 0, 0, 0}, &outer = lying_.outer.size > 0 ? lying_.outer.at[lying_.outer.size - 1] : none;
        if (masked_runs::are_pieces(lying_)) {
            lie_as_elements({&lying_.inner, row}, {&outer, rows});
        } else {
            lying_.inner.where = 1, outer.where = pitch_of(lying_, row);
            index_t step = row;
            for (index_t k = lying_.reduce.size - 1; k >= 0; --k)
                lying_.reduce.at[k].where = std::exchange(step, step * lying_.reduce.at[k].extent);
        }
        pitch_ = outer.where;
    }

    struct part_of_axis {
        walked_axis* axis;
        index_t extent;
    };
    void lie_as_elements(part_of_axis inner, part_of_axis outer) noexcept {
        part_of_axis all[index_list::max_size + 2];
        all[0] = inner, all[1] = outer;
        index_t n = 2;
        for (index_t k = lying_.reduce.size - 1; k >= 0; --k)
            all[n++] = {&lying_.reduce.at[k], lying_.reduce.at[k].extent};
        for (index_t run = 1; n > 0; all[0] = all[--n]) {
            for (index_t k = 1; k < n; ++k) {
                if (magnitude(all[k].axis->x) < magnitude(all[0].axis->x)) std::swap(all[0], all[k]);
            }
            all[0].axis->where = run;
            run *= all[0].extent;
        }
    }

    masked_axes const& axes_;
    partition& lying_;
    index_t row_ = 1, rows_ = 1, pitch_ = 0;
    index_t outer_ = 0, outer_end_ = 0, inner_ = 0, rest_ = 0;  // groups of which it has been moved
    index_t last_rest_ = 0, last_end_ = 0;                      // where it need not be moved any more
    bool* answers_ = nullptr;
    packed_mask packed_;
};

SOFTAX_KERNELS_END
#endif
