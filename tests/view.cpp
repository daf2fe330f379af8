// view: what it is made of, const or not, and every look at the same elements against index arithmetic written out.
#include <softax/array.hpp>
#include <softax/view.hpp>

#include "catch.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <list>
#include <numeric>
#include <span>
#include <string>
#include <vector>

using softax::array;
using softax::index_list;
using softax::index_t;
using softax::view;

namespace {

/// 0, 1, 2, ... in memory of exactly that size.
template <class T = int>
std::vector<T> counting(int count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), T{});
    return values;
}

/// The elements of a view in row-major order, read by pointer arithmetic on its data and strides.
template <class T>
std::vector<std::remove_const_t<T>> shown(view<T> const& v) {
    if (v.size() == 0) return {};
    std::vector<T*> places = {v.data()};
    for (index_t axis = 0; axis < v.rank(); ++axis) {
        std::vector<T*> longer;
        for (T* const place : places) {
            for (index_t i = 0; i < v.shape()[axis]; ++i) longer.push_back(place + i * v.strides()[axis]);
        }
        places.swap(longer);
    }
    std::vector<std::remove_const_t<T>> values;
    for (T const* const place : places) values.push_back(*place);
    return values;
}

using ints = std::vector<int>;

template <class V, class... From>
concept made_of = std::constructible_from<V, From...>;

/// softax::view(x), with the element type left out.
template <class From>
concept guides = requires(From&& x) { softax::view(static_cast<From&&>(x)); };

}  // namespace

TEST_CASE("a view of a pointer and a shape is row-major", "[view]") {
    auto memory = counting(24);
    view<int> const v(memory.data(), {2, 3, 4});
    CHECK(v.data() == memory.data());
    CHECK(v.size() == 24);
    CHECK(v.rank() == 3);
    CHECK(v.shape() == index_list{2, 3, 4});
    CHECK(v.strides() == index_list{12, 4, 1});
    CHECK(v.is_row_major());
    CHECK_FALSE(v.empty());
    CHECK(shown(v) == memory);
    for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 3; ++j) {
            for (int k = 0; k < 4; ++k) CHECK(&v(i, j, k) == &memory[static_cast<std::size_t>(12 * i + 4 * j + k)]);
        }
    }
}

TEST_CASE("a view of a pointer, a shape and strides finds every element", "[view]") {
    auto memory = counting(40);
    // Axis 0 runs backwards, axis 1 repeats, axis 2 skips.
    view<int> const v(memory.data() + 30, {3, 2, 4}, {-10, 0, 2});
    for (int i = 0; i < 3; ++i) {
        for (int j = 0; j < 2; ++j) {
            for (int k = 0; k < 4; ++k) CHECK(v(i, j, k) == 30 - 10 * i + 2 * k);
        }
    }
    CHECK(v.size() == 24);
    CHECK_FALSE(v.is_row_major());
    CHECK(view<int>(memory.data(), {2, 3}, {3, 1}).is_row_major());
}

TEST_CASE("shape and strides are braces, an integer or any range of integers", "[view]") {
    auto memory = counting(6);
    std::vector<std::size_t> const shape = {2, 3};
    std::array<int, 2> const strides = {1, 2};
    CHECK(view<int>(memory.data(), 6).shape() == index_list{6});
    CHECK(view<int>(memory.data(), {6u}).shape() == index_list{6});
    CHECK(view<int>(memory.data(), {}).rank() == 0);
    CHECK(view<int>(memory.data(), shape).shape() == index_list{2, 3});
    CHECK(view<int>(memory.data(), shape, strides).strides() == index_list{1, 2});
    CHECK(view<int>(memory.data(), 3, 2).strides() == index_list{2});
    CHECK(view<int>(memory.data(), std::list<short>{3, 2}, std::span(strides)).strides() == index_list{1, 2});
    CHECK(shown(view<int>(memory.data(), 3, -0)) == ints{0, 0, 0});
}

TEST_CASE("a view of rank 0 shows one element, a view of size 0 none", "[view]") {
    int one = 7;
    view<int> const scalar(&one, {});
    CHECK(scalar.size() == 1);
    CHECK(scalar.rank() == 0);
    CHECK(scalar() == 7);
    CHECK(scalar.at() == 7);
    CHECK(scalar.is_row_major());
    for (auto const& shape : {index_list{0}, index_list{0, 3}, index_list{2, 0}, index_list{1, 0, 1}}) {
        view<int> const none(nullptr, shape);
        CHECK(none.size() == 0);
        CHECK(none.empty());
        CHECK(none.shape() == shape);
        CHECK(none.is_row_major());
        CHECK(shown(none).empty());
        CHECK(none.transpose().empty());
    }
}

