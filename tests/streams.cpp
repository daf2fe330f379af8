// The family on streams: the same bits on any number of threads, errors on the calling thread, futures in the order of the
// stream. Streams themselves are tested in stream.cpp.
#include <softax/async.hpp>

#include "catch.hpp"
#include "family.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <latch>
#include <limits>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using softax::array;
using softax::device;
using softax::index_list;
using softax::index_t;
using softax::options;
using softax::result_type;
using softax::stream;
using softax::view;
using namespace family;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool is_slow = true;
#elif defined(__has_feature)
constexpr bool is_slow = is_slow_build || __has_feature(thread_sanitizer);
#else
constexpr bool is_slow = is_slow_build;
#endif

/// Normal elements, spread; of integers whole ones.
template <class T>
array<T> drawn(index_list const& shape, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> draw(0, 6);
    auto a = array<T>::uninitialized(shape);
    for (T& x : a) {
        if constexpr (std::is_same_v<T, bool>)
            x = draw(random) > 0;
        else if constexpr (std::is_integral_v<T>)
            x = static_cast<T>(std::abs(draw(random)));
        else
            x = static_cast<T>(draw(random));
    }
    return a;
}

template <class R>
void require_same_bits(view<R const> const& found, array<R> const& expected, std::string const& what) {
    index_t different = 0;
    softax::detail::for_each_pair(found, view<R const>(expected),
                                  [&](R a, R b) { different += bits_of(a) != bits_of(b); });
    INFO(what << ", shape of the result " << softax::detail::text_of(expected.shape()));
    REQUIRE(found.shape() == expected.shape());
    REQUIRE(different == 0);
}

std::vector<stream> const& streams() {
    static std::vector<stream> const all = {stream(device::cpu, 1), stream(device::cpu, 2), stream(device::cpu, 3),
                                            stream(device::cpu, 4), stream(device::cpu, 7)};
    return all;
}

/// A shape that is cut into parts, or is too small for it.
struct shape_case {
    index_list shape;
    softax::axes over;
};

/// Parts hold at least 2^15 elements: rows, columns and joint axes above and below; few long rows, which can be cut only
/// between rows; one group; short groups; groups side by side in fewer columns than there are parts.
std::vector<shape_case> shape_cases() {
    std::vector<shape_case> all = {
        {{3, 5}, -1},      {{1000, 70}, -1},     {{700, 130}, 0},    {{2, 40000}, -1},       {{5, 20001}, -1},
        {{90000, 3}, -1},  {{66000}, -1},        {{40, 50, 45}, 1},  {{40, 50, 45}, {0, 2}}, {{33000, 3}, 0},
        {{3, 3, 7500}, 1}, {{16, 8192}, 0},      {{2, 300, 120}, 1}, {{1, 66000, 1}, 0},     {{0, 70000}, 0},
        {{257, 256}, {}},  {{128, 2, 300}, {0}}, {{65537}, {}},      {{7, 11000}, -1},       {{4, 9, 2000}, {1, 2}}};
    if (is_slow) all.erase(all.begin() + 5, all.end() - 3);
    return all;
}

/// Every function and form of it gives, on each stream, the bits that it gives without one.
template <class T>
void require_same_everywhere(view<T const> const& a, softax::axes const& over, options o) {
    using R = result_type<T>;
    for (form const f : forms) {
        o.on = std::nullopt;
        array<R> const expected = run<T>(f, a, over, o);
        for (stream const& s : streams()) {
            std::string const what = std::string(name_of(f)) + " of " + name_of_type<T>() + ", " +
                                     softax::detail::text_of(a.shape()) + ", threads " + std::to_string(s.threads());
            o.on = s;
            array<R> const y = run<T>(f, a, over, o);
            require_same_bits<R>(view<R const>(y), expected, what);
            auto out = array<R>::uninitialized(expected.shape());
            run_into<T>(f, view<R>(out), a, over, o);
            require_same_bits<R>(view<R const>(out), expected, "into " + what);
        }
    }
}

TEMPLATE_TEST_CASE("the same bits on any number of threads", "[streams]", float, double, softax::half, softax::bfloat16,
                   bool, std::uint8_t, std::int32_t, std::int64_t) {
    unsigned seed = 0;
    bool const is_float = std::is_same_v<TestType, float>;
    for (auto const& [shape, over] : shape_cases()) {
        if (++seed % 3 != 0 && !is_float) continue;  // the others share the ways of float
        auto const a = drawn<TestType>(shape, seed);
        require_same_everywhere<TestType>(view(a), over, {});
    }
}

