// short_row: the kernel for one short group that lies in a run, its elements in the lanes of packets.
//
// A strip of one group leaves all lanes but one empty: softmax of 10 and of 40 elements takes .68 and .47 of its time with it, logsumexp
// .50 and .35 (AVX-512).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The elements of a group of 1 <= n < short_group, factored, and those that a mask leaves out -inf. Sums are in order, in one lane.
template <class T>
class short_elements {
    using P = packet<T>;
    static constexpr index_t lanes = P::lanes, most = (short_group + lanes - 1) / lanes;

public:
    template <class Mask>
    EIGEN_ALWAYS_INLINE short_elements(T const* x, index_t n, request<T> const& asked, Mask const& which) noexcept
        : n_(n), scale_(scaling<T>::of(asked)) {
        P m = P::set(-std::numeric_limits<T>::infinity());
        for (index_t i = 0, k = 0; i < n; i += lanes, ++k) {
            // Lanes beyond the end repeat an element, or are masked.
            index_t const live = std::min(n - i, lanes);
            e_[k] = which(scale_.template factored<way::general>(P::load(x + i, live, x[i])), i, 0, live);
            m = max(e_[k], m);
        }
        m_ = max_lane(m);
    }

    T maximum() const noexcept { return m_; }

    /// softmax; whether it is NaN.
    template <way Way>
    EIGEN_ALWAYS_INLINE bool softmax(T* y, request<T> const& asked) noexcept {
        auto const at = pivot<T>::template of<Way>(m_, asked);
        alignas(64) T of[most * lanes];
        for (index_t i = 0, k = 0; i < n_; i += lanes, ++k) {
            e_[k] = reduced_exp<T>::template of<Way>(e_[k], at, scale_).value();
            e_[k].store(of + i);
        }
        T hi = lane_sum<T>::above, lo = 0;
        for (index_t i = 0; i < n_; ++i) {
            T const s = opaque(hi + of[i]);
            lo = lo + (of[i] - opaque(s - hi));
            hi = s;
        }
        T const large = hi - lane_sum<T>::above, total = opaque(large + lo);
        auto const by = quotient<T>::by(P::set(total), P::set(lo - opaque(total - large)));
        for (index_t i = 0, k = 0; i < n_; i += lanes, ++k) by(e_[k]).store(y + i, std::min(n_ - i, lanes));
        return is_nan(total);
    }

    /// What is needed for the logarithm.
    log_terms<T> terms(request<T> const& asked) const noexcept {
        return asked.is_plain(m_) ? terms<way::plain>(asked) : terms<way::general>(asked);
    }

    /// log_softmax, given the logarithm.
    EIGEN_ALWAYS_INLINE void log_softmax(T* y, T log) const noexcept {
        P const m = P::set(m_), minus_log = P::set(-log);
        for (index_t i = 0, k = 0; i < n_; i += lanes, ++k)
            madd(e_[k] - m, scale_.mantissa, minus_log).store(y + i, std::min(n_ - i, lanes));
    }

private:
    template <way Way>
    EIGEN_ALWAYS_INLINE log_terms<T> terms(request<T> const& asked) const noexcept {
        auto const at = pivot<T>::template of<Way>(m_, asked);
        alignas(64) T value[most * lanes], left[most * lanes], power[most * lanes];
        P const m = P::set(m_);
        P equal = P::set(T(0));
        for (index_t i = 0, k = 0; i < n_; i += lanes, ++k) {
            auto const e = reduced_exp<T>::template of<Way>(e_[k], at, scale_);
            auto const term = term_below<T>::of(e, e_[k], m);
            term.value.store(value + i);
            term.left.store(left + i);
            e.power.store(power + i);
            P const one = n_ - i < lanes ? P::ones(n_ - i) : P::set(T(1));
            equal = equal + (one - zero_where_equal(one, e_[k], m));
        }
        T hi = 0, lo = 0;
        for (index_t i = 0; i < n_; ++i) {
            T const s = opaque(hi + value[i]), t = opaque(s - hi), rounded = (hi - opaque(s - t)) + (value[i] - t);
            lo = lo + (P::has_fma ? std::fma(left[i], power[i], rounded) : left[i] * power[i] + rounded);
            hi = s;
        }
        return {m_, at.shift.first(), at.magic.first(), static_cast<double>(sum_lane(equal)), lane_total<T>(hi, lo, 0)};
    }

    P e_[most];
    index_t n_;
    T m_;
    scaling<T> scale_;
};

/// The results y of x[0, n), 1 <= n < short_group, with the bits of strip; y may be x. No extra logit. Whether what a mask leaves
/// out is still to be cleared where it is NaN: never where the mask is given.
template <form Form, class T, class Mask>
bool short_row(T const* x, T* y, index_t n, request<T> const& asked, Mask const& which) noexcept {
    constexpr bool is_masked = !std::same_as<Mask, everything<T>>;
    short_elements<T> own(x, n, asked, which);
    bool has_nan = is_masked && is_lowest(own.maximum());
    if constexpr (Form == form::softmax) {
        has_nan = has_nan || (asked.is_plain(own.maximum()) ? own.template softmax<way::plain>(y, asked)
                                                            : own.template softmax<way::general>(y, asked));
    } else if (!has_nan) {
        auto const terms = own.terms(asked);
        T const result = Form == form::logsumexp ? log_sum_of(terms, asked) : log_as(terms, asked);
        has_nan = is_nan(result);
        if constexpr (Form == form::logsumexp) {
            *y = result;
            keep_state(y, terms, asked);
        } else {
            own.log_softmax(y, result);
        }
    } else if constexpr (Form == form::logsumexp && is_masked) {
        *y = log_of_empty_row<T>(which.where.data, n);
    }
    if constexpr (is_masked && Form != form::logsumexp) {
        if (has_nan) write_nan<Form>(y, which.where.data, n);
    }
    return has_nan && !is_masked;
}

/// Short groups as strip::kernel(), or one by one where that is faster.
template <form Form, class T>
bool short_groups(lattice<T const> const& x, lattice<T> const& y, extents const& size, request<T> const& asked,
                  mask<T> const& which) noexcept {
    constexpr index_t few = Form == form::softmax ? 3 : 2;
    bool const are_rows = x.row == 1 && (y.row == 1 || Form == form::logsumexp) && (!which || which.row() == 1);
    if (size.groups > few || !are_rows || asked.has_extra())
        return strip<T>::template kernel<Form>(x, y, size, asked, which);
    bool has_nan = false;
    for (index_t j = 0; j < size.groups; ++j) {
        T* const results = Form == form::logsumexp ? y.data + j : &y(0, j);
        has_nan |= which ? short_row<Form>(&x(0, j), results, size.n, asked, which.from(j))
                         : short_row<Form>(&x(0, j), results, size.n, asked, everything<T>{});
    }
    return has_nan;
}

SOFTAX_KERNELS_END
#endif
