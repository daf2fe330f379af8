// Cross entropy and its gradient against closed forms in long double and finite differences; targets, reductions, errors.
#include <softax/cross_entropy.hpp>

#include "catch.hpp"
#include "family.hpp"
#include "random.hpp"
#include "registers.hpp"

#include <bit>
#include <vector>

using reference::wide;
using softax::array;
using softax::bfloat16;
using softax::cross_entropy_options;
using softax::half;
using softax::index_list;
using softax::index_t;
using softax::reduction;
using softax::view;

namespace {

template <class T>
array<T> random_logits(index_list const& shape, unsigned seed) {
    return random_array<T>(shape, seed, 4);
}

/// Every fifth target is -100 if some are to be ignored.
template <class I>
array<I> random_targets(index_list const& shape, index_t classes, bool some_ignored) {
    auto t = array<I>::uninitialized(shape);
    std::mt19937 generator(3);
    index_t k = 0;
    for (I& x : t) {
        x = static_cast<I>(generator() % static_cast<unsigned>(classes));
        if (some_ignored && k++ % 5 == 2) x = static_cast<I>(-100);
    }
    return t;
}

/// One group of the definition, as PyTorch's documentation gives it, over the classes that a mask leaves.
struct right_group {
    wide loss = 0;
    std::vector<wide> p, gradient;  // of this loss

    template <class T>
    right_group(std::vector<T> const& all, std::vector<bool> const& where, index_t target,
                cross_entropy_options const& o)
        : p(all.size(), 0), gradient(all.size(), 0) {
        std::vector<T> x;
        std::vector<std::size_t> places;
        index_t own = -1;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (!where[i]) continue;
            if (static_cast<index_t>(i) == target) own = static_cast<index_t>(x.size());
            x.push_back(all[i]), places.push_back(i);
        }
        right_group const left(x, o.ignored && target == *o.ignored ? target : own, o);
        bool const is_lost = own < 0 && (o.label_smoothing < 1 || x.empty()) && !(o.ignored && target == *o.ignored);
        loss = is_lost ? reference::infinity : left.loss;
        for (std::size_t i = 0; i < x.size(); ++i) p[places[i]] = left.p[i], gradient[places[i]] = left.gradient[i];
    }

    template <class T>
    right_group(std::vector<T> const& x, index_t target, cross_entropy_options const& o)
        : p(x.size(), 0), gradient(x.size(), 0) {
        if (o.ignored && target == *o.ignored) return;
        wide m = -reference::infinity, others = 0;
        std::size_t at = 0;
        auto const scaled = [&](std::size_t i) { return static_cast<wide>(o.scale) * reference::exact(x[i]); };
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (scaled(i) > m) m = scaled(i), at = i;
        }
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (i != at) others += std::exp(scaled(i) - m);
        }
        auto const classes = static_cast<wide>(x.size()), smoothing = static_cast<wide>(o.label_smoothing);
        for (std::size_t i = 0; i < x.size(); ++i) {
            wide const log = (scaled(i) - m) - std::log1p(others);
            wide const share = smoothing / classes + (static_cast<index_t>(i) == target ? 1 - smoothing : 0);
            p[i] = std::exp(log);
            // p - 1 without cancellation.
            wide const less = share == 1 ? (i == at ? -others / (1 + others) : std::expm1(log)) : p[i] - share;
            if (share > 0) loss -= share * log;
            gradient[i] = static_cast<wide>(o.scale) * less;
        }
    }
};

