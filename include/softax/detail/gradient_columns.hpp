// gradient_columns: sums and results of groups side by side, added in the order of gradient_runs.hpp.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <rule Rule, weights Weights, class Y, class G, class Out>
class gradient_columns {
    using T = compute_type<Y>;
    using P = packet<T>;
    using elements = gradient_elements<Rule, Weights, Y, G, Out>;
    static constexpr index_t lanes = gradient_lanes<T>;

public:
    gradient_columns(derivative<Rule, T> const& formula, gradient_tile<Y, G, Out, T> const& tile) noexcept
        : elements_{formula, tile}, t_(tile), width_((tile.groups + P::lanes - 1) / P::lanes * P::lanes) {}

    /// At most gradient_width(n) of them.
    void kernel() noexcept {
        bool const is_short = has_sum(Rule) && t_.n <= gradient_short<T> && t_.groups >= P::lanes;
        // Each run fills a packet.
        index_t const width = is_short ? filled_block(t_.groups, run_length(), P::lanes, P::lanes) : t_.groups;
        for (index_t j = 0; j < t_.groups; j += width) {
            index_t const columns = std::min(width, t_.groups - j);
            if constexpr (has_sum(Rule)) {
                is_short ? add_rows({std::min(t_.n, lanes), j, t_.row, j, t_.where_row}, columns, sum_, lane_)
                         : add_columns();
            }
            for (index_t p = 0; p < columns && !has_sum(Rule); ++p) sum_[p] = t_.sum(p);
            for (index_t p = 0; p < columns && !has_result(Rule); ++p) t_.sum(j + p) = sum_[p] + T(0);  // never -0
            if constexpr (has_result(Rule)) finish(j, columns, 0, t_.n);
        }
    }

    /// Some rows of all columns; the sums of a chunk lie side by side.
    void part(run_segment<T> const& s) noexcept {
        constexpr index_t step = gradient_chunk<T>, apart = gradient_most_columns;
        if constexpr (has_sum(Rule)) {
            for (index_t c = s.first; c < s.end && s.step == run_step::sums; c += step)
                add_chunk(c, std::min(s.end, c + step), s.chunk_sums + c / step * apart);
        }
        if (s.step == run_step::sums) return;
        if constexpr (has_sum(Rule)) {
            start_totals();
            for (index_t c = 0; c < t_.n; c += step) add_to_totals(s.chunk_sums + c / step * apart);
            take_totals();
        } else {
            for (index_t j = 0; j < t_.groups; ++j) sum_[j] = t_.sum(j);
        }
        if constexpr (has_result(Rule)) return finish(0, t_.groups, s.first, s.end);
        for (index_t j = 0; j < t_.groups && s.first == 0; ++j) t_.sum(j) = sum_[j] + T(0);
    }

private:
    /// Columns of at most two elements a lane are added a run of each row at a time, which is read again for the results: to keep it
    /// takes longer, 1.5 times for (16,65536) of half over axis 0. Runs of both arrays are to fit in an L1 cache. Those of few rows
    /// are short: (2,1000000) of double over axis 0 takes 1.6 times as long in runs of 4096 bytes. Rows that are pages apart push each
    /// other out of the cache however short their runs; long ones are fetched faster then, of (16,2048) of double in .75 of the time.
    index_t run_length() const noexcept {
        constexpr index_t element = static_cast<index_t>(sizeof(T));
        bool const is_apart = t_.row * element % 4096 == 0;
        index_t const most = is_apart ? 256 * t_.n : std::min(128 * t_.n, 16384 / t_.n / 256 * 256);
        return std::clamp(most / element, 512 / element, gradient_most_columns);
    }

    /// The results of rows [i, end) of some columns.
    void finish(index_t first, index_t columns, index_t i, index_t end) noexcept {
        elements const e = elements_;
        index_t const fold = std::min(end - i, fold_of_results(columns)), flat = fold * columns;
        for (index_t have = columns; have < flat; have *= 2) std::copy_n(sum_, have, sum_ + have);
        for (; i + fold <= end; i += fold) finish_row(e, i, first, flat, sum_);
        if (i < end) finish_row(e, i, first, (end - i) * columns, sum_);
    }

    /// How many rows are one, where they follow one another and would not fill packets: loads need not wait for what has been stored
    /// beside them then, nor is any for some lanes only. In place (100,1000,8) over axis 1 takes .4 of the time (logsumexp_vjp).
    index_t fold_of_results(index_t columns) const noexcept {
        bool const is_dense =
            t_.row == columns && t_.out_row == columns && (Weights == weights::none || t_.where_row == columns);
        bool const is_fit = columns % P::lanes != 0 && columns * P::lanes <= gradient_most_columns;
        bool const is_less = columns < 2 * P::lanes || t_.n >= 4 * P::lanes;  // than to copy sums
        return is_dense && is_fit && is_less ? P::lanes : 1;
    }

    /// The results of some elements that begin with row i. In line, or each row copies what makes them, and masked ones of 48 take
    /// 3.2 times as long as others (log_softmax_vjp, AVX2).
    EIGEN_ALWAYS_INLINE static void finish_row(elements const& e, index_t i, index_t first, index_t count,
                                               T const* sums) noexcept {
        index_t const at = i * e.tile.row + first, to = i * e.tile.out_row + first, w = i * e.tile.where_row + first;
        index_t const whole = count / P::lanes * P::lanes, rest = count - whole;
        for (index_t j = 0; j < whole; j += P::lanes) {
            if (e.tile.ahead > 0)
                e.template ask_for<P::lanes, true>(at + 2 * e.tile.row + j, w + 2 * e.tile.where_row + j);
            e.finish(at + j, to + j, w + j, P::lanes, P::load(sums + j));
        }
        if (rest > 0) e.finish(at + whole, to + whole, w + whole, rest, P::load(sums + whole, rest, T(0)));
    }

