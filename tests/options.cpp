// scale, where and extra in all three functions, each alone and all together, against the plain reference: every way
// through the kernels, every element type, values and _into forms. Where an option changes nothing, it changes no bit.
#include "catch.hpp"
#include "family.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using softax::array;
using softax::index_list;
using softax::index_t;
using softax::options;
using softax::result_type;
using softax::view;
using namespace family;
using reference::wide;
using random_bits = std::mt19937_64;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

/// The type in which elements are computed, and to which scale and extra are rounded.
template <class T>
using compute_type = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
reference::said said_of(options const& o) {
    return {static_cast<compute_type<T>>(o.scale), static_cast<compute_type<T>>(o.extra)};
}

/// Memory and how it is seen.
template <class T>
struct tensor {
    array<T> memory;
    index_t first = 0;
    index_list shape, strides;
    bool is_broadcast = false;

    softax::view<T const> seen() const { return {memory.data() + first, shape, strides}; }
    softax::view<T> seen_in(array<T>& other) const { return {other.data() + first, shape, strides}; }
};

enum class order { row_major, permuted, stepped, reversed, broadcast };

/// Room for a shape, filled with what must not be read.
template <class T>
tensor<T> room_for(index_list const& shape, order in, T unread, random_bits& random) {
    tensor<T> t;
    t.shape = t.strides = shape;
    std::vector<index_t> axes(static_cast<std::size_t>(shape.size()));
    std::iota(axes.begin(), axes.end(), index_t{0});
    if (in == order::permuted) std::shuffle(axes.begin(), axes.end(), random);
    index_t size = 1;
    index_t const step = in == order::stepped ? 2 : 1;
    std::size_t const repeated = random() % std::max(axes.size(), std::size_t{1});
    for (std::size_t k = axes.size(); k-- > 0;) {
        index_t const axis = axes[k];
        if (in == order::broadcast && k == repeated) {
            t.strides[axis] = 0;
            t.is_broadcast = shape[axis] > 1;
            continue;
        }
        t.strides[axis] = size * step;
        if (in == order::reversed && random() % 2 == 0) {
            t.first += (shape[axis] - 1) * t.strides[axis];
            t.strides[axis] = -t.strides[axis];
        }
        size *= std::max(shape[axis], index_t{1}) * step;
    }
    t.memory = array<T>({size}, unread);
    return t;
}

/// Where the elements of a shape lie, in row-major order; axes of the mask count from the last.
struct place {
    index_t x, where;
    std::size_t group;
};

std::vector<place> places_of(view<bool const> const& where, index_list const& shape, index_list const& strides,
                             unsigned reduced) {
    index_t const rank = shape.size(), lacking = rank - where.rank();
    index_t size = 1;
    for (index_t const extent : shape) size *= extent;
    std::vector<place> all;
    for (index_t k = 0; k < size; ++k) {
        place p = {0, 0, 0};
        index_t rest = k, weight = 1;
        for (index_t axis = rank - 1; axis >= 0; --axis) {
            index_t const index = rest % shape[axis];
            rest /= shape[axis];
            p.x += index * strides[axis];
            if (axis >= lacking && where.shape()[axis - lacking] != 1)
                p.where += index * where.strides()[axis - lacking];
            if (reduced >> axis & 1u) continue;
            p.group += static_cast<std::size_t>(index * weight);
            weight *= shape[axis];
        }
        all.push_back(p);
    }
    return all;
}

/// A mask that leaves out nothing.
view<bool const> no_mask() {
    static bool const is_live = true;
    return {&is_live, index_list()};
}

softax::axes axes_of(unsigned reduced) {
    std::vector<index_t> all;
    for (index_t axis = 0; axis < 16; ++axis) {
        if (reduced >> axis & 1u) all.push_back(axis);
    }
    return softax::axes(all);
}

std::string text_of(options const& o) {
    char text[200];
    std::snprintf(text, sizeof text, "scale %.17g, extra %.17g, %s", o.scale, o.extra, o.where ? "masked" : "no mask");
    return text;
}

/// The largest errors of a type in ULP.
struct errors {
    wide worst[3] = {0, 0, 0};
};

template <class R>
void require_same_bits(view<R const> const& found, array<R> const& expected, std::string const& what) {
    index_t k = 0, different = 0;
    softax::detail::for_each_pair(found, view<R const>(expected), [&](R a, R b) {
        ++k;
        if (different == 0 && bits_of(a) != bits_of(b)) different = k;
    });
    if (different != 0) FAIL("element " << different - 1 << " has other bits " << what);
}

/// The _into forms give the bits of the value: into memory between guards, into every second element, in place.
template <class T>
void require_into(form f, tensor<T> const& a, softax::axes const& over, options const& o,
                  array<result_type<T>> const& expected, std::string const& what) {
    using R = result_type<T>;
    R const guard = static_cast<R>(77.0f);
    index_t const size = expected.size();
    array<R> out({size + 9}, guard);
    run_into<T>(f, view<R>(out.data() + 3, expected.shape()), a.seen(), over, o);
    require_same_bits<R>(view<R const>(out.data() + 3, expected.shape()), expected, "into " + what);
    array<R> wider({2 * size + 1}, guard);
    index_list strides = expected.strides();
    for (index_t& stride : strides) stride *= 2;
    run_into<T>(f, view<R>(wider.data() + 1, expected.shape(), strides), a.seen(), over, o);
    require_same_bits<R>(view<R const>(wider.data() + 1, expected.shape(), strides), expected,
                         "into every second " + what);
    bool is_kept = true;
    for (index_t i = 0; i < out.size(); ++i) is_kept = is_kept && ((3 <= i && i < size + 3) || out(i) == guard);
    for (index_t i = 0; i < wider.size(); i += 2) is_kept = is_kept && wider(i) == guard;
    if (!is_kept) FAIL("written outside of out, " + what);
    if constexpr (std::is_same_v<R, T>) {
        if (f == form::logsumexp || a.is_broadcast) return;
        auto both = a.memory;
        run_into<T>(f, a.seen_in(both), a.seen_in(both), over, o);
        require_same_bits<R>(a.seen_in(both), expected, "in place " + what);
    }
}

