// array: every way to make one, who owns the memory afterwards, access to elements, reshaped, ==, allclose.
#include <softax/array.hpp>

#include "catch.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <list>
#include <numeric>
#include <string>
#include <vector>

using softax::array;
using softax::bfloat16;
using softax::half;
using softax::index_list;
using softax::index_t;
using softax::view;

namespace {

template <class T>
std::vector<T> values_of(array<T> const& a) {
    return {a.begin(), a.end()};
}

using floats = std::vector<float>;

template <class T>
bool is_aligned(array<T> const& a) {
    return reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0;
}

template <class A>
bool is_like_new(A const& a) {
    return a.shape() == index_list{0} && a.size() == 0 && a.empty() && a.begin() == a.end() && a == A();
}

template <class A, class... From>
concept made_of = std::constructible_from<A, From...>;
template <class T, class V>
concept takes_in_braces = requires(V v) {
    array<T>{{v, v}, {v, v}};
};
template <class A, class B>
concept is_compared = requires(A const& a, B const& b) { softax::allclose(a, b); };

}  // namespace

TEST_CASE("an array without anything has shape (0)", "[array]") {
    array<float> const a, b = {}, c{};
    CHECK(is_like_new(a));
    CHECK(is_like_new(b));
    CHECK(is_like_new(c));
    CHECK(a.rank() == 1);
}

TEST_CASE("braces of depth 1 to 4", "[array]") {
    array<float> const one = {1, 2, 3};
    CHECK(one.shape() == index_list{3});
    CHECK(values_of(one) == floats{1, 2, 3});

    array<float> const two = {{1, 2, 3}, {4, 5, 6}};
    CHECK(two.shape() == index_list{2, 3});
    CHECK(two.strides() == index_list{3, 1});
    CHECK(values_of(two) == floats{1, 2, 3, 4, 5, 6});

    array<float> const three = {{{1, 2}, {3, 4}, {5, 6}}, {{7, 8}, {9, 10}, {11, 12}}};
    CHECK(three.shape() == index_list{2, 3, 2});
    CHECK(values_of(three) == floats{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});

    array<float> const four = {{{{1}, {2}}, {{3}, {4}}, {{5}, {6}}}, {{{7}, {8}}, {{9}, {10}}, {{11}, {12}}}};
    CHECK(four.shape() == index_list{2, 3, 2, 1});
    CHECK(values_of(four) == values_of(three));
}

TEST_CASE("one value in braces of depth 1 to 4 stays at its depth", "[array]") {
    array<float> const one = {7}, two = {{7}}, three = {{{7}}}, four = {{{{7}}}};
    CHECK(one.shape() == index_list{1});
    CHECK(two.shape() == index_list{1, 1});
    CHECK(three.shape() == index_list{1, 1, 1});
    CHECK(four.shape() == index_list{1, 1, 1, 1});
    for (auto const* const a : {&one, &two, &three, &four}) CHECK(values_of(*a) == floats{7});
    CHECK(array<int>{{0}}.shape() == index_list{1, 1});
    CHECK(array<bool>{{{false}}}.shape() == index_list{1, 1, 1});
    CHECK(array<half>{{half(1.0f)}}.shape() == index_list{1, 1});
}

