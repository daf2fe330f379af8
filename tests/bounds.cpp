// The error bounds of the design's table, measured in ULP against long double and asserted, on the rows that make other
// libraries lose digits: long, spread, far from 0, nearly one-hot. Both kernels. The measured maxima are printed.
#include "catch.hpp"
#include "family.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

using softax::array;
using softax::index_t;
using softax::view;
using namespace family;
using reference::wide;

namespace {

/// The largest errors seen: of the three functions in ULP, of the sum of probabilities in epsilon.
struct errors {
    wide worst[3] = {0, 0, 0}, sum = 0;
    bool is_above_zero = false;  // a log_softmax

    void see(form f, wide error) {
        wide& w = worst[static_cast<int>(f)];
        if (!(error <= w)) w = error;
    }
    void merge(errors const& other) {
        for (form const f : forms) see(f, other.worst[static_cast<int>(f)]);
        sum = std::max(sum, other.sum);
        is_above_zero = is_above_zero || other.is_above_zero;
    }
};

template <class T>
using fill_of = std::function<void(array<T>& row, std::mt19937_64& random)>;

/// A row with its reference.
template <class T>
struct judged {
    array<T> x;
    reference::group<T> group;
    std::vector<reference::expected> softmax, log_softmax;  // only of rows that are used in many places

    judged(array<T> row, bool is_kept) : x(std::move(row)), group(x.size(), [this](index_t i) { return x(i); }) {
        if (!is_kept) return;
        for (T const e : x) {
            softmax.push_back(reference::expected_of(form::softmax, group, e));
            log_softmax.push_back(reference::expected_of(form::log_softmax, group, e));
        }
    }