/// Requires the values of all three functions to be right, and those of their _into forms to be the same.
template <class T>
void judge(tensor<T> const& a, unsigned reduced, options const& o, errors& e) {
    using R = result_type<T>;
    view<bool const> const mask = o.where ? *o.where : no_mask();
    auto const places = places_of(mask, a.shape, a.strides, reduced);
    T const* const x = a.seen().data();
    std::size_t count = 0;
    for (place const& p : places) count = std::max(count, p.group + 1);
    std::vector<std::vector<place>> members(count);
    for (place const& p : places) members[p.group].push_back(p);
    std::vector<reference::said_group<T>> groups;
    for (auto const& m : members) {
        auto const at = [&m](std::ptrdiff_t i) { return m[static_cast<std::size_t>(i)]; };
        groups.emplace_back(
            static_cast<std::ptrdiff_t>(m.size()), [&](std::ptrdiff_t i) { return x[at(i).x]; },
            [&](std::ptrdiff_t i) { return mask.data()[at(i).where]; }, said_of<T>(o));
    }
    for (form const f : forms) {
        std::string const what = std::string(name_of(f)) + " of " + name_of_type<T>() + ", shape " +
                                 softax::detail::text_of(a.shape) + ", strides " + softax::detail::text_of(a.strides) +
                                 ", axes (bits) " + std::to_string(reduced) + ", " + text_of(o);
        auto const y = run<T>(f, a.seen(), axes_of(reduced), o);
        if (y.size() != static_cast<index_t>(f == form::logsumexp ? count : places.size())) FAIL("size: " + what);
        for (index_t k = 0; k < y.size(); ++k) {
            auto const at = static_cast<std::size_t>(k);
            auto const right = f == form::logsumexp
                                   ? reference::expected_of(f, groups[at], T{}, true)
                                   : reference::expected_of(f, groups[places[at].group], x[places[at].x],
                                                            mask.data()[places[at].where]);
            R const got = y.data()[k];
            wide const error = reference::ulp_error(got, right);
            wide& worst = e.worst[static_cast<int>(f)];
            if (!(error <= worst)) worst = error;
            bool const is_judged = !std::is_same_v<T, double> || reference::judges_double || std::isinf(error);
            bool const is_wrong = is_judged && !(error <= reference::bound<R>(f));
            bool const is_above = f == form::log_softmax && reference::exact(got) > 0;
            if (is_wrong || is_above) {
                FAIL(what << ", element " << k << " is " << static_cast<double>(got) << ", right is "
                          << static_cast<double>(right.value) << ", error " << static_cast<double>(error) << " ULP");
            }
        }
        require_into(f, a, axes_of(reduced), o, y, what);
    }
}

/// An element whose scaled value is near y.
template <class T>
T element_of(double y, double scale) {
    double const wanted = scale == 0 ? y : y / scale;
    if constexpr (std::is_same_v<T, bool>)
        return wanted > 0;
    else if constexpr (std::is_integral_v<T>) {
        double const low = static_cast<double>(std::numeric_limits<T>::min()),
                     high = static_cast<double>(std::numeric_limits<T>::max());
        double const inside = std::clamp(std::nearbyint(wanted), low, high);
        return inside >= high ? std::numeric_limits<T>::max() : static_cast<T>(inside);
    } else {
        double const most = static_cast<double>(reference::exact(std::numeric_limits<T>::max())) / 4;
        return static_cast<T>(static_cast<compute_type<T>>(std::clamp(wanted, -most, most)));
    }
}

/// What must not leak where a mask leaves it out.
template <class T>
T poison(random_bits& random) {
    using limits = std::numeric_limits<T>;
    if constexpr (std::is_same_v<T, bool>)
        return random() % 2 == 0;
    else if constexpr (std::is_integral_v<T>)
        return random() % 2 == 0 ? limits::max() : limits::lowest();
    else {
        T const all[] = {limits::quiet_NaN(), limits::infinity(), T(-limits::infinity()), limits::max(),
                         limits::lowest()};
        return all[random() % 5];
    }
}

/// How elements are drawn: normal, times spread, around offset; seldom one that is not finite.
struct drawn {
    double spread = 1, offset = 0;
    int strange = 0;
};

template <class T>
void fill(tensor<T>& a, drawn const& d, double scale, random_bits& random) {
    std::normal_distribution<double> draw;
    auto const to = a.seen_in(a.memory);
    auto const places = places_of(no_mask(), a.shape, a.strides, 0);
    for (place const& p : places) to.data()[p.x] = element_of<T>(d.offset + d.spread * draw(random), scale);
    for (int k = 0; k < d.strange && !places.empty(); ++k) {
        double const all[] = {-inf, -inf, -inf, nan, inf};
        double const one = all[random() % 5];
        if constexpr (!std::is_integral_v<T>) {
            to.data()[places[random() % places.size()].x] = static_cast<T>(static_cast<float>(one));
        }
    }
}

