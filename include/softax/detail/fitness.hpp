// fitness: whether what lies in memory is what a kernel takes.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// What of a partition a kernel could take as it lies.
template <form Form, class In, class Out>
class fitness {
    using T = compute_type<In>;
    static constexpr index_t line = 64 / static_cast<index_t>(sizeof(T));

public:
    explicit fitness(partition const& p) noexcept
        : inner_(p.inner), is_one_(p.reduce.size <= 1), has_one_block_(p.outer.size == 0) {
        if (p.reduce.size > 0) last_ = p.reduce.at[p.reduce.size - 1];
        if (is_one_) element_ = last_;
        if (p.outer.size > 0) group_ = p.outer.at[p.outer.size - 1];
    }

    bool is_short_fit() const noexcept {
        bool const is_wide = inner_.extent == 1 || has_one_block_ || (inner_.extent >= line && are_enough());
        walked_axis const& side = inner_.extent == 1 ? group_ : inner_;
        return is_one_ && is_wide && (Form != form::logsumexp || side.extent == 1 || side.y == 1);
    }
    /// Whether halves side by side fill packets, in every block.
    bool fills_packets(index_t block) const noexcept {
        index_t const rest = inner_.extent % block;
        return inner_.extent >= line && (rest == 0 || rest >= line);
    }
    /// The same for a strip of their own.
    bool half_strips(index_t block, bool is_masked) const noexcept {
        bool const are_whole = fills_packets(block) && (has_one_block_ || are_enough());
        return is_one_ && are_whole && inner_.x == 1 && inner_.y == 1 && (!is_masked || inner_.where == 1);
    }
    bool row_input() const noexcept { return is_one_ && inner_.extent == 1 && element_.x == 1; }
    bool row_output() const noexcept {
        return is_one_ && inner_.extent == 1 && (Form == form::logsumexp || element_.y == 1);
    }
    bool row_mask() const noexcept { return element_.where == 1; }
    bool panel_mask() const noexcept {
        return inner_.where == 1 && (inner_.extent >= line || is_dense(element_.where) || element_.where == 0);
    }
    bool panel_input() const noexcept {
        return is_one_ && inner_.x == 1 && (inner_.extent >= line || is_dense(element_.x));
    }
    /// Whether rows follow one another, in pieces or not, and are few columns, or none that fill packets.
    bool is_foldable() const noexcept {
        bool const is_folded = inner_.extent < line || panel<T>::fold_of(inner_.extent) > 1;
        return inner_.x == 1 && is_dense(last_.x) && is_folded;
    }
    bool panel_output() const noexcept {
        if (!is_one_ || inner_.y != 1) return false;
        return Form == form::logsumexp || inner_.extent >= line || is_dense(element_.y);
    }

private:
    /// Whether short groups side by side are enough for a strip of their own.
    bool are_enough() const noexcept { return element_.extent * inner_.extent >= 10 * line; }

    /// Whether rows follow one another in memory, so that the panel folds those of few columns.
    bool is_dense(index_t row) const noexcept { return row == inner_.extent; }

    walked_axis inner_, element_ = {1, 0, 0, 0}, last_ = element_, group_ = {1, 0, 0, 0};
    bool is_one_, has_one_block_;
};

SOFTAX_KERNELS_END
#endif
