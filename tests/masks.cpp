// A mask is -inf in its place, to the bit: in every kernel, whatever the strides of the mask, at any length. Nothing outside of
// the mask is read (the sanitized build sees that, masks end where their memory ends) and nothing outside of out is written.
#include "catch.hpp"
#include "family.hpp"
#include "registers.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

using softax::array;
using softax::index_list;
using softax::index_t;
using softax::view;
using namespace family;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

std::vector<index_t> lengths() {
    if (is_slow_build) return {1, 2, 3, 5, 8, 10, 17, 40, 47, 48, 50, 65, 129, 513};
    std::vector<index_t> all;
    for (index_t n = 1; n <= 70; ++n) all.push_back(n);
    all.insert(all.end(), {127, 128, 129, 511, 512, 513, 1000, 4097});
    return all;
}

/// (count, n) elements, some of them large; in every fifth row a NaN, in every seventh nothing but lowest, unless that is 0.
template <class T>
array<T> elements(index_t count, index_t n, std::mt19937& random, double lowest = -inf) {
    std::normal_distribution<float> draw(0, 4);
    auto a = array<T>::uninitialized({count, n});
    for (T& x : a) x = static_cast<T>(draw(random));
    if (lowest == 0) return a;
    for (index_t i = 0; i < count; i += 5) a(i, i % n) = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
    for (index_t i = 3; i < count; i += 7) std::fill_n(&a(i, 0), n, static_cast<T>(static_cast<float>(lowest)));
    return a;
}

/// Half of the elements, all of some rows, none of others.
array<bool> some_of(index_t count, index_t n, std::mt19937& random) {
    array<bool> where({count, n}, false);
    for (index_t i = 0; i < count; ++i) {
        auto const one_in = random() % 4;
        for (index_t j = 0; j < n; ++j) where(i, j) = one_in > 0 && random() % one_in == 0;
    }
    return where;
}

/// What rows give with a mask: those of the unmasked call on elements that -inf has taken the place of, or nothing at all where
/// nothing is left. With an extra logit something always is.
template <class T>
array<T> by_hand(form f, array<T> const& a, array<bool> const& where, double scale, double extra = -inf) {
    index_t const n = a.shape()[1];
    auto left_out = a;
    T const lowest = static_cast<T>(static_cast<float>(scale < 0 ? inf : -inf));
    for (index_t i = 0; i < a.size(); ++i) {
        if (!where.data()[i]) left_out.data()[i] = lowest;
    }
    auto y = run<T>(f, left_out, -1, softax::options{.scale = scale, .extra = extra});
    index_t const width = f == form::logsumexp ? 1 : n;
    for (index_t i = 0; i < a.shape()[0]; ++i) {
        bool const* const row = where.data() + i * n;
        T* const to = y.data() + i * width;
        T const nothing = f == form::softmax ? T(0) : static_cast<T>(static_cast<float>(-inf));
        bool const is_empty = std::none_of(row, row + n, [](bool b) { return b; });
        if (is_empty && (f != form::logsumexp || extra == -inf)) std::fill_n(to, width, nothing);
        for (index_t j = 0; j < n && f != form::logsumexp; ++j) {
            if (!row[j]) to[j] = nothing;
        }
    }
    return y;
}

template <class T>
void require_same(view<T const> const& expected, view<T const> const& found, std::string const& where) {
    REQUIRE(expected.shape() == found.shape());
    auto const a = array<T>(expected), b = array<T>(found);
    for (index_t i = 0; i < a.size(); ++i) {
        bool const are_nan = a.data()[i] != a.data()[i] && b.data()[i] != b.data()[i];
        if (!are_nan && bits_of(a.data()[i]) != bits_of(b.data()[i])) FAIL("element " << i << ": " << where);
    }
}

std::string text_of(form f, index_t n, double scale, char const* what, index_t number) {
    return std::string(name_of(f)) + ", n = " + std::to_string(n) + ", scale " + std::to_string(scale) + ", " + what +
           " " + std::to_string(number);
}

/// softmax and the others of a over axis, masked, into memory with guards on both sides.
template <class T>
array<softax::result_type<T>> guarded(form f, view<T const> const& a, index_t axis, softax::options const& o) {
    using Out = softax::result_type<T>;
    Out const guard = static_cast<Out>(77.0f);
    auto shape = a.shape();
    if (f == form::logsumexp) shape.erase(axis);
    index_t size = 1;
    for (index_t const extent : shape) size *= extent;
    std::vector<Out> out(static_cast<std::size_t>(size + 32), guard);
    run_into<T>(f, view<Out>(out.data() + 16, shape), a, axis, o);
    array<Out> const y(view<Out const>(out.data() + 16, shape));
    std::fill_n(out.begin() + 16, size, guard);
    REQUIRE(std::all_of(out.begin(), out.end(), [&](Out e) { return e == guard; }));
    return y;
}

