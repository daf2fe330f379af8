// view: a pointer and a layout, someone else's elements seen as an array of any rank and any strides.
//
// Cheap to make and to copy; it owns nothing, so the memory must outlive it. Every function that takes another look at the
// same elements (slice, transpose, ...) is here and copies none.
#pragma once

#include <concepts>
#include <ranges>
#include <type_traits>

#include "detail/traverse.hpp"
#include "dtype.hpp"

namespace softax {

template <class T>
class array;

namespace detail {

/// A contiguous range of elements: std::vector, std::array, std::span, a C array. Not text, though characters are integers,
/// and not what brings a shape of its own.
template <class R>
concept element_range =
    std::ranges::contiguous_range<R> && std::ranges::sized_range<R> && element<std::ranges::range_value_t<R>> &&
    !character<std::ranges::range_value_t<R>> && !requires(R&& r) { r.rank(); };

}  // namespace detail

/// Elements of type T (or T const) that live elsewhere. Strides count elements and may be negative or 0.
/// `T const` only forbids writing through the view; a `view<T>` that is const itself still writes, as a pointer does.
template <class T>
class view {
    static_assert(element<std::remove_const_t<T>>,
                  "softax: the element type must be float, double, half, bfloat16, bool or an integer type");

public:
    using value_type = std::remove_const_t<T>;

    /// Row-major elements at data. Throws for a bad shape: std::invalid_argument for a negative extent, std::length_error
    /// for one whose size overflows.
    view(T* data, index_list const& shape)
        : data_(data), size_(detail::size_of(shape)), layout_(detail::row_major(shape)) {}

    /// data is the element with index (0, ..., 0), wherever it lies in memory. Throws std::invalid_argument unless there is
    /// one stride for each axis.
    view(T* data, index_list const& shape, index_list const& strides)
        : data_(data), size_(detail::size_of(shape)), layout_{shape, strides} {
        if (shape.size() != strides.size()) detail::fail_stride_count(shape, strides);
    }

    /// A view of elements that may be written, where they are only read.
    template <class U>
        requires(std::is_const_v<T> && std::same_as<U, value_type>)
    view(view<U> const& other) noexcept : data_(other.data()), size_(other.size()), layout_(other.layout()) {}

    view(array<value_type>& a) noexcept : view(a.data(), a.shape()) {}
    view(array<value_type> const& a) noexcept
        requires std::is_const_v<T>
        : view(a.data(), a.shape()) {}
    /// A temporary array would be gone at the end of the line; give it a name first.
    view(array<value_type>&&) = delete;
    view(array<value_type> const&&) = delete;

    /// The elements of a contiguous range that outlives the call (std::vector, std::array, std::span), rank 1.
    template <detail::element_range R>
        requires(std::ranges::borrowed_range<R> &&
                 std::convertible_to<std::remove_reference_t<std::ranges::range_reference_t<R>> (*)[], T (*)[]>)
    explicit view(R&& range) : view(std::ranges::data(range), index_list(std::ranges::size(range))) {}

    T* data() const noexcept { return data_; }
    index_t size() const noexcept { return size_; }
    index_t rank() const noexcept { return layout_.shape.size(); }
    index_list const& shape() const noexcept { return layout_.shape; }
    index_list const& strides() const noexcept { return layout_.strides; }
    softax::layout const& layout() const noexcept { return layout_; }
    bool empty() const noexcept { return size_ == 0; }
    bool is_row_major() const noexcept { return detail::is_row_major(layout_); }

    /// The element at as many indices as there are axes, unchecked.
    template <integer... I>
    T& operator()(I... i) const noexcept {
        index_t axis = 0, offset = 0;
        ((offset += static_cast<index_t>(i) * layout_.strides[axis++]), ...);
        return data_[offset];
    }

    /// The element at indices that are checked; negative ones count from the end. Throws std::invalid_argument for a wrong
    /// number of indices and std::out_of_range for one outside its axis.
    template <integer... I>
    T& at(I... i) const {
        return data_[detail::offset_at(layout_, {i...})];
    }

    /// The elements of one axis in bounds, as in Python: `v.slice(1, {.start = 0, .stop = -1, .step = 2})`.
    view slice(index_t axis, bounds const& b) const {
        auto const [where, offset] = detail::slice(layout_, axis, b);
        return view(where, data_ + offset);
    }

    /// All axes in reverse order.
    view transpose() const {
        index_list order;
        for (index_t axis = rank() - 1; axis >= 0; --axis) order.push_back(axis);
        return permute(order);
    }

    /// Axis k of the result is axis order[k]. Throws std::invalid_argument unless order names every axis once.
    view permute(index_list const& order) const { return view(detail::permute(layout_, order), data_); }

    /// One axis moved to another place, the others in their order.
    view moveaxis(index_t from, index_t to) const {
        from = canonical_axis(from, rank());
        to = canonical_axis(to, rank());
        index_list order;
        for (index_t axis = 0; axis < rank(); ++axis) order.push_back(axis);
        order.erase(from);
        order.insert(to, from);
        return permute(order);
    }

    /// The same elements in row-major order under another shape, in which one extent may be -1. Throws
    /// std::invalid_argument if the sizes differ or if it could not be done without a copy.
    view reshape(index_list const& shape) const { return view(detail::reshape(layout_, shape), data_); }

    /// Axes of extent 1 stretched and new axes in front, with stride 0, as NumPy does. Throws std::invalid_argument if the
    /// shapes do not fit.
    view broadcast_to(index_list const& shape) const { return view(detail::broadcast(layout_, shape), data_); }

private:
    view(softax::layout const& where, T* data) : data_(data), size_(detail::size_of(where.shape)), layout_(where) {}

    // In this order, because the strides of a shape are computed once its size is known to fit.
    T* data_;
    index_t size_;
    softax::layout layout_;
};

template <class T, class... Rest>
view(T*, Rest...) -> view<T>;
template <class T>
view(array<T>&) -> view<T>;
template <class T>
view(array<T> const&) -> view<T const>;
template <detail::element_range R>
view(R&&) -> view<std::remove_reference_t<std::ranges::range_reference_t<R>>>;

/// What the functions of the library take as input: an array, a view, or a contiguous range of elements.
template <class A>
concept viewable = requires(A& a) { view(a); };

/// The element type of something viewable, without const.
template <viewable A>
using element_of = typename decltype(view(std::declval<A&>()))::value_type;

namespace detail {

/// Calls visit(a_element, b_element) for the elements of two views of one shape, in row-major order.
template <class A, class B, class Visit>
void for_each_pair(view<A> const& a, view<B> const& b, Visit visit) {
    for_each_offset(collapse({a.shape(), a.strides(), b.strides()}),
                    [&](index_t i, index_t j) { visit(a.data()[i], b.data()[j]); });
}

}  // namespace detail
}  // namespace softax
