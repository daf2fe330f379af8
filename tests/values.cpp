// Special values, by the design's table: NaN, infinities, subnormal and huge numbers, equal elements, the ends of the integer
// types, long rows of half types. Each row is tried as it is and as every column of panels of many widths.
#include "catch.hpp"
#include "family.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iomanip>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

using softax::array;
using softax::bfloat16;
using softax::half;
using softax::index_t;
using softax::view;
using namespace family;

namespace {

template <class T>
inline constexpr T inf_of = std::numeric_limits<T>::infinity();
template <class T>
inline constexpr T nan_of = std::numeric_limits<T>::quiet_NaN();

template <class T>
using row = array<T>;  // of rank 1; std::vector<bool> has no elements to view

template <class T>
row<T> row_of(std::vector<T> const& values) {
    auto r = row<T>::uninitialized({static_cast<index_t>(values.size())});
    std::copy(values.begin(), values.end(), r.begin());
    return r;
}

/// Around every packet of 2 to 64 elements, and some blocks.
std::vector<index_t> lengths() {
    if (is_slow_build)
        return {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 257};
    std::vector<index_t> all;
    for (index_t n = 1; n <= 70; ++n) all.push_back(n);
    all.insert(all.end(), {127, 128, 129, 255, 256, 257});
    return all;
}

/// All places of a short row; the ends and the neighbourhood of every 16th place of a long one.
std::vector<index_t> places(index_t n) {
    std::vector<index_t> all;
    for (index_t i = 0; i < n; ++i) {
        if (n <= 40 || i == 0 || i == n - 1 || i % 16 == 15 || i % 16 == 0) all.push_back(i);
    }
    return all;
}

/// Finite values in [-3, 3], in [0, 6] for integers.
template <class T>
row<T> ordinary(index_t n, unsigned seed = 1) {
    std::mt19937 random(seed);
    auto r = row<T>::uninitialized({n});
    for (auto& x : r) {
        if constexpr (std::is_integral_v<T>)
            x = static_cast<T>(random() % 7);
        else
            x = static_cast<T>(static_cast<float>(random() % 601) / 100 - 3);
    }
    return r;
}

/// The elements of axis 0 of an array (n, k), or of (k) for logsumexp, that belong to column j.
template <class T>
row<T> column_of(array<T> const& a, index_t j) {
    if (a.rank() == 1) return row<T>({1}, a(j));
    return row<T>(view<T const>(a.data() + j, {a.shape()[0]}, {a.shape()[1]}));
}

template <class T>
std::string text_of(row<T> const& x) {
    std::ostringstream text;
    text << std::setprecision(std::numeric_limits<double>::max_digits10);
    for (index_t i = 0; i < std::min(x.size(), index_t{20}); ++i) text << (i > 0 ? ", " : "") << reference::exact(x(i));
    return text.str() + (x.size() > 20 ? ", ..." : "");
}

template <class T>
using check_of = std::function<bool(row<softax::result_type<T>> const&)>;

std::vector<index_t> const no_panel = {};
std::vector<index_t> const some_panels = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40};
std::vector<index_t> const few_panels = {1, 3, 8, 17, 40};

/// Requires is_right(result) for the result of one row alone, and as column j of (n, k) for some j of every given k, among
/// ordinary columns, whose results must not notice. logsumexp gives rows of one element.
template <class T>
void everywhere(form f, row<T> const& x, std::vector<index_t> const& widths, check_of<T> const& is_right) {
    using r = softax::result_type<T>;
    index_t const n = x.size();
    auto const require = [&](row<r> const& y, index_t k, index_t j) {
        if (is_right(y)) return;
        FAIL(name_of(f) << " of " << n << " elements " << text_of(x) << ", column " << j << " of " << k
                        << " (0: alone), gives " << text_of(y));
    };
    row<T> const before = x;
    require(run<T>(f, x, -1).reshaped({-1}), 0, 0);
    for (index_t const k : widths) {
        auto const neighbours = ordinary<T>(n);
        auto const theirs = run<T>(f, neighbours, 0).reshaped({-1});
        for (index_t const j : {index_t{0}, k / 2, k - 1}) {
            auto panel = array<T>::uninitialized({n, k});
            for (index_t i = 0; i < n; ++i) {
                for (index_t c = 0; c < k; ++c) panel(i, c) = c == j ? x(i) : neighbours(i);
            }
            auto const y = run<T>(f, panel, 0);
            require(column_of<r>(y, j), k, j);
            for (index_t c = 0; c < k; ++c) {
                if (c != j && !(column_of<r>(y, c) == theirs))
                    FAIL("column " << c << " of " << k << " notices column " << j);
            }
        }
    }
    REQUIRE(std::equal(x.begin(), x.end(), before.begin(), [](T a, T b) { return bits_of(a) == bits_of(b); }));
}