TEST_CASE("rows of one and of two, where braces are easily taken for something else", "[array]") {
    CHECK(array<float>{{1}, {2}}.shape() == index_list{2, 1});
    CHECK(array<float>{{1}, {2}, {3}}.shape() == index_list{3, 1});
    CHECK(array<float>{{1, 2}}.shape() == index_list{1, 2});
    CHECK(array<float>{{{1, 2}}}.shape() == index_list{1, 1, 2});
    CHECK(array<float>{{{1, 2}, {3, 4}}}.shape() == index_list{1, 2, 2});
    CHECK(array<float>{{0, 0}, {0, 0}}.shape() == index_list{2, 2});
    CHECK(array<int>{{2, 3}, {4, 5}}.shape() == index_list{2, 2});
    CHECK(array<index_t>{{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}.shape() == index_list{2, 2, 2});
    CHECK(array<bool>{{true, false}, {false, true}}.shape() == index_list{2, 2});
    CHECK(array<float>({2, 3}).shape() == index_list{2});  // two values
    CHECK(array<float>({{2, 3}}).shape() == index_list{1, 2});
    CHECK(array<float>{2, 3}.shape() == index_list{2});
}

TEST_CASE("braces without values give extents of 0", "[array]") {
    CHECK(array<float>{{}}.shape() == index_list{1, 0});
    CHECK(array<float>{{}, {}}.shape() == index_list{2, 0});
    CHECK(array<float>{{}, {}, {}}.shape() == index_list{3, 0});
    CHECK(array<float>{{{}}}.shape() == index_list{1, 1, 0});
    CHECK(array<float>{{{}, {}}, {{}, {}}}.shape() == index_list{2, 2, 0});
    CHECK(array<float>{{{{}}}}.shape() == index_list{1, 1, 1, 0});
    CHECK(array<int>{{}, {}}.shape() == index_list{2, 0});
    CHECK(array<bool>{{}, {}}.empty());
}

TEST_CASE("braces mix literals of all kinds, and variables", "[array]") {
    int const i = 3;
    long const l = -4;
    float const f = 0.5f;
    array<float> const a = {{1, 2.5, 3.f}, {4u, 5L, '\6'}, {i, static_cast<float>(l), f}};
    CHECK(values_of(a) == floats{1, 2.5f, 3, 4, 5, 6, 3, -4, 0.5f});
    array<double> const b = {1, 0.1, 0.1f, true, half(0.25f)};
    CHECK(values_of(b) == std::vector<double>{1, 0.1, static_cast<double>(0.1f), 1, 0.25});
    array<half> const c = {{1, 2.5}, {3.f, half(4.0f)}};
    CHECK(values_of(c) == std::vector<half>{half(1.0f), half(2.5f), half(3.0f), half(4.0f)});
    array<bfloat16> const d = {256, 257, -1.5};
    CHECK(values_of(d) == std::vector<bfloat16>{bfloat16(256.0f), bfloat16(256.0f), bfloat16(-1.5f)});
    array<std::int64_t> const e = {1, 2L, 3u, std::int8_t{-4}, std::numeric_limits<std::int64_t>::max()};
    CHECK(e(4) == std::numeric_limits<std::int64_t>::max());
    CHECK(e(3) == -4);
    array<std::uint8_t> const g = {0, 255, 7u};
    CHECK(values_of(g) == std::vector<std::uint8_t>{0, 255, 7});
    array<bool> const h = {{true, false, true}, {1, 0, 1}};
    CHECK(std::vector<bool>(h.begin(), h.end()) == std::vector<bool>{true, false, true, true, false, true});
}

TEST_CASE("braces of integers and bools hold no fractions, and no array holds text", "[array]") {
    STATIC_REQUIRE((takes_in_braces<float, int> && takes_in_braces<float, double> && takes_in_braces<float, half>));
    STATIC_REQUIRE((takes_in_braces<int, char> && takes_in_braces<int, bool> && takes_in_braces<bool, int>));
    STATIC_REQUIRE((takes_in_braces<half, float> && takes_in_braces<half, half> && takes_in_braces<bfloat16, half>));
    STATIC_REQUIRE_FALSE((takes_in_braces<int, float> || takes_in_braces<std::int64_t, double>));
    STATIC_REQUIRE_FALSE((takes_in_braces<bool, float> || takes_in_braces<int, half>));
    STATIC_REQUIRE_FALSE((takes_in_braces<float, char const*> || takes_in_braces<float, std::string>));
    STATIC_REQUIRE_FALSE((takes_in_braces<float, float*> || takes_in_braces<bool, float*>));
}

TEST_CASE("ragged braces are refused, whichever list is too short, too long or too deep", "[array]") {
    using a = array<float>;
    CHECK_THROWS_AS((a{{1, 2}, {3}}), std::invalid_argument);
    CHECK_THROWS_AS((a{{1}, {2, 3}}), std::invalid_argument);
    CHECK_THROWS_AS((a{{1, 2}, {}}), std::invalid_argument);
    CHECK_THROWS_AS((a{{}, {1}}), std::invalid_argument);
    CHECK_THROWS_AS((a{1, {2}}), std::invalid_argument);
    CHECK_THROWS_AS((a{{1}, 2}), std::invalid_argument);
    CHECK_THROWS_AS((a{1, {}}), std::invalid_argument);
    CHECK_THROWS_AS((a{{}, 1}), std::invalid_argument);
    CHECK_THROWS_AS((a{{{1, 2}, {3, 4}}, {{5, 6}}}), std::invalid_argument);
    CHECK_THROWS_AS((a{{{1, 2}, {3, 4}}, {{5, 6}, {7}}}), std::invalid_argument);
    CHECK_THROWS_AS((a{{{1}, {2}}, {3, 4}}), std::invalid_argument);
    CHECK_THROWS_AS((a{{{1}, 2}}), std::invalid_argument);
    CHECK_THROWS_AS((a{{{{1}, {2}}, {{3}, {4, 5}}}}), std::invalid_argument);
    CHECK_THROWS_AS((a{{{}}, {}}), std::invalid_argument);
    CHECK_THROWS_AS((array<bool>{{true}, {}}), std::invalid_argument);
    CHECK_THROWS_AS((array<half>{{1.0f, 2.0f}, {3.0f}}), std::invalid_argument);
    REQUIRE_FAILS((a{{2, 3}, 1.5}), std::invalid_argument, "a shape and a fill value go in parentheses");
}

TEST_CASE("a shape and a fill value", "[array]") {
    array<float> const a({2, 3}, 1.5f);
    CHECK(a.shape() == index_list{2, 3});
    CHECK(values_of(a) == floats(6, 1.5f));
    CHECK(is_aligned(a));
    CHECK(values_of(array<float>({3}, 0)) == floats{0, 0, 0});
    CHECK(values_of(array<int>({2, 2}, 7)) == std::vector<int>{7, 7, 7, 7});
    CHECK(array<bool>({5}, true)(4));
    CHECK(array<half>({2, 2}, half(0.5f))(1, 1) == 0.5f);
    CHECK(array<float>({}, 4).rank() == 0);
    CHECK(array<float>({2, 0, 3}, 1).shape() == index_list{2, 0, 3});
    CHECK(array<float>({2, 0, 3}, 1).empty());
    CHECK(array<float>(std::vector<int>{2, 3}, 1).shape() == index_list{2, 3});
    CHECK(array<int>(std::vector<int>{2, 3}, 1).shape() == index_list{2, 3});
    CHECK(array<float>(std::list<short>{4, 1}, 1).shape() == index_list{4, 1});
    CHECK(array<float>(std::array<std::size_t, 1>{6}, 1).size() == 6);
    CHECK(array<float>(a.shape(), 2)(1, 2) == 2);
    CHECK(array<float>(index_list::filled(16, 2), 3).size() == 65536);
}

TEST_CASE("a bad shape is refused before memory is taken", "[array]") {
    index_t const most = std::numeric_limits<index_t>::max();
    CHECK_THROWS_AS(array<float>({2, -3}, 0.0f), std::invalid_argument);
    CHECK_THROWS_AS(array<float>({most}, 0.0f), std::length_error);
    CHECK_THROWS_AS(array<float>({most, most, 2}, 0.0f), std::length_error);
    CHECK_THROWS_AS(array<float>({0, most, 2}, 0.0f), std::length_error);
    CHECK_THROWS_AS(array<float>({~std::uint64_t{0}}, 0.0f), std::length_error);
    CHECK_THROWS_AS(array<float>::uninitialized({-1}), std::invalid_argument);
    CHECK_THROWS_AS(array<bool>::uninitialized({most, 4}), std::length_error);
    CHECK_THROWS_AS(array<float>(std::vector<int>(17, 1), 0.0f), std::length_error);
    CHECK_THROWS_AS(array<float>({-1}, floats{}), std::invalid_argument);
}

TEST_CASE("a vector that is moved in is not copied, one that stays is", "[array]") {
    floats values = {1, 2, 3, 4, 5, 6};
    float const* const memory = values.data();
    array<float> const copied({2, 3}, values);
    CHECK(copied.data() != memory);
    CHECK(values_of(copied) == values);

    array<float> moved({2, 3}, std::move(values));
    CHECK(moved.data() == memory);
    CHECK(moved.shape() == index_list{2, 3});
    CHECK(moved(1, 0) == 4);

    array<float> const onward = std::move(moved);
    CHECK(onward.data() == memory);
    CHECK(is_like_new(moved));

    floats flat = {1, 2, 3};
    float const* const flat_memory = flat.data();
    array<float> const one(std::move(flat));
    CHECK(one.data() == flat_memory);
    CHECK(one.shape() == index_list{3});

    CHECK(values_of(array<int>({2, 2}, {1, 2, 3, 4})) == std::vector<int>{1, 2, 3, 4});
    CHECK(values_of(array<half>({2}, std::vector<half>{half(1.0f), half(2.0f)}))[1] == 2.0f);
    CHECK(is_like_new(array<float>(floats{})));
    CHECK(array<float>({0, 3}, floats{}).shape() == index_list{0, 3});
    CHECK(array<float>({}, floats{7})() == 7);
    CHECK_THROWS_AS(array<float>({2, 3}, floats(5)), std::invalid_argument);
    CHECK_THROWS_AS(array<float>({2, 3}, floats(7)), std::invalid_argument);
    CHECK_THROWS_AS(array<float>({}, floats{}), std::invalid_argument);
}

TEMPLATE_TEST_CASE("memory of its own starts on a cache line", "[array]", float, double, half, bfloat16, bool,
                   std::int8_t, std::uint64_t) {
    for (index_t n = 1; n < 40; ++n) {
        auto a = array<TestType>::uninitialized({n, 3});
        CHECK(a.size() == 3 * n);
        CHECK(is_aligned(a));
        std::fill(a.begin(), a.end(), TestType(1));
        CHECK(a == array<TestType>({n, 3}, TestType(1)));
        CHECK(is_aligned(array<TestType>(a)));
    }
    CHECK(is_aligned(array<TestType>{1, 0, 1}));
    CHECK(is_aligned(array<TestType>::scalar(TestType(1))));
}

TEST_CASE("uninitialized has the shape and leaves the values to the caller", "[array]") {
    auto const a = array<float>::uninitialized({2, 3});
    CHECK(a.shape() == index_list{2, 3});
    CHECK(array<float>::uninitialized(5).shape() == index_list{5});
    CHECK(array<float>::uninitialized({}).size() == 1);
    CHECK(array<float>::uninitialized({3, 0}).empty());
}

TEST_CASE("a scalar has rank 0 and one element", "[array]") {
    auto a = array<double>::scalar(2.5);
    CHECK(a.rank() == 0);
    CHECK(a.shape() == index_list{});
    CHECK(a.strides() == index_list{});
    CHECK(a.size() == 1);
    CHECK_FALSE(a.empty());
    CHECK(a() == 2.5);
    a() = 3;
    a.at() += 1;
    CHECK(*a.begin() == 4);
    CHECK(array<bool>::scalar(true)());
    CHECK(array<half>::scalar(half(2.0f)).at() == 2.0f);
}

TEST_CASE("an array is a row-major copy of a view, asked for by name", "[array]") {
    array<int> const a = {{1, 2, 3}, {4, 5, 6}};
    array<int> const copy(view<int const>(a).transpose());
    CHECK(copy == array<int>{{1, 4}, {2, 5}, {3, 6}});
    CHECK(copy.data() != a.data());
    CHECK(array<int>(view(a).slice(1, {.step = -2})) == array<int>{{3, 1}, {6, 4}});
    CHECK(array<int>(view(a).slice(0, {1, 2}).broadcast_to({2, 2, 3})).size() == 12);
    CHECK(array<int>(view(a).slice(0, {1, 1})).shape() == index_list{0, 3});
    array<int> writable = a;
    CHECK(array<int>(view<int>(writable)) == a);
    CHECK(array<bool>(view(array<bool>{true, false}.begin(), 2).slice(0, {.step = -1}))(1));
    softax::array const deduced(view<int const>(a).transpose());
    STATIC_REQUIRE(std::same_as<decltype(deduced), array<int> const>);
    STATIC_REQUIRE_FALSE(std::convertible_to<view<int>, array<int>>);
    STATIC_REQUIRE_FALSE(std::convertible_to<view<int const>, array<int>>);
    STATIC_REQUIRE_FALSE(made_of<array<int>, view<float>>);
}

TEST_CASE("copies are deep", "[array]") {
    array<float> a = {{1, 2}, {3, 4}};
    array<float> b = a;
    CHECK(b == a);
    CHECK(b.data() != a.data());
    b(0, 0) = 100;
    CHECK(a(0, 0) == 1);
    array<float> c = {9, 9, 9};
    c = a;
    CHECK(c == a);
    c(1, 1) = 100;
    CHECK(a(1, 1) == 4);
    a = array<float>{5};
    CHECK(c(0, 1) == 2);
    c = {{7, 8}};
    CHECK(c.shape() == index_list{1, 2});
    c = {};
    CHECK(is_like_new(c));
    array<float> const nothing, copy_of_nothing = nothing;
    CHECK(is_like_new(copy_of_nothing));
    CHECK(array<float>(array<float>({3, 0}, 1)).shape() == index_list{3, 0});
}

TEST_CASE("moves keep the memory and leave an array like new", "[array]") {
    array<float> a = {{1, 2}, {3, 4}};
    float const* const memory = a.data();
    array<float> b = std::move(a);
    CHECK(b.data() == memory);
    CHECK(b.shape() == index_list{2, 2});
    CHECK(is_like_new(a));

    array<float> c = {9, 9, 9};
    c = std::move(b);
    CHECK(c.data() == memory);
    CHECK(c == array<float>{{1, 2}, {3, 4}});
    CHECK(is_like_new(b));

    b = c;  // what was moved from is as good as new
    CHECK(b == c);
    std::swap(a, c);
    CHECK(a.data() == memory);
    CHECK(is_like_new(c));

    auto scalar = array<float>::scalar(1);
    array<float> const taken = std::move(scalar);
    CHECK(taken.rank() == 0);
    CHECK(is_like_new(scalar));
}

TEST_CASE("an array assigned to itself, copied or moved, stays as it is", "[array]") {
    array<float> a = {{1, 2}, {3, 4}};
    auto& same = a;
    a = same;
    CHECK(a == array<float>{{1, 2}, {3, 4}});
    float const* const memory = a.data();
    a = std::move(same);
    CHECK(a.data() == memory);
    CHECK(a == array<float>{{1, 2}, {3, 4}});
}

TEST_CASE("arrays move without throwing and have the same layout for every element type", "[array]") {
    STATIC_REQUIRE(std::is_nothrow_default_constructible_v<array<float>>);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<array<float>>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<array<float>>);
    STATIC_REQUIRE(std::is_nothrow_swappable_v<array<half>>);
    STATIC_REQUIRE(std::regular<array<float>>);
    // 16 extents and their count, a pointer that owns, a vector, a pointer to the elements, their number: the same under
    // every compiler flag.
    constexpr std::size_t expected =
        17 * sizeof(index_t) + sizeof(void*) + sizeof(std::vector<float>) + sizeof(float*) + sizeof(index_t);
    STATIC_REQUIRE(sizeof(array<float>) == expected);
    STATIC_REQUIRE(sizeof(array<double>) == expected);
    STATIC_REQUIRE(sizeof(array<bool>) == expected);
    STATIC_REQUIRE(alignof(array<double>) == alignof(index_t));
    // No array of a number alone: is array(2, 3) a shape or two values?
    STATIC_REQUIRE_FALSE(
        (made_of<array<float>, int> || made_of<array<float>, float> || made_of<array<float>, int, int>));
    STATIC_REQUIRE_FALSE((made_of<array<float>, int, float> || made_of<array<float>, bool>));
    STATIC_REQUIRE_FALSE((std::convertible_to<int, array<float>> || std::convertible_to<floats, array<float>>));
    STATIC_REQUIRE_FALSE((made_of<array<float>, array<double>> || made_of<array<float>, std::vector<double>>));
}

