// mpi.hpp on as many ranks as it is started with. Every rank knows the whole array and its reference, and checks its slice.
//
// A rank that leaves a test case early would leave the others waiting, so here all is CHECKed and nothing REQUIREd.
#if !__has_include(<catch2/catch_test_macros.hpp>)
#define CATCH_CONFIG_RUNNER
#endif
#include "catch.hpp"
#include "once/kernels.hpp"
#include "reference.hpp"
#include "said.hpp"
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#endif

#include <softax/mpi.hpp>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

using reference::form;
using softax::array;
using softax::index_list;
using softax::index_t;
using softax::view;

namespace {

int rank_of(MPI_Comm comm) {
    int rank = 0;
    MPI_Comm_rank(comm, &rank);
    return rank;
}

int ranks_of(MPI_Comm comm) {
    int ranks = 0;
    MPI_Comm_size(comm, &ranks);
    return ranks;
}

int const rank = [] {
    MPI_Init(nullptr, nullptr);
    return rank_of(MPI_COMM_WORLD);
}();
int const ranks = ranks_of(MPI_COMM_WORLD);

/// The same on every rank.
template <class T>
array<T> numbers(index_list const& shape, double deviation = 3) {
    auto a = array<T>::uninitialized(shape);
    std::mt19937_64 random(5);
    std::normal_distribution<double> draw(0, deviation);
    for (T& x : a) x = static_cast<T>(draw(random));
    return a;
}

/// How an axis is shared out: evenly, all to one rank, or unevenly with ranks that have nothing.
enum class split { even, last_rank, first_rank, gaps };
constexpr split splits[] = {split::even, split::last_rank, split::first_rank, split::gaps};

softax::bounds slice_of(split how, index_t extent, int r = rank) {
    auto const even = [&](index_t part, index_t parts) { return extent * part / parts; };
    switch (how) {
        case split::even:
            return {.start = even(r, ranks), .stop = even(r + 1, ranks)};
        case split::last_rank:
            return {.start = 0, .stop = r == ranks - 1 ? extent : 0};
        case split::first_rank:
            return {.start = 0, .stop = r == 0 ? extent : 0};
        case split::gaps:
            // Every second rank has nothing, the last takes what is left.
            index_t const first = even((r + 1) / 2, ranks);
            return {.start = first, .stop = r == ranks - 1 ? extent : even(r / 2 + 1, ranks)};
    }
    return {};
}

/// The same bits on every rank.
template <class T>
bool is_same_everywhere(array<T> const& a) {
    auto const bytes = static_cast<int>(a.size() * static_cast<index_t>(sizeof(T)));
    std::vector<char> first(static_cast<std::size_t>(bytes));
    if (bytes > 0) std::memcpy(first.data(), a.data(), first.size());
    MPI_Bcast(first.data(), bytes, MPI_BYTE, 0, MPI_COMM_WORLD);
    int same = bytes == 0 || std::memcmp(first.data(), a.data(), first.size()) == 0;
    MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    return same != 0;
}

/// The reference of the whole array, row-major.
template <class T>
std::vector<reference::expected> expected_of(form f, array<T> const& a, unsigned reduced) {
    auto const strides = a.strides();
    return reference::family(f, a.data(), {a.shape().begin(), a.shape().end()}, {strides.begin(), strides.end()},
                             reduced);
}

/// Checks a slice, along that axis, of the results of an array.
template <class T>
void check_slice(form f, array<T> const& whole, unsigned reduced, array<T> const& slice, softax::bounds const& b,
                 index_t axis) {
    auto const expected = expected_of(f, whole, reduced);
    auto places = array<std::int64_t>::uninitialized(whole.shape());
    for (index_t i = 0; i < places.size(); ++i) places.data()[i] = i;
    array<std::int64_t> const here(view<std::int64_t const>(places).slice(axis, b));
    CHECK(slice.shape() == here.shape());
    if (slice.shape() != here.shape()) return;
    for (index_t i = 0; i < slice.size(); ++i) {
        auto const& right = expected[static_cast<std::size_t>(here.data()[i])];
        CHECK(reference::ulp_error(slice.data()[i], right) <= reference::bound<T>(f));
    }
}

/// The three functions over the axes whose bits are set in reduced, spread along one of them.
template <class T>
void check_family(array<T> const& a, unsigned reduced, index_t axis, split how) {
    std::vector<index_t> over;
    for (index_t k = 0; k < a.rank(); ++k) {
        if (reduced >> k & 1u) over.push_back(k);
    }
    auto const b = slice_of(how, a.shape()[axis]);
    auto const slice = view<T const>(a).slice(axis, b);
    check_slice(form::softmax, a, reduced, softax::mpi::softmax(slice, over, MPI_COMM_WORLD), b, axis);
    check_slice(form::log_softmax, a, reduced, softax::mpi::log_softmax(slice, over, MPI_COMM_WORLD), b, axis);
    auto in_place = array<T>(slice);
    softax::mpi::softmax_into(in_place, in_place, over, MPI_COMM_WORLD);
    check_slice(form::softmax, a, reduced, in_place, b, axis);
    softax::mpi::log_softmax_into(in_place, slice, over, MPI_COMM_WORLD);
    check_slice(form::log_softmax, a, reduced, in_place, b, axis);
    auto const sums = softax::mpi::logsumexp(slice, over, MPI_COMM_WORLD);
    CHECK(is_same_everywhere(sums));
    auto const expected = expected_of(form::logsumexp, a, reduced);
    CHECK(sums.size() == static_cast<index_t>(expected.size()));
    for (index_t i = 0; i < sums.size(); ++i) {
        CHECK(reference::ulp_error(sums.data()[i], expected[static_cast<std::size_t>(i)]) <=
              reference::bound<T>(form::logsumexp));
    }
    CHECK(softax::mpi::logsumexp(slice, over, MPI_COMM_WORLD, {.keepdims = true}).rank() == a.rank());
}

/// The same with options, of which the mask is one of the whole array; each rank gives that of its slice.
template <class T>
void check_options(array<T> const& a, array<bool> const& live, softax::options o, split how) {
    using R = softax::result_type<T>;
    index_t const axis = 1;
    unsigned const reduced = 6;
    auto const over = said::axes_of(reduced);
    auto const b = slice_of(how, a.shape()[axis]);
    auto const slice = view<T const>(a).slice(axis, b);
    o.where = view<bool const>(live).slice(axis, b);
    auto const check = [&](form f, array<R> const& found) {
        auto const expected = said::family(f, a, live, reduced, said::rounded<T>(o.scale, o.extra));
        index_t const rows = a.shape()[0], inner = a.shape()[2], columns = a.shape()[axis];
        bool const is_sum = f == form::logsumexp;
        CHECK(found.size() == (is_sum ? rows : slice.size()));
        for (index_t i = 0; i < found.size(); ++i) {
            index_t const own = slice.shape()[axis] * inner;
            index_t const place = is_sum ? i : i / own * columns * inner + *b.start * inner + i % own;
            CHECK(reference::ulp_error(found.data()[i], expected[static_cast<std::size_t>(place)]) <=
                  reference::bound<R>(f));
        }
    };
    auto const sums = softax::mpi::logsumexp(slice, over, MPI_COMM_WORLD, o);
    CHECK(is_same_everywhere(sums));
    check(form::logsumexp, sums);
    auto const p = softax::mpi::softmax(slice, over, MPI_COMM_WORLD, o);
    check(form::softmax, p);
    check(form::log_softmax, softax::mpi::log_softmax(slice, over, MPI_COMM_WORLD, o));
    auto q = array<R>::uninitialized(p.shape());
    softax::mpi::log_softmax_into(q, slice, over, MPI_COMM_WORLD, o);
    check(form::log_softmax, q);
    // On threads; a rank may have its own, which changes no bit.
    static softax::stream const threads(softax::device::cpu, 2);
    if (rank % 2 == 0) o.on = threads;
    softax::mpi::softmax_into(q, slice, over, MPI_COMM_WORLD, o);
    CHECK((p.size() == 0 || std::memcmp(p.data(), q.data(), static_cast<std::size_t>(p.size()) * sizeof(R)) == 0));
}

/// What a call threw on this rank: the beginning of its message after "softax: ".
template <class Call>
std::string error_of(Call call) {
    try {
        call();
    } catch (std::exception const& e) {
        return e.what();
    }
    return "";
}

bool holds(std::string const& text, std::string const& words) { return text.find(words) != std::string::npos; }

/// What the ranks throw when the call throws on one of them.
template <class Call>
void check_error(int culprit, std::string const& words, Call call) {
    std::string const error = error_of(call);
    INFO("rank " << rank << " says: " << error);
    CHECK(holds(error, rank == culprit ? words : "rank " + std::to_string(culprit)));
    // Nothing is left behind that a later call could trip over.
    CHECK(softax::mpi::logsumexp(array<float>({2, 1}, 0.0f), -1, MPI_COMM_WORLD).size() == 2);
}

}  // namespace

