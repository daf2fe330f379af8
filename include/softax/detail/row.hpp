// row: the kernel for a group whose elements are neighbours in memory.
//
// Three passes: maximum, sum of exponentials, and what is made of them; over rows that follow one another they are one, which
// takes the maximum of the next row and writes the results of the last while it adds a row up.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// softmax, log_softmax or logsumexp of rows of n >= short_group elements.
template <form Form, class T>
class row {
    using P = packet<T>;
    static constexpr index_t lanes = P::lanes;

public:
    row(index_t n, request<T> const& asked) noexcept : n_(n), asked_(asked) {}

    /// Given a scratch of 2 n elements, results are written past the caches.
    void stream_through(T* scratch) noexcept { scratch_ = scratch; }

    /// Whether some row was NaN.
    bool has_nan() const noexcept { return has_nan_ || is_nan(asked_.extra); }

    /// Longer rows are finished at once: four of them do not fit in a first-level cache.
    static constexpr index_t longest_waiting = (index_t{1} << 13) / static_cast<index_t>(sizeof(T));

    /// Rows x_step apart in x and y_step in y. y may be x.
    void kernel(T const* x, index_t x_step, T* y, index_t y_step, index_t rows) noexcept {
        auto const scale = scaling<T>::of(asked_);
        m_ = asked_.is_scaled() ? row_max<way::general>(x, n_, scale) : row_max<way::plain>(x, n_, scale);
        others_.is_streamed = scratch_ != nullptr;
        for (index_t i = 0; i < rows; ++i, x += x_step, y += y_step) {
            visit(x, y, i + 1 < rows ? x + x_step : nullptr);
            if (Form != form::logsumexp && n_ > longest_waiting) finish();
        }
        if (others_.last != nullptr) finish();
        if (scratch_ != nullptr) end_streaming();
    }

private:
    /// Adds a row up, and the rows beside it.
    void visit(T const* x, T* y, T const* next) noexcept {
        m_ = asked_.pivot_of(m_);
        bool const is_plain = !asked_.is_scaled() && !(std::abs(m_) > exp_constants<T>::wide);
        T* e = y;
        if (scratch_ != nullptr) e = others_.last == scratch_ ? scratch_ + n_ : scratch_;
        others_.next = next != nullptr ? next : x;
        log_terms<T> terms;
        if (others_.last != nullptr) {
            terms = is_plain ? add<way::plain, beside::both>(x, e) : add<way::general, beside::both>(x, e);
        } else if (next != nullptr) {
            terms = is_plain ? add<way::plain, beside::next>(x, e) : add<way::general, beside::next>(x, e);
        } else {
            terms = is_plain ? add<way::plain, beside::nothing>(x, e) : add<way::general, beside::nothing>(x, e);
        }
        has_nan_ = has_nan_ || is_nan(terms.others.hi) || is_nan(terms.magic);
        if constexpr (Form == form::logsumexp) {
            *y = log_sum_of(terms, asked_);
        } else {
            others_.last = Form == form::softmax ? e : x;
            others_.last_y = y;
            others_.result = outcome<Form, T>::of(terms, asked_);
        }
    }

    /// Adds all of x[0, n), chunk by chunk, and the extra logit.
    template <way Way, beside Beside>
    EIGEN_STRONG_INLINE log_terms<T> add(T const* x, T* e) noexcept {
        T const m = m_;
        row_sums<Form, Way, Beside, T> sums(m, asked_, others_);
        for (index_t i = 0; i < n_; i += chunk) sums.add(x, e, i, std::min(n_ - i, chunk));
        if (Beside != beside::nothing) m_ = max_lane(sums.next_m);
        auto const at = pivot<T>::of(m, asked_);
        log_terms<T> terms = {m, at.shift.first(), at.magic.first(), sums.count, sums.sum};
        if (Form == form::softmax && asked_.has_extra()) add_extra(terms, asked_);
        return terms;
    }

    /// Writes the results of the last row.
    void finish() noexcept {
        T const* const x = others_.last;
        T* const y = others_.last_y;
        auto const result = others_.result;  // local, since writing y could change a member for all the compiler knows
        index_t const n = n_;
        P const last = result(P::load(x + n - lanes));
        index_t i = 0;
        if (others_.is_streamed) {
            for (; i + lanes <= n; i += lanes) store_past_caches(y + i, result(P::load(x + i)));
        } else {
            for (; i + lanes <= n; i += lanes) result(P::load(x + i)).store(y + i);
        }
        if (i < n) last.store(y + n - lanes);
        others_.last = nullptr;
    }

    index_t n_;
    request<T> asked_;
    T* scratch_ = nullptr;
    T m_ = 0;  // the maximum of the row to come
    bool has_nan_ = false;
    rows_beside<Form, T> others_ = {};
};

SOFTAX_KERNELS_END
#endif