TEST_CASE("an array is a contiguous range of its elements, const or not", "[array]") {
    STATIC_REQUIRE(std::ranges::contiguous_range<array<float>>);
    STATIC_REQUIRE(std::ranges::sized_range<array<float> const>);
    STATIC_REQUIRE_FALSE(std::ranges::borrowed_range<array<float>>);
    using a = array<float>;
    STATIC_REQUIRE(std::same_as<decltype(std::declval<a&>().begin()), float*>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<a const&>().end()), float const*>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<a&>().data()), float*>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<a const&>().data()), float const*>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<a&>()(0, 1)), float&>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<a const&>()(0, 1)), float const&>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<a&>().at(0)), float&>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<a const&>().at(0)), float const&>);
    a b = {{1, 2}, {3, 4}};
    for (float& x : b) x *= 10;
    CHECK(std::accumulate(b.begin(), b.end(), 0.0f) == 100);
    CHECK(b.end() - b.begin() == b.size());
}

TEST_CASE("indices find their elements, any integer type serves", "[array]") {
    array<int> a({2, 3, 4}, 0);
    std::iota(a.begin(), a.end(), 0);
    auto const& c = a;
    for (int i = 0; i < 2; ++i) {
        for (unsigned j = 0; j < 3; ++j) {
            for (std::size_t k = 0; k < 4; ++k) {
                int const expected = 12 * i + 4 * static_cast<int>(j) + static_cast<int>(k);
                CHECK(a(i, j, k) == expected);
                CHECK(c(i, j, k) == expected);
                CHECK(a.at(i, j, k) == expected);
                CHECK(c.at(i - 2, static_cast<int>(j) - 3, static_cast<int>(k) - 4) == expected);
            }
        }
    }
    a(1, 2, 3) = 100;
    a.at(-1, -1, -1) += 1;
    CHECK(*(a.end() - 1) == 101);
    array<int> const deep(index_list::filled(16, 1), 5);
    CHECK(deep(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) == 5);
    CHECK(deep.at(-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) == 5);
}