template <class T>
void check(index_list const& shape, index_t axis, cross_entropy_options o, std::string const& what) {
    INFO(what << ", shape " << softax::detail::text_of(shape) << ", axis " << axis);
    wide const epsilon = std::numeric_limits<softax::compute_type<T>>::epsilon();
    wide const result_epsilon = std::numeric_limits<T>::epsilon(), least = std::numeric_limits<T>::denorm_min();
    auto const logits = random_logits<T>(shape, 1);
    index_list kept = shape;
    kept.erase(axis);
    index_t const classes = shape[axis];
    auto const targets = random_targets<int>(kept, classes, o.ignored.has_value());
    auto const whole = o.where ? array<bool>(o.where->broadcast_to(shape)) : array<bool>();
    index_t inner = 1;
    for (index_t k = axis + 1; k < shape.size(); ++k) inner *= shape[k];
    o.reduction = reduction::none;
    auto gradient = array<T>(shape, T{});
    auto const losses = softax::cross_entropy_with_gradient_into(gradient, logits, targets, axis, o);
    REQUIRE(losses.shape() == kept);
    wide total = 0;
    index_t counted = 0;
    for (index_t k = 0; k < targets.size(); ++k) {
        index_t const first = k / inner * classes * inner + k % inner;
        std::vector<T> x;
        std::vector<bool> where;
        for (index_t i = 0; i < classes; ++i) {
            x.push_back(logits.data()[first + i * inner]);
            where.push_back(!o.where || whole.data()[first + i * inner]);
        }
        right_group const right(x, where, targets.data()[k], o);
        // 2.5 ULP of log_softmax; with smoothing the sum of all of them, at most 13 epsilon of it, which is the larger share.
        wide const off = (o.label_smoothing > 0 ? 16 : 3) * epsilon;
        wide const loss = reference::exact(losses.data()[k]);
        bool const is_lost = right.loss == reference::infinity;
        REQUIRE((is_lost ? loss == right.loss
                         : std::abs(loss - right.loss) <= right.loss * (off + result_epsilon) + least));
        for (index_t i = 0; i < classes; ++i) {
            auto const at = static_cast<std::size_t>(i);
            wide const got = reference::exact(gradient.data()[first + i * inner]);
            // log_softmax is off by 2.5 ULP, which exp makes relative ones of p: log p is down to -12 here. With smoothing
            // the shares are subtracted.
            wide const allowed = 2.5L * 16 * epsilon * right.p[at] + 3 * epsilon * (o.label_smoothing > 0 ? 1 : 0);
            wide const rounding = std::abs(right.gradient[at]) * (3 * epsilon + result_epsilon) + least;
            INFO("group " << k << ", class " << i << ", target " << targets.data()[k] << ", smoothing "
                          << o.label_smoothing);
            if (!where[at]) REQUIRE(got == 0);
            REQUIRE(std::abs(got - right.gradient[at]) <= std::abs(static_cast<wide>(o.scale)) * allowed + rounding);
        }
        total += right.loss;
        counted += !(o.ignored && targets.data()[k] == *o.ignored);
    }
    o.reduction = reduction::sum;
    auto const sum = softax::cross_entropy(logits, targets, axis, o);
    REQUIRE(sum.rank() == 0);
    bool const some_lost = total == reference::infinity;
    CHECK((some_lost ? reference::exact(sum()) == total
                     : std::abs(reference::exact(sum()) - total) <= total * (16 * epsilon + result_epsilon)));
    o.reduction = reduction::mean;
    auto mean_gradient = array<T>(shape, T{});
    auto const mean = softax::cross_entropy_with_gradient_into(mean_gradient, logits, targets, axis, o);
    wide const right_mean = total / counted;
    CHECK((some_lost
               ? reference::exact(mean()) == total
               : std::abs(reference::exact(mean()) - right_mean) <= right_mean * (16 * epsilon + result_epsilon)));
    CHECK(reference::exact(softax::cross_entropy(logits, targets, axis, o)()) == reference::exact(mean()));
    for (index_t k = 0; k < gradient.size(); ++k) {
        wide const one = reference::exact(gradient.data()[k]) / counted,
                   got = reference::exact(mean_gradient.data()[k]);
        REQUIRE(std::abs(got - one) <= std::abs(one) * (3 * epsilon + 2 * result_epsilon) + least);
    }
}

TEMPLATE_TEST_CASE("loss and gradient are those of the definition", "[cross_entropy]", float, double, half, bfloat16) {
    using T = TestType;
    if (std::is_same_v<T, double> && !reference::judges_double) return;
    cross_entropy_options const plain,
        smooth = {.label_smoothing = 0.1}, ignoring = {.label_smoothing = 0.25, .ignored = -100},
        all = {.label_smoothing = 1}, scaled = {.ignored = -100, .scale = 0.5}, negative = {.scale = -1};
    for (auto const& shape :
         std::vector<index_list>{{7, 3}, {5, 40}, {6, 100}, {3, 700}, {4, 5, 6}, {2, 60, 30}, {9, 1}}) {
        for (index_t axis = 0; axis < shape.size(); ++axis) {
            check<T>(shape, axis, plain, "plain");
            check<T>(shape, axis, smooth, "smoothing");
            check<T>(shape, axis, ignoring, "smoothing, ignored");
            check<T>(shape, axis, all, "smoothing 1");
            check<T>(shape, axis, scaled, "scale, ignored");
            check<T>(shape, axis, negative, "scale -1");
        }
    }
}

