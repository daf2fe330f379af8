// row: the kernel for a group whose elements are neighbours in memory.
//
// Three passes: maximum, sum of exponentials, and what is made of them. The tail takes the packet path of the body, so a
// result never depends on its place.
#ifdef SOFTAX_KERNELS_BEGIN  // kernels.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Groups of fewer elements are not for row and panel: they go to strip.
inline constexpr index_t short_group = 48;

/// The largest lane of x.
template <class T>
EIGEN_STRONG_INLINE T max_lane(packet<T> x) noexcept {
    alignas(64) T lane[packet<T>::lanes];
    x.store(lane);
    for (index_t width = packet<T>::lanes / 2; width > 0; width /= 2) {
        for (index_t i = 0; i < width; ++i) lane[i] = lane[i] < lane[i + width] ? lane[i + width] : lane[i];
    }
    return lane[0];
}

/// The largest of x[0, n), n >= 1; -inf if there is none above it. A NaN may or may not show.
template <class T>
T row_max(T const* x, index_t n) noexcept {
    using P = packet<T>;
    constexpr index_t lanes = P::lanes;
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    P m0 = P::set(lowest), m1 = m0, m2 = m0, m3 = m0;
    index_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        m0 = max(m0, P::load(x + i));
        m1 = max(m1, P::load(x + i + lanes));
        m2 = max(m2, P::load(x + i + 2 * lanes));
        m3 = max(m3, P::load(x + i + 3 * lanes));
    }
    for (; i + lanes <= n; i += lanes) m0 = max(m0, P::load(x + i));
    if (i < n) m1 = max(m1, P::load(x + i, n - i, lowest));
    return max_lane(max(max(m0, m1), max(m2, m3)));
}

/// The running sums of one row: of all exponentials for softmax; else of those below the maximum, and how many are equal.
template <form Form, class T>
struct row_sums {
    using P = packet<T>;
    static constexpr index_t packets = sum_lanes / P::lanes;
    static constexpr T nothing = -std::numeric_limits<T>::infinity();  // in lanes beyond the end
    static constexpr T start = Form == form::softmax ? lane_sum<T>::above : T(0);

    wide sum = {0, 0};
    double count = 0;

    /// Adds x[0, n), n <= chunk, and stores the exponentials to y where the form wants them.
    EIGEN_STRONG_INLINE void add(T const* x, T* y, index_t n, P m, pivot<T> at) noexcept {
        lane_sum<T> lane[packets];
        P equal = P::set(T(0));
        for (lane_sum<T>& l : lane) l = {P::set(start), P::set(T(0))};
        index_t i = 0;
        for (; i + 2 * sum_lanes <= n; i += 2 * sum_lanes) {
            add_lanes(x + i, y + i, sum_lanes, m, at, lane, equal);
            add_lanes(x + i + sum_lanes, y + i + sum_lanes, sum_lanes, m, at, lane, equal);
        }
        for (; i < n; i += sum_lanes) add_lanes(x + i, y + i, std::min(n - i, sum_lanes), m, at, lane, equal);
        alignas(64) T hi[sum_lanes], lo[sum_lanes];
        for (index_t p = 0; p < packets; ++p) {
            lane[p].hi.store(hi + p * P::lanes);
            lane[p].lo.store(lo + p * P::lanes);
        }
        add_total<T>(sum, chunk_total(hi, lo, 1, static_cast<double>(start)));
        if constexpr (Form != form::softmax) {
            equal.store(hi);
            for (index_t l = 0; l < P::lanes; ++l) count += static_cast<double>(hi[l]);
        }
    }

private:
    /// The next element of every lane, of the first n lanes only at the end of a row.
    EIGEN_STRONG_INLINE static void add_lanes(T const* x, T* y, index_t n, P m, pivot<T> const& at,
                                              lane_sum<T> (&lane)[packets], P& equal) noexcept {
        for (index_t p = 0; p < packets; ++p) {
            index_t const place = p * P::lanes, live = std::min(n - place, P::lanes);
            if (live <= 0) break;
            add_packet(P::load(x + place, live, nothing), y + place, live, m, at, lane[p], equal);
        }
    }

    EIGEN_STRONG_INLINE static void add_packet(P x, T* y, index_t live, P m, pivot<T> const& at, lane_sum<T>& lane,
                                               P& equal) noexcept {
        P const one = live < P::lanes ? P::ones(live) : P::set(T(1));
        if constexpr (Form == form::softmax) {
            P const e = exp_scaled(x, at);
            e.store(y, live);
            lane.add_below(live < P::lanes ? e * one : e);
        } else {
            auto e = reduced_exp<T>::of(x, at);
            if (live < P::lanes) e.power = e.power * one;
            lane.add_unless_equal(e, x, m);
            equal = equal + (one - zero_where_equal(one, x, m));
        }
    }
};

/// y[0, n) = softmax or log_softmax of x[0, n), n >= short_group, or y[0] = logsumexp of it. y may be x. Groups that hold NaN or +inf
/// or nothing but -inf become NaN.
template <form Form, class T>
void row_kernel(T const* x, T* y, index_t n) noexcept {
    using P = packet<T>;
    constexpr index_t lanes = P::lanes;
    T const m = row_max(x, n);
    P const m_packet = P::set(m);
    auto const at = pivot<T>::of(m_packet);
    row_sums<Form, T> sums;
    for (index_t i = 0; i < n; i += chunk) sums.add(x + i, y + i, n - i < chunk ? n - i : chunk, m_packet, at);
    index_t i = 0;
    if constexpr (Form == form::softmax) {
        auto const divide = quotient<T>::by(sums.sum);
        for (; i + lanes <= n; i += lanes) divide(P::load(y + i)).store(y + i);
        if (i < n) divide(P::load(y + i, n - i, T(0))).store(y + i, n - i);
    } else {
        log_terms<T> const terms = {m, at.shift.first(), at.magic.first(), sums.count, sums.sum};
        if constexpr (Form == form::logsumexp) {
            *y = log_sum_of(terms);
        } else {
            P const log_packet = P::set(log_as(terms));
            for (; i + lanes <= n; i += lanes) ((P::load(x + i) - m_packet) - log_packet).store(y + i);
            if (i < n) ((P::load(x + i, n - i, m) - m_packet) - log_packet).store(y + i, n - i);
        }
    }
}

SOFTAX_KERNELS_END
#endif
