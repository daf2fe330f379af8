// Whether a call leaves the upper halves of vector registers in use: SSE instructions of whoever called then wait for them.
//
// The bug: GCC clears them neither before nor after a function that takes a packet by value, and a masked softmax_vjp of one row
// of 50 elements took 1.9 times its time (AVX2).
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif

namespace registers {

#if defined(__x86_64__) && defined(__GNUC__)
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
#if defined(__x86_64__) && defined(__GNUC__)
    if (!are_clear) asm volatile("vzeroupper");
#endif
    return are_clear;
}

}  // namespace registers
