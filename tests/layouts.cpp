// Every subset of axes, in several spellings, x every order of the axes in memory, up to rank 4, with extents 0 and 1 among
// them: dense, reversed, stepped and broadcast input; new, strided and in-place output. Then ranks up to 16, drawn at random.
#include "catch.hpp"
#include "family.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using softax::array;
using softax::index_t;
using softax::view;
using namespace family;

namespace {

using shape_t = std::vector<index_t>;

/// How the axes of an array lie in memory.
struct arrangement {
    std::vector<std::size_t> order;  // of the axes, the outermost first
    index_t step = 1;                // between neighbours
    unsigned reversed = 0;           // axes with a negative stride, by bits
    unsigned broadcast = 0;          // axes with stride 0
};

/// An arrangement of a shape: strides, how much memory it takes and where in it the first element lies.
struct placement {
    shape_t strides;
    index_t extent = 1, first = 0;
};

placement place(shape_t const& shape, arrangement const& how) {
    placement p{shape_t(shape.size(), 0)};
    index_t stride = how.step;
    for (std::size_t k = shape.size(); k-- > 0;) {
        std::size_t const axis = how.order[k];
        if (how.broadcast >> axis & 1u) continue;
        bool const is_reversed = how.reversed >> axis & 1u;
        p.strides[axis] = is_reversed ? -stride : stride;
        index_t const span = shape[axis] > 0 ? (shape[axis] - 1) * stride : 0;
        p.extent += span;
        if (is_reversed) p.first += span;
        stride *= std::max(shape[axis], index_t{1});
    }
    return p;
}

template <class T>
T drawn(std::mt19937& random) {
    if constexpr (std::is_same_v<T, bool>)
        return random() % 2 == 0;
    else if constexpr (std::is_integral_v<T>)
        return static_cast<T>(random() % 12u);
    else {
        if (random() % 24 == 0) return T(-std::numeric_limits<float>::infinity());
        return T(static_cast<float>(random() % 2001) / 200 - 5);
    }
}

/// Memory around a placement, with 4 elements before and after it that belong to nobody.
template <class T>
struct block {
    static constexpr index_t margin = 4;
    array<T> memory;
    shape_t shape;
    placement where;

    block(shape_t const& s, arrangement const& how)
        : memory(softax::index_list(0), T{}), shape(s), where(place(s, how)) {
        memory = array<T>::uninitialized({where.extent + 2 * margin});
    }
    T* first() { return memory.data() + margin + where.first; }
    view<T> seen() { return view<T>(first(), shape, where.strides); }
};

std::string text_of(shape_t const& list) {
    std::string text;
    for (index_t const i : list) text += std::to_string(i) + " ";
    return text;
}

/// Where the elements lie, in row-major order, relative to the one with index (0, ..., 0).
std::vector<index_t> offsets(shape_t const& shape, shape_t const& strides) {
    std::vector<index_t> all = {0};
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        std::vector<index_t> longer;
        for (index_t const offset : all) {
            for (index_t i = 0; i < shape[axis]; ++i) longer.push_back(offset + i * strides[axis]);
        }
        all = longer;
    }
    return all;
}

/// Whether results are within the bounds of the table; if not, says where.
template <class R>
bool agrees(form f, R const* found, std::vector<index_t> const& at, std::vector<reference::expected> const& expected) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
        R const y = found[at[i]];
        if (reference::ulp_error(y, expected[i]) <= reference::bound<R>(f)) continue;
        UNSCOPED_INFO("element " << i << " is " << reference::exact(y) << " where " << expected[i].value
                                 << " is right");
        return false;
    }
    return true;
}

/// Axes by bits, as a list.
std::vector<index_t> list_of(unsigned axes, std::size_t rank) {
    std::vector<index_t> list;
    for (std::size_t axis = 0; axis < rank; ++axis) {
        if (axes >> axis & 1u) list.push_back(static_cast<index_t>(axis));
    }
    return list;
}

shape_t result_shape(form f, shape_t const& shape, unsigned reduced) {
    if (f != form::logsumexp) return shape;
    shape_t kept;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (!(reduced >> axis & 1u)) kept.push_back(shape[axis]);
    }
    return kept;
}

arrangement plain(std::size_t rank) {
    arrangement how;
    how.order.resize(rank);
    std::iota(how.order.begin(), how.order.end(), std::size_t{0});
    return how;
}

