// Half types: lanes convert as one element does, and what is computed of them is what is computed of float, rounded once.
#include "catch.hpp"
#include "family.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

using softax::array;
using softax::bfloat16;
using softax::half;
using softax::index_t;
using softax::view;
using namespace family;

namespace {

using P = softax::detail::packet<float>;

/// The floats that are hard to round to H: every value, halfway to the next, and next to both.
template <class H>
std::vector<float> hard_floats() {
    std::vector<float> all;
    for (std::uint32_t b = 0; b < 0x10000; ++b) {
        float const x = H::from_bits(static_cast<std::uint16_t>(b));
        float const next = H::from_bits(static_cast<std::uint16_t>(b + 1)), middle = x / 2 + next / 2;
        for (float const f : {x, middle}) {
            for (float const to : {-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()})
                all.push_back(std::nextafter(f, to));
            all.push_back(f);
        }
    }
    std::mt19937 random(1);
    for (int i = 0; i < 200000; ++i) all.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
    while (all.size() % 64 != 0) all.push_back(0);
    return all;
}

TEMPLATE_TEST_CASE("lanes convert as one element does", "[halves]", half, bfloat16) {
    std::vector<TestType> halves(0x10000);
    for (std::size_t b = 0; b < halves.size(); ++b) halves[b] = TestType::from_bits(static_cast<std::uint16_t>(b));
    std::vector<float> widened(halves.size());
    for (std::size_t i = 0; i < halves.size(); i += P::lanes) P::load(&halves[i]).store(&widened[i]);
    for (std::size_t i = 0; i < halves.size(); ++i) {
        INFO("bits " << i);
        REQUIRE(bits_of(widened[i]) == bits_of(static_cast<float>(halves[i])));
    }
    auto const hard = hard_floats<TestType>();
    std::vector<TestType> rounded(hard.size());
    for (std::size_t i = 0; i < hard.size(); i += P::lanes) P::load(&hard[i]).store(&rounded[i]);
    for (std::size_t i = 0; i < hard.size(); ++i) {
        INFO("float " << hard[i] << ", bits " << std::bit_cast<std::uint32_t>(hard[i]));
        REQUIRE(bits_of(rounded[i]) == bits_of(TestType(hard[i])));
    }
}

/// Rows with an infinity or NaN in some of them.
template <class T>
array<T> rows(index_t count, index_t n, std::mt19937& random) {
    std::normal_distribution<float> draw(0, 3);
    auto a = array<T>::uninitialized({count, n});
    for (T& e : a) e = T(draw(random));
    for (index_t i = 0; i < count; ++i) {
        T& somewhere = a(i, static_cast<index_t>(random() % static_cast<std::size_t>(n)));
        if (i % 5 == 1) somewhere = T(-std::numeric_limits<float>::infinity());
        if (i % 5 == 3) somewhere = T(std::numeric_limits<float>::quiet_NaN());
    }
    return a;
}

/// A mask that leaves most of every row but the third, of which it leaves nothing.
array<bool> most_of(index_t count, index_t n, std::mt19937& random) {
    array<bool> where({count, n}, true);
    for (index_t i = 0; i < count; ++i) {
        for (index_t k = 0; k < n; ++k) where(i, k) = i != 2 && random() % 5 != 0;
    }
    return where;
}

/// Every element is that of float, rounded to H once.
template <class H>
void require_rounded(array<H> const& y, array<float> const& expected, auto const& what) {
    for (index_t i = 0; i < y.size(); ++i) {
        if (bits_of(y.data()[i]) == bits_of(H(expected.data()[i]))) continue;
        FAIL(what() << ": element " << i);
    }
}

TEMPLATE_TEST_CASE("rows are those of float, rounded", "[halves]", half, bfloat16) {
    std::mt19937 random(2);
    // Around packets, blocks of rows, chunks of sums, and rows that wait for each other in a scratch.
    std::vector<index_t> lengths = {3, 47, 48, 49, 50, 63, 64, 65, 100, 127, 128, 129, 511, 513, 1000, 4097};
    if (!is_slow_build) lengths.insert(lengths.end(), {32767, 32768, 32769, 70001});
    for (index_t const n : lengths) {
        for (index_t const count : {1, 2, 3, 16, 33}) {
            if (count * n > 300000) continue;
            auto const a = rows<TestType>(count, n, random);
            auto wide = array<float>::uninitialized(a.shape());
            std::copy(a.begin(), a.end(), wide.begin());
            auto const where = most_of(count, n, random);
            for (form const f : {form::softmax, form::log_softmax, form::logsumexp}) {
                for (double const scale : {1.0, -0.7, 0.25}) {
                    for (bool const is_masked : {false, true}) {
                        softax::options o = {.scale = scale};
                        if (is_masked) o.where = view(where);
                        auto const expected = run<float>(f, wide, -1, o);
                        auto const is_expected = [&](array<TestType> const& y, std::string const& how) {
                            require_rounded(y, expected, [&] {
                                return name_of(f) + how + " of " + std::to_string(count) + " rows of " +
                                       std::to_string(n) + ", scale " + std::to_string(scale) +
                                       (is_masked ? ", masked" : "");
                            });
                        };
                        is_expected(run<TestType>(f, a, -1, o), "");
                        if (f == form::logsumexp) continue;
                        auto y = a;
                        run_into<TestType>(f, y, y, -1, o);
                        is_expected(y, " in place");
                    }
                }
            }
        }
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("columns are those of float, rounded", "[halves]", half, bfloat16) {
    // Groups side by side, short ones and others: around packets, strips and panels of them, in two slices, with gaps behind
    // each row that stay as they are.
    std::mt19937 random(3);
    constexpr index_t gap = 5;
    for (index_t const columns :
         {15, 16, 17, 24, 31, 33, 63, 64, 65, 70, 79, 80, 81, 128, 129, 200, 255, 257, 271, 272, 481, 527}) {
        bool const is_wide = columns > 200;
        for (index_t const n : {1, 2, 7, 16, 33, 47, 48, 49, 101, 301}) {
            if (is_wide && n < 48) continue;
            auto const by_rows = rows<TestType>(2 * columns, n, random);
            auto const left = most_of(2 * columns, n, random);
            auto a = array<TestType>::uninitialized({2, n, columns});
            array<bool> where({2, n, columns}, true);
            for (index_t s = 0; s < 2; ++s) {
                for (index_t i = 0; i < n; ++i) {
                    for (index_t j = 0; j < columns; ++j) {
                        a(s, i, j) = by_rows(s * columns + j, i);
                        where(s, i, j) = left(s * columns + j, i);
                    }
                }
            }
            auto wide = array<float>::uninitialized(a.shape());
            std::copy(a.begin(), a.end(), wide.begin());
            for (form const f : {form::softmax, form::log_softmax, form::logsumexp}) {
                for (softax::options o :
                     {softax::options{}, softax::options{.scale = -0.7}, softax::options{.extra = 0.5}}) {
                    for (bool const is_masked : {false, true}) {
                        if (is_masked) o.where = view(where);
                        auto const expected = run<float>(f, wide, 1, o);
                        auto const what = [&] {
                            return std::string(name_of(f)) + " of " + std::to_string(columns) + " columns of " +
                                   std::to_string(n) + ", scale " + std::to_string(o.scale) +
                                   (is_masked ? ", masked" : "");
                        };
                        require_rounded(run<TestType>(f, a, 1, o), expected, what);
                        if (f == form::logsumexp) continue;
                        auto y = a;
                        run_into<TestType>(f, y, y, 1, o);
                        require_rounded(y, expected, what);
                        array<TestType> memory({2, n, columns + gap}, TestType(7.0f));
                        view<TestType> const part(memory.data(), a.shape(), memory.strides());
                        softax::options on_two = o;
                        on_two.on = softax::stream(softax::device::cpu, 2);
                        run_into<TestType>(f, part, view<TestType const>(a), 1, on_two);
                        require_rounded(array<TestType>(part), expected, what);
                        for (index_t i = 0; i < 2 * n * (columns + gap); ++i) {
                            if (i % (columns + gap) >= columns) REQUIRE(memory.data()[i] == TestType(7.0f));
                        }
                    }
                }
            }
        }
    }
    SUCCEED();
}

}  // namespace
