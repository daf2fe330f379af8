// The normalizer: pieces of a group pushed and merged in any order and finished, within the error bounds of the design's
// table; to the bit where that is promised; over axes; at infinities and NaN. The measured maxima are printed.
#include <softax/normalizer.hpp>

#include "catch.hpp"
#include "family.hpp"
#include "registers.hpp"
#include "said.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <type_traits>
#include <vector>

using softax::array;
using softax::index_t;
using softax::normalizer;
using softax::normalizer_array;
using softax::view;
using namespace family;
using reference::wide;

namespace {

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();
template <class T>
constexpr T nan_of = std::numeric_limits<T>::quiet_NaN();

template <class T>
bool is_same_bits(normalizer<T> const& a, normalizer<T> const& b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
}

/// Normalizers of the pieces of a row that is cut at random, most pieces short, some empty.
template <class T>
std::vector<normalizer<T>> cut(std::span<T const> x, std::mt19937_64& random, double scale = 1) {
    std::vector<normalizer<T>> pieces;
    for (std::size_t i = 0; i < x.size();) {
        std::size_t const most[] = {2, 30, 600, 9000};
        std::size_t const n = std::min(random() % most[random() % 4], x.size() - i);
        if (n == 1 && scale == 1 && random() % 2 == 0) {
            pieces.emplace_back().push(x[i]);
        } else {
            pieces.emplace_back(x.subspan(i, n), scale);
        }
        i += n;
    }
    pieces.emplace_back();
    return pieces;
}

/// Merges two of them, taken at random, until one is left.
template <class T>
normalizer<T> merged_at_random(std::vector<normalizer<T>> pieces, std::mt19937_64& random) {
    while (pieces.size() > 1) {
        std::swap(pieces[random() % pieces.size()], pieces.back());
        normalizer<T> const last = pieces.back();
        pieces.pop_back();
        pieces[random() % pieces.size()].merge(last);
    }
    return pieces[0];
}

/// The largest errors seen, in ULP, and of the sum of probabilities in epsilon.
struct errors {
    wide worst[3] = {0, 0, 0}, sum = 0;

    void see(form f, wide error) {
        wide& w = worst[static_cast<int>(f)];
        if (!(error <= w)) w = error;
    }
};

/// Finishes x, in two pieces, with a normalizer of all of it, and compares with the reference.
template <class T, class Exact>
void judge(errors& e, normalizer<T> const& n, std::span<T const> x, reference::group<Exact> const& g,
           std::function<Exact(T)> const& exact, double scale = 1) {
    std::vector<T> p(x.size()), l(x.size());
    std::size_t const half = x.size() / 2;
    n.softmax_into(std::span(p).first(half), x.first(half), scale);
    n.softmax_into(std::span(p).subspan(half), x.subspan(half), scale);
    n.log_softmax_into(l, x, scale);
    reference::sum total;
    std::size_t const skip = x.size() > 50000 ? 37 : 1;  // of the longest rows, some in every lane
    for (std::size_t i = 0; i < x.size(); ++i) {
        total.add(reference::exact(p[i]));
        if (!(l[i] <= 0)) e.see(form::log_softmax, std::isnan(l[i]) && std::isnan(g.logsumexp()) ? 0 : 1000);
        if (i % skip != 0) continue;
        e.see(form::softmax, reference::ulp_error(p[i], reference::expected_of(form::softmax, g, exact(x[i]))));
        auto const log_softmax = reference::expected_of(form::log_softmax, g, exact(x[i]));
        e.see(form::log_softmax, reference::ulp_error(l[i], log_softmax));
        e.see(form::log_softmax, reference::ulp_error(n.log_softmax(x[i], scale), log_softmax));
    }
    e.see(form::logsumexp, reference::ulp_error(n.logsumexp(), reference::expected_of(form::logsumexp, g, Exact{})));
    e.sum = std::max(e.sum, std::abs(total.value() - 1) / reference::exact(std::numeric_limits<T>::epsilon()));
}

template <class T>
void check(char const* name, errors const& e, bool adds_up = true) {
    std::printf("%-44s %-7s %8.3Lf %8.3Lf %8.3Lf %8.2Lf\n", name, name_of_type<T>(), e.worst[0], e.worst[1], e.worst[2],
                e.sum);
    if (std::is_same_v<T, double> && !reference::judges_double) return;
    INFO(name << ", " << name_of_type<T>());
    CHECK(e.worst[0] <= reference::bound<T>(form::softmax));
    CHECK(e.worst[1] <= reference::bound<T>(form::log_softmax));
    CHECK(e.worst[2] <= reference::bound<T>(form::logsumexp));
    if (adds_up) CHECK(e.sum <= 4);
}

void heading() {
    std::printf("\n%-44s %-7s %8s %8s %8s %8s\n", "maximum error in ULP, merged at random", "type", "softmax", "log_s.",
                "logsumexp", "sum/eps");
}

template <class T>
reference::group<T> group_of(std::vector<T> const& x) {
    return {static_cast<index_t>(x.size()), [&](index_t i) { return x[static_cast<std::size_t>(i)]; }};
}

/// Rows of that kind, cut and merged at random.
template <class T>
errors errors_of(std::size_t n, int rows, std::function<T(std::mt19937_64&, std::size_t)> const& element) {
    std::mt19937_64 random(n);
    errors e;
    for (int row = 0; row < rows; ++row) {
        std::vector<T> x(n);
        for (std::size_t i = 0; i < n; ++i) x[i] = element(random, i);
        std::span<T const> const all(x);
        judge<T, T>(e, merged_at_random(cut(all, random), random), all, group_of(x), [](T v) { return v; });
    }
    return e;
}

template <class T>
std::function<T(std::mt19937_64&, std::size_t)> normal(double mean, double deviation) {
    return [=](std::mt19937_64& random, std::size_t) {
        return static_cast<T>(std::normal_distribution<double>(mean, deviation)(random));
    };
}

}  // namespace

TEMPLATE_TEST_CASE("a normalizer is plain memory of a fixed size", "[normalizer]", float, double) {
    STATIC_REQUIRE(std::is_trivially_copyable_v<normalizer<TestType>>);
    STATIC_REQUIRE(std::is_standard_layout_v<normalizer<TestType>>);
    STATIC_REQUIRE(sizeof(normalizer<TestType>) == (std::is_same_v<TestType, float> ? 24 : 40));
}

