// Walks over strided elements: collapse a layout to few axes, visit its runs, copy between layouts.
//
// Everything else in the library works on row-major memory; what is not row-major passes through here once.
#pragma once

#include <algorithm>
#include <concepts>

#include "../layout.hpp"

namespace softax::detail {

/// One shape walked in two memories at once.
struct tandem {
    index_list shape;
    index_list to;    // strides in the first memory
    index_list from;  // strides in the second
};

/// The same walk in as few axes as possible: extents of 1 dropped, neighbours merged where both memories allow it.
constexpr tandem collapse(tandem const& t) {
    tandem result;
    for (index_t axis = 0; axis < t.shape.size(); ++axis) {
        index_t const extent = t.shape[axis], to = t.to[axis], from = t.from[axis];
        if (extent == 1) continue;
        bool const merges =
            !result.shape.empty() && result.to.back() == to * extent && result.from.back() == from * extent;
        if (merges) {
            result.shape.back() *= extent;
            result.to.back() = to;
            result.from.back() = from;
        } else {
            result.shape.push_back(extent);
            result.to.push_back(to);
            result.from.push_back(from);
        }
    }
    return result;
}

/// Calls visit(offset_to, offset_from) for every index of a shape, in row-major order.
template <class Visit>
constexpr void for_each_offset(tandem const& t, Visit visit) {
    index_t const rank = t.shape.size();
    for (index_t const extent : t.shape) {
        if (extent == 0) return;
    }
    index_t at[index_list::max_size] = {};
    index_t to = 0, from = 0;
    for (;;) {
        visit(to, from);
        index_t axis = rank - 1;
        for (; axis >= 0; --axis) {
            to += t.to[axis];
            from += t.from[axis];
            if (++at[axis] < t.shape[axis]) break;
            to -= t.to[axis] * t.shape[axis];
            from -= t.from[axis] * t.shape[axis];
            at[axis] = 0;
        }
        if (axis < 0) return;
    }
}

/// Copies a block of rows x columns between two strided memories, in tiles that stay in cache whichever side is contiguous.
template <class To, class From>
void copy_block(To* to, index_t to_row, index_t to_column, From const* from, index_t from_row, index_t from_column,
                index_t rows, index_t columns) {
    if (to_column == 1 && from_column == 1) {
        for (index_t i = 0; i < rows; ++i) {
            To* const row = to + i * to_row;
            From const* const x = from + i * from_row;
            if constexpr (std::same_as<To, From>) {
                std::copy_n(x, columns, row);
            } else {
                for (index_t j = 0; j < columns; ++j) row[j] = static_cast<To>(x[j]);
            }
        }
        return;
    }
    if (to_column == 1 && from_column == 0) {
        for (index_t i = 0; i < rows; ++i) std::fill_n(to + i * to_row, columns, static_cast<To>(from[i * from_row]));
        return;
    }
    constexpr index_t tile = 32;
    for (index_t i0 = 0; i0 < rows; i0 += tile) {
        index_t const i1 = i0 + tile < rows ? i0 + tile : rows;
        for (index_t j0 = 0; j0 < columns; j0 += tile) {
            index_t const j1 = j0 + tile < columns ? j0 + tile : columns;
            for (index_t i = i0; i < i1; ++i) {
                for (index_t j = j0; j < j1; ++j) {
                    to[i * to_row + j * to_column] = static_cast<To>(from[i * from_row + j * from_column]);
                }
            }
        }
    }
}

/// Copies every element of a shape from one strided memory to another. O(size).
template <class To, class From>
void copy(To* to, From const* from, tandem const& walk) {
    for (index_t const extent : walk.shape) {
        if (extent == 0) return;  // the pointers may be null, from which no offset is taken
    }
    tandem t = collapse(walk);
    if (t.shape.empty()) {
        t = {{1}, {1}, {1}};
    }
    // The two innermost loops: the last axis and, where it is strided in the source, the axis with the least stride there.
    index_t const last = t.shape.size() - 1;
    index_t const columns = t.shape[last], to_column = t.to[last], from_column = t.from[last];
    t.shape.erase(last), t.to.erase(last), t.from.erase(last);
    index_t partner = last - 1;
    for (index_t axis = 0; axis < last; ++axis) {
        index_t const stride = t.from[axis] < 0 ? -t.from[axis] : t.from[axis];
        if (from_column != 1 && stride == 1) partner = axis;
    }
    index_t rows = 1, to_row = 0, from_row = 0;
    if (partner >= 0) {
        rows = t.shape[partner], to_row = t.to[partner], from_row = t.from[partner];
        t.shape.erase(partner), t.to.erase(partner), t.from.erase(partner);
    }
    for_each_offset(t, [&](index_t a, index_t b) {
        copy_block(to + a, to_row, to_column, from + b, from_row, from_column, rows, columns);
    });
}

/// Copies the elements of a layout into row-major memory. O(size).
template <class To, class From>
void copy_row_major(To* to, From const* from, layout const& where) {
    copy(to, from, tandem{where.shape, row_major_strides(where.shape), where.strides});
}

}  // namespace softax::detail