TEMPLATE_TEST_CASE("a mask leaves classes out, however it is broadcast", "[cross_entropy][masks]", float, double,
                   half) {
    using T = TestType;
    if (std::is_same_v<T, double> && !reference::judges_double) return;
    cross_entropy_options const plain, smooth = {.label_smoothing = 0.1}, all = {.label_smoothing = 1, .ignored = -100},
                                       scaled = {.label_smoothing = 0.2, .ignored = -100, .scale = -0.75};
    std::mt19937 generator(7);
    for (auto const& shape : std::vector<index_list>{{7, 3},
                                                     {5, 40},
                                                     {70, 20},
                                                     {6, 100},
                                                     {3, 4, 5},
                                                     {2, 60, 30},
                                                     {9, 1},
                                                     {2, 300, 2},
                                                     {1, 520, 5},
                                                     {70, 150}}) {
        // Every axis of the mask is there or broadcast, the first of them left away, or strided.
        for (unsigned kept = 0; kept < 1u << shape.size(); ++kept) {
            index_list masked = shape;
            for (index_t k = 0; k < shape.size(); ++k) {
                if ((kept >> k & 1) == 0) masked[k] = 1;
            }
            bool const is_stepped = kept % 3 == 1;
            masked.back() *= is_stepped ? 2 : 1;
            auto where = array<bool>::uninitialized(masked);
            for (bool& b : where) b = generator() % 4 != 0;
            view<bool const> said = where;
            if (is_stepped) said = said.slice(-1, {.step = -2});
            if (masked[0] == 1 && !is_stepped) {
                masked.erase(0);
                said = said.reshape(masked);
            }
            for (cross_entropy_options o : {plain, smooth, all, scaled}) {
                if (family::is_slow_build && (o.label_smoothing == 0 || o.label_smoothing == 1)) continue;
                o.where = said;
                for (index_t axis = 0; axis < shape.size(); ++axis) check<T>(shape, axis, o, "mask");
            }
        }
    }
}

TEST_CASE("what a mask leaves out does not matter", "[cross_entropy][masks][values]") {
    float const inf = INFINITY;
    // Groups: NaN left out; a target left out; nothing left; NaN left; a live class at -inf; ignored.
    array<float> const x = {{NAN, 1, 1}, {1, inf, 1}, {1, 2, 3}, {NAN, 0, 0}, {-inf, 0, 0}, {0, 0, 0}};
    array<bool> const where = {{0, 1, 1}, {1, 0, 1}, {0, 0, 0}, {1, 1, 0}, {1, 1, 1}, {0, 0, 0}};
    array<int> const targets = {1, 1, 0, 1, 1, 9};
    for (index_t const padding : {0, 60}) {
        // The same in groups of many classes, the others left out.
        array<float> logits({6, 3 + padding}, NAN), gradient({6, 3 + padding}, 7.0f);
        array<bool> mask({6, 3 + padding}, false);
        for (index_t j : {0, 1, 2, 3, 4, 5}) {
            for (index_t i : {0, 1, 2}) logits(j, i) = x(j, i), mask(j, i) = where(j, i);
        }
        cross_entropy_options o = {.ignored = 9, .reduction = reduction::none, .where = mask};
        auto const loss = softax::cross_entropy_with_gradient_into(gradient, logits, targets, -1, o);
        CHECK(loss(0) == Approx(std::log(2.0)));
        CHECK(loss(1) == inf);
        CHECK(loss(2) == inf);
        CHECK(std::isnan(loss(3)));
        CHECK(loss(4) == Approx(std::log(2.0)));
        CHECK(loss(5) == 0);
        CHECK(gradient(0, 1) == Approx(-0.5));
        CHECK(gradient(0, 2) == Approx(0.5));
        CHECK(gradient(1, 0) == Approx(0.5));
        CHECK(std::isnan(gradient(3, 1)));
        for (index_t k = 0; k < mask.size(); ++k) {
            if (!mask.data()[k]) CHECK((gradient.data()[k] == 0 && !std::signbit(gradient.data()[k])));
        }
        // The same groups, many of each, side by side.
        auto const is_same_in_columns = [&] {
            constexpr index_t count = 12 * 6;
            array<float> columns({3 + padding, count}, 7.0f), of_columns = columns;
            array<bool> answers({3 + padding, count}, false);
            array<int> of_group({count}, 0);
            for (index_t j = 0; j < count; ++j) {
                of_group(j) = targets(j % 6);
                for (index_t i = 0; i < 3 + padding; ++i)
                    columns(i, j) = logits(j % 6, i), answers(i, j) = mask(j % 6, i);
            }
            auto asked = o;
            asked.where = answers;
            softax::cross_entropy_with_gradient_into(of_columns, columns, of_group, 0, asked);
            bool is_same = true;
            for (index_t k = 0; k < of_columns.size(); ++k) {
                float const a = of_columns(k / count, k % count), b = gradient(k % count % 6, k / count);
                is_same = is_same && (std::isnan(b) ? std::isnan(a) : std::bit_cast<int>(a) == std::bit_cast<int>(b));
            }
            return is_same;
        };
        CHECK(is_same_in_columns());
        // The bug: 0 times the infinite loss of a class at -inf, or that of a class that is only left out.
        o.label_smoothing = 0.5;
        auto const smooth = softax::cross_entropy(logits, targets, -1, o);
        CHECK(smooth(0) == Approx(std::log(2.0)));
        CHECK(smooth(4) == inf);
        // The bug: a class at -inf that is left is taken for one left out, and its share of the gradient is lost.
        softax::cross_entropy_with_gradient_into(gradient, logits, targets, -1, o);
        CHECK(gradient(4, 0) == Approx(-0.5 / 3));
        CHECK(gradient(0, 1) == Approx(0.5 - 0.75));
        CHECK(is_same_in_columns());
        for (index_t k = 0; k < mask.size(); ++k) {
            if (!mask.data()[k]) CHECK((gradient.data()[k] == 0 && !std::signbit(gradient.data()[k])));
        }
        o.label_smoothing = 1;
        CHECK(softax::cross_entropy(logits, targets, -1, o)(1) == Approx(std::log(2.0)));
        CHECK(softax::cross_entropy(logits, targets, -1, o)(2) == inf);
    }
    // The bug: what rounding took from an infinite sum is no number, and became the loss.
    CHECK(softax::cross_entropy(array<float>{{0, -inf}, {0, 0}}, array<int>{1, 0})() == inf);
}

