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
    /// A call, and what is done with its mask.
    static call call_of(partition const& p, call c) noexcept {
        // To tell one short row from another takes as long as its elements, but not as one result.
        constexpr index_t few = 16;
        bool const are_few = p.inner.extent == 1 ? p.count < short_group : p.inner.extent < few;
        bool const are_short = Form != form::logsumexp && are_few;
        c.is_filled = c.is_masked && !are_short && masks_groups(p) && fills_groups(p);
        c.is_masked = c.is_masked && !c.is_filled;
        c.is_mask_moved = c.is_masked && block_mask::is_needed<In>(p);
        if (c.is_mask_moved) block_mask::take_neighbours(c, p);
        return c;
    }

    application(partition const& p, call const& c, share const& s)
        : call_(c),
          axes_(call_.is_mask_moved || call_.is_filled ? std::make_optional<masked_axes>(p) : std::nullopt),
          moved_mask_(call_.is_mask_moved ? std::make_optional<block_mask>(*axes_) : std::nullopt),
          p_(axes_ ? std::as_const(*axes_).bare() : p),
          plan_(plan::of<Form, In, Out>(p_, call_, s.parts)),
          blocks_(p_, plan_.outer_block, plan_.inner_block),
          kernel_(p.count, plan_, call_),
          integers_(p.count * columns(), columns(), call_.is_masked) {
        // A mask is applied where elements are moved, and the factor with it; so are integers subtracted.
        request<T>& asked = kernel_.asked;
        scale_ = static_cast<double>(asked.factor) * static_cast<double>(asked.mantissa);
        extra_ = asked.extra;
        if (call_.is_masked || is_wide_integer<In>) factor_ = std::exchange(asked.factor, T(1));
        if (Form == form::logsumexp && call_.states != nullptr && plan_.where == plan::place::scratch) {
            states_.resize(static_cast<std::size_t>(columns()));
            asked.results = kernel_.scratch(), asked.states = states_.data();
        }
        index_t const blocks = blocks_.count();
        first_ = blocks * s.part / s.parts, end_ = blocks * (s.part + 1) / s.parts;
        if (moved_mask_ && first_ < end_)
            moved_mask_->move_to(kernel_.answers(), call_, plan_.outer_block, plan_.inner_block, blocks_[end_ - 1]);
    }

    /// A share of the blocks.
    void operator()(memories<In, Out> const& m) {
        for (index_t b = first_; b < end_; ++b) {
            group_block const at = blocks_[b];
            bool const* where = nullptr;
            if (call_.is_masked) where = moved_mask_ ? (*moved_mask_)(m.where, at) : m.where + at.offset.where;
            run({m.x + at.offset.x, m.y + at.offset.y, where}, at);
            if (Form != form::logsumexp && call_.is_filled) fill(m, at);
        }
        // A packet of results is not read before those that were written one by one are in cache.
        for (index_t b = first_; b < end_ && Form == form::logsumexp && call_.is_filled; ++b) fill(m, blocks_[b]);
    }

