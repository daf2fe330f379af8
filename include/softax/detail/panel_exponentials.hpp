// panel_exponentials: the second pass over a panel: exponentials, and their sums.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T, index_t Width>
class panel_exponentials {
    using P = packet<T>;

public:
    /// Of n rows.
    panel_exponentials(pivots<T, Width> const& at, panel_sums<T, Width>& sums, index_t n, panel_shape const& shape,
                       bool is_large) noexcept
        : at_(at), sums_(sums), n_(n), s_(shape), is_large_(is_large) {}

    /// Fills the sums; stores the exponentials in e where the form wants them. With bits the way must be plain.
    template <form Form, class Mask>
    void add(masked_rows<T, T, Mask> const& x, scaling<T> const& scale, rows_at<T> e, bool is_plain) noexcept {
        e_row_ = e.row;
        if constexpr (!masked_rows<T, T, Mask>::has_bits) {
            if (!is_plain) return add<Form>(source<way::general, T, Mask>{x, scale}, e);
        }
        if constexpr (masked_rows<T, T, Mask>::is_masked) {
            if (scale.factor.first() != 1) return add<Form>(source<way::plain, T, Mask, true>{x, scale}, e);
        }
        add<Form>(source<way::plain, T, Mask>{x, scale}, e);
    }

private:
    template <form Form, class Source>
    void add(Source const& x, rows_at<T> e) noexcept {
        // A lane of a column is every step-th row.
        index_t const step = sum_lanes / s_.fold, chunk_rows = chunk / s_.fold, rows = (n_ + s_.fold - 1) / s_.fold;
        constexpr T start = Form == form::softmax ? lane_sum<T>::above : T(0);
        sums_.start(s_.columns);
        for (index_t c = 0; c < rows; c += chunk_rows) {
            index_t const end = std::min(rows, c + chunk_rows);
            sums_.start_chunk(s_, start);
            for (index_t b = c; b < end; b += lane_rows * step) {
                for (index_t l = 0; l < step && b + l < end; ++l) {
                    index_t const i = b + l, left = std::min((end - i + step - 1) / step, lane_rows);
                    add_lane<Form>(x, {e[i], e.row * step}, {i, left, step}, l);
                }
            }
            sums_.template total<Form>(s_, static_cast<double>(start));
        }
    }

    /// Adds rows of one lane, the last of which may be the last of all and then not whole.
    template <form Form, class Source>
    void add_lane(Source const& x, rows_at<T> y, stepped_rows const& rows, index_t lane) noexcept {
        index_t const last = rows.first + (rows.count - 1) * rows.step;
        index_t const left = std::min(s_.flat, (n_ - last * s_.fold) * s_.columns),
                      whole = rows.count - (left < s_.flat);
        if (whole > 0) add_rows<Form>(x, y, {rows.first, whole, rows.step}, s_.flat, lane);
        if (whole < rows.count) add_rows<Form>(x, {y[whole], 0}, {last, 1, 0}, left, lane);
    }

    // Passes over a row have a function for one packet, called with all lanes, a constant, and at its end with those left.
    // Not in line, where what is around it would take its registers: logsumexp takes 1.15 times as long (AVX-512).
    template <form Form, class Source>
    EIGEN_DONT_INLINE void add_rows(Source const& x, rows_at<T> y, stepped_rows const& rows, index_t columns,
                                    index_t lane) noexcept {
        index_t j = 0;
        for (; j + P::lanes <= columns; j += P::lanes) add_packet<Form>(x, y, rows, {j, P::lanes, lane});
        if (j < columns) add_packet<Form>(x, y, rows, {j, columns - j, lane});
    }

    /// Whether rows of a large panel come too late if nobody asks. Where bits are all that is read beside them, if they come from
    /// memory: masked logsumexp of 10,000 rows of 4,096 takes .97 of the time then, of 2,000 rows of 256 1.05 times.
    template <class Source>
    bool asks_ahead(Source const& x) const noexcept {
        if constexpr (Source::has_bits) return n_ * x.x.row >= index_t{1} << 22;
        return Source::is_masked;
    }

    template <form Form, class Source>
    EIGEN_ALWAYS_INLINE void add_packet(Source const& x, rows_at<T> y, stepped_rows const& rows,
                                        place_of_sums const& at) noexcept {
        auto const pivot = at_.of_packet(at.column);
        T *const hi = sums_.hi + at.lane * Width + at.column, *const lo = sums_.lo + at.lane * Width + at.column;
        T* const equal = sums_.equal + at.column;
        P const m = P::load(at_.m + at.column), one = P::set(T(1));
        lane_sum<T> sum = {P::load(hi), P::load(lo)};
        T* to = y.data + at.column;
        auto place = x.at(rows.first, at.column);
        index_t const count = rows.count, step = rows.step;
        bool const is_asked_for = is_large_ && asks_ahead(x);
        bool const begins_line = at.column % (64 / static_cast<index_t>(sizeof(T))) == 0;
        SOFTAX_WRITTEN_OUT
        for (index_t i = 0; i < count; ++i, x.step(place, step), to += y.row) {
            if (Form != form::logsumexp && begins_line) prefetch_to(to + e_row_);  // rows of the next lane
            if (is_asked_for) x.ask_for(place, 1);
            P const value = x(place, at.lanes);
            auto const e = reduced_exp<T>::template of<Source::how>(value, pivot, x.scale);
            if constexpr (Form == form::softmax) {
                e.value().store(to, at.lanes);
                sum.add_below(e.value());
            } else {
                sum.add_unless_equal(e, value, m);
                (P::load(equal) + (one - zero_where_equal(one, value, m))).store(equal, at.lanes);
            }
        }
        // Lanes beyond the end have added what is not there, which only folded rows could take for theirs.
        index_t const kept = s_.fold > 1 ? at.lanes : P::lanes;
        sum.hi.store(hi, kept);
        sum.lo.store(lo, kept);
    }

    static constexpr index_t lane_rows = 8;

    pivots<T, Width> const& at_;
    panel_sums<T, Width>& sums_;
    index_t n_;
    panel_shape s_;
    bool is_large_;
    index_t e_row_ = 0;
};

SOFTAX_KERNELS_END
#endif