TEST_CASE("logits as far apart as floats go have a finite loss", "[cross_entropy][values]") {
    // The bug: how far apart they are overflows, and what rounding took from that made the loss NaN.
    bool const is_masked = GENERATE(false, true);
    for (index_t const n : {2, 40, 100, 700}) {
        array<float> x({2, n}, -3e38f);
        x(0, 0) = x(1, n - 1) = 3e38f;
        array<bool> where({2, n}, true);
        cross_entropy_options o = {.label_smoothing = 0.1, .reduction = reduction::none};
        if (is_masked) where(0, 1) = n == 2, o.where = where;
        auto const loss = softax::cross_entropy(x, array<int>{0, static_cast<int>(n) - 1}, -1, o);
        double const all = 0.1 * 6e38, left = static_cast<double>(n) - (is_masked && n > 2);
        CHECK(loss(0) == Approx(all * (left - 1) / left));
        CHECK(loss(1) == Approx(all * static_cast<double>(n - 1) / static_cast<double>(n)));
    }
}

TEST_CASE("a mask that leaves all changes no bit, nor does memory or threads with a mask", "[cross_entropy][masks]") {
    for (index_list const& shape : std::vector<index_list>{{300, 10}, {9, 2000}, {5, 30, 33}, {4, 700, 21}}) {
        auto const x = random_logits<float>(shape, 1);
        index_list kept = shape;
        kept.erase(1);
        auto const targets = random_targets<int>(kept, shape[1], true);
        array<bool> const everything({1}, true);
        array<bool> some(shape, false);
        for (index_t k = 0; k < some.size(); ++k) some.data()[k] = k % 7 != 3;
        cross_entropy_options o = {.ignored = -100, .scale = 1.25};
        array<float> right(shape, 0.0f), masked(shape, 7.0f);
        auto const loss = softax::cross_entropy_with_gradient_into(right, x, targets, 1, o);
        o.where = everything;
        CHECK(softax::cross_entropy_with_gradient_into(masked, x, targets, 1, o) == loss);
        CHECK(masked == right);
        o.where = some, o.label_smoothing = 0.1, o.reduction = reduction::none;
        auto const of_some = softax::cross_entropy_with_gradient_into(right, x, targets, 1, o);
        auto in_place = x;
        CHECK(softax::cross_entropy_with_gradient_into(in_place, in_place, targets, 1, o) == of_some);
        CHECK(in_place == right);
        o.on = softax::stream(softax::device::cpu, 4);
        CHECK(softax::cross_entropy_with_gradient_into(masked, x, targets, 1, o) == of_some);
        CHECK(masked == right);
    }
}