TEMPLATE_TEST_CASE("pieces merged in any tree keep the error bounds", "[normalizer]", float, double) {
    using T = TestType;
    heading();
    int const rows = is_slow_build ? 2 : 6;
    check<T>("N(0,1), n = 32000", errors_of<T>(32000, rows, normal<T>(0, 1)));
    check<T>("N(0,10), n = 9001", errors_of<T>(9001, rows, normal<T>(0, 10)));
    check<T>("N(0,100), n = 9001", errors_of<T>(9001, rows, normal<T>(0, 100)));
    check<T>("N(1e4,20), n = 5003", errors_of<T>(5003, rows, normal<T>(1e4, 20)));
    check<T>("N(-1e6,20), n = 5003", errors_of<T>(5003, rows, normal<T>(-1e6, 20)));
    check<T>("steps of 0.01 upwards, n = 5003",
             errors_of<T>(5003, 2, [](std::mt19937_64&, std::size_t i) { return static_cast<T>(i) * T(0.01); }));
    check<T>("steps of 1e-4 downwards, n = 5003",
             errors_of<T>(5003, 2, [](std::mt19937_64&, std::size_t i) { return static_cast<T>(i) * T(-1e-4); }));
    check<T>("-0.7, n = 500000",
             errors_of<T>(500000, 1, [](std::mt19937_64&, std::size_t) { return static_cast<T>(-0.7); }));
    T const huge = std::numeric_limits<T>::max() / T(2);
    for (T const base : {huge, -huge, T(1000000)}) {
        check<T>("neighbours of huge numbers", errors_of<T>(1003, 2, [=](std::mt19937_64& random, std::size_t) {
                     return random() % 2 == 0 ? base : std::nextafter(base, T{0});
                 }));
    }
    check<T>("half of them -inf, n = 3001", errors_of<T>(3001, rows, [](std::mt19937_64& random, std::size_t i) {
                 return i != 1500 && random() % 2 == 0 ? -infinity<T> : normal<T>(0, 1)(random, i);
             }));
}

TEMPLATE_TEST_CASE("every short length, and those around packets, chunks and pieces", "[normalizer]", float, double) {
    using T = TestType;
    heading();
    errors worst;
    std::vector<std::size_t> lengths = {127, 128, 129, 511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097, 8191, 8193};
    for (std::size_t n = 1; n <= 70; ++n) lengths.push_back(n);
    for (std::size_t const n : lengths) {
        for (double const deviation : {0.1, 3.0, 30.0}) {
            errors const e = errors_of<T>(n, is_slow_build ? 2 : 8, normal<T>(0, deviation));
            for (form const f : forms) worst.see(f, e.worst[static_cast<int>(f)]);
            worst.sum = std::max(worst.sum, e.sum);
        }
    }
    check<T>("N(0,0.1) to N(0,30), n = 1 to 8193", worst);
}

// One 0 among numbers so low that log(1 + t) rounds to 0: t itself must come through every merge, subnormal numbers included.
TEMPLATE_TEST_CASE("the confident class keeps its digits through merges", "[normalizer]", float, double) {
    using T = TestType;
    heading();
    errors worst;
    double const most = std::is_same_v<T, double> ? 740 : 101;
    for (double t = 0.001; t < most; t *= 1.3) {
        std::size_t const n = 1500;
        errors const e = errors_of<T>(n, 2, [=](std::mt19937_64& random, std::size_t i) {
            return i == n / 3 ? T{0} : static_cast<T>(-t - std::uniform_real_distribution<double>(0, 1)(random));
        });
        for (form const f : forms) worst.see(f, e.worst[static_cast<int>(f)]);
    }
    check<T>("one 0 among -t, t = 0.001 to where exp is 0", worst, false);
    normalizer<T> n;
    n.push(T(-20));
    n.push(T(0));
    CHECK(static_cast<double>(n.log_softmax(T(0))) == Catch::Detail::Approx(-2.061153622438558e-09).epsilon(1e-6));
}

// Multiplying the sum each time the maximum moves would add up a rounding error a move.
TEMPLATE_TEST_CASE("a maximum that moves with every element costs no digits", "[normalizer]", float, double) {
    using T = TestType;
    heading();
    for (double const step : {1e-6, 1e-3, 0.3}) {
        std::vector<T> x(is_slow_build ? 20000 : 200000);
        normalizer<T> n;
        for (std::size_t i = 0; i < x.size(); ++i) n.push(x[i] = static_cast<T>(step * static_cast<double>(i)));
        errors e;
        judge<T, T>(e, n, x, group_of(x), [](T v) { return v; });
        check<T>("element by element, each the maximum", e);
    }
}

TEMPLATE_TEST_CASE("merging is commutative to the bit", "[normalizer]", float, double) {
    using T = TestType;
    std::mt19937_64 random(7);
    std::vector<T> const corners = {T(0),
                                    T(-0.0),
                                    T(1),
                                    T(-1),
                                    infinity<T>,
                                    -infinity<T>,
                                    nan_of<T>,
                                    std::numeric_limits<T>::max(),
                                    std::numeric_limits<T>::lowest(),
                                    std::numeric_limits<T>::denorm_min()};
    for (int i = 0; i < 2000; ++i) {
        normalizer<T> n[2];
        for (normalizer<T>& one : n) {
            std::vector<T> x(random() % 20);
            for (T& v : x) {
                v = random() % 3 == 0 ? corners[random() % corners.size()] : normal<T>(0, 5)(random, 0);
                if (i % 2 == 0 && !(std::abs(v) <= std::numeric_limits<T>::max())) v = 3;
            }
            one.push(x, i % 3 == 0 ? 0.3 : 1);
        }
        CHECK(is_same_bits(merged(n[0], n[1]), merged(n[1], n[0])));
    }
}

// An exponent below those of a double made NaN of what is nothing.
TEMPLATE_TEST_CASE("maxima any distance apart merge to the higher one", "[normalizer]", float, double) {
    using T = TestType;
    bool are_right = true;
    for (double apart = 0; apart < 1500; ++apart) {
        for (double const base : {0.0, 400.0, 2000.0}) {
            auto const n = merged(normalizer<T>(std::vector<T>{T(base), T(base - 1)}),
                                  normalizer<T>(std::vector<T>{T(base - apart), T(base - apart - 1)}));
            double const sum = (1 + std::exp(-1)) * (1 + std::exp(-apart));
            are_right = are_right && std::abs(static_cast<double>(n.sum()) - sum) <= 1e-6 * sum;
        }
    }
    CHECK(are_right);
}

