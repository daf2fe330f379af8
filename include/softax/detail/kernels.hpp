// kernels: the kernels for the instruction set of the compiler flags and, where a processor may have a wider one, for that too.
//
// One source, no flags: the kernel files are included once for each target (targets.hpp). The first time packets are Eigen's;
// each further time they are those of x86.hpp under the same names. run_groups() takes the widest that the processor has.
// With SOFTAX_NO_REGIONS defined, Eigen's packets are all there is.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "../dtype.hpp"
#include "answers.hpp"
#include "buffer.hpp"
#include "masked_axes.hpp"
#include "packet_bits.hpp"
#include "partition.hpp"
#include "past_caches.hpp"
#include "team.hpp"

#if !defined(SOFTAX_NO_REGIONS) && !defined(EIGEN_DONT_VECTORIZE) && defined(__x86_64__) && \
    ((defined(__GNUC__) && __GNUC__ >= 12) || (defined(__clang__) && __clang_major__ >= 14))
#define SOFTAX_KNOWS_PROCESSOR 1
#endif

// With -march=x86-64-v3 too, where rows take 0.6 of the time in the region for AVX-512; beyond, the flags are as wide.
#if defined(SOFTAX_KNOWS_PROCESSOR) && !defined(__AVX512F__)
#define SOFTAX_HAS_REGIONS 1
#endif

namespace softax::detail {

/// What a kernel makes of a group.
enum class form { softmax, log_softmax, logsumexp };

/// What a call says beside form, memory and axes; see options. Filled are groups that a mask leaves out, once kernels have taken all.
struct call {
    double scale = 1, extra = -std::numeric_limits<double>::infinity();
    bool is_masked = false, is_mask_moved = false, is_filled = false, is_in_place = false, is_aligned = false;
    bool is_alike = false;                      // the output begins where the input does in its page, or a line after
    index_t mask_groups = 1, mask_columns = 1;  // of which a mask is moved together at least
    index_t mask_packed = 0;                    // of which it is packed
    void const* results = nullptr;              // of logsumexp, where they lie in one run;
    void* states = nullptr;                     // and to where the normalizer_state of each goes as well, if it does
};

/// hi + lo, hi being the sum rounded.
struct twofold {
    double hi = 0, lo = 0;
};

/// What a sum of T is kept in. No compiler flag changes it, so it may travel between units and machines of one byte order.
template <class T>
using sum_type = std::conditional_t<std::same_as<T, float>, double, twofold>;

/// What is known of the exponentials of a group: the maximum, how many elements are that, and the sum of exp(x - max) of the others,
/// times 2^bias. A group without elements has count 0 and the maximum -inf; one that holds NaN or +inf has the maximum NaN and count 1.
template <class T>
struct normalizer_state {
    sum_type<T> max = {-std::numeric_limits<double>::infinity()}, others = {};
    double count = 0;
};

/// Where the element with index (0, ..., 0) lies in each memory.
template <class In, class Out>
struct memories {
    In const* x;
    Out* y;
    bool const* where;
};

/// The sum of the exponentials of a chunk, and how many of its elements are the maximum.
struct sums_of_chunk {
    double hi, lo, count;
};

/// What threads share while they work on one row: its maxima by segment, its sums by chunk; what its mask says, if that is moved as a
/// whole.
template <class T>
struct long_row {
    T const* x;
    T* y;
    bool const* where;
    walked_axes axes;  // of the row, apart where they are in its mask
    index_t n, segment;
    call said;
    std::vector<T> maxima;
    std::vector<sums_of_chunk> sums;
    buffer<bool> answers;
};

/// The same of a panel, all for each of its columns.
template <class E>
struct long_panel {
    E const* x;
    E* y;
    bool const* where;  // where it is read; where it lies,
    bool const* masked_at;
    walked_axes masked;          // and the axes of a column, apart there
    walked_axis element, group;  // along a column, and across
    index_t columns, segment;
    call said;
    bool is_large;
    std::vector<compute_type<E>> maxima;
    std::vector<sums_of_chunk> sums;
    buffer<compute_type<E>> scratch;
    buffer<bool> answers;
};

/// Columns of a panel: wide enough that a page is not left after one packet, narrow enough that the sums take half of an L1 cache.
template <class T>
inline constexpr index_t panel_width = 1024 / static_cast<index_t>(sizeof(T));

/// Columns of a block of an extent: those given, or so many less at a time, until the last block has a cache line of them too.
constexpr index_t filled_block(index_t extent, index_t block, index_t less, index_t line) noexcept {
    while (block > less && extent % block > 0 && extent % block < line) block -= less;
    return block;
}

enum class shared_step { mask, maximum, sums, results };

/// Elements of a row of which what a mask says is moved at once, in a first-level cache; whole chunks.
inline constexpr index_t mask_piece = index_t{1} << 14;

/// Whether what it says of a row lies in runs of many chunks.
inline bool lies_in_runs(walked_axes const& row) noexcept {
    walked_axis const& last = row.at[row.size - 1];
    return last.where == 1 && last.extent >= 1024;
}

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

/// The widest that the processor has. The same in every unit, whatever its flags: the linker keeps one of them.
inline instruction_set widest_instruction_set() noexcept {
#ifdef SOFTAX_KNOWS_PROCESSOR
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
    instruction_set const chosen = chosen_instruction_set();
    if (chosen == instruction_set::avx512) return avx512::run_groups<Form>(m, p, c, s);
    if (chosen == instruction_set::avx2) return avx2::run_groups<Form>(m, p, c, s);
#endif
    run_groups<Form>(m, p, c, s);
}

/// A step for a segment of what threads share; see shared_segment.
template <form Form, class Shared>
void apply_shared_step(Shared& shared, shared_step step, index_t part) noexcept {
#ifdef SOFTAX_HAS_REGIONS
    instruction_set const chosen = chosen_instruction_set();
    if (chosen == instruction_set::avx512) return avx512::run_shared_step<Form>(shared, step, part);
    if (chosen == instruction_set::avx2) return avx2::run_shared_step<Form>(shared, step, part);
#endif
    run_shared_step<Form>(shared, step, part);
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