using mask_tensor = tensor<bool>;

/// A mask of a shape that can be broadcast to the one given.
mask_tensor mask_for(index_list const& shape, random_bits& random) {
    index_list own;
    auto const rank = static_cast<index_t>(random() % static_cast<std::size_t>(shape.size() + 1));
    bool const is_full = random() % 3 == 0;
    for (index_t axis = is_full ? 0 : shape.size() - rank; axis < shape.size(); ++axis) {
        own.push_back(is_full || random() % 4 != 0 ? shape[axis] : 1);
    }
    auto m = room_for<bool>(own, static_cast<order>(random() % 5), false, random);
    std::size_t const live = std::vector<std::size_t>{500, 900, 100, 995, 1000, 0}[random() % 6];
    for (bool& b : m.memory) b = random() % 1000 < live;
    return m;
}

/// Elements that the mask leaves out hold what must not leak.
template <class T>
void poison_masked(tensor<T>& a, mask_tensor const& m, random_bits& random) {
    if (a.is_broadcast) return;
    auto const to = a.seen_in(a.memory);
    for (place const& p : places_of(m.seen(), a.shape, a.strides, 0)) {
        if (!m.seen().data()[p.where] && random() % 2 == 0) to.data()[p.x] = poison<T>(random);
    }
}

double any_scale(random_bits& random) {
    double const some[] = {1, 0.125, -1, 1 / 3.0, 0.7, -2.5, 3, 10, 1e-3, 0, 1.9999999, -0.3, 64};
    return some[random() % std::size(some)];
}

double any_extra(random_bits& random) {
    double const some[] = {0, 0, 1, -1, 3.3, 20, -40, 700, -700, 100, 5000, -5000};
    return some[random() % std::size(some)];
}

drawn any_drawn(random_bits& random) {
    double const spreads[] = {1, 1, 12, 40, 0}, offsets[] = {0, 0, 3, -700, 600, 5000};
    return {spreads[random() % 5], offsets[random() % 6], random() % 6 == 0 ? 1 + static_cast<int>(random() % 3) : 0};
}

/// Wide integers lose digits where they are scaled down: their differences are rounded to float first.
template <class T>
bool is_fair(double scale) {
    return !(std::is_integral_v<T> && sizeof(T) > 2) || scale == 0 || std::abs(scale) >= 1e-3;
}

/// A case drawn for a shape, with the options whose bits are set.
template <class T>
void judge_random(index_list const& shape, unsigned reduced, unsigned chosen, random_bits& random, errors& e) {
    options o;
    if (chosen & 1u) o.scale = any_scale(random);
    if (!is_fair<T>(o.scale)) o.scale = 1;
    auto a = room_for<T>(shape, static_cast<order>(random() % 5), poison<T>(random), random);
    drawn const d = any_drawn(random);
    fill(a, d, o.scale, random);
    mask_tensor m;
    if (chosen & 2u) {
        m = mask_for(shape, random);
        poison_masked(a, m, random);
        o.where = m.seen();
    }
    if (chosen & 4u) o.extra = (random() % 2 == 0 ? d.offset : 0) + any_extra(random);
    judge(a, reduced, o, e);
}

template <class T>
void report(char const* what, errors const& e) {
    std::printf("%-34s %-9s %3zu bytes: softmax %.3Lf, log_softmax %.3Lf, logsumexp %.3Lf ULP\n", what,
                name_of_type<T>(), sizeof(T), e.worst[0], e.worst[1], e.worst[2]);
}

std::vector<index_t> lengths() {
    if (is_slow_build) return {1, 2, 7, 17, 47, 48, 49, 129, 513};
    std::vector<index_t> all;
    for (index_t n = 1; n <= 50; ++n) all.push_back(n);
    all.insert(all.end(), {127, 128, 129, 513, 1000, 4097});
    return all;
}

#define EVERY_TYPE float, double, softax::half, softax::bfloat16, bool, std::uint8_t, std::int32_t, std::int64_t

TEMPLATE_TEST_CASE("every combination, length and inner extent", "[options]", EVERY_TYPE) {
    random_bits random(1);
    errors e;
    for (index_t const n : lengths()) {
        for (index_t const inner : {1, 2, 3, 5, 16, 40, 300}) {
            if (n * inner > (is_slow_build ? 1000 : 20000)) continue;
            index_t const outer = n * inner > 4000 ? 1 : 1 + static_cast<index_t>(random() % 3);
            for (unsigned chosen = 0; chosen < 8; ++chosen) {
                if (n * inner > 600 && chosen % 4 != static_cast<unsigned>(n + inner) % 4) continue;
                judge_random<TestType>({outer, n, inner}, 2, chosen, random, e);
            }
        }
    }
    report<TestType>("lengths", e);
}

TEMPLATE_TEST_CASE("every combination on random shapes, axes and strides", "[options]", EVERY_TYPE) {
    random_bits random(2);
    errors e;
    for (int k = 0; k < (is_slow_build ? 60 : 1200); ++k) {
        index_list shape;
        index_t size = 1;
        auto const rank = static_cast<index_t>(random() % 5);
        for (index_t axis = 0; axis < rank; ++axis) {
            index_t const most = std::max(index_t{2}, 1500 / size);
            auto const extent = 1 + static_cast<index_t>(random() % static_cast<std::size_t>(std::min(
                                                                        most, index_t{random() % 4 == 0 ? 70 : 9})));
            shape.push_back(extent);
            size *= extent;
        }
        auto const reduced = static_cast<unsigned>(random() % (1u << rank));
        judge_random<TestType>(shape, reduced, static_cast<unsigned>(random() % 8), random, e);
    }
    report<TestType>("shapes", e);
}