TEMPLATE_TEST_CASE("the empty normalizer is an exact identity", "[normalizer]", float, double) {
    using T = TestType;
    std::mt19937_64 random(8);
    normalizer<T> const empty;
    CHECK(empty.empty());
    CHECK(is_same_bits(merged(empty, empty), empty));
    for (std::size_t n = 0; n < 300; ++n) {
        std::vector<T> x(n);
        for (T& v : x) v = normal<T>(0, 20)(random, 0);
        if (n % 7 == 3) x[n / 2] = nan_of<T>;
        if (n % 7 == 5) x[n / 2] = -infinity<T>;
        normalizer<T> const a(x);
        CHECK(a.empty() == (n == 0));
        CHECK(is_same_bits(merged(empty, a), a));
        CHECK(is_same_bits(merged(a, empty), a));
        normalizer<T> b = a;
        b.push(std::span<T const>());
        CHECK(is_same_bits(b, a));
    }
}

TEMPLATE_TEST_CASE("NaN and infinities follow the table", "[normalizer]", float, double) {
    using T = TestType;
    CHECK(normalizer<T>().logsumexp() == -infinity<T>);
    CHECK(normalizer<T>().sum() == 0);
    CHECK(normalizer<T>().maximum() == -infinity<T>);
    for (std::size_t const n : {1u, 2u, 7u, 48u, 100u, 513u, 5000u}) {
        for (T const special : {nan_of<T>, infinity<T>, -nan_of<T>}) {
            for (std::size_t at = 0; at < n; at += 1 + n / 7) {
                std::vector<T> x(n, T(1));
                if (at % 2 == 0) std::fill(x.begin(), x.end(), -infinity<T>);
                x[at] = special;
                normalizer<T> const row(x);
                normalizer<T> one;
                for (T const v : x) one.push(v);
                for (auto const& poisoned : {row, one, merged(row, normalizer<T>(std::vector<T>{1, 2}))}) {
                    CHECK(std::isnan(poisoned.logsumexp()));
                    CHECK(std::isnan(poisoned.sum()));
                    CHECK(std::isnan(poisoned.maximum()));
                    CHECK(std::isnan(poisoned.log_softmax(T(1))));
                    std::vector<T> p(n), l(n);
                    poisoned.softmax_into(p, x);
                    poisoned.log_softmax_into(l, x);
                    CHECK(std::all_of(p.begin(), p.end(), [](T v) { return std::isnan(v); }));
                    CHECK(std::all_of(l.begin(), l.end(), [](T v) { return std::isnan(v); }));
                }
            }
        }
        std::vector<T> const low(n, -infinity<T>);
        normalizer<T> only(low);
        CHECK_FALSE(only.empty());
        CHECK(std::isnan(only.logsumexp()));
        std::vector<T> p(n), l(n);
        only.softmax_into(p, low);
        CHECK(std::all_of(p.begin(), p.end(), [](T v) { return std::isnan(v); }));
        // Beside a finite element -inf is exactly 0, though it came first and alone.
        only.push(T(5));
        CHECK(only.logsumexp() == 5);
        only.softmax_into(p, low);
        only.log_softmax_into(l, low);
        CHECK(std::all_of(p.begin(), p.end(), [](T v) { return v == 0; }));
        CHECK(std::all_of(l.begin(), l.end(), [](T v) { return v == -infinity<T>; }));
    }
}

TEMPLATE_TEST_CASE("scaled logits are not rounded, and an extra logit is one push", "[normalizer]", float, double) {
    using T = TestType;
    heading();
    std::mt19937_64 random(11);
    for (double const scale : {0.125, -1.0, 0.3, -0.7, 3.7, 1e-3}) {
        errors e;
        for (std::size_t const n : {1u, 9u, 100u, 5000u}) {
            std::vector<T> x(n);
            for (T& v : x) v = normal<T>(0, 20)(random, 0);
            auto const exact = [=](T v) { return reference::exact(v) * reference::exact(static_cast<T>(scale)); };
            T const extra = normal<T>(0, 30)(random, 0);
            normalizer<T> const pieces = merged_at_random(cut(std::span<T const>(x), random, scale), random);
            reference::group<wide> const plain(static_cast<index_t>(n),
                                               [&](index_t i) { return exact(x[static_cast<std::size_t>(i)]); });
            judge<T, wide>(e, pieces, x, plain, exact, scale);
            // With one more logit, whose probability is missing in the sum.
            normalizer<T> with_extra = pieces;
            with_extra.push(extra);
            reference::group<wide> const larger(static_cast<index_t>(n) + 1, [&](index_t i) {
                return i == static_cast<index_t>(n) ? reference::exact(extra) : exact(x[static_cast<std::size_t>(i)]);
            });
            errors apart;
            judge<T, wide>(apart, with_extra, x, larger, exact, scale);
            for (form const f : forms) e.see(f, apart.worst[static_cast<int>(f)]);
        }
        check<T>("scaled, and with an extra logit", e);
    }
}

// An extra logit is seldom a number that an element times the scale could be: what is between them belongs to the result.
TEMPLATE_TEST_CASE("an extra logit next to scaled elements costs no digits", "[normalizer]", float, double) {
    using T = TestType;
    heading();
    errors e;
    double const scale = 0.3;
    auto const exact = [=](T v) { return reference::exact(v) * reference::exact(static_cast<T>(scale)); };
    for (int i = 0; i < 200; ++i) {
        std::vector<T> const x = {T(67)};
        T const extra = T(20.2) + T(0.01) * static_cast<T>(i);
        normalizer<T> n(x, scale);
        n.push(extra);
        reference::group<wide> const g(2, [&](index_t k) { return k == 0 ? exact(x[0]) : reference::exact(extra); });
        errors one;
        judge<T, wide>(one, n, x, g, exact, scale);
        for (form const f : forms) e.see(f, one.worst[static_cast<int>(f)]);
    }
    check<T>("67 times 0.3 and an extra logit above", e);
}

// An extra logit that no element times the scale comes near to must not overflow what the elements are measured by.
TEMPLATE_TEST_CASE("an extra logit far above the scaled elements leaves 0", "[normalizer]", float, double) {
    using T = TestType;
    for (T const extra : {T(200), T(5000), T(1e10), T(1e30)}) {
        std::vector<T> x = {1, 2, 3}, p(3), l(3);
        normalizer<T> n(x, 0.3);
        n.push(extra);
        n.softmax_into(p, x, 0.3);
        n.log_softmax_into(l, x, 0.3);
        for (std::size_t i = 0; i < 3; ++i) {
            double const expected =
                static_cast<double>(static_cast<T>(0.3)) * static_cast<double>(x[i]) - static_cast<double>(extra);
            CHECK(static_cast<double>(p[i]) == Catch::Detail::Approx(std::exp(expected)).margin(1e-45));
            CHECK(static_cast<double>(l[i]) == Catch::Detail::Approx(expected).epsilon(1e-6));
        }
    }
}