/// Every result within the bounds of the table.
template <class T>
void is_right(form f, row<T> const& x, std::vector<index_t> const& widths) {
    using r = softax::result_type<T>;
    reference::group<T> const g(x.size(), [&](index_t i) { return x(i); });
    std::vector<reference::expected> expected;
    for (T const e : x) expected.push_back(reference::expected_of(f, g, e));
    everywhere<T>(f, x, widths, [&](row<r> const& y) {
        for (index_t i = 0; i < y.size(); ++i) {
            auto const& e = expected[static_cast<std::size_t>(i)];
            if (reference::ulp_error(y(i), e) <= reference::bound<r>(f)) continue;
            UNSCOPED_INFO("element " << i << " is " << reference::exact(y(i)) << " where " << e.value << " is right, "
                                     << reference::ulp_error(y(i), e) << " ULP");
            return false;
        }
        return true;
    });
}

template <class T>
void is_right(row<T> const& x, std::vector<index_t> const& widths = few_panels) {
    for (form const f : forms) is_right(f, x, widths);
}

template <class T>
void is_nan_throughout(row<T> const& x, std::vector<index_t> const& widths) {
    for (form const f : forms) {
        everywhere<T>(f, x, widths, [](auto const& y) {
            return std::all_of(y.begin(), y.end(), [](auto r) { return std::isnan(static_cast<double>(r)); });
        });
    }
}

/// Both the row of all lengths and, for fewer lengths, the panels.
void for_lengths_and_panels(std::function<void(index_t, std::vector<index_t> const&)> const& attempt) {
    for (index_t const n : lengths()) attempt(n, no_panel);
    for (index_t const n : {1, 2, 3, 7, 8, 9, 17, 33, 129}) attempt(n, some_panels);
}

TEMPLATE_TEST_CASE("a NaN or +inf anywhere makes its group NaN and no other", "[values]", float, double, half,
                   bfloat16) {
    for_lengths_and_panels([](index_t n, auto const& widths) {
        for (index_t const i : places(n)) {
            if (!widths.empty() && i % 7 != 0 && i != n - 1) continue;
            for (TestType const bad : {nan_of<TestType>, inf_of<TestType>}) {
                auto x = ordinary<TestType>(n);
                x(i) = bad;
                is_nan_throughout(x, widths);
            }
        }
    });
}

TEMPLATE_TEST_CASE("NaN wins over every other value beside it", "[values]", float, double, half, bfloat16) {
    auto const inf = inf_of<TestType>, nan = nan_of<TestType>, big = std::numeric_limits<TestType>::max();
    auto const low = std::numeric_limits<TestType>::lowest();
    TestType const ninf{-static_cast<float>(inf)};
    for (auto const& x : std::vector<std::vector<TestType>>{{nan, inf},
                                                            {inf, nan},
                                                            {nan, ninf},
                                                            {ninf, nan},
                                                            {inf, ninf},
                                                            {ninf, inf},
                                                            {inf, inf},
                                                            {nan, big},
                                                            {low, nan},
                                                            {nan, nan},
                                                            {inf, big, low},
                                                            {ninf, ninf, nan},
                                                            {nan},
                                                            {inf}}) {
        is_nan_throughout(row_of(x), few_panels);
    }
    for (index_t const n : {8, 33, 70}) {
        row<TestType> x({n}, ninf);
        x(n / 2) = nan;
        is_nan_throughout(x, few_panels);
    }
}

