// partition: shape, axes and strides as outer x reduce x inner, the form in which kernels see them.
//
// shape (2,3,4,5), axes {0,3}: outer 3 x 4, reduce 2 x 5, inner 1. Axes of extent 1 are dropped: they reduce nothing.
#pragma once

#include "../layout.hpp"

namespace softax::detail {

/// An axis walked in three memories at once: input, output, mask. Strides count elements.
struct walked_axis {
    index_t extent, x, y, where;

    /// The same over another extent.
    constexpr walked_axis of(index_t other) const noexcept { return {other, x, y, where}; }

    /// Whether this axis and the one inside it are one in the input and the output; in every memory.
    constexpr bool merges_without_mask(walked_axis const& inside) const noexcept {
        return x == inside.x * inside.extent && y == inside.y * inside.extent;
    }
    constexpr bool merges_with(walked_axis const& inside) const noexcept {
        return merges_without_mask(inside) && where == inside.where * inside.extent;
    }
};

/// Axes from the outermost to the innermost, as few as possible.
struct walked_axes {
    walked_axis at[index_list::max_size + 2];
    index_t size = 0;

    constexpr walked_axes() = default;
    // All axes there might be take as long as some hundred elements; a mask is found in several copies.
    constexpr walked_axes(walked_axes const& other) noexcept { *this = other; }
    constexpr walked_axes& operator=(walked_axes const& other) noexcept {
        size = other.size;
        for (index_t k = 0; k < size; ++k) at[k] = other.at[k];
        return *this;
    }

    constexpr void push_back(walked_axis const& a) noexcept {
        if (a.extent == 1) return;
        if (size > 0 && at[size - 1].merges_with(a)) {
            index_t const extent = at[size - 1].extent * a.extent;
            at[size - 1] = a;
            at[size - 1].extent = extent;
        } else {
            at[size++] = a;
        }
    }

    /// The axis at a place, taken out.
    constexpr walked_axis take(index_t place) noexcept {
        walked_axis const taken = at[place];
        for (index_t i = place; i + 1 < size; ++i) at[i] = at[i + 1];
        --size;
        return taken;
    }

    /// The axis at a place and those that go on where it ends, as one, taken out.
    constexpr walked_axis take_run(index_t place) noexcept {
        walked_axis run = take(place);
        for (index_t i = size - 1; i >= 0; --i) {
            if (!at[i].merges_with(run)) continue;
            run.extent *= take(i).extent;
            i = size;
        }
        return run;
    }

    /// All of them, those of larger strides first.
    constexpr walked_axes from_outermost(index_t walked_axis::*stride) const noexcept {
        walked_axes rest = *this, axes;
        while (rest.size > 0) {
            index_t most = 0;
            for (index_t k = 1; k < rest.size; ++k) most = rest.at[k].*stride > rest.at[most].*stride ? k : most;
            axes.push_back(rest.take(most));
        }
        return axes;
    }

    /// The same without a mask, which keeps some from being one.
    constexpr walked_axes bare() const noexcept {
        walked_axes all;
        for (index_t i = 0; i < size; ++i) all.push_back({at[i].extent, at[i].x, at[i].y, 0});
        return all;
    }

    /// Whether some of them are apart for a mask alone.
    constexpr bool are_split_by_mask() const noexcept {
        for (index_t i = 0; i + 1 < size; ++i) {
            if (at[i].merges_without_mask(at[i + 1])) return true;
        }
        return false;
    }

    constexpr index_t count() const noexcept {
        index_t product = 1;
        for (index_t i = 0; i < size; ++i) product *= at[i].extent;
        return product;
    }
};

/// A mask over the elements of a shape. Not a view, whose copy takes as long as some elements.
class broadcast_mask {
public:
    /// Of answers that lie as l says. Throws std::invalid_argument if they are of another shape.
    broadcast_mask(bool const* data, layout const& l, index_list const& shape)
        : data_(data), strides_(broadcast_strides(l, shape)) {}

    bool const* data() const noexcept { return data_; }
    index_list const& strides() const noexcept { return strides_; }

private:
    bool const* data_;
    index_list strides_;
};

/// The strides of a call: input, output, mask. In an output without the reduced axes their strides are 0, in no mask all.
struct walked_strides {
    index_list const &x, &y;
    index_list const* where = nullptr;
};

struct partition {
    walked_axes outer;   // kept axes but inner
    walked_axes reduce;  // reduced axes; more than one where kept axes lie between them or memory is strided
    walked_axis inner = {1, 0, 0,
                         0};  // the kept axis along which groups lie side by side, if their elements are not neighbours
    index_t count = 1;        // elements of a group, the product of reduce
    index_t inner_place = -1;  // of inner among the kept axes; -1 if it is none

