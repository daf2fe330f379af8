// apply: brings every group of a partition to a kernel, where it lies if it lies right, else through a scratch.
//
// Kernels take float and double, groups in one run (row) or side by side (panel, strip). Elements of other types, groups in
// several pieces, masked ones, and rows too short to fill packets are moved first.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Every group of a partition through its kernel. For the forms but logsumexp y may be x.
template <form Form, class In, class Out>
class application {
    using T = compute_type<In>;

public:
    application(partition const& p, call const& c, share const& s)
        : p_(p),
          call_(c.is_masked && masks_groups(p) ? unmasked(c) : c),
          asked_(request<T>::of(c.scale, c.extra)),
          plan_(plan::of<Form, In, Out>(p, call_, s.parts)),
          scratch_(plan_.scratch_size(p.count)),
          integers_(p.count * columns(), columns(), call_.is_masked) {
        // A mask is applied where elements are moved, and the factor with it; so are integers subtracted.
        scale_ = static_cast<double>(asked_.factor) * static_cast<double>(asked_.mantissa);
        extra_ = asked_.extra;
        if (call_.is_masked || is_wide_integer<In>) factor_ = std::exchange(asked_.factor, T(1));
    }

    index_t blocks() const noexcept {
        index_t product = outer_blocks() * inner_blocks();
        for (index_t k = 0; k < p_.outer.size - 1; ++k) product *= p_.outer.at[k].extent;
        return product;
    }

    /// The blocks [first, end).
    void operator()(memories<In, Out> const& m, index_t first, index_t end) {
        for (index_t b = first; b < end; ++b) {
            block const at = block_at(b);
            Out* const y = m.y + at.offset.y;
            bool const* const where = m.where ? m.where + at.offset.where : nullptr;
            run({m.x + at.offset.x, y, call_.is_masked ? where : nullptr}, at);
            if (where != nullptr && !call_.is_masked) left_out<Form, T>(extra_).fill_groups(y, where, axes_of(at));
        }
    }

private:
    struct block {
        walked_axis offset;
        index_t outer, inner;  // groups along both

        index_t groups() const noexcept { return outer * inner; }
    };

    static call unmasked(call c) noexcept {
        c.is_masked = false;
        return c;
    }

    index_t columns() const noexcept { return plan_.outer_block * plan_.inner_block; }
    walked_axis last() const noexcept {
        return p_.outer.size == 0 ? walked_axis{1, 0, 0, 0} : p_.outer.at[p_.outer.size - 1];
    }
    // A division takes as long as ten elements.
    static index_t blocks_of(index_t extent, index_t block) noexcept {
        return extent <= block ? 1 : (extent + block - 1) / block;
    }
    index_t outer_blocks() const noexcept { return blocks_of(last().extent, plan_.outer_block); }
    index_t inner_blocks() const noexcept { return blocks_of(p_.inner.extent, plan_.inner_block); }

    /// The last digit of b to that base, taken off.
    static index_t take_digit(index_t& b, index_t base) noexcept {
        index_t const rest = base == 1 ? b : b / base;
        return std::exchange(b, rest) - rest * base;
    }

    block block_at(index_t b) const noexcept {
        block at = {{0, 0, 0, 0}, 1, 1};
        auto const step = [&at](walked_axis const& a, index_t count) {
            at.offset.x += count * a.x, at.offset.y += count * a.y, at.offset.where += count * a.where;
        };
        index_t const j = take_digit(b, inner_blocks()) * plan_.inner_block;
        at.inner = std::min(plan_.inner_block, p_.inner.extent - j);
        step(p_.inner, j);
        index_t const o = take_digit(b, outer_blocks()) * plan_.outer_block;
        at.outer = std::min(plan_.outer_block, last().extent - o);
        step(last(), o);
        for (index_t k = p_.outer.size - 2; k >= 0; --k) step(p_.outer.at[k], take_digit(b, p_.outer.at[k].extent));
        return at;
    }

    block_axes axes_of(block const& b) const noexcept {
        block_axes axes = {p_.reduce, {}};
        axes.kept.push_back(last().of(b.outer));
        axes.kept.push_back(p_.inner.of(b.inner));
        return axes;
    }