TEMPLATE_TEST_CASE("-inf has probability exactly 0 beside finite elements", "[values]", float, double, half, bfloat16) {
    TestType const ninf{-static_cast<float>(inf_of<TestType>)};
    for_lengths_and_panels([&](index_t n, auto const& widths) {
        if (n == 1) return;
        for (index_t const i : places(n)) {
            if (!widths.empty() && i % 7 != 0 && i != n - 1) continue;
            auto x = ordinary<TestType>(n);
            x(i) = ninf;
            is_right(x, widths);
            everywhere<TestType>(form::softmax, x, widths, [&](auto const& y) { return bits_of(y(i)) == 0; });
            everywhere<TestType>(form::log_softmax, x, widths, [&](auto const& y) { return y(i) == ninf; });
        }
    });
}

TEMPLATE_TEST_CASE("one finite element among -inf has it all", "[values]", float, double, half, bfloat16) {
    TestType const ninf{-static_cast<float>(inf_of<TestType>)};
    for_lengths_and_panels([&](index_t n, auto const& widths) {
        for (TestType const v : {TestType{0.0f}, TestType{-5.5f}, std::numeric_limits<TestType>::lowest(),
                                 std::numeric_limits<TestType>::max(), std::numeric_limits<TestType>::denorm_min()}) {
            row<TestType> x({n}, ninf), p({n}, TestType{}), logs({n}, ninf);
            index_t const i = (n * 5 / 8) % n;
            x(i) = v, p(i) = TestType{1.0f}, logs(i) = TestType{};
            everywhere<TestType>(form::softmax, x, widths, [&](auto const& y) { return y == p; });
            everywhere<TestType>(form::log_softmax, x, widths, [&](auto const& y) { return y == logs; });
            everywhere<TestType>(form::logsumexp, x, widths, [&](auto const& y) { return y(0) == v; });
        }
    });
}

TEMPLATE_TEST_CASE("a group of only -inf is NaN", "[values]", float, double, half, bfloat16) {
    TestType const ninf{-static_cast<float>(inf_of<TestType>)};
    for_lengths_and_panels([&](index_t n, auto const& widths) { is_nan_throughout(row<TestType>({n}, ninf), widths); });
}

TEMPLATE_TEST_CASE("one element has probability exactly 1", "[values]", float, double, half, bfloat16, bool, int,
                   std::int64_t, std::uint64_t) {
    using r = softax::result_type<TestType>;
    using limits = std::numeric_limits<TestType>;
    for (TestType const v : {limits::lowest(), limits::max(), limits::min(), TestType{}, static_cast<TestType>(1.0f)}) {
        row<TestType> const x({1}, v);
        everywhere<TestType>(form::softmax, x, some_panels, [](auto const& y) { return y(0) == r{1.0f}; });
        everywhere<TestType>(form::log_softmax, x, some_panels, [](auto const& y) { return y(0) == r{}; });
        everywhere<TestType>(form::logsumexp, x, some_panels, [&](auto const& y) { return y(0) == static_cast<r>(v); });
    }
}

/// A quotient of a rounded sum, which is what there is without fused multiply-add, can be the neighbour of 1 / n.
#if defined(__FMA__) || defined(__aarch64__)
bool const divides_exactly = true;
#else
bool const divides_exactly = family::in_use != family::instruction_set::flags;
#endif

TEMPLATE_TEST_CASE("equal elements share equally", "[values]", float, double, half, bfloat16, int) {
    using r = softax::result_type<TestType>;
    for_lengths_and_panels([](index_t n, auto const& widths) {
        for (TestType const v : {TestType{}, static_cast<TestType>(-7.0f), std::numeric_limits<TestType>::max(),
                                 std::numeric_limits<TestType>::lowest()}) {
            row<TestType> const x({n}, v);
            r const share = static_cast<r>(1.0 / static_cast<double>(n));
            bool const is_exact = divides_exactly || (n & (n - 1)) == 0;
            everywhere<TestType>(form::softmax, x, widths, [&](auto const& y) {
                double const error = std::abs(static_cast<double>(y(0)) - static_cast<double>(share));
                double const epsilon = static_cast<double>(std::numeric_limits<r>::epsilon());
                return y == row<r>({n}, y(0)) && error <= (is_exact ? 0 : epsilon * static_cast<double>(share));
            });
            is_right(form::log_softmax, x, widths);
            is_right(form::logsumexp, x, widths);
        }
    });
}

