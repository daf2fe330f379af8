// row_mask: what a mask says of one long row, a piece at a time.
//
// Moved as a whole it would leave the caches before it is read: (200,1200) under (1,1200), which lies in runs and is not moved at all,
// takes .91 of the time.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Pieces where they lie, in runs, or moved.
class row_mask {
public:
    row_mask(bool const* where, walked_axes const& axes) noexcept
        : where_(where), axes_(axes), has_runs_(lies_in_runs(axes)) {}

    /// visit(first, n, answers) for elements [first, end) in pieces; or in such of whole chunks.
    template <class Visit>
    void for_each_piece(index_t first, index_t end, bool are_chunks, Visit const& visit) noexcept {
        if (where_ == nullptr) return visit(first, end - first, nullptr);
        index_t const run = axes_.at[axes_.size - 1].extent;
        for (index_t n; first < end; first += n) {
            // As far as a run goes, or the last whole chunk in it.
            n = std::min(end - first, run - first % run);
            if (are_chunks && n < end - first) n = n / chunk * chunk;
            walked_axis at = {0, 0, 0, 0};
            bool const lies_there = has_runs_ && n > 0;
            if (lies_there) {
                step_along(at, axes_.at, axes_.at + axes_.size, first);
            } else {
                n = std::min(end - first, has_runs_ ? chunk : mask_piece);
                move_to(moved_, first, n);
            }
            visit(first, n, lies_there ? where_ + at.where : moved_);
        }
    }

    /// Elements [first, first + n) to where they follow one another.
    void move_to(bool* to, index_t first, index_t n) const noexcept {
        move(to, where_, axes_, {1, 0, 0, 0}, {first, n});
    }

    /// The same of groups side by side.
    struct range {
        index_t first, n;
    };
    static void move(bool* to, bool const* where, walked_axes const& along, walked_axis const& across,
                     range const& elements) noexcept {
        auto const move_box = [&](index_t done, walked_axis const& at, walked_axes box) {
            for (index_t k = 0; k < box.size; ++k) box.at[k].y = box.at[k].x * across.extent;
            box.push_back({across.extent, 0, 1, across.where});
            mask_mover(to + done * across.extent, where + at.where, box);
        };
        for_each_box_along(along.at, along.at + along.size, elements.first, elements.n, move_box);
    }

private:
    bool const* where_;
    walked_axes axes_;
    bool has_runs_;
    bool moved_[mask_piece];
};

SOFTAX_KERNELS_END
#endif