TEMPLATE_TEST_CASE("rows and columns", "[masks]", float, double, softax::half, softax::bfloat16) {
    using T = TestType;
    std::mt19937 random(1);
    // With nothing infinite, or what is -inf once it is multiplied, groups of which nothing is left are found another way.
    constexpr double lowest[] = {-inf, 0, inf};
    for (index_t k = 0; index_t const n : lengths()) {
        ++k;
        for (index_t const count : {1, 2, 5, 16, 33, 70}) {
            if (count * n > 40000) continue;
            auto const a = elements<T>(count, n, random, lowest[(k + count) % 3]);
            auto const where = some_of(count, n, random);
            auto const a_columns = array<T>(view(a).transpose());
            auto const where_columns = array<bool>(view(where).transpose());
            for (double const scale : {1.0, -0.7}) {
                for (form const f : forms) {
                    auto const expected = by_hand(f, a, where, scale);
                    auto const is_same = [&](view<T const> const& x, view<bool const> const& mask, bool is_column,
                                             char const* what) {
                        auto const y = guarded<T>(f, x, is_column ? 0 : 1, {.scale = scale, .where = mask});
                        bool const turns = is_column && f != form::logsumexp;
                        require_same<T>(expected, turns ? view<T const>(y).transpose() : view<T const>(y),
                                        text_of(f, n, scale, what, count));
                    };
                    is_same(a, where, false, "rows");
                    is_same(a, view(where_columns).transpose(), false, "rows, mask of columns");
                    is_same(a_columns, where_columns, true, "columns");
                    is_same(a_columns, view(where).transpose(), true, "columns, mask of rows");
                    is_same(view(a_columns).transpose(), where, false, "transposed");
                }
            }
        }
    }
}

TEMPLATE_TEST_CASE("a row that is left by itself is not masked where it has no room", "[masks]", float, double) {
    // The bug: the last row of a thread, alone in its block, was masked on its way to the one result of logsumexp.
    using T = TestType;
    std::mt19937 random(3);
    auto const a = elements<T>(3001, 64, random);
    auto const where = some_of(3001, 64, random);
    for (form const f : forms) {
        auto const expected = by_hand(f, a, where, 1);
        auto const on = softax::stream(softax::device::cpu, 4);
        auto const y = guarded<T>(f, a, 1, {.where = view(where), .on = on});
        require_same<T>(expected, y, name_of(f));
    }
}

TEMPLATE_TEST_CASE("a long group of which nothing is left raises no floating-point exception", "[masks]", float,
                   double) {
    // The bug: its maximum is -inf, which was subtracted from itself; padded rows stopped programs that have such exceptions trapped.
    for (index_list const& shape : std::vector<index_list>{{50, 64}, {300, 50}, {1, 700}, {60, 1000}, {5, 3000}}) {
        array<TestType> const a(shape, TestType(1));
        array<bool> where(shape, true);
        for (index_t const axis : {0, 1}) {
            if (shape[axis] < 48) continue;
            for (index_t i = 0; i < where.size(); ++i) {
                index_t const group = axis == 0 ? i % shape[1] : i / shape[1];
                where.data()[i] = group % 3 != 0;
            }
            for (form const f : {form::softmax, form::log_softmax}) {
                INFO(name_of(f) << ", shape " << softax::detail::text_of(shape) << ", axis " << axis);
                CHECK(!family::is_raising([&] { run<TestType>(f, a, axis, softax::options{.where = view(where)}); }));
            }
        }
    }
}

TEMPLATE_TEST_CASE("elements of -inf raise no floating-point exception under a mask", "[masks]", float, double,
                   softax::half) {
    // The bug: large panels multiplied elements by 0 to see whether some are infinite.
    using T = TestType;
    for (index_list const& shape :
         std::vector<index_list>{{20000, 7}, {2000, 20}, {300, 64}, {16, 20000}, {3000, 500}, {1000, 33}, {5, 40000}}) {
        if (is_slow_build && shape[0] * shape[1] > 200000) continue;
        array<T> a(shape, T(1));
        array<bool> where(shape, true);
        for (index_t i = 1; i < a.size(); i += 9) a.data()[i] = static_cast<T>(static_cast<float>(-inf));
        for (index_t i = 2; i < a.size(); i += 4) where.data()[i] = false;
        for (index_t i = 0; i < shape[0]; ++i) a(i, i % shape[1]) = T(1), where(i, i % shape[1]) = true;
        for (index_t i = 0; i < shape[1]; ++i) a(i % shape[0], i) = T(1), where(i % shape[0], i) = true;
        for (index_t const axis : {0, 1}) {
            for (form const f : forms) {
                INFO(name_of(f) << ", shape " << softax::detail::text_of(shape) << ", axis " << axis);
                CHECK(!family::is_raising([&] { run<T>(f, a, axis, softax::options{.where = view(where)}); }));
            }
        }
    }
}

TEMPLATE_TEST_CASE("a group that the scale makes -inf is not one of which nothing is left", "[masks]", float, double) {
    // The bug: in large panels its elements, finite before the scale, were taken for a sign that nothing infinite is there.
    using T = TestType;
    for (index_list const& shape : std::vector<index_list>{{10, 70}, {60, 40}, {3000, 500}}) {
        array<T> a(shape, T(1));
        for (index_t i = 0; i < shape[0]; ++i) a(i, 3) = std::numeric_limits<T>::lowest();
        auto const rows = array<T>(view(a).transpose());
        array<bool> const where({shape[1], shape[0]}, true), where_columns(shape, true);
        for (form const f : forms) {
            INFO(name_of(f) << ", shape " << softax::detail::text_of(shape));
            softax::options const o = {.scale = 8, .where = view<bool const>(where_columns)};
            auto const y = run<T>(f, a, 0, o);
            auto const expected = by_hand(f, rows, where, 8);
            T const third = expected.data()[3 * (expected.size() / shape[1])];
            CHECK(third != third);
            require_same<T>(expected, f == form::logsumexp ? view<T const>(y) : view<T const>(y).transpose(),
                            name_of(f));
        }
    }
}

