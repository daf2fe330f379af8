// row: the kernel for a group whose elements are neighbours in memory.
//
// Three passes: maximum, sum of exponentials, and what is made of them. The tail takes the packet path of the body, so a
// result never depends on its place.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Groups of fewer elements are not for row and panel: they go to strip.
inline constexpr index_t short_group = 48;

/// The largest of x[0, n) as factored, n >= short_group; -inf if there is none above it. A NaN may or may not show.
template <way Way, class T>
T row_max(T const* x, index_t n, scaling<T> const& scale) noexcept {
    using P = packet<T>;
    constexpr index_t lanes = P::lanes;
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    P m0 = P::set(lowest), m1 = m0, m2 = m0, m3 = m0;
    index_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        m0 = max(m0, scale.template factored<Way>(P::load(x + i)));
        m1 = max(m1, scale.template factored<Way>(P::load(x + i + lanes)));
        m2 = max(m2, scale.template factored<Way>(P::load(x + i + 2 * lanes)));
        m3 = max(m3, scale.template factored<Way>(P::load(x + i + 3 * lanes)));
    }
    for (; i + lanes <= n; i += lanes) m0 = max(m0, scale.template factored<Way>(P::load(x + i)));
    if (i < n) m1 = max(m1, scale.template factored<Way>(P::load(x + n - lanes)));
    return max_lane(max(max(m0, m1), max(m2, m3)));
}

/// Whether another row follows.
enum class ahead { nothing, row };

/// The running sums of one row: of all exponentials for softmax; else of those below the maximum, and how many are equal.
/// On the way the maximum of the next row is taken, where there is one: memory then comes while there is much to compute.
template <form Form, way Way, ahead Ahead, class T>
class row_sums {
    using P = packet<T>;
    static constexpr index_t packets = sum_lanes / P::lanes;
    static constexpr T start = Form == form::softmax ? lane_sum<T>::above : T(0);

public:
    wide sum = {0, 0};
    double count = 0;
    P next_m;

    row_sums(T m, pivot<T> const& at, scaling<T> const& scale) noexcept
        : next_m(P::set(-std::numeric_limits<T>::infinity())), m_(P::set(m)), at_(at), scale_(scale) {}

    /// Adds x[0, n), n <= chunk, and stores the exponentials to y where the form wants them.
    EIGEN_STRONG_INLINE void add(T const* x, T* y, index_t n, T const* next) noexcept {
        lane_sum<T> lane[packets];
        P equal = P::set(T(0));
        for (lane_sum<T>& l : lane) l = {P::set(start), P::set(T(0))};
        P m0 = next_m, m1 = next_m;
        index_t i = 0;
        for (; i + 2 * sum_lanes <= n; i += 2 * sum_lanes) {
            add_lanes(x + i, y + i, next + i, lane, equal, m0);
            add_lanes(x + i + sum_lanes, y + i + sum_lanes, next + i + sum_lanes, lane, equal, m1);
        }
        if (i + sum_lanes <= n) add_lanes(x + i, y + i, next + i, lane, equal, m0), i += sum_lanes;
        next_m = max(m0, m1);
        if (i < n) add_last_lanes(x + i, y + i, next + i, n - i, lane, equal);
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
    /// The next element of every lane.
    EIGEN_STRONG_INLINE void add_lanes(T const* x, T* y, T const* next, lane_sum<T> (&lane)[packets], P& equal,
                                       P& m) noexcept {
        for (index_t p = 0; p < packets; ++p) {
            index_t const place = p * P::lanes;
            add_packet(scale_.template factored<Way>(P::load(x + place)), y + place, P::lanes, lane[p], equal);
            if constexpr (Ahead == ahead::row) m = max(m, scale_.template factored<Way>(P::load(next + place)));
        }
    }

    /// The next element of the first n lanes only, at the end of a row.
    EIGEN_STRONG_INLINE void add_last_lanes(T const* x, T* y, T const* next, index_t n, lane_sum<T> (&lane)[packets],
                                            P& equal) noexcept {
        for (index_t p = 0; p < packets && p * P::lanes < n; ++p) {
            index_t const place = p * P::lanes, live = std::min(n - place, P::lanes);
            // Lanes beyond the end repeat an element, so that nothing new comes in, and count nothing.
            P const value = scale_.template factored<Way>(P::load(x + place, live, x[place]));
            add_packet(value, y + place, live, lane[p], equal);
            if constexpr (Ahead == ahead::row) {
                next_m = max(next_m, scale_.template factored<Way>(P::load(next + place, live, next[place])));
            }
        }
    }

    EIGEN_STRONG_INLINE void add_packet(P x, T* y, index_t live, lane_sum<T>& lane, P& equal) noexcept {
        P const one = live < P::lanes ? P::ones(live) : P::set(T(1));
        auto e = reduced_exp<T>::template of<Way>(x, at_, scale_);
        if constexpr (Form == form::softmax) {
            P const value = e.value();
            value.store(y, live);
            lane.add_below(live < P::lanes ? value * one : value);
        } else {
            if (live < P::lanes) e.power = e.power * one;
            lane.add_unless_equal(e, x, m_);
            equal = equal + (one - zero_where_equal(one, x, m_));
        }
    }

    P m_;
    pivot<T> at_;
    scaling<T> scale_;
};

/// softmax, log_softmax or logsumexp of rows of n >= short_group elements.
template <form Form, class T>
class row {
    using P = packet<T>;
    static constexpr index_t lanes = P::lanes;

public:
    row(index_t n, request<T> const& asked) noexcept : n_(n), asked_(asked), scale_(scaling<T>::of(asked)) {}