    /// Some rows: where the first begins, and how far it is to the next.
    struct spaced_rows {
        index_t count, at, step, w, where_step;

        spaced_rows even() const noexcept { return {(count + 1) / 2, at, 2 * step, w, 2 * where_step}; }
        spaced_rows odd() const noexcept { return {count / 2, at + step, 2 * step, w + where_step, 2 * where_step}; }
    };

    /// The sums of the columns of some lanes, which these rows begin, in the order in which lanes are added: those of every second
    /// one and those of the others, which are brought to spare. Up to eight are added in registers, or four of two rows each.
    void add_rows(spaced_rows const& r, index_t columns, T* to, T* spare) noexcept {
        bool const are_single = t_.n <= lanes;
        if (r.count > (are_single ? 8 : 4)) {
            add_rows(r.even(), columns, to, spare);
            add_rows(r.odd(), columns, spare, spare + gradient_most_columns);
            return merge(spare, columns, to);
        }
        if (!are_single) return add_few<4, 2>(r, columns, to);
        switch (r.count) {
            case 1:
                return add_few<1>(r, columns, to);
            case 2:
                return add_few<2>(r, columns, to);
            case 3:
                return add_few<3>(r, columns, to);
            case 4:
                return add_few<4>(r, columns, to);
            case 5:
                return add_few<5>(r, columns, to);
            case 6:
                return add_few<6>(r, columns, to);
            case 7:
                return add_few<7>(r, columns, to);
            default:
                return add_few<8>(r, columns, to);
        }
    }

    /// The same of Lanes lanes of at most Rows rows. The last packet ends with the last column: some of its sums are made twice.
    template <index_t Lanes, index_t Rows = 1>
    void add_few(spaced_rows const& of, index_t columns, T* to) noexcept {
        elements const e = elements_;
        spaced_rows r = of;
        // See gradient_runs.hpp. To add -0 changes nothing and compilers know that.
        P const zero = P::set(Rows == 1 ? -T(0) : T(0));
        index_t const whole = columns / P::lanes * P::lanes, last = columns - P::lanes;
        for (index_t p = 0; p < whole; p += P::lanes, r.at += P::lanes, r.w += P::lanes)
            (sum_of<Lanes, Rows>(e, r) + zero).store(to + p);
        if (whole == columns) return;
        P::set(T(0)).store(to + whole);  // what is merged beyond the end
        add_few<Lanes, Rows>({of.count, of.at + last, of.step, of.w + last, of.where_step}, P::lanes, to + last);
    }

    template <index_t Lanes, index_t Rows>
    EIGEN_ALWAYS_INLINE static P sum_of(elements const& e, spaced_rows const& r) noexcept {
        if constexpr (Lanes > 1) {
            return sum_of<(Lanes + 1) / 2, Rows>(e, r.even()) + sum_of<Lanes / 2, Rows>(e, r.odd());
        } else {
            P const first = add(e, P::set(T(0)), r.at, r.w);
            if constexpr (Rows == 1) return first;
            index_t const second = r.at + lanes * e.tile.row;
            bool const is_there = second < e.tile.n * e.tile.row;
            return is_there ? add(e, first, second, r.w + lanes * e.tile.where_row) : first;
        }
    }

    EIGEN_ALWAYS_INLINE static P add(elements const& e, P s, index_t at, index_t w) noexcept {
        constexpr index_t ahead = 512 / static_cast<index_t>(sizeof(T));
        if (e.tile.ahead > 0) e.template ask_for<P::lanes, has_result(Rule)>(at + ahead, w + ahead);
        return e.add(s, at, w, P::lanes);
    }

    /// Fills sum_.
    void add_columns() noexcept {
        if (t_.n <= gradient_chunk<T>) return add_chunk(0, t_.n, sum_);
        alignas(64) T part[gradient_most_columns];
        start_totals();
        for (index_t c = 0; c < t_.n; c += gradient_chunk<T>) {
            add_chunk(c, std::min(t_.n, c + gradient_chunk<T>), part);
            add_to_totals(part);
        }
        take_totals();
    }

    void start_totals() noexcept { std::fill_n(total_, width_, wide{0, 0}); }
    void add_to_totals(T const* part) noexcept {
        for (index_t j = 0; j < width_; ++j) add_total<T>(total_[j], {static_cast<double>(part[j]), 0});
    }
    void take_totals() noexcept {
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
            for (index_t l = 0; l < half && l + half < used; ++l)
                merge(lane_ + (l + half) * width_, width_, lane_ + l * width_);
        }
        for (index_t j = 0; j < width_; j += P::lanes) (P::load(lane_ + j) + P::set(T(0))).store(sums + j);
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

    /// Adds a lane of columns to another.
    static void merge(T const* lane, index_t columns, T* to) noexcept {
        for (index_t p = 0; p < columns; p += P::lanes) (P::load(to + p) + P::load(lane + p)).store(to + p);
    }

    elements elements_;
    gradient_tile<Y, G, Out, T> t_;
    index_t width_;  // groups in whole packets
    alignas(64) T lane_[has_sum(Rule) ? gradient_lane_elements<T> : 1];
    alignas(64) T sum_[gradient_most_columns];
    wide total_[has_sum(Rule) ? gradient_most_columns : 1];
};

SOFTAX_KERNELS_END
#endif
