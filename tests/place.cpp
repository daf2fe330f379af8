// Same group, same bits: alone, in any batch, at any offset in memory, beside any neighbours, as a column, transposed, spread
// over joint axes, in place, into strided memory. And nothing before or after out is touched.
#include "catch.hpp"
#include "family.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

using softax::array;
using softax::index_t;
using softax::view;
using namespace family;

namespace {

/// Around every packet, around the blocks of a sum, and some long ones.
std::vector<index_t> lengths() {
    if (is_slow_build) return {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 49, 63, 64, 65, 129, 513, 1000};
    std::vector<index_t> all;
    for (index_t n = 1; n <= 70; ++n) all.push_back(n);
    all.insert(all.end(), {127, 128, 129, 511, 512, 513, 1000, 4097});
    return all;
}

/// Spread normal elements; one row in four has -inf in it, one in sixteen a NaN.
template <class T>
void fill_row(T* row, index_t n, index_t stride, std::mt19937& random) {
    std::normal_distribution<float> draw(0, random() % 2 == 0 ? 1.0f : 12.0f);
    for (index_t i = 0; i < n; ++i) row[i * stride] = static_cast<T>(draw(random));
    auto const somewhere = [&] { return stride * static_cast<index_t>(random() % static_cast<std::size_t>(n)); };
    if (random() % 4 == 0) row[somewhere()] = T(-std::numeric_limits<float>::infinity());
    if (random() % 16 == 0) row[somewhere()] = T(std::numeric_limits<float>::quiet_NaN());
}

/// count rows of n elements.
template <class T>
array<T> rows(index_t count, index_t n, std::mt19937& random) {
    auto a = array<T>::uninitialized({count, n});
    for (index_t i = 0; i < count; ++i) fill_row(a.data() + i * n, n, 1, random);
    return a;
}

template <class T>
bool same_bits(T const* a, index_t a_stride, T const* b, index_t b_stride, index_t n) {
    for (index_t i = 0; i < n; ++i) {
        if (bits_of(a[i * a_stride]) != bits_of(b[i * b_stride])) return false;
    }
    return true;
}

/// Each row of a on its own: what every other way must give. Shape (count, n), or (count, 1) for logsumexp.
template <class T>
array<T> each_alone(form f, array<T> const& a) {
    index_t const count = a.shape()[0], n = a.shape()[1];
    auto result = array<T>::uninitialized({count, f == form::logsumexp ? 1 : n});
    for (index_t i = 0; i < count; ++i) {
        array<T> const row(view<T const>(a.data() + i * n, {n}));
        auto const y = run<T>(f, row, -1);
        std::copy(y.begin(), y.end(), result.data() + i * result.shape()[1]);
    }
    return result;
}

/// Requires that results, a row of which lies at [i * row + k * step], are those of the rows alone.
template <class T>
void require_same(array<T> const& alone, T const* found, index_t row, index_t step, std::string const& where) {
    index_t const n = alone.shape()[1];
    for (index_t i = 0; i < alone.shape()[0]; ++i) {
        if (!same_bits(alone.data() + i * n, 1, found + i * row, step, n))
            FAIL("row " << i << " of " << n << ": " << where);
    }
}

std::string text_of(form f, index_t n, char const* what, index_t number) {
    return std::string(name_of(f)) + ", n = " + std::to_string(n) + ", " + what + " " + std::to_string(number);
}

TEMPLATE_TEST_CASE("in any batch", "[place]", float, double, softax::half) {
    std::mt19937 random(1);
    for (index_t const n : lengths()) {
        auto const a = rows<TestType>(n > 600 ? 20 : 70, n, random);
        for (form const f : forms) {
            auto const alone = each_alone(f, a);
            for (index_t const count : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 31, 32, 33, 63, 64, 70}) {
                if (count > a.shape()[0]) continue;
                index_t const first = a.shape()[0] - count;  // so that rows stand in many places
                auto const y = run<TestType>(f, view<TestType const>(a.data() + first * n, {count, n}), -1);
                auto const expected = array<TestType>(view(alone).slice(0, {.start = first}));
                require_same(expected, y.data(), expected.shape()[1], 1, text_of(f, n, "batch of", count));
            }
        }
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("at any offset, and nothing outside of out is touched", "[place]", float, double, softax::half,
                   softax::bfloat16) {
    std::mt19937 random(2);
    TestType const guard = static_cast<TestType>(77.0f);
    for (index_t const n : lengths()) {
        auto const a = rows<TestType>(3, n, random);
        for (form const f : forms) {
            auto const alone = each_alone(f, a);
            index_t const width = alone.shape()[1];
            for (index_t offset = 0; offset < 16; ++offset) {
                std::vector<TestType> in(static_cast<std::size_t>(3 * n + 32), guard), out = in;
                std::copy(a.begin(), a.end(), in.begin() + offset);
                index_t const out_offset = (offset * 7) % 16;
                view<TestType const> const x(in.data() + offset, {3, n});
                softax::index_list const shape =
                    f == form::logsumexp ? softax::index_list{3} : softax::index_list{3, n};
                run_into<TestType>(f, view<TestType>(out.data() + out_offset, shape), x, -1);
                require_same(alone, out.data() + out_offset, width, 1, text_of(f, n, "offset", offset));
                std::fill_n(out.begin() + out_offset, 3 * width, guard);
                if (!std::all_of(out.begin(), out.end(), [&](TestType e) { return e == guard; })) {
                    FAIL(text_of(f, n, "wrote outside of out at offset", out_offset));
                }
            }
        }
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("as a column among any number of columns", "[place]", float, double, softax::half) {
    std::mt19937 random(3);
    TestType const guard = static_cast<TestType>(77.0f);
    for (index_t const n : lengths()) {
        auto const a = rows<TestType>(n < 600 ? 300 : 40, n, random);
        std::vector<index_t> widths;
        for (index_t k = 1; k <= 40; ++k) {
            if (n <= 40 || k < 4 || k % 8 < 2 || k % 8 == 7) widths.push_back(k);
        }
        if (n < 600) widths.insert(widths.end(), {63, 64, 65, 100, 127, 129, 255, 256, 257, 300});
        if (is_slow_build) widths = {1, 2, 3, 7, 8, 9, 17, 33, 40};
        if (is_slow_build && n < 100) widths.push_back(257);
        for (form const f : forms) {
            auto const alone = each_alone(f, a);
            for (index_t const k : widths) {
                index_t const first = a.shape()[0] - k;
                auto const expected = array<TestType>(view(alone).slice(0, {.start = first}));
                auto const x = array<TestType>(view(a).slice(0, {.start = first}).transpose());
                index_t const size = f == form::logsumexp ? k : n * k, offset = k % 16;
                std::vector<TestType> out(static_cast<std::size_t>(size + 32), guard);
                softax::index_list const shape =
                    f == form::logsumexp ? softax::index_list{k} : softax::index_list{n, k};
                run_into<TestType>(f, view<TestType>(out.data() + offset, shape), x, 0);
                require_same(expected, out.data() + offset, 1, k, text_of(f, n, "columns", k));
                std::fill_n(out.begin() + offset, size, guard);
                if (!std::all_of(out.begin(), out.end(), [&](TestType e) { return e == guard; })) {
                    FAIL(text_of(f, n, "wrote outside of out, columns", k));
                }
            }
        }
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("in place, transposed, reversed, into strided memory", "[place]", float, double, softax::half) {
    std::mt19937 random(4);
    for (index_t const n : lengths()) {
        index_t const count = 5;
        auto const a = rows<TestType>(count, n, random);
        auto const columns = array<TestType>(view(a).transpose());
        for (form const f : {form::softmax, form::log_softmax}) {
            auto const alone = each_alone(f, a);
            auto const is_same = [&](TestType const* found, index_t row, index_t step, char const* what) {
                require_same(alone, found, row, step, text_of(f, n, what, 0));
            };
            auto y = a;
            run_into<TestType>(f, y, y, -1);
            is_same(y.data(), n, 1, "in place");
            y = columns;
            run_into<TestType>(f, y, y, 0);
            is_same(y.data(), 1, count, "columns in place");
            y = columns;
            run_into<TestType>(f, view(y).transpose(), view(y).transpose(), 1);
            is_same(y.data(), 1, count, "transposed in place");
            y = run<TestType>(f, view(columns).transpose(), -1);
            is_same(y.data(), n, 1, "transposed");
            y = run<TestType>(f, view(a).transpose(), 0);
            is_same(y.data(), 1, count, "transposed to columns");
            // Twice reversed: the elements of a in their order, walked backwards in memory.
            auto const backwards = array<TestType>(view(a).slice(1, {.step = -1}));
            y = run<TestType>(f, view(backwards).slice(1, {.step = -1}), 1);
            is_same(y.data(), n, 1, "reversed");
            array<TestType> wide({2 * count, 3 * n}, TestType{});
            auto const strided = view(wide).slice(0, {.start = 1, .step = 2}).slice(1, {.start = 2, .step = 3});
            run_into<TestType>(f, strided, a, -1);
            is_same(strided.data(), strided.strides()[0], strided.strides()[1], "into strided memory");
            for (index_t i = 0; i < count; ++i) {
                for (index_t j = 0; j < n; ++j) strided(i, j) = a(i, j);
            }
            y = run<TestType>(f, strided, -1);
            is_same(y.data(), n, 1, "from strided memory");
            run_into<TestType>(f, strided, strided, -1);
            is_same(strided.data(), strided.strides()[0], strided.strides()[1], "strided in place");
        }
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("through joint axes", "[place]", float, double, softax::half) {
    // Group elements in row-major order: (p, b, q) over {0, 2} holds b groups of p * q, the rows of (b, p * q) over -1.
    std::mt19937 random(5);
    std::vector<index_t> all = lengths();
    if (!is_slow_build) all.insert(all.end(), {72, 96, 120, 144, 240, 360, 1024, 1540, 4096});
    for (index_t const n : all) {
        for (index_t const b : {1, 2, 5, 17}) {
            auto const a = rows<TestType>(b, n, random);
            for (form const f : forms) {
                auto const alone = each_alone(f, a);
                for (index_t p = 1; p <= n; ++p) {
                    if (n % p != 0 || (n > 200 && p % 3 != 2)) continue;
                    index_t const q = n / p;
                    view<TestType const> const split = view<TestType const>(a).reshape({b, p, q});
                    auto const is_same = [&](std::vector<index_t> const& order, softax::axes const& over,
                                             index_t axis_b, char const* what) {
                        auto const x = array<TestType>(split.permute(order));
                        auto const y = run<TestType>(f, x, over);
                        if (f == form::logsumexp) return require_same(alone, y.data(), 1, 1, text_of(f, n, what, p));
                        auto const back = array<TestType>(view(y).moveaxis(axis_b, 0));
                        require_same(alone, back.data(), n, 1, text_of(f, n, what, p));
                    };
                    is_same({1, 0, 2}, {0, 2}, 1, "axes {0, 2} of p =");
                    is_same({1, 2, 0}, {0, 1}, 2, "axes {0, 1} of p =");
                    is_same({0, 1, 2}, {1, 2}, 0, "axes {1, 2} of p =");
                }
            }
        }
    }
    SUCCEED();
}

// Some groups side by side, many times over: moved in squares of packets, what is left at their edges in parts of squares.
TEMPLATE_TEST_CASE("through narrow inner extents", "[place]", float, double, softax::half) {
    std::mt19937 random(7);
    for (index_t const n : {3, 10, 17, 48, 50, 100}) {
        for (index_t const outer : {1, 5, 16, 17, 40}) {
            for (index_t inner = 1; inner <= 20; inner += is_slow_build ? 6 : 1) {
                auto const a = rows<TestType>(outer * inner, n, random);
                auto const x = array<TestType>(view<TestType const>(a).reshape({outer, inner, n}).permute({0, 2, 1}));
                for (form const f : forms) {
                    auto const alone = each_alone(f, a);
                    auto const y = run<TestType>(f, x, 1);
                    if (f == form::logsumexp) {
                        require_same(alone, y.data(), 1, 1, text_of(f, n, "narrow, inner", inner));
                    } else {
                        auto const back = array<TestType>(view(y).permute({0, 2, 1}));
                        require_same(alone, back.data(), n, 1, text_of(f, n, "narrow, inner", inner));
                    }
                }
            }
        }
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("through four axes", "[place]", float, double) {
    std::mt19937 random(6);
    for (index_t const n : {6, 12, 24, 60, 120, 210, 1560}) {
        auto const a = rows<TestType>(6, n, random);
        for (form const f : {form::softmax, form::log_softmax}) {
            auto const alone = each_alone(f, a);
            for (index_t const p : {2, 3, 6}) {
                // (2, p, 3, q): kept axes 0 and 2, then 1 and 3.
                view<TestType const> const split = view<TestType const>(a).reshape({2, 3, p, n / p});
                auto const x = array<TestType>(split.permute({0, 2, 1, 3}));
                auto const z = array<TestType>(split.permute({2, 0, 3, 1}));
                auto const over_13 = run<TestType>(f, x, {1, 3});
                auto const y = array<TestType>(view(over_13).permute({0, 2, 1, 3}));
                require_same(alone, y.data(), n, 1, text_of(f, n, "axes {1, 3} of p =", p));
                auto const over_02 = run<TestType>(f, z, {0, 2});
                auto const w = array<TestType>(view(over_02).permute({1, 3, 0, 2}));
                require_same(alone, w.data(), n, 1, text_of(f, n, "axes {0, 2} of p =", p));
            }
        }
    }
    SUCCEED();
}

TEST_CASE("beside any neighbour", "[place]") {
    // The row in the middle does not notice what stands above, below, before or after it.
    std::mt19937 random(7);
    float const strange[] = {0,
                             -0.0f,
                             1e30f,
                             -1e30f,
                             std::numeric_limits<float>::quiet_NaN(),
                             std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(),
                             1e-45f};
    for (index_t const n : {1, 3, 8, 16, 17, 33, 70, 513}) {
        auto const row = rows<float>(1, n, random);
        for (form const f : forms) {
            auto const alone = each_alone(f, row);
            index_t const width = alone.shape()[1];
            for (float const neighbour : strange) {
                array<float> batch({3, n}, neighbour), panel({n, 9}, neighbour);
                std::copy(row.begin(), row.end(), batch.data() + n);
                for (index_t i = 0; i < n; ++i) panel(i, 4) = row(0, i);
                auto const y = run<float>(f, batch, 1), z = run<float>(f, panel, 0);
                require_same(alone, y.data() + width, width, 1, text_of(f, n, "strange rows", 0));
                require_same(alone, z.data() + 4, 1, 9, text_of(f, n, "strange columns", 0));
            }
        }
    }
    SUCCEED();
}

TEST_CASE("broadcast input", "[place]") {
    std::mt19937 random(8);
    for (index_t const n : {1, 5, 16, 33, 129}) {
        auto const row = rows<float>(1, n, random);
        for (form const f : {form::softmax, form::log_softmax}) {
            auto const alone = each_alone(f, row);
            auto const y = run<float>(f, view<float const>(row).broadcast_to({7, n}), -1);
            auto const z = run<float>(f, view<float const>(row).transpose().broadcast_to({n, 7}), 0);
            for (index_t i = 0; i < 7; ++i) {
                require_same(alone, y.data() + i * n, n, 1, text_of(f, n, "broadcast row", i));
                require_same(alone, z.data() + i, 1, 7, text_of(f, n, "broadcast column", i));
            }
        }
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("from every second element, up to the last of memory", "[place]", float, double, softax::half) {
    // Packets of every second element must not reach for the one behind the last: a sanitizer sees it.
    std::mt19937 random(11);
    for (index_t const n : lengths()) {
        auto const a = rows<TestType>(2, n, random);
        for (form const f : forms) {
            auto const alone = each_alone(f, a);
            std::vector<TestType> memory(static_cast<std::size_t>(4 * n - 1));
            for (index_t i = 0; i < 2 * n; ++i) memory[static_cast<std::size_t>(2 * i)] = a.data()[i];
            view<TestType const> const x(memory.data(), {2, n}, {2 * n, 2});
            require_same(alone, run<TestType>(f, x, -1).data(), alone.shape()[1], 1, text_of(f, n, "step", 2));
            view<TestType const> const columns(memory.data(), {n, 2}, {2, 2 * n});
            require_same(alone, run<TestType>(f, columns, 0).data(), 1, 2, text_of(f, n, "columns, step", 2));
        }
    }
    SUCCEED();
}

/// Elements between rows that are written past the caches. A slow build takes its time with results that large.
std::vector<index_t> gaps_past_caches(form f) {
    if (is_slow_build) return {f == form::softmax ? 1 : 0};
    return {0, 1, 16};
}

TEST_CASE("past the caches", "[place]") {
    // Large results are written past the caches in whole lines, which rows that do not begin with one must not be.
    std::mt19937 random(9);
    index_t const n = 1024, count = 2048;
    auto const few = rows<float>(64, n, random);
    auto const a = array<float>(view<float const>(few).reshape({1, 64, n}).broadcast_to({2 * count / 64, 64, n}));
    array<bool> const where({n}, true);
    for (form const f : {form::softmax, form::log_softmax}) {
        auto const alone = each_alone(f, few);
        for (index_t const gap : gaps_past_caches(f)) {
            std::vector<float> memory(static_cast<std::size_t>(2 * (count * n + gap) + 16), 77.0f);
            float* const to =
                memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) / sizeof(float);
            view<float> const y(to, {2, count, n}, {count * n + gap, n, 1});
            auto const x = view<float const>(a).reshape({2, count, n});
            for (bool const is_masked : {false, true}) {
                if (is_masked) {
                    run_into<float>(f, y, x, -1, softax::options{.where = where});
                } else {
                    run_into<float>(f, y, x, -1);
                }
                for (index_t i = 0; i < 2 * count; i += 64) {
                    index_t const half = i / count;
                    require_same(alone, to + i * n + half * gap, n, 1, text_of(f, n, "gap", gap));
                }
                for (index_t k = 0; k < gap; ++k) REQUIRE(to[count * n + k] == 77.0f);
            }
        }
    }
}

TEST_CASE("rows past the caches", "[place]") {
    // A row that no cache keeps, or one of several, is read once more rather than written twice, if its results may go past the
    // caches: not in place, not to where no cache line begins. On one thread or several, scaled or far from 0, the bits are the
    // same.
    index_t const n = is_slow_build ? 4096 : index_t{1} << 22;
    std::mt19937 random(11);
    for (float const center : {0.0f, 3000.0f}) {
        array<float> a = array<float>({2, n}, 0.0f);
        std::normal_distribution<float> draw(center, 4);
        for (float& x : a) x = draw(random);
        a.data()[n + 5] = -1e30f;
        for (softax::options const& o :
             {softax::options{}, softax::options{.scale = -0.3}, softax::options{.extra = 9.5}}) {
            for (form const f : {form::softmax, form::log_softmax}) {
                std::vector<float> memory(static_cast<std::size_t>(2 * n + 32), 77.0f);
                float* const line =
                    memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) / sizeof(float);
                view<float> const beside_a_line(line + 1, {2, n}), at_a_line(line, {2, n});
                run_into<float>(f, beside_a_line, view<float const>(a), -1, o);
                array<float> const expected(beside_a_line);
                array<float> y = a;
                run_into<float>(f, view(y), view<float const>(y), -1, o);
                REQUIRE(std::equal(y.begin(), y.end(), expected.begin()));
                for (index_t const threads : {1, 2, 3}) {
                    softax::options with = o;
                    with.on = softax::stream(softax::device::cpu, threads);
                    std::fill(memory.begin(), memory.end(), 77.0f);
                    run_into<float>(f, at_a_line, view<float const>(a), -1, with);
                    REQUIRE(std::equal(line, line + 2 * n, expected.begin()));
                    REQUIRE(std::all_of(line + 2 * n, memory.data() + 2 * n + 32, [](float x) { return x == 77.0f; }));
                }
                // Shorter ones.
                view<float const> const shorter(a.data(), {16, n / 8});
                array<float> z = array<float>(shorter);
                run_into<float>(f, view(z), view<float const>(z), -1, o);
                std::fill(memory.begin(), memory.end(), 77.0f);
                run_into<float>(f, view<float>(line, {16, n / 8}), shorter, -1, o);
                REQUIRE(std::equal(line, line + 2 * n, z.begin()));
                // A row for all threads.
                view<float const> const second(a.data() + n, {n});
                run_into<float>(f, view<float>(line, {n}), second, -1, o);
                REQUIRE(std::equal(line, line + n, expected.data() + n));
                softax::options on_two = o;
                on_two.on = softax::stream(softax::device::cpu, 2);
                std::fill(memory.begin(), memory.end(), 77.0f);
                run_into<float>(f, view<float>(line, {n}), second, -1, on_two);
                REQUIRE(std::equal(line, line + n, expected.data() + n));
            }
        }
    }
}

TEST_CASE("past the caches, side by side", "[place]") {
    // The same for groups side by side, whose exponentials wait elsewhere: in panels of all heights, with gaps and without.
    std::mt19937 random(10);
    struct shape_of_panels {
        index_t n, columns;
    };
    for (auto const [n, columns] : {shape_of_panels{5, 500000},
                                    {47, 45008},
                                    {64, 40000},
                                    {1500, 1600},
                                    {2048, 1040},
                                    {9000, 272},
                                    {10000, 250}}) {
        if (is_slow_build && n != 47 && n != 1500 && n != 10000) continue;
        auto const few = rows<float>(8, n, random);
        array<bool> const where({n, 1}, true);
        auto const x = view<float const>(few).permute({1, 0}).reshape({n, 1, 8}).broadcast_to({n, columns / 8 + 1, 8});
        array<float> const a(x);
        for (form const f : {form::softmax, form::log_softmax}) {
            auto const alone = each_alone(f, few);
            for (index_t const gap : gaps_past_caches(f)) {
                index_t const pitch = columns + gap;
                std::vector<float> memory(static_cast<std::size_t>(n * pitch + 16), 77.0f);
                float* const to =
                    memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) / sizeof(float);
                view<float> const y(to, {n, columns}, {pitch, 1});
                view<float const> const from(a.data(), {n, columns}, {a.size() / n, 1});
                for (bool const is_masked : {false, true}) {
                    if (is_masked) {
                        run_into<float>(f, y, from, 0, softax::options{.where = where});
                    } else {
                        run_into<float>(f, y, from, 0);
                    }
                    for (index_t j = 0; j + 8 <= columns; j += is_slow_build ? 104 : 8) {
                        require_same(alone, to + j, 1, pitch, text_of(f, n, "gap", gap));
                    }
                    for (index_t i = 0; i < n - 1; i += 7) {
                        for (index_t k = 0; k < gap; ++k) REQUIRE(to[i * pitch + columns + k] == 77.0f);
                    }
                }
            }
        }
    }
}

/// The first address of a page in memory that holds one more.
template <class T>
T* first_page(std::vector<T>& memory) {
    auto const at = reinterpret_cast<std::uintptr_t>(memory.data());
    return memory.data() + (4096 - at % 4096) % 4096 / sizeof(T);
}

TEMPLATE_TEST_CASE("in arrays that begin alike in their pages, side by side", "[place]", float, double) {
    // Results would take the places in a cache of what is read next, so exponentials wait elsewhere.
    using T = TestType;
    std::mt19937 random(11);
    constexpr auto size = static_cast<index_t>(sizeof(T));
    struct rows_of_panels {
        index_t n, columns, pitch;
    };
    for (auto const [n, columns, pitch] : {rows_of_panels{70, 64, 64},
                                           {64, 128, 128},
                                           {64, 256, 256},
                                           {48, 320, 320},
                                           {64, 1000, 1024},
                                           {64, 1024, 1024},
                                           {100, 272, 512},
                                           {600, 512, 512}}) {
        auto const few = rows<T>(8, n, random);
        array<bool> const where({n, 1}, true);
        std::vector<T> in(static_cast<std::size_t>(n * pitch + 4096 / size)), out(in.size() + 4096 / sizeof(T));
        T* const x = first_page(in);
        for (index_t i = 0; i < n; ++i) {
            for (index_t j = 0; j < columns; ++j) x[i * pitch + j] = few(j % 8, i);
        }
        for (form const f : {form::softmax, form::log_softmax}) {
            auto const alone = each_alone(f, few);
            for (index_t const offset : {0, 64, 1024, -1}) {
                for (bool const is_masked : {false, true}) {
                    T* const y = first_page(out) + std::max(offset, index_t{0}) / size;
                    bool const is_in_place = offset < 0;
                    if (is_in_place) std::copy_n(x, (n - 1) * pitch + columns, y);
                    view<T> const to(y, {n, columns}, {pitch, 1});
                    view<T const> const from(is_in_place ? y : x, {n, columns}, {pitch, 1});
                    if (is_masked) {
                        run_into<T>(f, to, from, 0, softax::options{.where = where});
                    } else {
                        run_into<T>(f, to, from, 0);
                    }
                    for (index_t j = 0; j + 8 <= columns; j += 8)
                        require_same(alone, y + j, 1, pitch, text_of(f, n, "offset", offset));
                }
            }
        }
    }
}

}  // namespace