TEST_CASE("at refuses indices outside and too few or too many of them", "[array]") {
    array<int> a({2, 3}, 0);
    auto const& c = a;
    CHECK_THROWS_AS(a.at(2, 0), std::out_of_range);
    CHECK_THROWS_AS(a.at(-3, 0), std::out_of_range);
    CHECK_THROWS_AS(c.at(0, 3), std::out_of_range);
    CHECK_THROWS_AS(c.at(0, -4), std::out_of_range);
    CHECK_THROWS_AS(c.at(0, ~std::uint64_t{0}), std::out_of_range);  // -1 if it wrapped
    CHECK_THROWS_AS(c.at(std::numeric_limits<index_t>::min(), 0), std::out_of_range);
    CHECK_THROWS_AS(a.at(0), std::invalid_argument);
    CHECK_THROWS_AS(a.at(), std::invalid_argument);
    CHECK_THROWS_AS(c.at(0, 0, 0), std::invalid_argument);
    CHECK_THROWS_AS((array<int>().at(0)), std::out_of_range);
    CHECK_THROWS_AS((array<int>().at(-1)), std::out_of_range);
    CHECK_THROWS_AS(array<int>::scalar(1).at(0), std::invalid_argument);
}

TEST_CASE("reshaped copies an array that stays and keeps the memory of one that goes", "[array]") {
    array<int> a = {{1, 2, 3}, {4, 5, 6}};
    auto const b = a.reshaped({3, 2});
    CHECK(b == array<int>{{1, 2}, {3, 4}, {5, 6}});
    CHECK(b.data() != a.data());
    CHECK(a.shape() == index_list{2, 3});
    CHECK(std::as_const(a).reshaped(-1).shape() == index_list{6});
    CHECK(a.reshaped({-1, 2}).shape() == index_list{3, 2});
    CHECK(a.reshaped({1, -1, 1}).shape() == index_list{1, 6, 1});

    int const* const memory = a.data();
    auto const c = std::move(a).reshaped({6, -1});
    CHECK(c.data() == memory);
    CHECK(c == array<int>{{1}, {2}, {3}, {4}, {5}, {6}});
    CHECK(is_like_new(a));

    array<int> adopted({2, 2}, std::vector<int>{1, 2, 3, 4});
    int const* const foreign = adopted.data();
    CHECK(std::move(adopted).reshaped({4}).data() == foreign);

    CHECK(array<int>::scalar(7).reshaped({1, 1}) == array<int>{{7}});
    CHECK(array<int>{7}.reshaped({})() == 7);
    CHECK(array<int>({2, 0}, 0).reshaped({0, 5}).shape() == index_list{0, 5});
    CHECK(array<int>().reshaped({3, -1}).shape() == index_list{3, 0});
}

