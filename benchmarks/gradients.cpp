// How fast are the derivatives, over shapes and axes? Every row tells nanoseconds per element and its multiple of a floor
// measured in the same process, in turns with it: memcpy of the bytes that the function must read and write.
#include "floor.hpp"

#include <softax/cross_entropy.hpp>

#include <functional>
#include <vector>

namespace {

using bench::normal;
using bench::shape_case;
using softax::array;
using softax::index_t;

shape_case const cases[] = {
    {{64, 1000}, -1},      {{16, 128256}, -1},    {{8, 12, 128, 128}, -1}, {{1000, 64}, 0},   {{4096, 1024}, 0},
    {{8, 128, 56, 56}, 1}, {{32, 21, 64, 64}, 1}, {{16, 65536}, 0},        {{65536, 40}, -1}, {{65536, 3}, -1},
};

/// What a function needs of one shape.
struct operands {
    index_t axis;
    array<float> a, y, log_y, g, reduced, out;
    array<int> targets;

    explicit operands(shape_case const& c)
        : axis(c.over[0]),
          a(normal<float>(c.shape, 1)),
          y(softax::softmax(a, axis)),
          log_y(softax::log_softmax(a, axis)),
          g(normal<float>(c.shape, 2)),
          reduced(softax::logsumexp(a, axis)),
          out(bench::touched<float>(c.shape)),
          targets(bench::touched<int>(reduced.shape())) {
        index_t const classes = c.shape[softax::canonical_axis(axis, c.shape.size())];
        std::mt19937 generator(3);
        for (int& t : targets) t = static_cast<int>(generator() % static_cast<unsigned>(classes));
    }
};

struct function_case {
    char const* name;
    index_t arrays;  // read and written, of the size of the input
    std::function<void(operands&)> run;
};

std::vector<function_case> const functions = {
    {"softmax_vjp", 3, [](operands& o) { softax::softmax_vjp_into(o.out, o.y, o.g, o.axis); }},
    {"log_softmax_vjp", 3, [](operands& o) { softax::log_softmax_vjp_into(o.out, o.log_y, o.g, o.axis); }},
    {"log_softmax_jvp", 3, [](operands& o) { softax::log_softmax_jvp_into(o.out, o.log_y, o.g, o.axis); }},
    {"logsumexp_vjp", 2, [](operands& o) { softax::logsumexp_vjp_into(o.out, o.a, o.reduced, o.axis); }},
    {"logsumexp_jvp", 2, [](operands& o) { softax::logsumexp_jvp_into(o.reduced, o.a, o.g, o.axis); }},
    {"cross_entropy", 1, [](operands& o) { softax::cross_entropy(o.a, o.targets, o.axis); }},
    {"cross_entropy_with_gradient", 2,
     [](operands& o) { softax::cross_entropy_with_gradient_into(o.out, o.a, o.targets, o.axis); }},
};

void function_of_shape(benchmark::State& state, function_case const& f, shape_case const& c) {
    operands o(c);
    bench::floor_of<float> floor(o.a.size());
    auto const [best, copy] = bench::in_turns(
        state, {}, [&] { f.run(o); }, [&] { floor.copy(); });
    // memcpy reads one array and writes one.
    double const least = copy * static_cast<double>(f.arrays) / 2;
    state.counters["ns_per_element"] = 1e9 * best / static_cast<double>(o.a.size());
    state.counters["x_memcpy"] = best / least;
}

}  // namespace

int main(int argc, char** argv) {
    for (function_case const& f : functions) {
        for (shape_case const& c : cases) {
            bench::add(std::string(f.name) + " " + c.name(),
                       [&](benchmark::State& state) { function_of_shape(state, f, c); });
        }
    }
    return bench::run(argc, argv);
}
