// panel: the kernel for many groups side by side, the elements of each a stride apart.
//
// Works on a panel of columns at a time, row by row, so that memory is touched in runs; what belongs to a column (maximum,
// pivot, sums) waits in a small workspace. Sums go in the order of sum.hpp, so a column has the bits of the same row.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Elements in memory, and how far one row is from the next.
template <class T>
struct rows_at {
    T* data;
    index_t row;

    T* operator[](index_t i) const noexcept { return data + i * row; }
};

template <class T>
class panel {
    using P = packet<T>;

public:
    /// Wide enough that a page is not left after one packet, narrow enough that the sums take half of an L1 cache.
    static constexpr index_t width = 8192 / (sum_lanes * static_cast<index_t>(sizeof(T)));

    /// softmax or log_softmax of each of the columns of x, n rows, into y; for logsumexp one row of results.
    /// 1 <= columns <= width, n >= short_group. y may be x.
    template <form Form>
    void kernel(rows_at<T const> x, rows_at<T> y, index_t n, index_t columns, request<T> const& asked) noexcept {
        columns_ = columns;
        padded_ = (columns + P::lanes - 1) / P::lanes * P::lanes;
        scale_ = scaling<T>::of(asked);
        if (asked.is_scaled()) {
            find_maxima<way::general>(x, n);
        } else {
            find_maxima<way::plain>(x, n);
        }
        bool const is_plain = take_pivots(asked) && !asked.is_scaled();
        if (is_plain) {
            add<Form, way::plain>(x, y, n);
        } else {
            add<Form, way::general>(x, y, n);
        }
        if (asked.has_extra()) add_extra(asked);
        if constexpr (Form == form::softmax) return divide(y, n);
        for (index_t j = 0; j < columns; ++j) {
            log_terms<T> const terms = {m_[j], shift_[j], magic_[j], count_[j], sum_[j]};
            (Form == form::logsumexp ? y.data : log_)[j] =
                Form == form::logsumexp ? log_sum_of(terms, asked) : -log_as(terms, asked);
        }
        if constexpr (Form == form::log_softmax) subtract(x, y, n);
    }

private:
    index_t live(index_t j) const noexcept { return std::min(columns_ - j, P::lanes); }

    pivot<T> pivot_at(index_t j) const noexcept {
        return {P::load(shift_ + j), P::load(floor_ + j), P::load(magic_ + j)};
    }

    template <way Way>
    void find_maxima(rows_at<T const> x, index_t n) noexcept {
        std::fill_n(m_, padded_, -std::numeric_limits<T>::infinity());
        for (index_t i = 0; i < n; i += 4) {
            index_t const rows = std::min(n - i, index_t{4});
            for (index_t j = 0; j < columns_; j += P::lanes) {
                P largest = P::load(m_ + j);
                for (index_t k = 0; k < rows; ++k) {
                    largest = max(largest, scale_.template factored<Way>(P::load(x[i + k] + j, live(j), T(0))));
                }
                largest.store(m_ + j);
            }
        }
        std::fill(m_ + columns_, m_ + padded_, T(0));
    }

