// softmax.hpp as a caller sees it: spellings of axes, kinds of input, types and shapes of results, memory of the caller, and
// every error, with its words and with nothing written. Values that need a reference are in values.cpp and layouts.cpp.
#include <softax/softmax.hpp>

#include "catch.hpp"
#include "once/kernels.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <list>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using softax::array;
using softax::view;

namespace {

/// 1e-6: expected values are written with 8 digits, results are float.
bool is_close(double found, double expected) { return std::abs(found - expected) <= 1e-6 * std::abs(expected); }

array<float> counted(softax::index_list const& shape) {
    array<float> a = array<float>::uninitialized(shape);
    for (softax::index_t i = 0; i < a.size(); ++i)
        a.data()[i] = static_cast<float>(i % 7) * 0.5f - static_cast<float>(i % 3);
    return a;
}

template <class A, class... Rest>
concept takes = requires(A const& a, Rest... rest) { softax::softmax(a, rest...); };
template <class A, class... Rest>
concept logsumexp_takes = requires(A const& a, Rest... rest) { softax::logsumexp(a, rest...); };
template <class Out, class A, class... Rest>
concept into_takes = requires(Out out, A const& a, Rest... rest) { softax::softmax_into(out, a, rest...); };

TEST_CASE("softmax of a small array by hand", "[softmax]") {
    array<float> const a = {{1, 2, 3}, {4, 5, 6}};
    array<float> const rows = {{0.09003057f, 0.24472847f, 0.66524096f}, {0.09003057f, 0.24472847f, 0.66524096f}};
    array<float> const columns = {{0.04742587f, 0.04742587f, 0.04742587f}, {0.95257413f, 0.95257413f, 0.95257413f}};
    array<float> const whole = {{0.00426978f, 0.01160646f, 0.03154963f}, {0.08576079f, 0.23312201f, 0.63369132f}};
    CHECK(softax::allclose(softax::softmax(a, -1), rows, 1e-6, 0));
    CHECK(softax::allclose(softax::softmax(a, 0), columns, 1e-6, 0));
    CHECK(softax::allclose(softax::softmax(a), whole, 2e-6, 0));
}

TEST_CASE("log_softmax and logsumexp of a small array by hand", "[softmax]") {
    array<float> const a = {{1, 2, 3}, {4, 5, 6}};
    array<float> const logs = {{-2.4076059f, -1.4076059f, -0.4076059f}, {-2.4076059f, -1.4076059f, -0.4076059f}};
    CHECK(softax::allclose(softax::log_softmax(a, 1), logs, 1e-6, 0));
    CHECK(softax::allclose(softax::logsumexp(a, 1), array<float>{3.4076059f, 6.4076059f}, 1e-6, 0));
    CHECK(is_close(softax::logsumexp(a).data()[0], 6.4561933));
}

TEST_CASE("no axes, all_axes and every axis are one thing", "[softmax]") {
    auto const a = counted({2, 3, 4});
    auto const p = softax::softmax(a);
    CHECK(p == softax::softmax(a, softax::all_axes));
    CHECK(p == softax::softmax(a, {0, 1, 2}));
    CHECK(p == softax::softmax(a, {-1, 0, 1}));
    CHECK(softax::log_softmax(a) == softax::log_softmax(a, {2, 1, 0}));
    CHECK(softax::logsumexp(a) == softax::logsumexp(a, {2, 1, 0}));
    CHECK(is_close(std::accumulate(p.begin(), p.end(), 0.0), 1));
}

TEST_CASE("one axis as any integer", "[softmax]") {
    auto const a = counted({2, 3, 4});
    auto const p = softax::softmax(a, 2);
    CHECK(p == softax::softmax(a, -1));
    CHECK(p == softax::softmax(a, {2}));
    CHECK(p == softax::softmax(a, {-1}));
    CHECK(p == softax::softmax(a, a.rank() - 1));
    CHECK(p == softax::softmax(a, std::size_t{2}));
    CHECK(p == softax::softmax(a, 2u));
    CHECK(p == softax::softmax(a, 2L));
    CHECK(p == softax::softmax(a, 2ULL));
    CHECK(p == softax::softmax(a, short{-1}));
    CHECK(p == softax::softmax(a, std::int8_t{-1}));
    CHECK(p == softax::softmax(a, std::uint16_t{2}));
    CHECK_FALSE(p == softax::softmax(a, 1));
}

TEST_CASE("several axes in any order and any container", "[softmax]") {
    auto const a = counted({2, 3, 4});
    auto const p = softax::softmax(a, {0, 2});
    CHECK(p == softax::softmax(a, {2, 0}));
    CHECK(p == softax::softmax(a, {-1, 0}));
    CHECK(p == softax::softmax(a, {-3, -1}));
    CHECK(p == softax::softmax(a, {std::size_t{0}, std::size_t{2}}));
    CHECK(p == softax::softmax(a, {0, a.rank() - 1}));
    CHECK(p == softax::softmax(a, std::vector<int>{0, 2}));
    CHECK(p == softax::softmax(a, std::vector<std::int64_t>{2, 0}));
    CHECK(p == softax::softmax(a, std::array<std::size_t, 2>{0, 2}));
    CHECK(p == softax::softmax(a, std::list<short>{-3, -1}));
    CHECK(p == softax::softmax(a, std::set<long>{2, 0}));
    CHECK(p == softax::softmax(a, softax::index_list{0, 2}));
    int const plain[] = {0, 2};
    CHECK(p == softax::softmax(a, plain));
    CHECK(p == softax::softmax(a, std::span<int const>(plain)));
    softax::axes const chosen = {0, 2};
    CHECK(p == softax::softmax(a, chosen));
}

TEST_CASE("the empty list of axes makes every element its own group", "[softmax]") {
    auto const a = counted({2, 3});
    CHECK(softax::softmax(a, {}) == array<float>({2, 3}, 1.0f));
    CHECK(softax::softmax(a, std::vector<int>{}) == array<float>({2, 3}, 1.0f));
    CHECK(softax::log_softmax(a, {}) == array<float>({2, 3}, 0.0f));
    CHECK(softax::logsumexp(a, {}) == a);
    CHECK(softax::logsumexp(a, {}, {.keepdims = true}) == a);
    array<float> out({2, 3}, -7.0f);
    softax::softmax_into(out, a, {});
    CHECK(out == array<float>({2, 3}, 1.0f));
}

TEST_CASE("arrays, views and contiguous ranges are input", "[softmax]") {
    std::vector<float> values = {1, 2, 3};
    std::array<float, 3> const fixed = {1, 2, 3};
    float plain[] = {1, 2, 3};
    array<float> a = {1, 2, 3};
    array<float> const c = a;
    auto const p = softax::softmax(c);
    CHECK(p.shape() == softax::index_list{3});
    CHECK(p == softax::softmax(a));
    CHECK(p == softax::softmax(array<float>{1, 2, 3}, 0));
    CHECK(p == softax::softmax(view<float>(a), -1));
    CHECK(p == softax::softmax(view<float const>(a)));
    CHECK(p == softax::softmax(values));
    CHECK(p == softax::softmax(std::as_const(values), 0));
    CHECK(p == softax::softmax(std::vector<float>{1, 2, 3}));
    CHECK(p == softax::softmax(fixed));
    CHECK(p == softax::softmax(plain));
    CHECK(p == softax::softmax(std::span<float>(values)));
    CHECK(p == softax::softmax(std::span<float const>(values), {0}));
    CHECK(softax::log_softmax(values) == softax::log_softmax(a));
    CHECK(softax::logsumexp(values) == softax::logsumexp(a));
}

TEST_CASE("views in any strides give row-major results of their own", "[softmax]") {
    array<float> a = counted({3, 4});
    auto const p = softax::softmax(view(a).transpose(), 0);
    REQUIRE(p.shape() == softax::index_list{4, 3});
    auto const q = softax::softmax(a, 1);
    for (int i = 0; i < 3; ++i) {
        for (int j = 0; j < 4; ++j) CHECK(p(j, i) == q(i, j));
    }
    a.data()[0] = 100;  // what was computed stays
    CHECK(p(0, 0) == q(0, 0));
}

TEST_CASE("the type of the result", "[softmax]") {
    auto const is = []<class T, class R>(std::type_identity<T>, std::type_identity<R>) {
        using result = array<R>;
        return std::is_same_v<decltype(softax::softmax(std::declval<array<T> const&>())), result> &&
               std::is_same_v<decltype(softax::log_softmax(std::declval<array<T> const&>(), 0)), result> &&
               std::is_same_v<decltype(softax::logsumexp(std::declval<view<T const> const&>(), {0})), result>;
    };
    auto const gives = [&]<class T>(std::type_identity<T> t, auto r) { return is(t, r); };
    std::type_identity<float> const to_float;
    CHECK(gives(std::type_identity<float>(), to_float));
    CHECK(gives(std::type_identity<double>(), std::type_identity<double>()));
    CHECK(gives(std::type_identity<softax::half>(), std::type_identity<softax::half>()));
    CHECK(gives(std::type_identity<softax::bfloat16>(), std::type_identity<softax::bfloat16>()));
    CHECK(gives(std::type_identity<bool>(), to_float));
    CHECK(gives(std::type_identity<std::int8_t>(), to_float));
    CHECK(gives(std::type_identity<std::uint64_t>(), to_float));
    CHECK(std::is_void_v<decltype(softax::softmax_into(std::declval<array<float>&>(),
                                                       std::declval<array<int> const&>()))>);
}

TEST_CASE("nothing converts to an axis or an option by accident", "[softmax]") {
    using a = array<float>;
    CHECK(takes<a>);
    CHECK(takes<a, int>);
    CHECK(takes<a, softax::axes>);
    CHECK_FALSE(takes<a, bool>);
    CHECK_FALSE(takes<a, double>);
    CHECK_FALSE(takes<a, char const*>);
    CHECK_FALSE(takes<a, std::vector<double>>);
    CHECK_FALSE(takes<a, std::vector<bool>>);
    CHECK_FALSE(takes<a, int, int>);
    CHECK_FALSE(takes<a, int, bool>);
    CHECK_FALSE(takes<a, int, a>);
    CHECK_FALSE(takes<std::vector<std::string>>);
    CHECK_FALSE(takes<std::vector<bool>>);  // its elements have no addresses
    CHECK_FALSE(takes<float>);
    CHECK(logsumexp_takes<a, int, softax::options>);
    CHECK_FALSE(logsumexp_takes<a, int, bool>);
    CHECK_FALSE(logsumexp_takes<a, bool>);
    CHECK(into_takes<a&, a, int>);
    CHECK(into_takes<view<float>, a>);
    CHECK_FALSE(into_takes<a const&, a>);
    CHECK_FALSE(into_takes<view<float const>, a>);
    CHECK(into_takes<array<float>&, array<int>>);
    CHECK_FALSE(into_takes<a&, a, int, int>);
}

TEST_CASE("rank 0", "[softmax]") {
    auto const a = array<float>::scalar(-3.5f);
    CHECK(softax::softmax(a) == array<float>::scalar(1));
    CHECK(softax::softmax(a, {}) == array<float>::scalar(1));
    CHECK(softax::log_softmax(a) == array<float>::scalar(0));
    CHECK(softax::logsumexp(a) == a);
    CHECK(softax::logsumexp(a, softax::all_axes, {.keepdims = true}) == a);
    array<float> out = array<float>::scalar(9);
    softax::softmax_into(out, a);
    CHECK(out == array<float>::scalar(1));
}

TEST_CASE("size 0 gives the same shape back", "[softmax]") {
    for (softax::index_list const& shape : {softax::index_list{0}, {0, 3}, {3, 0}, {2, 0, 4}, {0, 0}}) {
        array<float> const a(shape, 1.0f);
        CHECK(softax::softmax(a).shape() == shape);
        CHECK(softax::softmax(a, 0).shape() == shape);
        CHECK(softax::softmax(a, -1).shape() == shape);
        CHECK(softax::log_softmax(a, {}).shape() == shape);
        array<float> out(shape, 1.0f);
        softax::softmax_into(out, a, -1);
        softax::softmax_into(out, out);
        CHECK(out.shape() == shape);
    }
}

TEST_CASE("logsumexp drops the reduced axes or keeps them as 1", "[softmax]") {
    auto const a = counted({2, 3, 4});
    CHECK(softax::logsumexp(a).shape() == softax::index_list{});
    CHECK(softax::logsumexp(a, 1).shape() == softax::index_list{2, 4});
    CHECK(softax::logsumexp(a, {0, -1}).shape() == softax::index_list{3});
    CHECK(softax::logsumexp(a, 1, {.keepdims = true}).shape() == softax::index_list{2, 1, 4});
    CHECK(softax::logsumexp(a, {2, 0}, {.keepdims = true}).shape() == softax::index_list{1, 3, 1});
    CHECK(softax::logsumexp(a, softax::all_axes, {.keepdims = true}).shape() == softax::index_list{1, 1, 1});
    CHECK(softax::logsumexp(a, 1, {.keepdims = false}) == softax::logsumexp(a, 1));
    CHECK(softax::logsumexp(a, 1, {.keepdims = true}).reshaped({2, 4}) == softax::logsumexp(a, 1));
    array<float> kept({2, 1, 4}, 0.0f), dropped({2, 4}, 0.0f);
    softax::logsumexp_into(kept, a, 1, {.keepdims = true});
    softax::logsumexp_into(dropped, a, 1);
    CHECK(kept.reshaped({2, 4}) == softax::logsumexp(a, 1));
    CHECK(dropped == softax::logsumexp(a, 1));
}

TEST_CASE("into an array, a view, strided memory", "[softmax]") {
    auto const a = counted({3, 4});
    auto const p = softax::softmax(a, -1);
    array<float> out({3, 4}, -7.0f);
    softax::softmax_into(out, a, -1);
    CHECK(out == p);

    array<float> wide({3, 8}, -7.0f);  // every other column
    softax::softmax_into(view(wide).slice(1, {.step = 2}), a, -1);
    for (int i = 0; i < 3; ++i) {
        for (int j = 0; j < 8; ++j) CHECK(wide(i, j) == (j % 2 ? -7.0f : p(i, j / 2)));
    }
    array<float> turned({4, 3}, -7.0f);
    view<float> const target = view(turned).transpose();
    softax::softmax_into(target, a, -1);
    CHECK(array<float>(target) == p);

    array<float> backwards({3, 4}, -7.0f);
    softax::log_softmax_into(view(backwards).slice(0, {.step = -1}).slice(1, {.step = -1}), a, 0);
    CHECK(array<float>(view(backwards).slice(0, {.step = -1}).slice(1, {.step = -1})) == softax::log_softmax(a, 0));

    array<float> sums({3}, -7.0f);
    softax::logsumexp_into(sums, a, 1);
    CHECK(sums == softax::logsumexp(a, 1));
}

TEST_CASE("in place", "[softmax]") {
    for (softax::axes const& over :
         {softax::axes(-1), softax::axes(0), softax::axes(), softax::axes{0, 2}, softax::axes(1)}) {
        auto const a = counted({3, 4, 5});
        auto out = a;
        softax::softmax_into(out, out, over);
        CHECK(out == softax::softmax(a, over));
        out = a;
        softax::log_softmax_into(view(out), out, over);
        CHECK(out == softax::log_softmax(a, over));
        out = a;
        auto const turned = view(out).transpose();
        softax::softmax_into(turned, turned, over);
        CHECK(array<float>(turned) == softax::softmax(view(a).transpose(), over));
    }
    array<float> x = {{1, 2}, {3, 4}};
    auto const same = x;
    softax::logsumexp_into(x, x, {});  // nothing is reduced: out may be the input here too
    CHECK(x == same);
}

TEST_CASE("memory that is shared but not overlapped is two memories", "[softmax]") {
    auto const source = counted({4, 10});
    auto a = source;
    // The left half of every row from the right half.
    softax::softmax_into(view(a).slice(1, {.stop = 5}), view(a).slice(1, {.start = 5}), -1);
    auto const right = array<float>(view(source).slice(1, {.start = 5}));
    CHECK(array<float>(view(a).slice(1, {.stop = 5})) == softax::softmax(right, -1));
    CHECK(array<float>(view(a).slice(1, {.start = 5})) == right);
}

TEST_CASE("rank 16", "[softmax]") {
    softax::index_list shape = softax::index_list::filled(16, 1);
    shape[3] = 2, shape[15] = 3;
    auto const a = counted(shape);
    auto const p = softax::softmax(a, {3, -1});
    CHECK(p.shape() == shape);
    CHECK(p.reshaped({6}) == softax::softmax(a.reshaped({6})));
    CHECK(softax::logsumexp(a, 15).rank() == 15);
}

TEST_CASE("the input is never modified", "[softmax]") {
    auto a = counted({4, 5, 6});
    auto const before = a;
    for (softax::axes const& over :
         {softax::axes(-1), softax::axes(0), softax::axes(softax::all_axes), softax::axes{0, 2}}) {
        softax::softmax(a, over);
        softax::log_softmax(view(a).transpose(), over);
        softax::logsumexp(view(a).slice(2, {.step = -2}), over);
        CHECK(a == before);
    }
}

/// Every function of the family on an input and axes, with a call that fails; out must stay as it is.
template <class Exception, class T>
void refuses(array<T> const& a, softax::axes const& over, char const* words) {
    using r = softax::result_type<T>;
    array<r> out(a.shape(), r{17});
    auto const before = out;
    REQUIRE_FAILS(softax::softmax(a, over), Exception, words);
    REQUIRE_FAILS(softax::log_softmax(a, over), Exception, words);
    REQUIRE_FAILS(softax::logsumexp(a, over), Exception, words);
    REQUIRE_FAILS(softax::softmax_into(out, a, over), Exception, words);
    REQUIRE_FAILS(softax::log_softmax_into(out, a, over), Exception, words);
    REQUIRE_FAILS(softax::logsumexp_into(out, a, over), Exception, words);
    CHECK(out == before);
    out = a;
    REQUIRE_FAILS(softax::softmax_into(out, out, over), Exception, words);
    CHECK(out == a);
}

TEST_CASE("axes out of range", "[softmax][errors]") {
    auto const a = counted({2, 3, 4});
    refuses<std::out_of_range>(a, 3, "axis 3 is out of range for an array of rank 3");
    refuses<std::out_of_range>(a, -4, "axis -4 is out of range for an array of rank 3");
    refuses<std::out_of_range>(a, {0, 5}, "axis 5 is out of range for an array of rank 3");
    refuses<std::out_of_range>(a, {0, 0, 5}, "axis 5 is out of range");
    refuses<std::out_of_range>(a, std::numeric_limits<long long>::min(), "out of range");
    refuses<std::out_of_range>(a, std::numeric_limits<std::size_t>::max(), "out of range");
    refuses<std::out_of_range>(a, 1u << 31, "axis 2147483648 is out of range");
}

TEST_CASE("axes given twice", "[softmax][errors]") {
    auto const a = counted({2, 3, 4});
    refuses<std::invalid_argument>(a, {1, 1}, "axis 1 is given twice for an array of rank 3");
    refuses<std::invalid_argument>(a, {0, -3}, "axis -3 is given twice for an array of rank 3");
    refuses<std::invalid_argument>(a, {0, 1, 2, 0}, "twice");
}

TEST_CASE("any axis of rank 0", "[softmax][errors]") {
    auto const a = array<float>::scalar(2);
    for (int const axis : {0, -1, 1}) refuses<std::invalid_argument>(a, axis, "rank 0");
}

TEST_CASE("more than 16 axes", "[softmax][errors]") {
    auto const a = counted({2, 3});
    refuses<std::invalid_argument>(a, std::vector<int>(17, 0), "axis 0 is given twice for an array of rank 2");
    std::vector<int> late(300, 0);
    late.back() = 2;
    refuses<std::out_of_range>(a, late, "axis 2 is out of range for an array of rank 2");
    std::vector<int> all(17, 3);
    std::iota(all.begin(), all.end() - 1, 0);
    refuses<std::invalid_argument>(array<float>(softax::index_list::filled(16, 1), 0.0f), all, "axis 3 is given twice");
}

TEST_CASE("axes are checked for size 0 too", "[softmax][errors]") {
    array<float> const a({2, 0}, 0.0f);
    refuses<std::out_of_range>(a, 2, "axis 2 is out of range for an array of rank 2");
    refuses<std::out_of_range>(a, -3, "axis -3 is out of range for an array of rank 2");
    refuses<std::invalid_argument>(a, {0, 0}, "twice");
}

TEST_CASE("out of another shape", "[softmax][errors]") {
    auto const a = counted({2, 3});
    for (softax::index_list const& shape : {softax::index_list{3, 2}, {6}, {2, 3, 1}, {2, 4}, {0, 3}, {}}) {
        array<float> out(shape, 17.0f);
        auto const before = out;
        REQUIRE_FAILS(softax::softmax_into(out, a, -1), std::invalid_argument, "(2, 3)");
        REQUIRE_FAILS(softax::log_softmax_into(view(out), a), std::invalid_argument, "(2, 3)");
        CHECK(out == before);
    }
    array<float> tall({3, 2}, 17.0f);
    REQUIRE_FAILS(softax::softmax_into(tall, a, -1), std::invalid_argument, "(3, 2)");
    array<float> kept({2, 1}, 17.0f), dropped({2}, 17.0f);
    REQUIRE_FAILS(softax::logsumexp_into(kept, a, 1), std::invalid_argument, "(2,)");
    REQUIRE_FAILS(softax::logsumexp_into(dropped, a, 1, {.keepdims = true}), std::invalid_argument, "(2, 1)");
    CHECK(kept == array<float>({2, 1}, 17.0f));
    CHECK(dropped == array<float>({2}, 17.0f));
    array<float> empty({0, 4}, 0.0f);
    REQUIRE_FAILS(softax::softmax_into(empty, array<float>({0, 3}, 0.0f)), std::invalid_argument, "(0, 3)");
}

TEST_CASE("a wrong axis is told before a wrong shape", "[softmax][errors]") {
    array<float> out({5}, 17.0f);
    REQUIRE_FAILS(softax::softmax_into(out, counted({2, 3}), 2), std::out_of_range, "axis 2 is out of range");
}

TEST_CASE("out that overlaps the input in part", "[softmax][errors]") {
    auto memory = counted({64});
    auto const before = memory;
    float* const p = memory.data();
    view<float const> const a(p, {4, 4});
    auto const refuses_into = [&](view<float> const& out) {
        REQUIRE_FAILS(softax::softmax_into(out, a, -1), std::invalid_argument, "overlaps");
        REQUIRE_FAILS(softax::log_softmax_into(out, a, 0), std::invalid_argument, "overlaps");
        CHECK(memory == before);
    };
    refuses_into({p + 1, {4, 4}});
    refuses_into({p + 15, {4, 4}});
    refuses_into({p, {4, 4}, {1, 4}});         // transposed
    refuses_into({p + 15, {4, 4}, {-4, -1}});  // reversed
    refuses_into({p, {4, 4}, {8, 1}});         // other steps
    refuses_into({p + 12, {4, 4}, {-4, 1}});   // rows upside down
    view<float const> const later(p + 8, {4, 4});
    REQUIRE_FAILS(softax::softmax_into(view<float>(p, {4, 4}), later), std::invalid_argument, "overlaps");
    REQUIRE_FAILS(softax::logsumexp_into(view<float>(p + 3, {4}), a, 1), std::invalid_argument, "overlaps");
    REQUIRE_FAILS(softax::logsumexp_into(view<float>(p, {4}), a, 1), std::invalid_argument, "overlaps");
    view<float const> const broadcast(p, {4, 4}, {0, 1});
    REQUIRE_FAILS(softax::softmax_into(view<float>(p, {4, 4}), broadcast, -1), std::invalid_argument, "overlaps");
    CHECK(memory == before);
    softax::softmax_into(view<float>(p + 16, {4, 4}), a, -1);  // next to it is free
    CHECK(array<float>(view<float const>(p + 16, {4, 4})) == softax::softmax(a, -1));
    CHECK(std::equal(p, p + 16, before.data()));
}

TEST_CASE("out whose elements share memory", "[softmax][errors]") {
    array<float> const a({3, 4}, 1.0f);
    array<float> memory({16}, 17.0f);
    auto const refuses_into = [&](view<float> const& out) {
        REQUIRE_FAILS(softax::softmax_into(out, a, -1), std::invalid_argument, "several elements in one place");
        CHECK(memory == array<float>({16}, 17.0f));
    };
    refuses_into({memory.data(), {3, 4}, {0, 1}});
    refuses_into({memory.data(), {3, 4}, {4, 0}});
    refuses_into({memory.data(), {3, 4}, {2, 1}});
    refuses_into({memory.data(), {3, 4}, {1, 1}});
    array<float> const one({1, 4}, 1.0f);
    softax::softmax_into(view<float>(memory.data(), {1, 4}, {0, 1}), one,
                         -1);  // an axis of extent 1 has no second element
    CHECK(memory.data()[3] == 0.25f);
}

TEST_CASE("in place, with strides that differ only where they do not matter", "[softmax][into]") {
    // Strides of an axis of extent 1 say nothing about places; they were once compared all the same.
    std::vector<float> memory = {1, 2, 3};
    view<float> const out(memory.data(), {1, 3}, {7, 1});
    softax::softmax_into(out, view<float const>(memory.data(), {1, 3}), -1);
    array<float> const expected = softax::softmax(array<float>{1, 2, 3});
    CHECK(std::equal(memory.begin(), memory.end(), expected.begin()));
}

}  // namespace
