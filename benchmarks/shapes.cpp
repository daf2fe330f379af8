// Question: does any axis or shape fall off a cliff? Each row is softmax into the caller's array, and its share of two
// floors measured in the same process, in turns with it: memcpy of the array, and a bare pass of the exponential.
#include <benchmark/benchmark.h>
#include <softax/softax.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

using softax::array;
using softax::axes;
using softax::index_list;
using softax::index_t;

struct shape_case {
    char const* name;
    index_list shape;
    axes over;
};

std::vector<shape_case> const cases = {
    {"(64,1000) -1", {64, 1000}, -1},
    {"(1,32000) -1", {1, 32000}, -1},
    {"(256,128256) -1", {256, 128256}, -1},
    {"(8,12,128,128) -1", {8, 12, 128, 128}, -1},
    {"(8,12,512,512) -1", {8, 12, 512, 512}, -1},
    {"(1000,64) 0", {1000, 64}, 0},
    {"(4096,1024) 0", {4096, 1024}, 0},
    {"(8,128,56,56) 1", {8, 128, 56, 56}, 1},
    {"(32,21,64,64) 1", {32, 21, 64, 64}, 1},
    {"(16,65536) 0", {16, 65536}, 0},
    {"(100000,16) 0", {100000, 16}, 0},
    {"(65536,10) -1", {65536, 10}, -1},
    {"(65536,3) -1", {65536, 3}, -1},
    {"(16,64,64,64) 1,3", {16, 64, 64, 64}, {1, 3}},
    {"(16777216) 0", {16777216}, 0},
};

array<float> normal(index_list const& shape) {
    auto a = array<float>::uninitialized(shape);
    std::mt19937 generator(1);
    std::normal_distribution<float> draw;
    std::generate(a.begin(), a.end(), [&] { return draw(generator); });
    return a;
}

/// exp_scaled of every element, nothing else.
void bare_exp(float const* x, float* y, index_t n) {
    using packet = softax::detail::packet<float>;
    auto const at = softax::detail::pivot<float>::of(packet::set(4));
    for (index_t i = 0; i + packet::lanes <= n; i += packet::lanes) {
        softax::detail::reduced_exp<float>::of<way::plain>(packet::load(x + i), at, scale).value().store(y + i);
    }
}

template <class Work>
double seconds(Work work) {
    auto const start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void softmax_of_shape(benchmark::State& state, shape_case const& c) {
    array<float> const a = normal(c.shape);
    auto out = array<float>({a.size()}, 0.0f).reshaped(c.shape);
    auto copy = array<float>({a.size()}, 0.0f);
    // The least time of each, taken in turns: a slow moment of a shared machine then falls on all three alike.
    double best = 1e9, best_copy = 1e9, best_exp = 1e9;
    for (auto _ : state) {
        double const t = seconds([&] { softax::softmax_into(out, a, c.over); });
        state.SetIterationTime(t);
        best = std::min(best, t);
        best_copy = std::min(best_copy, seconds([&] {
                                 std::memcpy(copy.data(), a.data(), static_cast<std::size_t>(a.size()) * sizeof(float));
                                 benchmark::ClobberMemory();
                             }));
        best_exp = std::min(best_exp, seconds([&] {
                                bare_exp(a.data(), copy.data(), a.size());
                                benchmark::ClobberMemory();
                            }));
    }
    state.counters["ns_per_element"] = 1e9 * best / static_cast<double>(a.size());
    state.counters["x_memcpy"] = best / best_copy;
    state.counters["x_exp"] = best / best_exp;
}

}  // namespace

int main(int argc, char** argv) {
    for (shape_case const& c : cases) {
        benchmark::RegisterBenchmark(c.name, [&c](benchmark::State& state) {
            softmax_of_shape(state, c);
        })->UseManualTime();
    }
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