    /// The pivots of all columns; whether the way is plain for every one of them.
    bool take_pivots(request<T> const& asked) noexcept {
        for (index_t j = 0; j < columns_; ++j) m_[j] = asked.pivot_of(m_[j]);
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
    void add(rows_at<T const> x, rows_at<T> y, index_t n) noexcept {
        constexpr index_t lane_rows = 8;
        constexpr T start = Form == form::softmax ? lane_sum<T>::above : T(0);
        std::fill_n(sum_, columns_, wide{});
        std::fill_n(count_, columns_, 0.0);
        for (index_t c = 0; c < n; c += chunk) {
            index_t const end = std::min(n, c + chunk);
            for (index_t l = 0; l < sum_lanes; ++l) {
                std::fill_n(hi_ + l * width, padded_, start);
                std::fill_n(lo_ + l * width, padded_, T(0));
            }
            std::fill_n(equal_, padded_, T(0));
            for (index_t b = c; b < end; b += lane_rows * sum_lanes) {
                for (index_t l = 0; l < sum_lanes && b + l < end; ++l) {
                    index_t const i = b + l, left = (end - i + sum_lanes - 1) / sum_lanes;
                    add_lane<Form, Way>({x[i], x.row * sum_lanes}, {y[i], y.row * sum_lanes}, std::min(left, lane_rows),
                                        l);
                }
            }
            for (index_t j = 0; j < columns_; ++j) {
                add_total<T>(sum_[j], chunk_total(hi_ + j, lo_ + j, width, static_cast<double>(start)));
                count_[j] += static_cast<double>(equal_[j]);
            }
        }
    }

    /// Adds some rows of one lane.
    template <form Form, way Way>
    void add_lane(rows_at<T const> x, rows_at<T> y, index_t rows, index_t lane) noexcept {
        T *const hi = hi_ + lane * width, *const lo = lo_ + lane * width;
        for (index_t j = 0; j < columns_; j += P::lanes) {
            auto const at = pivot_at(j);
            lane_sum<T> sum = {P::load(hi + j), P::load(lo + j)};
            for (index_t i = 0; i < rows; ++i) {
                P const value = scale_.template factored<Way>(P::load(x[i] + j, live(j), T(0)));
                auto const e = reduced_exp<T>::template of<Way>(value, at, scale_);
                if constexpr (Form == form::softmax) {
                    e.value().store(y[i] + j, live(j));
                    sum.add_below(e.value());
                } else {
                    P const m = P::load(m_ + j), one = P::set(T(1));
                    sum.add_unless_equal(e, value, m);
                    (P::load(equal_ + j) + (one - zero_where_equal(one, value, m))).store(equal_ + j);
                }
            }
            sum.hi.store(hi + j);
            sum.lo.store(lo + j);
        }
    }

    void add_extra(request<T> const& asked) noexcept {
        for (index_t j = 0; j < columns_; j += P::lanes) extra_exp(pivot_at(j), asked).store(equal_ + j);
        for (index_t j = 0; j < columns_; ++j) add_total<T>(sum_[j], {static_cast<double>(equal_[j]), 0});
    }

    /// y = e / sum for every column, e standing in y. shift_ and floor_ take the parts of the quotient.
    void divide(rows_at<T> y, index_t n) noexcept {
        // The sums as two parts in the type, then as a quotient.
        for (index_t j = 0; j < columns_; ++j) {
            shift_[j] = static_cast<T>(sum_[j].hi);
            floor_[j] = static_cast<T>((sum_[j].hi - static_cast<double>(shift_[j])) + sum_[j].lo);
        }
        // The second bound never ends the loop; without it GCC 12 at -O3 sees a store beyond the array that cannot be.
        for (index_t j = 0; j < columns_ && j < width; j += P::lanes) {
            auto const by = quotient<T>::by(P::load(shift_ + j), P::load(floor_ + j));
            by.hi.store(shift_ + j);
            by.lo.store(floor_ + j);
        }
        for (index_t i = 0; i < n; ++i) {
            for (index_t j = 0; j < columns_; j += P::lanes) {
                quotient<T> const by = {P::load(shift_ + j), P::load(floor_ + j)};
                by(P::load(y[i] + j, live(j), T(0))).store(y[i] + j, live(j));
            }
        }
    }

    /// y = (x - m) - log for every column.
    void subtract(rows_at<T const> x, rows_at<T> y, index_t n) noexcept {
        for (index_t i = 0; i < n; ++i) {
            for (index_t j = 0; j < columns_; j += P::lanes) {
                P const value = P::load(x[i] + j, live(j), T(0));
                scale_.log_softmax(value, P::load(m_ + j), P::load(log_ + j)).store(y[i] + j, live(j));
            }
        }
    }

    index_t columns_ = 0, padded_ = 0;  // padded: in whole packets
    scaling<T> scale_;
    alignas(64) T m_[width], shift_[width], floor_[width], magic_[width];
    alignas(64) T equal_[width], log_[width];                      // log: its negative
    alignas(64) T hi_[sum_lanes * width], lo_[sum_lanes * width];  // one run of columns for each lane
    wide sum_[width];
    double count_[width];  // elements that are the maximum
};

SOFTAX_KERNELS_END
#endif