TEMPLATE_TEST_CASE("finishing by pieces gives the bits of finishing at once, in place too", "[normalizer]", float,
                   double) {
    using T = TestType;
    std::mt19937_64 random(12);
    std::vector<T> x(1000);
    for (T& v : x) v = normal<T>(0, 8)(random, 0);
    normalizer<T> const n(x);
    std::vector<T> at_once(x.size()), logs(x.size());
    n.softmax_into(at_once, x);
    n.log_softmax_into(logs, x);
    std::vector<T> p = x, l = x;
    for (std::size_t i = 0; i < x.size();) {
        std::size_t const length = std::min(x.size() - i, static_cast<std::size_t>(random() % 40));
        n.softmax_into(std::span(p).subspan(i, length), std::span<T const>(p).subspan(i, length));
        n.log_softmax_into(std::span(l).subspan(i, length), std::span<T const>(l).subspan(i, length));
        i += length;
    }
    CHECK(p == at_once);
    CHECK(l == logs);
    REQUIRE_FAILS(n.softmax_into(std::span(p).first(3), x), std::invalid_argument, "out has shape (3,)");
    REQUIRE_FAILS(n.softmax_into(std::span(p).subspan(1, 5), std::span<T const>(p).first(5)), std::invalid_argument,
                  "overlaps");
}

// An element that was the maximum of its piece adds to the bit what it adds elsewhere, and sums are exact far beyond T.
TEMPLATE_TEST_CASE("how a row is cut does not show in its bits", "[normalizer]", float, double) {
    using T = TestType;
    std::mt19937_64 random(14);
    std::size_t different = 0, all = 0;
    for (int row = 0; row < (is_slow_build ? 20 : 200); ++row) {
        std::vector<T> x(1 + random() % 10000), whole(x.size()), pieces(x.size());
        for (T& v : x) v = normal<T>(0, 4)(random, 0);
        normalizer<T>(x).softmax_into(whole, x);
        merged_at_random(cut(std::span<T const>(x), random), random).softmax_into(pieces, x);
        for (std::size_t i = 0; i < x.size(); ++i) different += whole[i] != pieces[i];
        all += x.size();
    }
    std::printf("%zu of %zu results of %s depend on the cut\n", different, all, name_of_type<T>());
    CHECK(different <= all / 100000);  // a sum that is 2^-45 off may round the other way
}

TEMPLATE_TEST_CASE("tiled attention with rescale is attention", "[normalizer]", float, double) {
    using T = TestType;
    std::mt19937_64 random(13);
    std::size_t const keys = 300, width = 5;
    std::vector<T> scores(keys), values(keys * width);
    for (T& v : scores) v = normal<T>(0, 4)(random, 0);
    for (T& v : values) v = normal<T>(0, 1)(random, 0);
    std::vector<wide> expected(width);
    auto const g = group_of(scores);
    for (std::size_t i = 0; i < keys; ++i) {
        for (std::size_t j = 0; j < width; ++j) {
            expected[j] += g.softmax(scores[i]) * reference::exact(values[i * width + j]);
        }
    }
    std::vector<T> output(width);
    normalizer<T> n;
    for (std::size_t first = 0; first < keys; first += 64) {
        std::size_t const count = std::min<std::size_t>(64, keys - first);
        std::vector<T> tile(scores.begin() + static_cast<index_t>(first),
                            scores.begin() + static_cast<index_t>(first + count));
        normalizer<T> const before = n;
        n.push(tile);
        n.softmax_into(tile, tile);
        for (std::size_t j = 0; j < width; ++j) {
            output[j] *= rescale(before, n);
            for (std::size_t i = 0; i < count; ++i) output[j] += tile[i] * values[(first + i) * width + j];
        }
    }
    // A sum of 300 products, each at most 3, in the type itself.
    wide const margin = 300 * reference::exact(std::numeric_limits<T>::epsilon());
    for (std::size_t j = 0; j < width; ++j) CHECK(std::abs(reference::exact(output[j]) - expected[j]) <= margin);
    CHECK(rescale(normalizer<T>(), n) == 0);
    CHECK(rescale(n, n) == 1);
}

namespace {

/// Every element its own, so that no two groups are alike.
template <class T>
array<T> numbers(softax::index_list const& shape) {
    auto a = array<T>::uninitialized(shape);
    std::mt19937_64 random(3);
    std::normal_distribution<float> draw(0, 3);
    for (T& x : a) x = static_cast<T>(draw(random));
    return a;
}

template <class In>
void check_axes(view<In const> const& a, unsigned reduced) {
    using T = softax::compute_type<In>;
    std::vector<index_t> over;
    for (index_t axis = 0; axis < a.rank(); ++axis) {
        if (reduced >> axis & 1u) over.push_back(axis);
    }
    std::vector<std::ptrdiff_t> const shape(a.shape().begin(), a.shape().end()),
        strides(a.strides().begin(), a.strides().end());
    INFO("shape " << softax::detail::text_of(a.shape()) << ", axes " << reduced);
    auto const n = softax::normalizers(a, over);
    auto const sums = n.logsumexp();
    auto const expected = reference::family(reference::form::logsumexp, a.data(), shape, strides, reduced);
    REQUIRE(sums.size() == static_cast<index_t>(expected.size()));
    for (index_t i = 0; i < sums.size(); ++i) {
        CHECK(reference::ulp_error(sums.data()[i], expected[static_cast<std::size_t>(i)]) <= 1);
    }
    auto out = array<In>::uninitialized(a.shape());
    n.softmax_into(out, a, over);
    auto const p = reference::family(reference::form::softmax, a.data(), shape, strides, reduced);
    for (index_t i = 0; i < out.size(); ++i) {
        CHECK(reference::ulp_error(out.data()[i], p[static_cast<std::size_t>(i)]) <=
              reference::bound<In>(form::softmax));
    }
    // A group has the bits of a row that holds the same elements.
    if (a.rank() == 2 && reduced == 1) {
        auto const rows = softax::normalizers(array<In>(a.transpose()), 1);
        for (index_t j = 0; j < a.shape()[1]; ++j) {
            std::vector<T> column;
            for (index_t i = 0; i < a.shape()[0]; ++i) column.push_back(static_cast<T>(a(i, j)));
            CHECK(is_same_bits(rows.data()[j], n.data()[j]));
            CHECK(is_same_bits(normalizer<T>(column), n.data()[j]));
        }
    }
}

}  // namespace

