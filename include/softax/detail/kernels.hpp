// kernels: the kernels for the instruction set of the compiler flags and, where these say nothing of vectors, for wider ones.
//
// One source, no flags: the kernel files are included once for each target (targets.hpp). The first time packets are Eigen's;
// each further time they are those of x86.hpp under the same names. run_groups() takes the widest that the processor has.
// With SOFTAX_NO_REGIONS defined, Eigen's packets are all there is.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>

#include "../dtype.hpp"
#include "buffer.hpp"
#include "packet.hpp"
#include "partition.hpp"
#include "traverse.hpp"

// Flags that are wide already have been meant.
#if !defined(SOFTAX_NO_REGIONS) && !defined(EIGEN_DONT_VECTORIZE) && defined(__x86_64__) && !defined(__AVX2__) && \
    ((defined(__GNUC__) && __GNUC__ >= 12) || (defined(__clang__) && __clang_major__ >= 14))
#define SOFTAX_HAS_REGIONS 1
#endif

namespace softax::detail {

/// What a kernel makes of a group.
enum class form { softmax, log_softmax, logsumexp };

}  // namespace softax::detail

#ifdef SOFTAX_HAS_REGIONS
#include <immintrin.h>
#endif
#define SOFTAX_TARGET_FILE "kernel_files.hpp"
#include "targets.hpp"
#undef SOFTAX_TARGET_FILE

namespace softax::detail {

/// The instruction sets that kernels are compiled for.
enum class instruction_set { flags, avx2, avx512 };

/// The widest that the processor has.
inline instruction_set widest_instruction_set() noexcept {
#ifdef SOFTAX_HAS_REGIONS
    __builtin_cpu_init();
    bool const has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");  // and F16C, which is older
    bool const has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    return has_avx512 ? instruction_set::avx512 : has_avx2 ? instruction_set::avx2 : instruction_set::flags;
#else
    return instruction_set::flags;
#endif
}

/// The one in use. A test may set a narrower one.
inline instruction_set& chosen_instruction_set() noexcept {
    static instruction_set chosen = widest_instruction_set();
    return chosen;
}

inline namespace SOFTAX_ISA {

/// Every group of the partition of row-major x through its kernel; see application.
template <form Form, class In, class Out>
void apply_groups(In const* x, Out* y, partition const& p) {
#ifdef SOFTAX_HAS_REGIONS
    switch (chosen_instruction_set()) {
        case instruction_set::avx512:
            return avx512::run_groups<Form>(x, y, p);
        case instruction_set::avx2:
            return avx2::run_groups<Form>(x, y, p);
        case instruction_set::flags:
            break;
    }
#endif
    run_groups<Form>(x, y, p);
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
