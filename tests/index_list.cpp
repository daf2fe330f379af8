// index_list: what it is made of, its limit of 16, its editing functions against std::vector.
#include <softax/index_list.hpp>

#include "catch.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <set>
#include <span>
#include <sstream>
#include <vector>

using softax::index_list;
using softax::index_t;

namespace {

std::vector<index_t> entries(index_list const& list) { return {list.begin(), list.end()}; }

/// 0, 1, ..., count - 1.
std::vector<index_t> counting(index_t count) {
    std::vector<index_t> values;
    for (index_t i = 0; i < count; ++i) values.push_back(i);
    return values;
}

template <class V>
concept makes_list = std::constructible_from<index_list, V>;
template <class V>
concept makes_list_in_braces = requires(V v) {
    index_list({v, v});
};

enum plain_enum { zero, one };
enum class scoped_enum { zero };
struct no_integer {};

}  // namespace

TEST_CASE("an index_list takes braces of mixed integer types", "[index_list]") {
    unsigned char const c = 200;
    short const s = -3;
    CHECK(entries({}).empty());
    CHECK(entries({7}) == std::vector<index_t>{7});
    CHECK(entries({1, 2u, 3L, 4ULL, s, c, std::size_t{6}}) == std::vector<index_t>{1, 2, 3, 4, -3, 200, 6});
}

TEST_CASE("an index_list takes one integer of any type", "[index_list]") {
    CHECK(entries(5) == std::vector<index_t>{5});
    CHECK(entries(-5L) == std::vector<index_t>{-5});
    CHECK(entries(std::uint8_t{255}) == std::vector<index_t>{255});
    CHECK(entries(std::int8_t{-128}) == std::vector<index_t>{-128});
    CHECK(entries(std::size_t{9}) == std::vector<index_t>{9});
    CHECK(entries('\3') == std::vector<index_t>{3});
    CHECK(entries({'\1', wchar_t{2}, char16_t{3}, char8_t{4}}) == std::vector<index_t>{1, 2, 3, 4});
}

TEST_CASE("an index_list takes any range of integers", "[index_list]") {
    std::vector<index_t> const expected = {2, 0, 1};
    std::vector<int> vector = {2, 0, 1};
    std::vector<unsigned char> const bytes = {2, 0, 1};
    std::array<std::size_t, 3> const array = {2, 0, 1};
    std::list<short> const list = {2, 0, 1};
    std::deque<unsigned long long> const deque = {2, 0, 1};
    std::initializer_list<long> const braces = {2, 0, 1};
    int const plain[] = {2, 0, 1};
    CHECK(entries(vector) == expected);
    CHECK(entries(std::as_const(vector)) == expected);
    CHECK(entries(std::vector<int>{2, 0, 1}) == expected);
    CHECK(entries(bytes) == expected);
    CHECK(entries(array) == expected);
    CHECK(entries(std::span<int>(vector)) == expected);
    CHECK(entries(std::span<int const, 3>(vector)) == expected);
    CHECK(entries(list) == expected);
    CHECK(entries(deque) == expected);
    CHECK(entries(braces) == expected);
    CHECK(entries(plain) == expected);
    CHECK(entries(std::vector<int>{}).empty());
    CHECK(entries(std::set<int>{5, -1, 3}) == std::vector<index_t>{-1, 3, 5});
}

// Clang before 16 compiles no std::views of libstdc++.
#if !defined(__clang__) || __clang_major__ >= 16
TEST_CASE("an index_list takes views that are computed, filtered, or read only once", "[index_list]") {
    std::vector<int> const digits = {1, 2, 3, 4};
    CHECK(entries(std::views::iota(2, 6)) == std::vector<index_t>{2, 3, 4, 5});
    CHECK(entries(digits | std::views::transform([](int i) { return i * 10u; })) ==
          std::vector<index_t>{10, 20, 30, 40});
    CHECK(entries(digits | std::views::filter([](int i) { return i % 2 == 0; })) == std::vector<index_t>{2, 4});
    CHECK(entries(digits | std::views::reverse) == std::vector<index_t>{4, 3, 2, 1});
    std::istringstream text("8 9 10");
    CHECK(entries(std::ranges::istream_view<long>(text)) == std::vector<index_t>{8, 9, 10});
    REQUIRE_FAILS(index_list(std::views::iota(0)), std::length_error, "at most 16");
}
#endif

TEST_CASE("an index_list is made of no bool, fraction, enumerator or pointer", "[index_list]") {
    STATIC_REQUIRE(makes_list<int>);
    STATIC_REQUIRE(makes_list<char>);
    STATIC_REQUIRE(makes_list<std::vector<short>&>);
    STATIC_REQUIRE(makes_list_in_braces<std::size_t>);
    STATIC_REQUIRE_FALSE(makes_list<bool>);
    STATIC_REQUIRE_FALSE(makes_list<bool const&>);
    STATIC_REQUIRE_FALSE(makes_list<double>);
    STATIC_REQUIRE_FALSE(makes_list<int*>);
    STATIC_REQUIRE_FALSE(makes_list<std::nullptr_t>);
    STATIC_REQUIRE_FALSE(makes_list<plain_enum>);
    STATIC_REQUIRE_FALSE(makes_list<scoped_enum>);
    STATIC_REQUIRE_FALSE(makes_list<no_integer>);
    STATIC_REQUIRE_FALSE(makes_list<std::vector<bool>&>);
    STATIC_REQUIRE_FALSE(makes_list<std::vector<float>&>);
    STATIC_REQUIRE_FALSE(makes_list_in_braces<bool>);
    STATIC_REQUIRE_FALSE(makes_list_in_braces<float>);
    STATIC_REQUIRE_FALSE(makes_list_in_braces<plain_enum>);
    STATIC_REQUIRE_FALSE(makes_list_in_braces<char const*>);
}