    reference::expected expected(form f, index_t i) const {
        auto const& kept = f == form::softmax ? softmax : log_softmax;
        return kept.empty() ? reference::expected_of(f, group, x(i)) : kept[static_cast<std::size_t>(i)];
    }
};

/// Compares one row of results: element i lies at [i * stride].
template <class T>
void judge(errors& e, judged<T> const& row, T const* softmax, T const* log_softmax, index_t stride, T logsumexp) {
    index_t const n = row.x.size(), skip = n > 100000 ? 101 : 1;  // of the longest rows, some in every lane
    for (index_t i = 0; i < n; i += skip) {
        e.see(form::softmax, reference::ulp_error(softmax[i * stride], row.expected(form::softmax, i)));
        e.see(form::log_softmax, reference::ulp_error(log_softmax[i * stride], row.expected(form::log_softmax, i)));
    }
    e.see(form::logsumexp, reference::ulp_error(logsumexp, reference::expected_of(form::logsumexp, row.group, T{})));
    reference::sum total;
    for (index_t i = 0; i < n; ++i) {
        total.add(reference::exact(softmax[i * stride]));
        if (log_softmax[i * stride] > T{}) e.is_above_zero = true;
    }
    e.sum = std::max(e.sum, std::abs(total.value() - 1) / reference::exact(std::numeric_limits<T>::epsilon()));
}

/// The rows as they are, one below the other.
template <class T>
errors errors_of_rows(std::vector<judged<T>> const& rows) {
    auto const count = static_cast<index_t>(rows.size()), n = rows[0].x.size();
    auto a = array<T>::uninitialized({count, n});
    for (index_t i = 0; i < count; ++i) std::copy_n(rows[static_cast<std::size_t>(i)].x.data(), n, a.data() + i * n);
    auto const p = run<T>(form::softmax, a, -1), l = run<T>(form::log_softmax, a, -1),
               s = run<T>(form::logsumexp, a, -1);
    errors e;
    for (index_t i = 0; i < count; ++i) {
        judge(e, rows[static_cast<std::size_t>(i)], p.data() + i * n, l.data() + i * n, 1, s(i));
    }
    return e;
}

/// The rows as columns, repeated to a panel of the given width.
template <class T>
errors errors_of_panel(std::vector<judged<T>> const& rows, index_t width) {
    index_t const n = rows[0].x.size();
    auto const row_of_column = [&](index_t j) -> judged<T> const& {
        return rows[static_cast<std::size_t>(j + width) % rows.size()];
    };
    auto a = array<T>::uninitialized({n, width});
    for (index_t j = 0; j < width; ++j) {
        for (index_t i = 0; i < n; ++i) a(i, j) = row_of_column(j).x(i);
    }
    auto const p = run<T>(form::softmax, a, 0), l = run<T>(form::log_softmax, a, 0), s = run<T>(form::logsumexp, a, 0);
    errors e;
    for (index_t j = 0; j < width; ++j) judge(e, row_of_column(j), p.data() + j, l.data() + j, width, s(j));
    return e;
}

template <class T>
void report(std::string const& name, char const* kernel, errors const& e) {
    std::printf("%-42s %-9s %-5s %11.3Lf %11.3Lf %11.3Lf %9.2Lf\n", name.c_str(), name_of_type<T>(), kernel, e.worst[0],
                e.worst[1], e.worst[2], e.sum);
    if (std::is_same_v<T, double> && !reference::judges_double) return;
    INFO(name << ", " << name_of_type<T>() << ", " << kernel);
    CHECK(e.worst[0] <= reference::bound<T>(form::softmax));
    CHECK(e.worst[1] <= reference::bound<T>(form::log_softmax));
    CHECK(e.worst[2] <= reference::bound<T>(form::logsumexp));
    CHECK_FALSE(e.is_above_zero);
}

void heading() {
    std::printf("\n%-42s %-9s %-5s %11s %11s %11s %9s\n", "maximum error in ULP", "type", "", "softmax", "log_softmax",
                "logsumexp", "sum/eps");
}

/// Rows of one kind and length through both kernels.
template <class T>
void measure(std::string const& name, index_t n, fill_of<T> const& fill, bool adds_up = true) {
    std::mt19937_64 random(static_cast<std::uint64_t>(n) * 31 + name.size());
    std::size_t const count = n > 100000 ? 1 : n > 5000 ? 3 : is_slow_build ? 5 : 17;
    std::vector<judged<T>> rows;
    rows.reserve(count);  // a judged row must not move
    for (std::size_t i = 0; i < count; ++i) {
        auto x = array<T>::uninitialized({n});
        fill(x, random);
        rows.emplace_back(std::move(x), n <= 100000);
    }
    errors const in_rows = errors_of_rows(rows);
    errors in_panels;
    std::vector<index_t> const widths = n > 100000      ? std::vector<index_t>{2}
                                        : n > 5000      ? std::vector<index_t>{1, 3, 17}
                                        : is_slow_build ? std::vector<index_t>{1, 3, 8, 17}
                                                        : std::vector<index_t>{1, 2, 3, 7, 8, 17, 64, 300};
    for (index_t const width : widths) in_panels.merge(errors_of_panel(rows, width));
    std::string const full_name = name + ", n = " + std::to_string(n);
    report<T>(full_name, "row", in_rows);
    report<T>(full_name, "panel", in_panels);
    if (adds_up) {
        CHECK(in_rows.sum <= 4);
        CHECK(in_panels.sum <= 4);
    }
}

template <class T>
fill_of<T> normal(double mean, double deviation) {
    return [=](array<T>& row, std::mt19937_64& random) {
        std::normal_distribution<double> draw(mean, deviation);
        for (T& x : row) x = static_cast<T>(draw(random));
    };
}

template <class T>
fill_of<T> uniform(double low, double high) {
    return [=](array<T>& row, std::mt19937_64& random) {
        std::uniform_real_distribution<double> draw(low, high);
        for (T& x : row) x = static_cast<T>(draw(random));
    };
}

/// x_i = i * step.
template <class T>
fill_of<T> steps(double step) {
    return [=](array<T>& row, std::mt19937_64&) {
        for (index_t i = 0; i < row.size(); ++i) row(i) = static_cast<T>(static_cast<double>(i) * step);
    };
}

/// One 0 among the same -t, t from 1e-3 to where the others vanish.
template <class T>
fill_of<T> confident() {
    return [](array<T>& row, std::mt19937_64& random) {
        double const most = std::is_same_v<T, double> ? 760 : 110;
        std::uniform_real_distribution<double> draw(std::log(1e-3), std::log(most));
        std::fill(row.begin(), row.end(), static_cast<T>(-std::exp(draw(random))));
        row(static_cast<index_t>(random() % static_cast<std::uint64_t>(row.size()))) = T{};
    };
}

/// Random signs and magnitudes from 2^low to 2^high.
template <class T>
fill_of<T> magnitudes(int low, int high) {
    return [=](array<T>& row, std::mt19937_64& random) {
        std::uniform_real_distribution<double> draw(low, high);
        for (T& x : row) x = static_cast<T>((random() % 2 == 0 ? 1 : -1) * std::exp2(draw(random)));
    };
}

template <class T>
fill_of<T> masked() {
    return [](array<T>& row, std::mt19937_64& random) {
        normal<T>(0, 1)(row, random);
        for (index_t i = 1; i < row.size(); ++i) {
            if (random() % 2 == 0) row(i) = -std::numeric_limits<T>::infinity();
        }
    };
}

/// Neighbouring numbers near a huge one.
template <class T>
fill_of<T> neighbours(T base) {
    return [=](array<T>& row, std::mt19937_64& random) {
        for (T& x : row) x = random() % 2 == 0 ? base : std::nextafter(base, T{0});
    };
}

constexpr index_t longest = is_slow_build ? 1000000 : 10000000;

TEMPLATE_TEST_CASE("normal rows", "[bounds]", float, double) {
    heading();
    measure<TestType>("N(0,1)", 1000, normal<TestType>(0, 1));
    measure<TestType>("N(0,1)", 32000, normal<TestType>(0, 1));
    measure<TestType>("N(0,1)", longest, normal<TestType>(0, 1));
    measure<TestType>("N(0,10)", 1000, normal<TestType>(0, 10));
    measure<TestType>("N(0,100)", 1000, normal<TestType>(0, 100));
    for (index_t const n : {127, 128, 129, 511, 512, 513, 4095, 4096, 4097}) {
        measure<TestType>("N(0,3)", n, normal<TestType>(0, 3));
    }
}

TEMPLATE_TEST_CASE("rows of every short length", "[bounds]", float, double) {
    heading();
    errors in_rows, in_panels;
    std::mt19937_64 random(1);
    for (index_t n = 1; n <= 140; ++n) {
        std::vector<judged<TestType>> rows;
        rows.reserve(9);
        for (double const deviation : {0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0}) {
            auto x = array<TestType>::uninitialized({n});
            normal<TestType>(0, deviation)(x, random);
            rows.emplace_back(std::move(x), true);
        }
        in_rows.merge(errors_of_rows(rows));
        in_panels.merge(errors_of_panel(rows, 9));
        in_panels.merge(errors_of_panel(rows, 20));
    }
    report<TestType>("N(0,0.01) to N(0,30), n to 140", "row", in_rows);
    report<TestType>("N(0,0.01) to N(0,30), n to 140", "panel", in_panels);
    CHECK(in_rows.sum <= 4);
    CHECK(in_panels.sum <= 4);
}

TEMPLATE_TEST_CASE("long equal rows", "[bounds]", float, double) {
    heading();
    auto const equal = [](array<TestType>& row, std::mt19937_64&) {
        std::fill(row.begin(), row.end(), static_cast<TestType>(-0.7));
    };
    measure<TestType>("-0.7", longest, equal);
    measure<TestType>("-0.7 and one 0", longest, [&](array<TestType>& row, std::mt19937_64& random) {
        equal(row, random);
        row(row.size() / 3) = 0;
    });
    measure<TestType>("-17 and one 0", longest, [&](array<TestType>& row, std::mt19937_64&) {
        std::fill(row.begin(), row.end(), TestType{-17});
        row(row.size() - 1) = 0;
    });
}

TEMPLATE_TEST_CASE("spread rows", "[bounds]", float, double) {
    heading();
    double const most = std::is_same_v<TestType, double> ? 760 : 110;
    measure<TestType>("uniform, down to where exp is 0", 1000, uniform<TestType>(-most, 0));
    measure<TestType>("steps of 0.1", 1000, steps<TestType>(0.1));
    measure<TestType>("steps of -0.1", 1000, steps<TestType>(-0.1));
    for (double const c : {1e-4, 1e-3, 0.01, 0.37, 0.6931471805599453, 1.0, 5.3}) {
        measure<TestType>("x_i = -i * " + std::to_string(c), 300, steps<TestType>(-c));
    }
}

TEMPLATE_TEST_CASE("rows far from 0", "[bounds]", float, double) {
    heading();
    for (double const offset : {1e3, -1e3, 1e4, -1e4, 1e6, -1e6}) {
        measure<TestType>("N(" + std::to_string(static_cast<long>(offset)) + ",1)", 1003, normal<TestType>(offset, 1));
        measure<TestType>("N(" + std::to_string(static_cast<long>(offset)) + ",20)", 1003,
                          normal<TestType>(offset, 20));
    }
    TestType const huge =
        std::is_same_v<TestType, double> ? static_cast<TestType>(1.7e308) : static_cast<TestType>(3e38);
    measure<TestType>("neighbours of the largest", 1003, neighbours<TestType>(huge));
    measure<TestType>("neighbours of the lowest", 1003, neighbours<TestType>(-huge));
    measure<TestType>("neighbours of 1e6", 1003, neighbours<TestType>(1000000));
}

TEMPLATE_TEST_CASE("magnitudes of every exponent", "[bounds]", float, double) {
    using limits = std::numeric_limits<TestType>;
    heading();
    measure<TestType>("2^least to 2^greatest", 1000,
                      magnitudes<TestType>(limits::min_exponent - limits::digits, limits::max_exponent - 1));
    measure<TestType>("2^-60 to 2^7", 1000, magnitudes<TestType>(-60, 7));
    measure<TestType>("2^-20 to 2^10", 300, magnitudes<TestType>(-20, 10));
    measure<TestType>("2^-10 to 2^2", 1000, magnitudes<TestType>(-10, 2));
    measure<TestType>("subnormal", 100,
                      magnitudes<TestType>(limits::min_exponent - limits::digits, limits::min_exponent - 2));
    measure<TestType>("N(0,1), half of them -inf", 1000, masked<TestType>());
}

TEMPLATE_TEST_CASE("confident classes", "[bounds]", float, double) {
    heading();
    for (index_t const n : {2, 3, 10, 33, 1000}) measure<TestType>("0 and -t", n, confident<TestType>());
    measure<TestType>("one 20 above N(0,1)", 1000, [](array<TestType>& row, std::mt19937_64& random) {
        normal<TestType>(0, 1)(row, random);
        row(7) = 20;
    });
}

TEMPLATE_TEST_CASE("one maximum above equal elements", "[bounds]", float, double) {
    // The error of the one exponential that all the others share does not average out.
    heading();
    errors in_rows, in_panels;
    std::mt19937_64 random(3);
    std::uniform_real_distribution<double> log_t(std::log(0.01), std::log(40.0)), near(-2, 2);
    double const maxima[] = {0, 0.3, -0.3, 5, 100, -300, 700};
    // Near 0, where the ULP of 1 is the bound of logsumexp, the least room is left; x and n of two such rows.
    std::vector<std::pair<double, index_t>> const known = {{-1.7685086727142334, 16}, {-1.7100948095321655, 34}};
    std::size_t const count = is_slow_build ? 200 : 4000;
    for (index_t const n : {2, 3, 9, 16, 17, 20, 34, 41, 64, 100}) {
        std::vector<judged<TestType>> rows;
        rows.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            double const m = i % 2 == 0 ? near(random) : maxima[random() % std::size(maxima)];
            array<TestType> x({n}, static_cast<TestType>(m - std::exp(log_t(random))));
            x(n / 2) = static_cast<TestType>(m);
            rows.emplace_back(std::move(x), false);
        }
        for (auto const& [below, length] : known) {
            if (length != n) continue;
            array<TestType> x({n}, static_cast<TestType>(below));
            x(n / 2) = static_cast<TestType>(-1.7);
            rows[0] = judged<TestType>(std::move(x), false);
        }
        in_rows.merge(errors_of_rows(rows));
        in_panels.merge(errors_of_panel(rows, static_cast<index_t>(count)));
    }
    report<TestType>("m and the rest m - t, n to 100", "row", in_rows);
    report<TestType>("m and the rest m - t, n to 100", "panel", in_panels);
}