/// Rows, each of n elements, whose scaled values are drawn as said, judged with and without an extra logit.
template <class T>
void judge_rows(index_t n, double scale, drawn const& d, random_bits& random, errors& e) {
    for (bool const is_row : {true, false}) {
        auto a = room_for<T>(is_row ? index_list{3, n} : index_list{n, 20}, order::row_major, T{}, random);
        fill(a, d, scale, random);
        judge(a, is_row ? 2 : 1, {.scale = scale}, e);
        judge(a, is_row ? 2 : 1, {.scale = scale, .extra = d.offset + 1 + d.spread * any_extra(random) / 700}, e);
    }
}

TEMPLATE_TEST_CASE("scaled rows that are spread or far from 0 keep the bounds", "[options][scale]", float, double,
                   softax::half) {
    random_bits random(3);
    errors e;
    double const largest = std::is_same_v<TestType, float> ? 1e30 : std::is_same_v<TestType, double> ? 1e250 : 100;
    for (index_t const n : {2, 10, 48, 200}) {
        if (is_slow_build && n > 48) continue;
        for (double const scale : {0.7, -1 / 3.0, 1.999999, 0.25, -8.0, 1 / largest, largest / 3, -largest}) {
            for (double const offset : {0.0, 600.0, -700.0, 2100.0, -1e5}) {
                double const spreads[] = {1, 12, 40};
                judge_rows<TestType>(n, scale, {spreads[random() % 3], offset, 0}, random, e);
            }
        }
    }
    report<TestType>("scaled rows", e);
}

/// The bug: extra less the scaled maximum is rounded before exp. It shows in log_softmax of the confident class.
TEMPLATE_TEST_CASE("an extra logit far below a large maximum keeps its digits", "[options][extra]", float, double) {
    random_bits random(4);
    errors e;
    for (int k = 0; k < (is_slow_build ? 30 : 300); ++k) {
        double const scales[] = {0.7, 1.9999999, 1 / 3.0, -0.3}, offsets[] = {600, -700, 2500, -9000};
        double const scale = scales[random() % 4], offset = offsets[random() % 4];
        auto a = room_for<TestType>({1 + static_cast<index_t>(random() % 3) * 40, 1}, order::row_major, 0, random);
        fill(a, {0, offset, 0}, scale, random);
        judge(a, 1, {.scale = scale, .extra = offset - static_cast<double>(1 + random() % 80)}, e);
    }
    report<TestType>("extra below", e);
}

TEST_CASE("scale is temperature before exp", "[options][scale]") {
    // The bug: exp(x - m) / T, or a softmax divided by T; it cancels when the sum is divided by.
    double const p = 1 / (1 + std::exp(0.5));
    array<double> const a = {1, 2};
    CHECK(softax::allclose(softax::softmax(a, -1, {.scale = 0.5}), array<double>{p, 1 - p}, 1e-15));
    CHECK(softax::allclose(softax::softmax(a, -1, {.scale = -0.5}), array<double>{1 - p, p}, 1e-15));
    CHECK(softax::allclose(softax::log_softmax(a, -1, {.scale = 0.5}), array<double>{std::log(p), std::log(1 - p)},
                           1e-15));
    CHECK(softax::allclose(softax::logsumexp(a, -1, {.scale = 0.5}),
                           array<double>::scalar(1 + std::log1p(std::exp(-0.5))), 1e-15));
}

TEST_CASE("scale 0 makes all equal but what is infinite", "[options][scale]") {
    array<float> const a = {{1, -2, 3, 400}, {1, -2, 3, static_cast<float>(-inf)}};
    auto const y = softax::softmax(a, -1, {.scale = 0});
    for (index_t j = 0; j < 4; ++j) {
        CHECK(y(0, j) == 0.25f);
        CHECK(std::isnan(y(1, j)));
    }
    CHECK(std::isnan(softax::logsumexp(a, -1, {.scale = 0})(1)));
}

TEST_CASE("infinities take part as they are after the scale", "[options][scale]") {
    float const i = static_cast<float>(inf);
    array<float> const a = {{0, i}, {0, -i}};
    auto const y = softax::softmax(a, -1, {.scale = -1});
    CHECK(y(0, 0) == 1);
    CHECK(y(0, 1) == 0);
    CHECK(std::isnan(y(1, 0)));
    CHECK(std::isnan(y(1, 1)));
}

TEST_CASE("a scale that takes elements beyond the type makes the group NaN", "[options][scale]") {
    for (double const scale : {4.0, 1e30, 1e300, 3e38, -1e300}) {
        array<float> const a = {{scale < 0 ? -2e38f : 2e38f, 0, 1}, {0, 1, 2}};
        for (form const f : forms) {
            auto const y = run<float>(f, a, -1, options{.scale = scale});
            CHECK(std::isnan(y.data()[0]));
        }
    }
}

