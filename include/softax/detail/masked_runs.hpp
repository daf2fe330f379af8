// masked_runs: elements in short pieces, masked in the runs of memory that these make up.
//
// Where groups are pieces of two or three elements, each would be masked by itself: (25,4,30,3) over {1,3} takes 2.1 times the
// unmasked call then.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The longest runs that elements lie in, and what a mask says of them too.
class masked_runs {
public:
    /// Of axes, x being their strides in memory.
    explicit masked_runs(walked_axes const& axes) noexcept
        : axes_(axes), outside_(axes.from_outermost(&walked_axis::x)) {
        index_t size = axes.count();
        for (index_t k = 0; k < outside_.size; ++k) outside_.at[k].y = size /= outside_.at[k].extent;
        for (; outside_.size > 0; --outside_.size) {
            walked_axis const& a = outside_.at[outside_.size - 1];
            if (a.x != run_ || a.where != run_) break;
            run_ *= a.extent;
        }
    }

    /// Whether they are as long as several packets.
    bool are_long() const noexcept { return run_ >= 32; }

    /// to = x, masked, one run after another.
    template <class T, class From>
    void move(T* to, From const* x, mask<T> const& which) const noexcept {
        for_each_place(outside_, [&](walked_axis const& at) {
            which.copy(to + at.y, x + at.x, which.where.data + at.where, run_);
        });
    }

    /// The same in their place.
    template <class T, class E>
    void fill(E* x, mask<T> const& which) const noexcept {
        for_each_place(outside_, [&](walked_axis const& at) {
            which.copy(x + at.x, x + at.x, which.where.data + at.where, run_);
        });
    }

    /// The axes, x being their strides where they have been moved to.
    walked_axes moved() const noexcept {
        walked_axes all;
        for (index_t k = 0; k < axes_.size; ++k) {
            index_t step = 1;
            for (index_t i = 0; i < axes_.size; ++i) step *= is_inside(i, k) ? axes_.at[i].extent : 1;
            all.push_back({axes_.at[k].extent, step, axes_.at[k].y, 0});
        }
        return all;
    }

private:
    /// As they are sorted: of equal strides, which overlapping windows have, those that come later.
    bool is_inside(index_t i, index_t k) const noexcept {
        index_t const own = axes_.at[i].x, other = axes_.at[k].x;
        return own < other || (own == other && i > k);
    }

    walked_axes const& axes_;
    walked_axes outside_;  // of runs, y being their strides one after another
    index_t run_ = 1;
};

SOFTAX_KERNELS_END
#endif
