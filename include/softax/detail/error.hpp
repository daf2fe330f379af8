// Every exception that softax throws, by the name of the rule that was broken.
//
// The functions are out of the way of the code that checks: they take numbers, build the message and throw. Each message
// names the rule and carries the numbers, so that it says what to change.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace softax {

/// The one integer type of sizes, extents, strides, indices and axes.
using index_t = std::ptrdiff_t;

namespace detail {

/// "(2, 3)" for the integers in [first, first + count).
inline std::string text_of(index_t const* first, std::size_t count) {
    std::string text = "(";
    for (std::size_t i = 0; i < count; ++i) {
        text += (i ? ", " : "") + std::to_string(first[i]);
    }
    return text + (count == 1 ? ",)" : ")");
}

template <class List>
std::string text_of(List const& list) {
    return text_of(list.data(), static_cast<std::size_t>(list.size()));
}

[[noreturn]] inline void fail_rank(index_t rank) {
    throw std::length_error("softax: " + std::to_string(rank) + " integers are given, at most 16 are supported");
}

[[noreturn]] inline void fail_axis_range(index_t axis, index_t rank) {
    throw std::out_of_range("softax: axis " + std::to_string(axis) + " is out of range for an array of rank " +
                            std::to_string(rank));
}

[[noreturn]] inline void fail_axis_of_scalar(index_t axis) {
    throw std::invalid_argument("softax: axis " + std::to_string(axis) +
                                " is given for an array of rank 0, which has none");
}

[[noreturn]] inline void fail_axis_twice(index_t axis, index_t rank) {
    throw std::invalid_argument("softax: axis " + std::to_string(axis) + " is given twice for an array of rank " +
                                std::to_string(rank));
}

template <class List>
[[noreturn]] void fail_negative_extent(List const& shape) {
    throw std::invalid_argument("softax: shape " + text_of(shape) + " has a negative extent");
}

template <class List>
[[noreturn]] void fail_size_overflow(List const& shape) {
    throw std::length_error("softax: the size of shape " + text_of(shape) + " does not fit in 63 bits of bytes");
}

template <class List>
[[noreturn]] void fail_stride_count(List const& shape, List const& strides) {
    throw std::invalid_argument("softax: strides " + text_of(strides) +
                                " do not have one entry for each axis of shape " + text_of(shape));
}

template <class List>
[[noreturn]] void fail_value_count(List const& shape, index_t count) {
    throw std::invalid_argument("softax: shape " + text_of(shape) + " does not hold " + std::to_string(count) +
                                " values");
}

/// A count of -1 stands for a value where a list should be, or the other way round.
[[noreturn]] inline void fail_ragged(index_t expected, index_t found) {
    auto const text = [](index_t count) { return count < 0 ? "a value" : "a list of " + std::to_string(count); };
    throw std::invalid_argument("softax: nested braces are ragged, " + text(found) + " stands where " + text(expected) +
                                " is expected (a shape and a fill value go in parentheses)");
}

[[noreturn]] inline void fail_index_count(index_t count, index_t rank) {
    throw std::invalid_argument("softax: " + std::to_string(count) + " indices are given for an array of rank " +
                                std::to_string(rank));
}

[[noreturn]] inline void fail_index_range(index_t index, index_t axis, index_t extent) {
    throw std::out_of_range("softax: index " + std::to_string(index) + " is out of range for axis " +
                            std::to_string(axis) + " of extent " + std::to_string(extent));
}

template <class List>
[[noreturn]] void fail_permutation(List const& order, index_t rank) {
    throw std::invalid_argument("softax: " + text_of(order) + " does not name each axis of an array of rank " +
                                std::to_string(rank) + " once");
}

[[noreturn]] inline void fail_step() { throw std::invalid_argument("softax: the step of a slice is 0"); }

template <class List>
[[noreturn]] void fail_reshape(List const& from, List const& to) {
    throw std::invalid_argument("softax: shape " + text_of(from) + " cannot be reshaped to " + text_of(to) +
                                ", the sizes differ");
}

template <class List>
[[noreturn]] void fail_reshape_open(List const& from, List const& to) {
    throw std::invalid_argument("softax: shape " + text_of(from) + " cannot be reshaped to " + text_of(to) +
                                ", -1 can stand for more than one number");
}

template <class List>
[[noreturn]] void fail_reshape_copies(List const& from, List const& strides, List const& to) {
    throw std::invalid_argument("softax: a view of shape " + text_of(from) + " and strides " + text_of(strides) +
                                " cannot be reshaped to " + text_of(to) + " without a copy; make an array of it first");
}

template <class List>
[[noreturn]] void fail_broadcast(List const& from, List const& to) {
    throw std::invalid_argument("softax: shape " + text_of(from) + " cannot be broadcast to " + text_of(to));
}

template <class List>
[[noreturn]] void fail_shapes_differ(char const* what, List const& found, List const& expected) {
    throw std::invalid_argument(std::string("softax: ") + what + " has shape " + text_of(found) + ", it must be " +
                                text_of(expected));
}

[[noreturn]] inline void fail_overlap() {
    throw std::invalid_argument("softax: out overlaps the input in part; it must be the input itself or other memory");
}

template <class List>
[[noreturn]] void fail_self_overlap(List const& shape, List const& strides) {
    throw std::invalid_argument("softax: out of shape " + text_of(shape) + " and strides " + text_of(strides) +
                                " has several elements in one place of memory");
}

[[noreturn]] inline void fail_scale(double scale) {
    throw std::invalid_argument("softax: scale is " + std::to_string(scale) + ", it must be finite");
}

[[noreturn]] inline void fail_mask_overlap() {
    throw std::invalid_argument("softax: where overlaps out in memory; they must be apart");
}

}  // namespace detail
}  // namespace softax
