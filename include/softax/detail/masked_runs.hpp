// masked_runs: elements in short pieces, masked in the runs of memory that these make up.
//
// Where groups are pieces of two or three elements, each would be masked by itself: (25,4,30,3) over {1,3} takes 2.1 times the
// unmasked call then.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The longest runs that elements lie in, and what a mask says of them too.
class masked_runs {
public:
    static constexpr index_t long_run = 16;

    /// Whether groups are in several pieces, which are moved before a kernel takes them, and lie side by side, or are few short pieces that
    /// follow one another: runs are pieces of many.
    static bool are_pieces(partition const& p) noexcept {
        if (p.reduce.size <= 1) return false;
        constexpr index_t few = 32;
        bool const are_few = p.count <= few * p.reduce.at[p.reduce.size - 1].extent;
        return (p.inner.extent > 1 && p.inner.x == 1) || (are_few && are_short_pieces(p));
    }
    static bool are_short_pieces(partition const& p) noexcept {
        constexpr index_t short_piece = 6, longest = 512;  // of more elements few groups are moved together
        if (p.reduce.size <= 1 || p.inner.extent > 1 || p.outer.size == 0 || p.count > longest) return false;
        walked_axis const& piece = p.reduce.at[p.reduce.size - 1];
        return piece.x == 1 && piece.extent < short_piece && p.outer.at[p.outer.size - 1].x == piece.extent;
    }

    /// Whether what is in runs in the input is in short ones in the mask: (3,30,10,4) over {0,2} takes 2.8 times the unmasked call under
    /// (3,1,1,4) as it lies, 1.2 moved (AVX-512). One answer for a long run is as good as many.
    static bool are_broken(partition const& p) noexcept {
        constexpr index_t enough = 32;
        walked_axes axes = p.kept();
        for (index_t k = 0; k < p.reduce.size; ++k) axes.at[axes.size++] = p.reduce.at[k];
        for (index_t run = 1; run < enough;) {
            index_t k = 0;
            while (k < axes.size && axes.at[k].x != run) ++k;
            if (k == axes.size) return false;
            walked_axis const a = axes.take(k);
            if (a.where != run) return run > 1 || a.where != 0 || a.extent < long_run;
            run *= a.extent;
        }
        return false;
    }

    /// Of axes, x being their strides in memory.
    explicit masked_runs(walked_axes const& axes) noexcept
        : axes_(axes), outside_(axes.from_outermost(&walked_axis::x)) {
        for (; outside_.size > 0; --outside_.size) {
            walked_axis const& a = outside_.at[outside_.size - 1];
            if (a.x != run_ || a.where != run_) break;
            run_ *= a.extent;
        }
        pitch_ = pitch_of(run_);
        index_t step = pitch_;
        for (index_t k = outside_.size - 1; k >= 0; --k)
            outside_.at[k].y = std::exchange(step, step * outside_.at[k].extent);
    }

    /// Elements that so many take where they are moved to, one run after another. Runs of whole KiB are a cache line apart, or they push each
    /// other out of a first-level cache: (32,5000,2) over {0,2} takes 1.8 times the unmasked call then rather than 1.1.
    static constexpr index_t room_of(index_t size) noexcept { return size + size / kib * line; }

    /// Whether they are as long as several packets.
    bool are_long() const noexcept { return run_ >= 32; }

    /// to = x, masked, one run after another.
    template <class T, class From>
    void move(T* to, From const* x, mask<T> const& which) const noexcept {
        for_each_place(outside_, [&](walked_axis const& at) {
            which.copy(to + at.y, x + at.x, which.where.data + at.where, run_);
        });
    }

    /// The axes, x being their strides where they have been moved to.
    walked_axes moved() const noexcept {
        walked_axes all;
        for (index_t k = 0; k < axes_.size; ++k) {
            index_t step = 1;
            for (index_t i = 0; i < axes_.size; ++i) step *= is_inside(i, k) ? axes_.at[i].extent : 1;
            all.push_back({axes_.at[k].extent, step < run_ ? step : step / run_ * pitch_, axes_.at[k].y, 0});
        }
        return all;
    }

private:
    static constexpr index_t line = 16, kib = 256;

    static constexpr index_t pitch_of(index_t run) noexcept { return run % kib == 0 ? run + line : run; }

    /// As they are sorted: of equal strides, which overlapping windows have, those that come later.
    bool is_inside(index_t i, index_t k) const noexcept {
        index_t const own = axes_.at[i].x, other = axes_.at[k].x;
        return own < other || (own == other && i > k);
    }

    walked_axes const& axes_;
    walked_axes outside_;  // of runs, y being their strides one after another
    index_t run_ = 1, pitch_ = 1;
};

SOFTAX_KERNELS_END
#endif