TEMPLATE_TEST_CASE("normalizers over every set of axes, of any strides", "[normalizer]", float, double, softax::half,
                   softax::bfloat16) {
    for (softax::index_list const& shape :
         {softax::index_list{3, 4, 5}, {2, 3, 1}, {1, 1, 1}, {0, 3, 2}, {5, 50, 18}}) {
        auto const a = numbers<TestType>(shape);
        for (unsigned reduced = 0; reduced < 8; ++reduced) {
            check_axes<TestType>(a, reduced);
            check_axes<TestType>(view(a).transpose(), reduced);
            check_axes<TestType>(view(a).slice(1, {.step = -2}), reduced);
        }
    }
    for (softax::index_list const& shape : {softax::index_list{8200, 3}, {40, 4200}, {8195, 17}}) {
        auto const a = numbers<TestType>(shape);
        for (unsigned reduced = is_slow_build ? 1 : 0; reduced < (is_slow_build ? 3 : 4); ++reduced)
            check_axes<TestType>(a, reduced);
    }
    CHECK(softax::normalizers(array<TestType>::scalar(TestType(2.0f))).logsumexp()() == 2);
}

TEMPLATE_TEST_CASE("an array of normalizers takes slices of an axis, in any order", "[normalizer]", float, double) {
    auto const a = numbers<TestType>({6, 500, 7});
    view const v(a);
    auto const at_once = softax::normalizers(a, 1, 0.5);
    normalizer_array<TestType> slices({6, 7}), last({6, 7});
    slices.push(v.slice(1, {.start = 300, .stop = 450}), 1, 0.5);
    slices.push(v.slice(1, {.start = 0, .stop = 300}), 1, 0.5);
    slices.push(v.slice(1, {.start = 7, .stop = 7}), 1, 0.5);
    last.push(v.slice(1, {.start = 450}), 1, 0.5);
    slices.merge(last);
    for (index_t i = 0; i < 42; ++i) {
        CHECK(slices.data()[i].maximum() == at_once.data()[i].maximum());
        CHECK(std::abs(slices.data()[i].logsumexp() - at_once.data()[i].logsumexp()) <=
              8 * std::numeric_limits<TestType>::epsilon());
    }
    // In place, and into memory of other strides.
    auto p = array<TestType>::uninitialized({6, 500, 7}), q = array<TestType>::uninitialized({7, 500, 6}), r = a;
    slices.softmax_into(p, a, 1, 0.5);
    slices.softmax_into(view(q).transpose(), a, 1, 0.5);
    slices.softmax_into(r, r, 1, 0.5);
    CHECK(p == r);
    CHECK(p == array<TestType>(view<TestType const>(q).transpose()));
    slices.log_softmax_into(r, a, 1, 0.5);
    for (index_t i = 0; i < r.size(); ++i) {
        CHECK(std::abs(std::exp(r.data()[i]) - p.data()[i]) <= 64 * std::numeric_limits<TestType>::epsilon());
    }
    REQUIRE_FAILS(slices.push(a, 0), std::invalid_argument, "(500, 7)");
    REQUIRE_FAILS(slices.push(a, 3), std::out_of_range, "axis 3");
    REQUIRE_FAILS(slices.merge(softax::normalizers(a, 0)), std::invalid_argument, "(500, 7)");
    REQUIRE_FAILS(slices.softmax_into(p, a, {0, 1}), std::invalid_argument, "(7,)");
    REQUIRE_FAILS(slices.softmax_into(p, view(a).slice(1, {.stop = 5}), 1), std::invalid_argument, "out has shape");
    REQUIRE_FAILS(softax::normalizers(a, 1, nan_of<double>), std::invalid_argument, "scale");
}

// Merged a packet at a time, but for maxima that are the same, far apart, huge or not finite.
TEMPLATE_TEST_CASE("arrays of normalizers merge as their groups do", "[normalizer]", float, double) {
    using T = TestType;
    std::mt19937_64 random(25);
    std::normal_distribution<double> draw(0, 4);
    for (index_t const n : {1, 3, 4, 16, 31, 32, 33, 100}) {
        for (double const apart : {0.0, 30.0, 690.0, 710.0, 3000.0, -3000.0}) {
            array<T> a({n, 3}, T(0)), b({n, 3}, T(0));
            for (T& x : a) x = static_cast<T>(draw(random));
            for (T& x : b) x = static_cast<T>(draw(random) + apart);
            for (index_t i = 0; i < n; i += 5) b(i, 0) = a(i, 0) = static_cast<T>(50 + apart);
            for (index_t i = 1; i < n; i += 7) b(i, 1) = i % 2 == 0 ? nan_of<T> : -infinity<T>;
            auto const of_a = softax::normalizers(a, 1, 0.7), of_b = softax::normalizers(b, 1);
            auto both = of_a, turned = of_b, pushed = of_a;
            both.merge(of_b);
            turned.merge(of_a);
            pushed.push(b, 1);
            both.merge(normalizer_array<T>(softax::index_list{n}));
            INFO("n " << n << ", apart " << apart);
            for (index_t i = 0; i < n; ++i) {
                auto const &found = both.data()[i], expected = merged(of_a.data()[i], of_b.data()[i]);
                CHECK(is_same_bits(found, pushed.data()[i]));
                CHECK((is_same_bits(found, turned.data()[i]) || std::isnan(found.maximum())));
                CHECK((found.maximum() == expected.maximum() || std::isnan(expected.maximum())));
                CHECK((found.sum() == expected.sum() || std::isnan(expected.sum())));
            }
        }
    }
}

TEST_CASE("a row that arrives in pieces, in two passes, is the row", "[normalizer]") {
    auto const x = numbers<float>({100000});
    normalizer<float> n;
    for (index_t i = 0; i < x.size(); i += 777) {
        n.push(std::span<float const>(x.data() + i, static_cast<std::size_t>(std::min<index_t>(777, x.size() - i))));
    }
    auto y = array<float>::uninitialized(x.shape());
    for (index_t i = 0; i < x.size(); i += 991) {
        auto const length = static_cast<std::size_t>(std::min<index_t>(991, x.size() - i));
        n.softmax_into(std::span<float>(y.data() + i, length), std::span<float const>(x.data() + i, length));
    }
    reference::group<float> const g(x.size(), [&](index_t i) { return x(i); });
    for (index_t i = 0; i < x.size(); i += 101) {
        CHECK(reference::ulp_error(y(i), reference::expected_of(form::softmax, g, x(i))) <= 4);
    }
}

