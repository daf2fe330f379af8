// axes: which axes a reduction runs over, as a caller writes it, and their canonical form.
//
// The only place where a caller's axes are checked.
#pragma once

#include "index_list.hpp"

namespace softax {

namespace detail {
struct all_axes_tag {
    explicit constexpr all_axes_tag() = default;
};
}  // namespace detail

/// Every axis: one group over the full array. What a function does when no axes are given.
inline constexpr detail::all_axes_tag all_axes{};

/// The axes that a caller names: `-1`, `{0, 2}`, a std::vector<int>, `all_axes`, or `{}` for none. Negative axes count from
/// the end. What is wrong with them shows when they meet an array: see canonical().
class axes {
public:
    /// No axis: every element is a group of its own.
    constexpr axes() noexcept = default;
    constexpr axes(detail::all_axes_tag) noexcept : all_(true) {}
    constexpr axes(std::initializer_list<detail::any_integer> list) {
        for (detail::any_integer const& axis : list) add(axis.value);
    }

    template <integer I>
    constexpr axes(I axis) {
        add(detail::any_integer(axis).value);
    }

    template <integer_range R>
        requires(!std::same_as<std::remove_cvref_t<R>, axes>)
    constexpr axes(R&& range) {
        for (auto&& axis : range) add(detail::any_integer(axis).value);
    }

    /// The same axes of an array of that rank as ascending numbers in [0, rank).
    /// Throws std::out_of_range for an axis outside [-rank, rank), std::invalid_argument for one given twice and for any
    /// axis when rank is 0.
    constexpr index_list canonical(index_t rank) const {
        bool reduced[index_list::max_size] = {};
        for (index_t const axis : list_) check(axis, rank);
        if (has_more_) check(least_, rank), check(largest_, rank);
        for (index_t const axis : list_) {
            bool& seen = reduced[axis < 0 ? axis + rank : axis];
            if (seen) detail::fail_axis_twice(axis, rank);
            seen = true;
        }
        // There were 16 different ones before, so each further one is there already.
        if (has_more_) detail::fail_axis_twice(largest_, rank);
        index_list ascending = index_list::filled(all_ ? rank : list_.size(), 0);
        for (index_t axis = 0, next = 0; axis < rank; ++axis) {
            if (all_ || reduced[axis]) ascending[next++] = axis;
        }
        return ascending;
    }

private:
    static constexpr void check(index_t axis, index_t rank) {
        if (rank == 0) detail::fail_axis_of_scalar(axis);
        if (axis < -rank || axis >= rank) detail::fail_axis_range(axis, rank);
    }

    constexpr void add(index_t axis) {
        if (list_.size() < index_list::max_size) return list_.push_back(axis);
        least_ = has_more_ && least_ < axis ? least_ : axis;
        largest_ = has_more_ && largest_ > axis ? largest_ : axis;
        has_more_ = true;
    }

    index_list list_;
    index_t least_ = 0, largest_ = 0;  // of those that are too many for the list
    bool has_more_ = false, all_ = false;
};

/// One axis of an array of that rank as a number in [0, rank). Throws as axes::canonical.
constexpr index_t canonical_axis(index_t axis, index_t rank) { return axes(axis).canonical(rank)[0]; }

}  // namespace softax