TEMPLATE_TEST_CASE("equal inputs give equal outputs wherever they stand", "[values]", float, double, half, bfloat16) {
    for_lengths_and_panels([](index_t n, auto const& widths) {
        auto x = ordinary<TestType>(n);
        for (index_t i = 0; i < n; ++i) x(i) = x(i % 5 == 0 ? 0 : i % 5 == 3 && n > 1 ? 1 : i);
        for (form const f : {form::softmax, form::log_softmax}) {
            everywhere<TestType>(f, x, widths, [&](auto const& y) {
                for (index_t i = 0; i < n; ++i) {
                    if (x(i) == x(0) && bits_of(y(i)) != bits_of(y(0))) return false;
                    if (n > 1 && x(i) == x(1) && bits_of(y(i)) != bits_of(y(1))) return false;
                }
                return true;
            });
        }
    });
}

TEMPLATE_TEST_CASE("subnormal results are kept", "[values]", float, double, half, bfloat16) {
    // From where results turn subnormal to where half of the least one rounds to 0.
    bool const is_double = std::is_same_v<TestType, double>, is_half = std::is_same_v<TestType, half>;
    double const from = is_double ? 707 : is_half ? 9 : 86, to = is_double ? 746 : is_half ? 18 : 105;
    for (index_t const n : {2, 3, 8, 17, 64}) {
        for (double t = from; t < to; t += 0.37) {
            row<TestType> x({n}, TestType(-t));
            x(n / 2) = TestType{};
            is_right(x, {1, 9});
        }
    }
    row<TestType> const x = row_of<TestType>({TestType{}, TestType(-(is_double ? 744.0 : is_half ? 17.0 : 92.0))});
    everywhere<TestType>(form::softmax, x, few_panels, [](auto const& y) { return y(1) > TestType{}; });
}

TEST_CASE("the least subnormal result of float", "[values]") {
    // exp(-103.9) is 7.5e-46, more than half of the least subnormal number.
    everywhere<float>(form::softmax, row_of<float>({0.0f, -103.9f}), some_panels,
                      [](auto const& y) { return y(1) == std::numeric_limits<float>::denorm_min(); });
    everywhere<float>(form::softmax, row_of<float>({0.0f, -104.1f}), some_panels,
                      [](auto const& y) { return bits_of(y(1)) == 0; });
}

TEMPLATE_TEST_CASE("huge elements neither overflow nor poison", "[values]", float, double, half, bfloat16) {
    using limits = std::numeric_limits<TestType>;
    TestType const max = limits::max(), low = limits::lowest(), ninf{-static_cast<float>(limits::infinity())};
    TestType const zero{}, one{1.0f};
    auto const gives = [](std::vector<TestType> const& x, std::vector<TestType> const& p) {
        everywhere<TestType>(form::softmax, row_of(x), few_panels, [&](auto const& y) { return y == row_of(p); });
        is_right(row_of(x));
    };
    gives({low, ninf}, {one, zero});
    gives({ninf, low}, {zero, one});
    gives({max, low}, {one, zero});
    gives({low, max}, {zero, one});
    gives({max, ninf}, {one, zero});
    gives({zero, low, max, ninf}, {zero, zero, one, zero});
    gives({max, max}, {TestType{0.5f}, TestType{0.5f}});
    gives({low, low, low, low}, {TestType{0.25f}, TestType{0.25f}, TestType{0.25f}, TestType{0.25f}});
    for (index_t const n : {16, 33, 70}) {
        row<TestType> x({n}, low);
        x(n - 1) = max;
        is_right(x);
        x(n - 1) = zero;
        is_right(x);
    }
}

TEST_CASE("huge float elements as they occur in masks", "[values]") {
    is_right(row_of<float>({1e38f, -1e38f, 1e38f}));
    is_right(row_of<float>({-1e38f, -1e38f}));
    is_right(row_of<float>({-3e38f, 1, 2, 3, -3e38f}));
    is_right(row_of<float>({-10000, 1, 2, 3, -10000}));
    is_right(row_of<double>({1e308, -1e308, 1e308, -1.7e308}));
    is_right(row_of<float>({-1e9f, -1e9f, -1e9f}));
    is_right(row_of<float>({100, 89, 88.8f, -0.0f, 0.0f, -104, 1e-45f, -1e-45f}));
}