TEST_CASE("reshaped refuses another size and leaves the array as it was", "[array]") {
    array<int> a = {{1, 2, 3}, {4, 5, 6}};
    CHECK_THROWS_AS(a.reshaped({4, 2}), std::invalid_argument);
    CHECK_THROWS_AS(a.reshaped({}), std::invalid_argument);
    CHECK_THROWS_AS(a.reshaped({-1, -1}), std::invalid_argument);
    CHECK_THROWS_AS(a.reshaped({-2, -3}), std::invalid_argument);
    CHECK_THROWS_AS(std::move(a).reshaped({5}), std::invalid_argument);
    CHECK_THROWS_AS(std::move(a).reshaped({-1, 4}), std::invalid_argument);
    CHECK(a == array<int>{{1, 2, 3}, {4, 5, 6}});
}

TEST_CASE("arrays are equal in shape and elements", "[array]") {
    float const nan = std::numeric_limits<float>::quiet_NaN();
    array<float> const a = {{1, 2}, {3, 4}};
    CHECK(a == array<float>{{1, 2}, {3, 4}});
    CHECK(a != array<float>{{1, 2}, {3, 5}});
    CHECK(a != array<float>{1, 2, 3, 4});
    CHECK(a != array<float>{{1, 2}});
    CHECK(array<float>{0.0f} == array<float>{-0.0f});
    CHECK(array<float>{nan} != array<float>{nan});
    CHECK(array<half>{half(0.0f)} == array<half>{half(-0.0f)});
    CHECK(array<bfloat16>{bfloat16(nan)} != array<bfloat16>{bfloat16(nan)});
    CHECK(array<float>({0, 2}, 0) == array<float>({0, 2}, 1));
    CHECK(array<float>({0, 2}, 0) != array<float>({2, 0}, 0));
    CHECK(array<float>::scalar(1) != array<float>{1});
    CHECK(array<float>::scalar(1) == array<float>({}, 1));
    CHECK(array<bool>{true, false} == array<bool>{1, 0});
}