private:
    /// Whether groups that are left out are better filled than masked: rows are, and results of logsumexp, one for each group, unless
    /// elements are few. (1000,300) over axis 0 under (1,300) takes 1.0 times the unmasked call then rather than 1.17, (100,12,10) over 1
    /// under (100,1,10) 1.05 rather than 1.5 (AVX-512, AMD Zen 4). Elements side by side are masked in less time than they are filled.
    static bool fills_groups(partition const& p) noexcept {
        constexpr index_t many = 1024;
        if (p.inner.extent == 1 || p.inner.where == 0) return true;
        bool const are_many = p.count * p.outer.count() * p.inner.extent >= many;
        return Form == form::logsumexp && (are_many || block_mask::is_needed<In>(p));
    }

    index_t columns() const noexcept { return plan_.outer_block * plan_.inner_block; }

    /// Of a block of which kernels have taken all groups those that the mask leaves out.
    void fill(memories<In, Out> const& m, group_block const& at) const noexcept {
        left_out<Form, T> const filler(extra_);
        axes_->for_each_box(at, [&](masked_axes::box const& part) {
            filler.fill_groups(m.y + part.y, m.where + part.where, part.outer, p_.reduce, part.inner);
        });
    }

    void run(memories<In, Out> const& m, group_block const& b) {
        if (plan_.where == plan::place::scratch) return run_in_scratch(m, b);
        walked_axis const element = p_.reduce.size == 0 ? walked_axis{1, 0, 0, 0} : p_.reduce.at[0];
        walked_axis const group = p_.inner.extent > 1 ? p_.inner : blocks_.last();
        [[maybe_unused]] lattice<In const> const x = {m.x, element.x, group.x};
        [[maybe_unused]] lattice<Out> const y = {m.y, element.y, group.y};
        bool may_be_nan = false;
        if (plan_.where == plan::place::direct) {
            [[maybe_unused]] auto const which =
                m.where == nullptr ? mask<T>() : mask<T>::of({m.where, element.where, group.where}, factor_);
            if constexpr (std::same_as<In, Out> && (std::same_as<In, T> || is_half_type<In>)) {
                may_be_nan = kernel_(x, y, b.groups(), which);
            }
        } else if constexpr (std::same_as<Out, T>) {
            may_be_nan = kernel_(moved(m, y, b), y, b.groups());
        }
        if (m.where != nullptr && may_be_nan) left_out<Form, T>(extra_).mend(m.y, m.where, blocks_.axes_of(b));
    }

    /// Where the elements of a block have been moved: to the output, or to a scratch of rows one after another.
    lattice<T const> moved(memories<In, Out> const& m, lattice<T> const& y, group_block const& b) {
        block_axes to = blocks_.axes_of(b);
        if (plan_.where == plan::place::output) {
            gather(y.data, m, to.all(), b.groups());
            return {y.data, y.row, y.column};
        }
        to.reduce.at[0].y = 1, to.kept.at[0].y = p_.count;
        gather(kernel_.scratch(), m, to.all(), b.groups());
        return {kernel_.scratch(), 1, p_.count};
    }

    /// Scratch is row-major: groups of elements where these are neighbours, else elements of groups.
    void run_in_scratch(memories<In, Out> const& m, group_block const& b) {
        index_t const groups = b.groups();
        bool const is_row = plan_.which == plan::kernel::row || (!is_wide_integer<In> && p_.inner.extent == 1);
        index_t const element = is_row ? 1 : groups, group = is_row ? p_.count : 1;
        index_t const result = Form == form::logsumexp ? 1 : group;
        T* const s = kernel_.scratch();
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
        // Runs that are shorter than packets are better transposed, of groups that fill packets: (200,8,20,20) over {0,2}, three groups at
        // a time, takes 2.7 times as long transposed (AVX-512).
        constexpr index_t narrow = 128 / static_cast<index_t>(sizeof(T));
        walked_axis kept[] = {blocks_.last().of(b.outer), p_.inner.of(b.inner)};
        if (b.inner < narrow && b.outer >= std::min(b.inner, packet<T>::lanes)) std::swap(kept[0], kept[1]);
        for (walked_axis const& a : kept) {
            step /= a.extent;
            in.kept.push_back({a.extent, a.x, step * group, a.where});
            out.push_back({a.extent, step * result, a.y, a.where});
        }
        gather(s, m, in.all(), groups);
        if (is_wide_integer<In> && kernel_.asked.has_extra()) move_origin();
        bool const may_be_nan = kernel_(lattice<T const>{s, element, group}, lattice<T>{s, element, result}, groups);
        if (Form == form::logsumexp && !kernel_.asked.has_extra()) integers_.restore(s, scale_);
        if (Form == form::logsumexp && call_.states != nullptr) {
            auto* const to =
                static_cast<normalizer_state<T>*>(call_.states) + (m.y - static_cast<Out const*>(call_.results));
            for_each_place(out, [&](walked_axis const& at) { to[at.y] = states_[static_cast<std::size_t>(at.x)]; });
        }
        reach const next = {0, plan_.next_move(p_).y, 0};
        if (m.where != nullptr && may_be_nan) {
            auto const left = mask<T>::of({m.where, 0, 0}, T(1), left_out_value<Form, T>);
            if constexpr (Form != form::logsumexp) {
                // Masked again on their way, or there, in longer runs.
                if (!plan_.masks_first) return void(mover<Out, T, mask<T>>(m.y, s, out, next, left));
                move(m.y, s, out, next);
                return void(mask_filler(m.y, m.where, out, left_out_value<Form, T>));
            }
            block_axes results = {p_.reduce, out};
            for (index_t k = 0; k < out.size; ++k) results.kept.at[k].y = out.at[k].x;
            left_out<Form, T>(extra_).mend(s, m.where, results);
        }
        move(m.y, s, m.where != nullptr ? out.bare() : out, next);
    }

    /// Elements that are not masked. Apart: a mover is in line where it is called once.
    template <class To, class From>
    EIGEN_DONT_INLINE static void move(To* y, From const* x, walked_axes const& axes, reach const& next) noexcept {
        mover<To, From>(y, x, axes, next);
    }

    void gather(T* to, memories<In, Out> const& m, walked_axes const& axes, index_t columns) {
        if constexpr (is_wide_integer<In>) {
            integers_.gather(to, m.x, m.where, axes, factor_, columns);
        } else if (m.where == nullptr) {
            move(to, m.x, axes, {plan_.next_move(p_).x, 0, 0});
        } else {
            auto const which = mask<T>::of({m.where, 0, 0}, factor_);
            if (plan_.masks_first) {
                if (masked_runs const runs(axes); runs.are_long()) {
                    T* const masked = to + p_.count * this->columns();
                    runs.move(masked, m.x, which);
                    return move(to, masked, runs.moved(), {});
                }
            }
            mover<T, In, mask<T>>(to, m.x, axes, plan_.next_move(p_), which);
        }
    }

    /// The extra logit is no less moved than the elements of its group, the only one of the block.
    void move_origin() noexcept {
        if constexpr (is_wide_integer<In>) {
            kernel_.asked.origin = integers_.extreme(0) * scale_;
            kernel_.asked.set_extra(extra_ - kernel_.asked.origin);
        }
    }

    call call_;
    std::optional<masked_axes> axes_;
    std::optional<block_mask> moved_mask_;
    partition const& p_;
    T factor_ = 1;
    double scale_, extra_;  // rounded to the type of the kernels
    plan plan_;
    group_blocks blocks_;
    index_t first_, end_;  // blocks of the share
    chosen_kernel<Form, T> kernel_;
    wide_integers<In, T> integers_;
    std::vector<normalizer_state<T>> states_;  // of groups in the scratch
};

