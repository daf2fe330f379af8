// axes: every spelling of a set of axes, and canonical() held against a model over every short list.
#include <softax/axes.hpp>

#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <list>
#include <set>
#include <span>
#include <vector>

using softax::axes;
using softax::index_list;
using softax::index_t;

namespace {

std::vector<index_t> canonical(axes const& over, index_t rank) {
    auto const list = over.canonical(rank);
    return {list.begin(), list.end()};
}

/// What canonical() says: the ascending axes as text, or the message of what it throws behind the name of its type.
std::string answer_of(axes const& over, index_t rank) {
    try {
        std::string text;
        for (index_t const axis : canonical(over, rank)) text += std::to_string(axis) + " ";
        return text;
    } catch (std::out_of_range const& e) {
        return std::string("out_of_range ") + e.what();
    } catch (std::invalid_argument const& e) {
        return std::string("invalid_argument ") + e.what();
    }
}

/// The same from the rules alone. A range that is left is told before an axis that comes twice.
std::string model_of(std::vector<index_t> const& list, index_t rank) {
    auto const of_rank = " for an array of rank " + std::to_string(rank);
    for (index_t const axis : list) {
        auto const name = "softax: axis " + std::to_string(axis);
        if (rank == 0) return "invalid_argument " + name + " is given" + of_rank + ", which has none";
        if (!(-rank <= axis && axis < rank)) return "out_of_range " + name + " is out of range" + of_rank;
    }
    std::set<index_t> seen;
    for (index_t const axis : list) {
        if (!seen.insert((axis + rank) % rank).second)
            return "invalid_argument softax: axis " + std::to_string(axis) + " is given twice" + of_rank;
    }
    std::string text;
    for (index_t const axis : seen) text += std::to_string(axis) + " ";
    return text;
}

template <class V>
concept makes_axes = std::constructible_from<axes, V>;
template <class V>
concept makes_axes_in_braces = requires(V v) {
    axes({v, v});
};

enum plain_enum { row };

}  // namespace