TEMPLATE_TEST_CASE("the same bits with options", "[streams][options]", float, softax::half) {
    unsigned seed = 100;
    for (auto const& [shape, over] : shape_cases()) {
        if (++seed % 2 != 0 && is_slow) continue;
        auto const a = drawn<TestType>(shape, seed);
        auto const where = drawn<bool>(shape, seed + 1), last = drawn<bool>({shape.back()}, seed + 2);
        require_same_everywhere<TestType>(view(a), over, {.scale = 0.7, .where = view(where), .extra = 1.5});
        if (seed % 4 == 0) require_same_everywhere<TestType>(view(a), over, {.where = view(last), .keepdims = true});
        if (seed % 4 == 1) require_same_everywhere<TestType>(view(a), over, {.scale = -3, .extra = -2});
    }
}

// Columns that are one panel are shared by their rows, in whole chunks: a sum must not depend on where a segment begins, nor may a mask
// be read from there that has been moved; what is NaN in one segment is so in all.
TEMPLATE_TEST_CASE("a panel that threads share", "[streams][masks]", float, double, softax::half, softax::bfloat16) {
    struct panel_case {
        index_list shape;
        softax::axes over;
        index_list mask;
    };
    std::vector<panel_case> const all = {
        {{1500, 64}, 0, {1500, 64}}, {{5000, 17}, 0, {5000, 1}},         {{2, 1300, 70}, 1, {70}},
        {{2050, 33}, 0, {33}},       {{40, 50, 260}, {0, 1}, {50, 260}}, {{40, 50, 40}, {0, 1}, {40, 1, 40}},
        {{23000, 3}, 0, {23000, 3}}, {{1100, 261}, 0, {1100, 261}},      {{2, 9000, 8}, 1, {2, 1, 8}}};
    unsigned seed = 300;
    for (auto const& [shape, over, mask] : all) {
        if (++seed % 2 == sizeof(TestType) / 8 && is_slow) continue;  // double has those that float leaves out
        auto a = drawn<TestType>(shape, seed);
        auto const where = drawn<bool>(mask, seed);
        require_same_everywhere<TestType>(view(a), over, {});
        require_same_everywhere<TestType>(view(a), over, {.scale = 0.7, .where = view(where)});
        // One column NaN, one of -inf, one of which the mask leaves nothing.
        index_t const columns = shape.back();
        auto const some = drawn<bool>(shape, seed);
        auto left = some;
        for (index_t i = 0; i < a.size(); i += columns) {
            a.data()[i + columns - 1] = TestType(-std::numeric_limits<float>::infinity());
            left.data()[i + columns / 2] = false;
        }
        a.data()[a.size() - columns] = TestType(std::numeric_limits<float>::quiet_NaN());
        require_same_everywhere<TestType>(view(a), over, {.where = view(left)});
    }
}

TEST_CASE("the same bits from strided memory", "[streams]") {
    auto const a = drawn<float>({301, 502}, 200);
    view<float const> const v(a);
    require_same_everywhere<float>(v.transpose(), -1, {});
    require_same_everywhere<float>(v.slice(1, {.step = -2}), -1, {});
    require_same_everywhere<float>(v.slice(0, {.step = 2}), 0, {});
    require_same_everywhere<float>(view<float const>(a.data(), {502}).broadcast_to({300, 502}), -1, {});
    require_same_everywhere<float>(view<float const>(a.data(), {300, 1}).broadcast_to({300, 502}), 1, {.scale = 2});
}

TEMPLATE_TEST_CASE("in place on a stream", "[streams]", float, double, softax::half) {
    for (auto const& [shape, over] : shape_cases()) {
        auto const a = drawn<TestType>(shape, 300);
        for (form const f : {form::softmax, form::log_softmax}) {
            auto const expected = run<TestType>(f, view(a), over);
            for (stream const& s : {streams()[1], streams()[4]}) {
                auto y = a;
                run_into<TestType>(f, view(y), view(y), over, s);
                require_same_bits<TestType>(view<TestType const>(y), expected, "in place");
                auto wide =
                    array<TestType>::uninitialized(index_list{std::max(a.size() * 2, index_t{1})});  // and with gaps
                index_list strides = a.strides();
                for (index_t& stride : strides) stride *= 2;
                view<TestType> const seen(wide.data(), a.shape(), strides);
                run_into<TestType>(f, seen, view(a), over, s);
                require_same_bits<TestType>(view<TestType const>(seen), expected, "with gaps");
            }
        }
    }
}