TEST_CASE("signed zeros are one value", "[values]") {
    everywhere<float>(form::softmax, row_of<float>({0.0f, -0.0f}), few_panels,
                      [](auto const& y) { return y == row<float>({2}, 0.5f); });
    everywhere<float>(form::logsumexp, row_of<float>({-0.0f}), few_panels, [](auto const& y) { return y(0) == 0.0f; });
}

TEST_CASE("the logarithm of a probability near 1 is not lost", "[values]") {
    // log1p(exp(-20)) = 2.0611536e-9; x - logsumexp(x) and (x - m) - log(s) give 0.
    everywhere<float>(form::log_softmax, row_of<float>({0, -20}), some_panels, [](auto const& y) {
        return std::abs(y(0) + 2.0611536e-9f) <= 5e-16f && y(1) == -20.0f;  // 2.5 ULP there
    });
    everywhere<double>(form::log_softmax, row_of<double>({0, -50}), few_panels,
                       [](auto const& y) { return std::abs(y(0) + 1.9287498479639178e-22) <= 6e-38; });
    for (index_t const n : {2, 3, 8, 9, 33, 70, 256}) {
        for (double t = 0.5; t < 110; t *= 1.3) {
            row<float> x({n}, static_cast<float>(-t));
            x(n / 3) = 0;
            is_right(form::log_softmax, x, {1, 9});
        }
    }
}

TEMPLATE_TEST_CASE("log_softmax is never above 0", "[values]", float, double, half, bfloat16) {
    for (index_t const n : lengths()) {
        for (double const t : {0.0, 1e-8, 1e-3, 1.0, 17.0, 40.0, 104.0, 800.0}) {
            auto x = ordinary<TestType>(n, static_cast<unsigned>(n));
            x(n / 2) = TestType(4.0 + t);
            everywhere<TestType>(form::log_softmax, x, n % 8 == 1 ? few_panels : no_panel, [](auto const& y) {
                return std::all_of(y.begin(), y.end(), [](auto r) { return r <= TestType{}; });
            });
        }
    }
}

TEST_CASE("log_softmax of large equal elements is not lost", "[values]") {
    for (float const v : {1e8f, -1e8f, 3e38f}) {
        everywhere<float>(form::log_softmax, row_of<float>({v, v}), few_panels,
                          [](auto const& y) { return y == row<float>({2}, -0.69314718f); });
    }
}

TEST_CASE("logsumexp by hand", "[values]") {
    auto const gives = [](std::vector<float> const& x, float expected) {
        everywhere<float>(form::logsumexp, row_of(x), few_panels, [&](auto const& y) {
            return std::abs(y(0) - expected) <= 6e-8f * std::max(std::abs(expected), 1.0f);
        });
    };
    gives({1000, 1000}, 1000.6931472f);
    gives({-1000, -1000}, -999.3068528f);
    gives({0, 0}, 0.69314718f);
    gives({-0.69314718f, -0.69314718f}, 0);  // within the ULP of 1
    gives({1, 2, 3}, 3.40760596f);
    gives({88, 89, 90}, 90.40760596f);
}

TEST_CASE("integers are subtracted before they are rounded", "[values]") {
    auto const gives = []<class T>(std::vector<T> const& x, std::vector<float> const& p) {
        everywhere<T>(form::softmax, row_of(x), few_panels, [&](auto const& y) {
            return std::equal(y.begin(), y.end(), p.begin(),
                              [](float r, float e) { return std::abs(r - e) <= 2.4e-7f; });
        });
        is_right(row_of(x));
    };
    // 2.4e-7: 4 ULP of 0.73
    float const p0 = 0.26894142f, p1 = 0.73105858f;
    auto const at_the_ends = [&]<class T>(T const max, T const min) {
        gives(std::vector<T>{min, max}, {0, 1});
        gives(std::vector<T>{max, min}, {1, 0});
        gives(std::vector<T>{static_cast<T>(max - 1), max}, {p0, p1});
        gives(std::vector<T>{static_cast<T>(min + 1), min}, {p1, p0});
        gives(std::vector<T>{max, max}, {0.5f, 0.5f});
        gives(std::vector<T>{min, min, min, min}, {0.25f, 0.25f, 0.25f, 0.25f});
    };
    at_the_ends(std::numeric_limits<std::int8_t>::max(), std::numeric_limits<std::int8_t>::min());
    at_the_ends(std::numeric_limits<std::uint16_t>::max(), std::uint16_t{0});
    at_the_ends(std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min());
    at_the_ends(std::numeric_limits<std::uint32_t>::max(), std::uint32_t{0});
    at_the_ends(std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min());
    at_the_ends(std::numeric_limits<std::uint64_t>::max(), std::uint64_t{0});
    gives(std::vector<std::int32_t>{16777216, 16777217}, {p0, p1});
    gives(std::vector<std::int64_t>{9007199254740992, 9007199254740993}, {p0, p1});
}

