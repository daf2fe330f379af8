// layout: sizes and strides, and every function that makes one layout of another, against index arithmetic written out.
#include <softax/layout.hpp>

#include "catch.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

using softax::bounds;
using softax::index_list;
using softax::index_t;
using softax::layout;
namespace detail = softax::detail;

namespace {

using numbers = std::vector<index_t>;
constexpr index_t largest = std::numeric_limits<index_t>::max(), least = std::numeric_limits<index_t>::min();

/// Every index of a shape in row-major order.
std::vector<numbers> indices_of(index_list const& shape) {
    std::vector<numbers> all = {{}};
    for (index_t const extent : shape) {
        std::vector<numbers> longer;
        for (auto const& index : all) {
            for (index_t i = 0; i < extent; ++i) {
                longer.push_back(index);
                longer.back().push_back(i);
            }
        }
        all = longer;
    }
    return all;
}

index_t offset_of(numbers const& index, index_list const& strides) {
    index_t offset = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) offset += index[axis] * strides[static_cast<index_t>(axis)];
    return offset;
}

/// Where the elements of a layout lie, in row-major order of their indices.
numbers offsets_of(layout const& l, index_t start = 0) {
    numbers offsets = {start};
    for (index_t axis = 0; axis < l.shape.size(); ++axis) {
        numbers longer;
        longer.reserve(offsets.size() * static_cast<std::size_t>(l.shape[axis]));
        for (index_t const offset : offsets) {
            for (index_t i = 0; i < l.shape[axis]; ++i) longer.push_back(offset + i * l.strides[axis]);
        }
        offsets.swap(longer);
    }
    return offsets;
}

/// All shapes of ranks 0 to 4 with these extents.
std::vector<index_list> shapes_of(std::vector<index_t> const& extents, index_t up_to_rank) {
    std::vector<index_list> shapes = {{}};
    for (std::size_t i = 0; i < shapes.size(); ++i) {
        if (shapes[i].size() == up_to_rank) break;
        for (index_t const extent : extents) {
            shapes.push_back(shapes[i]);
            shapes.back().push_back(extent);
        }
    }
    return shapes;
}

/// All shapes of up to that rank that hold size elements.
std::vector<index_list> shapes_of_size(index_t size, index_t up_to_rank) {
    std::vector<index_t> divisors;
    for (index_t d = 1; d <= size; ++d) {
        if (size % d == 0) divisors.push_back(d);
    }
    auto shapes = shapes_of(divisors, up_to_rank);
    std::erase_if(shapes, [&](index_list const& shape) {
        return std::accumulate(shape.begin(), shape.end(), index_t{1}, std::multiplies<>()) != size;
    });
    return shapes;
}

/// Strides with which a shape shows elements at the given offsets, in row-major order; nothing if there are none.
std::optional<index_list> strides_for(index_list const& shape, numbers const& offsets) {
    index_list strides;
    index_t step = static_cast<index_t>(offsets.size());
    for (index_t const extent : shape) {
        step /= extent;  // of that many elements is the way from one index of this axis to the next
        strides.push_back(extent > 1 ? offsets[static_cast<std::size_t>(step)] - offsets[0] : 0);
    }
    if (offsets_of({shape, strides}, offsets[0]) == offsets) return strides;
    return std::nullopt;
}

/// Whether reshape of a layout, whose offsets are given, shows the same elements, or refuses and no strides show them.
bool is_right_to_reshape(layout const& l, numbers const& offsets, index_list const& shape) {
    bool is_right = false;
    std::string message = "nothing";
    try {
        auto const found = detail::reshape(l, shape);
        is_right = found.shape == shape && offsets_of(found) == offsets;
    } catch (std::invalid_argument const& e) {
        message = e.what();
        is_right = message.find("without a copy") != std::string::npos && !strides_for(shape, offsets);
    }
    if (!is_right) {
        UNSCOPED_INFO(detail::text_of(l.shape) << " strides " << detail::text_of(l.strides) << " to "
                                               << detail::text_of(shape) << " throws " << message);
    }
    return is_right;
}

std::string const differ = ", the sizes differ";

}  // namespace