// What a mask says of narrow columns is read some rows at a time, and of the last of them too.
TEMPLATE_TEST_CASE("one element of -inf is left of a column, wherever it is", "[masks]", float, double, softax::half) {
    using T = TestType;
    for (index_t const n : {48, 63, 100, 300, 311, 1000}) {
        for (index_t const columns : {2, 3, 5, 8, 16, 31, 40}) {
            for (index_t const left : {index_t{0}, n / 2, n - 9, n - 2, n - 1}) {
                array<T> const a({n, columns}, static_cast<T>(-static_cast<float>(inf)));
                array<bool> where({n, columns}, false);
                where(left, columns / 2) = true;
                INFO(n << " x " << columns << ", row " << left);
                auto const y = softax::softmax(a, 0, {.where = where});
                auto const s = softax::logsumexp(a, 0, {.where = where});
                CHECK(std::isnan(static_cast<double>(y(left, columns / 2))));
                CHECK(static_cast<double>(y(left, 0)) == 0);
                CHECK(static_cast<double>(s(0)) == -inf);
            }
        }
    }
}

TEMPLATE_TEST_CASE("in place, and over joint axes", "[masks]", float, double, softax::half) {
    using T = TestType;
    std::mt19937 random(2);
    for (index_t const n : {6, 24, 48, 60, 129, 1000}) {
        index_t const count = 12;
        auto const a = elements<T>(count, n, random);
        auto const where = some_of(count, n, random);
        for (form const f : {form::softmax, form::log_softmax}) {
            auto const expected = by_hand(f, a, where, 1);
            auto y = a;
            run_into<T>(f, y, y, -1, softax::options{.where = where});
            require_same<T>(expected, y, text_of(f, n, 1, "rows in place", count));
            y = array<T>(view(a).transpose());
            run_into<T>(f, y, y, 0, softax::options{.where = view(where).transpose()});
            require_same<T>(expected, view(y).transpose(), text_of(f, n, 1, "columns in place", count));
            // (count, p, q) -> (p, count, q): the groups lie over axes 0 and 2.
            index_t const p = n % 3 == 0 ? 3 : 1;
            auto const x = array<T>(view(a).reshape({count, p, n / p}).permute({1, 0, 2}));
            auto const mask = view(where).reshape({count, p, n / p}).permute({1, 0, 2});
            auto const z = run<T>(f, x, {0, 2}, softax::options{.where = mask});
            auto const back = array<T>(view(z).permute({1, 0, 2}));
            require_same<T>(expected, view(back).reshape({count, n}), text_of(f, n, 1, "joint axes", count));
        }
    }
}

TEMPLATE_TEST_CASE("broadcast along groups, along elements, over batches", "[masks]", float, softax::half) {
    using T = TestType;
    std::mt19937 random(3);
    for (index_t const n : {3, 10, 40, 48, 65, 300}) {
        for (index_t const inner : {1, 2, 5, 16, 33, 300}) {
            if (is_slow_build && n * inner > 10000) continue;
            auto const a = elements<T>(4 * inner, n, random);                        // the groups as rows
            auto const x = array<T>(view(a).reshape({4, inner, n}).moveaxis(2, 1));  // (4, n, inner)
            for (softax::index_list const& shape :
                 {softax::index_list{n, inner}, {4, 1, inner}, {n, 1}, {4, n, 1}, {1, 1, 1}}) {
                array<bool> where(shape, false);
                for (bool& b : where) b = random() % 3 > 0;
                auto const full = array<bool>(view<bool const>(where).broadcast_to({4, n, inner}).moveaxis(1, 2));
                auto const rows = array<bool>(view(full).reshape({4 * inner, n}));
                for (double const extra : {-inf, 0.5}) {
                    for (form const f : forms) {
                        auto const expected = by_hand(f, a, rows, 1, extra);
                        auto const y = guarded<T>(f, x, 1, {.where = where, .extra = extra});
                        auto const text = text_of(f, n, 1, "inner extent", inner);
                        if (f == form::logsumexp) {
                            require_same<T>(expected, view(y).reshape({4 * inner}), text);
                        } else {
                            auto const back = array<T>(view(y).moveaxis(1, 2));
                            require_same<T>(expected, view(back).reshape({4 * inner, n}), text);
                        }
                    }
                }
            }
        }
    }
}

TEMPLATE_TEST_CASE("narrow inner extents, whichever axis the mask runs along", "[masks]", float, double, softax::half) {
    using T = TestType;
    std::mt19937 random(6);
    for (index_t const n : {3, 40, 60, 130}) {
        for (index_t const inner : {2, 4, 17}) {
            index_t const outer = 70;
            auto const a = elements<T>(outer * inner, n, random);
            auto const where = some_of(outer * inner, n, random);
            auto const x = array<T>(view(a).reshape({outer, inner, n}).moveaxis(2, 1));
            auto const mask = view(where).reshape({outer, inner, n}).moveaxis(2, 1);
            auto const along_inner = array<bool>(mask), along_outer = array<bool>(mask.permute({1, 2, 0}));
            for (auto const& seen : {view<bool const>(along_inner), view<bool const>(along_outer).permute({2, 0, 1})}) {
                for (form const f : {form::softmax, form::log_softmax}) {
                    auto const y = guarded<T>(f, x, 1, {.where = seen});
                    auto const back = array<T>(view(y).moveaxis(1, 2));
                    auto const expected = by_hand(f, a, where, 1);
                    require_same<T>(expected, view(back).reshape({outer * inner, n}),
                                    text_of(f, n, 1, "inner extent", inner));
                }
            }
        }
    }
}

