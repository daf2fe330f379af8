// row: the kernel for a group whose elements are neighbours in memory.
//
// Three passes: maximum, sum of exponentials, and what is made of them. The tail takes the packet path of the body, so a
// result never depends on its place.
#pragma once

#include "sum.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// The largest of x[0, n), n >= 1; -inf if there is none above it. A NaN may or may not show.
template <class T>
T row_max(T const* x, index_t n) noexcept {
    using P = packet<T>;
    constexpr index_t lanes = P::lanes;
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    P m[4] = {P::set(lowest), P::set(lowest), P::set(lowest), P::set(lowest)};
    index_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        for (index_t k = 0; k < 4; ++k) m[k] = max(m[k], P::load(x + i + k * lanes));
    }
    for (; i + lanes <= n; i += lanes) m[0] = max(m[0], P::load(x + i));
    if (i < n) m[1] = max(m[1], P::load(x + i, n - i, lowest));
    return max_lane(max(max(m[0], m[1]), max(m[2], m[3])));
}

/// The running sums of one row: of all exponentials for softmax; else of those below the maximum, and how many are equal.
template <form Form, class T>
struct row_sums {
    using P = packet<T>;
    static constexpr index_t packets = sum_lanes / P::lanes;
    static constexpr T start = Form == form::softmax ? lane_sum<T>::above : T(0);

    wide sum = {0, 0};
    double count = 0;

    /// Adds x[0, n), n <= chunk, and stores the exponentials to y where the form wants them.
    EIGEN_STRONG_INLINE void add(T const* x, T* y, index_t n, P m, pivot_packet<T> const& at) noexcept {
        lane_sum<T> lane[packets];
        P equal = P::set(T(0));
        for (lane_sum<T>& l : lane) l = {P::set(start), P::set(T(0))};
        index_t i = 0;
        for (; i + sum_lanes <= n; i += sum_lanes) {
            for (index_t p = 0; p < packets; ++p) {
                index_t const place = i + p * P::lanes;
                add_packet(P::load(x + place), y + place, P::lanes, m, at, lane[p], equal);
            }
        }
        for (index_t p = 0; i < n; ++p, i += P::lanes) {
            index_t const live = n - i < P::lanes ? n - i : P::lanes;
            add_packet(P::load(x + i, live, -std::numeric_limits<T>::infinity()), y + i, live, m, at, lane[p], equal);
        }
        alignas(64) T hi[sum_lanes], lo[sum_lanes];
        for (index_t p = 0; p < packets; ++p) {
            lane[p].hi.store(hi + p * P::lanes);
            lane[p].lo.store(lo + p * P::lanes);
        }
        add_chunk<T>(sum, chunk_total(hi, lo, 1, static_cast<double>(start)));
        if constexpr (Form != form::softmax) {
            equal.store(hi);
            for (index_t l = 0; l < P::lanes; ++l) count += static_cast<double>(hi[l]);
        }
    }

private:
    EIGEN_STRONG_INLINE static void add_packet(P x, T* y, index_t live, P m, pivot_packet<T> const& at, lane_sum<T>& lane,
                                               P& equal) noexcept {
        P e = exp_scaled(x, at);
        if constexpr (Form == form::softmax) e.store(y, live);
        if (live < P::lanes) e = keep(e, live);
        if constexpr (Form == form::softmax) {
            lane.add_below(e);
        } else {
            lane.add_any(zero_where_equal(e, x, m));
            P const one = P::set(T(1));
            P const is_m = one - zero_where_equal(one, x, m);
            equal = equal + (live < P::lanes ? keep(is_m, live) : is_m);
        }
    }

    /// The first live lanes, 0 in the others.
    EIGEN_STRONG_INLINE static P keep(P x, index_t live) noexcept {
        alignas(64) T lane[P::lanes] = {};
        x.store(lane, live);
        return P::load(lane);
    }
};

/// y[0, n) = softmax or log_softmax of x[0, n), n >= 1, or y[0] = logsumexp of it. y may be x. Groups that hold NaN or +inf
/// or nothing but -inf become NaN.
template <form Form, class T>
void row_kernel(T const* x, T* y, index_t n) noexcept {
    using P = packet<T>;
    constexpr index_t lanes = P::lanes;
    T const m = row_max(x, n);
    pivot<T> const at = pivot_of(m);
    auto const at_packet = pivot_packet<T>::of(at);
    P const m_packet = P::set(m);
    row_sums<Form, T> sums;
    for (index_t i = 0; i < n; i += chunk) sums.add(x + i, y + i, n - i < chunk ? n - i : chunk, m_packet, at_packet);
    index_t i = 0;
    if constexpr (Form == form::softmax) {
        auto const divide = quotient<T>::by(sums.sum);
        for (; i + lanes <= n; i += lanes) divide(P::load(y + i)).store(y + i);
        if (i < n) divide(P::load(y + i, n - i, T(0))).store(y + i, n - i);
    } else {
        log_terms<T> const terms = {m, at, sums.count, sums.sum};
        if constexpr (Form == form::logsumexp) {
            *y = log_sum_of(terms);
        } else {
            wide const log = log_of(terms);
            P const log_packet = P::set(static_cast<T>(log.hi + log.lo));
            for (; i + lanes <= n; i += lanes) ((P::load(x + i) - m_packet) - log_packet).store(y + i);
            if (i < n) ((P::load(x + i, n - i, m) - m_packet) - log_packet).store(y + i, n - i);
        }
    }
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