TEST_CASE("the size of a shape is the product of its extents", "[layout]") {
    CHECK(detail::size_of({}) == 1);
    CHECK(detail::size_of({7}) == 7);
    CHECK(detail::size_of({2, 3, 4}) == 24);
    CHECK(detail::size_of({2, 0, 4}) == 0);
    CHECK(detail::size_of({0}) == 0);
    CHECK(detail::size_of(index_list::filled(16, 1)) == 1);
    CHECK(detail::size_of(index_list::filled(16, 2)) == 65536);
    CHECK(detail::size_of({1, 1, 5, 1}) == 5);
    CHECK(detail::size_of({index_t{1} << 33, 3}) == index_t{3} << 33);  // beyond 32 bits
}

TEST_CASE("a size that overflows in bytes is refused, also beside an extent of 0", "[layout]") {
    index_t const most = largest / 16;
    CHECK(detail::size_of({most}) == most);
    CHECK(detail::size_of({most, 0}) == 0);
    CHECK(detail::size_of({1, most, 1}) == most);
    CHECK_THROWS_AS(detail::size_of({most + 1}), std::length_error);
    CHECK_THROWS_AS(detail::size_of({most, 2}), std::length_error);
    CHECK_THROWS_AS(detail::size_of({2, most}), std::length_error);
    CHECK_THROWS_AS(detail::size_of({0, most, 2}), std::length_error);
    CHECK_THROWS_AS(detail::size_of({most, 0, 2}), std::length_error);
    CHECK_THROWS_AS(detail::size_of({most, 2, 0}), std::length_error);
    CHECK_THROWS_AS(detail::size_of({largest}), std::length_error);
    CHECK_THROWS_AS(detail::size_of({largest, largest}), std::length_error);
    CHECK_THROWS_AS(detail::size_of({std::uint64_t{1} << 63}), std::length_error);
    CHECK_THROWS_AS(detail::size_of({std::uint64_t{1} << 32, std::uint64_t{1} << 32}),
                    std::length_error);  // 2^64 is 0 if it wraps
    CHECK_THROWS_AS(detail::size_of(index_list::filled(16, 16)), std::length_error);
    REQUIRE_FAILS(detail::size_of({4294967296, 4294967296}), std::length_error, "shape (4294967296, 4294967296)");
}

TEST_CASE("a negative extent is refused wherever it stands, also beside others that overflow", "[layout]") {
    CHECK_THROWS_AS(detail::size_of({-1}), std::invalid_argument);
    CHECK_THROWS_AS(detail::size_of({2, -1, 3}), std::invalid_argument);
    CHECK_THROWS_AS(detail::size_of({-2, -3}), std::invalid_argument);
    CHECK_THROWS_AS(detail::size_of({0, -1}), std::invalid_argument);
    CHECK_THROWS_AS(detail::size_of({least}), std::invalid_argument);
    CHECK_THROWS_AS(detail::size_of({largest, largest, -1}), std::invalid_argument);
}

TEST_CASE("row-major strides count the elements behind an axis", "[layout]") {
    CHECK(detail::row_major_strides({}) == index_list{});
    CHECK(detail::row_major_strides({5}) == index_list{1});
    CHECK(detail::row_major_strides({2, 3, 4}) == index_list{12, 4, 1});
    CHECK(detail::row_major_strides({2, 1, 4}) == index_list{4, 4, 1});
    for (auto const& shape : shapes_of({1, 2, 3}, 4)) {
        numbers expected(indices_of(shape).size());
        std::iota(expected.begin(), expected.end(), 0);
        CHECK(offsets_of(detail::row_major(shape)) == expected);
    }
}

TEST_CASE("a layout is row-major exactly when its elements lie one after another", "[layout]") {
    std::size_t wrong = 0, yes = 0;
    for (auto const& shape : shapes_of({0, 1, 2, 3}, 3)) {
        for (auto strides : shapes_of({-1, 0, 1, 2, 3, 4, 6, 9}, 3)) {
            if (strides.size() != shape.size()) continue;
            auto const offsets = offsets_of({shape, strides});
            bool is_in_order = true;
            for (std::size_t i = 0; i < offsets.size(); ++i)
                is_in_order = is_in_order && offsets[i] == static_cast<index_t>(i);
            yes += is_in_order;
            if (detail::is_row_major({shape, strides}) == is_in_order) continue;
            if (++wrong < 10) UNSCOPED_INFO(detail::text_of(shape) << " strides " << detail::text_of(strides));
        }
    }
    CHECK(wrong == 0);
    CHECK(yes > 100);
}

