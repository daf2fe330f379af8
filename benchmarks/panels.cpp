// Question: how does the time of an element depend on the inner extent where the reduced axis is not the last one: a middle
// axis in cache and out of it, a first axis long and short?
#include "floor.hpp"

int main(int argc, char** argv) {
    using bench::add_softmax_of, bench::index_t;
    constexpr index_t reduced = 64, in_cache = (1 << 15) / reduced, in_memory = (1 << 23) / reduced;
    for (index_t const inner : {2, 3, 4, 7, 8, 16, 17, 32, 33, 64, 100, 128, 512}) {
        add_softmax_of({{in_cache / inner, reduced, inner}, 1});
    }
    for (index_t const inner : {2, 8, 16, 64, 512, 4096, 65536}) {
        add_softmax_of({{in_memory / inner, reduced, inner}, 1});
    }
    for (index_t const inner : {2, 8, 16, 64, 256, 1024, 4096}) add_softmax_of({{4096, inner}, 0});
    for (index_t const reduce : {3, 16, 47, 48, 256, 1000}) add_softmax_of({{reduce, 4096}, 0});
    return bench::run(argc, argv);
}
