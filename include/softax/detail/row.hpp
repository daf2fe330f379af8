// row: the kernel for a group whose elements are neighbours in memory.
//
// Three passes: maximum, sum of exponentials, and what is made of them; over rows that follow one another they are one, which
// takes the maximum of the next row and writes the results of the last while it adds a row up.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Rows of a scratch in which rows wait for their results.
inline constexpr index_t rows_waiting = 3;

/// The longest row of which some stay in a second-level cache.
template <class T>
inline constexpr index_t longest_waiting = (index_t{1} << 17) / static_cast<index_t>(sizeof(T));

/// A row that is NaN but for what its mask leaves out: e[0, n) is made so, and what is returned leaves it so.
template <form Form, class T>
outcome<Form, T> masked_nan(T* e, bool const* where, index_t n, request<T> const& asked) noexcept {
    write_nan<Form>(e, where, n);
    return outcome<Form, T>::of_special(asked);
}

/// softmax, log_softmax or logsumexp of rows of n >= short_group elements of float or double, or of a half type, given a scratch.
template <form Form, class E>
class row {
    using T = compute_type<E>;
    using P = packet<T>;
    static constexpr index_t lanes = P::lanes;
    /// Whether elements are converted on their way to the scratch, as masked ones are masked, and results on theirs to y.
    static constexpr bool is_converted = !std::same_as<E, T>;
    /// Whether there are rows that are masked wherever they are read: of logsumexp those that have no place to wait, 1.2 times
    /// unmasked ones of 32,000 rather than 1.4 (AVX-512). Others wait where their results will be: 1.15 times, not 1.29.
    static constexpr bool can_mask_own = !is_converted && Form == form::logsumexp;

public:
    row(index_t n, request<T> const& asked, mask<T> const& which) noexcept
        : n_(n), asked_(asked), mask_(which), asks_room_(Form == form::softmax) {
        // Softmax of 16 rows of 2^20 takes .67 of the time if their own rows are asked for too (AVX2; of double, AVX-512, .83,
        // log_softmax .79), of shorter rows 1.1.
        others_.is_long = n > (Form == form::softmax ? 4 : 1) * longest_waiting<T>;
    }

    /// Gives a scratch of rows_waiting * n elements, or of n for a row by itself.
    void wait_in(T* scratch, index_t size) noexcept {
        for (index_t k = 0; k * n_ < size; ++k) scratch_[k] = scratch + k * n_;
    }

    /// Results are written past the caches, given a scratch.
    void stream() noexcept { others_.is_streamed = true, asks_room_ = false; }
    /// Memory of results is asked for ahead of time: log_softmax of 8,000 rows of 2,001 takes .83 of the time, masked .64 (AVX-512),
    /// of rows in cache 1.05.
    void ask_ahead() noexcept { asks_room_ = !others_.is_streamed; }

    /// Whether some row was NaN, and its elements that the mask leaves out are too.
    bool has_nan() const noexcept { return has_nan_; }

    /// Rows of x into those of y. y may be x.
    void kernel(lattice<E const> x, lattice<E> y, index_t rows) noexcept {
        take_maximum(x.data, y.data, mask_.where.data);
        for (index_t i = 0; i < rows;) i += visit(x.from(i), y.from(i), mask_.from(i), rows - i);
        if (others_.last != nullptr) finish();
        if (others_.is_streamed) end_streaming();
    }

private:
    /// Where a row waits for its results: in the scratch, or where they will be.
    static T* room(T* scratch, E* y) noexcept {
        if constexpr (is_converted) {
            return scratch;
        } else {
            return scratch != nullptr ? scratch : y;
        }
    }

    /// The maximum of the row that comes next, which is masked or converted on its way to where it waits.
    void take_maximum(E const* x, E* y, bool const* where) noexcept {
        if constexpr (can_mask_own) {
            if (masks_own()) {
                return take_masked(masked_max(x, n_, mask_, where));
            }
        }
        T* const to = room(scratch_[0], y);
        m_ = take_row_max(to, x, n_, mask_, where, asked_.is_scaled(), scaling<T>::of(asked_));
        is_left_out_ = is_spared(to, m_);
    }

    /// Whether these are.
    bool masks_own() const noexcept { return can_mask_own && mask_ && scratch_[0] == nullptr; }

    /// The maximum of a row that is masked as it is read; of which nothing is left is as good as any.
    void take_masked(T m) noexcept {
        is_left_out_ = is_empty_row(mask_, m, asked_);
        m_ = is_left_out_ ? T(0) : m;
    }

    /// Adds some rows up, and the rows beside them; how many. The first and the last of several are by themselves.
    index_t visit(lattice<E const> x, lattice<E> y, mask<T> const& which, index_t rows) noexcept {
        using enum beside;
        if (mask_) others_.which = which.from(1);
        if constexpr (Form == form::logsumexp) {
            if (is_left_out_ && rows == 1) return *y.data = converted<E>(log_of_empty_row<T>(which.where.data, n_)), 1;
            if (masks_own()) {
                others_.which = which;
                return rows == 1 ? add<own_masked>(x, y, which, 1) : add<own_and_next_masked>(x, y, which, rows - 1);
            }
            if (rows == 1) return add<nothing>(x, y, which, 1);
            if (mask_) return add<next_masked>(x, y, which, rows - 1);
            constexpr beside which_next = is_converted ? next_moved : next;
            return add<which_next>(x, y, which, is_converted ? rows - 1 : rows);
        }
        if (others_.last == nullptr) {
            if (is_left_out_ && rows == 1) return write_nan<Form>(y.data, which.where.data, n_), 1;
            add<nothing>(x, y, which, 1);
            if (rows > 1) take_maximum(x.data + x.column, y.data + y.column, which.from(1).where.data);
            return 1;
        }
        if (rows == 1) return add<both>(x, y, which, 1);
        if (mask_) return add<both_masked>(x, y, which, rows - 1);
        constexpr beside which_both = is_converted ? both_moved : both;
        return add<which_both>(x, y, which, is_converted ? rows - 1 : rows);
    }

