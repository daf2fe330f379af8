// traverse: collapsing, walking and copying strided layouts, against plain loops over every index.
#include <softax/detail/traverse.hpp>

#include "catch.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

using softax::index_list;
using softax::index_t;
using softax::layout;
namespace detail = softax::detail;
using detail::tandem;

namespace {

using places = std::vector<std::pair<index_t, index_t>>;

/// Both offsets of every index of a shape, in row-major order.
places places_of(tandem const& t) {
    places found = {{0, 0}};
    for (index_t axis = 0; axis < t.shape.size(); ++axis) {
        places longer;
        for (auto const& [to, from] : found) {
            for (index_t i = 0; i < t.shape[axis]; ++i)
                longer.emplace_back(to + i * t.to[axis], from + i * t.from[axis]);
        }
        found.swap(longer);
    }
    return found;
}

places visited_by(tandem const& t) {
    places found;
    detail::for_each_offset(t, [&](index_t to, index_t from) { found.emplace_back(to, from); });
    return found;
}

/// Memory that holds the elements with the given strides and nothing else, and the place of the first element in it.
struct room {
    explicit room(index_list const& shape, index_list const& strides) {
        index_t low = 0, high = 0;
        for (index_t axis = 0; axis < shape.size(); ++axis) {
            index_t const last = (shape[axis] - 1) * strides[axis];
            (last < 0 ? low : high) += last;
        }
        first = -low;
        size = static_cast<std::size_t>(high - low + 1);
    }
    index_t first;
    std::size_t size;
};

/// Whether copy moves every element to its place and writes nowhere else.
bool copies(tandem const& t) {
    room const to(t.shape, t.to), from(t.shape, t.from);
    std::vector<int> source(from.size), found(to.size, -1);
    std::iota(source.begin(), source.end(), 1);
    auto expected = found;
    for (auto const& [a, b] : places_of(t)) {
        expected[static_cast<std::size_t>(to.first + a)] = source[static_cast<std::size_t>(from.first + b)];
    }
    detail::copy(found.data() + to.first, source.data() + from.first, t);
    if (found == expected) return true;
    UNSCOPED_INFO(detail::text_of(t.shape) << " to " << detail::text_of(t.to) << " from " << detail::text_of(t.from));
    return false;
}

/// Strides of a shape whose axes are stored in the order given, the last one innermost, with gaps between the elements.
index_list strides_in_order(index_list const& shape, index_list const& order, index_t gap) {
    index_list strides = index_list::filled(shape.size(), 0);
    index_t next = gap;
    for (index_t k = order.size() - 1; k >= 0; --k) {
        strides[order[k]] = next;
        next *= shape[order[k]];
    }
    return strides;
}

}  // namespace

TEST_CASE("for_each_offset visits every index once, in row-major order", "[traverse]") {
    CHECK(visited_by({{}, {}, {}}) == places{{0, 0}});
    CHECK(visited_by({{3}, {2}, {-1}}) == places{{0, 0}, {2, -1}, {4, -2}});
    for (auto const& shape : {index_list{0}, index_list{2, 0}, index_list{0, 3}, index_list{2, 0, 3}}) {
        auto const rank = shape.size();
        CHECK(visited_by({shape, index_list::filled(rank, 1), index_list::filled(rank, 1)}).empty());
    }
    tandem const t = {{2, 3, 1, 4}, {100, -7, 5, 1}, {0, 3, 9, -20}};
    CHECK(visited_by(t).size() == 24);
    CHECK(visited_by(t) == places_of(t));
    tandem const deep = {index_list::filled(16, 2), detail::row_major_strides(index_list::filled(16, 2)),
                         index_list::filled(16, 1)};
    CHECK(visited_by(deep) == places_of(deep));
}