TEST_CASE("a view has any rank up to 16", "[view]") {
    auto memory = counting(1 << 16);
    for (index_t rank = 0; rank <= 16; ++rank) {
        view<int> const v(memory.data(), index_list::filled(rank, 2));
        CHECK(v.rank() == rank);
        CHECK(v.size() == index_t{1} << rank);
        CHECK(v.transpose().transpose().strides() == v.strides());
    }
    CHECK_THROWS_AS(view<int>(memory.data(), std::vector<int>(17, 1)), std::length_error);
    view<int> const deep(memory.data(), index_list::filled(16, 2));
    CHECK(deep(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) == 32769);
    CHECK(deep.at(-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1) == 32769);
}

TEST_CASE("a bad shape or a wrong number of strides is refused", "[view]") {
    float x = 0;
    index_t const most = std::numeric_limits<index_t>::max();
    CHECK_THROWS_AS(view<float>(&x, {2, -1}), std::invalid_argument);
    CHECK_THROWS_AS(view<float>(&x, {most}), std::length_error);
    CHECK_THROWS_AS(view<float>(&x, ~std::uint64_t{0}), std::length_error);
    // The strides of these would overflow before the size is known.
    CHECK_THROWS_AS(view<float>(&x, {2, most, most}), std::length_error);
    CHECK_THROWS_AS(view<float>(&x, {0, most, most}), std::length_error);
    CHECK_THROWS_AS(view<float>(&x, {1, most, most}, {0, 0, 0}), std::length_error);
    CHECK_THROWS_AS(view<float>(&x, {1, 1}, {1}), std::invalid_argument);
    CHECK_THROWS_AS(view<float>(&x, {1}, {1, 1}), std::invalid_argument);
    CHECK_THROWS_AS(view<float>(&x, {}, {1}), std::invalid_argument);
}

TEST_CASE("a view shows an array, and writes into it", "[view]") {
    array<float> a = {{1, 2, 3}, {4, 5, 6}};
    view<float> const v = a;
    view<float const> const c = a;
    CHECK(v.data() == a.data());
    CHECK(c.data() == a.data());
    CHECK(v.shape() == a.shape());
    v(1, 2) = 60;
    CHECK(a(1, 2) == 60);
    CHECK(c.at(-1, -1) == 60);
    array<float> const& constant = a;
    CHECK(view<float const>(constant).data() == a.data());
    view<float const> const read_only = v;
    CHECK(read_only.data() == a.data());
    CHECK(read_only.strides() == v.strides());
}

TEST_CASE("a view shows the elements of a contiguous range", "[view]") {
    std::vector<double> vector = {1, 2, 3};
    std::vector<double> const constant = {4, 5};
    std::array<float, 2> fixed = {6, 7};
    std::array<float, 0> none = {};
    int plain[] = {8, 9, 10};
    view v(vector);
    STATIC_REQUIRE(std::same_as<decltype(v), view<double>>);
    CHECK(v.data() == vector.data());
    CHECK(v.shape() == index_list{3});
    view c(constant);
    STATIC_REQUIRE(std::same_as<decltype(c), view<double const>>);
    CHECK(shown(c) == constant);
    CHECK(view(fixed).data() == fixed.data());
    CHECK(view(none).empty());
    CHECK(view(std::span(vector)).data() == vector.data());
    CHECK(view<double const>(std::span(vector).first(2)).size() == 2);
    STATIC_REQUIRE(std::same_as<decltype(view(std::span<double const>(vector))), view<double const>>);
    CHECK(shown(view<int const>(plain)) == ints{8, 9, 10});
    v(1) = 20;
    CHECK(vector[1] == 20);
    bool flags[] = {true, false};
    CHECK(view<bool>(flags)(0));
}

TEST_CASE("the element type follows from what is shown", "[view]") {
    array<float> a = {1, 2, 3, 4};
    array<float> const& constant = a;
    STATIC_REQUIRE(std::same_as<decltype(view(a)), view<float>>);
    STATIC_REQUIRE(std::same_as<decltype(view(constant)), view<float const>>);
    STATIC_REQUIRE(std::same_as<decltype(view(a.data(), {2, 2})), view<float>>);
    STATIC_REQUIRE(std::same_as<decltype(view(constant.data(), {2, 2}, {1, 2})), view<float const>>);
    STATIC_REQUIRE(std::same_as<decltype(view(view(a))), view<float>>);
    STATIC_REQUIRE(std::same_as<decltype(view(a.data(), 4)), view<float>>);
    STATIC_REQUIRE(std::same_as<softax::element_of<array<float> const>, float>);
    STATIC_REQUIRE(std::same_as<softax::element_of<view<double const>>, double>);
    STATIC_REQUIRE(std::same_as<softax::element_of<std::vector<int> const>, int>);
    CHECK(view(a).size() == 4);
}

