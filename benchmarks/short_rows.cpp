// Question: what does an element cost in rows of a few elements (classes), up to where rows are no longer short, and across
// them?
#include "floor.hpp"

int main(int argc, char** argv) {
    using bench::add_softmax_of, bench::index_t;
    constexpr index_t in_cache = 1 << 15, in_memory = 1 << 23;
    for (index_t const n : {1, 2, 3, 4, 5, 7, 8, 10, 12, 16, 17, 24, 32, 33, 40, 47, 48}) {
        add_softmax_of({{in_cache / n, n}, -1});
    }
    for (index_t const n : {2, 3, 10, 21, 40}) add_softmax_of({{in_memory / n, n}, -1});
    for (index_t const n : {2, 3, 10, 21, 40}) add_softmax_of({{n, in_cache / n}, 0});
    return bench::run(argc, argv);
}
