// gradient_columns: sums and results of groups side by side, added in the order of gradient_runs.hpp.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <rule Rule, weights Weights, class Y, class G, class Out>
class gradient_columns {
    using T = compute_type<Y>;
    using P = packet<T>;
    using elements = gradient_elements<Rule, Weights, Y, G, Out>;
    static constexpr index_t lanes = gradient_lanes<T>;
    static constexpr index_t strip_width = 256 / static_cast<index_t>(sizeof(T));

public:
    gradient_columns(derivative<Rule, T> const& formula, gradient_tile<Y, G, Out, T> const& tile) noexcept
        : elements_{formula, tile}, t_(tile), width_((tile.groups + P::lanes - 1) / P::lanes * P::lanes) {}

    /// At most gradient_width(n) of them.
    void kernel() noexcept {
        if constexpr (has_sum(Rule) && has_result(Rule)) {
            if (t_.n <= lanes) return short_columns();
        }
        if constexpr (has_sum(Rule)) add_columns();
        for (index_t j = 0; j < t_.groups && !has_result(Rule); ++j) t_.sum(j) = sum_[j];
        if constexpr (has_result(Rule)) {
            for (index_t j = 0; j < t_.groups && !has_sum(Rule); ++j) sum_[j] = t_.sum(j);
            index_t const fold = fold_of_results(), flat = fold * t_.groups, rows = t_.n / fold;
            for (index_t have = t_.groups; have < flat; have *= 2) std::copy_n(sum_, have, sum_ + have);
            elements const e = elements_;
            for (index_t i = 0; i < rows; ++i) finish_row(e, i * fold, flat, sum_);
            if (rows * fold < t_.n) finish_row(e, rows * fold, (t_.n - rows * fold) * t_.groups, sum_);
        }
    }

private:
    /// How many rows are one, where they follow one another and would not fill packets: loads need not wait for what has been stored
    /// beside them then, nor is any for some lanes only. In place (100,1000,8) over axis 1 takes .4 of the time (logsumexp_vjp).
    index_t fold_of_results() const noexcept {
        bool const is_dense =
            t_.row == t_.groups && t_.out_row == t_.groups && (Weights == weights::none || t_.where_row == t_.groups);
        bool const is_fit = t_.groups % P::lanes != 0 && t_.groups * P::lanes <= gradient_most_columns;
        return is_dense && is_fit ? P::lanes : 1;
    }

    /// The results of some elements that begin with row i. In line, or each row copies what makes them, and masked ones of 48 take
    /// 3.2 times as long as others (log_softmax_vjp, AVX2).
    EIGEN_ALWAYS_INLINE static void finish_row(elements const& e, index_t i, index_t count, T const* sums) noexcept {
        index_t const at = i * e.tile.row, to = i * e.tile.out_row, w = i * e.tile.where_row;
        index_t const whole = count / P::lanes * P::lanes, rest = count - whole;
        for (index_t j = 0; j < whole; j += P::lanes) {
            if (e.tile.ahead > 0)
                e.template ask_for<P::lanes, true>(at + 2 * e.tile.row + j, w + 2 * e.tile.where_row + j);
            e.finish(at + j, to + j, w + j, P::lanes, P::load(sums + j));
        }
        if (rest > 0) e.finish(at + whole, to + whole, w + whole, rest, P::load(sums + whole, rest, T(0)));
    }

    /// Columns of so few elements that each is a lane by itself: some cache lines at a time, kept beside their sums, since rows
    /// that are a power of two apart push each other out of every cache.
    void short_columns() noexcept {
        elements const e = elements_;
        for (index_t j = 0; j < t_.groups; j += strip_width) {
            index_t const columns = std::min(strip_width, t_.groups - j);
            for (index_t i = 0; i < t_.n; ++i) {
                index_t const at = i * t_.row + j, w = i * t_.where_row + j, to = i * strip_width;
                for (index_t p = 0; p < columns; p += P::lanes) {
                    P y, g;
                    index_t const live = std::min(P::lanes, columns - p);
                    e.take(y, g, at + p, live);
                    e.template ask_for<P::lanes, true>(at + p + strip_width, w + p + strip_width);
                    y.store(y_ + to + p);
                    g.store(g_ + to + p);
                    e.add(P::set(T(0)), y, g, w + p, live).store(lane_ + to + p);
                }
            }
            for (index_t half = lanes / 2; half > 0; half /= 2) {
                for (index_t l = 0; l < half && l + half < t_.n; ++l) {
                    T *const a = lane_ + l * strip_width, *const b = a + half * strip_width;
                    for (index_t p = 0; p < columns; p += P::lanes) (P::load(a + p) + P::load(b + p)).store(a + p);
                }
            }
            for (index_t i = 0; i < t_.n; ++i) {
                index_t const at = i * t_.row + j, w = i * t_.where_row + j, from = i * strip_width;
                for (index_t p = 0; p < columns; p += P::lanes) {
                    P const y = P::load(y_ + from + p), g = P::load(g_ + from + p);
                    index_t const live = std::min(P::lanes, columns - p);
                    put(e.result(y, g, P::load(lane_ + p), w + p, live), e.tile.out + at + p, live);
                }
            }
        }
    }

