// gradient_plan: what the kernels of gradients are asked to do, and in which blocks of groups.
//
// Every derivative of the family is one shape of work: a sum for each group, of products of two arrays, and then a result for
// each element, of the two arrays and the sum of its group. All arrays are row-major.
#pragma once

#include <algorithm>
#include <concepts>

#include "../dtype.hpp"
#include "masked_axes.hpp"
#include "partition.hpp"

namespace softax::detail {

/// The sum s of a group and the results of its elements, from elements y and g.
enum class rule {
    softmax,          // s = sum(y g),      scale y (g - s)
    log_softmax_vjp,  // s = sum(g),        scale (g - exp(y) s)
    log_softmax_jvp,  // s = sum(exp(y) g), scale (g - s)
    dot,              // s = scale sum(y g)
    product           // s given,           y s
};

constexpr bool has_sum(rule r) noexcept { return r != rule::product; }
constexpr bool has_result(rule r) noexcept { return r != rule::dot; }

/// The memory of a call. out may be y or g.
template <class Y, class G, class Out>
struct gradient_call {
    using T = compute_type<Y>;

    Y const* y;
    G const* g;
    Out* out;
    T* sums = nullptr;  // one for each group, in row-major order: given, or wanted of a rule without results
    double scale = 1;
    bool const* where = nullptr;  // the mask
    index_t out_row = 0;  // between the results of a group side by side with others, if not as between its elements
};

/// Whether a share of a target is spread: over all classes, or over those that a mask leaves.
enum class smoothing { none, all, left };

/// What is spread of a target, in all and to each class (0 where a mask says to which); what each loss counts.
struct class_shares {
    double smoothing, spread, weight;
};

/// Cross entropy of row-major logits.
template <class L>
struct class_call {
    L const* x;
    L* gradient;  // or null; may be x
    index_t classes;
    partition groups;
    index_t const* target;  // of each group, in row-major order; negative where it is ignored
    double* loss;           // of each group
    double scale;
    class_shares shares;
    bool const* where = nullptr;  // the mask
};

/// Element i of a group belongs to chunk i / gradient_chunk and there to lane i % gradient_lanes.
template <class T>
inline constexpr index_t gradient_lanes = 128 / static_cast<index_t>(sizeof(T));
template <class T>
inline constexpr index_t gradient_chunk = 16 * gradient_lanes<T>;

/// The lanes of groups side by side take an L1 cache: with half of that float rows are too short for what asks for memory ahead, and
/// softmax_vjp of (8,128,56,56) over axis 1 takes 1.16 times as long, of (100,5000) over axis 0 1.3 times.
template <class T>
inline constexpr index_t gradient_lane_elements = 32768 / static_cast<index_t>(sizeof(T));
inline constexpr index_t gradient_most_columns = 512;

/// Columns of at most as many elements need no room for lanes.
template <class T>
inline constexpr index_t gradient_short = 2 * gradient_lanes<T>;

/// How far ahead memory is asked for of a mask, which makes one stream more than the caches follow by themselves, and of rows of
/// columns, which they do not follow at all: log_softmax_vjp of (4096,1024) over axis 0 takes .65 of the time (AVX-512); 0 if not.
constexpr index_t ahead_of(index_t size) noexcept { return size >= index_t{1} << 21 ? 1024 : 0; }

/// What is done of a run that threads share: what its mask says is moved, if it does not lie so; chunks are added up; results written.
enum class run_step { mask, sums, results };

/// Elements [first, end) of each group of a block: whole chunks.
template <class T>
struct run_segment {
    index_t block, first, end;
    run_step step;
    T* chunk_sums;  // of all chunks; of groups side by side so many side by side
    bool* answers;  // to where what the mask says of it is moved, or null
};

/// How many groups of n elements are worked on side by side.
template <class T>
constexpr index_t gradient_width(index_t n) noexcept {
    return n <= gradient_short<T> ? gradient_most_columns : gradient_lane_elements<T> / gradient_lanes<T>;
}

struct gradient_plan {
    partition masked, groups;  // with the mask, and without it if it keeps axes apart that are better one
    bool is_split = false;     // if they are not the same
    index_t size = 0;
    bool is_row = false;     // groups are runs of memory, one after another; else they lie side by side
    bool is_staged = false;  // brought to a scratch first
    bool is_turned = false;  // there the groups of the outer axis are neighbours, else those of the inner one
    index_t outer_block = 1, inner_block = 1;

    walked_axis last_outer() const noexcept {
        return groups.outer.size == 0 ? walked_axis{1, 0, 0, 0} : groups.outer.at[groups.outer.size - 1];
    }
    index_t block_groups() const noexcept { return outer_block * inner_block; }
    index_t outer_blocks() const noexcept { return (last_outer().extent + outer_block - 1) / outer_block; }
    index_t inner_blocks() const noexcept { return (groups.inner.extent + inner_block - 1) / inner_block; }