TEMPLATE_TEST_CASE("every split of every reduced axis", "[mpi]", float, double, softax::half) {
    auto const a = numbers<TestType>({3, 40, 5});
    for (split const how : splits) {
        check_family(a, 2u, 1, how);
        check_family(a, 3u, 1, how);
        check_family(a, 7u, 2, how);
        check_family(a, 5u, 0, how);
    }
    check_family(numbers<TestType>({9001}), 1u, 0, split::even);
    check_family(numbers<TestType>({2, 1000}, 30), 2u, 1, split::gaps);
    check_family(numbers<TestType>({0, 7}), 2u, 1, split::even);  // no group at all
}

TEST_CASE("without elements anywhere the logsumexp is -inf", "[mpi]") {
    auto const sums = softax::mpi::logsumexp(array<float>({3, 0}, 0.0f), -1, MPI_COMM_WORLD);
    CHECK(sums == array<float>({3}, -std::numeric_limits<float>::infinity()));
    CHECK(softax::mpi::softmax(array<float>({3, 0}, 0.0f), -1, MPI_COMM_WORLD).shape() == index_list{3, 0});
}

TEMPLATE_TEST_CASE("NaN and infinities of one rank reach all of its group and no other", "[mpi]", float, double) {
    using T = TestType;
    T const inf = std::numeric_limits<T>::infinity();
    for (T const special : {std::numeric_limits<T>::quiet_NaN(), inf, -inf}) {
        auto a = numbers<T>({4, 30});
        a(1, 17) = special;
        for (index_t j = 0; j < 30; ++j) a(2, j) = -inf;
        for (split const how : splits) check_family(a, 2u, 1, how);
    }
}