TEST_CASE("bool and the character types", "[values]") {
    auto const p = softax::softmax(array<bool>{true, false, true});
    CHECK(std::abs(p(0) - 0.42231880f) <= 6e-8f);
    CHECK(std::abs(p(1) - 0.15536241f) <= 3e-8f);
    CHECK(softax::logsumexp(array<bool>{false, false}).data()[0] == 0.69314718f);
    CHECK(softax::softmax(array<char>{'a', 'a'}) == array<float>{0.5f, 0.5f});
    row<bool> x({70}, false);
    for (index_t i = 0; i < 70; i += 3) x(i) = true;
    is_right(x);
}

TEMPLATE_TEST_CASE("rows of integers are right at every length", "[values]", bool, std::int8_t, std::uint8_t,
                   std::int32_t, std::int64_t) {
    for (index_t const n : lengths()) {
        auto x = row<TestType>::uninitialized({n});
        std::mt19937 random(static_cast<unsigned>(n));
        for (auto& e : x) e = static_cast<TestType>(random() % (std::is_same_v<TestType, bool> ? 2u : 100u));
        is_right(x, n % 8 == 1 ? few_panels : no_panel);
    }
}

TEST_CASE("sums of half types do not stick and do not overflow", "[values]") {
    // A sum of bfloat16 sticks at 256, one of half at 2048 and overflows at 65520; n equal elements still share exactly.
    auto const shares = []<class T>(T, index_t n) {
        row<T> const x({n}, T{3.0f});
        auto const y = softax::softmax(x);
        T const share = static_cast<T>(1.0 / static_cast<double>(n));
        CAPTURE(n, static_cast<float>(share));
        CHECK(std::all_of(y.begin(), y.end(), [&](T r) { return r.bits == share.bits; }));
        T const total(3 + std::log(static_cast<double>(n)));
        CHECK(softax::logsumexp(x).data()[0].bits == total.bits);
        array<T> const panel({n, 3}, T{3.0f});
        auto const z = softax::softmax(panel, 0);
        CHECK(std::all_of(z.begin(), z.end(), [&](T r) { return r.bits == share.bits; }));
    };
    for (index_t const n : {255, 256, 257, 300, 2048, 2049, 5000, 65519, 65520, 70000, 100000}) {
        shares(bfloat16(), n);
        shares(half(), n);
    }
}

TEST_CASE("probabilities add up to 1 within 4 epsilon whatever their number", "[values]") {
    auto const adds_up = []<class T>(T, index_t n) {
        std::mt19937 random(static_cast<unsigned>(n));
        std::normal_distribution<double> normal;
        auto x = row<T>::uninitialized({n});
        for (auto& e : x) e = static_cast<T>(normal(random));
        auto const y = softax::softmax(x);
        reference::sum total;
        for (auto const p : y) total.add(reference::exact(p));
        CAPTURE(name_of_type<T>(), n);
        CHECK(std::abs(total.value() - 1) <= 4 * reference::exact(std::numeric_limits<T>::epsilon()));
        if (n > 1000) return;
        auto const z = softax::softmax(view<T const>(x).reshape({n, 1}).broadcast_to({n, 9}), 0);
        for (index_t j = 0; j < 9; ++j) {
            reference::sum of_column;
            for (index_t i = 0; i < n; ++i) of_column.add(reference::exact(z(i, j)));
            CHECK(std::abs(of_column.value() - 1) <= 4 * reference::exact(std::numeric_limits<T>::epsilon()));
        }
    };
    index_t const most = is_slow_build ? 300000 : 10000000;
    for (index_t const n :
         {index_t{1}, index_t{2}, index_t{3}, index_t{10}, index_t{100}, index_t{1000}, index_t{100000}, most}) {
        adds_up(float{}, n);
        adds_up(double{}, n);
        adds_up(bfloat16(), n);
        if (n <= 1000) adds_up(half(), n);  // of more, the probabilities are subnormal in half
    }
}

