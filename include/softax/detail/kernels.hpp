// kernels: the kernels for the instruction set of the compiler flags and, where these say nothing of vectors, for wider ones.
//
// One source, no flags: the kernel files are included once for each target (targets.hpp). The first time packets are Eigen's;
// each further time they are those of x86.hpp under the same names. run_groups() takes the widest that the processor has.
// With SOFTAX_NO_REGIONS defined, Eigen's packets are all there is.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <utility>

#include "../dtype.hpp"
#include "buffer.hpp"
#include "packet.hpp"
#include "partition.hpp"
#include "team.hpp"

// Flags that are wide already have been meant.
#if !defined(SOFTAX_NO_REGIONS) && !defined(EIGEN_DONT_VECTORIZE) && defined(__x86_64__) && !defined(__AVX2__) && \
    ((defined(__GNUC__) && __GNUC__ >= 12) || (defined(__clang__) && __clang_major__ >= 14))
#define SOFTAX_HAS_REGIONS 1
#endif

namespace softax::detail {

/// What a kernel makes of a group.
enum class form { softmax, log_softmax, logsumexp };

/// What a call says beside form, memory and axes; see options.
struct call {
    double scale = 1, extra = -std::numeric_limits<double>::infinity();
    bool is_masked = false, is_in_place = false, is_aligned = false;
};

/// Where the element with index (0, ..., 0) lies in each memory.
template <class In, class Out>
struct memories {
    In const* x;
    Out* y;
    bool const* where;
};

/// The part-th of some parts of the work.
struct share {
    index_t part = 0, parts = 1;
};

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

/// A share of the groups of a partition through their kernels; see application.
template <form Form, class In, class Out>
void apply_share(memories<In, Out> const& m, partition const& p, call const& c, share const& s) {
#ifdef SOFTAX_HAS_REGIONS
    switch (chosen_instruction_set()) {
        case instruction_set::avx512:
            return avx512::run_groups<Form>(m, p, c, s);
        case instruction_set::avx2:
            return avx2::run_groups<Form>(m, p, c, s);
        case instruction_set::flags:
            break;
    }
#endif
    run_groups<Form>(m, p, c, s);
}

/// All groups, on the threads of a team if there is one and enough to do.
template <form Form, class In, class Out>
void apply_groups(memories<In, Out> const& m, partition const& p, call const& c, team* on) {
    // Below, waking a thread costs more than it brings.
    constexpr index_t enough = index_t{1} << 15;
    index_t const size = p.count * p.outer.count() * p.inner.extent;
    index_t const parts = on == nullptr ? 1 : std::min(4 * on->threads(), size / enough);
    if (parts <= 1 || on->threads() == 1) return apply_share<Form>(m, p, c, {});
    on->run(parts, [&](index_t part) { apply_share<Form>(m, p, c, {part, parts}); });
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