TEST_CASE("a view never drops const, never shows a temporary, and is no other type's", "[view]") {
    // Const only grows.
    STATIC_REQUIRE(std::convertible_to<view<float>, view<float const>>);
    STATIC_REQUIRE_FALSE(made_of<view<float>, view<float const>>);
    STATIC_REQUIRE_FALSE(made_of<view<double const>, view<float>>);
    STATIC_REQUIRE(std::convertible_to<array<float>&, view<float>>);
    STATIC_REQUIRE(std::convertible_to<array<float>&, view<float const>>);
    STATIC_REQUIRE(std::convertible_to<array<float> const&, view<float const>>);
    STATIC_REQUIRE_FALSE(made_of<view<float>, array<float> const&>);
    STATIC_REQUIRE_FALSE(made_of<view<float>, std::vector<float> const&>);
    STATIC_REQUIRE_FALSE(made_of<view<float>, std::span<float const>>);
    STATIC_REQUIRE_FALSE(made_of<view<float>, float const*, index_list>);
    STATIC_REQUIRE(made_of<view<float const>, float*, index_list>);
    // Nothing that is gone at the end of the line.
    STATIC_REQUIRE_FALSE(made_of<view<float>, array<float>>);
    STATIC_REQUIRE_FALSE(made_of<view<float const>, array<float>>);
    STATIC_REQUIRE_FALSE(made_of<view<float const>, array<float> const>);
    STATIC_REQUIRE_FALSE(made_of<view<float const>, std::vector<float>>);
    STATIC_REQUIRE_FALSE(made_of<view<float const>, std::array<float, 2>>);
    STATIC_REQUIRE_FALSE(guides<array<float>>);
    STATIC_REQUIRE_FALSE(guides<std::vector<float>>);
    // Other elements.
    STATIC_REQUIRE_FALSE(made_of<view<float>, std::vector<double>&>);
    STATIC_REQUIRE_FALSE(made_of<view<float const>, std::vector<int>&>);
    STATIC_REQUIRE_FALSE(made_of<view<float>, array<double>&>);
}

TEST_CASE("what is viewable: arrays, views and contiguous ranges of numbers", "[view]") {
    using softax::viewable;
    STATIC_REQUIRE((viewable<array<float>> && viewable<array<float> const> && viewable<view<bool const>>));
    STATIC_REQUIRE(
        (viewable<std::vector<float>> && viewable<std::vector<softax::half> const> && viewable<std::span<int>>));
    STATIC_REQUIRE((viewable<std::array<double, 3>> && viewable<float[3]> && viewable<std::vector<signed char>>));
    STATIC_REQUIRE_FALSE((viewable<int> || viewable<float*> || viewable<std::list<float>>));
    STATIC_REQUIRE_FALSE(
        (viewable<std::vector<bool>> || viewable<std::vector<std::string>> || viewable<std::vector<float*>>));
    // Text is no array of integers.
    STATIC_REQUIRE_FALSE((viewable<std::string> || viewable<std::string_view> || viewable<char const[5]> ||
                          viewable<std::wstring> || viewable<std::u8string> || viewable<char[5]>));
}

TEST_CASE("a view is a handle: cheap to copy, const by itself, writing as a pointer does", "[view]") {
    STATIC_REQUIRE(std::is_trivially_copyable_v<view<float>>);
    STATIC_REQUIRE(std::is_nothrow_copy_constructible_v<view<float const>>);
    STATIC_REQUIRE(std::is_copy_assignable_v<view<float>>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<view<float> const&>()(0)), float&>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<view<float const>&>()(0)), float const&>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<view<float> const&>().at(0)), float&>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<view<float const>&>().data()), float const*>);
    STATIC_REQUIRE(std::same_as<view<float const>::value_type, float>);
    // A pointer, a size, 16 extents and 16 strides with their counts: the same under every compiler flag.
    STATIC_REQUIRE(sizeof(view<float>) == sizeof(float*) + 35 * sizeof(index_t));
    STATIC_REQUIRE(sizeof(view<softax::half const>) == sizeof(view<double>));
    STATIC_REQUIRE(alignof(view<double>) == alignof(index_t));
    auto memory = counting(4);
    view<int> v(memory.data(), 2);
    v = view<int>(memory.data() + 2, {2, 1});
    CHECK(shown(v) == ints{2, 3});
}

