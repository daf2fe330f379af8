// Question: what does each element type cost against float, in rows, in panels and in short rows? The floors are those of
// the type of the result, so that of integers is that of float.
#include "floor.hpp"

namespace {

bench::shape_case const cases[] = {
    {{32, 1000}, -1}, {{1000, 32}, 0}, {{3000, 10}, -1}, {{4096, 1024}, -1}, {{4096, 1024}, 0},
};

template <class T>
void add_type() {
    for (bench::shape_case const& c : cases) {
        bench::add(bench::name_of_type<T>() + std::string(" ") + c.name(), [c](benchmark::State& state) {
            auto const a = bench::normal<T>(c.shape);
            auto const as_float = bench::normal<float>(c.shape);
            auto out = bench::touched<softax::result_type<T>>(c.shape);
            auto float_out = bench::touched<float>(c.shape);
            auto const [own, floats] = bench::beside_floor<softax::result_type<T>>(
                state, a.size(), {}, [&] { softax::softmax_into(out, a, c.over); },
                [&] { softax::softmax_into(float_out, as_float, c.over); });
            state.counters["x_float"] = own / floats;
        });
    }
}

template <class... T>
void add_types() {
    (add_type<T>(), ...);
}

}  // namespace

int main(int argc, char** argv) {
    add_types<float, double, softax::half, softax::bfloat16, bool, std::int8_t, std::int32_t, std::int64_t>();
    return bench::run(argc, argv);
}