TEST_CASE("collapse keeps the walk and its order, over every choice of small extents and strides", "[traverse]") {
    std::size_t wrong = 0;
    std::vector<index_t> const extents = {0, 1, 2, 3}, strides = {-2, 0, 1, 2, 3, 6};
    auto const pick = [](std::vector<index_t> const& from, std::size_t& code) {
        auto const value = from[code % from.size()];
        code /= from.size();
        return value;
    };
    std::size_t const count = 4 * 4 * 4 * 6 * 6 * 6 * 6;
    for (std::size_t n = 0; n < count; ++n) {
        std::size_t code = n;
        tandem t;
        for (int axis = 0; axis < 3; ++axis) t.shape.push_back(pick(extents, code));
        index_t const outer = pick(strides, code), middle = pick(strides, code), inner = pick(strides, code);
        t.to = {outer, middle, inner};
        t.from = {6, pick(strides, code), 1};
        auto const shorter = detail::collapse(t);
        bool const is_right = visited_by(shorter) == places_of(t) && shorter.shape.size() <= t.shape.size();
        if (!is_right && ++wrong < 10) UNSCOPED_INFO(detail::text_of(t.shape) << detail::text_of(t.to));
    }
    CHECK(wrong == 0);
}

TEST_CASE("collapse leaves as few axes as both memories allow", "[traverse]") {
    auto const rank_of = [](layout const& to, layout const& from) {
        return detail::collapse({to.shape, to.strides, from.strides}).shape.size();
    };
    auto const plain = detail::row_major({2, 3, 4, 5});
    CHECK(rank_of(plain, plain) == 1);
    CHECK(rank_of(detail::row_major({1, 1, 1}), detail::row_major({1, 1, 1})) == 0);
    CHECK(rank_of(detail::row_major({1, 7, 1}), {{1, 7, 1}, {99, 1, -99}}) == 1);
    // The first two axes are one run in both, so are the last two.
    CHECK(rank_of(detail::row_major({4, 5, 2, 3}), detail::permute(plain, {2, 3, 0, 1})) == 2);
    CHECK(rank_of(detail::row_major({5, 4, 3, 2}), detail::permute(plain, {3, 2, 1, 0})) == 4);
    CHECK(rank_of(plain, {{2, 3, 4, 5}, {120, 40, 10, 2}}) == 1);  // every other element of all
    CHECK(rank_of(plain, {{2, 3, 4, 5}, {0, 0, 0, 0}}) == 1);      // one element everywhere
    CHECK(rank_of(plain, {{2, 3, 4, 5}, {0, 5, 0, 1}}) == 4);
    CHECK(detail::collapse({{2, 3}, {3, 1}, {3, 1}}).shape == index_list{6});
}

TEST_CASE("copy moves every permutation up to rank 4, plain, stepped, reversed and broadcast", "[traverse]") {
    std::size_t wrong = 0;
    index_list const extents[] = {{},        {3},          {2, 3},       {3, 1},      {2, 3, 4},
                                  {1, 5, 2}, {2, 3, 4, 5}, {3, 1, 2, 2}, {2, 2, 2, 1}};
    for (auto const& shape : extents) {
        index_list order;
        for (index_t axis = 0; axis < shape.size(); ++axis) order.push_back(axis);
        do {
            // Each axis by itself is left alone, reversed, or repeated in the source.
            std::size_t choices = 1;
            for (index_t axis = 0; axis < shape.size(); ++axis) choices *= 3;
            for (std::size_t choice = 0; choice < choices; ++choice) {
                for (index_t const gap : {1, 2}) {
                    auto from = strides_in_order(shape, order, gap);
                    for (std::size_t axis = 0, code = choice; axis < static_cast<std::size_t>(shape.size());
                         ++axis, code /= 3) {
                        from[static_cast<index_t>(axis)] *= code % 3 == 0 ? 1 : code % 3 == 1 ? -1 : 0;
                    }
                    wrong += !copies({shape, detail::row_major_strides(shape), from});
                    if (wrong == 10) FAIL("ten of them are wrong");
                }
            }
        } while (std::next_permutation(order.begin(), order.end()));
    }
    CHECK(wrong == 0);
}