// Small integers are the floats that they are; others are those of their difference from the largest that the mask leaves, or from
// the least where the scale is negative.
TEMPLATE_TEST_CASE("integers, in any order in memory", "[masks]", bool, std::int16_t, std::uint32_t, std::int64_t) {
    using In = TestType;
    std::mt19937 random(7);
    constexpr bool is_wide = sizeof(In) > 2;
    In const base = is_wide ? static_cast<In>(std::numeric_limits<In>::max() - 100) : In(0);
    for (index_t const n : {3, 10, 17, 40, 48, 60, 100}) {
        for (index_t const count : {1, 5, 16, 33, 80}) {
            for (double const scale : {0.3, -0.3}) {
                auto a = array<In>::uninitialized({count, n});
                for (In& x : a) x = static_cast<In>(static_cast<std::uint64_t>(base) + random() % (is_wide ? 100 : 2));
                auto const where = some_of(count, n, random);
                for (bool const is_masked : {false, true}) {
                    auto less = array<float>::uninitialized({count, n});
                    for (index_t i = 0; i < count; ++i) {
                        std::vector<In> left;
                        for (index_t j = 0; j < n; ++j) {
                            if (is_wide && (!is_masked || where(i, j))) left.push_back(a(i, j));
                        }
                        auto const [least, largest] = std::minmax_element(left.begin(), left.end());
                        In const origin = left.empty() ? In(0) : scale < 0 ? *least : *largest;
                        for (index_t j = 0; j < n; ++j) {
                            bool const is_above = a(i, j) >= origin;
                            auto const gap = is_above ? a(i, j) - origin : origin - a(i, j);
                            less(i, j) = is_above ? static_cast<float>(gap) : -static_cast<float>(gap);
                        }
                    }
                    auto const all = array<bool>({count, n}, true);
                    auto const& live = is_masked ? where : all;
                    auto const columns = array<In>(view(a).transpose());
                    auto const live_columns = array<bool>(view(live).transpose());
                    auto const pairs = array<In>(view(a).reshape({count, n, 1}).broadcast_to({count, n, 2}));
                    auto const live_pairs = array<bool>(view(live).reshape({count, n, 1}).broadcast_to({count, n, 2}));
                    for (form const f : {form::softmax, form::log_softmax}) {
                        auto const expected = by_hand(f, less, live, scale);
                        auto const check = [&](view<In const> const& x, index_t axis, view<bool const> const& mask,
                                               char const* what) {
                            softax::options o = {.scale = scale};
                            if (is_masked) o.where = mask;
                            auto const y = guarded<In>(f, x, axis, o);
                            auto const rows = y.rank() == 3
                                                  ? view<float const>(y).slice(2, {.start = 1}).reshape({count, n})
                                              : axis == 0 ? view<float const>(y).transpose()
                                                          : view<float const>(y);
                            require_same<float>(expected, rows, text_of(f, n, scale, what, count));
                        };
                        check(a, 1, live, "rows");
                        check(a, 1, view<bool const>(live_columns).transpose(), "rows, mask of columns");
                        check(columns, 0, live_columns, "columns");
                        check(view<In const>(columns).transpose(), 1, live, "transposed");
                        check(pairs, 1, live_pairs, "pairs");
                    }
                }
            }
        }
    }
}

TEST_CASE("rows too long to wait in cache", "[masks]") {
    std::mt19937 random(4);
    for (index_t const n : {32768, 32769, 70000}) {
        auto const a = elements<float>(6, n, random);
        auto const where = some_of(6, n, random);
        for (form const f : forms) {
            auto const expected = by_hand(f, a, where, 1);
            auto const found = guarded<float>(f, a, 1, {.where = where});
            require_same<float>(expected, found, text_of(f, n, 1, "rows", 6));
            if (f == form::logsumexp) continue;
            auto y = a;
            run_into<float>(f, y, y, 1, softax::options{.where = where});
            require_same<float>(expected, y, text_of(f, n, 1, "rows in place", 6));
        }
    }
}

// logsumexp has no place where one could wait masked; one of 65,536 and more elements has several threads.
TEMPLATE_TEST_CASE("a row by itself", "[masks]", float, double) {
    using T = TestType;
    softax::stream const three(softax::device::cpu, 3);
    std::mt19937 random(6);
    for (index_t const n : {48, 63, 64, 100, 513, 1000, 32769, 70000}) {
        if (is_slow_build && n > 40000) continue;
        auto const a = elements<T>(6, n, random);
        auto where = some_of(6, n, random);
        std::fill_n(&where(5, 0), n, false);
        for (softax::options o : {softax::options{}, {.scale = 0.3}, {.scale = -2}, {.extra = 0.5}}) {
            for (form const f : forms) {
                auto const expected = by_hand(f, a, where, o.scale, o.extra);
                for (index_t i = 0; i < 6; ++i) {
                    view<T const> const row(a.data() + i * n, {n});
                    o.where = view<bool const>(where.data() + i * n, {n});
                    array<T> const right = f == form::logsumexp ? array<T>::scalar(expected(i))
                                                                : array<T>(view<T const>(expected.data() + i * n, {n}));
                    o.on = std::nullopt;
                    auto const alone = run<T>(f, row, -1, o);
                    require_same<T>(right, alone, text_of(f, n, o.scale, "alone, row", i));
                    o.on = three;
                    auto const shared = run<T>(f, row, -1, o);
                    require_same<T>(right, shared, text_of(f, n, o.scale, "on three threads, row", i));
                }
            }
        }
    }
}