TEST_CASE("the extra logit adds exp(extra - m)", "[options][extra]") {
    // The bug: 1 is added to the sum of exp(x - m), which is right for m = 0 only.
    array<double> const a = {5, 3};
    double const sum = 1 + std::exp(5.0) + std::exp(3.0);
    CHECK(softax::allclose(softax::softmax(a, -1, {.extra = 0}),
                           array<double>{std::exp(5.0) / sum, std::exp(3.0) / sum}, 1e-15));
    CHECK(softax::allclose(softax::log_softmax(a, -1, {.extra = 0}),
                           array<double>{5 - std::log(sum), 3 - std::log(sum)}, 1e-14));
    CHECK(softax::allclose(softax::logsumexp(a, -1, {.extra = 0}), array<double>::scalar(std::log(sum)), 1e-15));
    double const unscaled = std::exp(2.0) + std::exp(2.5) + std::exp(1.5);
    CHECK(softax::allclose(softax::logsumexp(a, -1, {.scale = 0.5, .extra = 2}),
                           array<double>::scalar(std::log(unscaled)), 1e-15));
}

TEST_CASE("the extra logit takes part in the maximum", "[options][extra]") {
    // The bug: exp(extra - m) with m that of the elements overflows.
    array<float> const a = {0, 1};
    auto const y = softax::softmax(a, -1, {.extra = 1000}), z = softax::log_softmax(a, -1, {.extra = 1000});
    CHECK(y == array<float>{0, 0});
    CHECK(z == array<float>{-1000, -999});
    CHECK(softax::logsumexp(a, -1, {.extra = 1000}) == array<float>::scalar(1000));
}

/// The bug: an extra logit that is rounded up by more than exp holds has the sum 0, and all results are NaN.
TEMPLATE_TEST_CASE("an extra logit beyond what its type holds leaves 0", "[options][extra]", float, double,
                   std::int64_t) {
    using T = result_type<TestType>;
    random_bits random(8);
    for (index_t const n : {1, 5, 30, 700}) {
        for (int k = 0; k < 300; ++k) {
            double const scale = 0.1 + static_cast<double>(random() % 3000) / 1000,
                         extra = std::ldexp(1 + static_cast<double>(random() % 1000) / 1000,
                                            static_cast<int>(20 + random() % 80));
            auto const a =
                array<TestType>({n}, static_cast<TestType>(std::is_integral_v<TestType> ? -5000000000000000001 : 1));
            double const x = static_cast<double>(static_cast<T>(scale)) * static_cast<double>(a(0)),
                         e = static_cast<double>(static_cast<T>(extra));
            options const o = {.scale = scale, .extra = extra};
            INFO("n " << n << ", scale " << scale << ", extra " << extra);
            CHECK(softax::softmax(a, -1, o) == array<T>({n}, T(0)));
            CHECK(softax::log_softmax(a, -1, o)(n - 1) == Approx(x - e).epsilon(4 * std::numeric_limits<T>::epsilon()));
            // Of the larger of result and maximum.
            CHECK(softax::logsumexp(a, -1, o).data()[0] ==
                  Approx(e).epsilon(0).margin(std::numeric_limits<T>::epsilon() * std::max(e, std::abs(x))));
        }
    }
}

/// The bug: wide integers, which are taken less their maximum, meet an extra logit that is not.
TEMPLATE_TEST_CASE("the extra logit beside integers", "[options][extra]", std::uint8_t, std::int32_t, std::uint32_t,
                   std::int64_t, std::uint64_t) {
    array<TestType> const a = {100, 99};
    CHECK(softax::softmax(a, -1, {.extra = 0})(0) == Approx(1 / (1 + std::exp(-1.0))));
    CHECK(softax::logsumexp(a, -1, {.extra = 99}).data()[0] == Approx(100 + std::log1p(2 * std::exp(-1.0))));
    CHECK(softax::logsumexp(a, -1, {.extra = 300}).data()[0] == 300);
    CHECK(softax::log_softmax(a, -1, {.scale = 0.5, .extra = 70})(1) == Approx(-20.5));
    bool const none = false;
    CHECK(softax::logsumexp(a, -1, {.where = view<bool const>(&none, {}), .extra = 3}).data()[0] == 3);
}

/// Checks groups of many lengths, side by side, of which the mask leaves the first element.
template <class T>
void require_edges(std::function<void(array<T> const&, view<bool const> const&, softax::axes const&)> const& check,
                   T live, T left_out) {
    for (index_t const n : {2, 3, 16, 47, 48, 49, 130, 600}) {
        for (index_t const inner : {1, 3, 20}) {
            array<T> a({n, inner}, left_out);
            array<bool> where({n, 1}, false);
            where(0, 0) = true;
            for (index_t j = 0; j < inner; ++j) a(0, j) = live;
            check(a, view(where), 0);
        }
    }
}

TEMPLATE_TEST_CASE("what a mask leaves out leaks nothing", "[options][where]", float, double, softax::half,
                   softax::bfloat16) {
    // The bug: a mask as a large negative number, or as a product with 0, lets NaN, infinities, small weights through.
    using T = TestType;
    using limits = std::numeric_limits<T>;
    for (T const poison : {limits::quiet_NaN(), limits::infinity(), T(-limits::infinity()), limits::max(), T(0.0f)}) {
        auto const check = [](array<T> const& a, view<bool const> const& where, softax::axes const& over) {
            auto const p = softax::softmax(a, over, {.where = where});
            auto const l = softax::log_softmax(a, over, {.where = where});
            auto const s = softax::logsumexp(a, over, {.where = where});
            index_t const inner = a.shape()[1];
            bool is_right = true;
            for (index_t k = 0; k < a.size(); ++k) {
                bool const is_live = k < inner;
                is_right = is_right && p.data()[k] == T(is_live ? 1.0f : 0.0f) &&
                           l.data()[k] == T(is_live ? 0.0f : -std::numeric_limits<float>::infinity());
            }
            for (T const e : s) is_right = is_right && e == T(3.0f);
            INFO("shape " << softax::detail::text_of(a.shape()));
            CHECK(is_right);
        };
        require_edges<T>(check, T(3.0f), poison);
    }
}

