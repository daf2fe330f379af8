// Question: does any axis or shape fall off a cliff? Each row is softmax into the caller's array, and its share of two
// floors measured in the same process, in turns with it: memcpy of the array, and a bare pass of the exponential.
#include "floor.hpp"

namespace {

bench::shape_case const cases[] = {
    {{64, 1000}, -1},  {{1, 32000}, -1},  {{256, 128256}, -1},   {{8, 12, 128, 128}, -1},    {{8, 12, 512, 512}, -1},
    {{1000, 64}, 0},   {{4096, 1024}, 0}, {{8, 128, 56, 56}, 1}, {{32, 21, 64, 64}, 1},      {{16, 65536}, 0},
    {{100000, 16}, 0}, {{65536, 10}, -1}, {{65536, 3}, -1},      {{16, 64, 64, 64}, {1, 3}}, {{16777216}, 0},
};

}  // namespace

int main(int argc, char** argv) {
    for (bench::shape_case const& c : cases) bench::add_softmax_of(c);
    return bench::run(argc, argv);
}