/// The part-th of parts of all groups: the door to this instruction set.
template <form Form, class In, class Out>
void run_groups(memories<In, Out> const& m, partition const& p, call const& c, share const& s) {
    door const held;
    if constexpr (std::same_as<In, Out> && std::floating_point<In>) {
        if (plan::is_short_row<Form>(p, c)) {
            auto const asked = request<In>::of(c);
            c.is_masked ? short_row<Form>(m.x, m.y, p.count, asked, mask<In>::of({m.where, 1, 0}, In(1)))
                        : short_row<Form>(m.x, m.y, p.count, asked, everything<In>{});
            return;
        }
    }
    using work = application<Form, In, Out>;
    call own = work::call_of(p, c);
    // Groups of one are filled in less time than it takes, and so are long ones and those in pieces: (32,3,25) over {0,2} under (1,3,1) takes
    // 1.1 times the unmasked call then rather than 1.6, (3,256) under (3,1) 1.2 rather than 1.4 (AVX-512, AMD Zen 4).
    bool const are_between = p.count > 1 && p.count < 128 && p.reduce.size == 1 && p.inner.extent == 1;
    if (own.is_mask_moved || (own.is_filled && are_between)) {
        if (near_mask near(p); near.is_fit()) {
            own.is_masked = true, own.is_mask_moved = own.is_filled = false;
            return work(near.lying(), own, s)({m.x, m.y, near.moved(m.where)});
        }
    }
    work(p, own, s)(m);
}

SOFTAX_KERNELS_END
#endif