TEST_CASE("the third argument is a stream, a device or options", "[streams]") {
    auto const a = drawn<float>({500, 200}, 400);
    stream const s(device::cpu, 3);
    for (form const f : forms) {
        auto const expected = run<float>(f, view(a), -1);
        auto const y = run<float>(f, view(a), -1, s), z = run<float>(f, view(a), -1, device::cpu),
                   w = run<float>(f, view(a), -1, options{.on = s}),
                   v = run<float>(f, view(a), -1, options{.on = device::cpu});
        for (auto const* const found : {&y, &z, &w, &v}) {
            require_same_bits<float>(view<float const>(*found), expected, "on the third argument");
        }
        auto out = array<float>::uninitialized(expected.shape());
        auto const requires_into = [&](auto const& third) {
            std::fill(out.begin(), out.end(), 77.0f);
            run_into<float>(f, view(out), view(a), -1, third);
            require_same_bits<float>(view<float const>(out), expected, "into, on the third argument");
        };
        requires_into(s);
        requires_into(device::cpu);
        requires_into(options{.on = s});
        requires_into(options{.on = device::cpu});
    }
    CHECK(softax::softmax(a, -1, {.on = s}) == softax::softmax(a, -1, s));
    CHECK(softax::softmax(a, -1, {.on = device::cpu}) == softax::softmax(a, -1, device::cpu));
}

TEST_CASE("device::gpu says what is missing, wherever it is named", "[streams][errors]") {
    array<float> const a = {1, 2};
    array<float> out({2}, 77.0f);
    REQUIRE_FAILS(softax::softmax(a, -1, device::gpu), std::runtime_error, "GPU backend");
    REQUIRE_FAILS(softax::logsumexp(a, -1, {.on = device::gpu}), std::runtime_error, "GPU backend");
    REQUIRE_FAILS(softax::log_softmax_into(out, a, -1, device::gpu), std::runtime_error, "GPU backend");
    CHECK(out == array<float>{77, 77});
}

/// Every call with these arguments throws on the calling thread, and writes nothing.
template <class Exception>
void require_refused(softax::axes const& over, options const& o, char const* words) {
    auto const a = drawn<float>({300, 400}, 500);
    array<float> out(a.shape(), 77.0f), row({300}, 77.0f);
    REQUIRE_FAILS(softax::softmax(a, over, o), Exception, words);
    REQUIRE_FAILS(softax::log_softmax(a, over, o), Exception, words);
    REQUIRE_FAILS(softax::logsumexp(a, over, o), Exception, words);
    REQUIRE_FAILS(softax::softmax_into(out, a, over, o), Exception, words);
    REQUIRE_FAILS(softax::log_softmax_into(out, a, over, o), Exception, words);
    REQUIRE_FAILS(softax::logsumexp_into(row, a, over, o), Exception, words);
    o.on->synchronize();
    CHECK(std::all_of(out.begin(), out.end(), [](float e) { return e == 77.0f; }));
    CHECK(std::all_of(row.begin(), row.end(), [](float e) { return e == 77.0f; }));
}

TEST_CASE("errors are thrown on the calling thread, and nothing is written", "[streams][errors]") {
    stream const s(device::cpu, 4);
    array<bool> const mask({300}, true);
    require_refused<std::out_of_range>(2, {.on = s}, "axis 2 is out of range");
    require_refused<std::invalid_argument>({0, 0}, {.on = s}, "given twice");
    require_refused<std::invalid_argument>(1, {.scale = std::numeric_limits<double>::quiet_NaN(), .on = s},
                                           "scale is nan");
    require_refused<std::invalid_argument>(1, {.where = view(mask), .on = s},
                                           "(300,) cannot be broadcast to (300, 400)");
    auto a = drawn<float>({300, 400}, 501);
    auto const kept = a;
    array<float> small({300}, 77.0f);
    REQUIRE_FAILS(softax::softmax_into(small, a, 1, s), std::invalid_argument, "shape (300,)");
    view<float> const behind(a.data() + 1, {299, 400});
    REQUIRE_FAILS(softax::softmax_into(behind, view<float const>(a.data(), {299, 400}), 1, s), std::invalid_argument,
                  "overlaps the input");
    s.synchronize();
    CHECK(a == kept);
    CHECK(softax::softmax(a, 1, s) == softax::softmax(a, 1));  // the stream goes on
}