/// One input, axes and function: into a new array, into strided memory, and in place where the input may be written.
template <class T>
void check(form f, shape_t const& shape, arrangement const& how, unsigned reduced, std::mt19937& random) {
    using r = softax::result_type<T>;
    block<T> in(shape, how);
    for (T& x : in.memory) x = drawn<T>(random);
    auto const before = in.memory;
    auto const expected = reference::family(f, static_cast<T const*>(in.first()), shape, in.where.strides, reduced);
    softax::axes const over(list_of(reduced, shape.size()));
    auto const wrong = [&](char const* what) {
        FAIL(what << ": " << name_of(f) << " of " << name_of_type<T>() << ", shape " << text_of(shape) << "strides "
                  << text_of(in.where.strides) << "axes " << text_of(list_of(reduced, shape.size())));
    };

    auto const y = run<T>(f, in.seen(), over);
    shape_t const out_shape = result_shape(f, shape, reduced);
    if (y.shape() != softax::index_list(out_shape)) wrong("shape");
    auto const dense = offsets({y.size()}, {1});
    if (dense.size() != expected.size() || !agrees(f, y.data(), dense, expected)) wrong("new array");
    bool const is_untouched =
        std::equal(before.begin(), before.end(), in.memory.begin(), [](T a, T b) { return bits_of(a) == bits_of(b); });
    if (!is_untouched) wrong("input modified");

    // Strided out: axes in the opposite order, every third element, the first axis reversed; the gaps stay as they are.
    arrangement opposite = plain(out_shape.size());
    std::reverse(opposite.order.begin(), opposite.order.end());
    opposite.step = 3, opposite.reversed = 1;
    block<r> out(out_shape, opposite);
    std::fill(out.memory.begin(), out.memory.end(), r{123.0f});
    run_into<T>(f, out.seen(), in.seen(), over);
    auto const out_at = offsets(out_shape, out.where.strides);
    if (!agrees<r>(f, out.first(), out_at, expected)) wrong("strided out");
    for (std::size_t i = 0; i < out_at.size(); ++i) {
        r& found = out.first()[out_at[i]];
        if (bits_of(found) != bits_of(y.data()[i])) wrong("strided out has other bits");
        found = r{123.0f};
    }
    bool const gaps_stay = std::all_of(out.memory.begin(), out.memory.end(), [](r x) { return x == r{123.0f}; });
    if (!gaps_stay) wrong("wrote outside of out");

    if constexpr (std::is_same_v<T, r>) {
        if (f == form::logsumexp || how.broadcast != 0) return;
        run_into<T>(f, in.seen(), in.seen(), over);
        auto const in_at = offsets(shape, in.where.strides);
        if (!agrees<r>(f, in.first(), in_at, expected)) wrong("in place");
        auto rest = before;
        for (std::size_t i = 0; i < in_at.size(); ++i) {
            r& found = in.first()[in_at[i]];
            if (bits_of(found) != bits_of(y.data()[i])) wrong("in place has other bits");
            found = rest(block<T>::margin + in.where.first + in_at[i]);
        }
        bool const others_stay =
            std::equal(rest.begin(), rest.end(), in.memory.begin(), [](T a, T b) { return bits_of(a) == bits_of(b); });
        if (!others_stay) wrong("wrote outside, in place");
    }
}

/// Every subset of axes x every order of the axes x dense, reversed, stepped and broadcast x the family.
template <class T>
void check_all(std::vector<shape_t> const& shapes) {
    std::mt19937 random(3);
    for (auto const& shape : shapes) {
        auto const all = static_cast<unsigned>((1u << shape.size()) - 1u);
        arrangement how = plain(shape.size());
        do {
            for (unsigned reduced = 0; reduced <= all; ++reduced) {
                // The signs and the broadcast axes run through all subsets as the loops go.
                unsigned const some = static_cast<unsigned>(random()) & all;
                for (form const f : forms) {
                    check<T>(f, shape, {how.order}, reduced, random);
                    check<T>(f, shape, {how.order, 1, all}, reduced, random);
                    check<T>(f, shape, {how.order, 2, some}, reduced, random);
                    check<T>(f, shape, {how.order, 1, 0, some}, reduced, random);
                }
            }
        } while (std::next_permutation(how.order.begin(), how.order.end()));
    }
    SUCCEED();
}

TEST_CASE("every subset of axes x every order in memory, rank 0 to 3", "[layouts]") {
    check_all<float>({{}, {0}, {1}, {2}, {19}, {64}});
    check_all<float>({{1, 1}, {3, 0}, {0, 3}, {1, 5}, {5, 1}, {3, 4}, {17, 9}, {2, 33}});
    check_all<float>({{2, 3, 4}, {3, 1, 5}, {1, 4, 3}, {2, 0, 3}, {4, 2, 1}, {1, 1, 1}, {5, 9, 2}, {2, 2, 17}});
}