TEST_CASE("empty rows", "[values]") {
    array<float> const a({3, 0}, 0.0f), b({0, 3}, 0.0f);
    CHECK(softax::softmax(a, -1).shape() == a.shape());
    CHECK(softax::log_softmax(b, 0).shape() == b.shape());
    CHECK(softax::logsumexp(b, -1).shape() == softax::index_list{0});
    array<float> const nothing({3}, -inf_of<float>);  // log 0, three times
    CHECK(softax::logsumexp(a, -1) == nothing);
    CHECK(softax::logsumexp(b, 0) == nothing);
}

TEMPLATE_TEST_CASE("ordinary numbers raise no floating-point exception", "[values]", float, double, half, bfloat16) {
    // The bug: lanes beyond the end divided 0 by 0, which nobody sees unless a program has such operations trapped.
    for (softax::index_list const& shape : std::vector<softax::index_list>{{10},
                                                                           {65, 10},
                                                                           {7, 40},
                                                                           {64, 100},
                                                                           {3, 1000},
                                                                           {40, 300},
                                                                           {5, 47, 3},
                                                                           {9, 100, 2},
                                                                           {3, 100, 31},
                                                                           {2, 600, 5},
                                                                           {200, 33}}) {
        auto a = array<TestType>::uninitialized(shape);
        index_t k = 0;
        for (auto& x : a) x = static_cast<TestType>(static_cast<float>(k++ * 37 % 101) / 8 - 6);
        for (index_t axis = 0; axis < shape.size(); ++axis) {
            for (form const f : forms) {
                CAPTURE(name_of_type<TestType>(), softax::detail::text_of(shape), axis, name_of(f));
                CHECK(!is_raising([&] { run(f, view<TestType const>(a), axis); }));
                CHECK(!is_raising(
                    [&] { run(f, view<TestType const>(a), axis, softax::options{.scale = 0.3, .extra = 0}); }));
            }
        }
    }
}

TEMPLATE_TEST_CASE("nothing subnormal comes of -inf or of what is left out", "[values]", float, double) {
    // The bug: beside a maximum half-way between two powers of two the exponential of -inf was not 0 but subnormal, which takes
    // processors a hundred cycles: with one such group among a hundred a masked call took 1.6 times as long as one without.
    constexpr index_t groups = 100;
    auto const is_underflowing = [](form f, view<TestType const> const& a, index_t axis, softax::options const& o) {
        return is_raising([&] { run(f, a, axis, o); }, FE_UNDERFLOW);
    };
    for (index_t const n : {5, 20, 64, 300, 1000}) {
        auto finite = array<TestType>::uninitialized({groups, n}), x = finite;
        array<bool> where({groups, n}, true);
        for (index_t g = 0; g < groups; ++g) {
            double const power = static_cast<double>(g % 7 - 3) + 0.5 + static_cast<double>(g - groups / 2) * 1e-4;
            for (index_t i = 0; i < n; ++i) {
                where(g, i) = i % 3 != 0;
                finite(g, i) =
                    static_cast<TestType>(power * 0.69314718055994531 - (i == 1 ? 0 : static_cast<double>(i % 5) / 4));
                x(g, i) = where(g, i) ? finite(g, i) : -inf_of<TestType>;
            }
        }
        array<TestType> const x_columns(view<TestType>(x).transpose()),
            finite_columns(view<TestType>(finite).transpose());
        for (form const f : forms) {
            CAPTURE(name_of_type<TestType>(), n, name_of(f));
            CHECK(!is_underflowing(f, x, 1, {}));
            CHECK(!is_underflowing(f, x_columns, 0, {}));
            CHECK(!is_underflowing(f, finite, 1, {.where = where}));
            CHECK(!is_underflowing(f, finite_columns, 0, {.where = view<bool const>(where).transpose()}));
            CHECK(!is_underflowing(f, x, 1, {.scale = 1.5}));
        }
    }
}

}  // namespace
