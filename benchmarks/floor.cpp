// Question: what is the least that any softmax costs, from a first-level cache to memory? memcpy, and passes that only take
// the maximum, only scale, only take the exponential. The bytes of a row are those of its input.
#include "floor.hpp"

namespace {

using bench::floor_of;
using bench::index_t;
using bench::pass;

template <class Pass>
void floor_of_size(benchmark::State& state, index_t size, Pass const& run) {
    floor_of<float> floor(size), other(size);
    // A few microseconds at least, or the clock shows.
    index_t const repeated = std::max(index_t{1}, (index_t{1} << 16) / size);
    auto const [least, copy] = bench::in_turns(
        state, {repeated}, [&] { run(floor); }, [&] { other.copy(); });
    state.counters["ns_per_element"] = 1e9 * least / static_cast<double>(size);
    state.counters["x_memcpy"] = least / copy;
}

void add_pass(char const* name, auto run) {
    for (index_t const kib : {16, 256, 4096, 65536}) {
        bench::add(std::string(name) + " " + std::to_string(kib) + " KiB",
                   [kib, run](benchmark::State& state) { floor_of_size(state, kib * 256, run); });
    }
}

}  // namespace

int main(int argc, char** argv) {
    add_pass("memcpy", [](floor_of<float>& f) { f.copy(); });
    add_pass("maximum", [](floor_of<float>& f) { f.run<pass::max>(); });
    add_pass("scale", [](floor_of<float>& f) { f.run<pass::scale>(); });
    add_pass("exp", [](floor_of<float>& f) { f.run<pass::exp>(); });
    return bench::run(argc, argv);
}