TEST_CASE("at checks its indices and counts negative ones from the end", "[view]") {
    auto memory = counting(6);
    view<int> const v(memory.data() + 5, {2, 3}, {-3, -1});
    for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 3; ++j) {
            int const expected = 5 - 3 * i - j;
            CHECK(v.at(i, j) == expected);
            CHECK(v.at(i - 2, j - 3) == expected);
            CHECK(v.at(i, static_cast<std::size_t>(j)) == expected);
        }
    }
    v.at(-1, -1) = 100;
    CHECK(memory[0] == 100);
    CHECK_THROWS_AS(v.at(2, 0), std::out_of_range);
    CHECK_THROWS_AS(v.at(0, -4), std::out_of_range);
    CHECK_THROWS_AS(v.at(0, ~std::uint64_t{0}), std::out_of_range);
    CHECK_THROWS_AS(v.at(0), std::invalid_argument);
    CHECK_THROWS_AS(v.at(), std::invalid_argument);
    CHECK_THROWS_AS(v.at(0, 0, 0), std::invalid_argument);
}

TEST_CASE("transpose reverses the axes", "[view]") {
    auto memory = counting(24);
    auto const t = view<int>(memory.data(), {2, 3, 4}).transpose();
    CHECK(t.shape() == index_list{4, 3, 2});
    for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 3; ++j) {
            for (int k = 0; k < 4; ++k) CHECK(&t(k, j, i) == &memory[static_cast<std::size_t>(12 * i + 4 * j + k)]);
        }
    }
    CHECK(view<int>(memory.data(), 5).transpose().shape() == index_list{5});
    CHECK(view<int>(memory.data(), {}).transpose().rank() == 0);
}

TEST_CASE("permute puts axis order[k] at place k", "[view]") {
    auto memory = counting(24);
    view<int> const v(memory.data(), {2, 3, 4});
    auto const p = v.permute({2, 0, 1}), q = v.permute(std::vector<int>{1, -1, 0});
    CHECK(p.shape() == index_list{4, 2, 3});
    CHECK(q.shape() == index_list{3, 4, 2});
    for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 3; ++j) {
            for (int k = 0; k < 4; ++k) {
                CHECK(p(k, i, j) == 12 * i + 4 * j + k);
                CHECK(q(j, k, i) == 12 * i + 4 * j + k);
            }
        }
    }
    CHECK_THROWS_AS(v.permute({0, 1}), std::invalid_argument);
    CHECK_THROWS_AS(v.permute({0, 0, 1}), std::invalid_argument);
    CHECK_THROWS_AS(v.permute({0, 1, 3}), std::out_of_range);
}

TEST_CASE("moveaxis moves one axis and keeps the order of the others, for every pair of axes", "[view]") {
    auto memory = counting(120);
    view<int> const v(memory.data(), {2, 3, 4, 5});
    for (index_t from = 0; from < 4; ++from) {
        for (index_t to = 0; to < 4; ++to) {
            std::vector<index_t> order;
            for (index_t axis = 0; axis < 4; ++axis) {
                if (axis != from) order.push_back(axis);
            }
            order.insert(order.begin() + to, from);
            auto const moved = v.moveaxis(from, to);
            for (std::size_t k = 0; k < 4; ++k) {
                CHECK(moved.shape()[static_cast<index_t>(k)] == v.shape()[order[k]]);
                CHECK(moved.strides()[static_cast<index_t>(k)] == v.strides()[order[k]]);
            }
            CHECK(v.moveaxis(from - 4, to - 4).shape() == moved.shape());
        }
    }
    CHECK(v.moveaxis(0, -1).shape() == index_list{3, 4, 5, 2});
    CHECK(v.moveaxis(-1, 0).shape() == index_list{5, 2, 3, 4});
    CHECK_THROWS_AS(v.moveaxis(4, 0), std::out_of_range);
    CHECK_THROWS_AS(v.moveaxis(0, -5), std::out_of_range);
    CHECK_THROWS_AS(view<int>(memory.data(), {}).moveaxis(0, 0), std::invalid_argument);
}