    /// All kept axes, in their order.
    constexpr walked_axes kept() const noexcept {
        walked_axes all;
        for (index_t k = 0; k <= outer.size; ++k) {
            if (k == inner_place) all.at[all.size++] = inner;
            if (k < outer.size) all.at[all.size++] = outer.at[k];
        }
        return all;
    }
};

constexpr index_t magnitude(index_t stride) noexcept { return stride < 0 ? -stride : stride; }

/// The place among kept axes of the one that runs through neighbours, in the input or at least in the output; else the last.
constexpr index_t innermost(walked_axes const& kept) noexcept {
    index_t best = kept.size - 1;
    for (index_t i = 0; i < kept.size; ++i) {
        if (kept.at[i].y == 1) best = i;
    }
    for (index_t i = 0; i < kept.size; ++i) {
        if (kept.at[i].x == 1) best = i;
    }
    return best;
}

/// Takes the inner axis, if there is one, out of the kept ones, all of which are in outer.
constexpr void take_inner(partition& p) noexcept {
    p.count = p.reduce.count();
    if (p.outer.size == 0) return;
    index_t const best = innermost(p.outer);
    if (p.reduce.size > 0) {
        // A group whose elements lie closest together is a row, unless only a kept axis runs through neighbours.
        walked_axis const &last = p.reduce.at[p.reduce.size - 1], &kept = p.outer.at[best];
        bool const is_run = last.x == 1 && (last.y <= 1 || kept.y != 1);
        bool const is_stepped = kept.x != 1 && last.y == 1 && magnitude(last.x) <= magnitude(kept.x);
        if (is_run || is_stepped) return;
    }
    p.inner = p.outer.take(best);
    p.inner_place = best;
}

/// The partition of a non-empty shape; reduced holds ascending axes.
constexpr partition partition_of(index_list const& shape, index_list const& reduced, walked_strides const& strides) {
    partition p;
    for (index_t axis = 0, next = 0; axis < shape.size(); ++axis) {
        bool const is_reduced = next < reduced.size() && reduced[next] == axis;
        if (is_reduced) ++next;
        walked_axes& to = is_reduced ? p.reduce : p.outer;
        to.push_back(
            {shape[axis], strides.x[axis], strides.y[axis], strides.where != nullptr ? (*strides.where)[axis] : 0});
    }
    take_inner(p);
    return p;
}

/// Whether a mask leaves out groups, and nothing of those that it leaves.
constexpr bool masks_groups(partition const& p) noexcept {
    bool is_same = true;
    for (index_t k = 0; k < p.reduce.size; ++k) is_same = is_same && p.reduce.at[k].where == 0;
    return is_same;
}

/// The partition of a row-major array into a row-major array of the same shape.
constexpr partition partition_of(index_list const& shape, index_list const& reduced) {
    index_list const strides = row_major_strides(shape);
    return partition_of(shape, reduced, {strides, strides});
}

/// Two axes of a move.
struct rectangle {
    walked_axis row = {1, 0, 0, 0}, column = {1, 0, 0, 0};
};

/// Takes the two axes out whose elements are neighbours, the column in the output, the row in the input, or else where columns end in
/// the output.
inline rectangle take_rectangle(walked_axes& axes) noexcept {
    rectangle r;
    index_t column = axes.size - 1;
    for (index_t i = 0; i < axes.size; ++i) {
        if (axes.at[i].y == 1 && (axes.at[column].y != 1 || axes.at[i].extent > axes.at[column].extent)) column = i;
    }
    if (axes.size > 0) r.column = axes.take_run(column);
    index_t row = axes.size - 1;
    for (index_t i = 0; i < axes.size; ++i) {
        if (axes.at[i].y == r.column.extent) row = i;
    }
    for (index_t i = 0; i < axes.size; ++i) {
        if (axes.at[i].x == 1) row = i;
    }
    if (axes.size > 0) r.row = axes.take_run(row);
    return r;
}

/// visit(offset) for every index of the axes, offset.x, .y and .where being those of the memories; its extent means nothing.
template <class Visit>
void for_each_place(walked_axes const& axes, Visit&& visit) {
    // Steps that are left along each axis: to make all there might be 0 would take longer than a few axes do.
    index_t left[index_list::max_size + 2];
    for (index_t k = 0; k < axes.size; ++k) left[k] = axes.at[k].extent;
    walked_axis offset = {0, 0, 0, 0};
    for (;;) {
        visit(offset);
        index_t k = axes.size - 1;
        for (; k >= 0; --k) {
            walked_axis const& a = axes.at[k];
            index_t const steps = --left[k] > 0 ? 1 : 1 - a.extent;
            offset.x += steps * a.x, offset.y += steps * a.y, offset.where += steps * a.where;
            if (steps == 1) break;
            left[k] = a.extent;
        }
        if (k < 0) return;
    }
}

}  // namespace softax::detail