/// The answer, once the stream has let go of it: libstdc++ counts references to an exception where ThreadSanitizer cannot
/// see them.
template <class T>
T answer_of(std::future<T> answer, stream const& s) {
    s.synchronize();
    return answer.get();
}

template <class R>
void require_answer(std::future<array<R>>& answer, array<R> const& expected, char const* what) {
    array<R> const y = answer.get();
    require_same_bits<R>(view<R const>(y), expected, what);
}

TEMPLATE_TEST_CASE("futures of all three functions", "[streams][async]", float, softax::half, std::int32_t) {
    using R = result_type<TestType>;
    stream const s(device::cpu, 3);
    for (index_list const& shape : {index_list{3, 4}, index_list{300, 400}, index_list{0, 3}}) {
        auto const a = drawn<TestType>(shape, 600);
        auto const where = drawn<bool>(shape, 601);
        options o = {.scale = 0.3, .where = view(where), .extra = 1};
        array<R> const p = softax::softmax(a, -1, o), l = softax::log_softmax(a, -1, o),
                       e = softax::logsumexp(a, -1, o);
        o.on = s;
        auto one = softax::softmax_async(a, -1, o), two = softax::log_softmax_async(a, -1, o),
             three = softax::logsumexp_async(a, -1, o), four = softax::softmax_async(view(a), -1, o),
             moved = softax::softmax_async(array<TestType>(a), -1, o);
        require_answer<R>(moved, p, "softmax_async of an array given away");
        require_answer<R>(four, p, "softmax_async of a view");
        require_answer<R>(three, e, "logsumexp_async");
        require_answer<R>(two, l, "log_softmax_async");
        require_answer<R>(one, p, "softmax_async");
    }
}

TEST_CASE("without a stream futures are of the default stream", "[streams][async]") {
    auto const a = drawn<float>({30, 40}, 610);
    auto y = softax::softmax_async(a, -1, {});
    CHECK(y.get() == softax::softmax(a, -1));
    CHECK(softax::logsumexp_async(a, softax::all_axes, {.keepdims = true}).get().shape() == index_list{1, 1});
}

TEST_CASE("asynchronous calls take their turn among the work of the stream", "[streams][async]") {
    // The bug: the input is read when the call is made, or the work overtakes.
    stream const s(device::cpu, 2);
    for (index_t const n : {4, 70000}) {
        array<float> a({2, n}, 0);
        std::latch gate(1);
        static_cast<void>(s.submit([&] { gate.wait(); }));
        static_cast<void>(s.submit([&] { a(0, 0) = a(1, 0) = 1000; }));
        auto first = softax::softmax_async(a, -1, {.on = s});
        static_cast<void>(s.submit([&] { a(0, 0) = a(1, 1) = 2000; }));
        auto second = softax::softmax_async(view(a), -1, {.on = s});
        gate.count_down();
        auto const third = softax::softmax(a, 0, s);  // in its turn, after both
        CHECK(third(0, 1) == 0);
        array<float> const y = first.get(), z = second.get();
        CHECK(y(0, 0) == 1);
        CHECK(y(1, 0) == 1);
        CHECK(y(1, 1) == 0);
        CHECK(z(0, 0) == 1);
        CHECK(z(1, 0) == 0);
        CHECK(z(1, 1) == 1);
    }
}

TEST_CASE("an array that is given away is kept until its turn", "[streams][async]") {
    stream const s(device::cpu, 2);
    auto a = drawn<float>({50, 60}, 620);
    auto const expected = softax::softmax(a, 0);
    std::latch gate(1);
    static_cast<void>(s.submit([&] { gate.wait(); }));
    auto y = softax::softmax_async(std::move(a), 0, {.on = s});
    auto z = [&] {
        auto inner = array<float>({3}, 2.0f);
        return softax::log_softmax_async(std::move(inner), 0, {.extra = 2, .on = s});
    }();
    gate.count_down();
    CHECK(y.get() == expected);
    CHECK(z.get() == softax::log_softmax(array<float>({3}, 2.0f), 0, {.extra = 2}));
}

