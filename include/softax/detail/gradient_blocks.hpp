// gradient_blocks: brings the blocks of a gradient_plan to the kernels, where they lie if they lie right, else through a scratch.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Blocks of a call, one after another. The plan outlives it.
template <rule Rule, class Y, class G, class Out>
class gradient_blocks {
    using gradient = gradient_call<Y, G, Out>;
    using T = typename gradient::T;

public:
    /// Of whole groups, or of a part of some.
    gradient_blocks(gradient const& c, gradient_plan const& p, run_segment<T> const* segment = nullptr)
        : c_(c),
          p_(p),
          blocks_(p_.groups, p.outer_block, p.inner_block),
          formula_(c.scale),
          y_(p.is_staged ? p.block_groups() * p.groups.count : 0),
          g_(has_sum(Rule) ? y_.size() : 0),
          out_(has_result(Rule) ? y_.size() : 0),
          where_(p.moves_mask(c.where) && segment == nullptr ? p.block_groups() * p.groups.count : 0),
          segment_(segment) {
        if (p.is_split) axes_.emplace(p.masked);
    }

    void operator()(index_t first, index_t last) {
        for (index_t b = first; b < last; ++b) run(blocks_[b]);
    }

    /// The part; see gradient_plan::has_long_groups.
    void operator()() {
        run_segment<T> const& s = *segment_;
        group_block const b = blocks_[s.block];
        if (s.step != run_step::mask) return run_direct(b);
        move_mask(s.answers + s.first * b.inner, b, s.first, s.end - s.first);
    }

private:
    void run(group_block const& b) {
        if (p_.moves_mask(c_.where)) move_mask(where_.data(), b, 0, p_.groups.count);
        p_.is_staged ? run_staged(b) : run_direct(b);
    }

    /// What the mask says of elements [first, first + n) of the groups of a block, to where they lie packed.
    void move_mask(bool* to, group_block const& b, index_t first, index_t n) const noexcept {
        if (!p_.is_split) {
            bool const* where = c_.where + b.offset.where;
            walked_axes along = p_.groups.reduce;
            if (n < p_.groups.count) where += first * along.at[0].where, along.at[0].extent = n;
            return void(mask_mover(to, where, packed(b, along)));
        }
        index_t const groups = b.groups(), element = p_.is_row ? 1 : groups, group = p_.is_row ? p_.groups.count : 1;
        index_t const outer = p_.is_turned ? group : b.inner * group, inner = p_.is_turned ? b.outer * group : group;
        axes_->for_each_box(b, [&](masked_axes::box const& part) {
            auto const move_box = [&](index_t done, walked_axis const& at, walked_axes const& along) {
                walked_axes axes;
                auto const take = [&](walked_axes const& some, index_t step) {
                    for (index_t k = 0; k < some.size; ++k)
                        axes.push_back({some.at[k].extent, 0, some.at[k].x * step, some.at[k].where});
                };
                if (!p_.is_row) take(along, element);
                take(p_.is_turned ? part.inner : part.outer, p_.is_turned ? inner : outer);
                take(p_.is_turned ? part.outer : part.inner, p_.is_turned ? outer : inner);
                if (p_.is_row) take(along, element);
                mask_mover(to + part.i * outer + part.j * inner + done * element, c_.where + part.where + at.where,
                           axes);
            };
            walked_axes const& reduce = p_.masked.reduce;
            if (reduce.size == 0) return move_box(0, {0, 0, 0, 0}, reduce);
            for_each_box_along(reduce.at, reduce.at + reduce.size, first, n, move_box);
        });
    }

    void run_direct(group_block const& b) {
        G const* const g = has_sum(Rule) ? c_.g + b.offset.x : nullptr;
        Out* const out = has_result(Rule) ? c_.out + b.offset.x : nullptr;
        auto tile = tile_of(c_.y + b.offset.x, g, out, b);
        tile.row = p_.groups.reduce.size > 0 ? p_.groups.reduce.at[0].x : 0;
        tile.out_row = c_.out_row > 0 ? c_.out_row : tile.row;
        if (p_.is_row) tile.column = p_.last_outer().x;
        kernel(tile);
    }

    void run_staged(group_block const& b) {
        walked_axes const axes = packed(b, p_.groups.reduce).bare();
        mover<T, Y>(y_.data(), c_.y + b.offset.x, axes);
        if constexpr (has_sum(Rule)) mover<T, G>(g_.data(), c_.g + b.offset.x, axes);
        kernel(tile_of<T, T, T>(y_.data(), g_.data(), out_.data(), b));
        if constexpr (has_result(Rule)) mover<Out, T>(c_.out + b.offset.x, out_.data(), reversed(axes));
    }