TEST_CASE("the gradient agrees with finite differences of the loss", "[cross_entropy]") {
    array<int> const targets = {{0, 4, 2}, {-1, 1, 1}};
    array<bool> const where = {{1}, {1}, {1}, {0}, {1}};
    bool const is_masked = GENERATE(false, true);
    cross_entropy_options o = {.label_smoothing = 0.2, .ignored = -1, .scale = 1.5};
    if (is_masked) o.where = where;
    auto x = random_logits<double>({2, 5, 3}, 1);
    array<double> gradient(x.shape(), 0.0);
    auto const loss = softax::cross_entropy_with_gradient_into(gradient, x, targets, 1, o);
    CHECK(loss() == softax::cross_entropy(x, targets, 1, o)());
    for (index_t k = 0; k < x.size(); ++k) {
        double const step = 1e-6, at = x.data()[k];
        x.data()[k] = at + step;
        double const above = softax::cross_entropy(x, targets, 1, o)();
        x.data()[k] = at - step;
        double const below = softax::cross_entropy(x, targets, 1, o)();
        x.data()[k] = at;
        double const right = (above - below) / (2 * step);
        CHECK(std::abs(gradient.data()[k] - right) <= 1e-5 + 1e-3 * std::abs(right));
    }
}

TEST_CASE("a confident class keeps its loss and its gradient", "[cross_entropy][values]") {
    // The bug: log(1 + 2e-9) is 0 in float, so the loss is 0 and the gradient p - 1 too, and training stands still.
    array<float> const x = {{0, -20}, {30, 0}};
    array<int> const targets = {0, 0};
    array<float> gradient({2, 2}, 0.0f);
    auto const loss =
        softax::cross_entropy_with_gradient_into(gradient, x, targets, -1, {.reduction = reduction::none});
    for (index_t k : {0, 1}) {
        double const e = std::exp(k == 0 ? -20.0 : -30.0);
        CHECK(loss(k) == Approx(std::log1p(e)).epsilon(1e-6).margin(0));
        CHECK(gradient(k, 0) == Approx(-e / (1 + e)).epsilon(1e-6).margin(0));
        CHECK(gradient(k, 1) == Approx(e / (1 + e)).epsilon(1e-5).margin(0));
    }
}

TEST_CASE("ignored, infinite and missing", "[cross_entropy][values]") {
    float const inf = INFINITY;
    array<float> const x = {{NAN, 1, 2}, {1, -inf, 1}, {1, -inf, 1}, {-inf, -inf, -inf}};
    array<std::int64_t> const targets = {-100, 0, 1, 2};
    array<float> gradient({4, 3}, 7.0f);
    auto const loss = softax::cross_entropy_with_gradient_into(gradient, x, targets, -1,
                                                               {.ignored = -100, .reduction = reduction::none});
    CHECK(loss(0) == 0);
    CHECK(loss(1) == Approx(std::log(2.0)));
    CHECK(loss(2) == inf);
    CHECK(std::isnan(loss(3)));
    for (index_t i : {0, 1, 2}) CHECK((gradient(0, i) == 0 && !std::signbit(gradient(0, i))));
    CHECK(gradient(1, 1) == 0);
    CHECK(gradient(2, 1) == -1);
    CHECK(std::isnan(gradient(3, 0)));
    // The mean over nothing is 0 / 0, as in PyTorch; the sum is 0.
    array<float> const y = {{1, 2}};
    array<int> const none = {5};
    CHECK(std::isnan(softax::cross_entropy(y, none, -1, {.ignored = 5})()));
    CHECK(softax::cross_entropy(y, none, -1, {.ignored = 5, .reduction = reduction::sum})() == 0);
    array<float> const empty({0, 3}, 0.0f);
    array<int> const no_targets({0}, 0);
    CHECK(std::isnan(softax::cross_entropy(empty, no_targets)()));
    CHECK(softax::cross_entropy(empty, no_targets, -1, {.reduction = reduction::none}).shape() == index_list{0});
    // One row of logits, one target of rank 0.
    CHECK(softax::cross_entropy(array<float>{0, 0}, array<int>::scalar(1))() == Approx(std::log(2.0)));
}

TEMPLATE_TEST_CASE("targets of any integer type and any strides", "[cross_entropy]", std::int8_t, std::uint8_t,
                   std::int32_t, index_t, std::uint64_t, bool) {
    using I = TestType;
    array<float> const x = {{1, 2}, {3, 5}, {0, 7}};
    array<I> const targets = {static_cast<I>(1), static_cast<I>(0), static_cast<I>(1)};
    auto const right = softax::cross_entropy(x, array<int>{1, 0, 1})();
    CHECK(softax::cross_entropy(x, targets)() == right);
    auto const reversed = view<I const>(targets).slice(0, {.step = -1});
    CHECK(softax::cross_entropy(view<float const>(x).slice(0, {.step = -1}), reversed)() == Approx(right));
}

