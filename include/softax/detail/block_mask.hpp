// block_mask: a mask that lies otherwise than the elements do, moved block by block to lie as kernels want it.
//
// Of steps beside channels, transposed, of one of two axes: what a mask says is a byte an element, and to move that takes less than to
// move elements to where it fits and results back: of 128 rows of 1,000, transposed, 1.4 times the unmasked call rather than 4.9; of
// the steps of 5,000 channels 1.1 rather than 2.8 (softmax of floats, AVX-512).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

class block_mask {
public:
    /// Whether elements lie in runs, or side by side, and what the mask says of them does not. Short rows but floating ones are
    /// moved, faster all in one.
    template <class In>
    static bool is_needed(partition const& p) noexcept {
        constexpr index_t line = 64 / static_cast<index_t>(sizeof(compute_type<In>)), longest = index_t{1} << 16;
        walked_axes const reduce = bare(p.reduce);
        if (reduce.size != 1) return false;
        bool const is_one = p.reduce.size == 1, is_row = p.inner.extent == 1;
        index_t const element = p.reduce.at[0].where, extent = p.inner.extent;
        if (!is_row) {
            bool const fits = p.inner.where == 1 && (extent >= line || element == extent);
            return !(is_one && fits) && p.inner.x == 1 && p.count <= longest;
        }
        bool const is_dense = p.outer.size == 0 || p.outer.at[p.outer.size - 1].where == p.count;
        bool const fits = element == 1 && (std::floating_point<In> || p.count >= short_group || is_dense);
        return !(is_one && fits) && reduce.at[0].x == 1;
    }

    explicit block_mask(partition const& p) noexcept : given_(p), lying_(p) {
        lying_.reduce = bare(p.reduce);
        lie(p.inner.extent);
    }

    /// The partition with the mask as it lies once it is moved, but for the offsets of blocks.
    partition const& lying() const noexcept { return lying_; }

    /// For blocks of so many groups along both axes.
    void make_room(index_t outer, index_t inner) {
        lie(inner);
        blocks_.emplace(given_, outer, inner);
        answers_ = buffer<bool>(given_.count * outer * inner);
    }

    /// What the mask says of block b.
    bool const* operator()(bool const* where, index_t b) noexcept {
        group_block const at = (*blocks_)[b];
        walked_axes axes;
        index_t step = given_.count * row_;
        axes.push_back({at.outer, 0, step, blocks_->last().where});
        for (index_t k = 0; k < given_.reduce.size; ++k) {
            walked_axis const& a = given_.reduce.at[k];
            step /= a.extent;
            axes.push_back({a.extent, 0, step, a.where});
        }
        axes.push_back({at.inner, 0, 1, given_.inner.where});
        mask_mover(answers_.data(), where + at.offset.where, axes);
        return answers_.data();
    }

private:
    /// Without the mask, which keeps some from being one.
    static walked_axes bare(walked_axes const& axes) noexcept {
        walked_axes all;
        for (index_t k = 0; k < axes.size; ++k) all.push_back({axes.at[k].extent, axes.at[k].x, axes.at[k].y, 0});
        return all;
    }

    /// Elements follow one another; those of groups side by side are a row of the block apart.
    void lie(index_t row) noexcept {
        row_ = row;
        lying_.reduce.at[0].where = row;
        lying_.inner.where = 1;
        if (lying_.outer.size > 0) lying_.outer.at[lying_.outer.size - 1].where = given_.count * row;
    }

    partition const& given_;
    partition lying_;
    index_t row_ = 1;
    std::optional<group_blocks> blocks_;
    buffer<bool> answers_;
};

SOFTAX_KERNELS_END
#endif
