// panel: the kernel for many groups side by side, the elements of each a stride apart.
//
// Works on a panel of columns at a time, row by row, so that memory is touched in runs; what belongs to a column (maximum,
// pivot, sums) waits in a small workspace. Sums go in the order of sum.hpp, so a column has the bits of the same row.
// Rows that follow one another in memory are folded: sum_lanes of them are one wide row, with a column for each lane of each
// column, so that panels of 2 columns fill packets too.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T>
class panel {
    using P = packet<T>;
    static constexpr T lowest = -std::numeric_limits<T>::infinity();

public:
    /// Wide enough that a page is not left after one packet, narrow enough that the sums take half of an L1 cache.
    static constexpr index_t width = 1024 / static_cast<index_t>(sizeof(T));

    /// softmax or log_softmax of each of the columns of x, n rows, into y; for logsumexp one row of results.
    /// 1 <= columns <= width, n >= short_group. y may be x.
    template <form Form>
    void kernel(rows_at<T const> x, rows_at<T> y, index_t n, index_t columns, request<T> const& asked) noexcept {
        bool const is_folded =
            x.row == columns && (y.row == columns || Form == form::logsumexp) && columns * sum_lanes <= width;
        n_ = n, columns_ = columns, fold_ = is_folded ? sum_lanes : 1;
        flat_ = columns * fold_;
        padded_ = (flat_ + P::lanes - 1) / P::lanes * P::lanes;
        scale_ = scaling<T>::of(asked);
        x.row *= fold_, y.row *= fold_;
        bool const is_scaled = asked.is_scaled();
        if (is_scaled) {
            find_maxima<way::general>(x);
        } else {
            find_maxima<way::plain>(x);
        }
        bool const is_plain = take_pivots(asked) && !is_scaled;
        if (is_plain) {
            add<Form, way::plain>(x, y);
        } else {
            add<Form, way::general>(x, y);
        }
        if (Form == form::softmax && asked.has_extra()) add_extras(asked);
        finish<Form>(x, y, asked);
    }

private:
    pivot<T> pivot_at(index_t j) const noexcept {
        return {P::load(shift_ + j), P::load(floor_ + j), P::load(magic_ + j)};
    }

    /// The same for every lane of a column.
    void repeat(T* of_columns) const noexcept {
        for (index_t j = columns_; j < flat_; ++j) of_columns[j] = of_columns[j - columns_];
    }

    template <way Way>
    void find_maxima(rows_at<T const> x) noexcept {
        for (index_t j = 0; j < padded_; j += P::lanes) P::set(lowest).store(m_ + j);
        find_maxima<Way>(x, n_ / fold_, flat_);
        if (n_ % fold_ > 0) find_maxima<Way>({x[n_ / fold_], 0}, 1, n_ % fold_ * columns_);
        for (index_t j = columns_; j < flat_; ++j) {
            T& m = m_[j % columns_];
            m = m < m_[j] ? m_[j] : m;
        }
    }

    // Each pass over the packets of a row has a function for one packet, called with all lanes, a constant, and at the end with
    // those that are left.

    template <way Way>
    void find_maxima(rows_at<T const> x, index_t rows, index_t columns) noexcept {
        constexpr index_t some = 8;
        for (index_t i = 0; i < rows; i += some) {
            rows_at<T const> const from = {x[i], x.row};
            index_t const left = std::min(rows - i, some);
            index_t j = 0;
            for (; j + P::lanes <= columns; j += P::lanes) take_maxima<Way>(from, left, j, P::lanes);
            if (j < columns) take_maxima<Way>(from, left, j, columns - j);
        }
    }

    template <way Way>
    EIGEN_STRONG_INLINE void take_maxima(rows_at<T const> x, index_t rows, index_t j, index_t lanes) noexcept {
        P largest = P::load(m_ + j);
        T const* from = x.data + j;
        for (index_t i = 0; i < rows; ++i, from += x.row) {
            largest = max(largest, scale_.template factored<Way>(P::load(from, lanes, T(0))));
        }
        largest.store(m_ + j, lanes);
    }