TEST_CASE("targets that stay where they are are not changed", "[cross_entropy]") {
    // The bug: targets of index_t were written to where some were ignored, or taken for classes that were not.
    auto const x = random_logits<float>({7, 4}, 1);
    array<index_t> const targets = {1, 3, 0, 1, 2, 3, 1}, marked = {-7, 3, 0, -7, 2, 3, -7};
    array<int> const copied = {-7, 3, 0, -7, 2, 3, -7};
    auto const kept = marked;
    array<float> right(x.shape(), 7.0f), gradient(x.shape(), 7.0f);
    auto const loss = softax::cross_entropy_with_gradient_into(right, x, copied, -1, {.ignored = -7});
    CHECK(softax::cross_entropy_with_gradient_into(gradient, x, targets, -1, {.ignored = 1}) == loss);
    CHECK(gradient == right);
    CHECK(targets == array<index_t>{1, 3, 0, 1, 2, 3, 1});
    gradient = array<float>(x.shape(), 7.0f);
    CHECK(softax::cross_entropy_with_gradient_into(gradient, x, marked, -1, {.ignored = -7}) == loss);
    CHECK(gradient == right);
    CHECK(marked == kept);
    gradient = array<float>(x.shape(), 7.0f);
    REQUIRE_FAILS(softax::cross_entropy_with_gradient_into(gradient, x, marked), std::out_of_range,
                  "target -7, number 0");
    REQUIRE_FAILS(softax::cross_entropy_with_gradient_into(gradient, x, marked, -1, {.ignored = 1}), std::out_of_range,
                  "target -7, number 0");
    CHECK(gradient == array<float>(x.shape(), 7.0f));
    // Memory of the targets is not that of a result.
    array<double> const logits({2, 3}, 0.5);
    array<index_t> shared({2}, 0);
    view<double> const within(reinterpret_cast<double*>(shared.data()), {2});
    REQUIRE_FAILS(softax::cross_entropy_into(within, logits, shared, -1, {.reduction = reduction::none}),
                  std::invalid_argument, "overlap");
}

TEST_CASE("a stream or a device stands where options do", "[cross_entropy][stream]") {
    auto const x = random_logits<float>({40, 30}, 1);
    auto const targets = random_targets<int>({40}, 30, false);
    array<float> right(x.shape(), 0.0f);
    auto const loss = softax::cross_entropy_with_gradient_into(right, x, targets, 1);
    auto const is_same = [&](auto const& on) {
        array<float> gradient(x.shape(), 7.0f), own = array<float>::scalar(7);
        CHECK(softax::cross_entropy(x, targets, 1, on) == loss);
        CHECK(softax::cross_entropy_with_gradient_into(gradient, x, targets, 1, on) == loss);
        CHECK(gradient == right);
        softax::cross_entropy_into(own, x, targets, 1, on);
        CHECK(own == loss);
        own = array<float>::scalar(7), gradient = array<float>(x.shape(), 7.0f);
        softax::cross_entropy_into(softax::loss_and_gradient<float>{own, gradient}, x, targets, 1, on);
        CHECK(own == loss);
        CHECK(gradient == right);
    };
    is_same(softax::stream(softax::device::cpu, 3));
    is_same(softax::device::cpu);
}

TEST_CASE("memory and threads change no bit", "[cross_entropy]") {
    for (index_list const& shape : std::vector<index_list>{{500, 300}, {60, 40, 70}}) {
        auto const x = random_logits<float>(shape, 1);
        index_list kept = shape;
        kept.erase(1);
        auto const targets = random_targets<int>(kept, shape[1], false);
        array<float> right(shape, 0.0f), threaded(shape, 0.0f);
        auto const loss = softax::cross_entropy_with_gradient_into(right, x, targets, 1);
        auto const on = softax::cross_entropy_with_gradient_into(threaded, x, targets, 1,
                                                                 {.on = softax::stream(softax::device::cpu, 4)});
        CHECK(loss == on);
        CHECK(right == threaded);
        auto in_place = x;
        CHECK(softax::cross_entropy_with_gradient_into(in_place, in_place, targets, 1) == loss);
        CHECK(in_place == right);
        index_list doubled = shape;
        doubled.back() *= 2;
        array<float> out(doubled, 7.0f);
        auto const part = view<float>(out).slice(-1, {.start = 1, .step = 2});
        CHECK(softax::cross_entropy_with_gradient_into(part, x, targets, 1) == loss);
        CHECK(array<float>(part) == right);
    }
}