TEMPLATE_TEST_CASE("masks that differ from rank to rank, scales, and every kind of element", "[mpi]", float, double,
                   softax::bfloat16, bool, std::int8_t, std::uint16_t, std::int32_t, std::int64_t, std::uint64_t) {
    using T = TestType;
    std::mt19937_64 random(31);
    for (split const how : splits) {
        auto a = array<T>::uninitialized({6, 30, 3});
        auto live = said::mask(a.shape(), random);
        auto const slice = slice_of(split::even, 30, 0);
        for (index_t i = 0; i < a.size(); ++i) {
            index_t const row = i / 90, column = i / 3 % 30;
            if (row == 1) live.data()[i] = false;                  // left out everywhere
            if (row == 2) live.data()[i] = column >= *slice.stop;  // on the first rank
            if (row == 3) live.data()[i] = column == 29;           // on all but the last
            a.data()[i] = said::number<T>(random);
            if constexpr (!std::is_integral_v<T>) {
                if (!live.data()[i]) a.data()[i] = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
                if (row == 4 && i % 90 == 17) a.data()[i] = static_cast<T>(-std::numeric_limits<float>::infinity());
            }
        }
        for (double const scale : {1.0, -0.3}) {
            check_options(a, live, {.scale = scale}, how);
            check_options(a, live, {.scale = scale, .extra = 0.5}, how);
        }
        check_options(a, array<bool>(a.shape(), true), {.scale = 0.7}, how);
    }
}

TEST_CASE("an extra logit counts once, however many ranks there are", "[mpi]") {
    double const scale = 0.3;
    auto const a = numbers<float>({3, 50});
    auto const b = slice_of(split::even, 50);
    auto const p =
        softax::mpi::softmax(view<float const>(a).slice(1, b), -1, MPI_COMM_WORLD, {.scale = scale, .extra = 1.5});
    for (index_t i = 0; i < p.shape()[0]; ++i) {
        reference::wide sum = std::exp(1.5L);
        auto const scaled = [&](float x) { return reference::exact(x) * reference::exact(static_cast<float>(scale)); };
        for (index_t j = 0; j < 50; ++j) sum += std::exp(scaled(a(i, j)));
        for (index_t j = 0; j < p.shape()[1]; ++j) {
            auto const right = std::exp(scaled(a(i, *b.start + j))) / sum;
            CHECK(reference::ulp_error(p(i, j), {right, right}) <= 4);
        }
    }
}