// However a mask lies, it says what its copy says, on three threads too.
template <class T>
void require_same_as_copy(array<T> const& a, view<bool const> const& mask, index_list const& axes) {
    auto const on = softax::stream(softax::device::cpu, 3);
    auto const where = mask.broadcast_to(a.shape());
    array<bool> const copy(where);
    for (form const f : forms) {
        for (double const extra : {-inf, 0.5}) {
            std::string const what = std::string(name_of(f)) + ", shape " + softax::detail::text_of(a.shape()) +
                                     ", mask " + softax::detail::text_of(mask.shape()) + " of strides " +
                                     softax::detail::text_of(where.strides()) + ", axes " +
                                     softax::detail::text_of(axes);
            auto const expected = run<T>(f, a, axes, softax::options{.where = copy, .extra = extra});
            auto const y = run<T>(f, a, axes, softax::options{.where = where, .extra = extra});
            require_same<softax::result_type<T>>(expected, y, what);
            auto const by_three = run<T>(f, a, axes, softax::options{.where = where, .extra = extra, .on = on});
            require_same<softax::result_type<T>>(expected, by_three, what + ", on three threads");
        }
    }
}

/// Elements of any shape, some of them -inf or NaN.
template <class T>
array<T> elements_of(index_list const& shape, std::mt19937& random) {
    auto a = array<T>::uninitialized(shape);
    for (T& x : a) x = static_cast<T>(static_cast<float>(random() % 64) / (std::is_integral_v<T> ? 1.0f : 4.0f));
    if constexpr (!std::is_integral_v<T>) {
        for (index_t i = 5; i < a.size(); i += 37) a.data()[i] = static_cast<T>(static_cast<float>(-inf));
        for (index_t i = 7; i < a.size(); i += 301)
            a.data()[i] = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
    }
    return a;
}

// Of steps, of one of two axes, transposed in tiles of one or several axes. Of 33 rows of 961 halves, the last block of columns once was
// one of one column, less than a packet: memory was read and written before it.
TEMPLATE_TEST_CASE("a mask that lies otherwise than the elements", "[masks]", float, double, softax::half,
                   std::int64_t) {
    using T = TestType;
    struct lie {
        index_list shape, mask, axes;
    };
    std::vector<lie> const lies = {{{9, 60, 20}, {9, 60, 1}, {1}},
                                   {{9, 60, 70}, {60, 1}, {1}},
                                   {{5, 10, 70}, {5, 10, 1}, {1}},
                                   {{5, 10, 6}, {5, 10, 1}, {1}},
                                   {{5, 100, 6}, {100, 1}, {1}},
                                   {{2, 50, 60, 8}, {2, 1, 60, 1}, {2}},
                                   {{2, 50, 60, 8}, {50, 60, 1}, {2}},
                                   {{40, 10}, {40, 1}, {1}},
                                   {{300, 17}, {17}, {1}},
                                   {{20, 6, 10}, {20, 6, 1}, {1, 2}},
                                   {{20, 6, 10}, {20, 1, 10}, {1, 2}},
                                   {{20, 4, 7}, {20, 1, 7}, {1, 2}},
                                   {{20, 6, 10}, {6, 1}, {0, 1, 2}},
                                   {{7, 9, 30}, {7, 1, 1}, {1}},
                                   {{3, 4, 50, 20}, {1, 4, 50, 1}, {1, 2}},
                                   {{3, 4, 50, 20}, {3, 1, 50, 1}, {1, 2}},
                                   {{400, 200}, {400, 1}, {1}},
                                   {{10, 5000}, {10, 1}, {0}},
                                   {{100, 700}, {100, 1}, {0}},
                                   {{33, 961}, {33, 1}, {0}},
                                   {{6, 70, 50}, {6, 1, 50}, {1, 2}},
                                   {{3, 20, 70, 8}, {3, 20, 70, 1}, {1, 2, 3}},
                                   {{40, 6, 16}, {40, 1, 16}, {1}},
                                   {{300, 3}, {300, 1}, {0}},
                                   {{128, 2, 2, 2}, {128, 2, 1, 2}, {0, 1}},
                                   {{50, 2, 2}, {50, 1, 2}, {0}},
                                   {{60, 3, 5}, {60, 1, 5}, {0, 1, 2}},
                                   {{20, 70, 2}, {20, 70, 2}, {0}},
                                   {{1, 25, 90}, {1, 25, 90}, {0}},
                                   {{2000, 30}, {30}, {1}}};
    std::mt19937 random(11);
    for (auto const& [shape, mask, axes] : lies) {
        if (is_slow_build && !std::is_same_v<T, float> && softax::detail::size_of(shape) > 32000) continue;
        auto const a = elements_of<T>(shape, random);
        array<bool> small(mask, true);
        for (bool& b : small) b = random() % 3 != 0;
        array<bool> const copy(view<bool const>(small).broadcast_to(shape));
        array<bool> const turned(view<bool const>(copy).transpose());
        require_same_as_copy<T>(a, small, axes);
        require_same_as_copy<T>(a, view<bool const>(turned).transpose(), axes);
    }
}