TEST_CASE("an integer too large for index_t becomes the largest one, never a small or negative one", "[index_list]") {
    constexpr index_t most = std::numeric_limits<index_t>::max(), least = std::numeric_limits<index_t>::min();
    auto const limit = static_cast<std::uint64_t>(most);
    CHECK(entries(std::numeric_limits<std::uint64_t>::max()) == std::vector<index_t>{most});
    CHECK(entries({limit - 1, limit, limit + 1, limit + 2}) == std::vector<index_t>{most - 1, most, most, most});
    CHECK(entries(std::vector<std::uint64_t>{~std::uint64_t{0}, 0}) == std::vector<index_t>{most, 0});
    CHECK(entries({least, most}) == std::vector<index_t>{least, most});
}

TEST_CASE("an index_list holds 16 integers and refuses the 17th", "[index_list]") {
    for (index_t count = 0; count <= 16; ++count) {
        index_list const list(counting(count));
        CHECK(list.size() == count);
        CHECK(list.empty() == (count == 0));
        CHECK(entries(list) == counting(count));
    }
    CHECK(index_list({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}).size() == 16);
    auto const seventeen = "softax: 17 integers are given, at most 16 are supported";
    REQUIRE_FAILS(index_list(counting(17)), std::length_error, seventeen);
    REQUIRE_FAILS(index_list({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}), std::length_error,
                  seventeen);
    index_list full(counting(16));
    REQUIRE_FAILS(full.push_back(0), std::length_error, seventeen);
    REQUIRE_FAILS(full.insert(3, 0), std::length_error, seventeen);
    CHECK(entries(full) == counting(16));
}

TEST_CASE("the message about too many integers says how many were given", "[index_list]") {
    REQUIRE_FAILS(index_list({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), std::length_error,
                  "19 integers");
    REQUIRE_FAILS(index_list(counting(40)), std::length_error, "40 integers");
    REQUIRE_FAILS(index_list(std::list<int>(20)), std::length_error, "20 integers");
    REQUIRE_FAILS(index_list::filled(100, 1), std::length_error, "100 integers");
}

TEST_CASE("filled repeats one value", "[index_list]") {
    CHECK(entries(index_list::filled(0, 9)).empty());
    CHECK(entries(index_list::filled(3, -2)) == std::vector<index_t>{-2, -2, -2});
    CHECK(index_list::filled(16, 1).size() == 16);
}

TEST_CASE("insert and erase do what std::vector does at every place", "[index_list]") {
    for (index_t count = 0; count < 16; ++count) {
        for (index_t place = 0; place <= count; ++place) {
            auto expected = counting(count);
            index_list list(expected);
            list.insert(place, 100);
            expected.insert(expected.begin() + place, 100);
            CHECK(entries(list) == expected);
            list.erase(place);
            CHECK(entries(list) == counting(count));
        }
    }
}

TEST_CASE("entries are read and written in place", "[index_list]") {
    index_list list = {1, 2, 3};
    list[1] = 20;
    list.back() = 30;
    *list.begin() = 10;
    list.data()[2] += 1;
    CHECK(entries(list) == std::vector<index_t>{10, 20, 31});
    index_list const& same = list;
    CHECK(same[0] + same.back() == 41);
    CHECK(same.end() - same.begin() == 3);
    CHECK(same.data() == same.begin());
}

TEST_CASE("index_lists are equal when their entries are, whatever was there before", "[index_list]") {
    CHECK(index_list{} == index_list{});
    CHECK(index_list{1, 2} == index_list{1, 2});
    CHECK(index_list{1, 2} != index_list{2, 1});
    CHECK(index_list{1, 2} != index_list{1});
    CHECK(index_list{1} != index_list{1, 0});
    CHECK(index_list{0} != index_list{});
    index_list shrunk = {1, 2, 3};
    shrunk.erase(1);
    CHECK(shrunk == index_list{1, 3});
    CHECK(index_list{4, 5} == std::vector<int>{4, 5});
}

TEST_CASE("an index_list is computed at compile time and copied as bytes", "[index_list]") {
    STATIC_REQUIRE(index_list{1, 2u, 3L}.size() == 3);
    STATIC_REQUIRE(index_list(4)[0] == 4);
    STATIC_REQUIRE(index_list(std::array{1, 2}) == index_list{1, 2});
    STATIC_REQUIRE(index_list::filled(2, 7).back() == 7);
    STATIC_REQUIRE(std::is_trivially_copyable_v<index_list>);
    STATIC_REQUIRE(sizeof(index_list) == 17 * sizeof(index_t));
}