TEMPLATE_TEST_CASE("cross entropy of classes that are spread over the ranks", "[mpi]", float, double) {
    using T = TestType;
    index_t const tokens = 60, vocabulary = 101;
    auto a = numbers<T>({tokens, vocabulary}, 5);
    array<std::int64_t> targets({tokens}, 0);
    for (index_t i = 0; i < tokens; ++i) targets(i) = i * 37 % vocabulary;
    a(3, targets(3)) = 60;                                   // confident: the loss is next to 0
    a(4, targets(4)) = -std::numeric_limits<T>::infinity();  // impossible
    a(5, 0) = std::numeric_limits<T>::quiet_NaN();           // poisoned
    auto const expected = expected_of(form::log_softmax, a, 2u);
    for (split const how : splits) {
        auto const b = slice_of(how, vocabulary);
        // Along the last axis, and along the first of the transpose.
        auto const slice = view<T const>(a).slice(1, b);
        auto const loss = softax::mpi::cross_entropy(slice, targets, {.axis = -1, .first = *b.start}, MPI_COMM_WORLD);
        auto const same =
            softax::mpi::cross_entropy(slice.transpose(), targets, {.axis = 0, .first = *b.start}, MPI_COMM_WORLD);
        CHECK(is_same_everywhere(loss));
        for (index_t i = 0; i < tokens; ++i) {
            auto right = expected[static_cast<std::size_t>(i * vocabulary + targets(i))];
            right = {-right.value, right.unit};
            CHECK(reference::ulp_error(loss(i), right) <= 2.5L);
            CHECK((loss(i) == same(i) || std::isnan(right.value)));
        }
        CHECK(loss(3) > 0);
    }
}

TEMPLATE_TEST_CASE("classes that a mask leaves out have no share in the loss", "[mpi]", float, double) {
    using T = TestType;
    index_t const tokens = 40, vocabulary = 50, used = 43;  // the rest fills up the last rank
    auto a = numbers<T>({tokens, vocabulary}, 5);
    array<bool> live({tokens, vocabulary}, true);
    array<int> targets({tokens}, 0);
    for (index_t i = 0; i < tokens; ++i) {
        targets(i) = static_cast<int>(i * 37 % used);
        for (index_t j = 0; j < vocabulary; ++j) live(i, j) = j < used && (i != 2 || j == targets(i)) && i != 3;
        for (index_t j = used; j < vocabulary; ++j) a(i, j) = std::numeric_limits<T>::quiet_NaN();
    }
    live(4, targets(4)) = false;
    targets(5) = static_cast<int>(used);
    a(6, targets(6)) = std::numeric_limits<T>::quiet_NaN();
    array<bool> const turned(view<bool const>(live).transpose());
    T const infinity = std::numeric_limits<T>::infinity();
    for (double const scale : {1.0, -0.5}) {
        auto const expected = said::family(form::log_softmax, a, live, 2u, said::rounded<T>(scale, 1.5));
        for (split const how : splits) {
            auto const b = slice_of(how, vocabulary);
            softax::options const o = {.scale = scale, .where = view<bool const>(turned).slice(0, b), .extra = 1.5};
            auto const loss = softax::mpi::cross_entropy(view<T const>(a).slice(1, b).transpose(), targets,
                                                         {.axis = 0, .first = *b.start}, MPI_COMM_WORLD, o);
            CHECK(is_same_everywhere(loss));
            for (index_t i = 0; i < tokens; ++i) {
                auto right = expected[static_cast<std::size_t>(i * vocabulary + targets(i))];
                right = {-right.value, right.unit};
                CHECK(reference::ulp_error(loss(i), right) <= 2.5L);
            }
            CHECK((loss(3) == infinity && loss(4) == infinity && loss(5) == infinity && std::isnan(loss(6))));
        }
    }
}

TEST_CASE("an error on one rank is an error on all", "[mpi]") {
    using softax::mpi::logsumexp;
    auto const a = numbers<float>({2, 10});
    bool const mask = true;
    for (int culprit = 0; culprit < ranks; ++culprit) {
        bool const is_me = rank == culprit;
        check_error(culprit, "axis 2 is out of range", [&] { logsumexp(a, is_me ? 2 : 1, MPI_COMM_WORLD); });
        check_error(culprit, "given twice", [&] {
            softax::mpi::softmax(a, is_me ? softax::axes{1, -1} : softax::axes{1}, MPI_COMM_WORLD);
        });
        check_error(culprit, "scale is", [&] {
            double const infinite = std::numeric_limits<double>::infinity();
            softax::mpi::log_softmax(a, 1, MPI_COMM_WORLD, {.scale = is_me ? infinite : 1.0});
        });
        check_error(culprit, "(2, 9) cannot be broadcast to (2, 10)", [&] {
            softax::options o;
            if (is_me) o.where = view<bool const>(&mask, {2, 9}, {0, 0});
            logsumexp(a, 1, MPI_COMM_WORLD, o);
        });
        check_error(culprit, "where overlaps out", [&] {
            auto out = array<float>({2, 10}, 0.0f);
            softax::options o;
            if (is_me) o.where = view<bool const>(reinterpret_cast<bool*>(out.data()), {2, 10});
            softax::mpi::softmax_into(out, a, 1, MPI_COMM_WORLD, o);
        });
        check_error(culprit, "cannot be broadcast", [&] {
            softax::options o;
            if (is_me) o.where = view<bool const>(&mask, {3}, {0});
            softax::mpi::cross_entropy(a, array<int>({2}, 0), {.first = 10 * rank}, MPI_COMM_WORLD, o);
        });
        check_error(culprit, "out has shape", [&] {
            auto out = array<float>({2, is_me ? 11 : 10}, 0.0f);
            softax::mpi::softmax_into(out, a, 1, MPI_COMM_WORLD);
        });
        check_error(culprit, "targets has shape", [&] {
            auto const targets = array<int>({is_me ? 3 : 2}, 0);
            softax::mpi::cross_entropy(a, targets, {.first = 10 * rank}, MPI_COMM_WORLD);
        });
    }
}

