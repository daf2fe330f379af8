// Question: what do several axes at once cost, neighbours and apart, with the last one and without?
#include "floor.hpp"

namespace {

bench::shape_case const cases[] = {
    {{4, 8, 32, 32}, {2, 3}},   {{4, 8, 32, 32}, {1, 3}},    {{4, 8, 32, 32}, {1, 2}},       {{4, 8, 32, 32}, {0, 2}},
    {{4, 8, 32, 32}, {0, 3}},   {{4, 8, 32, 32}, {0, 1, 3}}, {{4, 8, 32, 32}, {0, 1, 2, 3}}, {{16, 64, 64, 64}, {2, 3}},
    {{16, 64, 64, 64}, {1, 3}}, {{16, 64, 64, 64}, {1, 2}},  {{16, 64, 64, 64}, {0, 2}},     {{16, 64, 64, 64}, {0, 3}},
    {{16, 64, 64, 64}, {0, 1}}, {{8, 128, 56, 56}, {1, 2}},  {{8, 128, 56, 56}, {1, 3}},     {{100, 3, 100, 3}, {1, 3}},
    {{100, 3, 100, 3}, {0, 2}},
};

}  // namespace

int main(int argc, char** argv) {
    for (bench::shape_case const& c : cases) bench::add_softmax_of(c);
    return bench::run(argc, argv);
}