    /// The pivots of all columns; whether the way is plain for every one of them.
    bool take_pivots(request<T> const& asked) noexcept {
        for (index_t j = 0; j < columns_; ++j) m_[j] = asked.pivot_of(m_[j]);
        repeat(m_);
        std::fill(m_ + flat_, m_ + padded_, T(0));
        P any = P::set(T(0));
        for (index_t j = 0; j < padded_; j += P::lanes) {
            auto const at = pivot<T>::of(P::load(m_ + j), asked);
            at.shift.store(shift_ + j);
            at.floor.store(floor_ + j);
            at.magic.store(magic_ + j);
            any = max(any, at.shift * at.shift);
        }
        return max_lane(any) == 0;
    }

    /// Fills the sums; stores the exponentials where the form wants them.
    template <form Form, way Way>
    void add(rows_at<T const> x, rows_at<T> y) noexcept {
        // A lane of a column is every step-th row.
        index_t const step = sum_lanes / fold_, chunk_rows = chunk / fold_, rows = (n_ + fold_ - 1) / fold_;
        constexpr T start = Form == form::softmax ? lane_sum<T>::above : T(0);
        sums_.start(columns_);
        for (index_t c = 0; c < rows; c += chunk_rows) {
            index_t const end = std::min(rows, c + chunk_rows);
            sums_.start_chunk(padded_, step, start);
            for (index_t b = c; b < end; b += lane_rows * step) {
                for (index_t l = 0; l < step && b + l < end; ++l) {
                    index_t const i = b + l, left = std::min((end - i + step - 1) / step, lane_rows);
                    add_lane<Form, Way>({x[i], x.row * step}, {y[i], y.row * step}, left, l, i + (left - 1) * step);
                }
            }
            sums_.template total<Form>({columns_, fold_, flat_}, static_cast<double>(start));
        }
    }

    /// Adds rows of one lane, the last of which may be the last of all and then not whole.
    template <form Form, way Way>
    void add_lane(rows_at<T const> x, rows_at<T> y, index_t rows, index_t lane, index_t last) noexcept {
        index_t const left = std::min(flat_, (n_ - last * fold_) * columns_);
        if (left < flat_) {
            if (rows > 1) add_rows<Form, Way>(x, y, rows - 1, flat_, lane);
            x.data = x[rows - 1], y.data = y[rows - 1], rows = 1;
        }
        add_rows<Form, Way>(x, y, rows, left, lane);
    }

    template <form Form, way Way>
    void add_rows(rows_at<T const> x, rows_at<T> y, index_t rows, index_t columns, index_t lane) noexcept {
        index_t j = 0;
        for (; j + P::lanes <= columns; j += P::lanes) {
            add_packet<Form, Way>({x.data + j, x.row}, {y.data + j, y.row}, rows, {j, P::lanes, lane});
        }
        if (j < columns) {
            add_packet<Form, Way>({x.data + j, x.row}, {y.data + j, y.row}, rows, {j, columns - j, lane});
        }
    }

    template <form Form, way Way>
    EIGEN_STRONG_INLINE void add_packet(rows_at<T const> x, rows_at<T> y, index_t rows,
                                        place_of_sums const& at) noexcept {
        auto const pivot = pivot_at(at.column);
        T *const hi = sums_.hi + at.lane * width + at.column, *const lo = sums_.lo + at.lane * width + at.column;
        T* const equal = sums_.equal + at.column;
        P const m = P::load(m_ + at.column), one = P::set(T(1));
        lane_sum<T> sum = {P::load(hi), P::load(lo)};
        auto const scale = scale_;
        for (index_t i = 0; i < rows; ++i, x.data += x.row, y.data += y.row) {
            P const value = scale.template factored<Way>(P::load(x.data, at.lanes, T(0)));
            auto const e = reduced_exp<T>::template of<Way>(value, pivot, scale);
            if constexpr (Form == form::softmax) {
                e.value().store(y.data, at.lanes);
                sum.add_below(e.value());
            } else {
                sum.add_unless_equal(e, value, m);
                (P::load(equal) + (one - zero_where_equal(one, value, m))).store(equal, at.lanes);
            }
        }
        // Lanes beyond the end have added what is not there.
        sum.hi.store(hi, at.lanes);
        sum.lo.store(lo, at.lanes);
    }

