// The derivatives of the family against closed forms in long double and against finite differences of the family itself, over
// axes, strides, types and options; special values, errors, memory.
#include <softax/gradient.hpp>

#include "catch.hpp"
#include "family.hpp"
#include "random.hpp"
#include "registers.hpp"

#include <functional>
#include <numeric>
#include <vector>

using reference::wide;
using softax::array;
using softax::axes;
using softax::bfloat16;
using softax::half;
using softax::index_list;
using softax::index_t;
using softax::options;
using softax::view;

namespace {

array<bool> random_mask(index_list const& shape, unsigned seed) {
    auto mask = array<bool>::uninitialized(shape);
    std::mt19937 generator(seed);
    for (bool& live : mask) live = generator() % 3 != 0;
    return mask;
}

/// The groups of a shape, each a list of places in row-major order, in row-major order of the kept axes.
std::vector<std::vector<std::size_t>> groups_of(index_list const& shape, unsigned reduced) {
    std::size_t size = 1, count = 1;
    for (index_t axis = 0; axis < shape.size(); ++axis) {
        size *= static_cast<std::size_t>(shape[axis]);
        if (!(reduced >> axis & 1u)) count *= static_cast<std::size_t>(shape[axis]);
    }
    std::vector<std::vector<std::size_t>> groups(count);
    for (std::size_t k = 0; k < size; ++k) {
        std::size_t rest = k, number = 0, weight = 1;
        for (index_t axis = shape.size(); axis-- > 0;) {
            auto const extent = static_cast<std::size_t>(shape[axis]);
            if (!(reduced >> axis & 1u)) number += rest % extent * weight, weight *= extent;
            rest /= extent;
        }
        groups[number].push_back(k);
    }
    return groups;
}

axes axes_of(unsigned reduced, index_t rank) {
    std::vector<index_t> list;
    for (index_t axis = 0; axis < rank; ++axis) {
        if (reduced >> axis & 1u) list.push_back(axis);
    }
    return axes(list);
}

enum class function { softmax_vjp, softmax_jvp, log_softmax_vjp, log_softmax_jvp };
constexpr function functions[] = {function::softmax_vjp, function::softmax_jvp, function::log_softmax_vjp,
                                  function::log_softmax_jvp};

template <class T>
array<T> run(function f, view<T const> y, view<T const> g, axes const& over, options const& o = {}) {
    if (f == function::softmax_vjp) return softax::softmax_vjp(y, g, over, o);
    if (f == function::softmax_jvp) return softax::softmax_jvp(y, g, over, o);
    if (f == function::log_softmax_vjp) return softax::log_softmax_vjp(y, g, over, o);
    return softax::log_softmax_jvp(y, g, over, o);
}

template <class T>
void run_into(function f, view<T> out, view<T const> y, view<T const> g, axes const& over, options const& o = {}) {
    if (f == function::softmax_vjp) softax::softmax_vjp_into(out, y, g, over, o);
    if (f == function::softmax_jvp) softax::softmax_jvp_into(out, y, g, over, o);
    if (f == function::log_softmax_vjp) softax::log_softmax_vjp_into(out, y, g, over, o);
    if (f == function::log_softmax_jvp) softax::log_softmax_jvp_into(out, y, g, over, o);
}

bool is_log(function f) { return f == function::log_softmax_vjp || f == function::log_softmax_jvp; }

/// What is right for every element, from y as it is, and how far off it may be.
struct closed_form {
    std::vector<wide> value, allowed;
};

/// epsilon is that of the type of computation; rounding to the type of the result comes on top.
template <class T>
closed_form closed_form_of(function f, array<T> const& y, array<T> const& g, unsigned reduced, double scale,
                           array<bool> const* mask = nullptr) {
    constexpr wide epsilon = std::numeric_limits<softax::compute_type<T>>::epsilon();
    constexpr wide result_epsilon = std::numeric_limits<T>::epsilon();
    constexpr wide least = std::numeric_limits<T>::denorm_min();
    closed_form c{std::vector<wide>(static_cast<std::size_t>(y.size())),
                  std::vector<wide>(static_cast<std::size_t>(y.size()))};
    for (auto const& group : groups_of(y.shape(), reduced)) {
        wide sum = 0, magnitude = 0;
        auto const is_live = [&](std::size_t k) { return mask == nullptr || mask->data()[k]; };
        for (std::size_t const k : group) {
            if (!is_live(k)) continue;
            wide const yk = reference::exact(y.data()[k]), gk = reference::exact(g.data()[k]);
            wide const term = f == function::log_softmax_vjp ? gk : (is_log(f) ? std::exp(yk) : yk) * gk;
            sum += term, magnitude += std::abs(term);
        }
        for (std::size_t const k : group) {
            if (!is_live(k)) continue;
            wide const yk = reference::exact(y.data()[k]), gk = reference::exact(g.data()[k]);
            wide const p = is_log(f) ? std::exp(yk) : yk;
            wide const factor = f == function::log_softmax_vjp || !is_log(f) ? p : 1;  // of the sum
            wide const rest = is_log(f) ? gk : p * gk;
            c.value[k] = scale * (rest - factor * sum);
            // 13 epsilon of the sum's terms, one more for each operation after it.
            wide const slack = std::abs(factor) * (13 * magnitude + 3 * std::abs(sum)) + 3 * std::abs(rest);
            c.allowed[k] =
                std::abs(static_cast<wide>(scale)) * slack * epsilon + std::abs(c.value[k]) * result_epsilon + least;
        }
    }
    return c;
}

template <class T>
void check_close(array<T> const& got, closed_form const& right, std::string const& what) {
    for (std::size_t k = 0; k < right.value.size(); ++k) {
        wide const value = reference::exact(got.data()[k]);
        bool const is_close = std::abs(value - right.value[k]) <= right.allowed[k];
        if (is_close) continue;
        FAIL(what << ": element " << k << " is " << static_cast<double>(value) << ", right is "
                  << static_cast<double>(right.value[k]) << ", allowed " << static_cast<double>(right.allowed[k]));
    }
    REQUIRE(static_cast<std::size_t>(got.size()) == right.value.size());
}

/// A y that is a softmax or log_softmax, rounded to the type; which rounding does not matter here.
template <class T>
array<T> result_of(function f, array<T> const& a, unsigned reduced) {
    array<T> y = a;
    for (auto const& group : groups_of(a.shape(), reduced)) {
        wide sum = 0;
        for (std::size_t const k : group) sum += std::exp(reference::exact(a.data()[k]));
        for (std::size_t const k : group) {
            wide const log = reference::exact(a.data()[k]) - std::log(sum);
            y.data()[k] = static_cast<T>(static_cast<double>(is_log(f) ? log : std::exp(log)));
        }
    }
    return y;
}

std::string text_of(function f, index_list const& shape, unsigned reduced) {
    return "function " + std::to_string(static_cast<int>(f)) + ", shape " + softax::detail::text_of(shape) + ", axes " +
           std::to_string(reduced);
}

TEMPLATE_TEST_CASE("the products are the closed forms", "[gradient]", float, double, half, bfloat16) {
    using T = TestType;
    if (std::is_same_v<T, double> && !reference::judges_double) return;
    std::vector<index_list> const shapes = {{1},          {5},       {3, 4},       {2, 3, 4},    {7, 1, 5},   {40, 3},
                                            {3, 47},      {3, 48},   {2, 100, 17}, {65, 33},     {3, 1, 513}, {600, 18},
                                            {2, 3, 2, 5}, {33, 130}, {1100, 2},    {4, 2, 70, 3}};
    for (auto const& shape : shapes) {
        for (unsigned reduced = 0; reduced < 1u << shape.size(); ++reduced) {
            for (function const f : functions) {
                auto const y = result_of<T>(f, random_array<T>(shape, 1), reduced), g = random_array<T>(shape, 2);
                auto const got = run<T>(f, y, g, axes_of(reduced, shape.size()));
                check_close(got, closed_form_of(f, y, g, reduced, 1), text_of(f, shape, reduced));
            }
        }
    }
}

TEST_CASE("sums of long groups keep the bound that lanes in double give them", "[gradient]") {
    // One running float sum of 2^20 equal terms would be off by some 1e4 epsilon.
    for (index_t const n : {1000, 100000, 1 << 20}) {
        array<float> const y({n}, 1.0f / 3), g({n}, 0.7f);
        auto const got = softax::softmax_vjp(y, g);
        check_close(got, closed_form_of(function::softmax_vjp, y, g, 1, 1), "equal terms");
        auto const a = random_array<float>({n}, 3), b = random_array<float>({n}, 4);
        check_close(softax::softmax_vjp(a, b), closed_form_of(function::softmax_vjp, a, b, 1, 1), "random terms");
    }
}

TEMPLATE_TEST_CASE("scale and a mask enter the products", "[gradient][options]", float, double, half) {
    using T = TestType;
    for (auto const& shape : std::vector<index_list>{{3, 70}, {70, 20}, {2, 9, 33}, {5, 3}}) {
        for (unsigned reduced = 1; reduced < 1u << shape.size(); ++reduced) {
            auto const mask = random_mask(shape, 5);
            for (function const f : functions) {
                auto const y = result_of<T>(f, random_array<T>(shape, 1), reduced);
                auto g = random_array<T>(shape, 2);
                auto const over = axes_of(reduced, shape.size());
                auto const scaled = run<T>(f, y, g, over, {.scale = -0.5});
                check_close(scaled, closed_form_of(f, y, g, reduced, -0.5), "scale, " + text_of(f, shape, reduced));
                auto const right = closed_form_of(f, y, g, reduced, 2, &mask);
                // What is left out takes no part, whatever it holds.
                for (index_t k = 0; k < g.size(); ++k) {
                    if (!mask.data()[k]) g.data()[k] = static_cast<T>(k % 2 ? NAN : INFINITY);
                }
                auto const masked = run<T>(f, y, g, over, {.scale = 2, .where = view<bool const>(mask)});
                check_close(masked, right, "mask, " + text_of(f, shape, reduced));
                for (index_t k = 0; k < g.size(); ++k) {
                    if (!mask.data()[k]) REQUIRE(reference::exact(masked.data()[k]) == 0);
                }
            }
        }
    }
}

TEST_CASE("a mask is broadcast", "[gradient][options]") {
    index_list const shape = {2, 3, 20, 50};
    auto const y = random_array<float>(shape, 1), g = random_array<float>(shape, 2);
    for (auto const& narrow : std::vector<index_list>{{20, 50}, {50}, {2, 1, 1, 50}, {3, 20, 1}, {1}}) {
        auto const mask = random_mask(narrow, 3);
        array<bool> const full(view<bool const>(mask).broadcast_to(shape));
        for (unsigned reduced : {8u, 4u, 2u, 12u, 10u, 15u}) {
            auto const over = axes_of(reduced, 4);
            auto const got = softax::softmax_vjp(y, g, over, {.where = view<bool const>(mask)});
            CHECK(got == softax::softmax_vjp(y, g, over, {.where = view<bool const>(full)}));
            check_close(got, closed_form_of(function::softmax_vjp, y, g, reduced, 1, &full), "broadcast mask");
        }
    }
}

// A mask that is the same along some axes keeps others apart: kernels work on them as one, and what it says is moved; so it is where its
// own axes are in another order.
TEST_CASE("a mask that keeps axes apart", "[gradient][options]") {
    struct mask_case {
        index_list shape, mask;
    };
    for (auto const& [shape, narrow] : std::vector<mask_case>{{{4, 200, 3}, {4, 1, 3}},
                                                              {{32, 50, 5, 2}, {32, 1, 5, 1}},
                                                              {{10, 500, 8}, {10, 1, 8}},
                                                              {{300, 4, 3}, {3}},
                                                              {{3, 1, 300, 32}, {3, 1, 300, 1}},
                                                              {{16, 7, 40, 20}, {16, 1, 1, 20}},
                                                              {{200, 10}, {10}},
                                                              {{70, 9, 130}, {1, 9, 1}}}) {
        auto const y = random_array<float>(shape, 1), g = random_array<float>(shape, 2);
        auto const mask = random_mask(narrow, 3);
        auto const broadcast = view<bool const>(mask).broadcast_to(shape);
        array<bool> const full(broadcast);
        index_list reversed;
        for (index_t axis = shape.size() - 1; axis >= 0; --axis) reversed.push_back(axis);
        array<bool> const turned(view<bool const>(full).permute(reversed));
        for (unsigned reduced = 1; reduced < 1u << shape.size(); ++reduced) {
            auto const over = axes_of(reduced, shape.size());
            auto const soft = softax::softmax_vjp(y, g, over, {.where = view<bool const>(full)});
            auto const log = softax::log_softmax_vjp(y, g, over, {.where = view<bool const>(full)});
            for (view<bool const> const& where : {broadcast, view<bool const>(turned).permute(reversed)}) {
                INFO(shape.size() << " axes, of " << shape[0] << ", reduced " << reduced);
                CHECK(softax::softmax_vjp(y, g, over, {.where = where}) == soft);
                CHECK(softax::log_softmax_vjp(y, g, over, {.where = where}) == log);
            }
        }
    }
}

// Finite differences, as torch.autograd.gradcheck takes them.
constexpr double step = 1e-6, atol = 1e-5, rtol = 1e-3;

bool is_near(double got, double right) { return std::abs(got - right) <= atol + rtol * std::abs(right); }

using forward = std::function<array<double>(array<double> const&)>;

/// The gradient of <g, f(a)>.
array<double> differences(forward const& f, array<double> a, array<double> const& g) {
    array<double> result(a.shape(), 0.0);
    for (index_t k = 0; k < a.size(); ++k) {
        double const x = a.data()[k];
        a.data()[k] = x + step;
        auto const above = f(a);
        a.data()[k] = x - step;
        auto const below = f(a);
        a.data()[k] = x;
        for (index_t i = 0; i < g.size(); ++i) {
            if (g.data()[i] != 0 && above.data()[i] != below.data()[i])
                result.data()[k] += g.data()[i] * (above.data()[i] - below.data()[i]) / (2 * step);
        }
    }
    return result;
}

/// The change of f(a) along t.
array<double> change(forward const& f, array<double> const& a, array<double> const& t) {
    auto above = a, below = a;
    for (index_t k = 0; k < a.size(); ++k) {
        above.data()[k] += step * t.data()[k];
        below.data()[k] -= step * t.data()[k];
    }
    auto result = f(above);
    auto const b = f(below);
    for (index_t k = 0; k < result.size(); ++k) {
        double const d = result.data()[k] - b.data()[k];
        result.data()[k] = std::isnan(d) ? 0 : d / (2 * step);  // -inf where masked
    }
    return result;
}

void require_near(array<double> const& got, array<double> const& right) {
    REQUIRE(got.shape() == right.shape());
    for (index_t k = 0; k < got.size(); ++k) {
        INFO("element " << k << ": " << got.data()[k] << ", by differences " << right.data()[k]);
        REQUIRE(is_near(got.data()[k], right.data()[k]));
    }
}

TEST_CASE("every derivative agrees with finite differences of the family", "[gradient]") {
    auto const mask = random_mask({3, 4, 1}, 9);
    std::vector<options> cases = {{}, {.scale = -1.5}, {.extra = 0.5}, {.where = view<bool const>(mask)}};
    cases.push_back({.scale = 0.7, .where = view<bool const>(mask), .extra = -0.25, .keepdims = true});
    index_list const shape = {3, 4, 5};
    for (options const& o : cases) {
        for (unsigned reduced = 0; reduced < 8; ++reduced) {
            auto const over = axes_of(reduced, 3);
            INFO("axes " << reduced << ", scale " << o.scale << ", extra " << o.extra << ", mask "
                         << o.where.has_value());
            auto const a = random_array<double>(shape, 1), g = random_array<double>(shape, 2);
            forward const softmax = [&](auto const& x) { return softax::softmax(x, over, o); };
            forward const log_softmax = [&](auto const& x) { return softax::log_softmax(x, over, o); };
            forward const logsumexp = [&](auto const& x) { return softax::logsumexp(x, over, o); };
            auto const y = softmax(a), log_y = log_softmax(a);
            require_near(softax::softmax_vjp(y, g, over, o), differences(softmax, a, g));
            require_near(softax::softmax_jvp(y, g, over, o), change(softmax, a, g));
            require_near(softax::log_softmax_vjp(log_y, g, over, o), differences(log_softmax, a, g));
            require_near(softax::log_softmax_jvp(log_y, g, over, o), change(log_softmax, a, g));
            auto const r = random_array<double>(logsumexp(a).shape(), 3);
            require_near(softax::logsumexp_vjp(a, r, over, o), differences(logsumexp, a, r));
            require_near(softax::logsumexp_jvp(a, g, over, o), change(logsumexp, a, g));
        }
    }
}

TEST_CASE("vjp and jvp are each other's transposes", "[gradient]") {
    auto const dot = [](array<double> const& a, array<double> const& b) {
        return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
    };
    index_list const shape = {6, 50, 7};
    for (unsigned reduced = 0; reduced < 8; ++reduced) {
        auto const over = axes_of(reduced, 3);
        auto const a = random_array<double>(shape, 1), g = random_array<double>(shape, 2),
                   t = random_array<double>(shape, 3);
        auto const y = softax::softmax(a, over), log_y = softax::log_softmax(a, over);
        auto const r = random_array<double>(softax::logsumexp(a, over).shape(), 4);
        // Sums of 2,100 terms of size 4, in double.
        CHECK(dot(g, softax::softmax_jvp(y, t, over)) == Approx(dot(softax::softmax_vjp(y, g, over), t)).margin(1e-10));
        CHECK(dot(g, softax::log_softmax_jvp(log_y, t, over)) ==
              Approx(dot(softax::log_softmax_vjp(log_y, g, over), t)).margin(1e-10));
        CHECK(dot(r, softax::logsumexp_jvp(a, t, over)) ==
              Approx(dot(softax::logsumexp_vjp(a, r, over), t)).margin(1e-10));
    }
}

/// A group somewhere else: alone, as a column among others, in a strided view.
TEMPLATE_TEST_CASE("a group has the same bits along every axis, in every batch and layout", "[gradient]", float, double,
                   half) {
    using T = TestType;
    for (index_t const n :
         {1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 100, 129, 257, 511, 512, 513, 1030}) {
        for (function const f : functions) {
            auto const y = result_of<T>(f, random_array<T>({n}, 1), 1), g = random_array<T>({n}, 2);
            auto const alone = run<T>(f, y, g, 0);
            for (index_t const k : {2, 5, 16, 40, 130}) {
                auto ys = random_array<T>({n, k}, 3), gs = random_array<T>({n, k}, 4);
                index_t const j = k / 2;
                for (index_t i = 0; i < n; ++i) ys(i, j) = y(i), gs(i, j) = g(i);
                auto const columns = run<T>(f, ys, gs, 0);
                auto const yt = view<T const>(ys).transpose(), gt = view<T const>(gs).transpose();
                auto const rows = run<T>(f, yt, gt, 1);
                for (index_t i = 0; i < n; ++i) {
                    INFO("n " << n << ", k " << k << ", element " << i);
                    REQUIRE(family::bits_of(columns(i, j)) == family::bits_of(alone(i)));
                    REQUIRE(family::bits_of(rows(j, i)) == family::bits_of(alone(i)));
                }
            }
        }
    }
}

// Products too small for the type are -0 here, and so was the sum of a column, but not of a row, where lanes are left that are 0.
// What is taken from an element that is -0 shows it too.
TEMPLATE_TEST_CASE("a sum of nothing but -0 is the same zero along every axis", "[gradient]", float, double) {
    using T = TestType;
    for (index_t const n : {2, 3, 8, 16, 20, 32, 40, 64, 100, 300, 1030}) {
        array<T> const rows({2, n}, T(0)), columns({n, 2}, T(0));
        array<T> of_rows({2, n}, -std::numeric_limits<T>::denorm_min());
        of_rows(0, n / 2) = -T(0);
        array<T> const of_columns(view<T const>(of_rows).transpose());
        INFO("n " << n);
        auto const a = softax::logsumexp_jvp(rows, of_rows, 1), b = softax::logsumexp_jvp(columns, of_columns, 0);
        auto const c = softax::softmax_vjp(softax::softmax(rows, 1), of_rows, 1);
        auto const d = softax::softmax_vjp(softax::softmax(columns, 0), of_columns, 0);
        for (index_t k = 0; k < 2; ++k) {
            CHECK(family::bits_of(a(k)) == family::bits_of(b(k)));
            CHECK(family::bits_of(c(k, n / 2)) == family::bits_of(d(n / 2, k)));
        }
    }
}

/// All derivatives with some options: what each gives without threads it gives with them, also in place.
template <class T>
void require_same_on_threads(index_list const& shape, axes const& over, options o) {
    auto const a = random_array<T>(shape, 1), g = random_array<T>(shape, 2), y = softax::softmax(a, over);
    auto const r = softax::logsumexp(a, over);
    auto const softmax_back = softax::softmax_vjp(y, g, over, o), log_back = softax::log_softmax_vjp(y, g, over, o),
               log_along = softax::log_softmax_jvp(y, g, over, o), sum_back = softax::logsumexp_vjp(a, r, over, o),
               sum_along = softax::logsumexp_jvp(a, g, over, o);
    for (index_t const threads : {2, 3, 4, 7}) {
        o.on = softax::stream(softax::device::cpu, threads);
        INFO(shape[0] << " x " << shape.back() << " on " << threads);
        CHECK(softax::softmax_vjp(y, g, over, o) == softmax_back);
        CHECK(softax::log_softmax_vjp(y, g, over, o) == log_back);
        CHECK(softax::log_softmax_jvp(y, g, over, o) == log_along);
        CHECK(softax::logsumexp_vjp(a, r, over, o) == sum_back);
        CHECK(softax::logsumexp_jvp(a, g, over, o) == sum_along);
        auto in_place = g;
        softax::softmax_vjp_into(in_place, y, in_place, over, o);
        CHECK(in_place == softmax_back);
    }
}

TEST_CASE("threads change no bit", "[gradient][stream]") {
    for (auto const& [shape, axis] :
         {std::pair<index_list, index_t>{{300, 700}, 1}, {{700, 300}, 0}, {{8, 90, 300}, 1}}) {
        require_same_on_threads<float>(shape, axis, {});
    }
}

// Runs that are fewer than the threads are added up by all of them, chunk by chunk; so are columns.
TEMPLATE_TEST_CASE("threads that share a group change no bit", "[gradient][stream]", float, double, half, bfloat16) {
    using T = TestType;
    constexpr index_t least = index_t{1} << 16;
    for (index_list const& shape : {index_list{least}, index_list{1, least + 1}, index_list{3, 2 * least + 511}}) {
        require_same_on_threads<T>(shape, -1, {});
        auto const mask = random_mask(shape, 3);
        require_same_on_threads<T>(shape, -1, {.scale = 0.3, .where = mask});
        array<bool> const one_answer({1}, true);
        require_same_on_threads<T>(shape, -1, {.where = one_answer});
    }
    for (index_list const& shape : {index_list{2500, 64}, index_list{4100, 17}, index_list{2, 1600, 70}}) {
        index_t const axis = shape.size() - 2;
        require_same_on_threads<T>(shape, axis, {});
        auto whole = shape, row = shape, column = shape;
        row[axis] = 1, column[axis + 1] = 1;
        for (index_list const& some : {whole, row, column}) {
            auto const mask = random_mask(some, 3);
            require_same_on_threads<T>(shape, axis, {.where = mask});
        }
    }
    require_same_on_threads<T>({300, 500}, softax::all_axes, {});
    // The bug: a mask that keeps the axes of a run apart had it moved, by one thread.
    for (index_list const& narrow : {index_list{500}, index_list{300, 1}, index_list{1, 1}}) {
        auto const mask = random_mask(narrow, 3);
        require_same_on_threads<T>({300, 500}, softax::all_axes, {.where = mask});
    }
}

// The bug: one column that was left over was written as a run.
TEMPLATE_TEST_CASE("columns that are one more than blocks of them", "[gradient]", float, half) {
    using T = TestType;
    for (index_t const columns : {33, 65, 97}) {
        auto const a = random_array<T>({5000, columns}, 1);
        auto const g = random_array<T>({columns}, 2);
        array<T> const turned(view<T const>(a).transpose());
        auto const expected = softax::logsumexp_vjp(turned, g, 1);
        auto const apart = softax::logsumexp_vjp(a, g, 0);
        CHECK(array<T>(view<T const>(apart).transpose()) == expected);
        auto in_place = a;
        softax::logsumexp_vjp_into(in_place, in_place, g, 0);
        CHECK(array<T>(view<T const>(in_place).transpose()) == expected);
    }
}

TEST_CASE("a stream or a device stands where options do", "[gradient][stream]") {
    softax::stream const s(softax::device::cpu, 3);
    auto const a = random_array<float>({30, 50}, 1), g = random_array<float>({30, 50}, 2), y = softax::softmax(a, -1);
    auto const r = softax::logsumexp(a, -1);
    auto const is_same = [&](auto const& on) {
        CHECK(softax::softmax_vjp(y, g, -1, on) == softax::softmax_vjp(y, g, -1));
        CHECK(softax::softmax_jvp(y, g, -1, on) == softax::softmax_jvp(y, g, -1));
        CHECK(softax::log_softmax_vjp(y, g, -1, on) == softax::log_softmax_vjp(y, g, -1));
        CHECK(softax::log_softmax_jvp(y, g, -1, on) == softax::log_softmax_jvp(y, g, -1));
        CHECK(softax::logsumexp_vjp(a, r, -1, on) == softax::logsumexp_vjp(a, r, -1));
        CHECK(softax::logsumexp_jvp(a, g, -1, on) == softax::logsumexp_jvp(a, g, -1));
        array<float> out(a.shape(), 7.0f), sums(r.shape(), 7.0f);
        softax::softmax_vjp_into(out, y, g, -1, on);
        CHECK(out == softax::softmax_vjp(y, g, -1));
        softax::softmax_jvp_into(out, y, g, 0, on);
        CHECK(out == softax::softmax_jvp(y, g, 0));
        softax::log_softmax_vjp_into(out, y, g, -1, on);
        CHECK(out == softax::log_softmax_vjp(y, g, -1));
        softax::log_softmax_jvp_into(out, y, g, -1, on);
        CHECK(out == softax::log_softmax_jvp(y, g, -1));
        softax::logsumexp_vjp_into(out, a, r, -1, on);
        CHECK(out == softax::logsumexp_vjp(a, r, -1));
        softax::logsumexp_jvp_into(sums, a, g, -1, on);
        CHECK(sums == softax::logsumexp_jvp(a, g, -1));
    };
    is_same(s);
    is_same(softax::device::cpu);
}

// Many columns are worked on some at a time, whose probabilities stay in cache; their results are rows apart.
TEMPLATE_TEST_CASE("logsumexp's derivative along many columns is that along the rows of the transpose", "[gradient]",
                   float, double, half, bfloat16, int) {
    using R = softax::result_type<TestType>;
    for (index_t const n : {3, 60, 300}) {
        index_t const columns = 150000 / n + 7;
        auto const a = random_array<TestType>({n, columns}, 1);
        auto const g = random_array<R>({columns}, 2);
        auto const mask = random_mask({n, columns}, 3);
        auto const turned = [](auto const& x) {
            return view<typename std::decay_t<decltype(x)>::value_type const>(x).transpose();
        };
        for (options o : {options{}, options{.scale = 0.3}, options{.where = mask}}) {
            auto of_rows = o, of_split = o;
            if (o.where)
                of_rows.where = turned(mask), of_split.where = view<bool const>(mask).reshape({n / 3, 3, columns});
            array<R> const right(turned(softax::logsumexp_vjp(turned(a), g, 1, of_rows)));
            CHECK(softax::logsumexp_vjp(a, g, 0, o) == right);
            CHECK(softax::logsumexp_vjp(view<TestType const>(a).reshape({n / 3, 3, columns}), g, {0, 1}, of_split) ==
                  array<R>(view<R const>(right).reshape({n / 3, 3, columns})));
            array<R> out({columns, n}, R(7.0f));
            softax::logsumexp_vjp_into(view<R>(out).transpose(), a, g, 0, o);
            CHECK(out == array<R>(turned(right)));
            o.on = softax::stream(softax::device::cpu, 3);
            CHECK(softax::logsumexp_vjp(a, g, 0, o) == right);
        }
    }
}

TEMPLATE_TEST_CASE("logsumexp's derivatives are the softmax times what comes in", "[gradient]", float, double, half,
                   bfloat16, int) {
    using T = TestType;
    using R = softax::result_type<T>;
    for (auto const& shape : std::vector<index_list>{{5}, {3, 70}, {70, 20}, {4, 9, 33}, {300, 3}, {2, 130, 100, 3}}) {
        for (unsigned reduced = 1; reduced < 1u << shape.size(); ++reduced) {
            auto const over = axes_of(reduced, shape.size());
            auto const a = random_array<T>(shape, 1), before = a;
            auto const groups = groups_of(shape, reduced);
            auto const g = random_array<R>(softax::logsumexp(a, over).shape(), 2), t = random_array<R>(shape, 3);
            auto const vjp = softax::logsumexp_vjp(a, g, over), jvp = softax::logsumexp_jvp(a, t, over);
            // softmax has 4 ULP, the products 1, the sum 13.
            wide const epsilon = std::numeric_limits<softax::compute_type<T>>::epsilon();
            wide const result_epsilon = std::numeric_limits<R>::epsilon(), least = std::numeric_limits<R>::denorm_min();
            for (std::size_t k = 0; k < groups.size(); ++k) {
                wide sum = 0, along = 0, magnitude = 0;
                for (std::size_t const i : groups[k]) sum += std::exp(reference::exact(a.data()[i]));
                for (std::size_t const i : groups[k]) {
                    wide const p = std::exp(reference::exact(a.data()[i])) / sum, ti = reference::exact(t.data()[i]);
                    wide const right = p * reference::exact(g.data()[k]), got = reference::exact(vjp.data()[i]);
                    along += p * ti, magnitude += std::abs(p * ti);
                    REQUIRE(std::abs(got - right) <= std::abs(right) * (5 * epsilon + result_epsilon) + least);
                }
                wide const got = reference::exact(jvp.data()[k]);
                REQUIRE(std::abs(got - along) <= 18 * epsilon * magnitude + result_epsilon * std::abs(along) + least);
            }
            REQUIRE(std::equal(a.begin(), a.end(), before.begin()));
        }
    }
}

TEST_CASE("the gradient of logsumexp over a group of only -inf is 0", "[gradient][values]") {
    // The bug: exp(-inf - -inf) is NaN, and with it the gradient of a group whose every term is exactly 0 (pytorch#31829).
    float const inf = INFINITY;
    array<float> const a = {{-inf, -inf, -inf}, {0, -inf, 0}};
    array<float> const g = {2, 4};
    CHECK(softax::logsumexp_vjp(a, g, -1) == array<float>{{0, 0, 0}, {2, 0, 2}});
    auto in_place = a;
    softax::logsumexp_vjp_into(in_place, in_place, g, -1);
    CHECK(in_place == array<float>{{0, 0, 0}, {2, 0, 2}});
    array<float> const t = {{1, 2, 3}, {4, 5, 6}};
    CHECK(softax::logsumexp_jvp(a, t, -1) == array<float>{0, 5});
    CHECK(softax::logsumexp_vjp(view<float const>(a).transpose(), g, 0) == array<float>{{0, 2}, {0, 0}, {0, 2}});
    // With a mask: what it leaves is -inf, or nothing.
    array<float> const b = {{-inf, 1, NAN}, {1, 2, 3}};
    array<bool> const where = {{true, false, false}, {false, false, false}};
    CHECK(softax::logsumexp_vjp(b, g, -1, {.where = view<bool const>(where)}) == array<float>({2, 3}, 0.0f));
    // NaN and +inf are no such groups.
    array<float> const c = {{-inf, NAN}, {inf, -inf}};
    for (float const x : softax::logsumexp_vjp(c, g, -1)) CHECK(std::isnan(x));
}

TEMPLATE_TEST_CASE("what a mask leaves out of logsumexp meets neither NaN nor infinity", "[gradient][values]", float,
                   double, half) {
    using T = TestType;
    // The bug: 0 times what comes in is NaN where that is not finite, and -0 where it is negative.
    for (index_t const n : {3, 70, 2100}) {
        array<T> const a({4, n}, static_cast<T>(1.0f));
        auto t = a;
        array<bool> where({4, n}, true);
        for (index_t i = 0; i < 4; ++i) {
            where(i, i % 3) = false;
            t(i, i % 3) = static_cast<T>(i == 0 ? NAN : INFINITY);
        }
        t(3, 1) = static_cast<T>(NAN);  // is left
        array<T> g({4}, static_cast<T>(-2.0f));
        g(0) = static_cast<T>(INFINITY), g(1) = static_cast<T>(NAN);
        auto const at = view<T const>(a).transpose(), tt = view<T const>(t).transpose();
        for (index_t const finite : {0, 1}) {
            if (finite == 1) g(0) = g(1) = static_cast<T>(-2.0f);
            auto const rows = softax::logsumexp_vjp(a, g, -1, {.where = view<bool const>(where)});
            auto const columns = softax::logsumexp_vjp(at, g, 0, {.where = view<bool const>(where).transpose()});
            for (index_t i = 0; i < 4; ++i) {
                for (index_t j = 0; j < n; ++j) {
                    auto const x = static_cast<float>(rows(i, j)), y = static_cast<float>(columns(j, i));
                    if (j == i % 3) {
                        CHECK((x == 0 && y == 0 && !std::signbit(x) && !std::signbit(y)));
                    } else if (!std::isfinite(static_cast<float>(g(i)))) {
                        CHECK((!std::isfinite(x) && !std::isfinite(y)));
                    } else {
                        CHECK((x < 0 && x == y));
                    }
                }
            }
        }
        auto const rows = softax::logsumexp_jvp(a, t, -1, {.where = view<bool const>(where)});
        auto const columns = softax::logsumexp_jvp(at, tt, 0, {.where = view<bool const>(where).transpose()});
        for (index_t i = 0; i < 3; ++i) CHECK(static_cast<float>(rows(i)) == Approx(1.0f).epsilon(0.001));
        CHECK(std::isnan(static_cast<float>(rows(3))));
        for (index_t i = 0; i < 3; ++i) CHECK(rows(i) == columns(i));
        CHECK(std::isnan(static_cast<float>(columns(3))));
    }
}

TEST_CASE("NaN stays in its group, and zeros of the softmax stay zero", "[gradient][values]") {
    array<float> y = {{0.5f, 0.5f, 0}, {0.25f, 0.75f, 0}}, g = {{1, 2, 3}, {4, NAN, 6}};
    auto const d = softax::softmax_vjp(y, g, -1);
    CHECK(d(0, 2) == 0.0f);
    CHECK(d(0, 0) == -0.25f);
    for (index_t i = 0; i < 3; ++i) CHECK(std::isnan(d(1, i)));
    // log_softmax is -inf where the softmax is 0: there is nothing of the sum to take off.
    array<float> const log_y = {{std::log(0.5f), std::log(0.5f), -INFINITY}}, h = {{1, 2, 3}};
    CHECK(softax::log_softmax_vjp(log_y, h, -1)(0, 2) == 3.0f);
    CHECK(softax::log_softmax_jvp(log_y, h, -1)(0, 2) == Approx(1.5f));
}

TEST_CASE("empty arrays, arrays of rank 0, and groups of one", "[gradient]") {
    for (function const f : functions) {
        array<float> const none({0, 3}, 0.0f), none_inside({3, 0}, 0.0f);
        CHECK(run<float>(f, none, none, -1).shape() == index_list{0, 3});
        CHECK(run<float>(f, none_inside, none_inside, 0).shape() == index_list{3, 0});
    }
    CHECK(softax::logsumexp_jvp(array<float>({3, 0}, 0.0f), array<float>({3, 0}, 0.0f), 1) == array<float>({3}, 0.0f));
    CHECK(softax::logsumexp_vjp(array<float>({3, 0}, 0.0f), array<float>({3}, 1.0f), 1).shape() == index_list{3, 0});
    auto const one = array<float>::scalar(1), two = array<float>::scalar(2);
    CHECK(softax::softmax_vjp(one, two)() == 0.0f);
    CHECK(softax::log_softmax_vjp(array<float>::scalar(0), two)() == 0.0f);
    CHECK(softax::logsumexp_vjp(one, two)() == 2.0f);
    CHECK(softax::logsumexp_jvp(one, two)() == 2.0f);
    CHECK(softax::softmax_vjp(array<float>{1, 1}, array<float>{3, 5}, axes()) == array<float>{0, 0});
}

TEST_CASE("out may be y or g, and any other memory of the shape", "[gradient]") {
    for (auto const& shape : std::vector<index_list>{{40, 3}, {5, 100}, {100, 20}, {3, 20, 30}}) {
        for (unsigned reduced = 1; reduced < 1u << shape.size(); ++reduced) {
            for (function const f : functions) {
                auto const over = axes_of(reduced, shape.size());
                auto const y = result_of<float>(f, random_array<float>(shape, 1), reduced);
                auto const g = random_array<float>(shape, 2), right = run<float>(f, y, g, over);
                auto at_y = y, at_g = g;
                run_into<float>(f, at_y, at_y, g, over);
                run_into<float>(f, at_g, y, at_g, over);
                CHECK(at_y == right);
                CHECK(at_g == right);
                // Strided on all sides.
                index_list wide_shape = shape;
                wide_shape.back() *= 2;
                array<float> out(wide_shape, 7.0f), ys(wide_shape, 7.0f);
                index_t const last = shape.size() - 1;
                auto const part = view<float>(out).slice(last, {.step = 2}),
                           part_y = view<float>(ys).slice(last, {.step = -2});
                softax::detail::copy(part_y.data(), y.data(), {shape, part_y.strides(), y.strides()});
                run_into<float>(f, part, part_y, g, over);
                CHECK(array<float>(part) == right);
                CHECK(array<float>(view<float>(out).slice(last, {.start = 1, .step = 2})) == array<float>(shape, 7.0f));
            }
        }
    }
    auto const a = random_array<float>({30, 40}, 1), g = random_array<float>({30}, 2),
               t = random_array<float>({30, 40}, 3);
    array<float> out({40, 30}, 0.0f), sums({60}, 0.0f);
    softax::logsumexp_vjp_into(view<float>(out).transpose(), a, g, 1);
    CHECK(array<float>(view<float>(out).transpose()) == softax::logsumexp_vjp(a, g, 1));
    softax::logsumexp_jvp_into(view<float>(sums).slice(0, {.step = 2}), a, t, 1);
    CHECK(array<float>(view<float>(sums).slice(0, {.step = 2})) == softax::logsumexp_jvp(a, t, 1));
}

TEST_CASE("what is wrong with a call is said, and nothing is written", "[gradient][errors]") {
    array<float> const y({2, 3}, 0.5f), g({3, 2}, 1.0f), r({2, 1}, 1.0f);
    array<float> out({2, 3}, 7.0f);
    REQUIRE_FAILS(softax::softmax_vjp(y, g), std::invalid_argument, "g has shape (3, 2), it must be (2, 3)");
    REQUIRE_FAILS(softax::log_softmax_jvp(y, g), std::invalid_argument, "t has shape (3, 2), it must be (2, 3)");
    REQUIRE_FAILS(softax::softmax_vjp(y, y, 2), std::out_of_range, "axis 2");
    REQUIRE_FAILS(softax::softmax_vjp(y, y, {1, -1}), std::invalid_argument, "given twice");
    REQUIRE_FAILS(softax::softmax_vjp(y, y, 1, {.scale = NAN}), std::invalid_argument, "scale");
    REQUIRE_FAILS(softax::logsumexp_vjp(y, r, 1), std::invalid_argument, "g has shape (2, 1), it must be (2,)");
    REQUIRE_FAILS(softax::logsumexp_jvp(y, g, 1), std::invalid_argument, "t has shape (3, 2), it must be (2, 3)");
    CHECK_NOTHROW(softax::logsumexp_vjp(y, r, 1, {.keepdims = true}));
    array<float> memory({20}, 7.0f);
    view<float> const first(memory.data(), {2, 3}), second(memory.data() + 1, {2, 3}), narrow(memory.data(), {2, 2});
    REQUIRE_FAILS(softax::softmax_vjp_into(second, first, y), std::invalid_argument, "overlaps");
    REQUIRE_FAILS(softax::softmax_vjp_into(second, y, first), std::invalid_argument, "overlaps");
    REQUIRE_FAILS(softax::softmax_vjp_into(narrow, y, y), std::invalid_argument, "out has shape (2, 2)");
    REQUIRE_FAILS(softax::logsumexp_vjp_into(second, first, array<float>({2}, 1.0f), 1), std::invalid_argument,
                  "overlaps");
    view<float> const same(memory.data(), {2, 3}, {0, 1});
    REQUIRE_FAILS(softax::softmax_vjp_into(same, y, y), std::invalid_argument, "several elements in one place");
    array<bool> const where({4}, true);
    REQUIRE_FAILS(softax::softmax_vjp(y, y, 1, {.where = view<bool const>(where)}), std::invalid_argument, "broadcast");
    CHECK(memory == array<float>({20}, 7.0f));
}

TEMPLATE_TEST_CASE("ordinary numbers raise no floating-point exception", "[gradient]", float, double) {
    // The bug: lanes beyond the end were multiplied by what the stack happened to hold.
    for (index_list const& shape : std::vector<index_list>{{65, 10}, {3, 1000}, {5, 47, 3}, {9, 100, 2}, {200, 33}}) {
        auto const x = random_array<TestType>(shape, 1), g = random_array<TestType>(shape, 2);
        for (index_t axis = 0; axis < shape.size(); ++axis) {
            CAPTURE(softax::detail::text_of(shape), axis);
            auto const y = softax::softmax(x, axis), z = softax::log_softmax(x, axis), l = softax::logsumexp(x, axis);
            CHECK(!family::is_raising([&] { softax::softmax_vjp(y, g, axis); }));
            CHECK(!family::is_raising([&] { softax::log_softmax_vjp(z, g, axis); }));
            CHECK(!family::is_raising([&] { softax::logsumexp_vjp(x, l, axis); }));
        }
    }
}

TEMPLATE_TEST_CASE("masked or not, a derivative clears the upper halves of vector registers", "[gradient]", float,
                   double, half) {
    using T = TestType;
    for (index_list const& shape : registers::shapes) {
        auto const x = random_array<T>(shape, 1), g = random_array<T>(shape, 2);
        auto const where = random_mask(shape, 3);
        for (index_t const axis : {0, 1}) {
            CAPTURE(softax::detail::text_of(shape), axis);
            auto const l = softax::logsumexp(x, axis);
            for (options const& o : {options{}, options{.where = view<bool const>(where)}}) {
                for (function const f : functions) {
                    CAPTURE(static_cast<int>(f));
                    CHECK(registers::stay_clear([&] { run<T>(f, x, g, axis, o); }));
                }
                CHECK(registers::stay_clear([&] { softax::logsumexp_vjp(x, l, axis, o); }));
                CHECK(registers::stay_clear([&] { softax::logsumexp_jvp(x, g, axis, o); }));
            }
        }
    }
}

}  // namespace
