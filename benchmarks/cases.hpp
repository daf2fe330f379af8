// cases: a shape and its axes as a named row of a benchmark, what it is filled with, and how such rows are run.
#pragma once

#include <benchmark/benchmark.h>
#include <softax/softax.hpp>

#include <algorithm>
#include <random>
#include <string>

namespace bench {

using softax::array;
using softax::index_list;
using softax::index_t;
using softax::view;

struct shape_case {
    index_list shape, over;

    // By append, since GCC 12 sees an overlap in operator+ that is not there.
    std::string name() const { return std::string("(").append(joined(shape)).append(") ").append(joined(over)); }

private:
    static std::string joined(index_list const& list) {
        std::string text;
        for (index_t const i : list) text.append(text.empty() ? "" : ",").append(std::to_string(i));
        return text;
    }
};

template <class T>
char const* name_of_type() {
    if constexpr (std::same_as<T, softax::half>) return "half";
    if constexpr (std::same_as<T, softax::bfloat16>) return "bfloat16";
    if constexpr (std::same_as<T, float>) return "float";
    if constexpr (std::same_as<T, double>) return "double";
    if constexpr (std::same_as<T, bool>) return "bool";
    if constexpr (std::integral<T>) return sizeof(T) == 1 ? "int8" : sizeof(T) == 4 ? "int32" : "int64";
}

/// Standard normal elements; of integers those times 10. Drawn once and repeated after 65,521 elements, a prime, so that no
/// row resembles its neighbour and large arrays are there at once.
template <class T>
array<T> normal(index_list const& shape, unsigned seed = 1) {
    auto a = array<T>::uninitialized(shape);
    constexpr index_t drawn = 65521;
    std::mt19937 generator(seed);
    std::normal_distribution<float> draw;
    for (index_t i = 0; i < std::min(a.size(), drawn); ++i) {
        float const x = draw(generator);
        a.data()[i] = static_cast<T>(std::integral<T> && !std::same_as<T, bool> ? 10 * x : x);
    }
    for (index_t i = drawn; i < a.size(); ++i) a.data()[i] = a.data()[i - drawn];
    return a;
}

/// An array whose memory has been written, so that no call pays for its pages.
template <class T>
array<T> touched(index_list const& shape) {
    return array<T>(shape, T());
}

/// A row of the benchmark: f(state), which takes its own time (in_turns).
template <class F>
benchmark::internal::Benchmark* add(std::string const& name, F f) {
    return benchmark::RegisterBenchmark(name.c_str(), f)->UseManualTime();
}

/// What main() does when all rows are added.
inline int run(int argc, char** argv) {
    char const* const names[] = {"that of the flags", "avx2", "avx512"};
    benchmark::AddCustomContext("instruction set", names[static_cast<int>(softax::detail::chosen_instruction_set())]);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}

}  // namespace bench