    void run(memories<In, Out> const& m, block const& b) {
        if (plan_.where == plan::place::scratch) return run_in_scratch(m, b);
        walked_axis const element = p_.reduce.size == 0 ? walked_axis{1, 0, 0, 0} : p_.reduce.at[0];
        walked_axis const group = p_.inner.extent > 1 ? p_.inner : last();
        [[maybe_unused]] lattice<In const> const x = {m.x, element.x, group.x};
        [[maybe_unused]] lattice<Out> const y = {m.y, element.y, group.y};
        bool may_be_nan = false;
        if (plan_.where == plan::place::direct) {
            [[maybe_unused]] auto const which =
                m.where == nullptr ? mask<T>() : mask<T>::of({m.where, element.where, group.where}, factor_);
            if constexpr (std::same_as<In, Out> && (std::same_as<In, T> || is_half_type<In>)) {
                may_be_nan = run_kernel<In>(x, y, b.groups(), which);
            }
        } else if constexpr (std::same_as<Out, T>) {
            may_be_nan = run_kernel<T>(moved(m, y, b), y, b.groups());
        }
        if (m.where != nullptr && may_be_nan) left_out<Form, T>(extra_).mend(m.y, m.where, axes_of(b));
    }

    /// Where the elements of a block have been moved: to the output, or to a scratch of rows one after another.
    lattice<T const> moved(memories<In, Out> const& m, lattice<T> const& y, block const& b) {
        block_axes to = axes_of(b);
        if (plan_.where == plan::place::output) {
            gather(y.data, m, to.all(), b.groups());
            return {y.data, y.row, y.column};
        }
        to.reduce.at[0].y = 1, to.kept.at[0].y = p_.count;
        gather(scratch_.data(), m, to.all(), b.groups());
        return {scratch_.data(), 1, p_.count};
    }

    /// Scratch is row-major: groups of elements where these are neighbours, else elements of groups.
    void run_in_scratch(memories<In, Out> const& m, block const& b) {
        index_t const groups = b.groups();
        bool const is_row = plan_.which == plan::kernel::row || (!is_wide_integer<In> && p_.inner.extent == 1);
        index_t const element = is_row ? 1 : groups, group = is_row ? p_.count : 1;
        index_t const result = Form == form::logsumexp ? 1 : group;
        T* const s = scratch_.data();
        block_axes in;
        walked_axes out;
        index_t step = p_.count;
        for (index_t k = 0; k < p_.reduce.size; ++k) {
            walked_axis const& a = p_.reduce.at[k];
            step /= a.extent;
            in.reduce.push_back({a.extent, a.x, step * element, a.where});
            if (Form != form::logsumexp) out.push_back({a.extent, step * element, a.y, a.where});
        }
        step = groups;
        // Runs that are shorter than packets are better transposed.
        constexpr index_t narrow = 128 / static_cast<index_t>(sizeof(T));
        walked_axis kept[] = {last().of(b.outer), p_.inner.of(b.inner)};
        if (b.inner < narrow) std::swap(kept[0], kept[1]);
        for (walked_axis const& a : kept) {
            step /= a.extent;
            in.kept.push_back({a.extent, a.x, step * group, a.where});
            out.push_back({a.extent, step * result, a.y, a.where});
        }
        gather(s, m, in.all(), groups);
        if (is_wide_integer<In> && asked_.has_extra()) move_origin();
        bool const may_be_nan = run_kernel<T>({s, element, group}, {s, element, result}, groups);
        if (Form == form::logsumexp && !asked_.has_extra()) integers_.restore(s, scale_);
        reach const next = {0, plan_.next_move(p_).y, 0};
        bool const is_mended = m.where != nullptr && may_be_nan, is_log = Form == form::logsumexp;
        // Masked again on their way.
        auto const left = mask<T>::of({m.where, 0, 0}, T(1), left_out_value<Form, T>);
        if (is_mended && !is_log) return void(mover<Out, T, mask<T>>(m.y, s, out, next, left));
        mover(m.y, static_cast<T const*>(s), out, next);
        if (is_mended) left_out<Form, T>(extra_).mend(m.y, m.where, axes_of(b));
    }

