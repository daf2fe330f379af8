// kernels: the kernels for the instruction set of the compiler flags and, where a processor may have a wider one, for that too.
//
// One source, no flags: the kernel files are included once for each target (targets.hpp). The first time packets are Eigen's;
// each further time they are those of x86.hpp under the same names. run_groups() takes the widest that the processor has.
// With SOFTAX_NO_REGIONS defined, Eigen's packets are all there is.
#pragma once

#include <algorithm>
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
    index_t mask_groups = 1, mask_columns = 1;  // of which a mask is moved together at least
};

/// Where the element with index (0, ..., 0) lies in each memory.
template <class In, class Out>
struct memories {
    In const* x;
    Out* y;
    bool const* where;
};

/// What threads share while they work on one row: its maxima by segment, its sums by chunk.
template <class T>
struct long_row {
    struct sums_of_chunk {
        double hi, lo, count;
    };

    T const* x;
    T* y;
    bool const* where;
    index_t n, segment;
    call said;
    std::vector<T> maxima;
    std::vector<sums_of_chunk> sums;
};

enum class row_step { maximum, sums, results };

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

/// A step for a segment of a row; see row_segment.
template <form Form, class T>
void apply_row_step(long_row<T>& shared, row_step step, index_t part) noexcept {
#ifdef SOFTAX_HAS_REGIONS
    instruction_set const chosen = chosen_instruction_set();
    if (chosen == instruction_set::avx512) return avx512::run_row_step<Form>(shared, step, part);
    if (chosen == instruction_set::avx2) return avx2::run_row_step<Form>(shared, step, part);
#endif
    run_row_step<Form>(shared, step, part);
}

/// The groups of a partition one after another, each on all threads of a team.
template <form Form, class T>
void apply_long_rows(memories<T, T> const& m, partition const& p, call const& c, team& on) {
    index_t const parts = on.threads(), per_part = (p.count + parts - 1) / parts;
    long_row<T> shared = {m.x, m.y, m.where, p.count, (per_part + chunk - 1) / chunk * chunk, c, {}, {}};
    shared.sums.resize(static_cast<std::size_t>((p.count + chunk - 1) / chunk));
    for_each_place(p.outer, [&](walked_axis const& at) {
        shared.x = m.x + at.x;
        shared.y = m.y + at.y;
        if (m.where != nullptr) shared.where = m.where + at.where;
        shared.maxima.assign(static_cast<std::size_t>(parts), -std::numeric_limits<T>::infinity());
        for (row_step const step : {row_step::maximum, row_step::sums, row_step::results}) {
            on.run(parts, [&](index_t part) { apply_row_step<Form>(shared, step, part); });
        }
    });
}

/// Whether rows are too few and too long for each to have a thread of its own.
template <form Form>
bool is_shared(partition const& p, call const& c, team const& on) noexcept {
    bool const is_row = p.reduce.size == 1 && p.inner.extent == 1 && p.reduce.at[0].x == 1;
    bool const is_run = Form == form::logsumexp || (is_row && p.reduce.at[0].y == 1);
    bool const is_fit = !c.is_masked || (is_row && p.reduce.at[0].where == 1);
    return is_row && is_run && is_fit && p.count >= index_t{1} << 16 && p.outer.count() < on.threads();
}

/// All groups, on the threads of a team if there is one and enough to do.
template <form Form, class In, class Out>
void apply_groups(memories<In, Out> const& m, partition const& p, call const& c, team* on) {
    // Below, waking a thread costs more than it brings.
    constexpr index_t enough = index_t{1} << 15;
    index_t const size = p.count * p.outer.count() * p.inner.extent;
    index_t const parts = on == nullptr ? 1 : std::min(4 * on->threads(), size / enough);
    if (parts <= 1 || on->threads() == 1) return apply_share<Form>(m, p, c, {});
    if constexpr (std::same_as<In, Out> && std::floating_point<In>) {
        if (is_shared<Form>(p, c, *on)) return apply_long_rows<Form>(m, p, c, *on);
    }
    on->run(parts, [&](index_t part) { apply_share<Form>(m, p, c, {part, parts}); });
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
