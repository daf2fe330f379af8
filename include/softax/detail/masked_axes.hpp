// masked_axes: a partition as it were without its mask, and what its axes are to the mask.
//
// A mask that is broadcast along some axes keeps axes apart that are one in the input and the output: kernels would get many small
// blocks, of 10 columns rather than 5,000. They work on the axes as they would be without it, and what the mask says of a block is
// looked for here.
#pragma once

#include "partition.hpp"

namespace softax::detail {

/// n steps on along axes [begin, end) as if they were one.
inline void step_along(walked_axis& offset, walked_axis const* begin, walked_axis const* end, index_t n) noexcept {
    while (end-- > begin) {
        index_t const rest = end == begin ? n : n % end->extent;
        offset.y += rest * end->y, offset.where += rest * end->where;
        n /= end->extent;
    }
}

/// visit(done, offset, axes) for steps [first, first + n) along axes [begin, end) as if they were one: boxes, in order; done steps
/// come before, x of the axes counts steps, and the extent of the offset how many there are on along the first of them.
template <class Visit>
void for_each_box_along(walked_axis const* begin, walked_axis const* end, index_t first, index_t n,
                        Visit const& visit) {
    for (index_t i = first; i < first + n;) {
        // As many whole axes as begin and end here, and some steps along the one before.
        walked_axis const* a = end - 1;
        index_t whole = 1, left = first + n - i;
        for (; a > begin && i % (whole * a->extent) == 0 && left >= whole * a->extent; --a) whole *= a->extent;
        index_t const at = a == begin ? i / whole : i / whole % a->extent;
        index_t const on = a->extent - at, some = std::min(on, left / whole);
        walked_axes axes;
        axes.push_back({some, whole, a->y, a->where});
        for (index_t inside = whole; ++a < end;)
            inside /= a->extent, axes.push_back({a->extent, inside, a->y, a->where});
        walked_axis offset = {on, 0, 0, 0};
        step_along(offset, begin, end, i);
        visit(i - first, offset, axes);
        i += some * whole;
    }
}

class masked_axes {
public:
    /// Of a partition that outlives them.
    explicit masked_axes(partition const& p) noexcept
        : kept_(p.kept()), reduce_(p.reduce), bare_{kept_.bare(), reduce_.bare()} {
        index_t part = 0;
        for (index_t k = 0; k < bare_.outer.size; ++k) {
            begin_[k] = part;
            for (index_t extent = 1; extent < bare_.outer.at[k].extent;) extent *= kept_.at[part++].extent;
        }
        begin_[bare_.outer.size] = part;
        take_inner(bare_);
    }

    /// The partition without the mask.
    partition const& bare() const noexcept { return bare_; }
    partition& bare() noexcept { return bare_; }

    /// The reduced axes, with the mask.
    walked_axes const& reduce() const noexcept { return reduce_; }

    /// Groups of a block that are whole axes of the mask, or steps along one: how many come before along the outer axis and along the
    /// inner one, how far the first lies from that of the partition, how many there are on along the first outer axis, and the axes, x of
    /// which counts groups.
    struct box {
        index_t i, j, y, where, left;
        walked_axes const &outer, &inner;
    };

    /// visit(box) for all of a block, in order.
    template <class Block, class Visit>
    void for_each_box(Block const& at, Visit const& visit) const {
        walked_axis const rest = offset_of(at.rest);
        auto const outer_piece = [&](index_t i, walked_axis const& own, walked_axes const& outer) {
            auto const inner_piece = [&](index_t j, walked_axis const& inside, walked_axes const& inner) {
                visit(box{i, j, rest.y + own.y + inside.y, rest.where + own.where + inside.where, own.extent, outer,
                          inner});
            };
            for_each_inner_piece(at.inner_place, at.inner, inner_piece);
        };
        for_each_outer_piece(at.outer_place, at.outer, outer_piece);
    }

private:
    /// Where the group lies that is the n-th along all outer axes but the last.
    walked_axis offset_of(index_t n) const noexcept {
        walked_axis offset = {0, 0, 0, 0};
        for (index_t k = bare_.outer.size - 2; k >= 0; --k) {
            index_t const extent = bare_.outer.at[k].extent;
            step(offset, place_of(k), n % extent);
            n /= extent;
        }
        return offset;
    }

    /// visit(done, offset, axes) for boxes of n groups along the last outer axis, or the inner one, from the first on.
    template <class Visit>
    void for_each_outer_piece(index_t first, index_t n, Visit const& visit) const {
        if (bare_.outer.size == 0) return visit(index_t{0}, walked_axis{0, 0, 0, 0}, walked_axes());
        for_each_piece(place_of(bare_.outer.size - 1), first, n, visit);
    }
    template <class Visit>
    void for_each_inner_piece(index_t first, index_t n, Visit const& visit) const {
        if (bare_.inner_place < 0) return visit(index_t{0}, walked_axis{0, 0, 0, 0}, walked_axes());
        for_each_piece(bare_.inner_place, first, n, visit);
    }

    /// The place among kept axes of an outer one.
    index_t place_of(index_t outer) const noexcept {
        return bare_.inner_place >= 0 && outer >= bare_.inner_place ? outer + 1 : outer;
    }

    /// n groups on along a kept axis.
    void step(walked_axis& offset, index_t place, index_t n) const noexcept {
        step_along(offset, kept_.at + begin_[place], kept_.at + begin_[place + 1], n);
    }

    template <class Visit>
    void for_each_piece(index_t place, index_t first, index_t n, Visit const& visit) const {
        for_each_box_along(kept_.at + begin_[place], kept_.at + begin_[place + 1], first, n, visit);
    }

    walked_axes kept_;
    walked_axes const& reduce_;
    partition bare_;
    index_t begin_[index_list::max_size + 3];  // the first of those that are one without the mask
};

}  // namespace softax::detail