    /// Rows x_step apart in x and y_step in y, for logsumexp y_step being 1. y may be x.
    void kernel(T const* x, index_t x_step, T* y, index_t y_step, index_t rows) noexcept {
        m_ = asked_.is_scaled() ? row_max<way::general>(x, n_, scale_) : row_max<way::plain>(x, n_, scale_);
        for (index_t i = 0; i < rows; ++i, x += x_step, y += y_step) finish(x, y, i + 1 < rows ? x + x_step : nullptr);
    }

private:
    void finish(T const* x, T* y, T const* next) noexcept {
        m_ = asked_.pivot_of(m_);
        bool const is_plain = !asked_.is_scaled() && !(std::abs(m_) > exp_constants<T>::wide);
        log_terms<T> const terms = !is_plain ? add<way::general, ahead::row>(x, y, next ? next : x)
                                   : next    ? add<way::plain, ahead::row>(x, y, next)
                                             : add<way::plain, ahead::nothing>(x, y, x);
        if constexpr (Form == form::softmax) {
            auto const divide = quotient<T>::by(terms.others);
            P const last = divide(P::load(y + n_ - lanes));
            for (index_t i = 0; i + lanes <= n_; i += lanes) divide(P::load(y + i)).store(y + i);
            last.store(y + n_ - lanes);
        } else if constexpr (Form == form::logsumexp) {
            *y = log_sum_of(terms, asked_);
        } else {
            P const m = P::set(terms.m), minus_log = P::set(-log_as(terms, asked_));
            P const last = scale_.log_softmax(P::load(x + n_ - lanes), m, minus_log);
            for (index_t i = 0; i + lanes <= n_; i += lanes) {
                scale_.log_softmax(P::load(x + i), m, minus_log).store(y + i);
            }
            last.store(y + n_ - lanes);
        }
    }

    /// Adds all of x[0, n), chunk by chunk, and the extra logit.
    template <way Way, ahead Ahead>
    EIGEN_STRONG_INLINE log_terms<T> add(T const* x, T* y, T const* next) noexcept {
        T const m = m_;
        auto const at = pivot<T>::of(m, asked_);
        row_sums<Form, Way, Ahead, T> sums(m, at, scale_);
        for (index_t i = 0; i < n_; i += chunk) sums.add(x + i, y + i, std::min(n_ - i, chunk), next + i);
        if (Ahead == ahead::row) m_ = max_lane(sums.next_m);
        if (asked_.has_extra()) add_total<T>(sums.sum, {static_cast<double>(extra_exp(at, asked_).first()), 0});
        return {m, at.shift.first(), at.magic.first(), sums.count, sums.sum};
    }

    index_t n_;
    request<T> asked_;
    scaling<T> scale_;
    T m_ = 0;  // the maximum of the row to come
};

SOFTAX_KERNELS_END
#endif
