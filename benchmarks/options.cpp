// Question: what do a scale, a mask of every element, one that leaves nothing of some groups, a causal mask that is broadcast, one
// of steps, the same for all side by side, and an extra logit cost against the plain call?
#include "floor.hpp"

namespace {

using bench::array;
using bench::index_list;
using bench::index_t;
using bench::shape_case;
using softax::options;
using softax::view;

shape_case const cases[] = {
    {{2, 128, 128}, -1}, {{12, 512, 512}, -1}, {{1000, 32}, 0},     {{2048, 1024}, 0},     {{3000, 10}, -1},
    {{32, 1000}, -1},    {{1, 65536}, -1},     {{1000, 100, 8}, 1}, {{16, 64, 64, 64}, 1},
};

/// Three of four elements take part.
array<bool> full_mask(shape_case const& c) {
    auto mask = bench::touched<bool>(c.shape);
    auto const drawn = bench::normal<float>(c.shape, 2);
    for (index_t i = 0; i < mask.size(); ++i) mask.data()[i] = drawn.data()[i] > -0.67f;
    return mask;
}

/// The same, and none of a fourth of the groups.
array<bool> group_mask(shape_case const& c) {
    auto mask = full_mask(c);
    index_t const axis = c.over[0] < 0 ? c.over[0] + c.shape.size() : c.over[0], extent = c.shape[axis];
    index_t inner = 1;
    for (index_t k = axis + 1; k < c.shape.size(); ++k) inner *= c.shape[k];
    for (index_t i = 0; i < mask.size(); ++i) {
        index_t const group = i / (extent * inner) * inner + i % inner;
        if (group * 2654435761 % 1021 % 4 == 0) mask.data()[i] = false;
    }
    return mask;
}

/// A row sees the columns up to its own number; broadcast over the axes before the last two.
array<bool> causal_mask(shape_case const& c) {
    index_list const& shape = c.shape;
    index_t const rows = shape[shape.size() - 2], columns = shape[shape.size() - 1];
    auto mask = bench::touched<bool>({rows, columns});
    for (index_t i = 0; i < rows; ++i) {
        for (index_t j = 0; j < columns; ++j) mask.data()[i * columns + j] = j <= i;
    }
    return mask;
}

/// One answer for all that lies side by side along the last axis.
array<bool> step_mask(shape_case const& c) {
    shape_case steps = c;
    steps.shape[steps.shape.size() - 1] = 1;
    return full_mask(steps);
}

void add_options(std::string const& what, shape_case const& c, options const& o, auto mask_of) {
    bench::add(what + " " + c.name(), [=](benchmark::State& state) {
        auto const a = bench::normal<float>(c.shape);
        auto out = bench::touched<float>(c.shape);
        array<bool> const mask = mask_of(c);
        options said = o;
        if (!mask.empty()) said.where = view<bool const>(mask);
        auto const [own, plain] = bench::beside_floor<float>(
            state, a.size(), {}, [&] { softax::softmax_into(out, a, c.over, said); },
            [&] { softax::softmax_into(out, a, c.over); });
        state.counters["x_plain"] = own / plain;
    });
}

array<bool> no_mask(shape_case const&) { return bench::touched<bool>({0}); }

}  // namespace

int main(int argc, char** argv) {
    for (shape_case const& c : cases) {
        add_options("scale", c, {.scale = 0.3}, no_mask);
        add_options("power of two", c, {.scale = 0.125}, no_mask);
        add_options("extra", c, {.extra = 0}, no_mask);
        add_options("full mask", c, {}, full_mask);
        add_options("mask of groups", c, {}, group_mask);
        add_options("causal mask", c, {}, causal_mask);
        add_options("mask of steps", c, {}, step_mask);
        add_options("all", c, {.scale = 0.3, .extra = 0}, causal_mask);
    }
    return bench::run(argc, argv);
}
