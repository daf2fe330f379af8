// array: the owner of elements, row-major, of any rank up to 16. It knows nothing of Eigen.
//
// Copies are deep, moves are cheap, nothing is shared and nothing is lazy. There is no arithmetic: for that, see eigen.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "detail/buffer.hpp"
#include "detail/traverse.hpp"
#include "view.hpp"

namespace softax {

namespace detail {

/// One entry of nested braces: a value or a list of entries. Braces always mean a list, however few they hold.
template <class T>
class braces {
public:
    template <class U>
        requires(std::integral<U> || std::floating_point<T> || is_half_type<T>) && std::constructible_from<T, U>
    constexpr braces(U value) noexcept : value_(static_cast<T>(value)) {}
    constexpr braces(std::initializer_list<braces> list) noexcept
        : list_(list), count_(static_cast<index_t>(list.size())) {}

    /// Extents along the first entries; all others must agree with them.
    constexpr index_list shape() const {
        index_list shape;
        for (braces const* entry = this; entry->count_ >= 0; entry = entry->list_.begin()) {
            shape.push_back(entry->count_);
            if (entry->count_ == 0) break;
        }
        return shape;
    }

    /// Writes the values in order; throws std::invalid_argument where a list does not have the extent of its axis.
    constexpr void write(T*& next, index_list const& shape, index_t axis = 0) const {
        if (axis == shape.size() && count_ < 0) {
            *next++ = value_;
            return;
        }
        if (axis == shape.size() || count_ != shape[axis]) fail_ragged(axis == shape.size() ? -1 : shape[axis], count_);
        for (braces const& entry : list_) entry.write(next, shape, axis + 1);
    }

private:
    T value_{};
    std::initializer_list<braces> list_;
    index_t count_ = -1;  // of a value
};

}  // namespace detail

/// Elements of type T in row-major order, in 64-byte aligned memory of its own.
template <class T>
class array {
    static_assert(element<T>,
                  "softax: the element type must be float, double, half, bfloat16, bool or an integer type");

public:
    using value_type = T;
    using iterator = T*;
    using const_iterator = T const*;

    /// No elements: shape (0). A moved-from array is like this too.
    array() noexcept : shape_(0) {}

    /// Values in nested braces of any depth: `array<float> a = {{1, 2, 3}, {4, 5, 6}}` has shape (2, 3).
    /// Throws std::invalid_argument if they are ragged.
    array(std::initializer_list<detail::braces<T>> values)
        : array(detail::braces<T>(values).shape(), elements_of(values)) {}

    /// Every element the same. Throws for a bad shape: std::invalid_argument for a negative extent, std::length_error for
    /// one whose size overflows.
    array(index_list const& shape, T fill) : array(uninitialized(shape)) { std::fill(begin(), end(), fill); }

    /// The elements of a vector; moved in, it is taken over without a copy. Throws std::invalid_argument if the shape does
    /// not hold as many.
    array(index_list const& shape, std::vector<T> values)
        requires(!std::same_as<T, bool>)
        : shape_(shape), buffer_(std::move(values)) {
        if (detail::size_of(shape) != buffer_.size()) detail::fail_value_count(shape, buffer_.size());
    }
    explicit array(std::vector<T> values)
        requires(!std::same_as<T, bool>)
        : shape_(static_cast<index_t>(values.size())), buffer_(std::move(values)) {}

    /// A row-major copy of what a view shows.
    explicit array(view<T const> const& v) : array(uninitialized(v.shape())) {
        detail::copy_row_major(data(), v.data(), v.layout());
    }
    explicit array(view<T> const& v) : array(view<T const>(v)) {}

    /// Is `array(2, 3)` a shape or two values? Write `array({2, 3}, fill)`, `array({2, 3})` for the two values, or
    /// `array::uninitialized({2, 3})`.
    template <class First, class... Rest>
        requires std::is_arithmetic_v<First>
    explicit array(First, Rest...) = delete;

    array(array const& other) : array(uninitialized(other.shape_)) { std::copy(other.begin(), other.end(), begin()); }
    array(array&& other) noexcept
        : shape_(std::exchange(other.shape_, index_list(0))), buffer_(std::move(other.buffer_)) {}
    array& operator=(array const& other) { return *this = array(other); }
    array& operator=(array&& other) noexcept {
        buffer_ = std::move(other.buffer_);
        shape_ = std::exchange(other.shape_, index_list(0));
        return *this;
    }
    ~array() = default;