TEMPLATE_TEST_CASE("what a mask leaves out is 0 in groups that are NaN too", "[options][where]", float, double,
                   softax::half) {
    using T = TestType;
    using limits = std::numeric_limits<T>;
    for (T const bad : {limits::quiet_NaN(), limits::infinity(), T(-limits::infinity())}) {
        auto const check = [](array<T> const& a, view<bool const> const& where, softax::axes const& over) {
            auto const p = softax::softmax(a, over, {.where = where});
            auto const l = softax::log_softmax(a, over, {.where = where});
            bool is_right = true;
            for (index_t k = 0; k < a.size(); ++k) {
                bool const is_live = k < a.shape()[1];
                is_right = is_right && (is_live ? std::isnan(static_cast<float>(p.data()[k])) &&
                                                      std::isnan(static_cast<float>(l.data()[k]))
                                                : p.data()[k] == T(0.0f) && l.data()[k] == T(-limits::infinity()));
            }
            for (T const e : softax::logsumexp(a, over, {.where = where})) {
                is_right = is_right && std::isnan(static_cast<float>(e));
            }
            INFO("shape " << softax::detail::text_of(a.shape()));
            CHECK(is_right);
        };
        require_edges<T>(check, bad, T(1.0f));
    }
}

TEMPLATE_TEST_CASE("a group of which nothing is left is 0, and has no logarithm", "[options][where]", float, double,
                   softax::half, bool, std::uint8_t, std::int32_t) {
    // The bug: 0 / 0 makes fully masked rows of attention NaN (pytorch#55056).
    using R = result_type<TestType>;
    random_bits random(5);
    for (index_t const n : {1, 2, 16, 47, 48, 49, 130, 600}) {
        for (index_t const inner : {1, 3, 20}) {
            auto a = room_for<TestType>({2, n, inner}, order::row_major, TestType{}, random);
            for (TestType& x : a.memory) x = poison<TestType>(random);
            array<bool> const where({1}, false);
            auto const is_all = [](array<R> const& y, double value) {
                return std::all_of(y.begin(), y.end(), [=](R e) { return e == static_cast<R>(value); });
            };
            for (double const scale : {1.0, -0.3}) {
                for (double const extra : {-inf, 0.0, 2.5, -700.0}) {
                    INFO("n " << n << ", inner " << inner << ", scale " << scale << ", extra " << extra);
                    options const o = {.scale = scale, .where = view(where), .extra = extra};
                    CHECK(is_all(softax::softmax(a.seen(), 1, o), 0));
                    CHECK(is_all(softax::log_softmax(a.seen(), 1, o), -inf));
                    CHECK(is_all(softax::logsumexp(a.seen(), 1, o), extra));
                }
            }
        }
    }
}

TEST_CASE("a group without elements has the logarithm of the extra logit", "[options][extra]") {
    array<float> const a({2, 0, 3}, 0);
    CHECK(softax::logsumexp(a, 1) == array<float>({2, 3}, static_cast<float>(-inf)));
    CHECK(softax::logsumexp(a, 1, {.extra = 2.5}) == array<float>({2, 3}, 2.5f));
    CHECK(softax::logsumexp(a, 1, {.extra = 2.5, .keepdims = true}) == array<float>({2, 1, 3}, 2.5f));
    CHECK(softax::softmax(a, 1, {.extra = 2.5}).shape() == a.shape());
}

TEST_CASE("softmax1 of only -inf is 0", "[options][extra]") {
    for (index_t const n : {1, 5, 48, 600}) {
        array<float> const a({n}, static_cast<float>(-inf));
        CHECK(softax::softmax(a, -1, {.extra = 0}) == array<float>({n}, 0));
        CHECK(softax::log_softmax(a, -1, {.scale = 3, .extra = 0}) == a);
        CHECK(softax::logsumexp(a, -1, {.scale = 0.3, .extra = 7}) == array<float>::scalar(7));
    }
}

TEST_CASE("an extra logit that is NaN or +inf makes what takes part NaN", "[options][extra]") {
    for (double const extra : {nan, inf, 1e300}) {
        for (index_t const n : {2, 48, 600}) {
            array<float> const a({n}, 1);
            array<bool> where({n}, true);
            where(1) = false;
            for (float const y : softax::softmax(a, -1, {.extra = extra})) CHECK(std::isnan(y));
            auto const y = softax::softmax(a, -1, {.where = view(where), .extra = extra}),
                       z = softax::log_softmax(a, -1, {.where = view(where), .extra = extra});
            CHECK(std::isnan(y(0)));
            CHECK(y(1) == 0);
            CHECK(std::isnan(z(0)));
            CHECK(z(1) == static_cast<float>(-inf));
            CHECK(std::isnan(softax::logsumexp(a, -1, {.where = view(where), .extra = extra}).data()[0]));
        }
    }
}

TEST_CASE("an extra logit that is NaN is not lost where nothing else is left", "[options][extra]") {
    // The bug: NaN is taken for the sign of a group that the mask has emptied.
    array<float> const a({3}, 1);
    bool const none = false;
    options const o = {.where = view<bool const>(&none, {}), .extra = nan};
    CHECK(std::isnan(softax::logsumexp(a, -1, o).data()[0]));
    CHECK(softax::softmax(a, -1, o) == array<float>({3}, 0));
}

