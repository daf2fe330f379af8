// overlap: whether memories touch, and so what a caller may give for a result.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "../view.hpp"

namespace softax::detail {

/// Whether two elements of a layout share a place, found by marking places: O(size). Only called where strides allow it.
inline bool overlaps_itself(layout const& l) {
    index_t span = 1;
    for (index_t axis = 0; axis < l.shape.size(); ++axis) {
        index_t const stride = l.strides[axis] < 0 ? -l.strides[axis] : l.strides[axis];
        span += stride * (l.shape[axis] - 1);
    }
    // Places are at least as many as elements, or two elements share one.
    if (span < size_of(l.shape)) return true;
    index_t first = 0;
    for (index_t axis = 0; axis < l.shape.size(); ++axis) {
        first -= l.strides[axis] < 0 ? l.strides[axis] * (l.shape[axis] - 1) : 0;
    }
    std::vector<bool> taken(static_cast<std::size_t>(span));
    bool found = false;
    for_each_offset({l.shape, l.strides, l.strides}, [&](index_t offset, index_t) {
        auto const place = static_cast<std::size_t>(first + offset);
        found = found || taken[place];
        taken[place] = true;
    });
    return found;
}

/// Whether two layouts of one shape put every element in the same place. Strides of axes of extent 1 do not matter.
inline bool is_same_place(layout const& a, layout const& b) noexcept {
    for (index_t axis = 0; axis < a.shape.size(); ++axis) {
        if (a.shape[axis] != 1 && a.strides[axis] != b.strides[axis]) return false;
    }
    return true;
}

/// First and one past the last byte that a view with elements can touch.
template <class T>
std::pair<std::uintptr_t, std::uintptr_t> bytes_of(view<T> const& v) noexcept {
    index_t low = 0, high = 0;
    for (index_t axis = 0; axis < v.rank(); ++axis) {
        index_t const reach = v.strides()[axis] * (v.shape()[axis] - 1);
        (reach < 0 ? low : high) += reach;
    }
    return {reinterpret_cast<std::uintptr_t>(v.data() + low), reinterpret_cast<std::uintptr_t>(v.data() + high + 1)};
}

/// Whether some byte belongs to an element of both. Views whose ranges are apart are decided at once; for others, such as
/// the even and the odd columns of one matrix, the bytes of a are marked: O(size).
template <class A, class B>
bool shares_memory(view<A> const& a, view<B> const& b) {
    if (a.empty() || b.empty()) return false;
    auto const [a_first, a_last] = bytes_of(a);
    auto const [b_first, b_last] = bytes_of(b);
    if (a_last <= b_first || b_last <= a_first) return false;
    std::vector<bool> taken(a_last - a_first);
    for_each_offset({a.shape(), a.strides(), a.strides()}, [&, first = a_first](index_t offset, index_t) {
        auto const place = reinterpret_cast<std::uintptr_t>(a.data() + offset) - first;
        for (std::size_t k = 0; k < sizeof(A); ++k) taken[place + k] = true;
    });
    bool found = false;
    for_each_offset({b.shape(), b.strides(), b.strides()}, [&, first = a_first](index_t offset, index_t) {
        auto const place = reinterpret_cast<std::uintptr_t>(b.data() + offset) - first;
        for (std::size_t k = 0; k < sizeof(B); ++k) found = found || (place + k < taken.size() && taken[place + k]);
    });
    return found;
}

/// Throws unless out has that shape, elements of its own, and memory that is the input itself or apart from it.
template <class In, class Out>
void check_out(view<Out> const& out, index_list const& shape, view<In const> const& a) {
    if (out.shape() != shape) fail_shapes_differ("out", out.shape(), shape);
    if (!out.is_row_major() && overlaps_itself(out.layout())) fail_self_overlap(out.shape(), out.strides());
    bool const is_at_a = static_cast<void const*>(out.data()) == a.data() && std::same_as<In, Out>;
    bool const is_a = is_at_a && out.shape() == a.shape() && is_same_place(out.layout(), a.layout());
    if (!is_a && shares_memory(a, out)) fail_overlap();
}

}  // namespace softax::detail