    /// Elements without a value yet, for memory that is about to be written. Throws for a bad shape as array(shape, fill).
    static array uninitialized(index_list const& shape) {
        return array(shape, detail::buffer<T>(detail::size_of(shape)));
    }

    /// One element, rank 0.
    static array scalar(T value) { return array(index_list(), value); }

    T* data() noexcept { return buffer_.data(); }
    T const* data() const noexcept { return buffer_.data(); }
    index_t size() const noexcept { return buffer_.size(); }
    index_t rank() const noexcept { return shape_.size(); }
    index_list const& shape() const noexcept { return shape_; }
    index_list strides() const { return detail::row_major_strides(shape_); }
    bool empty() const noexcept { return size() == 0; }
    T* begin() noexcept { return data(); }
    T* end() noexcept { return data() + size(); }
    T const* begin() const noexcept { return data(); }
    T const* end() const noexcept { return data() + size(); }

    /// The element at as many indices as there are axes, unchecked.
    template <integer... I>
    T& operator()(I... i) noexcept {
        return data()[offset_of(i...)];
    }
    template <integer... I>
    T const& operator()(I... i) const noexcept {
        return data()[offset_of(i...)];
    }

    /// The element at indices that are checked; negative ones count from the end. Throws std::invalid_argument for a wrong
    /// number of indices and std::out_of_range for one outside its axis.
    template <integer... I>
    T& at(I... i) {
        return data()[detail::offset_at(detail::row_major(shape_), {i...})];
    }
    template <integer... I>
    T const& at(I... i) const {
        return data()[detail::offset_at(detail::row_major(shape_), {i...})];
    }

    /// The same elements under another shape, in which one extent may be -1: a copy, or the memory itself of an array that
    /// is about to go. Throws std::invalid_argument if the sizes differ.
    array reshaped(index_list const& shape) const& { return array(*this).reshaped(shape); }
    array reshaped(index_list const& shape) && {
        index_list const complete = detail::complete_shape(shape_, shape);
        shape_ = index_list(0);
        return array(complete, std::move(buffer_));
    }

    /// Same shape and equal elements; NaN equals nothing.
    friend bool operator==(array const& a, array const& b) noexcept {
        return a.shape_ == b.shape_ && std::equal(a.begin(), a.end(), b.begin());
    }

private:
    array(index_list const& shape, detail::buffer<T>&& elements) noexcept
        : shape_(shape), buffer_(std::move(elements)) {}

    static detail::buffer<T> elements_of(detail::braces<T> const& values) {
        index_list const shape = values.shape();
        detail::buffer<T> elements(detail::size_of(shape));
        T* next = elements.data();
        values.write(next, shape);
        return elements;
    }

    template <integer... I>
    index_t offset_of(I... i) const noexcept {
        index_t axis = 0, offset = 0;
        ((offset = offset * shape_[axis++] + static_cast<index_t>(i)), ...);
        return offset;
    }

    index_list shape_;
    detail::buffer<T> buffer_;
};

namespace detail {

/// abs(a - b), in integers as far as they are integers: double cannot tell large ones apart.
template <element T>
double distance(T a, T b) noexcept {
    if constexpr (std::integral<T>) {
        auto const x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
        return static_cast<double>(a > b ? x - y : y - x);
    } else {
        return std::abs(static_cast<double>(a) - static_cast<double>(b));
    }
}

}  // namespace detail

/// Whether two arrays or views have one shape and elements with abs(a - b) <= atol + rtol * abs(b). Infinities of one sign
/// are close; NaN is close to NaN only if equal_nan says so. O(size).
template <viewable A, viewable B>
    requires std::same_as<element_of<A>, element_of<B>>
bool allclose(A const& a, B const& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false) {
    view const x(a), y(b);
    if (x.shape() != y.shape()) return false;
    bool all = true;
    detail::for_each_pair(x, y, [&](auto const& p, auto const& q) {
        double const d = static_cast<double>(p), e = static_cast<double>(q);
        bool const same = p == q || (equal_nan && d != d && e != e);
        all = all && (same || (!std::isinf(e) && detail::distance(p, q) <= atol + rtol * std::abs(e)));
    });
    return all;
}

}  // namespace softax