/// The bug: their logsumexp takes the scale as it was given, the rest as it was rounded.
TEMPLATE_TEST_CASE("integers near the limits of their type", "[options][scale]", std::int32_t, std::uint32_t,
                   std::int64_t, std::uint64_t, std::uint8_t) {
    using limits = std::numeric_limits<TestType>;
    errors e;
    random_bits random(7);
    for (double const scale : {1.0, 0.5, -1.0, 0.1, -1 / 3.0, 3.0}) {
        for (bool const is_high : {true, false}) {
            for (index_t const n : {1, 3, 48, 130}) {
                auto a = room_for<TestType>({n, 2}, order::row_major, 0, random);
                for (TestType& x : a.memory) {
                    auto const off = static_cast<TestType>(random() % 60);
                    x = is_high ? static_cast<TestType>(limits::max() - off)
                                : static_cast<TestType>(limits::min() + off);
                }
                judge(a, 1, {.scale = scale}, e);
                a.memory(0) = limits::max();
                a.memory(1) = limits::min();
                judge(a, 1, {.scale = scale}, e);
                judge(a, 3, {.scale = scale}, e);
            }
        }
    }
    report<TestType>("limits", e);
}

/// What the functions make of a, whichever way it is said.
template <class T>
void require_same(tensor<T> const& a, unsigned reduced, options const& one, options const& other) {
    for (form const f : forms) {
        auto const y = run<T>(f, a.seen(), axes_of(reduced), one), z = run<T>(f, a.seen(), axes_of(reduced), other);
        require_same_bits<result_type<T>>(view<result_type<T> const>(y), z,
                                          std::string(name_of(f)) + " of shape " + softax::detail::text_of(a.shape));
    }
}

/// Tensors that go every way through the kernels, with the axes over which to reduce.
template <class T>
void for_each_way(double scale, unsigned seed, std::function<void(tensor<T> const&, unsigned)> const& visit) {
    random_bits random(seed);
    for (index_t const n : {1, 2, 5, 16, 47, 48, 49, 128, 513, 1000}) {
        for (index_t const inner : {1, 2, 3, 16, 40, 300}) {
            if (n * inner > (is_slow_build ? 2000 : 20000)) continue;
            for (unsigned const reduced : {2u, 3u}) {
                auto a =
                    room_for<T>({3, n, inner}, random() % 2 == 0 ? order::row_major : order::permuted, T{}, random);
                drawn d = any_drawn(random);
                fill(a, d, scale, random);
                visit(a, reduced);
            }
        }
    }
}

TEMPLATE_TEST_CASE("options that change nothing change no bit", "[options]", EVERY_TYPE) {
    for_each_way<TestType>(1, 8, [](tensor<TestType> const& a, unsigned reduced) {
        array<bool> const where(a.shape, true);
        require_same(a, reduced, {}, {.scale = 1, .where = std::nullopt, .extra = -inf, .on = std::nullopt});
        require_same(a, reduced, {}, {.where = view(where)});
        require_same(a, reduced, {}, {.where = no_mask()});
        require_same(a, reduced, {.scale = 0.3, .extra = 2}, {.scale = 0.3, .where = no_mask(), .extra = 2});
    });
}

TEMPLATE_TEST_CASE("a scale that is a power of two gives the bits of elements scaled before", "[options][scale]", float,
                   double, softax::bfloat16) {
    for (double const scale : {0.125, -1.0, 2.0, -0.5}) {
        for_each_way<TestType>(scale, 9, [=](tensor<TestType> const& a, unsigned reduced) {
            tensor<TestType> by_hand = a;
            for (TestType& x : by_hand.memory)
                x = static_cast<TestType>(static_cast<compute_type<TestType>>(x) *
                                          static_cast<compute_type<TestType>>(scale));
            for (double const extra : {-inf, 2.0}) {
                for (form const f : forms) {
                    auto const y =
                        run<TestType>(f, a.seen(), axes_of(reduced), options{.scale = scale, .extra = extra});
                    auto const z = run<TestType>(f, by_hand.seen(), axes_of(reduced), options{.extra = extra});
                    require_same_bits<TestType>(view<TestType const>(y), z, std::string("scaled ") + name_of(f));
                }
            }
        });
    }
}

TEMPLATE_TEST_CASE("same row, same bits with options", "[options][place]", float, double, softax::half, std::int32_t) {
    using T = TestType;
    using R = result_type<T>;
    random_bits random(10);
    for (index_t const n : {1, 2, 6, 16, 46, 48, 50, 130, 514, 1000}) {
        for (unsigned chosen = 1; chosen < 8; ++chosen) {
            index_t const count = 21;
            options o;
            if (chosen & 1u) o.scale = any_scale(random);
            if (chosen & 4u) o.extra = any_extra(random);
            auto rows = room_for<T>({count, n}, order::row_major, T{}, random);
            fill(rows, any_drawn(random), o.scale, random);
            array<bool> where({count, n}, true);
            for (bool& b : where) b = random() % 4 != 0;
            index_t const q = n % 2 == 0 ? 2 : 1;
            auto const split = view<T const>(rows.memory).reshape({count, n / q, q});
            auto const columns = array<T>(rows.seen().transpose());
            auto const joint = array<T>(split.permute({1, 0, 2}));
            auto const live_columns = array<bool>(view<bool const>(where).transpose());
            for (form const f : forms) {
                bool const is_masked = chosen & 2u;
                auto alone = array<R>::uninitialized({count, f == form::logsumexp ? 1 : n});
                for (index_t i = 0; i < count; ++i) {
                    if (is_masked) o.where = view<bool const>(where.data() + i * n, {n});
                    auto const y = run<T>(f, view<T const>(rows.memory.data() + i * n, {n}), -1, o);
                    std::copy(y.begin(), y.end(), alone.data() + i * alone.shape()[1]);
                }
                std::string const what = std::string(name_of(f)) + ", n = " + std::to_string(n) + ", " + text_of(o);
                auto const is_same = [&](array<R> const& y, view<R const> const& seen) {
                    index_list const shape = alone.shape();
                    require_same_bits<R>(f == form::logsumexp ? view<R const>(y.data(), shape) : seen, alone, what);
                };
                if (is_masked) o.where = view(where);
                auto const batch = run<T>(f, rows.seen(), -1, o);
                is_same(batch, view<R const>(batch));
                if (is_masked) o.where = view(live_columns);
                auto const side_by_side = run<T>(f, view(columns), 0, o);
                is_same(side_by_side,
                        f == form::logsumexp ? view<R const>(side_by_side) : view<R const>(side_by_side).transpose());
                if (is_masked) o.where = view<bool const>(where).reshape({count, n / q, q}).permute({1, 0, 2});
                auto const pieces = run<T>(f, view(joint), {0, 2}, o);
                auto const back = f == form::logsumexp ? pieces : array<R>(view<R const>(pieces).permute({1, 0, 2}));
                is_same(back, view<R const>(back).reshape(alone.shape()));
            }
        }
    }
    SUCCEED();
}

