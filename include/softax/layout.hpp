// layout: a shape and its strides, and the plain functions that make one layout of another. No element is touched here.
//
// A layout with an offset says where every element of a view lies relative to its first. Strides count elements; they may be
// negative (reversed) or 0 (broadcast).
#pragma once

#include <optional>

#include "axes.hpp"

namespace softax {

/// Shape and strides, one of each for every axis.
struct layout {
    index_list shape;
    index_list strides;

    friend constexpr bool operator==(layout const&, layout const&) = default;
};

/// The elements [start, stop) of an axis, every step-th, as in Python: negative numbers count from the end, what lies
/// outside is cut off, and what is not given means the whole axis in the direction of the step.
struct bounds {
    std::optional<index_t> start = {};
    std::optional<index_t> stop = {};
    index_t step = 1;
};

namespace detail {

/// a * b for non-negative a and b, or -1 if it does not fit.
constexpr index_t product_or_negative(index_t a, index_t b) noexcept {
    constexpr index_t half = index_t{1} << 31;  // of the bits; a division takes as long as ten elements
    if (a < half && b < half) return a * b;
    return b != 0 && a > std::numeric_limits<index_t>::max() / b ? -1 : a * b;
}

/// Number of elements of a shape; 1 for rank 0. Throws std::invalid_argument for a negative extent and std::length_error if
/// the elements, of 16 bytes at most, take more than 2^63 - 1 bytes. An extent of 0 does not excuse the others.
constexpr index_t size_of(index_list const& shape) {
    index_t product = 16;
    bool is_empty = false;
    for (index_t const extent : shape) {
        if (extent < 0) fail_negative_extent(shape);
        if (extent == 0) is_empty = true;
        if (product >= 0 && extent != 0) product = product_or_negative(product, extent);
    }
    if (product < 0) fail_size_overflow(shape);
    return is_empty ? 0 : product / 16;
}

/// Strides of a shape in row-major order, the last axis contiguous.
constexpr index_list row_major_strides(index_list const& shape) {
    index_list strides = index_list::filled(shape.size(), 1);
    for (index_t axis = shape.size() - 2; axis >= 0; --axis) {
        strides[axis] = strides[axis + 1] * (shape[axis + 1] > 0 ? shape[axis + 1] : 1);
    }
    return strides;
}

constexpr layout row_major(index_list const& shape) { return {shape, row_major_strides(shape)}; }

/// Whether the elements lie in row-major order without a gap. Strides of axes of extent 1, and of no elements at all, do
/// not matter.
constexpr bool is_row_major(layout const& l) noexcept {
    index_t expected = 1;
    bool result = true;
    for (index_t axis = l.shape.size() - 1; axis >= 0; --axis) {
        if (l.shape[axis] == 0) return true;
        if (l.shape[axis] != 1 && l.strides[axis] != expected) result = false;
        expected *= l.shape[axis];
    }
    return result;
}

/// Where the element with these indices lies; negative ones count from the end. Throws std::invalid_argument for a wrong
/// number of indices and std::out_of_range for one outside its axis.
constexpr index_t offset_at(layout const& l, index_list const& at) {
    if (at.size() != l.shape.size()) fail_index_count(at.size(), l.shape.size());
    index_t offset = 0;
    for (index_t axis = 0; axis < at.size(); ++axis) {
        index_t const extent = l.shape[axis];
        if (at[axis] < -extent || at[axis] >= extent) fail_index_range(at[axis], axis, extent);
        offset += (at[axis] < 0 ? at[axis] + extent : at[axis]) * l.strides[axis];
    }
    return offset;
}

/// Axis k of the result is axis order[k] of l. Throws std::invalid_argument unless order names every axis once.
constexpr layout permute(layout const& l, index_list const& order) {
    index_t const rank = l.shape.size();
    if (order.size() != rank || (rank > 0 && axes(order).canonical(rank).size() != rank)) fail_permutation(order, rank);
    layout result;
    for (index_t const axis : order) {
        index_t const from = axis < 0 ? axis + rank : axis;
        result.shape.push_back(l.shape[from]);
        result.strides.push_back(l.strides[from]);
    }
    return result;
}

/// A layout and where its first element lies relative to the first of the layout it was made from.
struct placed_layout {
    layout where;
    index_t offset = 0;
};

/// l with one axis cut to bounds. Throws for a bad axis as axes::canonical and std::invalid_argument for step 0.
constexpr placed_layout slice(layout const& l, index_t axis, bounds const& b) {
    axis = canonical_axis(axis, l.shape.size());
    if (b.step == 0) fail_step();
    index_t const extent = l.shape[axis];
    bool const is_forward = b.step > 0;
    index_t const low = is_forward ? 0 : -1, high = is_forward ? extent : extent - 1;
    auto const place_of = [&](index_t i) {
        if (i < 0) i += extent;
        return i < low ? low : i > high ? high : i;
    };
    index_t const start = b.start ? place_of(*b.start) : is_forward ? low : high;
    index_t const stop = b.stop ? place_of(*b.stop) : is_forward ? high : low;
    index_t const span = is_forward ? stop - start : start - stop;
    // Magnitude as unsigned: the least index_t has no positive counterpart.
    std::size_t const step =
        is_forward ? static_cast<std::size_t>(b.step) : std::size_t{0} - static_cast<std::size_t>(b.step);
    index_t const count = span > 0 ? static_cast<index_t>((static_cast<std::size_t>(span) - 1) / step) + 1 : 0;
    placed_layout result{l, count > 0 ? start * l.strides[axis] : 0};
    result.where.shape[axis] = count;
    result.where.strides[axis] = count > 1 ? l.strides[axis] * b.step : l.strides[axis];
    return result;
}

/// The strides of l under another shape: extents of 1 are stretched, new axes stand in front. Throws std::invalid_argument if it
/// does not fit.
constexpr index_list broadcast_strides(layout const& l, index_list const& shape) {
    index_t const extra = shape.size() - l.shape.size();
    if (extra < 0) fail_broadcast(l.shape, shape);
    index_list strides = index_list::filled(shape.size(), 0);
    for (index_t axis = 0; axis < l.shape.size(); ++axis) {
        index_t const extent = l.shape[axis];
        if (extent != shape[axis + extra] && extent != 1) fail_broadcast(l.shape, shape);
        strides[axis + extra] = extent == shape[axis + extra] ? l.strides[axis] : 0;
    }
    return strides;
}

/// l seen under another shape. Throws std::invalid_argument if it does not fit.
constexpr layout broadcast(layout const& l, index_list const& shape) {
    size_of(shape);
    return {shape, broadcast_strides(l, shape)};
}

/// shape with its one -1, if any, replaced by what makes its size that of from. Throws std::invalid_argument if there is none.
constexpr index_list complete_shape(index_list const& from, index_list shape) {
    index_t const size = size_of(from);
    index_list known = shape;
    index_t unknown = -1;
    for (index_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] < -1) fail_negative_extent(shape);
        if (shape[axis] != -1) continue;
        if (unknown >= 0) fail_reshape_open(from, shape);
        unknown = axis;
        known[axis] = 1;
    }
    index_t const rest = size_of(known);
    if (unknown >= 0 && rest == 0 && size == 0) fail_reshape_open(from, shape);
    if (unknown < 0 ? rest != size : rest == 0 || size % rest != 0) fail_reshape(from, shape);
    if (unknown >= 0) shape[unknown] = size / rest;
    return shape;
}

/// l seen under another shape of the same size, elements in row-major order. Throws std::invalid_argument if the sizes
/// differ or strides cannot say it.
constexpr layout reshape(layout const& l, index_list const& wanted) {
    index_list const shape = complete_shape(l.shape, wanted);
    if (size_of(shape) == 0) return row_major(shape);
    layout result{shape, index_list::filled(shape.size(), 1)};
    // Both shapes are cut into blocks of axes of equal size, from the right; within a block the old axes must be one run.
    index_t from = l.shape.size() - 1, to = shape.size() - 1;
    while (to >= 0) {
        while (from >= 0 && l.shape[from] == 1) --from;
        if (from < 0) break;
        index_t stride = l.strides[from], old_size = l.shape[from--], new_size = 1, expected = stride * old_size;
        while (to >= 0 && (new_size < old_size || shape[to] == 1)) {
            result.strides[to] = stride * new_size;
            new_size *= shape[to--];
            while (new_size > old_size) {
                if (l.shape[from] != 1 && l.strides[from] != expected) fail_reshape_copies(l.shape, l.strides, shape);
                if (l.shape[from] != 1) expected *= l.shape[from];
                old_size *= l.shape[from--];
            }
        }
    }
    return result;
}

}  // namespace detail
}  // namespace softax