TEST_CASE("slice takes what Python takes", "[view]") {
    auto memory = counting(6);
    view<int> const v(memory.data(), 6);
    CHECK(shown(v.slice(0, {})) == memory);
    CHECK(shown(v.slice(0, {.start = 2})) == ints{2, 3, 4, 5});
    CHECK(shown(v.slice(0, {.stop = -2})) == ints{0, 1, 2, 3});
    CHECK(shown(v.slice(0, {.start = 1, .stop = 6, .step = 2})) == ints{1, 3, 5});
    CHECK(shown(v.slice(0, {.step = -1})) == ints{5, 4, 3, 2, 1, 0});
    CHECK(shown(v.slice(0, {.start = -2, .stop = 0, .step = -2})) == ints{4, 2});
    CHECK(shown(v.slice(0, {4, 100})) == ints{4, 5});
    CHECK(v.slice(0, {4, 2}).empty());
    view<int> const m(memory.data(), {2, 3});
    CHECK(shown(m.slice(1, {.step = -2})) == ints{2, 0, 5, 3});
    CHECK(shown(m.slice(-1, {1, 2})) == ints{1, 4});
    CHECK(shown(m.slice(0, {.start = 1}).slice(1, {.start = 1})) == ints{4, 5});
    CHECK(shown(v.slice(0, {.step = 2}).slice(0, {.step = -1})) == ints{4, 2, 0});
    CHECK_THROWS_AS(m.slice(2, {}), std::out_of_range);
    CHECK_THROWS_AS(m.slice(0, {.step = 0}), std::invalid_argument);
}

TEST_CASE("reshape shows the same memory under another shape, or says that it would need a copy", "[view]") {
    auto memory = counting(24);
    view<int> const v(memory.data(), {2, 3, 4});
    auto const r = v.reshape({4, -1});
    CHECK(r.data() == v.data());
    CHECK(r.shape() == index_list{4, 6});
    CHECK(shown(r) == memory);
    CHECK(v.reshape(-1).shape() == index_list{24});
    CHECK(shown(v.slice(2, {.step = -1}).reshape({6, 4})) == shown(v.slice(2, {.step = -1})));
    CHECK(shown(v.slice(0, {.start = 1}).reshape({12})) == ints{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23});
    CHECK(view<int>(memory.data(), 1).reshape({}).rank() == 0);
    CHECK(view<int>(memory.data(), {}).reshape({1, 1}).rank() == 2);
    REQUIRE_FAILS(
        v.transpose().reshape({24}), std::invalid_argument,
        "a view of shape (4, 3, 2) and strides (1, 4, 12) cannot be reshaped to (24,) without a copy; make an array");
    CHECK_THROWS_AS(v.reshape({5, 5}), std::invalid_argument);
    // The copy that the message asks for.
    auto const copy = array<int>(v.transpose()).reshaped({24});
    CHECK(copy(1) == 12);
    CHECK(copy(2) == 4);
}

TEST_CASE("broadcast_to repeats elements without copying them", "[view]") {
    auto memory = counting(3);
    view<int> const row(memory.data(), 3), column(memory.data(), {3, 1});
    CHECK(shown(row.broadcast_to({2, 3})) == ints{0, 1, 2, 0, 1, 2});
    CHECK(shown(column.broadcast_to({3, 2})) == ints{0, 0, 1, 1, 2, 2});
    CHECK(row.broadcast_to({2, 3}).strides() == index_list{0, 1});
    CHECK(row.broadcast_to(3).data() == memory.data());
    CHECK(column.broadcast_to({2, 3, 2}).strides() == index_list{0, 1, 0});
    CHECK(view<int>(memory.data(), {}).broadcast_to({2, 2}).size() == 4);
    CHECK(view<int>(memory.data(), 1).broadcast_to(0).empty());
    CHECK_THROWS_AS(row.broadcast_to(2), std::invalid_argument);
    CHECK_THROWS_AS(row.broadcast_to({3, 2}), std::invalid_argument);
    CHECK_THROWS_AS(row.broadcast_to({}), std::invalid_argument);
    CHECK_THROWS_AS(row.broadcast_to({std::numeric_limits<index_t>::max(), 3}), std::length_error);
}

TEST_CASE("for_each_pair walks two views of one shape in row-major order", "[view]") {
    auto memory = counting(6);
    view<int const> const a(memory.data(), {2, 3});
    auto const b = view<int>(memory.data(), {3, 2}).transpose();
    ints pairs;
    softax::detail::for_each_pair(a, b, [&](int x, int y) { pairs.push_back(10 * x + y); });
    CHECK(pairs == ints{0, 12, 24, 31, 43, 55});
}
