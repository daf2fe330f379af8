// partition: shape and axes of a row-major array as outer x reduce x inner, the form in which kernels see it.
//
// shape (2,3,4,5), axes {0,3}: outer 3 x 4, reduce 2 x 5, inner 1. Axes of extent 1 are dropped: they reduce nothing.
#pragma once

#include "../layout.hpp"

namespace softax::detail {

struct partition {
    index_list outer, outer_strides;    // kept axes left of the inner run
    index_list reduce, reduce_strides;  // reduced axes; more than one where kept axes lie between them
    index_t inner = 1;                  // elements of the last axis, if that is kept, else 1
    index_t count = 1;                  // elements of a group, the product of reduce
};

/// The partition of a non-empty row-major shape; reduced holds ascending axes.
constexpr partition partition_of(index_list const& shape, index_list const& reduced) {
    partition p;
    index_list const strides = row_major_strides(shape);
    bool was_reduced = false;
    for (index_t axis = 0, next = 0; axis < shape.size(); ++axis) {
        bool const is_reduced = next < reduced.size() && reduced[next] == axis;
        if (is_reduced) ++next;
        if (shape[axis] == 1) continue;
        index_list& extents = is_reduced ? p.reduce : p.outer;
        index_list& steps = is_reduced ? p.reduce_strides : p.outer_strides;
        bool const merges = !extents.empty() && is_reduced == was_reduced;
        if (merges) {
            extents.back() *= shape[axis];
            steps.back() = strides[axis];
        } else {
            extents.push_back(shape[axis]);
            steps.push_back(strides[axis]);
        }
        was_reduced = is_reduced;
    }
    for (index_t const extent : p.reduce) p.count *= extent;
    bool const has_inner = !p.outer.empty() && p.outer_strides.back() == 1;
    if (has_inner) {
        p.inner = p.outer.back();
        p.outer.erase(p.outer.size() - 1);
        p.outer_strides.erase(p.outer_strides.size() - 1);
    }
    return p;
}

}  // namespace softax::detail