// What a mask says of one long group is read where it lies in long runs, a chunk where two meet moved, and moved a piece at a time where
// runs are short, as a whole where its neighbours are far apart. The bug: three threads took as long as one.
TEMPLATE_TEST_CASE("a long row whose mask lies otherwise", "[masks]", float, double) {
    using T = TestType;
    struct lie {
        index_list shape, mask, axes;
    };
    std::vector<lie> lies = {{{60, 1200}, {1200}, {0, 1}},
                             {{60, 1200}, {60, 1}, {0, 1}},
                             {{60, 1200}, {1, 1}, {0, 1}},
                             {{2200, 30}, {30}, {0, 1}},
                             {{2, 30, 2, 1100}, {2, 30, 1, 1100}, {1, 2, 3}},
                             {{2, 30, 2200}, {30, 1}, {1, 2}}};
    if (is_slow_build) {
        lies.resize(1);
    } else if (sizeof(T) == 4) {
        lies.push_back({{1100, 3904}, {3904}, {0, 1}});  // exponentials are computed twice
    }
    std::mt19937 random(19);
    for (auto const& [shape, mask, axes] : lies) {
        auto a = elements<T>(1, softax::detail::size_of(shape), random, 0).reshaped(shape);
        for (double const lowest : {0.0, -inf, std::numeric_limits<double>::quiet_NaN()}) {
            if (lowest == -inf) std::fill_n(a.data(), a.size(), static_cast<T>(-inf));
            if (lowest != lowest) a.data()[a.size() / 2] = static_cast<T>(lowest);
            for (int const one_in : {3, 0, 1}) {
                if (is_slow_build && one_in == 1) continue;
                array<bool> small(mask, true);
                for (bool& b : small) b = one_in > 0 && random() % one_in == 0;
                array<bool> const copy(view<bool const>(small).broadcast_to(shape));
                array<bool> const turned(view<bool const>(copy).transpose());
                require_same_as_copy<T>(a, small, axes);
                require_same_as_copy<T>(a, view<bool const>(turned).transpose(), axes);
            }
        }
    }
}

// The bug: rows that are moved first, and whose exponentials are computed twice, were NaN where the mask leaves out, if they were elsewhere
// or nothing was left.
TEST_CASE("the longest rows, moved", "[masks]") {
    if (is_slow_build) return;
    index_list const shape = {1024, 4096};
    array<float> a(shape, 1.0f);
    array<bool> where(shape, true);
    for (index_t i = 0; i < where.size(); i += 2) where.data()[i] = false;
    auto const left_out = [](auto const& y, bool const* mask) {
        return std::all_of(y.begin(), y.end(), [&](float r) { return *mask++ || r == 0; });
    };
    auto const turned = view<bool const>(where).transpose();
    array<bool> const copy(turned);
    a(3, 5) = std::numeric_limits<float>::quiet_NaN();
    auto const y = softax::softmax(view<float const>(a).transpose(), softax::all_axes, {.where = turned});
    CHECK(left_out(y, copy.data()));
    CHECK(std::isnan(y(7, 0)));
    std::fill_n(where.data(), where.size(), false);
    CHECK(left_out(softax::softmax(array<std::int32_t>(shape, 1), softax::all_axes, {.where = where}), where.data()));
}

// The bytes of few rows come in turn in the other memory, alone or some at a time, the last packet of which overlaps the one before.
TEST_CASE("a mask of which few rows are columns", "[masks]") {
    std::mt19937 random(17);
    for (index_t rows = 2; rows <= 8; ++rows) {
        for (index_t const unit : {1, 2, 3, 4, 8, 16}) {
            for (index_t const n : {2, 7, 16, 17, 31, 100}) {
                for (index_list const& shape : {index_list{n, rows, unit}, index_list{rows, n, unit}}) {
                    array<bool> mask({shape[1], shape[0], unit}, true);
                    for (bool& b : mask) b = random() % 3 != 0;
                    auto const turned = view<bool const>(mask).permute({1, 0, 2});
                    for (index_list const& axes : {index_list{0}, index_list{1, 2}})
                        require_same_as_copy<float>(elements_of<float>(shape, random), turned, axes);
                }
            }
        }
    }
}

// Of many rows what a line of the mask says is kept as bits. Some have rows that end within 16, columns that end within 64, or 8; batches
// that share a mask begin it anew.
TEST_CASE("a large mask whose columns are in runs", "[masks]") {
    struct lie {
        index_list shape, mask;
    };
    std::vector<lie> all = {{{1031, 1021}, {1021, 1031}},
                            {{130, 8200}, {8200, 130}},
                            {{16500, 65}, {65, 16500}},
                            {{2, 1300, 900}, {1, 900, 1300}},
                            {{3, 601, 1800}, {3, 1800, 601}}};
    if (is_slow_build) all.resize(1);
    std::mt19937 random(29);
    for (auto const& [shape, stored] : all) {
        array<bool> mask(stored, true);
        for (bool& b : mask) b = random() % 3 != 0;
        index_t const last = shape.size() - 1;
        index_list order = {0, 1, 2};
        if (last == 1) order.erase(2);
        std::swap(order[last - 1], order[last]);
        auto const turned = view<bool const>(mask).permute(order);
        auto const a = elements_of<float>(shape, random);
        for (index_t const axis : {last, last - 1}) {
            if (axis == last || !is_slow_build) require_same_as_copy<float>(a, turned, {axis});
        }
    }
}