TEST_CASE("a causal mask is a view, of queries and keys, for every batch and head", "[options][where]") {
    array<float> const a({2, 3, 5, 5}, 1);
    array<bool> causal({5, 5}, false);
    for (index_t i = 0; i < 5; ++i) {
        for (index_t j = 0; j <= i; ++j) causal(i, j) = true;
    }
    auto const y = softax::softmax(a, -1, {.where = view(causal)});
    for (index_t i = 0; i < 5; ++i) {
        for (index_t j = 0; j < 5; ++j) {
            CHECK(y(1, 2, i, j) == (j <= i ? static_cast<float>(1.0 / static_cast<double>(i + 1)) : 0.0f));
        }
    }
}

/// Every form of a call throws, with the words, and writes nothing.
template <class Exception>
void require_refused(array<float> const& a, options const& o, char const* words) {
    array<float> out(a.shape(), 77.0f), row({a.shape()[0]}, 77.0f);
    REQUIRE_FAILS(softax::softmax(a, 1, o), Exception, words);
    REQUIRE_FAILS(softax::log_softmax(a, 1, o), Exception, words);
    REQUIRE_FAILS(softax::logsumexp(a, 1, o), Exception, words);
    REQUIRE_FAILS(softax::softmax_into(out, a, 1, o), Exception, words);
    REQUIRE_FAILS(softax::log_softmax_into(out, a, 1, o), Exception, words);
    REQUIRE_FAILS(softax::logsumexp_into(row, a, 1, o), Exception, words);
    CHECK(out == array<float>(a.shape(), 77.0f));
    CHECK(row == array<float>({a.shape()[0]}, 77.0f));
}

TEST_CASE("a scale that is not finite is refused", "[options][errors]") {
    for (index_t const n : {5, 0}) {
        array<float> const a({3, n}, 1);
        require_refused<std::invalid_argument>(a, {.scale = nan}, "scale is nan");
        require_refused<std::invalid_argument>(a, {.scale = inf}, "scale is inf");
        require_refused<std::invalid_argument>(a, {.scale = -inf}, "scale is -inf");
    }
}

TEST_CASE("a mask that cannot be broadcast is refused with the shapes", "[options][errors]") {
    array<float> const a({3, 5}, 1);
    auto const refuse = [&](index_list const& shape, char const* words) {
        array<bool> const where(shape, true);
        require_refused<std::invalid_argument>(a, {.where = view(where)}, words);
    };
    refuse({4}, "shape (4,) cannot be broadcast to (3, 5)");
    refuse({3}, "shape (3,) cannot be broadcast to (3, 5)");
    refuse({5, 3}, "shape (5, 3) cannot be broadcast to (3, 5)");
    refuse({1, 3, 5}, "shape (1, 3, 5) cannot be broadcast to (3, 5)");
    refuse({0}, "shape (0,) cannot be broadcast to (3, 5)");
}

TEST_CASE("a mask in the memory of out is refused", "[options][errors]") {
    std::vector<float> memory(15, 77.0f);
    array<float> const a({3, 5}, 1);
    view<float> const out(memory.data(), {3, 5}), row(memory.data(), {3});
    auto const* const bytes = reinterpret_cast<bool const*>(memory.data());  // never read
    view<bool const> const inside(bytes + 4, {3, 5}), at_row(bytes + 4, {5});
    REQUIRE_FAILS(softax::softmax_into(out, a, 1, {.where = inside}), std::invalid_argument, "where overlaps out");
    REQUIRE_FAILS(softax::log_softmax_into(out, a, 1, {.where = inside}), std::invalid_argument, "where overlaps out");
    REQUIRE_FAILS(softax::logsumexp_into(row, a, 1, {.where = at_row}), std::invalid_argument, "where overlaps out");
    CHECK(std::all_of(memory.begin(), memory.end(), [](float e) { return e == 77.0f; }));
    struct {
        float out[15];
        bool where[15];
    } beside = {};
    softax::softmax_into(view<float>(beside.out, {3, 5}), a, 1, {.where = view<bool const>(beside.where, {3, 5})});
    CHECK(beside.out[14] == 0);
}

}  // namespace