TEMPLATE_TEST_CASE("every distance of two elements", "[bounds]", float, double) {
    // A dense sweep of the one exponential that a pair needs, and of all three ways to finish it.
    heading();
    double const most = std::is_same_v<TestType, double> ? 750 : 106;
    index_t const count = is_slow_build ? 5000 : 200000;
    array<TestType> pairs({count, 2}, TestType{});
    for (index_t i = 0; i < count; ++i) {
        pairs(i, 1) = static_cast<TestType>(-most * (static_cast<double>(i) + 0.37) / static_cast<double>(count));
    }
    auto const seen = [&](view<TestType const> const& a, int axis) {
        auto const p = run<TestType>(form::softmax, a, axis), l = run<TestType>(form::log_softmax, a, axis);
        auto const s = run<TestType>(form::logsumexp, a, axis);
        auto const two = [&](array<TestType> const& y, index_t i) {
            return axis == 1 ? y.data() + 2 * i : y.data() + i;
        };
        errors e;
        for (index_t i = 0; i < count; ++i) {
            judged<TestType> const row(array<TestType>{pairs(i, 0), pairs(i, 1)}, false);
            judge(e, row, two(p, i), two(l, i), axis == 1 ? 1 : count, s(i));
        }
        return e;
    };
    report<TestType>("0 and -t, t dense", "row", seen(pairs, 1));
    report<TestType>("0 and -t, t dense", "panel", seen(view(pairs).transpose(), 0));
}