    /// Makes a row of which the mask leaves nothing, or only -inf, as good as any: an element of it 0. Whether it has.
    bool is_spared(T* masked, T& m) const noexcept {
        bool const is_left_out = is_empty_row(mask_, m, asked_);
        if (is_left_out) *masked = m = 0;
        return is_left_out;
    }

    template <beside Beside>
    index_t add(lattice<E const> x, lattice<E> y, mask<T> const& which, index_t rows) noexcept {
        return asked_.is_plain(asked_.pivot_of(m_)) ? add<way::plain, Beside>(x, y, which, rows)
                                                    : add<way::general, Beside>(x, y, which, rows);
    }

    /// Adds rows up as long as they are computed this way. What belongs to a row is local, so that it stays in registers.
    template <way Way, beside Beside>
    index_t add(lattice<E const> x, lattice<E> y, mask<T> const& which, index_t rows) noexcept {
        constexpr bool is_moved = moves_next(Beside), is_masked_as_read = reads_masked(Beside);
        request<T> const asked = asked_;
        auto others = others_;
        T m = m_;
        bool is_left_out = is_left_out_;
        T *own = scratch_[0], *ahead = scratch_[1], *spare = scratch_[2];
        index_t i = 0, n = n_;
        do {
            T* const e = room(own, y.data);
            T const* from = e;
            if constexpr (!is_converted && !is_moved) from = mask_ && !is_masked_as_read ? e : x.data;
            bool const has_next = is_moved || Beside == beside::own_and_next_masked || i + 1 < rows;
            others.next = has_next ? x.data + x.column : x.data;
            others.next_moved = room(ahead, y.data + y.column);
            // Masked rows without a scratch have waited where their results will be: the next one will. Softmax of 1,000 rows of
            // 40,000 takes .81 of the time (AVX2).
            bool const waits_in_y = masks_next(Beside) && own == nullptr;
            others.room = !asks_room_ ? nullptr : waits_in_y ? y.data + y.column : others.last_y;
            row_sums<Form, Way, Beside, E> sums(asked.pivot_of(m), asked, others);
            for (index_t k = 0; k < n; k += chunk) sums.add(from, e, k, std::min(n - k, chunk));
            auto terms = sums.terms();
            if (is_masked_as_read && is_left_out) terms.count = 1, terms.others = {1, 0};  // nothing is divided by 0
            if (Form == form::softmax && asked.has_extra()) add_extra(terms, asked_);
            if constexpr (Form == form::logsumexp) {
                T const result =
                    is_left_out ? log_of_empty_row<T>(which.from(i).where.data, n) : log_sum_of(terms, asked_);
                *y.data = converted<E>(result);
                if constexpr (!is_converted) keep_state(y.data, terms, asked_);
                has_nan_ |= is_nan(result) && !mask_;
            } else {
                others.last = Form == form::softmax ? e : from;
                others.last_y = y.data;
                others.result = outcome<Form, T>::of(terms, asked_);
                bool const is_nan = others.result.is_nan_everywhere();
                has_nan_ |= is_nan && !mask_;
                if ((is_nan || is_left_out) && mask_)
                    others.result = masked_nan<Form>(e, which.from(i).where.data, n, asked_);
            }
            if constexpr (Beside != beside::nothing && Beside != beside::own_masked) m = max_lane(sums.next_m);
            if constexpr (masks_next(Beside)) is_left_out = is_spared(others.next_moved, m);
            if constexpr (Beside == beside::own_and_next_masked) take_masked(m), is_left_out = is_left_out_, m = m_;
            x.data += x.column, y.data += y.column, others.which.where.data += others.which.where.column, ++i;
            own = std::exchange(ahead, std::exchange(spare, own));
        } while (i < rows && asked.is_plain(asked.pivot_of(m)) == (Way == way::plain));
        m_ = m;
        is_left_out_ = is_left_out;
        others_ = others;
        scratch_[0] = own, scratch_[1] = ahead, scratch_[2] = spare;
        return i;
    }

    /// Writes the results of the last row.
    void finish() noexcept {
        auto const last = others_;  // local, since writing y could change a member for all the compiler knows
        index_t const n = n_;
        P const end = last.result(P::load(last.last + n - lanes));
        for (index_t i = 0; i + lanes <= n; i += lanes) {
            P const y = last.result(P::load(last.last + i));
            last.is_streamed ? store_past_caches(last.last_y + i, y) : y.store(last.last_y + i);
        }
        if (n % lanes > 0) end.store(last.last_y + n - lanes);
        others_.last = nullptr;
    }

    index_t n_;
    request<T> asked_;
    mask<T> mask_;
    T* scratch_[rows_waiting] = {};                           // the row, the next and the last, where they wait
    T m_ = 0;                                                 // the maximum of the row to come
    bool asks_room_, has_nan_ = false, is_left_out_ = false;  // the last of the row to come
    rows_beside<Form, E> others_ = {};
};

SOFTAX_KERNELS_END
#endif
