// group_blocks: the groups of a partition in blocks, along its last outer axis and along its inner one.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Bytes of scratch for a block of groups, about half of an L2 cache, of what is worked on in a first-level one, and of what is worked
/// on together anyhow, which a third-level one keeps.
inline constexpr index_t scratch_bytes = index_t{1} << 18, row_bytes = index_t{1} << 15;
inline constexpr index_t together_bytes = 16 * scratch_bytes;

/// So many groups along both axes; how far the first lies from that of the partition, and its number, inner ones counted first; its
/// places along both axes, and along the others counted through.
struct group_block {
    walked_axis offset;
    index_t outer, inner, first, outer_place, inner_place, rest;

    index_t groups() const noexcept { return outer * inner; }
};

class group_blocks {
public:
    /// Blocks of at most so many groups along each axis.
    group_blocks(partition const& p, index_t outer, index_t inner) noexcept : p_(p), outer_(outer), inner_(inner) {}

    index_t count() const noexcept {
        index_t product = outer_blocks() * inner_blocks();
        for (index_t k = 0; k < p_.outer.size - 1; ++k) product *= p_.outer.at[k].extent;
        return product;
    }

    group_block operator[](index_t b) const noexcept {
        group_block at = {{0, 0, 0, 0}, 1, 1, 0, 0, 0, 0};
        auto const step = [&at](walked_axis const& a, index_t count) {
            at.offset.x += count * a.x, at.offset.y += count * a.y, at.offset.where += count * a.where;
        };
        index_t const j = take_digit(b, inner_blocks()) * inner_;
        at.inner = std::min(inner_, p_.inner.extent - j);
        step(p_.inner, j);
        index_t const o = take_digit(b, outer_blocks()) * outer_;
        at.outer = std::min(outer_, last().extent - o);
        step(last(), o);
        at.first = (b * last().extent + o) * p_.inner.extent + j;
        at.outer_place = o, at.inner_place = j, at.rest = b;
        for (index_t k = p_.outer.size - 2; k >= 0; --k) step(p_.outer.at[k], take_digit(b, p_.outer.at[k].extent));
        return at;
    }

    /// The last outer axis.
    walked_axis last() const noexcept {
        return p_.outer.size == 0 ? walked_axis{1, 0, 0, 0} : p_.outer.at[p_.outer.size - 1];
    }

    block_axes axes_of(group_block const& b) const noexcept {
        block_axes axes = {p_.reduce, {}};
        axes.kept.push_back(last().of(b.outer));
        axes.kept.push_back(p_.inner.of(b.inner));
        return axes;
    }

private:
    // A division takes as long as ten elements.
    static index_t blocks_of(index_t extent, index_t block) noexcept {
        return extent <= block ? 1 : (extent + block - 1) / block;
    }
    index_t outer_blocks() const noexcept { return blocks_of(last().extent, outer_); }
    index_t inner_blocks() const noexcept { return blocks_of(p_.inner.extent, inner_); }

    /// The last digit of b to that base, taken off.
    static index_t take_digit(index_t& b, index_t base) noexcept {
        index_t const rest = base == 1 ? b : b / base;
        return std::exchange(b, rest) - rest * base;
    }

    partition const& p_;
    index_t outer_, inner_;
};

SOFTAX_KERNELS_END
#endif
