// Question: what does a stream of one or two threads bring against the calling thread alone, and what does it cost where
// the work is small? The floors are those of one thread.
#include "floor.hpp"

namespace {

bench::shape_case const cases[] = {
    {{1, 1000}, -1},   {{8, 1000}, -1},    {{32, 1000}, -1},        {{64, 1000}, -1},   {{128, 1000}, -1},
    {{1000, 128}, 0},  {{10000, 10}, -1},  {{8, 12, 128, 128}, -1}, {{4096, 1024}, -1}, {{4096, 1024}, 0},
    {{65536, 10}, -1}, {{64, 128256}, -1}, {{16777216}, 0},
};

void add_threads(bench::index_t threads, bench::shape_case const& c) {
    bench::add(std::to_string(threads) + (threads == 1 ? " thread " : " threads ") + c.name(),
               [threads, c](benchmark::State& state) {
                   softax::stream const s(softax::device::cpu, threads);
                   auto const a = bench::normal<float>(c.shape);
                   auto out = bench::touched<float>(c.shape);
                   auto const [own, alone] = bench::beside_floor<float>(
                       state, a.size(), {}, [&] { softax::softmax_into(out, a, c.over, s); },
                       [&] { softax::softmax_into(out, a, c.over); });
                   state.counters["speedup"] = alone / own;
               });
}

}  // namespace

int main(int argc, char** argv) {
    for (bench::shape_case const& c : cases) {
        for (bench::index_t const threads : {1, 2}) add_threads(threads, c);
    }
    return bench::run(argc, argv);
}