TEST_CASE("loss and gradient come into memory of the caller", "[cross_entropy]") {
    auto const x = random_logits<float>({6, 5, 7}, 1);
    auto const targets = random_targets<int>({6, 7}, 5, true);
    for (reduction const r : {reduction::none, reduction::mean, reduction::sum}) {
        cross_entropy_options const o = {.label_smoothing = 0.1, .ignored = -100, .reduction = r};
        array<float> right(x.shape(), 0.0f), gradient(x.shape(), 7.0f);
        auto const loss = softax::cross_entropy_with_gradient_into(right, x, targets, 1, o);
        array<float> alone(loss.shape(), 7.0f), beside(loss.shape(), 7.0f);
        softax::cross_entropy_into(alone, x, targets, 1, o);
        softax::cross_entropy_into(softax::loss_and_gradient<float>{beside, gradient}, x, targets, 1, o);
        CHECK(alone == loss);
        CHECK(beside == loss);
        CHECK(gradient == right);
        auto in_place = x;
        softax::cross_entropy_into(softax::loss_and_gradient<float>{beside, in_place}, in_place, targets, 1, o);
        CHECK(in_place == right);
    }
    array<float> every({6, 14}, 7.0f);
    softax::cross_entropy_into(view<float>(every).slice(1, {.step = 2}), x, targets, 1,
                               {.ignored = -100, .reduction = reduction::none});
    CHECK(array<float>(view<float>(every).slice(1, {.step = 2})) ==
          softax::cross_entropy(x, targets, 1, {.ignored = -100, .reduction = reduction::none}));
    CHECK(array<float>(view<float>(every).slice(1, {.start = 1, .step = 2})) == array<float>({6, 7}, 7.0f));
}

TEMPLATE_TEST_CASE("a group has the same bits along every axis, in every batch and layout", "[cross_entropy]", float,
                   double, half) {
    using T = TestType;
    bool const is_masked = GENERATE(false, true);
    std::mt19937 generator(11);
    for (index_t const n : {1, 2, 3, 7, 8, 15, 16, 17, 40, 47, 48, 49, 64, 100, 129, 1030, 20000}) {
        cross_entropy_options o = {.label_smoothing = 0.1, .reduction = reduction::none};
        auto const x = random_logits<T>({1, n}, 1);
        array<int> const target = {static_cast<int>(n / 2)};
        array<T> alone({1, n}, T{});
        array<bool> where({1, n}, true);
        for (index_t i = 0; i < n; ++i) where(0, i) = generator() % 4 != 0 || i == n / 2;
        if (is_masked) o.where = where;
        auto const loss = softax::cross_entropy_with_gradient_into(alone, x, target, 1, o);
        for (index_t const k : {2, 5, 16, 70}) {
            auto xs = random_logits<T>({n, k}, 2);
            array<bool> answers({n, k}, true), of_runs({k, n}, true);
            index_t const j = k / 2;
            for (index_t i = 0; i < n; ++i) {
                xs(i, j) = x(0, i);
                for (index_t c = 0; c < k; ++c) answers(i, c) = of_runs(c, i) = c == j ? where(0, i) : (i + c) % 5 != 2;
            }
            array<int> targets({k}, 0);
            targets(j) = target(0);
            array<T> columns({n, k}, T{}), rows({k, n}, T{});
            cross_entropy_options side = o, runs = o;
            if (is_masked) side.where = answers, runs.where = of_runs;
            auto const of_columns = softax::cross_entropy_with_gradient_into(columns, xs, targets, 0, side);
            auto const of_rows =
                softax::cross_entropy_with_gradient_into(rows, view<T const>(xs).transpose(), targets, 1, runs);
            INFO("n " << n << ", k " << k << (is_masked ? ", masked" : ""));
            bool is_same = family::bits_of(of_columns(j)) == family::bits_of(loss(0)) &&
                           family::bits_of(of_rows(j)) == family::bits_of(loss(0));
            for (index_t i = 0; i < n; ++i) {
                is_same = is_same && family::bits_of(columns(i, j)) == family::bits_of(alone(0, i)) &&
                          family::bits_of(rows(j, i)) == family::bits_of(alone(0, i));
            }
            REQUIRE(is_same);
        }
    }
}

