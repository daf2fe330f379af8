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

/// What threads share while they work on one row: its maxima by segment, its sums by chunk; what its mask says, if that is moved as a
/// whole.
template <class T>
struct long_row {
    struct sums_of_chunk {
        double hi, lo, count;
    };

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

enum class row_step { mask, maximum, sums, results };

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

/// Whether what a mask says of a row is moved as a whole: neighbours in the mask are so far apart that no piece holds enough of them.
inline bool moves_whole_mask(walked_axes const& row) noexcept {
    constexpr index_t enough = 64;
    index_t inside = 1;
    for (index_t k = row.size - 1; k > 0; --k) {
        inside *= row.at[k].extent;
        walked_axis const& a = row.at[k - 1];
        if (a.where == 1 && inside * std::min(a.extent, enough) > mask_piece) return true;
    }
    return false;
}

/// The groups of a partition one after another, each on all threads of a team, or on the calling one.
template <form Form, class T>
void apply_long_rows(memories<T, T> const& m, partition const& p, call const& c, team* on) {
    index_t const parts = on == nullptr ? 1 : on->threads(), per_part = (p.count + parts - 1) / parts;
    index_t const segment = (per_part + chunk - 1) / chunk * chunk;
    bool const is_moved = c.is_masked && moves_whole_mask(p.reduce);
    long_row<T> shared = {m.x, m.y, m.where, {}, p.count, segment, c, {}, {}, buffer<bool>(is_moved ? p.count : 0)};
    shared.sums.resize(static_cast<std::size_t>((p.count + chunk - 1) / chunk));
    auto const run = [&](row_step step) {
        auto const work = [&](index_t part) { apply_row_step<Form>(shared, step, part); };
        on == nullptr ? work(0) : on->run(parts, work);
    };
    for_each_place(p.outer, [&](walked_axis const& at) {
        shared.x = m.x + at.x;
        shared.y = m.y + at.y;
        shared.axes = p.reduce;
        if (m.where != nullptr) shared.where = m.where + at.where;
        if (is_moved) {
            run(row_step::mask);
            shared.where = shared.answers.data();
            shared.axes = {};
            shared.axes.push_back({p.count, 1, 1, 1});
        }
        shared.maxima.assign(static_cast<std::size_t>(parts), -std::numeric_limits<T>::infinity());
        for (row_step const step : {row_step::maximum, row_step::sums, row_step::results}) run(step);
    });
}

/// Whether rows are too few and too long for each to have a thread of its own. One whose mask lies in runs goes this way on one
/// thread too, since it need not be moved.
template <form Form>
bool are_long_rows(partition const& p, call const& c, index_t threads) noexcept {
    constexpr index_t least = index_t{1} << 16;
    if (p.count < least || p.inner.extent > 1) return false;
    bool const stays = c.is_masked && p.reduce.size > 1 && lies_in_runs(p.reduce);
    if (p.outer.count() >= std::max(threads, index_t{stays ? 2 : 1})) return false;
    walked_axes const row = p.reduce.bare();
    return row.size == 1 && row.at[0].x == 1 && (Form == form::logsumexp || row.at[0].y == 1);
}

/// All groups, on the threads of a team if there is one and enough to do.
template <form Form, class In, class Out>
void apply_groups(memories<In, Out> const& m, partition const& p, call const& c, team* on) {
    if constexpr (std::same_as<In, Out> && std::floating_point<In>) {
        if (are_long_rows<Form>(p, c, on == nullptr ? 1 : on->threads())) return apply_long_rows<Form>(m, p, c, on);
    }
    // Below, waking a thread costs more than it brings.
    constexpr index_t enough = index_t{1} << 15;
    index_t const size = p.count * p.outer.count() * p.inner.extent;
    index_t most = on == nullptr ? 1 : 4 * on->threads();
    for (index_t k = 0; k < p.outer.size && c.is_masked; ++k) {
        // Groups that share cache lines of a mask are not parted: (30,2,65536) over {1,2} takes .7 of the time then.
        index_t const lines = p.outer.at[k].extent / 64;
        if (p.outer.at[k].where == 1) most = std::clamp(lines, most / 4, most);
    }
    index_t const parts = std::min(most, size / enough);
    if (parts <= 1 || on->threads() == 1) return apply_share<Form>(m, p, c, {});
    on->run(parts, [&](index_t part) { apply_share<Form>(m, p, c, {part, parts}); });
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