    /// The groups of a block packed in memory, as what the mask says of them is.
    template <class A, class B, class C>
    gradient_tile<A, B, C, T> tile_of(A const* y, B const* g, C* out, group_block const& b) noexcept {
        index_t const n = p_.groups.count, groups = b.groups();
        index_t const row = p_.is_row ? 1 : groups, column = p_.is_row ? n : 1;
        // What goes with a softmax just made, logsumexp's, is in cache.
        bool const is_far = c_.where || (has_sum(Rule) && has_result(Rule));
        index_t const ahead = !p_.is_row && is_far ? ahead_of(p_.size) : 0;
        index_t const neighbours = p_.is_turned ? b.outer : groups;
        T* const sums = c_.sums ? c_.sums + b.first : nullptr;
        bool const* const where = segment_ ? segment_->answers : where_.data();
        gradient_tile<A, B, C, T> tile = {y,   g,      out, where,  sums, n,          groups,
                                          row, column, row, column, row,  neighbours, ahead};
        if (c_.where && p_.is_mask_fit()) {
            walked_axis const group = p_.is_row ? p_.last_outer() : p_.groups.inner;
            tile.where = c_.where + b.offset.where;
            tile.where_row = p_.groups.reduce.at[0].where, tile.where_column = group.where;
        }
        return tile;
    }

    /// The axes of a block from the arrays to a scratch, in which groups that are runs come one after another, others side by
    /// side; the reduced ones in the arrays, or in the mask.
    walked_axes packed(group_block const& b, walked_axes const& reduce) const noexcept {
        walked_axes axes;
        walked_axis outer = p_.last_outer(), inner = p_.groups.inner;
        outer.extent = b.outer, inner.extent = b.inner;
        index_t step = b.groups() * reduce.count();
        if (p_.is_row) push(axes, outer, step), push(axes, inner, step);
        for (index_t k = 0; k < reduce.size; ++k) push(axes, reduce.at[k], step);
        if (p_.is_turned) std::swap(outer, inner);
        if (!p_.is_row) push(axes, outer, step), push(axes, inner, step);
        return axes;
    }

    static void push(walked_axes& axes, walked_axis a, index_t& step) noexcept {
        step /= a.extent;
        a.y = step;
        axes.push_back(a);
    }

    static walked_axes reversed(walked_axes axes) noexcept {
        for (index_t k = 0; k < axes.size; ++k) std::swap(axes.at[k].x, axes.at[k].y);
        return axes;
    }

    template <class A, class B, class C>
    void kernel(gradient_tile<A, B, C, T> const& tile) noexcept {
        c_.where ? kernel<weights::given>(tile) : kernel<weights::none>(tile);
    }

    template <weights Weights, class A, class B, class C>
    void kernel(gradient_tile<A, B, C, T> const& tile) noexcept {
        p_.is_row ? run<gradient_runs<Rule, Weights, A, B, C>>(tile)
                  : run<gradient_columns<Rule, Weights, A, B, C>>(tile);
    }

    template <class Kernel, class Tile>
    void run(Tile const& tile) noexcept {
        Kernel groups(formula_, tile);
        segment_ ? groups.part(*segment_) : groups.kernel();
    }

    gradient c_;
    gradient_plan const& p_;
    group_blocks blocks_;
    derivative<Rule, T> formula_;
    buffer<T> y_, g_, out_;
    buffer<bool> where_;
    run_segment<T> const* segment_;
    std::optional<masked_axes> axes_;  // where some are apart for the mask
};

/// Blocks [first, last) of a call: the door to this instruction set.
template <rule Rule, class Y, class G, class Out>
void run_gradients(gradient_call<Y, G, Out> const& c, gradient_plan const& p, index_t first, index_t last) {
    door const held;
    gradient_blocks<Rule, Y, G, Out>{c, p}(first, last);
}

/// A part of a run: the same for threads that share one.
template <rule Rule, class Y, class G, class Out>
void run_gradient_segment(gradient_call<Y, G, Out> const& c, gradient_plan const& p,
                          run_segment<compute_type<Y>> const& s) {
    door const held;
    gradient_blocks<Rule, Y, G, Out>{c, p, &s}();
}

SOFTAX_KERNELS_END
#endif