TEMPLATE_TEST_CASE("half types are rounded once", "[bounds]", softax::half, softax::bfloat16) {
    heading();
    // Sums of many probabilities of half types carry the rounding of each, and no bound is promised for them here.
    auto const from = [](fill_of<float> const& fill) {
        return [fill](array<TestType>& row, std::mt19937_64& random) {
            auto x = array<float>::uninitialized(row.shape());
            fill(x, random);
            std::transform(x.begin(), x.end(), row.begin(), [](float e) { return TestType(e); });
        };
    };
    for (index_t const n : {2, 10, 100, 1000, 4096}) measure<TestType>("N(0,1)", n, from(normal<float>(0, 1)), false);
    measure<TestType>("N(0,1)", 100000, from(normal<float>(0, 1)), false);
    measure<TestType>("N(0,10)", 1000, from(normal<float>(0, 10)), false);
    measure<TestType>("N(1000,20)", 1000, from(normal<float>(1000, 20)), false);
    measure<TestType>("0 and -t", 3, from(confident<float>()), false);
    measure<TestType>("0 and -t", 300, from(confident<float>()), false);
    measure<TestType>("2^-20 to 2^10", 300, from(magnitudes<float>(-20, 10)), false);
    measure<TestType>("steps of -0.1", 300, from(steps<float>(-0.1)), false);
}

}  // namespace