namespace {

/// How a mask lies against an array of rank 3.
enum class masking { none, full, along_last, per_row, nothing_left };
constexpr masking maskings[] = {masking::none, masking::full, masking::along_last, masking::per_row,
                                masking::nothing_left};

array<bool> mask_of(masking how, softax::index_list const& shape, std::mt19937_64& random) {
    switch (how) {
        case masking::none:
            return array<bool>::scalar(true);
        case masking::full:
            return said::mask(shape, random);
        case masking::along_last:
            return said::mask({shape[2]}, random);
        case masking::per_row:
            return said::mask({shape[0], shape[1], 1}, random);
        case masking::nothing_left:
            return array<bool>::scalar(false);
    }
    return array<bool>::scalar(true);
}

/// Results for an array and for its options, compared with the plain reference.
template <class In>
class judge_of {
public:
    judge_of(view<In const> const& a, unsigned reduced, softax::options const& o)
        : a_(a), live_(a.shape(), true), reduced_(reduced), o_(said::rounded<In>(o.scale, o.extra)) {
        if (o.where) live_ = array<bool>(o.where->broadcast_to(a.shape()));
    }

    template <class R>
    void operator()(form f, array<R> const& found) const {
        auto const expected = said::family(f, a_, live_, reduced_, o_);
        REQUIRE(found.size() == static_cast<index_t>(expected.size()));
        for (index_t i = 0; i < found.size(); ++i) {
            auto const& right = expected[static_cast<std::size_t>(i)];
            wide const error = reference::ulp_error(found.data()[i], right);
            if (error <= reference::bound<R>(f)) continue;
            FAIL_CHECK(name_of(f) << ", element " << i << ": " << found.data()[i] << " is not " << right.value);
            return;
        }
    }

private:
    array<In> a_;
    array<bool> live_;
    unsigned reduced_;
    reference::said o_;
};

template <class T>
bool is_same_bits(normalizer_array<T> const& a, normalizer_array<T> const& b) {
    return a.shape() == b.shape() &&
           std::equal(a.begin(), a.end(), b.begin(), [](auto const& x, auto const& y) { return is_same_bits(x, y); });
}

template <class R>
bool is_same_bits(array<R> const& a, array<R> const& b) {
    return std::equal(a.begin(), a.end(), b.begin(), [](R x, R y) { return bits_of(x) == bits_of(y); });
}

softax::stream const one_thread(softax::device::cpu, 1), four_threads(softax::device::cpu, 4);

/// Everything at once; in two pieces, the second first, each with its part of the mask.
template <class In>
void check_options(view<In const> const& a, unsigned reduced, softax::options const& o) {
    using R = softax::result_type<In>;
    INFO("shape " << softax::detail::text_of(a.shape()) << ", axes " << reduced << ", scale " << o.scale << ", extra "
                  << o.extra << ", mask "
                  << (o.where ? softax::detail::text_of(o.where->shape()) : std::string("none")));
    auto const over = said::axes_of(reduced);
    judge_of<In> const judge(a, reduced, o);
    auto const n = softax::normalizers(a, over, o);
    auto p = array<R>::uninitialized(a.shape()), l = p;
    n.softmax_into(p, a, over, o);
    n.log_softmax_into(l, a, over, o);
    judge(form::logsumexp, n.logsumexp());
    judge(form::softmax, p);
    judge(form::log_softmax, l);

    if (reduced != 0) {
        index_t const axis = over[0], cut = a.shape()[axis] / 3;
        softax::bounds const slices[] = {{.start = 0, .stop = cut}, {.start = cut}};
        auto const of = [&](softax::bounds const& b) {
            softax::options part = o;
            if (o.where) part.where = o.where->broadcast_to(a.shape()).slice(axis, b);
            return part;
        };
        auto first = of(slices[0]);
        first.extra = -infinity<double>;
        decltype(softax::normalizers(a, over, o)) pieces(n.shape());
        pieces.push(a.slice(axis, slices[1]), over, of(slices[1]));
        pieces.push(a.slice(axis, slices[0]), over, first);
        for (auto const& b : slices) {
            pieces.softmax_into(view(p).slice(axis, b), a.slice(axis, b), over, of(b));
            pieces.log_softmax_into(view(l).slice(axis, b), a.slice(axis, b), over, of(b));
        }
        judge(form::logsumexp, pieces.logsumexp());
        judge(form::softmax, p);
        judge(form::log_softmax, l);
    }
}

/// Every element its own, and what must not be read where the mask says so.
template <class In>
array<In> numbers_under(view<bool const> const& mask, softax::index_list const& shape, std::mt19937_64& random) {
    auto a = array<In>::uninitialized(shape);
    array<bool> const live(mask.broadcast_to(shape));
    for (index_t i = 0; i < a.size(); ++i) {
        a.data()[i] = said::number<In>(random);
        if constexpr (!std::is_integral_v<In>) {
            if (!live.data()[i]) a.data()[i] = static_cast<In>(i % 2 == 0 ? nan_of<float> : infinity<float>);
        }
    }
    return a;
}

}  // namespace

TEMPLATE_TEST_CASE("masks, scales and extra logits over every set of axes, at once and in pieces", "[normalizer]",
                   float, double, softax::half, softax::bfloat16, bool, std::int8_t, std::uint8_t, std::int16_t,
                   std::uint16_t, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t) {
    using In = TestType;
    std::mt19937_64 random(21);
    for (softax::index_list const& shape : {softax::index_list{3, 4, 5}, {2, 1, 7}, {0, 3, 2}, {4, 50, 18}}) {
        if (is_slow_build && shape[0] == 4) continue;
        for (masking const how : maskings) {
            auto const mask = mask_of(how, shape, random);
            auto const a = numbers_under<In>(mask, shape, random);
            for (unsigned reduced = 0; reduced < 8; ++reduced) {
                softax::options o = {.scale = reduced % 3 == 0 ? 1 : reduced % 3 == 1 ? -0.3 : 0.7};
                if (random() % 3 == 0) o.extra = 0.5;
                if (how != masking::none) o.where = mask;
                check_options<In>(a, reduced, o);
                if (o.where) o.where = o.where->broadcast_to(shape).slice(1, {.step = -2});
                check_options<In>(view(a).slice(1, {.step = -2}), reduced, o);
                if (o.where) o.where = o.where->transpose();
                check_options<In>(view(a).slice(1, {.step = -2}).transpose(), reduced, o);
            }
        }
    }
}