TEST_CASE("copy writes into every permutation with gaps and leaves the gaps alone", "[traverse]") {
    std::size_t wrong = 0;
    index_list const shape = {2, 3, 4, 2};
    index_list to = {0, 1, 2, 3};
    do {
        index_list from = {0, 1, 2, 3};
        do {
            auto written = strides_in_order(shape, to, 2);
            written[0] *= -1;
            wrong += !copies({shape, written, strides_in_order(shape, from, 1)});
            wrong += !copies({shape, strides_in_order(shape, to, 1), strides_in_order(shape, from, 3)});
        } while (std::next_permutation(from.begin(), from.end()));
    } while (std::next_permutation(to.begin(), to.end()));
    CHECK(wrong == 0);
}

TEST_CASE("copy is right around the edges of its tiles", "[traverse]") {
    std::size_t wrong = 0;
    for (index_t const rows : {1, 2, 31, 32, 33, 64, 65}) {
        for (index_t const columns : {1, 2, 31, 32, 33, 64, 65}) {
            index_list const shape = {rows, columns};
            wrong += !copies({shape, {columns, 1}, {columns, 1}});
            wrong += !copies({shape, {columns, 1}, {1, rows}});
            wrong += !copies({shape, {1, rows}, {columns, 1}});
            wrong += !copies({shape, {1, rows}, {1, rows}});
            wrong += !copies({shape, {columns, 1}, {-1, 2 * rows}});
            wrong += !copies({shape, {columns + 3, 1}, {columns + 5, 1}});
        }
    }
    // Channels last to channels first, and back.
    wrong += !copies({{2, 33, 5, 7}, {1155, 35, 7, 1}, {1155, 1, 231, 33}});
    wrong += !copies({{2, 5, 7, 33}, {1155, 231, 33, 1}, {1155, 7, 1, 35}});
    CHECK(wrong == 0);
}

TEST_CASE("copy of no elements touches nothing, copy of rank 0 moves one", "[traverse]") {
    for (auto const& shape :
         {index_list{0}, index_list{2, 0}, index_list{0, 2}, index_list{2, 0, 3}, index_list{0, 0}}) {
        auto const strides = index_list::filled(shape.size(), 1);
        int* const nowhere = nullptr;
        detail::copy(nowhere, nowhere, tandem{shape, strides, strides});
        detail::copy_row_major(nowhere, nowhere, detail::row_major(shape));
    }
    int const one = 7;
    int found = 0;
    detail::copy(&found, &one, tandem{{}, {}, {}});
    CHECK(found == 7);
    detail::copy_row_major(&found, &one, layout{index_list::filled(16, 1), index_list::filled(16, 99)});
    CHECK(found == 7);
}

TEST_CASE("copy converts between element types", "[traverse]") {
    std::vector<std::int8_t> const bytes = {1, -2, 3, -4, 5, -6};
    std::vector<double> found(6);
    detail::copy(found.data(), bytes.data(), tandem{{3, 2}, {2, 1}, {1, 3}});
    CHECK(found == std::vector<double>{1, -4, -2, 5, 3, -6});
}

TEST_CASE("copy_row_major of a transposed layout", "[traverse]") {
    std::vector<float> const source = {1, 2, 3, 4, 5, 6};
    std::vector<float> found(6);
    detail::copy_row_major(found.data(), source.data(), layout{{3, 2}, {1, 3}});
    CHECK(found == std::vector<float>{1, 4, 2, 5, 3, 6});
    detail::copy_row_major(found.data(), source.data() + 5, layout{{2, 3}, {-3, -1}});
    CHECK(found == std::vector<float>{6, 5, 4, 3, 2, 1});
    detail::copy_row_major(found.data(), source.data(), layout{{2, 3}, {0, 1}});
    CHECK(found == std::vector<float>{1, 2, 3, 1, 2, 3});
}

TEST_CASE("the walk is at hand at compile time", "[traverse]") {
    STATIC_REQUIRE([] {
        index_t sum = 0;
        detail::for_each_offset(detail::collapse({{2, 3}, {3, 1}, {1, 2}}),
                                [&](index_t to, index_t from) { sum += to * from; });
        return sum;
    }() == 0 * 0 + 1 * 2 + 2 * 4 + 3 * 1 + 4 * 3 + 5 * 5);
}
