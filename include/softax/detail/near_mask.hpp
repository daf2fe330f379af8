// near_mask: a mask of few elements, made to lie as these do.
//
// What is known of a mask block by block takes as long to find as some hundred elements take: (20,32) over axis 0 under (20,1) takes 1.5
// times the unmasked call then rather than 1.33 (AVX-512, AMD Zen 4).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

class near_mask {
    static constexpr index_t most = 4096;

public:
    /// For a partition of elements in one run of memory; whether they are, and few, is_fit() says.
    explicit near_mask(partition const& p) noexcept {
        if (p.count * p.outer.count() * p.inner.extent > most) return;
        walked_axes const kept = p.kept();
        for (index_t i = 0, j = 0; i + j < kept.size + p.reduce.size;) {
            bool const is_kept = j == p.reduce.size || (i < kept.size && kept.at[i].x > p.reduce.at[j].x);
            walked_axis const& a = is_kept ? kept.at[i++] : p.reduce.at[j++];
            (is_kept ? lying_.outer : lying_.reduce).push_back({a.extent, a.x, a.y, a.x});
            axes_.push_back({a.extent, 0, a.x, a.where});
        }
        index_t run = 1, k = axes_.size - 1;
        for (; k >= 0 && axes_.at[k].y == run; --k) run *= axes_.at[k].extent;
        is_fit_ = k < 0;
        if (is_fit_) take_inner(lying_);
    }

    bool is_fit() const noexcept { return is_fit_; }

    /// The partition with the mask as it lies then, and what it says of the first element.
    partition const& lying() const noexcept { return lying_; }
    bool const* moved(bool const* where) noexcept {
        mask_mover(answers_, where, axes_);
        return answers_;
    }

private:
    partition lying_;
    walked_axes axes_;  // from the outermost to the innermost, y being the stride in the input
    bool is_fit_ = false;
    bool answers_[most];
};

SOFTAX_KERNELS_END
#endif