// Neighbours in the mask along a part of the inner axis, or outside of an axis that is one with it, of which more are moved than a block
// has.
TEST_CASE("a mask whose neighbours lie along several axes", "[masks]") {
    struct lie {
        index_list shape, order, axes;
    };
    std::vector<lie> all = {{{300, 30, 40}, {0, 2, 1}, {0}},
                            {{20, 30, 4, 64}, {3, 2, 1, 0}, {1}},
                            {{6, 40, 3, 50}, {2, 3, 1, 0}, {1}},
                            {{70, 4, 200}, {2, 1, 0}, {2}}};
    for (index_t const n : {2, 3, 4, 5, 7, 8, 12})
        all.push_back({{40, 12, n}, {1, 0, 2}, {0}});  // runs of words, or less
    // The bug: a few bytes that are one run in the mask, in another order, were moved as one.
    for (index_t const n : {2, 3, 4}) {
        for (index_list const& over : {index_list{}, index_list{0}, index_list{1}, index_list{3}, index_list{1, 3}})
            all.push_back({{24, 63, n, 2}, {1, 0, 3, 2}, over});
    }
    // Rows of up to 64 bytes, close in the mask, the last of which have nothing behind them.
    for (index_t n = 2; n <= 32; n += n < 9 ? 1 : 7) {
        for (index_t const rows : {8, 21}) {
            for (index_t const m : {64 / n, (64 / n + 1) / 2}) all.push_back({{rows, n, m}, {0, 2, 1}, {2}});
            all.push_back({{3, rows, 2, n, 2}, {1, 0, 4, 3, 2}, {1, 4}});
        }
    }
    std::mt19937 random(19);
    for (auto const& [shape, order, axes] : all) {
        index_list stored = shape, back = order;
        for (index_t k = 0; k < order.size(); ++k) stored[k] = shape[order[k]], back[order[k]] = k;
        array<bool> mask(stored, true);
        for (bool& b : mask) b = random() % 3 != 0;
        require_same_as_copy<float>(elements_of<float>(shape, random), view<bool const>(mask).permute(back), axes);
    }
}

// Runs shorter than packets are moved whole where the next ones write over what is too much. Where a mask is the same for a run, or for
// all of them, it has fewer bytes than a packet reads. The same elements in one run, or side by side, give the same bits.
TEMPLATE_TEST_CASE("groups in pieces of any length", "[masks]", float, double, softax::half, std::int32_t) {
    using T = TestType;
    using Y = softax::result_type<T>;
    std::mt19937 random(23);
    for (index_t n = 1; n <= (is_slow_build ? 5 : 18); ++n) {
        for (auto const& extents : {index_list{40, 3}, index_list{9, 20}, index_list{3, 2}}) {
            index_t const rows = extents[0], groups = extents[1];
            auto const a = elements_of<T>({rows, groups, n}, random);
            array<T> const moved(view<T const>(a).permute({1, 0, 2}));
            for (index_list const& stored : {index_list{rows, groups, n}, index_list{1, 1, n}, index_list{rows, 1, 1},
                                             index_list{1, groups, n}, index_list{rows, groups, 1}}) {
                array<bool> mask(stored, true);
                for (bool& b : mask) b = random() % 3 != 0;
                auto const where = view<bool const>(mask).broadcast_to(a.shape());
                array<bool> const moved_mask(where.permute({1, 0, 2}));
                for (form const f : {form::softmax, form::log_softmax}) {
                    auto const what = std::string(name_of(f)) + ", shape " + softax::detail::text_of(a.shape()) +
                                      ", mask " + softax::detail::text_of(stored);
                    auto const expected = run<T>(f, moved, {1, 2}, softax::options{.where = moved_mask});
                    auto const y = run<T>(f, a, {0, 2}, softax::options{.where = where});
                    require_same<Y>(expected, view<Y const>(y).permute({1, 0, 2}), what);
                    auto const whole = run<T>(f, a, {0, 2}, softax::options{});
                    auto const whole_moved = run<T>(f, moved, {1, 2}, softax::options{});
                    require_same<Y>(whole_moved, view<Y const>(whole).permute({1, 0, 2}), what);
                }
            }
        }
    }
}

// Short pieces are masked in the runs that they make up, some of which are moved a cache line apart. The bug: of two axes with one stride
// both lay in the same place then.
TEST_CASE("groups in pieces of overlapping windows, and of long runs", "[masks]") {
    std::mt19937 random(29);
    array<bool> shared({128, 2}, true);
    for (bool& b : shared) b = random() % 3 != 0;
    for (index_t const rows : {12, 30})
        require_same_as_copy<float>(elements_of<float>({rows, 128, 2}, random), shared, {0, 2});
    auto const a = elements_of<float>({360}, random);
    view<float const> const windows(a.data(), {3, 4, 30, 2}, {60, 60, 2, 1});
    array<float> const apart(windows);
    for (index_list const& stored : {index_list{3, 4, 30, 2}, index_list{4, 1, 2}, index_list{3, 1, 30, 1}}) {
        array<bool> mask(stored, true);
        for (bool& b : mask) b = random() % 3 != 0;
        softax::options const o{.where = view<bool const>(mask)};
        for (form const f : {form::softmax, form::log_softmax, form::logsumexp}) {
            auto const expected = run<float>(f, apart, {0, 1, 3}, o), y = run<float>(f, windows, {0, 1, 3}, o);
            require_same<float>(expected, y, softax::detail::text_of(stored));
        }
    }
}

// Where groups are transposed on their way, and answers are neighbours neither along them nor along their elements.
TEMPLATE_TEST_CASE("groups in pieces whose answers are apart", "[masks]", float, double, softax::half) {
    std::mt19937 random(31);
    for (index_list const& shape : {index_list{5, 70, 3, 30}, index_list{2, 130, 4, 13}, index_list{3, 9, 2, 100}}) {
        auto const a = elements_of<TestType>(shape, random);
        for (index_list const& kept : {index_list{1, 0, 1, 0}, index_list{0, 0, 1, 0}, index_list{0, 1, 1, 0},
                                       index_list{1, 0, 0, 0}, index_list{1, 1, 1, 0}}) {
            index_list stored = shape;
            for (index_t k = 0; k < 4; ++k) stored[k] = kept[k] == 0 ? 1 : shape[k];
            array<bool> mask(stored, true);
            for (bool& b : mask) b = random() % 3 != 0;
            require_same_as_copy<TestType>(a, mask, {0, 2});
        }
    }
}