TEST_CASE("offset_at finds every element by indices from the front and from the end", "[layout]") {
    layout const l = {{2, 3, 4}, {-1, 40, 7}};
    for (auto const& index : indices_of(l.shape)) {
        auto const expected = offset_of(index, l.strides);
        for (int from_end = 0; from_end < 8; ++from_end) {
            index_list at;
            for (int axis = 0; axis < 3; ++axis) {
                index_t const i = index[static_cast<std::size_t>(axis)];
                at.push_back((from_end >> axis) % 2 ? i - l.shape[axis] : i);
            }
            CHECK(detail::offset_at(l, at) == expected);
        }
    }
    CHECK(detail::offset_at({{}, {}}, {}) == 0);
    CHECK_THROWS_AS(detail::offset_at(l, {0, 0}), std::invalid_argument);
    CHECK_THROWS_AS(detail::offset_at(l, {0, 0, 0, 0}), std::invalid_argument);
    CHECK_THROWS_AS(detail::offset_at(l, {2, 0, 0}), std::out_of_range);
    CHECK_THROWS_AS(detail::offset_at(l, {-3, 0, 0}), std::out_of_range);
    CHECK_THROWS_AS(detail::offset_at(l, {0, 0, 4}), std::out_of_range);
    CHECK_THROWS_AS(detail::offset_at(l, {0, ~std::uint64_t{0}, 0}), std::out_of_range);  // -1 if it wrapped
    CHECK_THROWS_AS(detail::offset_at(l, {least, 0, 0}), std::out_of_range);
    CHECK_THROWS_AS(detail::offset_at({{0}, {1}}, {0}), std::out_of_range);
    CHECK_THROWS_AS(detail::offset_at({{0}, {1}}, {-1}), std::out_of_range);
}

TEST_CASE("permute moves every axis where the order says, for all orders up to rank 4", "[layout]") {
    for (index_t rank = 0; rank <= 4; ++rank) {
        index_list const all = {2, 3, 1, 4};
        index_list shape, order;
        for (index_t axis = 0; axis < rank; ++axis) shape.push_back(all[axis]), order.push_back(axis);
        auto const l = detail::row_major(shape);
        do {
            auto const found = detail::permute(l, order);
            for (auto const& index : indices_of(found.shape)) {
                numbers source(index.size());
                for (std::size_t k = 0; k < index.size(); ++k) {
                    source[static_cast<std::size_t>(order[static_cast<index_t>(k)])] = index[k];
                }
                CHECK(offset_of(index, found.strides) == offset_of(source, l.strides));
            }
            index_list negative;
            for (index_t const axis : order) negative.push_back(axis - rank);
            CHECK(detail::permute(l, negative) == found);
        } while (std::next_permutation(order.begin(), order.end()));
    }
}

TEST_CASE("an order that is no permutation is refused", "[layout]") {
    auto const l = detail::row_major({2, 3, 4});
    CHECK_THROWS_AS(detail::permute(l, {0, 1}), std::invalid_argument);
    CHECK_THROWS_AS(detail::permute(l, {0, 1, 2, 0}), std::invalid_argument);
    CHECK_THROWS_AS(detail::permute(l, {0, 1, 1}), std::invalid_argument);
    CHECK_THROWS_AS(detail::permute(l, {0, 1, -2}), std::invalid_argument);
    CHECK_THROWS_AS(detail::permute(l, {}), std::invalid_argument);
    CHECK_THROWS_AS(detail::permute(l, {0, 1, 3}), std::out_of_range);
    CHECK_THROWS_AS(detail::permute(l, {0, 1, -4}), std::out_of_range);
    CHECK_THROWS_AS(detail::permute({{}, {}}, {0}), std::invalid_argument);
}