TEST_CASE("arrays live in a vector and move there when it grows", "[array]") {
    std::vector<array<float>> many;
    many.push_back({1, 2, 3});
    float const* const memory = many[0].data();
    for (int i = 0; i < 20; ++i) many.push_back(array<float>({2}, 0));
    CHECK(many[0].data() == memory);
    CHECK(many[0] == array<float>{1, 2, 3});
}

TEST_CASE("allclose: abs(a - b) <= atol + rtol * abs(b), element by element", "[array]") {
    using softax::allclose;
    double const inf = HUGE_VAL, nan = std::nan("");
    auto const close = [](double a, double b, double rtol = 0, double atol = 0, bool equal_nan = false) {
        return allclose(array<double>{1, a}, array<double>{1, b}, rtol, atol, equal_nan);
    };
    CHECK(close(2, 2));
    CHECK_FALSE(close(2, 2.5));
    CHECK(close(2, 2.5, 0, 0.5));
    CHECK_FALSE(close(2, 2.5, 0, 0.499));
    CHECK(close(4, 5, 0.2));
    CHECK_FALSE(close(5, 4, 0.2));  // rtol counts from the second
    CHECK(close(5, 4, 0.2, 0.2));
    CHECK(close(inf, inf));
    CHECK(close(-inf, -inf));
    CHECK_FALSE(close(inf, -inf, 1, 1));
    CHECK_FALSE(close(inf, 1, 1, 1));
    CHECK_FALSE(close(1, inf, 1, 1));
    CHECK_FALSE(close(nan, nan, 1, 1));
    CHECK(close(nan, nan, 0, 0, true));
    CHECK_FALSE(close(nan, 1, 1, 1, true));
    CHECK_FALSE(close(1, nan, 1, 1, true));
    CHECK_FALSE(close(inf, nan, 1, 1, true));
    // The defaults: rtol 1e-5, atol 1e-8.
    CHECK(allclose(array<double>{100000}, array<double>{100001}));
    CHECK_FALSE(allclose(array<double>{100000}, array<double>{100002}));
    CHECK(allclose(array<double>{0.0}, array<double>{1e-8}));
    CHECK_FALSE(allclose(array<double>{0.0}, array<double>{2e-8}));
}