TEST_CASE("what is wrong with a call is said, and nothing is written", "[cross_entropy][errors]") {
    array<float> const x({2, 3}, 1.0f);
    array<float> out({2, 3}, 7.0f);
    array<int> const targets = {0, 3}, low = {-1, 0}, three = {0, 1, 2}, good = {0, 2};
    auto const into = [&](array<int> const& t, cross_entropy_options const& o = {}) {
        softax::cross_entropy_with_gradient_into(out, x, t, -1, o);
        return 0;
    };
    REQUIRE_FAILS(into(targets), std::out_of_range,
                  "target 3, number 1 in row-major order, is out of range for 3 classes");
    REQUIRE_FAILS(into(low), std::out_of_range, "target -1");
    REQUIRE_FAILS(into(low, {.ignored = -2}), std::out_of_range, "target -1");
    REQUIRE_FAILS(into(three), std::invalid_argument, "targets has shape (3,), it must be (2,)");
    REQUIRE_FAILS(into(good, {.label_smoothing = 1.5}), std::invalid_argument, "label_smoothing is 1.5");
    REQUIRE_FAILS(into(good, {.label_smoothing = NAN}), std::invalid_argument, "label_smoothing");
    REQUIRE_FAILS(into(good, {.scale = INFINITY}), std::invalid_argument, "scale");
    array<bool> const where({2, 2}, true);
    REQUIRE_FAILS(into(good, {.where = where}), std::invalid_argument, "(2, 2)");
    view<bool const> const within(reinterpret_cast<bool const*>(out.data()), {3});
    REQUIRE_FAILS(into(good, {.where = within}), std::invalid_argument, "where overlaps out");
    REQUIRE_FAILS(softax::cross_entropy(x, good, 2), std::out_of_range, "axis 2");
    array<float> memory({20}, 7.0f);
    view<float> const a(memory.data(), {2, 3}), b(memory.data() + 1, {2, 3});
    REQUIRE_FAILS(softax::cross_entropy_with_gradient_into(b, a, good), std::invalid_argument, "overlaps");
    REQUIRE_FAILS(softax::cross_entropy_into(out, x, good), std::invalid_argument, "out has shape (2, 3)");
    view<float> const one(memory.data() + 2, {});
    REQUIRE_FAILS(softax::cross_entropy_into(softax::loss_and_gradient<float>{one, a}, x, good), std::invalid_argument,
                  "overlaps");
    array<std::uint64_t> const huge = {0, std::numeric_limits<std::uint64_t>::max()};
    REQUIRE_FAILS(softax::cross_entropy(x, huge), std::out_of_range, "target 18446744073709551615");
    REQUIRE_FAILS(softax::cross_entropy(x, huge, -1, {.ignored = -1}), std::out_of_range,
                  "target 18446744073709551615");
    CHECK(out == array<float>({2, 3}, 7.0f));
    CHECK(memory == array<float>({20}, 7.0f));
}

TEMPLATE_TEST_CASE("ordinary numbers raise no floating-point exception", "[cross_entropy]", float, double) {
    // The bug: what is no group had the sum 0, and 1 / 0 and its logarithm were taken.
    for (index_list const& shape : std::vector<index_list>{{5, 9}, {3, 1000}, {65, 10}, {5, 48, 7}, {200, 33}}) {
        auto const x = random_logits<TestType>(shape, 1);
        auto gradient = x;
        for (index_t axis = 0; axis < shape.size(); ++axis) {
            index_list kept = shape;
            kept.erase(axis);
            auto const targets = random_targets<int>(kept, shape[axis], false);
            for (double const smoothing : {0.0, 0.1}) {
                cross_entropy_options const o = {.label_smoothing = smoothing};
                CAPTURE(softax::detail::text_of(shape), axis, smoothing);
                CHECK(!family::is_raising(
                    [&] { softax::cross_entropy_with_gradient_into(gradient, x, targets, axis, o); }));
            }
        }
    }
}

TEMPLATE_TEST_CASE("smoothed or masked, a call clears the upper halves of vector registers", "[cross_entropy]", float,
                   double, half) {
    for (index_list const& shape : registers::shapes) {
        auto const x = random_logits<TestType>(shape, 1);
        auto gradient = x;
        array<bool> where(shape, true);
        for (index_t i = 0; i < where.size(); i += 3) where.data()[i] = false;
        for (index_t const axis : {0, 1}) {
            auto const targets = random_targets<int>({shape[1 - axis]}, shape[axis], false);
            for (double const smoothing : {0.0, 0.1}) {
                for (bool const is_masked : {false, true}) {
                    cross_entropy_options o = {.label_smoothing = smoothing};
                    if (is_masked) o.where = view<bool const>(where);
                    CAPTURE(softax::detail::text_of(shape), axis, smoothing, is_masked);
                    CHECK(registers::stay_clear([&] { softax::cross_entropy(x, targets, axis, o); }));
                    CHECK(registers::stay_clear(
                        [&] { softax::cross_entropy_with_gradient_into(gradient, x, targets, axis, o); }));
                }
            }
        }
    }
}

}  // namespace