TEST_CASE("canonical agrees with the rules for ranks 0 to 4 and every list of up to 3 axes in [-6, 6]", "[axes]") {
    std::vector<std::vector<index_t>> lists = {{}};
    for (std::size_t from = 0, length = 1; length <= 3; ++length) {
        for (std::size_t const end = lists.size(); from < end; ++from) {
            for (index_t axis = -6; axis <= 6; ++axis) {
                lists.push_back(lists[from]);
                lists.back().push_back(axis);
            }
        }
    }
    REQUIRE(lists.size() == 1 + 13 + 13 * 13 + 13 * 13 * 13);
    std::size_t wrong = 0;
    for (index_t rank = 0; rank <= 4; ++rank) {
        for (auto const& list : lists) {
            auto const found = answer_of(axes(list), rank), expected = model_of(list, rank);
            if (found == expected) continue;
            ++wrong;
            UNSCOPED_INFO("rank " << rank << ": " << found << " instead of " << expected);
            if (wrong == 10) break;
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("one axis is an integer of any type", "[axes]") {
    CHECK(canonical(1, 3) == std::vector<index_t>{1});
    CHECK(canonical(-1, 3) == std::vector<index_t>{2});
    CHECK(canonical(2u, 3) == std::vector<index_t>{2});
    CHECK(canonical(std::size_t{0}, 3) == std::vector<index_t>{0});
    CHECK(canonical(static_cast<unsigned char>(1), 3) == std::vector<index_t>{1});
    CHECK(canonical(static_cast<signed char>(-3), 3) == std::vector<index_t>{0});
    CHECK(canonical('\2', 3) == std::vector<index_t>{2});
    CHECK(canonical(-2LL, 3) == std::vector<index_t>{1});
}

TEST_CASE("several axes are braces, or any range of integers", "[axes]") {
    std::vector<index_t> const expected = {0, 2};
    std::vector<int> vector = {2, 0};
    std::array<std::size_t, 2> const array = {2, 0};
    std::list<short> const list = {-1, 0};
    std::vector<unsigned char> const bytes = {0, 2};
    std::initializer_list<int> const braces = {2, -3};
    CHECK(canonical({2, 0}, 3) == expected);
    CHECK(canonical({0, -1}, 3) == expected);
    CHECK(canonical({-1, std::size_t{0}}, 3) == expected);
    CHECK(canonical({static_cast<unsigned char>(2), -3L}, 3) == expected);
    CHECK(canonical(vector, 3) == expected);
    CHECK(canonical(std::vector<long>{-3, 2}, 3) == expected);
    CHECK(canonical(array, 3) == expected);
    CHECK(canonical(std::span<int>(vector), 3) == expected);
    CHECK(canonical(std::span<int const>(vector), 3) == expected);
    CHECK(canonical(list, 3) == expected);
    CHECK(canonical(bytes, 3) == expected);
    CHECK(canonical(braces, 3) == expected);
    CHECK(canonical(index_list{2, 0}, 3) == expected);
#if !defined(__clang__) || __clang_major__ >= 16  // which compiles no std::views of libstdc++ before
    CHECK(canonical(std::views::iota(0, 3) | std::views::filter([](int i) { return i != 1; }), 3) == expected);
    CHECK(canonical(std::views::iota(1, 3), 3) == std::vector<index_t>{1, 2});
#endif
}

TEST_CASE("no axis and all axes are different things", "[axes]") {
    CHECK(canonical({}, 3).empty());
    CHECK(canonical(axes(), 3).empty());
    CHECK(canonical(std::vector<int>{}, 3).empty());
    CHECK(canonical(softax::all_axes, 3) == std::vector<index_t>{0, 1, 2});
    CHECK(canonical({}, 0).empty());
    CHECK(canonical(softax::all_axes, 0).empty());
    CHECK(canonical(softax::all_axes, 16).size() == 16);
    CHECK(canonical({15, -16}, 16) == std::vector<index_t>{0, 15});
    CHECK(canonical({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 16).size() == 16);
}

TEST_CASE("an axis is no bool, fraction, enumerator or pointer", "[axes]") {
    STATIC_REQUIRE(makes_axes<int>);
    STATIC_REQUIRE(makes_axes<std::uint64_t>);
    STATIC_REQUIRE(makes_axes_in_braces<unsigned char>);
    STATIC_REQUIRE_FALSE(makes_axes<bool>);
    STATIC_REQUIRE_FALSE(makes_axes<float>);
    STATIC_REQUIRE_FALSE(makes_axes<plain_enum>);
    STATIC_REQUIRE_FALSE(makes_axes<std::nullptr_t>);
    STATIC_REQUIRE_FALSE(makes_axes<char const*>);
    STATIC_REQUIRE_FALSE(makes_axes<std::vector<bool>&>);
    STATIC_REQUIRE_FALSE(makes_axes<std::vector<double>&>);
    STATIC_REQUIRE_FALSE(makes_axes_in_braces<bool>);
    STATIC_REQUIRE_FALSE(makes_axes_in_braces<double>);
    // all_axes is asked for by name; no pair of braces becomes it.
    STATIC_REQUIRE_FALSE(std::is_convertible_v<std::initializer_list<int>, softax::detail::all_axes_tag>);
}

TEST_CASE("an axis too large for index_t is out of range and does not wrap around", "[axes]") {
    constexpr auto huge = std::numeric_limits<std::uint64_t>::max();  // -1 if it wrapped
    REQUIRE_FAILS(axes(huge).canonical(3), std::out_of_range, "is out of range for an array of rank 3");
    REQUIRE_FAILS(axes({huge, huge - 1}).canonical(3), std::out_of_range, "is out of range for an array of rank 3");
    REQUIRE_FAILS(axes(std::vector<std::uint64_t>{0, huge}).canonical(3), std::out_of_range, "of rank 3");
    REQUIRE_FAILS(axes(std::uint64_t{1} << 32).canonical(3), std::out_of_range, "axis 4294967296 is");
    REQUIRE_FAILS(axes(std::numeric_limits<index_t>::min()).canonical(16), std::out_of_range,
                  "axis -9223372036854775808 is");
}

TEST_CASE("canonical_axis counts one axis from the front", "[axes]") {
    for (index_t rank = 1; rank <= 16; ++rank) {
        for (index_t axis = 0; axis < rank; ++axis) {
            CHECK(softax::canonical_axis(axis, rank) == axis);
            CHECK(softax::canonical_axis(axis - rank, rank) == axis);
        }
        CHECK_THROWS_AS(softax::canonical_axis(rank, rank), std::out_of_range);
        CHECK_THROWS_AS(softax::canonical_axis(-rank - 1, rank), std::out_of_range);
    }
    CHECK_THROWS_AS(softax::canonical_axis(0, 0), std::invalid_argument);
    CHECK_THROWS_AS(softax::canonical_axis(-1, 0), std::invalid_argument);
}

TEST_CASE("axes are computed at compile time", "[axes]") {
    STATIC_REQUIRE(axes({0, -1}).canonical(3) == index_list{0, 2});
    STATIC_REQUIRE(axes(softax::all_axes).canonical(2) == index_list{0, 1});
    STATIC_REQUIRE(axes(-1).canonical(4)[0] == 3);
    STATIC_REQUIRE(std::is_trivially_copyable_v<axes>);
}
