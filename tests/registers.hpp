// Whether a call leaves the upper halves of vector registers in use: SSE instructions of whoever called then wait for them.
//
// The bug: GCC clears them neither before nor after a function that takes a packet by value, and a masked softmax_vjp of one row
// of 50 elements took 1.9 times its time (AVX2).
#pragma once

#include <softax/index_list.hpp>

#include <vector>

// Not where the program is compiled for AVX as a whole: then no instruction is of SSE, and clearing is left to the compiler, which
// does not clear below -O2.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__AVX__)
#define REGISTERS_ARE_ASKED 1
#include <cpuid.h>
#else
#define REGISTERS_ARE_ASKED 0
#endif

namespace registers {

#if REGISTERS_ARE_ASKED
/// The processor's own word for it: XINUSE has bit 2 for those of 256 bits, bit 6 for those of 512.
__attribute__((noinline)) inline bool are_upper_halves_in_use() noexcept {
    unsigned low = 0, high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1u));
    return (low & (4u | 64u)) != 0;
}

/// Whether it has one: an instruction that uses them is seen to, and one that clears them.
inline bool are_known() noexcept {
    unsigned features = 0, b = 0, c = 0, d = 0;
    if (!__builtin_cpu_supports("avx") || !__get_cpuid_count(0xd, 1, &features, &b, &c, &d) || !(features & 4u))
        return false;
    asm volatile("vpcmpeqd %%xmm0, %%xmm0, %%xmm0\n\tvinsertf128 $1, %%xmm0, %%ymm0, %%ymm0" ::: "xmm0");
    bool const is_seen = are_upper_halves_in_use();
    asm volatile("vzeroupper");
    return is_seen && !are_upper_halves_in_use();
}
#else
inline bool are_upper_halves_in_use() noexcept { return false; }
inline bool are_known() noexcept { return false; }
#endif

/// Whether call() leaves them as it found them, not in use; true where nobody knows.
template <class Call>
bool stay_clear(Call call) {
    static bool const are_seen = are_known();
    call();
    bool const are_clear = !are_seen || !are_upper_halves_in_use();
#if REGISTERS_ARE_ASKED
    if (!are_clear) asm volatile("vzeroupper");
#endif
    return are_clear;
}

/// A shape for every kernel of rows and of columns: short groups, a row block, a lone row, panels.
inline std::vector<softax::index_list> const shapes = {{1, 1}, {1, 50}, {40, 7}, {3, 33}, {300, 5}, {70, 70}};

}  // namespace registers
