// apply: brings every group of a partition to a kernel, where it lies if it lies right, else through a scratch.
//
// Kernels take float and double, groups in one run (row) or side by side (panel). Elements of other types, groups in several
// pieces, and rows too short to fill packets are gathered into a scratch, worked on in place there, and scattered.
#pragma once

#include <concepts>

#include "../dtype.hpp"
#include "buffer.hpp"
#include "panel.hpp"
#include "partition.hpp"
#include "traverse.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// Groups of fewer elements go side by side into a panel rather than one by one through the row kernel.
inline constexpr index_t short_row = 48;

/// Bytes of scratch for a panel, about half of an L2 cache.
inline constexpr index_t scratch_bytes = index_t{1} << 18;

/// How the groups of a partition reach the kernels.
struct plan {
    bool is_panel;
    bool is_staged;
    index_t outer_block;  // groups taken at once along the last outer axis,
    index_t inner_block;  // and along the inner run; their product is the number of columns of a panel
};

template <class T>
constexpr plan plan_of(partition const& p, bool is_direct) noexcept {
    constexpr index_t width = panel_workspace<T>::width, packets = 2 * packet<T>::lanes;
    bool const is_one_run = p.reduce.size() <= 1;
    bool const is_short = p.count < short_row;
    if (is_direct && is_one_run && p.inner == 1 && !is_short) return {false, false, 1, 1};
    if (is_direct && is_one_run && p.inner >= packets) return {true, false, 1, std::min(p.inner, width)};
    // A scratch panel of as many columns as fit, or a scratch row where even two packets of columns are too many.
    index_t const fitting = std::max(scratch_bytes / static_cast<index_t>(sizeof(T)) / p.count, packets);
    index_t const columns = std::min(width, fitting);
    index_t const inner_block = std::min(p.inner, columns);
    index_t const last = p.outer.empty() ? 1 : p.outer.back();
    index_t const outer_block = std::min(last, columns / inner_block);
    bool const fills_packets = outer_block * inner_block >= packets && p.count < (index_t{1} << 20);
    if (is_short || (fills_packets && p.inner > 1)) return {true, true, outer_block, inner_block};
    return {false, true, 1, 1};
}

/// Elements of one block of groups, gathered as (reduce..., outer, inner) from memory, scratch being row-major.
struct block {
    index_list shape, strides;

    static constexpr block of(partition const& p, index_t outer_stride, index_t outer_count, index_t inner_count) {
        block b = {p.reduce, p.reduce_strides};
        b.shape.push_back(outer_count);
        b.strides.push_back(outer_stride);
        b.shape.push_back(inner_count);
        b.strides.push_back(1);
        return b;
    }
};

/// Integers of more bits than a float holds are subtracted from their maximum before they are rounded.
template <class In>
inline constexpr bool is_wide_integer = std::integral<In> && sizeof(In) > 2;

/// x as floats into the scratch, n x columns; wide integers as x - maximum, with the maxima kept.
template <class In, class T>
class gatherer {
public:
    explicit gatherer(index_t scratch_size, index_t columns)
        : integers_(is_wide_integer<In> ? scratch_size : 0), maxima_(is_wide_integer<In> ? columns : 0) {}

    void operator()(T* to, In const* from, block const& b, index_t columns) {
        if constexpr (!is_wide_integer<In>) {
            copy(to, from, tandem{b.shape, row_major_strides(b.shape), b.strides});
        } else {
            using magnitude = std::make_unsigned_t<In>;
            copy(integers_.data(), from, tandem{b.shape, row_major_strides(b.shape), b.strides});
            index_t const n = size_of(b.shape) / columns;
            In* const m = maxima_.data();
            In const* x = integers_.data();
            std::copy_n(x, columns, m);
            for (index_t i = 1; i < n; ++i) {
                for (index_t j = 0; j < columns; ++j) m[j] = std::max(m[j], x[i * columns + j]);
            }
            for (index_t i = 0; i < n; ++i) {
                for (index_t j = 0; j < columns; ++j) {
                    auto const below = static_cast<magnitude>(static_cast<magnitude>(m[j]) - static_cast<magnitude>(x[i * columns + j]));
                    to[i * columns + j] = T(0) - static_cast<T>(below);
                }
            }
        }
    }