TEST_CASE("allclose of shapes, of views, of ranges and of every element type", "[array]") {
    using softax::allclose;
    array<float> const a = {{1, 2, 3}, {4, 5, 6}};
    CHECK_FALSE(allclose(a, a.reshaped({3, 2})));
    CHECK_FALSE(allclose(a, a.reshaped({6})));
    CHECK(allclose(array<float>({0, 3}, 0), array<float>({0, 3}, 1)));
    CHECK_FALSE(allclose(array<float>({0, 3}, 0), array<float>({3, 0}, 0)));
    CHECK(allclose(view(a).transpose(), array<float>{{1, 4}, {2, 5}, {3, 6}}));
    CHECK_FALSE(allclose(view(a).transpose(), a.reshaped({3, 2})));
    CHECK(allclose(std::vector<float>{1, 2}, view(a).slice(0, {0, 1}).slice(1, {0, 2}).reshape(2)));
    CHECK(allclose(array<float>::scalar(1), array<float>::scalar(1)));
    CHECK(allclose(array<half>{half(1.0f)}, array<half>{half(1.0009765625f)}, 1e-3, 0));
    CHECK_FALSE(allclose(array<half>{half(1.0f)}, array<half>{half(1.0009765625f)}));
    CHECK(allclose(array<int>{100000}, array<int>{100001}));
    CHECK_FALSE(allclose(array<bool>{true}, array<bool>{false}));
    STATIC_REQUIRE((is_compared<array<float>, view<float const>> && is_compared<std::vector<int>, array<int>>));
    STATIC_REQUIRE_FALSE((is_compared<array<float>, array<double>> || is_compared<array<float>, float>));
}

TEST_CASE("allclose of integers that double cannot tell apart", "[array]") {
    using softax::allclose;
    std::int64_t const most = std::numeric_limits<std::int64_t>::max(),
                       least = std::numeric_limits<std::int64_t>::min();
    std::uint64_t const large = std::uint64_t{1} << 63;
    CHECK_FALSE(allclose(array<std::int64_t>{most}, array<std::int64_t>{most - 1}, 0, 0));
    CHECK(allclose(array<std::int64_t>{most}, array<std::int64_t>{most - 1}, 0, 1));
    CHECK_FALSE(allclose(array<std::int64_t>{least}, array<std::int64_t>{most}, 1, 0));
    CHECK_FALSE(allclose(array<std::uint64_t>{large}, array<std::uint64_t>{large + 1}, 0, 0));
    CHECK(allclose(array<std::uint64_t>{large}, array<std::uint64_t>{large}, 0, 0));
    CHECK(allclose(array<std::uint8_t>{1}, array<std::uint8_t>{3}, 0, 2));
    CHECK_FALSE(allclose(array<std::uint8_t>{1}, array<std::uint8_t>{3}, 0, 1));
}