    log_terms<T> terms_of(index_t j) const noexcept {
        return {m_[j], shift_[j], magic_[j], sums_.count[j], sums_.sum[j]};
    }

    void add_extras(request<T> const& asked) noexcept {
        for (index_t j = 0; j < columns_; ++j) {
            auto terms = terms_of(j);
            add_extra(terms, asked);
            sums_.sum[j] = terms.others;
        }
    }

    template <form Form>
    void finish(rows_at<T const> x, rows_at<T> y, request<T> const& asked) noexcept {
        if constexpr (Form == form::softmax) {
            take_quotients();
        } else {
            for (index_t j = 0; j < columns_; ++j) {
                (Form == form::logsumexp ? y.data : log_)[j] =
                    Form == form::logsumexp ? log_sum_of(terms_of(j), asked) : -log_as(terms_of(j), asked);
            }
            repeat(log_);
        }
        if constexpr (Form == form::logsumexp) return;
        index_t const rows = n_ / fold_, rest = n_ % fold_ * columns_;
        for (index_t i = 0; i < rows; ++i) finish_row<Form>(x[i], y[i], flat_);
        if (rest > 0) finish_row<Form>(x[rows], y[rows], rest);
    }

    /// The sums as two parts in the type, then as quotients, which take the place of shift and floor.
    void take_quotients() noexcept {
        for (index_t j = 0; j < columns_; ++j) {
            shift_[j] = static_cast<T>(sums_.sum[j].hi);
            floor_[j] = static_cast<T>((sums_.sum[j].hi - static_cast<double>(shift_[j])) + sums_.sum[j].lo);
        }
        // The second bound never ends the loop; without it GCC 12 at -O3 sees a store beyond the array that cannot be.
        for (index_t j = 0; j < columns_ && j < width; j += P::lanes) {
            auto const by = quotient<T>::by(P::load(shift_ + j), P::load(floor_ + j));
            by.hi.store(shift_ + j);
            by.lo.store(floor_ + j);
        }
        repeat(shift_);
        repeat(floor_);
    }

    template <form Form>
    EIGEN_STRONG_INLINE void finish_row(T const* x, T* y, index_t columns) noexcept {
        index_t j = 0;
        for (; j + P::lanes <= columns; j += P::lanes) finish_packet<Form>(x + j, y + j, j, P::lanes);
        if (j < columns) finish_packet<Form>(x + j, y + j, j, columns - j);
    }

    template <form Form>
    EIGEN_STRONG_INLINE void finish_packet(T const* x, T* y, index_t j, index_t lanes) noexcept {
        if constexpr (Form == form::softmax) {
            quotient<T> const by = {P::load(shift_ + j), P::load(floor_ + j)};
            by(P::load(y, lanes, T(0))).store(y, lanes);
        } else {
            scale_.log_softmax(P::load(x, lanes, T(0)), P::load(m_ + j), P::load(log_ + j)).store(y, lanes);
        }
    }

    static constexpr index_t lane_rows = 8;

    index_t n_ = 0, columns_ = 0;
    index_t fold_ = 1, flat_ = 0, padded_ = 0;  // rows in a folded one; its columns, and these in whole packets
    scaling<T> scale_;
    alignas(64) T m_[width], shift_[width], floor_[width], magic_[width];
    alignas(64) T log_[width];  // its negative
    panel_sums<T, width> sums_;
};

SOFTAX_KERNELS_END
#endif
