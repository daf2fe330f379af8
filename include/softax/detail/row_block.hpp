// row_block: the kernel for several rows of a few hundred elements, each step for all of them before the next.
//
// A row waits three times, for its maximum, its sum and its quotient, and a processor looks ahead less far than a row and a
// wait. Asked for by rows of 48, 64 and 128 elements, which take .82, .84 and .91 of the row kernel's time (AVX-512).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The same bits as row gives.
template <form Form, class E>
class row_block {
    using T = compute_type<E>;
    using P = packet<T>;
    /// Whether elements are converted on their way to the scratch, and results on theirs to y.
    static constexpr bool is_converted = !std::same_as<E, T>;

public:
    /// Rows of a block, which fill packets of any width; how long they may be: beyond, and for narrow packets, row is as fast.
    static constexpr index_t rows = 16, longest = sizeof(P) < 32 ? 0 : 512 / static_cast<index_t>(sizeof(T));

    row_block(index_t n, request<T> const& asked, mask<T> const& which) noexcept
        : n_(n),
          pitch_((n + P::lanes - 1) / P::lanes * P::lanes),
          asked_(asked),
          scale_(scaling<T>::of(asked)),
          mask_(which) {
        std::fill_n(hi_, rows * sum_lanes, T(0));  // what no row has filled is never used, but added
        std::fill_n(lo_, rows * sum_lanes, T(0));
    }

    /// Results are written past the caches.
    void stream() noexcept { is_streamed_ = true; }
    /// Memory is asked for ahead of time.
    void ask_ahead() noexcept { is_large_ = true; }

    /// Whether some row was NaN, and its elements that the mask leaves out are too.
    bool has_nan() const noexcept { return !mask_ && (is_nan(sum_lane(seen_)) || is_nan(asked_.extra)); }

    /// Rows of x into those of y, short_group <= n <= longest. y may be x.
    void kernel(lattice<E const> x, lattice<E> y, index_t groups) noexcept {
        x_step_ = x.column, y_step_ = y.column;
        for (index_t i = 0; i < groups; i += rows) {
            live_ = std::min(rows, groups - i);
            auto const which = mask_.from(i);
            lattice<T const> from = {e_, 1, pitch_};
            if constexpr (!is_converted) from = which ? from : x.from(i);
            ahead_.next = &x(0, i + rows);
            ahead_.last_y = &y(0, i + rows);
            if constexpr (!is_converted) {
                if (is_streamed_) ahead_.last_y = e_, y_step_ = 0;
            }
            bool const is_plain = take_pivots(x.from(i), which);
            if (is_large_) {
                is_plain ? add<way::plain, beside::later>(from) : add<way::general, beside::later>(from);
            } else {
                is_plain ? add<way::plain, beside::nothing>(from) : add<way::general, beside::nothing>(from);
            }
            finish(from, y.from(i), which);
        }
        if (is_streamed_) end_streaming();
    }

private:
    /// From the maxima of rows, masked on their way to the scratch; whether the way is plain for every row.
    bool take_pivots(lattice<E const> x, mask<T> const& which) noexcept {
        bool const is_scaled = asked_.is_scaled();
        std::fill(at_.m + live_, at_.m + rows, T(0));
        for (index_t r = 0; r < live_; ++r) {
            // Elements of the next rows are asked for while these are added up, but no mask is.
            for (index_t i = 0; i < n_ && which && is_large_; i += 64) which.ask_for(i, r + rows);
            E const* const row = &x(0, r);
            T* const to = e_ + r * pitch_;
            T const m = take_row_max(to, row, n_, which, which ? &which.where(0, r) : nullptr, is_scaled, scale_);
            at_.m[r] = m;
            // A row that is left out is added up too, in part, but as an element of 0.
            is_left_out_[r] = is_empty_row(which, m, asked_);
            if (is_left_out_[r]) at_.m[r] = e_[r * pitch_] = 0;
        }
        return at_.take(rows, asked_);
    }

    /// Fills the sums; stores the exponentials where the form wants them.
    template <way Way, beside Beside>
    void add(lattice<T const> x) noexcept {
        using sums_of_row = row_sums<Form, Way, Beside, E>;
        for (index_t r = 0; r < live_; ++r) {
            sums_of_row sums(P::set(at_.m[r]), at_.of_group(r), scale_, ahead_);
            index_t const n = is_left_out_[r] ? sum_lanes : n_;
            sums.add_lanes(&x(0, r), e_ + r * pitch_, 0, n, hi_ + r * sum_lanes, lo_ + r * sum_lanes);
            count_[r] = sums.count;
            if (Beside == beside::later) ahead_.next += x_step_, ahead_.last_y += y_step_;
        }
        row_totals(sum_, hi_, lo_, rows, static_cast<double>(sums_of_row::start));
    }