// Python's reference, slice.indices: what is not given is the end in the direction of the step; a negative number
// counts from the end; what still lies outside [0, extent] ([-1, extent - 1] for a negative step) is moved to its border.
namespace {

numbers python_slice(index_t extent, bounds const& b) {
    index_t const first = b.step > 0 ? 0 : extent - 1, end = b.step > 0 ? extent : -1;
    auto const place = [&](std::optional<index_t> const& given, index_t otherwise) {
        if (!given) return otherwise;
        index_t const i = *given < 0 ? *given + extent : *given;
        return std::clamp(i, std::min(first, end), std::max(first, end));
    };
    numbers walked;
    index_t const stop = place(b.stop, end);
    for (index_t i = place(b.start, first); b.step > 0 ? i < stop : i > stop; i += b.step) walked.push_back(i);
    return walked;
}

/// Calls visit(extent, bounds) for extents 0 to 5, start and stop absent or in [-7, 7], step in [-7, 7] but 0.
template <class Visit>
void for_each_slice(Visit visit) {
    std::vector<std::optional<index_t>> places = {std::nullopt};
    for (index_t i = -7; i <= 7; ++i) places.push_back(i);
    for (index_t extent = 0; extent <= 5; ++extent) {
        for (auto const& start : places) {
            for (auto const& stop : places) {
                for (index_t step = -7; step <= 7; ++step) {
                    if (step != 0) visit(extent, bounds{start, stop, step});
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("the model of Python's slices gives Python's answers", "[layout]") {
    // Both numbers are printed by this program, run with CPython 3.11:
    //   h, n, places = 0, 0, [None, *range(-7, 8)]
    //   for extent in range(6):
    //     for start in places:
    //       for stop in places:
    //         for step in range(-7, 8):
    //           if step:
    //             for i in list(range(extent))[start:stop:step] + [99]: h = (h * 31 + i + 1) % 2**64; n += 1
    //   print(h, n)
    std::uint64_t h = 0, n = 0;
    for_each_slice([&](index_t extent, bounds const& b) {
        auto walked = python_slice(extent, b);
        walked.push_back(99);
        for (index_t const i : walked) h = h * 31 + static_cast<std::uint64_t>(i) + 1, ++n;
    });
    CHECK(h == 5346308927256237580u);
    CHECK(n == 29704);
}

TEST_CASE("slice agrees with Python for every start, stop and step around extents 0 to 5", "[layout]") {
    std::size_t wrong = 0;
    for_each_slice([&](index_t extent, bounds const& b) {
        // The sliced axis stands between two others, and its stride is negative.
        layout const l = {{2, extent, 3}, {100, -10, 1}};
        numbers expected;
        for (index_t i = 0; i < 2; ++i) {
            for (index_t const j : python_slice(extent, b)) {
                for (index_t k = 0; k < 3; ++k) expected.push_back(100 * i - 10 * j + k);
            }
        }
        auto const [where, offset] = detail::slice(l, 1, b);
        auto const from_end = detail::slice(l, -2, b);
        bool const is_right =
            offsets_of(where, offset) == expected && from_end.where == where && from_end.offset == offset;
        if (is_right || ++wrong > 10) return;
        UNSCOPED_INFO("extent " << extent << " [" << (b.start ? std::to_string(*b.start) : "") << ":"
                                << (b.stop ? std::to_string(*b.stop) : "") << ":" << b.step << "]");
    });
    CHECK(wrong == 0);
}

TEST_CASE("slice takes the least and the largest integers without overflow", "[layout]") {
    layout const l = {{5}, {10}};  // a stride that overflows when multiplied by such a step
    auto const slice = [&](bounds const& b) {
        auto const [where, offset] = detail::slice(l, 0, b);
        auto offsets = offsets_of(where, offset);
        for (auto& place : offsets) place /= 10;
        return offsets;
    };
    CHECK(slice({.start = least, .stop = largest}) == numbers{0, 1, 2, 3, 4});
    CHECK(slice({.start = largest, .stop = least, .step = -1}) == numbers{4, 3, 2, 1, 0});
    CHECK(slice({.start = largest, .stop = least}).empty());
    CHECK(slice({.step = largest}) == numbers{0});
    CHECK(slice({.step = least}) == numbers{4});
    CHECK(slice({.start = 1, .step = least}) == numbers{1});
    CHECK(slice({.start = least, .step = least}).empty());
    CHECK(slice({.stop = least, .step = -2}) == numbers{4, 2, 0});
}

TEST_CASE("slice refuses a step of 0 and a bad axis", "[layout]") {
    auto const l = detail::row_major({2, 3});
    CHECK_THROWS_AS(detail::slice(l, 0, {.step = 0}), std::invalid_argument);
    CHECK_THROWS_AS(detail::slice(l, 2, {}), std::out_of_range);
    CHECK_THROWS_AS(detail::slice(l, -3, {}), std::out_of_range);
    CHECK_THROWS_AS(detail::slice({{}, {}}, 0, {}), std::invalid_argument);
}

TEST_CASE("broadcast repeats axes of extent 1 and new axes, and refuses everything else", "[layout]") {
    std::size_t fits = 0;
    for (auto const& from : shapes_of({0, 1, 2, 3}, 3)) {
        auto const l = detail::permute(detail::row_major(from), [&] {
            index_list reversed;
            for (index_t axis = from.size() - 1; axis >= 0; --axis) reversed.push_back(axis);
            return reversed;
        }());
        for (auto const& to : shapes_of({0, 1, 2, 3}, 4)) {
            index_t const extra = to.size() - l.shape.size();
            bool is_possible = extra >= 0;
            for (index_t axis = 0; is_possible && axis < l.shape.size(); ++axis) {
                is_possible = l.shape[axis] == to[axis + extra] || l.shape[axis] == 1;
            }
            if (!is_possible) {
                CHECK_THROWS_AS(detail::broadcast(l, to), std::invalid_argument);
                continue;
            }
            ++fits;
            numbers expected;
            for (auto const& index : indices_of(to)) {
                numbers source(index.begin() + extra, index.end());
                for (std::size_t axis = 0; axis < source.size(); ++axis) {
                    if (l.shape[static_cast<index_t>(axis)] == 1) source[axis] = 0;
                }
                expected.push_back(offset_of(source, l.strides));
            }
            auto const found = detail::broadcast(l, to);
            CHECK(found.shape == to);
            CHECK(offsets_of(found) == expected);
        }
    }
    CHECK(fits > 300);
    CHECK_THROWS_AS(detail::broadcast(detail::row_major({1}), {-1}), std::invalid_argument);
    CHECK_THROWS_AS(detail::broadcast(detail::row_major({1}), {largest}), std::length_error);
    CHECK(detail::broadcast(detail::row_major({}), index_list::filled(16, 2)).strides == index_list::filled(16, 0));
}

TEST_CASE("one extent of -1 becomes what makes the sizes equal", "[layout]") {
    CHECK(detail::complete_shape({2, 3, 4}, {-1}) == index_list{24});
    CHECK(detail::complete_shape({2, 3, 4}, {-1, 6}) == index_list{4, 6});
    CHECK(detail::complete_shape({2, 3, 4}, {3, -1, 2}) == index_list{3, 4, 2});
    CHECK(detail::complete_shape({}, {-1}) == index_list{1});
    CHECK(detail::complete_shape({}, {1, -1, 1}) == index_list{1, 1, 1});
    CHECK(detail::complete_shape({0, 3}, {-1, 3}) == index_list{0, 3});
    CHECK(detail::complete_shape({0, 3}, {-1}) == index_list{0});
    CHECK(detail::complete_shape({6}, {2, 3}) == index_list{2, 3});
    CHECK(detail::complete_shape({1}, {}) == index_list{});
}

TEST_CASE("a shape that cannot be completed is refused", "[layout]") {
    REQUIRE_FAILS(detail::complete_shape({2, 3}, {4}), std::invalid_argument,
                  "(2, 3) cannot be reshaped to (4,)" + differ);
    REQUIRE_FAILS(detail::complete_shape({2, 3}, {}), std::invalid_argument,
                  "(2, 3) cannot be reshaped to ()" + differ);
    REQUIRE_FAILS(detail::complete_shape({2, 3}, {-1, 4}), std::invalid_argument, "to (-1, 4)" + differ);
    REQUIRE_FAILS(detail::complete_shape({2, 3}, {0}), std::invalid_argument, "to (0,)" + differ);
    REQUIRE_FAILS(detail::complete_shape({2, 3}, {-1, 0}), std::invalid_argument, "to (-1, 0)");
    REQUIRE_FAILS(detail::complete_shape({0}, {1}), std::invalid_argument, "(0,) cannot be reshaped to (1,)" + differ);
    // Two extents of -1, or one beside a 0, could stand for anything.
    REQUIRE_FAILS(detail::complete_shape({2, 3}, {-1, -1}), std::invalid_argument, "to (-1, -1), -1 can");
    REQUIRE_FAILS(detail::complete_shape({0}, {0, -1}), std::invalid_argument, "to (0, -1), -1 can");
    REQUIRE_FAILS(detail::complete_shape({2, 3}, {-2, 3}), std::invalid_argument,
                  "shape (-2, 3) has a negative extent");
    REQUIRE_FAILS(detail::complete_shape({2, 3}, {-1, -2}), std::invalid_argument,
                  "shape (-1, -2) has a negative extent");
    REQUIRE_FAILS(detail::complete_shape({2, 3}, {-1, largest, 2}), std::length_error, "9223372036854775807, 2)");
    CHECK_THROWS_AS(detail::complete_shape({2, 3}, {largest, largest}), std::length_error);
}

TEST_CASE("reshape of a row-major layout is row-major, whatever the shape", "[layout]") {
    for (index_t const size : {1, 2, 6, 12, 24}) {
        auto const shapes = shapes_of_size(size, 4);
        for (auto const& from : shapes) {
            for (auto const& to : shapes) CHECK(detail::is_row_major(detail::reshape(detail::row_major(from), to)));
        }
    }
    for (auto const& from : shapes_of({0, 1, 2}, 3)) {
        if (detail::size_of(from) > 0) continue;
        for (auto const& to : shapes_of({0, 1, 2}, 3)) {
            if (detail::size_of(to) == 0) CHECK(detail::reshape(detail::row_major(from), to).shape == to);
        }
    }
}

TEST_CASE("reshape copies nothing, and refuses only where no strides show the same elements", "[layout]") {
    // Every shape of 8 and of 12 elements up to rank 3, under every choice of these strides.
    std::size_t tried = 0, wrong = 0;
    std::vector<index_t> const steps = {-4, -1, 0, 1, 2, 3, 6, 12};
    auto const all_strides = shapes_of(steps, 3);
    for (index_t const size : {1, 2, 8, 12}) {
        auto const shapes = shapes_of_size(size, 3);
        for (auto const& from : shapes) {
            for (auto const& strides : all_strides) {
                if (strides.size() != from.size()) continue;
                auto const offsets = offsets_of({from, strides});
                for (auto const& to : shapes) {
                    ++tried;
                    wrong += !is_right_to_reshape({from, strides}, offsets, to);
                    if (wrong == 10) FAIL("ten of them are wrong");
                }
            }
        }
    }
    CHECK(wrong == 0);
    CHECK(tried > 100000);
}

TEST_CASE("reshape of permuted, stepped and broadcast layouts of rank 4", "[layout]") {
    std::size_t wrong = 0;
    auto const shapes = shapes_of_size(24, 4);
    for (index_list const& full : {index_list{2, 3, 2, 2}, index_list{1, 4, 1, 6}, index_list{2, 1, 3, 4}}) {
        index_list order = {0, 1, 2, 3};
        do {
            for (int kind = 0; kind < 4; ++kind) {
                auto l = detail::permute(detail::row_major(full), order);
                if (kind == 1)
                    for (auto& stride : l.strides) stride *= 2;
                if (kind == 2) l.strides[0] *= -1;
                if (kind == 3) l.strides[3] = 0;
                auto const offsets = offsets_of(l);
                for (auto const& to : shapes) {
                    wrong += !is_right_to_reshape(l, offsets, to);
                    if (wrong == 10) FAIL("ten of them are wrong");
                }
            }
        } while (std::next_permutation(order.begin(), order.end()));
    }
    CHECK(wrong == 0);
}

TEST_CASE("layouts are made at compile time", "[layout]") {
    STATIC_REQUIRE(detail::row_major({2, 3}).strides == index_list{3, 1});
    STATIC_REQUIRE(detail::permute(detail::row_major({2, 3}), {1, 0}) == layout{{3, 2}, {1, 3}});
    STATIC_REQUIRE(detail::reshape(detail::row_major({2, 3}), {-1}).shape == index_list{6});
    STATIC_REQUIRE(detail::broadcast(detail::row_major({3}), {2, 3}).strides == index_list{0, 1});
    STATIC_REQUIRE(detail::slice(detail::row_major({5}), 0, {.step = -2}).offset == 4);
    STATIC_REQUIRE(std::is_trivially_copyable_v<layout>);
}
