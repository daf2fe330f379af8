// Question: what does the call itself cost, where there is next to nothing to compute? Nanoseconds a call; below 100 are
// promised for ten elements into the caller's array.
#include "floor.hpp"

namespace {

using bench::shape_case;

/// A thousand calls a turn.
void add_call(std::string const& what, shape_case const& c, auto call) {
    bench::add(what + " " + c.name(), [c, call](benchmark::State& state) {
        auto const a = bench::normal<float>(c.shape);
        auto out = bench::touched<float>(c.shape);
        auto const [least] = bench::beside_floor<float>(state, a.size(), {1000}, [&] { call(out, a, c.over); });
        state.counters["ns_per_call"] = 1e9 * least;
    });
}

}  // namespace

int main(int argc, char** argv) {
    using softax::axes;
    softax::stream const s(softax::device::cpu, 1);
    for (shape_case const& c :
         {shape_case{{1}, 0}, {{10}, 0}, {{1, 100}, -1}, {{100, 1}, 0}, {{2, 5, 3}, 1}, {{1, 1000}, -1}}) {
        add_call("softmax_into", c,
                 [](auto& out, auto const& a, axes const& over) { softax::softmax_into(out, a, over); });
    }
    shape_case const ten = {{10}, 0};
    add_call("log_softmax_into", ten,
             [](auto& out, auto const& a, axes const& over) { softax::log_softmax_into(out, a, over); });
    add_call("logsumexp", ten,
             [](auto&, auto const& a, axes const& over) { benchmark::DoNotOptimize(softax::logsumexp(a, over)); });
    add_call("softmax", ten,
             [](auto&, auto const& a, axes const& over) { benchmark::DoNotOptimize(softax::softmax(a, over)); });
    add_call("softmax_into with a scale", ten,
             [](auto& out, auto const& a, axes const& over) { softax::softmax_into(out, a, over, {.scale = 0.125}); });
    add_call("softmax_into on a stream", ten,
             [s](auto& out, auto const& a, axes const& over) { softax::softmax_into(out, a, over, s); });
    return bench::run(argc, argv);
}