TEST_CASE("every subset of axes x every order in memory, rank 4", "[layouts]") {
    check_all<float>({{2, 3, 4, 5}, {3, 1, 2, 4}, {1, 3, 1, 2}, {2, 0, 3, 1}});
    if (!is_slow_build) check_all<float>({{3, 2, 5, 4}, {1, 1, 5, 3}, {2, 9, 1, 3}, {4, 2, 3, 1}, {2, 2, 2, 9}});
}

TEMPLATE_TEST_CASE("the other element types", "[layouts]", double, softax::half, softax::bfloat16, bool, std::int64_t) {
    check_all<TestType>({{}, {7}, {4, 5}, {2, 0, 3}, {3, 1, 5}, {2, 3, 4}, {2, 9, 3}});
}

TEST_CASE("spellings of the same axes give the same bits", "[layouts]") {
    std::mt19937 random(5);
    for (shape_t const& shape : {shape_t{7}, {3, 5}, {2, 3, 4}, {2, 3, 1, 5}, {2, 0, 3, 2}}) {
        auto const rank = static_cast<index_t>(shape.size());
        auto a = array<float>::uninitialized(shape);
        for (float& x : a) x = drawn<float>(random);
        for (unsigned reduced = 0; reduced >> rank == 0; ++reduced) {
            auto list = list_of(reduced, shape.size());
            for (form const f : forms) {
                auto const y = run<float>(f, a, list);
                auto const same = [&](softax::axes const& over) {
                    auto const z = run<float>(f, a, over);
                    bool const is_same =
                        y.shape() == z.shape() && std::equal(y.begin(), y.end(), z.begin(),
                                                             [](float p, float q) { return bits_of(p) == bits_of(q); });
                    if (!is_same) FAIL(name_of(f) << " of shape " << text_of(shape) << "axes " << text_of(list));
                };
                if (reduced + 1u == 1u << rank) same(softax::all_axes);
                if (list.size() == 1) same(list[0]), same(list[0] - rank), same(static_cast<std::uint8_t>(list[0]));
                std::vector<std::size_t> const unsigned_list(list.begin(), list.end());
                same(unsigned_list);
                if (list.size() == 2) same(std::array<std::size_t, 2>{unsigned_list[1], unsigned_list[0]});
                if (list.size() == 3)
                    same(std::array<std::size_t, 3>{unsigned_list[1], unsigned_list[2], unsigned_list[0]});
                auto shuffled = list;
                do {
                    same(std::vector<int>(shuffled.begin(), shuffled.end()));
                    for (unsigned negative = 1; negative >> shuffled.size() == 0; ++negative) {
                        auto mixed = shuffled;
                        for (std::size_t k = 0; k < mixed.size(); ++k) mixed[k] -= negative >> k & 1u ? rank : 0;
                        same(std::vector<std::int64_t>(mixed.begin(), mixed.end()));
                    }
                } while (std::next_permutation(shuffled.begin(), shuffled.end()));
            }
        }
    }
    SUCCEED();
}

TEST_CASE("ranks up to 16", "[layouts]") {
    std::mt19937 random(7);
    for (int round = 0; round < (is_slow_build ? 150 : 600); ++round) {
        std::size_t const rank = 5 + random() % 12;
        shape_t shape(rank, 1);
        index_t size = 1;
        for (index_t& extent : shape) {
            extent = static_cast<index_t>(random() % 4);
            if (extent == 0 && random() % 8 != 0) extent = 1;  // an extent of 0 leaves little to see
            if (size * extent > 1500) extent = 1;
            size *= std::max(extent, index_t{1});
        }
        arrangement how = plain(rank);
        std::shuffle(how.order.begin(), how.order.end(), random);
        how.step = 1 + static_cast<index_t>(random() % 2);
        how.reversed = static_cast<unsigned>(random() & random());
        how.broadcast = random() % 4 == 0 ? static_cast<unsigned>(random() & random() & random()) : 0;
        unsigned const reduced = static_cast<unsigned>(random()) & ((1u << rank) - 1u);
        for (form const f : forms) check<float>(f, shape, how, reduced, random);
    }
    SUCCEED();
}

TEST_CASE("long strides", "[layouts]") {
    // Panels and rows that lie far apart, at powers of two and beside them.
    std::mt19937 random(9);
    for (index_t const far : {255, 256, 257, 1024}) {
        for (form const f : forms) {
            for (unsigned const reduced : {1u, 2u, 4u, 5u, 3u, 6u}) {
                check<float>(f, {3, 5, 2}, {{1, 0, 2}, far}, reduced, random);
                check<float>(f, {2, 17, 3}, {{2, 1, 0}, far}, reduced, random);
            }
        }
    }
    SUCCEED();
}

}  // namespace