    void gather(T* to, memories<In, Out> const& m, walked_axes const& axes, index_t columns) {
        if constexpr (is_wide_integer<In>) {
            integers_.gather(to, m.x, m.where, axes, factor_, columns);
        } else if (m.where != nullptr) {
            mover<T, In, mask<T>>(to, m.x, axes, plan_.next_move(p_), mask<T>::of({m.where, 0, 0}, factor_));
        } else {
            mover(to, m.x, axes, {plan_.next_move(p_).x, 0, 0});
        }
    }

    /// The extra logit is no less moved than the elements of its group, the only one of the block.
    void move_origin() noexcept {
        if constexpr (is_wide_integer<In>) {
            asked_.origin = integers_.extreme(0) * scale_;
            asked_.set_extra(extra_ - asked_.origin);
        }
    }

    /// Rows of elements that the kernels take; whether some result may be NaN.
    template <class E>
    bool run_rows(lattice<E const> const& x, lattice<E> const& y, index_t groups, mask<T> const& which) noexcept {
        if constexpr (row_block<Form, E>::longest > 0) {
            if (groups > 1 && p_.count <= row_block<Form, E>::longest) {
                row_block<Form, E> kernel(p_.count, asked_, which);
                if (plan_.is_streamed) kernel.stream();
                if (plan_.is_large) kernel.ask_ahead();
                kernel.kernel(x, y, groups);
                return kernel.has_nan();
            }
        }
        if (row_twice<Form, E>::kernel(x, y, {p_.count, groups, true, true}, asked_, call_)) return false;
        row<Form, E> kernel(p_.count, asked_, which);
        if (plan_.waiting > 0) kernel.wait_in(scratch_.data() + scratch_.size() - plan_.waiting, plan_.waiting);
        if (plan_.is_streamed) kernel.stream();
        kernel.kernel(x, y, groups);
        return kernel.has_nan();
    }

    /// Whether some result may be NaN.
    template <class E>
    bool run_kernel(lattice<E const> const& x, lattice<E> const& y, index_t groups,
                    mask<T> const& which = mask<T>()) noexcept {
        extents const size = {p_.count, groups, plan_.is_large, plan_.is_streamed};
        if (plan_.which == plan::kernel::row) return run_rows<E>(x, y, groups, which);
        if (plan_.which == plan::kernel::panel) {
            if (plan_.waiting > 0) panel_.wait_in({scratch_.data(), plan_.inner_block});
            panel_.template kernel<Form, E>({x.data, x.row}, {y.data, y.row}, size, asked_, which);
            return panel_.has_nan();
        }
        if constexpr (std::same_as<E, T>) {
            return short_groups<Form>(x, y, size, asked_, which);
        } else if constexpr (Form != form::logsumexp) {
            return strip<T>::template kernel<Form>(x, y, size, asked_, which);
        }
        return true;
    }

    partition const& p_;
    call call_;
    request<T> asked_;
    T factor_ = 1;
    double scale_, extra_;  // rounded to the type of the kernels
    plan plan_;
    buffer<T> scratch_;
    wide_integers<In, T> integers_;
    panel<T> panel_;
};

/// The part-th of parts of all groups: the door to this instruction set.
template <form Form, class In, class Out>
void run_groups(memories<In, Out> const& m, partition const& p, call const& c, share const& s) {
    if constexpr (Form == form::softmax && std::same_as<In, Out> && std::floating_point<In>) {
        if (plan::is_short_row(p, c)) {
            short_row(m.x, m.y, p.count, request<In>::of(c.scale, c.extra), everything<In>{});
            return;
        }
    }
    application<Form, In, Out> work(p, c, s);
    index_t const blocks = work.blocks();
    if (s.parts == 1) return work(m, 0, blocks);
    work(m, blocks * s.part / s.parts, blocks * (s.part + 1) / s.parts);
}

SOFTAX_KERNELS_END
#endif