namespace {

/// Each group by itself, in a row of its own, knows the same, and makes the same of it.
template <class In>
void check_groups(view<In const> const& a, unsigned reduced, softax::options const& o) {
    using T = softax::compute_type<In>;
    INFO("shape " << softax::detail::text_of(a.shape()) << ", axes " << reduced << ", scale " << o.scale
                  << (o.where ? ", masked" : ""));
    auto const over = said::axes_of(reduced);
    array<bool> const live = o.where ? array<bool>(o.where->broadcast_to(a.shape())) : array<bool>(a.shape(), true);
    auto const n = softax::normalizers(a, over, o);
    auto p = array<In>::uninitialized(a.shape()), l = p;
    n.softmax_into(p, a, over, o);
    n.log_softmax_into(l, a, over, o);
    struct group {
        std::vector<T> all, left, p, l;
        std::vector<bool> live;
    };
    std::vector<group> groups(static_cast<std::size_t>(n.size()));
    index_t at[3] = {0, 0, 0};
    for (at[0] = 0; at[0] < a.shape()[0]; ++at[0]) {
        for (at[1] = 0; at[1] < a.shape()[1]; ++at[1]) {
            for (at[2] = 0; at[2] < a.shape()[2]; ++at[2]) {
                index_t number = 0;
                for (index_t axis = 0; axis < 3; ++axis) {
                    if (!(reduced >> axis & 1u)) number = number * a.shape()[axis] + at[axis];
                }
                group& g = groups[static_cast<std::size_t>(number)];
                g.all.push_back(static_cast<T>(a(at[0], at[1], at[2])));
                g.live.push_back(live(at[0], at[1], at[2]));
                if (g.live.back()) g.left.push_back(g.all.back());
                g.p.push_back(static_cast<T>(p(at[0], at[1], at[2])));
                g.l.push_back(static_cast<T>(l(at[0], at[1], at[2])));
            }
        }
    }
    bool are_same = true;
    for (index_t i = 0; i < n.size(); ++i) {
        group const& g = groups[static_cast<std::size_t>(i)];
        normalizer<T> const own(g.left, o.scale);
        T const m = own.maximum(), found = n.data()[i].maximum();
        are_same = are_same && (m == found || (std::isnan(m) && std::isnan(found)));
        are_same = are_same && n.data()[i].empty() == own.empty();
        // Rounded on their way from one pivot to another.
        T const rounding = 4 * std::numeric_limits<T>::epsilon() * own.sum();
        if (std::isfinite(m)) are_same = are_same && std::abs(own.sum() - n.data()[i].sum()) <= rounding;
        std::vector<T> x(g.all.size());
        auto const see = [&](std::vector<T> const& made, T nothing) {
            for (std::size_t k = 0; k < x.size(); ++k) {
                T const expected = static_cast<T>(static_cast<In>(g.live[k] ? x[k] : nothing));
                are_same = are_same && (expected == made[k] || (std::isnan(expected) && std::isnan(made[k])));
            }
        };
        n.data()[i].softmax_into(x, std::span<T const>(g.all), o.scale);
        see(g.p, T(0));
        n.data()[i].log_softmax_into(x, std::span<T const>(g.all), o.scale);
        see(g.l, -infinity<T>);
    }
    CHECK(are_same);
}

}  // namespace

// Groups that share packets, lines and blocks must not show it, nor what in one is NaN or infinite in another.
TEMPLATE_TEST_CASE("normalizers over axes know of their groups what those of rows do", "[normalizer]", float, double,
                   softax::half) {
    using In = TestType;
    std::mt19937_64 random(24);
    for (softax::index_list const& shape : {softax::index_list{1, 70, 3},
                                            {3, 20, 24},
                                            {1, 9, 100},
                                            {2, 3, 700},
                                            {1, 1, 70000},
                                            {2, 5, 300},
                                            {1, 300, 70},
                                            {1, 1300, 9},
                                            {20, 4, 6},
                                            {1, 9000, 5},
                                            {3, 40, 33}}) {
        if (is_slow_build && softax::detail::size_of(shape) > 20000) continue;
        for (masking const how : {masking::none, masking::full, masking::per_row}) {
            auto const mask = mask_of(how, shape, random);
            auto a = numbers_under<In>(mask, shape, random);
            for (int special = 0; special < (how == masking::full ? 9 : 0); ++special) {
                float const of[] = {nan_of<float>, infinity<float>, -infinity<float>};
                auto const place = random() % static_cast<std::size_t>(a.size());
                a.data()[place] = static_cast<In>(of[special % 3]);
            }
            for (index_t k = 0; k < shape[2]; ++k) a(shape[0] - 1, shape[1] - 1, k) = static_cast<In>(-infinity<float>);
            for (unsigned const reduced : {2u, 4u, 5u}) {
                softax::options o = {.scale = reduced % 2 == 0 ? 1 : 0.3};
                if (how != masking::none) o.where = mask;
                check_groups<In>(a, reduced, o);
                if (o.where) o.where = o.where->broadcast_to(shape).transpose();
                check_groups<In>(view(a).transpose(), reduced, o);
            }
        }
    }
}

// A double has no room for the maximum of 64-bit integers, and a float none for their differences.
TEMPLATE_TEST_CASE("integers are subtracted before they are rounded, in pieces too", "[normalizer]", std::int64_t,
                   std::uint64_t) {
    using limits = std::numeric_limits<TestType>;
    TestType const far = TestType{1} << 62, wide_apart = TestType{1000000000000000000};
    for (auto const& row : {std::vector<TestType>{far, far - 1, far - 3},
                            {far + wide_apart, far},
                            {limits::max(), limits::max() - 2, 0},
                            {limits::lowest(), limits::lowest() + 1, limits::max()},
                            {far, far - 1000, far - 1025}}) {
        array<TestType> const a({1, 1, static_cast<index_t>(row.size())}, row);
        for (double const scale : {1.0, -1.0, 0.3, -1e-3, 1e-18, 0.0}) {
            check_options<TestType>(a, 4, {.scale = scale});
            for (double const extra : {-5.0, 4e18, 4.6116860184273879e18, 1e30}) {
                check_options<TestType>(a, 4, {.scale = scale, .extra = extra});
            }
        }
    }
}

TEMPLATE_TEST_CASE("any number of threads gives the same bits", "[normalizer]", float, softax::half, std::int32_t,
                   std::int64_t) {
    using In = TestType;
    using R = softax::result_type<In>;
    std::mt19937_64 random(22);
    for (softax::index_list const& shape : {softax::index_list{3, 160, 150}, {1, 3, 30000}, {2, 40000, 1}}) {
        for (masking const how : {masking::none, masking::full, masking::along_last}) {
            auto const mask = mask_of(how, shape, random);
            auto const a = numbers_under<In>(mask, shape, random);
            for (unsigned const reduced : {0u, 1u, 2u, 4u, 6u, 7u}) {
                if (reduced < 2 && how != masking::none) continue;
                if (is_slow_build && (reduced < 2 || how == masking::full)) continue;
                INFO("shape " << softax::detail::text_of(shape) << ", axes " << reduced << ", masking " << int(how));
                auto const over = said::axes_of(reduced);
                softax::options o = {.scale = 0.7, .extra = 0.25};
                if (how != masking::none) o.where = mask;
                auto const n = softax::normalizers(a, over, o);
                auto p = array<R>::uninitialized(shape), q = p;
                n.softmax_into(p, a, over, o);
                for (auto const& threads : {one_thread, four_threads}) {
                    o.on = threads;
                    CHECK(is_same_bits(softax::normalizers(a, over, o), n));
                    n.softmax_into(q, a, over, o);
                    CHECK(is_same_bits(p, q));
                }
            }
        }
    }
}

