// index_list: up to 16 integers inside the object. Shapes, strides and indices are index_lists.
//
// No heap, so that views are cheap to make and to copy. It takes whatever a caller has: braces of any integer types, one
// integer, or any range of integers. Only bool is refused.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <ranges>
#include <type_traits>
#include <utility>

#include "detail/error.hpp"

namespace softax {

/// Any integer type but bool.
template <class I>
concept integer = std::integral<I> && !std::same_as<std::remove_cv_t<I>, bool>;

namespace detail {
template <class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;
}  // namespace detail

/// Any range of integers: std::vector<int>, std::array<std::size_t, 2>, std::span<long>, a std::ranges view. Not text, though
/// characters are integers.
template <class R>
concept integer_range = std::ranges::input_range<R> && integer<std::ranges::range_value_t<R>> &&
                        !detail::character<std::ranges::range_value_t<R>>;

namespace detail {

/// One integer of a braced list, of whatever integer type. Too large for index_t becomes the largest, which no extent,
/// axis or index reaches.
struct any_integer {
    // +i, because std::in_range takes no character type.
    template <integer I>
    constexpr any_integer(I i) noexcept
        : value(std::in_range<index_t>(+i) ? static_cast<index_t>(i) : std::numeric_limits<index_t>::max()) {}
    index_t value;
};

}  // namespace detail

/// A list of at most 16 integers, kept inside the object. Throws std::length_error beyond 16.
class index_list {
public:
    using value_type = index_t;
    static constexpr index_t max_size = 16;

private:
    using places = std::make_index_sequence<static_cast<std::size_t>(max_size)>;

    // Templates before what calls them: Clang has read nothing else when a caller is wanted at compile time.

    template <std::size_t... I>
    constexpr index_list(index_t count, index_t value, std::index_sequence<I...>) noexcept
        : values_{(static_cast<index_t>(I) < count ? value : 0)...}, size_(count) {}

    // One by one, since GCC clears 128 bytes at once by an instruction that takes as long as ten exponentials.
    template <std::size_t... I>
    constexpr void clear(std::index_sequence<I...>) noexcept {
        ((values_[I] = 0), ...);
    }

public:
    constexpr index_list() noexcept { clear(places()); }

    constexpr index_list(std::initializer_list<detail::any_integer> values) : index_list() {
        check_room_for(static_cast<index_t>(values.size()));
        for (auto const& v : values) push_back(v.value);
    }

    template <integer I>
    constexpr index_list(I value) : index_list() {
        push_back(detail::any_integer(value).value);
    }

    template <integer_range R>
        requires(!std::same_as<std::remove_cvref_t<R>, index_list>)
    constexpr index_list(R&& range) : index_list() {
        if constexpr (std::ranges::sized_range<R>) check_room_for(static_cast<index_t>(std::ranges::size(range)));
        for (auto&& v : range) push_back(detail::any_integer(v).value);
    }

    /// count times the same value.
    static constexpr index_list filled(index_t count, index_t value) {
        check_room_for(count);
        return index_list(count, value, places());
    }

    constexpr index_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr index_t* data() noexcept { return values_; }
    constexpr index_t const* data() const noexcept { return values_; }
    constexpr index_t* begin() noexcept { return values_; }
    constexpr index_t* end() noexcept { return values_ + size_; }
    constexpr index_t const* begin() const noexcept { return values_; }
    constexpr index_t const* end() const noexcept { return values_ + size_; }
    constexpr index_t& operator[](index_t i) noexcept { return values_[i]; }
    constexpr index_t operator[](index_t i) const noexcept { return values_[i]; }
    constexpr index_t& back() noexcept { return values_[size_ - 1]; }
    constexpr index_t back() const noexcept { return values_[size_ - 1]; }

    constexpr void push_back(index_t value) {
        check_room_for(size_ + 1);
        values_[size_++] = value;
    }

    constexpr void insert(index_t place, index_t value) {
        push_back(value);
        for (index_t i = size_ - 1; i > place; --i) values_[i] = values_[i - 1];
        values_[place] = value;
    }

    constexpr void erase(index_t place) noexcept {
        for (index_t i = place; i + 1 < size_; ++i) values_[i] = values_[i + 1];
        --size_;
    }

    friend constexpr bool operator==(index_list const& a, index_list const& b) noexcept {
        if (a.size_ != b.size_) return false;
        for (index_t i = 0; i < a.size_; ++i) {
            if (a.values_[i] != b.values_[i]) return false;
        }
        return true;
    }

private:
    static constexpr void check_room_for(index_t count) {
        if (count > max_size) detail::fail_rank(count);
    }

    index_t values_[max_size];
    index_t size_ = 0;
};

}  // namespace softax