TEST_CASE("exceptions of asynchronous calls come through the future, and the stream goes on",
          "[streams][async][errors]") {
    stream const s(device::cpu, 2);
    auto const a = drawn<float>({50, 60}, 630);
    array<bool> const mask({7}, true);
    auto axis = softax::softmax_async(a, 2, {.on = s});
    auto twice = softax::logsumexp_async(a, {1, -1}, {.on = s});
    auto scale = softax::log_softmax_async(a, 0, {.scale = std::numeric_limits<double>::infinity(), .on = s});
    auto where = softax::softmax_async(a, 0, {.where = view(mask), .on = s});
    auto good = softax::softmax_async(a, 0, {.on = s});
    REQUIRE_FAILS(answer_of(std::move(axis), s), std::out_of_range, "axis 2 is out of range");
    REQUIRE_FAILS(answer_of(std::move(twice), s), std::invalid_argument, "given twice");
    REQUIRE_FAILS(answer_of(std::move(scale), s), std::invalid_argument, "scale is inf");
    REQUIRE_FAILS(answer_of(std::move(where), s), std::invalid_argument, "(7,) cannot be broadcast to (50, 60)");
    CHECK(good.get() == softax::softmax(a, 0));
}

TEST_CASE("calls from within the stream's own work run in place", "[streams]") {
    stream const s(device::cpu, 3);
    auto const a = drawn<float>({300, 400}, 640);
    auto const expected = softax::softmax(a, -1);
    CHECK(s.run([&] { return softax::softmax(a, -1, s); }) == expected);
    CHECK(s.submit([&] { return softax::softmax(a, -1, s); }).get() == expected);
    CHECK(s.submit([&] { return softax::softmax_async(a, -1, {.on = s}).get(); }).get() == expected);
    std::atomic<int> wrong = 0;
    s.run([&](softax::detail::team& t) { t.run(6, [&](index_t) { wrong += softax::softmax(a, -1, s) != expected; }); });
    CHECK(wrong == 0);
}

/// The work on as many threads; how many times it answered false.
int failures_on(int threads, std::function<bool(int)> const& work) {
    std::atomic<int> failures = 0;
    std::latch start(threads);
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i) {
        all.emplace_back([&, i] {
            start.arrive_and_wait();
            if (!work(i)) ++failures;
        });
    }
    for (std::thread& t : all) t.join();
    return failures;
}

TEST_CASE("several threads call on one stream", "[streams]") {
    stream const s(device::cpu, 3);
    std::vector<array<float>> inputs, expected;
    for (unsigned i = 0; i < 4; ++i) {
        inputs.push_back(drawn<float>({i % 2 == 0 ? 400 : 5, 250}, 700 + i));
        expected.push_back(softax::softmax(inputs.back(), -1));
    }
    int const repeats = is_slow ? 5 : 40;
    CHECK(failures_on(4, [&](int i) {
              auto const at = static_cast<std::size_t>(i);
              bool is_right = true;
              for (int k = 0; k < repeats; ++k) {
                  auto y = inputs[at];
                  softax::softmax_into(y, y, -1, s);
                  auto later = softax::softmax_async(inputs[at], -1, {.on = s});
                  is_right = is_right && y == expected[at] && softax::softmax(inputs[at], -1, s) == y;
                  is_right = later.get() == expected[at] && is_right;
              }
              return is_right;
          }) == 0);
}

TEST_CASE("two streams at once, on the same input", "[streams]") {
    auto const a = drawn<float>({600, 300}, 710);
    auto const expected = softax::log_softmax(a, 0);
    stream const all[] = {stream(device::cpu, 2), stream(device::cpu, 3)};
    int const repeats = is_slow ? 5 : 40;
    CHECK(failures_on(2, [&](int i) {
              bool is_right = true;
              for (int k = 0; k < repeats; ++k) is_right = is_right && softax::log_softmax(a, 0, all[i]) == expected;
              return is_right;
          }) == 0);
    std::vector<std::future<array<float>>> answers;
    for (int k = 0; k < 2 * repeats; ++k) answers.push_back(softax::log_softmax_async(a, 0, {.on = all[k % 2]}));
    for (auto& answer : answers) REQUIRE(answer.get() == expected);
}

TEST_CASE("a mask is read by all threads of a stream", "[streams][options]") {
    // Each thread has its own part of the groups; the mask is found from where its own part begins.
    array<float> const a({4000, 40}, 1);
    array<bool> where({4000, 40}, false);
    for (index_t i = 0; i < 4000; ++i) where(i, i % 40) = i % 3 != 0;
    for (stream const& s : streams()) {
        auto const y = softax::softmax(a, -1, {.where = view(where), .on = s});
        index_t wrong = 0;
        for (index_t i = 0; i < 4000; ++i) {
            for (index_t j = 0; j < 40; ++j) wrong += y(i, j) != (j == i % 40 && i % 3 != 0 ? 1.0f : 0.0f);
        }
        CHECK(wrong == 0);
    }
}

}  // namespace
