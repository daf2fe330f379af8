// gradient_blocks: brings the blocks of a gradient_plan to the kernels, where they lie if they lie right, else through a scratch.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// to = the mask over axes of a block.
class mask_gatherer {
public:
    mask_gatherer(bool* to, bool const* where, walked_axes axes) noexcept : to_(to), where_(where) {
        if (axes.size > 0) run_ = axes.take(axes.size - 1);
        for_each_place(axes, *this);
    }

    void operator()(walked_axis const& at) const noexcept {
        bool* const to = to_ + at.y;
        bool const* const where = where_ + at.where;
        if (run_.where == 0) return static_cast<void>(std::fill_n(to, run_.extent, *where));
        if (run_.where == 1) return static_cast<void>(std::copy_n(where, run_.extent, to));
        for (index_t i = 0; i < run_.extent; ++i) to[i] = where[i * run_.where];
    }

private:
    bool* to_;
    bool const* where_;
    walked_axis run_ = {1, 0, 0, 0};
};

/// Blocks of a call, one after another.
template <rule Rule, class Y, class G, class Out>
class gradient_blocks {
    using gradient = gradient_call<Y, G, Out>;
    using T = typename gradient::T;

public:
    gradient_blocks(gradient const& c, gradient_plan const& p)
        : c_(c),
          p_(p),
          formula_(c.scale),
          y_(p.is_staged ? p.block_groups() * p.groups.count : 0),
          g_(has_sum(Rule) ? y_.size() : 0),
          out_(has_result(Rule) ? y_.size() : 0),
          where_(c.where ? p.block_groups() * p.groups.count + packet<T>::lanes : 0) {
        std::fill_n(where_.data(), where_.size(), false);
    }

    void operator()(index_t first, index_t last) {
        for (index_t b = first; b < last; ++b) run(p_.block(b));
    }

private:
    void run(gradient_block const& b) {
        if (c_.where) mask_gatherer(where_.data(), c_.where + b.where, packed(b));
        p_.is_staged ? run_staged(b) : run_direct(b);
    }

    void run_direct(gradient_block const& b) {
        G const* const g = has_sum(Rule) ? c_.g + b.offset : nullptr;
        Out* const out = has_result(Rule) ? c_.out + b.offset : nullptr;
        auto tile = tile_of(c_.y + b.offset, g, out, b);
        tile.row = p_.groups.reduce.size > 0 ? p_.groups.reduce.at[0].x : 0;
        if (p_.is_row) tile.column = p_.last_outer().x;
        kernel(tile);
    }

    void run_staged(gradient_block const& b) {
        walked_axes const axes = packed(b);
        mover<T, Y>(y_.data(), c_.y + b.offset, axes);
        if constexpr (has_sum(Rule)) mover<T, G>(g_.data(), c_.g + b.offset, axes);
        kernel(tile_of<T, T, T>(y_.data(), g_.data(), out_.data(), b));
        if constexpr (has_result(Rule)) mover<Out, T>(c_.out + b.offset, out_.data(), reversed(axes));
    }

    /// The groups of a block packed in memory, as what the mask says of them is.
    template <class A, class B, class C>
    gradient_tile<A, B, C, T> tile_of(A const* y, B const* g, C* out, gradient_block const& b) noexcept {
        index_t const n = p_.groups.count, groups = b.outer * b.inner;
        index_t const row = p_.is_row ? 1 : groups, column = p_.is_row ? n : 1;
        return {y, g, out, where_.data(), c_.sums + b.first_group, n, groups, row, column, row, column};
    }

    /// The axes of a block from the arrays to a scratch, in which groups that are runs come one after another, others side by
    /// side.
    walked_axes packed(gradient_block const& b) const noexcept {
        walked_axes axes;
        walked_axis outer = p_.last_outer(), inner = p_.groups.inner;
        outer.extent = b.outer, inner.extent = b.inner;
        index_t step = b.outer * b.inner * p_.groups.count;
        if (p_.is_row) push(axes, outer, step), push(axes, inner, step);
        for (index_t k = 0; k < p_.groups.reduce.size; ++k) push(axes, p_.groups.reduce.at[k], step);
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
        gradient_kernel<Rule, Weights, A, B, C> k(formula_, tile);
        p_.is_row ? k.rows() : k.columns();
    }

    gradient c_;
    gradient_plan p_;
    derivative<Rule, T> formula_;
    buffer<T> y_, g_, out_;
    buffer<bool> where_;
};

/// Blocks [first, last) of a call: the door to this instruction set.
template <rule Rule, class Y, class G, class Out>
void run_gradients(gradient_call<Y, G, Out> const& c, gradient_plan const& p, index_t first, index_t last) {
    gradient_blocks<Rule, Y, G, Out>{c, p}(first, last);
}

SOFTAX_KERNELS_END
#endif