// Were pieces merged by whichever thread is done, some would be lost.
TEST_CASE("pieces of one long row on several threads are all counted, once", "[normalizer]") {
    for (int round = 0; round < 10; ++round) {
        auto const n = softax::normalizers(array<float>({2000000}, 1.0f), -1, {.on = four_threads});
        REQUIRE(n.data()->sum() == 2000000);
    }
}

TEST_CASE("groups that a mask leaves empty, here or everywhere", "[normalizer]") {
    float const inf = infinity<float>, nan = nan_of<float>;
    array<float> const left = {{1, nan}, {2, 3}, {nan, nan}, {nan, 7}},
                       right = {{4, 5}, {inf, nan}, {nan, inf}, {nan, 8}};
    array<bool> const left_live = {{true, false}, {true, true}, {false, false}, {true, false}};
    array<bool> const right_live = {{true, true}, {false, false}, {false, false}, {false, true}};
    auto n = softax::normalizers(left, -1, {.where = left_live});
    n.push(right, -1, {.where = right_live});
    CHECK(n.data()[2].empty());
    auto const sums = n.logsumexp();
    CHECK(sums(0) == Catch::Detail::Approx(std::log(std::exp(1.0) + std::exp(4.0) + std::exp(5.0))));
    CHECK(sums(1) == Catch::Detail::Approx(std::log(std::exp(2.0) + std::exp(3.0))));
    CHECK(sums(2) == -inf);
    CHECK(std::isnan(sums(3)));
    auto p = left, l = right;
    n.softmax_into(p, p, -1, {.where = left_live});
    n.log_softmax_into(l, l, -1, {.where = right_live});
    CHECK(p(0, 1) == 0);
    CHECK(p(1, 0) + p(1, 1) == Catch::Detail::Approx(1));
    CHECK((p(2, 0) == 0 && p(2, 1) == 0));
    CHECK((std::isnan(p(3, 0)) && p(3, 1) == 0));  // what is left out of a group that is NaN is left out no less
    CHECK((l(1, 0) == -inf && l(1, 1) == -inf && l(2, 0) == -inf && l(2, 1) == -inf));
    CHECK((l(3, 0) == -inf && std::isnan(l(3, 1))));
    // An extra logit belongs to every group, and once.
    softax::options const o = {.where = left_live, .extra = 2, .keepdims = true};
    auto const with_extra = softax::normalizers(left, -1, o);
    CHECK(with_extra.shape() == softax::index_list{4});
    CHECK(with_extra.logsumexp()(2) == 2);
    p = left;
    with_extra.softmax_into(p, p, -1, o);
    CHECK((p(2, 0) == 0 && p(2, 1) == 0));
    CHECK(p(0, 0) == Catch::Detail::Approx(1 / (1 + std::exp(1.0))));
    CHECK(with_extra.logsumexp()(0) == Catch::Detail::Approx(std::log(std::exp(1.0) + std::exp(2.0))));
    auto const no_elements = softax::normalizers(array<float>({2, 0}, 0.0f), -1, {.extra = 3});
    CHECK(no_elements.logsumexp() == array<float>({2}, 3));
    // A scale alone may stand where options stand.
    auto const a = numbers<float>({5, 300});
    CHECK(is_same_bits(softax::normalizers(a, -1, 0.3), softax::normalizers(a, -1, {.scale = 0.3})));
    CHECK(is_same_bits(softax::normalizers(a, -1, {}), softax::normalizers(a, -1, 1)));
}

TEST_CASE("options that make no sense are refused before anything is pushed", "[normalizer]") {
    auto const a = numbers<float>({3, 4});
    array<std::int64_t> const i({3, 4}, 1);
    array<bool> const live({3, 4}, true), other({4, 3}, true);
    auto n = softax::normalizers(a, -1);
    auto const before = n;
    auto p = a;
    REQUIRE_FAILS(n.push(a, -1, {.where = other}), std::invalid_argument, "(4, 3) cannot be broadcast to (3, 4)");
    REQUIRE_FAILS(n.push(a, -1, {.scale = infinity<double>, .extra = 1}), std::invalid_argument, "scale");
    REQUIRE_FAILS(n.softmax_into(p, a, -1, {.where = other}), std::invalid_argument, "(4, 3)");
    REQUIRE_FAILS(n.softmax_into(p, a, -1, {.scale = nan_of<double>}), std::invalid_argument, "scale");
    auto* const bytes = reinterpret_cast<bool*>(p.data());
    view<bool const> const inside(bytes, {3, 4});
    REQUIRE_FAILS(n.log_softmax_into(p, a, -1, {.where = inside}), std::invalid_argument, "where overlaps out");
    CHECK(p == a);
    CHECK(is_same_bits(n, before));
    auto q = array<float>::uninitialized({4, 3});
    auto const of_integers = softax::normalizers(i, -1);
    REQUIRE_FAILS(of_integers.softmax_into(q, i, -1), std::invalid_argument, "out has shape");
}

TEMPLATE_TEST_CASE("a push, a merge and a finish clear the upper halves of vector registers", "[normalizer]", float,
                   double) {
    auto const a = numbers<TestType>({5, 300});
    array<bool> const where({5, 300}, true);
    auto p = a;
    for (index_t const axis : {0, 1}) {
        CAPTURE(axis);
        CHECK(registers::stay_clear([&] { softax::normalizers(a, axis); }));
        auto const n = softax::normalizers(a, axis);
        CHECK(registers::stay_clear([&] { n.softmax_into(p, a, axis); }));
        CHECK(registers::stay_clear([&] { n.softmax_into(p, a, axis, {.where = view<bool const>(where)}); }));
        CHECK(registers::stay_clear([&] { n.log_softmax_into(p, a, axis); }));
        CHECK(registers::stay_clear([&] { n.logsumexp(); }));
    }
    normalizer<TestType> one;
    CHECK(registers::stay_clear([&] { one.push(TestType(2)); }));
    CHECK(registers::stay_clear([&] { one.push(std::span(a.data(), 77)); }));
    CHECK(registers::stay_clear([&] { one.merge(one); }));
    CHECK(registers::stay_clear([&] { one.logsumexp(); }));
}
