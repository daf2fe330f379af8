// floor: what no softmax can beat, timed beside it in the same run. The passes are on the instruction set that softax has
// chosen; for what they do see floor_passes.hpp.
#pragma once

#include <softax/softax.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>

#include "cases.hpp"

namespace bench {

enum class pass { max, scale, exp };

}  // namespace bench

#define SOFTAX_TARGET_FILE "floor_passes.hpp"
#include <softax/detail/targets.hpp>
#undef SOFTAX_TARGET_FILE

namespace bench {

template <pass Pass, class T>
void run_pass(T const* x, T* y, index_t n) {
#ifdef SOFTAX_HAS_REGIONS
    switch (softax::detail::chosen_instruction_set()) {
        case softax::detail::instruction_set::avx512:
            return softax::detail::avx512::run_pass<Pass>(x, y, n);
        case softax::detail::instruction_set::avx2:
            return softax::detail::avx2::run_pass<Pass>(x, y, n);
        case softax::detail::instruction_set::flags:
            break;
    }
#endif
    softax::detail::run_pass<Pass>(x, y, n);
}

/// How often a call is repeated in its turn: often, where one is too short for a clock.
struct calls {
    index_t count = 1;
};

template <class Work>
double seconds(calls repeated, Work const& work) {
    auto const start = std::chrono::steady_clock::now();
    for (index_t i = 0; i < repeated.count; ++i) {
        work();
        benchmark::ClobberMemory();
    }
    std::chrono::duration<double> const all = std::chrono::steady_clock::now() - start;
    return all.count() / static_cast<double>(repeated.count);
}

/// The least time in seconds of a call of each work. They take turns: a slow moment of a shared machine then falls on all
/// alike. The time that the benchmark shows is that of a turn of the first.
template <class... Work>
std::array<double, sizeof...(Work)> in_turns(benchmark::State& state, calls repeated, Work const&... work) {
    std::array<double, sizeof...(Work)> least;
    least.fill(std::numeric_limits<double>::infinity());
    (seconds({}, work), ...);  // caches, pages and threads are there before the first turn
    for (auto _ : state) {
        std::array const now = {seconds(repeated, work)...};
        state.SetIterationTime(now[0] * static_cast<double>(repeated.count));
        for (std::size_t i = 0; i < now.size(); ++i) least[i] = std::min(least[i], now[i]);
    }
    return least;
}

/// Two arrays of one size, with room for a pass to end on four whole packets, and what is done from one to the other.
template <class T>
class floor_of {
public:
    explicit floor_of(index_t size) : size_(size), from_(normal<T>({size + 64})), to_(touched<T>({size + 64})) {}

    void copy() { std::memcpy(to_.data(), from_.data(), static_cast<std::size_t>(size_) * sizeof(T)); }

    template <pass Pass>
    void run() {
        run_pass<Pass>(from_.data(), to_.data(), size_);
    }

private:
    index_t size_;
    array<T> from_, to_;
};

/// Times call, one of softax on size elements with results of type T, in turns with memcpy and a bare exp of as many, and
/// with others if there are any. Counts nanoseconds an element and the multiples of the two floors; returns the least
/// times of call and the others.
template <class T, class Call, class... Other>
std::array<double, 1 + sizeof...(Other)> beside_floor(benchmark::State& state, index_t size, calls repeated,
                                                      Call const& call, Other const&... other) {
    floor_of<T> floor(size);
    auto const least = in_turns(
        state, repeated, call, other..., [&] { floor.copy(); }, [&] { floor.template run<pass::exp>(); });
    state.counters["ns_per_element"] = 1e9 * least[0] / static_cast<double>(size);
    state.counters["x_memcpy"] = least[0] / least[least.size() - 2];
    state.counters["x_exp"] = least[0] / least[least.size() - 1];
    std::array<double, 1 + sizeof...(Other)> times;
    std::copy_n(least.begin(), times.size(), times.begin());
    return times;
}

/// softmax of row-major floats into the caller's array, beside the floor.
inline void add_softmax_of(shape_case const& c) {
    add(c.name(), [c](benchmark::State& state) {
        auto const a = normal<float>(c.shape);
        auto out = touched<float>(c.shape);
        beside_floor<float>(state, a.size(), {}, [&] { softax::softmax_into(out, a, c.over); });
    });
}

}  // namespace bench