    /// Fills sum_.
    void add_columns() noexcept {
        if (t_.n <= gradient_chunk<T>) return add_chunk(0, t_.n, sum_);
        alignas(64) T part[gradient_most_columns];
        std::fill_n(total_, width_, wide{0, 0});
        for (index_t c = 0; c < t_.n; c += gradient_chunk<T>) {
            add_chunk(c, std::min(t_.n, c + gradient_chunk<T>), part);
            for (index_t j = 0; j < width_; ++j) add_total<T>(total_[j], {static_cast<double>(part[j]), 0});
        }
        for (index_t j = 0; j < width_; ++j) sum_[j] = static_cast<T>(total_[j].hi + total_[j].lo);
    }

    /// The sums of rows [first, end) of a chunk: four rows of a lane at a time, so that its packets are not read and written
    /// for each.
    void add_chunk(index_t first, index_t end, T* sums) noexcept {
        constexpr index_t together = 4 * lanes;
        elements const e = elements_;
        index_t const used = std::min(end - first, lanes);
        for (index_t l = 0; l < used; ++l)
            add_lane<begin::zero>(e, first + l, std::min(end, first + together), lane_ + l * width_);
        for (index_t b = first + together; b < end; b += together) {
            for (index_t l = 0; l < used && b + l < end; ++l) {
                add_lane<begin::lane>(e, b + l, std::min(end, b + together), lane_ + l * width_);
            }
        }
        for (index_t half = lanes / 2; half > 0; half /= 2) {
            for (index_t l = 0; l < half && l + half < used; ++l) add_lanes(l, l + half);
        }
        std::copy_n(lane_, width_, sums);
    }

    /// Where a lane begins: at 0, or with what it holds.
    enum class begin { zero, lane };

    /// Rows first, first + lanes, ... before end.
    template <begin Begin>
    EIGEN_ALWAYS_INLINE static void add_lane(elements const& e, index_t first, index_t end, T* lane) noexcept {
        index_t const whole = e.tile.groups / P::lanes * P::lanes, rest = e.tile.groups - whole;
        for (index_t j = 0; j < whole; j += P::lanes) add_packet<Begin>(e, {first, end, j}, P::lanes, lane + j);
        if (rest > 0) add_packet<Begin>(e, {first, end, whole}, rest, lane + whole);
    }

    struct stretch {
        index_t first, end, column;
    };

    template <begin Begin>
    EIGEN_ALWAYS_INLINE static void add_packet(elements const& e, stretch const& of, index_t n, T* lane) noexcept {
        P s = Begin == begin::lane ? P::load(lane) : P::set(T(0));
        for (index_t i = of.first; i < of.end; i += lanes) {
            if (e.tile.ahead > 0)  // rows of the next lane
                e.template ask_for<P::lanes, false>((i + 1) * e.tile.row + of.column,
                                                    (i + 1) * e.tile.where_row + of.column);
            s = e.add(s, i * e.tile.row + of.column, i * e.tile.where_row + of.column, n);
        }
        s.store(lane);
    }

    void add_lanes(index_t to, index_t from) noexcept {
        T *const a = lane_ + to * width_, *const b = lane_ + from * width_;
        for (index_t j = 0; j < width_; j += P::lanes) (P::load(a + j) + P::load(b + j)).store(a + j);
    }

    elements elements_;
    gradient_tile<Y, G, Out, T> t_;
    index_t width_;  // groups in whole packets
    alignas(64) T y_[has_result(Rule) ? lanes * strip_width : 1], g_[has_result(Rule) ? lanes * strip_width : 1];
    alignas(64) T lane_[has_sum(Rule) ? gradient_lane_elements<T> : 1];
    alignas(64) T sum_[gradient_most_columns];
    wide total_[has_sum(Rule) ? gradient_most_columns : 1];
};

SOFTAX_KERNELS_END
#endif
