// Question: what does input that does not lie row by row cost against a row-major copy that is there already?
#include "floor.hpp"

namespace {

using bench::array;
using bench::index_list;
using bench::view;

void add_view(std::string const& what, index_list const& memory, index_list const& over, auto seen) {
    bench::add(what, [memory, over, seen](benchmark::State& state) {
        auto const a = bench::normal<float>(memory);
        view<float const> const v = seen(view<float const>(a));
        array<float> const copy(v);
        auto out = bench::touched<float>(v.shape());
        auto const [own, row_major] = bench::beside_floor<float>(
            state, v.size(), {}, [&] { softax::softmax_into(out, v, over); },
            [&] { softax::softmax_into(out, copy, over); });
        state.counters["x_row_major"] = own / row_major;
    });
}

using floats = view<float const>;

floats transposed(floats const& v) { return v.transpose(); }
floats every_second(floats const& v) { return v.slice(-1, {.step = 2}); }
floats reversed(floats const& v) { return v.slice(-1, {.step = -1}); }
floats part(floats const& v) { return v.slice(-1, {.start = 3, .stop = -5}); }
floats broadcast(floats const& v) { return v.broadcast_to({v.shape()[0], 1000}); }
floats heads_first(floats const& v) { return v.permute({0, 2, 1, 3}); }

}  // namespace

int main(int argc, char** argv) {
    add_view("transposed (1000,32) -1", {32, 1000}, 0, transposed);
    for (bench::index_t const axis : {-1, 0}) {
        auto const over = std::string(" ") + std::to_string(axis);
        add_view("transposed (180,180)" + over, {180, 180}, axis, transposed);
        add_view("transposed (2048,2048)" + over, {2048, 2048}, axis, transposed);
        add_view("every second of (64,1000)" + over, {64, 1000}, axis, every_second);
        add_view("every second of (4096,2048)" + over, {4096, 2048}, axis, every_second);
        add_view("reversed (32,1000)" + over, {32, 1000}, axis, reversed);
        add_view("rows with gaps (32,1000)" + over, {32, 1008}, axis, part);
        add_view("broadcast (32,1) to (32,1000)" + over, {32, 1}, axis, broadcast);
        add_view("heads first (4,8,64,16)" + over, {4, 64, 8, 16}, axis, heads_first);
    }
    add_view("every second of (6000,10) -1", {6000, 10}, -1, every_second);
    add_view("transposed (10,3000) -1", {3000, 10}, 0, transposed);
    return bench::run(argc, argv);
}