    /// logsumexp of the elements of column j, given that of the scratch.
    T restored(T log_sum, index_t j) const noexcept {
        if constexpr (!is_wide_integer<In>) return log_sum;
        return static_cast<T>(static_cast<double>(maxima_.data()[j]) + static_cast<double>(log_sum));
    }

private:
    buffer<In> integers_, maxima_;
};

/// Every group of the partition of row-major x through its kernel. y has the shape of x, or for logsumexp one element for
/// each group in row-major order; for the other forms it may be x.
template <form Form, class In, class Out>
class application {
    using T = compute_type<In>;
    static constexpr bool is_direct = std::same_as<In, T> && std::same_as<Out, T>;

public:
    explicit application(partition const& p)
        : p_(p),
          plan_(plan_of<T>(p, is_direct)),
          scratch_(plan_.is_staged ? p.count * columns() : 0),
          gather_(plan_.is_staged ? p.count * columns() : 0, columns()) {}

    void operator()(In const* x, Out* y) {
        // The last outer axis is walked in blocks, those left of it one by one.
        tandem walk = {p_.outer, results(p_.outer), p_.outer_strides};
        index_t extent = 1, x_step = 0, y_step = 0;
        if (!walk.shape.empty()) {
            index_t const last = walk.shape.size() - 1;
            extent = walk.shape[last], x_step = walk.from[last], y_step = walk.to[last];
            walk.shape.erase(last), walk.to.erase(last), walk.from.erase(last);
        }
        for_each_offset(walk, [&](index_t to, index_t from) {
            for (index_t o = 0; o < extent; o += plan_.outer_block) {
                index_t const outer = std::min(plan_.outer_block, extent - o);
                for (index_t j = 0; j < p_.inner; j += plan_.inner_block) {
                    index_t const inner = std::min(plan_.inner_block, p_.inner - j);
                    run(x + from + o * x_step + j, y + to + o * y_step + j, outer, inner);
                }
            }
        });
    }

private:
    index_t columns() const noexcept { return plan_.outer_block * plan_.inner_block; }

    /// Strides of the outer axes in the result.
    index_list results(index_list const& outer) const {
        if (Form != form::logsumexp) return p_.outer_strides;
        index_list strides = row_major_strides(outer);
        for (index_t& s : strides) s *= p_.inner;
        return strides;
    }

    void run(In const* x, Out* y, index_t outer, index_t inner) {
        if (plan_.is_staged) return run_staged(x, y, outer, inner);
        if constexpr (is_direct) {
            index_t const row = p_.reduce.empty() ? 0 : p_.reduce_strides[0];
            if (plan_.is_panel) {
                panel_kernel<Form>(x, row, y, row, p_.count, inner, workspace_);
            } else {
                row_kernel<Form>(x, y, p_.count);
            }
        }
    }

    void run_staged(In const* x, Out* y, index_t outer, index_t inner) {
        index_t const step = p_.outer.empty() ? 0 : p_.outer_strides.back();
        block const b = block::of(p_, step, outer, inner);
        index_t const columns = outer * inner;
        T* const s = scratch_.data();
        gather_(s, x, b, columns);
        if (plan_.is_panel) {
            panel_kernel<Form>(s, columns, s, columns, p_.count, columns, workspace_);
        } else {
            row_kernel<Form>(s, s, p_.count);
        }
        if constexpr (Form == form::logsumexp) {
            // Groups that are neighbours here are neighbours in the result.
            for (index_t j = 0; j < columns; ++j) y[j] = static_cast<Out>(gather_.restored(s[j], j));
        } else {
            copy(y, s, tandem{b.shape, b.strides, row_major_strides(b.shape)});
        }
    }

    partition p_;
    plan plan_;
    buffer<T> scratch_;
    gatherer<In, T> gather_;
    panel_workspace<T> workspace_;
};

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