// Axes that are one but for the mask are worked on as one; what it says of them is gathered from boxes of it.
TEMPLATE_TEST_CASE("a mask that is broadcast along any axes, in any order", "[masks]", float, double, softax::half,
                   std::int8_t, std::int32_t) {
    using T = TestType;
    constexpr index_t extents[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 33, 48, 64, 65, 100, 257};
    constexpr index_t most = is_slow_build ? 4000 : 40000;
    std::mt19937 random(13);
    for (int count = is_slow_build ? 40 : 400; count > 0;) {
        index_list shape, stored, axes, order;
        index_t size = 1;
        for (index_t k = 0, rank = 2 + random() % 4; k < rank; ++k) {
            shape.push_back(extents[random() % std::size(extents)]);
            size *= shape[k];
            if (random() % 2 == 0) axes.push_back(k);
            order.push_back(k);
        }
        if (size > most) continue;
        --count;
        if (random() % 3 == 0) std::shuffle(order.begin(), order.end(), random);
        index_list back = order;
        for (index_t k = 0; k < order.size(); ++k) {
            stored.push_back(random() % 2 == 0 ? shape[order[k]] : 1);
            back[order[k]] = k;
        }
        array<bool> mask(stored, true);
        auto const one_in = 2 + random() % 3;
        for (bool& b : mask) b = random() % one_in != 0;
        require_same_as_copy<T>(elements_of<T>(shape, random), view<bool const>(mask).permute(back), axes);
    }
}

// Where caches do not keep the mask of a panel, bits are kept of what it says, a word for each packet of columns, the last of them
// perhaps not whole. A scale of 1e30 takes another way, past the bits.
TEMPLATE_TEST_CASE("more columns than a second-level cache keeps", "[masks]", float, double) {
    using T = TestType;
    std::mt19937 random(9);
    for (auto const& [count, n] : {std::pair<index_t, index_t>{1001, 300}, {260, 1100}, {131, 3000}}) {
        if (is_slow_build && n != 300) continue;
        auto const where = some_of(count, n, random);
        auto const where_columns = array<bool>(view(where).transpose());
        for (auto const& [scale, extra] : {std::pair<double, double>{1, -inf}, {-0.7, 0.5}, {1e30, -inf}}) {
            auto const a = elements<T>(count, n, random, scale < 0 ? inf : -inf);
            auto const columns = array<T>(view(a).transpose());
            for (form const f : forms) {
                auto const expected = by_hand(f, a, where, scale, extra);
                auto const is_same = [&](array<T> const& y, char const* what) {
                    require_same<T>(expected, f == form::logsumexp ? view<T const>(y) : view<T const>(y).transpose(),
                                    text_of(f, n, scale, what, count));
                };
                softax::options const o = {.scale = scale, .where = where_columns, .extra = extra};
                is_same(guarded<T>(f, columns, 0, o), "columns");
                if (f == form::logsumexp) continue;
                auto in_place = columns;
                run_into<T>(f, in_place, in_place, 0, o);
                is_same(in_place, "columns in place");
            }
        }
    }
}

// Results of more than 8 and 16 MiB, in whole cache lines, are written past the caches, those of groups of nothing too; masked
// elements wait for them in a scratch. The longest rows are masked wherever they are read, and their exponentials computed twice.
TEST_CASE("past the caches", "[masks]") {
    if (is_slow_build) return;
    std::mt19937 random(5);
    for (auto const& [count, n] : {std::pair<index_t, index_t>{140000, 16},
                                   {70000, 64},
                                   {2048, 2096},
                                   {4400, 976},
                                   {9, 40001},
                                   {9, 70001},
                                   {8, 1 << 19}}) {
        double const scale = n % 2 == 0 ? 1 : -0.7;
        auto const a = elements<float>(count, n, random, scale < 0 ? inf : -inf);
        auto where = some_of(count, n, random);
        where(3, 0) = where(3, n - 1) = true;  // of nothing but -inf
        auto const columns = array<float>(view(a).transpose());
        auto const where_columns = array<bool>(view(where).transpose());
        for (form const f : {form::softmax, form::log_softmax}) {
            auto const expected = by_hand(f, a, where, scale);
            auto rows = a;
            run_into<float>(f, rows, rows, 1, softax::options{.scale = scale, .where = where});
            require_same<float>(expected, rows, text_of(f, n, scale, "rows in place", count));
            rows = run<float>(f, a, 1, softax::options{.scale = scale, .where = where});
            require_same<float>(expected, rows, text_of(f, n, scale, "rows", count));
            auto const y = run<float>(f, columns, 0, softax::options{.scale = scale, .where = where_columns});
            require_same<float>(expected, view(y).transpose(), text_of(f, n, scale, "columns", count));
        }
    }
}

TEMPLATE_TEST_CASE("masked or not, a call clears the upper halves of vector registers", "[masks]", float, double,
                   softax::half, std::int32_t) {
    using T = TestType;
    for (index_list const& shape : registers::shapes) {
        auto const a = array<T>(shape, T(1));
        array<bool> where(shape, true);
        for (index_t i = 0; i < where.size(); i += 3) where.data()[i] = false;
        for (index_t const axis : {0, 1}) {
            for (form const f : forms) {
                INFO(name_of(f) << ", shape " << softax::detail::text_of(shape) << ", axis " << axis);
                CHECK(registers::stay_clear([&] { run<T>(f, a, axis); }));
                CHECK(registers::stay_clear([&] { run<T>(f, a, axis, softax::options{.where = view(where)}); }));
            }
        }
    }
}

}  // namespace