TEST_CASE("ranks that do not agree all throw", "[mpi]") {
    if (ranks == 1) return;
    std::string const words = "kept axes";
    auto const other_shape = error_of([] {
        softax::mpi::softmax(array<float>({rank == 1 ? 3 : 2, 4}, 0.0f), -1, MPI_COMM_WORLD);
    });
    CHECK(holds(other_shape, words));
    auto const other_rank = error_of([] {
        auto const a = rank == 0 ? array<float>({4}, 0.0f) : array<float>({1, 4}, 0.0f);
        softax::mpi::softmax(a, -1, MPI_COMM_WORLD);
    });
    CHECK(holds(other_rank, words));
    auto const other_type = error_of([] {
        if (rank == ranks - 1) {
            softax::mpi::logsumexp(array<double>({4}, 0.0), -1, MPI_COMM_WORLD);
        } else {
            softax::mpi::logsumexp(array<float>({4}, 0.0f), -1, MPI_COMM_WORLD);
        }
    });
    CHECK(holds(other_type, words));
}

TEST_CASE("a target of no rank, or of several, is an error on all", "[mpi]") {
    auto const a = numbers<float>({3, 10});
    array<int> targets = {0, 5, 10 * ranks};
    softax::mpi::classes const mine = {.axis = 1, .first = 10 * rank};
    auto const loss = [&](softax::mpi::classes const& where) {
        return error_of([&] { softax::mpi::cross_entropy(a, targets, where, MPI_COMM_WORLD); });
    };
    CHECK(holds(loss(mine), "group 2 is a class that no rank holds"));
    targets(2) = -1;
    CHECK(holds(loss(mine), "group 2 is a class that no rank holds"));
    targets(2) = 10 * ranks - 1;
    CHECK(loss(mine).empty());
    if (ranks > 1) CHECK(holds(loss({.axis = 1, .first = 0}), "group 0 is a class that several ranks hold"));
}

TEST_CASE("any communicator will do", "[mpi]") {
    MPI_Comm half = MPI_COMM_NULL;
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &half);
    array<double> const a({5, 3}, static_cast<double>(rank % 2));
    auto const sums = softax::mpi::logsumexp(a, softax::all_axes, half);
    CHECK(sums() == Catch::Detail::Approx(rank % 2 + std::log(15.0 * ranks_of(half))).epsilon(1e-15));
    MPI_Comm_free(&half);
}

// Not promised, but near: what another number of ranks changes. Printed for people.
TEMPLATE_TEST_CASE("another number of ranks hardly changes a bit", "[mpi]", float, double) {
    index_t const rows = 2000, columns = 1000;
    auto const a = numbers<TestType>({rows, columns});
    auto const b = slice_of(split::even, columns);
    auto const alone = softax::mpi::softmax(a, -1, MPI_COMM_SELF);
    auto const slice = softax::mpi::softmax(view<TestType const>(a).slice(1, b), -1, MPI_COMM_WORLD);
    long long different = 0;
    for (index_t i = 0; i < rows; ++i) {
        for (index_t j = 0; j < slice.shape()[1]; ++j) {
            auto const one = alone(i, *b.start + j), other = slice(i, j);
            if (one != other) ++different;
            // Neighbours, since both are next to the same number.
            CHECK(std::abs(one - other) <= std::numeric_limits<TestType>::epsilon() * one);
        }
    }
    MPI_Allreduce(MPI_IN_PLACE, &different, 1, MPI_LONG_LONG, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0) std::printf("%lld of %td differ from those of one rank\n", different, a.size());
    // The sums agree to 2^-45 or better, so one result in a million may round the other way.
    CHECK(different <= a.size() / 100000);
}

int main(int argc, char** argv) {
    int const result = Catch::Session().run(argc, argv);
    MPI_Finalize();
    return result;
}