    index_t blocks() const noexcept {
        return groups.outer.count() / last_outer().extent * outer_blocks() * inner_blocks();
    }

    /// Whether kernels may read the mask where it lies: what it says of a packet in one run, and of the groups of a block too.
    bool is_mask_fit() const noexcept {
        if (groups.reduce.size != 1 || is_split) return false;
        if (is_row) return groups.reduce.at[0].where == 1 && groups.inner.extent == 1;
        // Rows of few columns are several in one packet, of an answer for each.
        bool const is_folded = groups.inner.extent < 16 && groups.reduce.at[0].where == 0;
        return groups.inner.where == 1 && outer_block == 1 && !is_folded;
    }

    /// Whether what that mask says, if there is one, is moved to where they do.
    bool moves_mask(bool const* where) const noexcept { return where != nullptr && !is_mask_fit(); }

    /// Whether groups are so few and long that threads share each run, or panel; a block is one of them then.
    template <class T>
    bool has_long_groups(index_t threads) const noexcept {
        constexpr index_t least = index_t{1} << 16;
        if (is_staged || groups.outer.count() >= threads) return false;
        if (is_row) return groups.count >= least && blocks() < threads;
        return groups.count * groups.inner.extent >= least &&
               blocks() <= std::min(groups.count / gradient_chunk<T>, threads);
    }

    /// The plan for a non-empty row-major shape; reduced holds ascending axes, where the strides of a mask or null.
    template <class T>
    static gradient_plan of(index_list const& shape, index_list const& reduced, index_list const* where,
                            bool is_apart) {
        constexpr index_t line = 64 / static_cast<index_t>(sizeof(T)), block = 4096;
        index_list const strides = row_major_strides(shape);
        gradient_plan p;
        p.groups = partition_of(shape, reduced, {strides, strides, where});
        if (where != nullptr) p.split<T>();
        p.size = size_of(shape);
        index_t const n = p.groups.count, inner = p.groups.inner.extent, last = p.last_outer().extent;
        index_t const fitting = std::max(block / n, line), width = gradient_width<T>(n);
        bool const is_one = p.groups.reduce.size <= 1;
        // A scratch row where even a cache line of columns is too many.
        p.is_row = p.groups.inner.x != 1 || (!is_one && fitting * n > (index_t{1} << 22));
        // Runs of a few elements are better transposed, in squares of packets; where that is not to be had, those of half a cache line
        // are better read where they lie: (100,1000,8) over axis 1 takes .42 ns an element rather than 1.15.
        index_t const most = std::min(width / inner, (index_t{1} << 15) / (n * inner)) / 16 * 16;
        bool const is_square = is_one && inner < line && last >= 16 && most >= 16;
        bool const is_wide = inner >= (is_square ? line : line / 2) || p.groups.outer.size == 0;
        // The tails of short rows of a half type cost more than to convert a block of them in one run; and a load of a tail
        // waits for a store of one beside it, as where rows are worked on in place.
        p.is_staged = !(is_one && (p.is_row ? is_apart || n >= 256 || n % 16 == 0 : is_wide));
        if (p.is_row) {
            p.outer_block = inner == 1 ? std::clamp(block / n, index_t{1}, last) : 1;
        } else {
            p.inner_block = std::min(inner, p.is_staged ? std::min(fitting, width) : width);
            p.outer_block = p.is_staged ? std::clamp(std::min(fitting, width) / p.inner_block, index_t{1}, last) : 1;
            p.is_turned = p.is_staged && is_square;
            if (p.is_turned) p.outer_block = std::min(last, most);
        }
        return p;
    }

private:
    /// Axes that a mask alone keeps apart are one if blocks would be small, or groups in pieces: of (4,200,3) over axis 0 under (4,1,3), two
    /// hundred of three, softmax_vjp takes .1 of the time (AVX-512).
    template <class T>
    void split() {
        bool const are_rows = groups.inner.extent == 1;
        index_t const large = are_rows ? (index_t{1} << 10) / groups.count : gradient_width<T>(groups.count);
        walked_axis const& side = are_rows ? last_outer() : groups.inner;
        walked_axis const& near = are_rows && groups.reduce.size == 1 ? groups.reduce.at[0] : side;
        if (groups.reduce.size <= 1 && near.where == 1 && side.extent >= large) return;
        is_split = groups.reduce.are_split_by_mask() || groups.kept().are_split_by_mask();
        if (!is_split) return;
        masked = groups;
        groups = masked_axes(masked).bare();
    }
};

}  // namespace softax::detail