    log_terms<T> terms_of(index_t r) const noexcept {
        return {at_.m[r], at_.shift[r], at_.magic[r], count_[r], sum_[r]};
    }

    void finish(lattice<T const> x, lattice<E> y, mask<T> const& which) noexcept {
        if constexpr (Form == form::softmax) {
            for (index_t r = 0; r < live_ && asked_.has_extra(); ++r) {
                auto terms = terms_of(r);
                add_extra(terms, asked_);
                sum_[r] = terms.others;
            }
            quotients(at_.shift, at_.floor, sum_, rows);  // in their place
            for (index_t r = 0; r < rows; r += P::lanes) seen_ = seen_ + P::load(at_.shift + r);
            for (index_t r = 0; r < live_; ++r) {
                write({{P::set(at_.shift[r]), P::set(at_.floor[r])}}, r, e_ + r * pitch_, &y(0, r), which);
            }
        } else {
            for (index_t r = 0; r < rows; r += P::lanes) finish_logs(r, x, y, which);
        }
    }

    /// log_softmax or logsumexp of a packet of rows.
    void finish_logs(index_t first, lattice<T const> x, lattice<E> y, mask<T> const& which) noexcept {
        index_t const live = std::min(live_ - first, P::lanes);
        if (live <= 0) return;
        logarithms<T> logs;
        for (index_t l = 0; l < live; ++l) logs.put(l, terms_of(first + l));
        logs.take(live, asked_);
        alignas(64) T results[P::lanes];
        if constexpr (Form == form::logsumexp) {
            logs.take_sums(results, asked_);
            if constexpr (!is_converted) logs.keep_states(&y(0, first), y.column, live, asked_);
        }
        for (index_t l = 0, r = first; l < live; ++l, ++r) {
            seen_ = seen_ + P::set(at_.magic[r] + static_cast<T>(sum_[r].hi));
            if constexpr (Form == form::logsumexp) {
                T const result = is_left_out_[r] ? log_of_empty_row<T>(&which.where(0, r), n_) : results[l];
                y(0, r) = converted<E>(result);
                seen_ = seen_ + P::set(result);
            } else {
                write(outcome<Form, T>::of(at_.m[r], logs.log_as(l), asked_), r, &x(0, r), &y(0, r), which);
            }
        }
    }

    /// The results of row r.
    EIGEN_ALWAYS_INLINE void write(outcome<Form, T> const& result, index_t r, T const* from, E* to,
                                   mask<T> const& which) noexcept {
        if (!which || !(is_left_out_[r] || result.is_nan_everywhere())) return write(result, from, to);
        bool const* const where = &which.where(0, r);
        if (!is_streamed_) return write_nan<Form>(to, where, n_);
        T* const own = e_ + r * pitch_;
        write_nan<Form>(own, where, n_);
        write([](P x) { return x; }, own, to);
    }

    template <class Result>
    EIGEN_ALWAYS_INLINE void write(Result const& result, T const* from, E* to) const noexcept {
        index_t i = 0, n = n_;
        if (is_streamed_) {
            for (; i + P::lanes <= n; i += P::lanes) store_past_caches(to + i, result(P::load(from + i)));
        } else {
            for (; i + P::lanes <= n; i += P::lanes) result(P::load(from + i)).store(to + i);
        }
        if (i == n) return;
        auto const [at, live] = some_of_row<E>::of(i, n - i);
        some_of_row<E>::store(to + at, result(P::load(from + at, live, T(0))), live);
    }

    // Rows wait whole packets apart, so that none ends where the next begins: masked rows of 50 take .74 of the time (AVX-512).
    index_t n_, pitch_, live_ = 0;
    request<T> asked_;
    scaling<T> scale_;
    mask<T> mask_;
    bool is_streamed_ = false, is_large_ = false;
    bool is_left_out_[rows] = {};  // the mask leaves nothing of a row, or only -inf
    rows_beside<Form, E> ahead_ = {};
    index_t x_step_ = 0, y_step_ = 0;
    P seen_ = P::set(T(0));  // NaN where a row was
    pivots<T, rows> at_;
    alignas(64) T hi_[rows * sum_lanes], lo_[rows * sum_lanes];
    wide sum_[rows];
    double count_[rows];
    alignas(64) T e_[rows * std::max(longest, index_t{1})];
};

SOFTAX_KERNELS_END
#endif
