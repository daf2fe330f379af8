// Question: how does the time of an element depend on the length of its row, in cache, out of it, and in one row alone?
#include "floor.hpp"

int main(int argc, char** argv) {
    using bench::add_softmax_of, bench::index_t;
    constexpr index_t in_cache = 1 << 15, in_memory = 1 << 24;
    for (index_t const n : {48, 64, 65, 100, 128, 200, 256, 512, 768, 1000, 1024, 2048, 4096, 4097, 16384}) {
        add_softmax_of({{in_cache / n, n}, -1});
    }
    for (index_t const n : {64, 512, 1024, 4096, 16384, 65536, 128256, 256000}) {
        add_softmax_of({{in_memory / n, n}, -1});
    }
    for (index_t const n : {32000, 128256, 1000003, 16777216}) add_softmax_of({{1, n}, -1});
    return bench::run(argc, argv);
}
