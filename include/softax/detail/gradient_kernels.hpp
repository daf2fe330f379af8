// gradient_kernels: sums and results of groups that are runs, and of groups side by side.
//
// A sum is added in lanes of at most 16 elements, then as a tree, then in double; which lane an element belongs to follows from
// its place in the group alone. So a group has the same bits along every axis, in every batch and layout.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The lanes of x, added as a tree of halves.
template <class T>
EIGEN_STRONG_INLINE T sum_lane(packet<T> x) noexcept {
#ifdef SOFTAX_PACKET_BYTES
    typedef T half_type __attribute__((vector_size(SOFTAX_PACKET_BYTES / 2)));
    typedef T quarter_type __attribute__((vector_size(16)));
    half_type a, b;
    __builtin_memcpy(&a, &x.raw, sizeof a);
    __builtin_memcpy(&b, reinterpret_cast<char const*>(&x.raw) + sizeof a, sizeof b);
    a += b;
    if constexpr (sizeof(half_type) > 16) {
        typedef T eighth_type __attribute__((vector_size(SOFTAX_PACKET_BYTES / 4)));
        eighth_type c, d;
        __builtin_memcpy(&c, &a, sizeof c);
        __builtin_memcpy(&d, reinterpret_cast<char const*>(&a) + sizeof c, sizeof d);
        c += d;
        __builtin_memcpy(&a, &c, sizeof c);
    }
    quarter_type q;
    __builtin_memcpy(&q, &a, sizeof q);
    if constexpr (sizeof(T) == 8) return q[0] + q[1];
    if constexpr (sizeof(T) == 4) return (q[0] + q[2]) + (q[1] + q[3]);
#else
    constexpr index_t lanes = packet<T>::lanes;
    alignas(64) T lane[lanes];
    x.store(lane);
    for (index_t half = lanes / 2; half > 0; half /= 2) {
        for (index_t l = 0; l < half; ++l) lane[l] = lane[l] + lane[l + half];
    }
    return lane[0];
#endif
}

template <rule Rule, weights Weights, class Y, class G, class Out>
class gradient_kernel {
    using T = compute_type<Y>;
    using P = packet<T>;
    using elements = gradient_elements<Rule, Weights, Y, G, Out>;
    static constexpr index_t lanes = gradient_lanes<T>, packets = lanes / P::lanes;

public:
    gradient_kernel(derivative<Rule, T> const& formula, gradient_tile<Y, G, Out, T> const& tile) noexcept
        : elements_{formula, tile}, t_(tile), width_((tile.groups + P::lanes - 1) / P::lanes * P::lanes) {}

    /// Each group a run.
    void rows() noexcept {
        elements const e = elements_;
        for (index_t j = 0; j < t_.groups; ++j) {
            index_t const at = j * t_.column, w = j * t_.weight_column;
            T const sum = has_sum(Rule) ? row_sum(e, at, w) : t_.sums[j];
            if constexpr (!has_result(Rule)) t_.sums[j] = sum;
            if constexpr (has_result(Rule)) {
                P const s = P::set(sum);
                index_t i = 0;
                for (; i + P::lanes <= t_.n; i += P::lanes) e.finish(at + i, w + i, P::lanes, s);
                if (i < t_.n) e.finish(at + i, w + i, t_.n - i, s);
            }
        }
    }

    /// Groups side by side, at most gradient_width(n) of them.
    void columns() noexcept {
        if constexpr (has_sum(Rule)) add_columns();
        if constexpr (!has_result(Rule)) std::copy_n(sum_, t_.groups, t_.sums);
        if constexpr (has_result(Rule)) {
            if constexpr (!has_sum(Rule)) std::copy_n(t_.sums, t_.groups, sum_);
            elements const e = elements_;
            index_t const whole = t_.groups / P::lanes * P::lanes, rest = t_.groups - whole;
            for (index_t i = 0; i < t_.n; ++i) {
                index_t const at = i * t_.row, w = i * t_.weight_row;
                for (index_t j = 0; j < whole; j += P::lanes) e.finish(at + j, w + j, P::lanes, P::load(sum_ + j));
                if (rest > 0) e.finish(at + whole, w + whole, rest, P::load(sum_ + whole));
            }
        }
    }

private:
    EIGEN_STRONG_INLINE T row_sum(elements const& e, index_t at, index_t w) const noexcept {
        wide total = {0, 0};
        for (index_t c = 0; c < t_.n; c += gradient_chunk<T>) {
            index_t const end = std::min(t_.n, c + gradient_chunk<T>);
            P lane[packets];
            for (P& l : lane) l = P::set(T(0));
            index_t i = c;
            for (; i + lanes <= end; i += lanes) {
                for (index_t p = 0; p < packets; ++p) {
                    index_t const k = i + p * P::lanes;
                    lane[p] = e.add(lane[p], at + k, w + k, P::lanes);
                }
            }
            for (index_t p = 0; p < packets && i < end; ++p, i += P::lanes) {
                lane[p] = e.add(lane[p], at + i, w + i, std::min(end - i, P::lanes));
            }
            for (index_t half = packets / 2; half > 0; half /= 2) {
                for (index_t p = 0; p < half; ++p) lane[p] = lane[p] + lane[p + half];
            }
            add_total<T>(total, {static_cast<double>(sum_lane(lane[0])), 0});
        }
        return static_cast<T>(total.hi + total.lo);
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
    EIGEN_STRONG_INLINE static void add_lane(elements const& e, index_t first, index_t end, T* lane) noexcept {
        index_t const whole = e.tile.groups / P::lanes * P::lanes, rest = e.tile.groups - whole;
        for (index_t j = 0; j < whole; j += P::lanes) add_packet<Begin>(e, {first, end, j}, P::lanes, lane + j);
        if (rest > 0) add_packet<Begin>(e, {first, end, whole}, rest, lane + whole);
    }

    struct stretch {
        index_t first, end, column;
    };

    template <begin Begin>
    EIGEN_STRONG_INLINE static void add_packet(elements const& e, stretch const& of, index_t n, T* lane) noexcept {
        P s = Begin == begin::lane ? P::load(lane) : P::set(T(0));
        for (index_t i = of.first; i < of.end; i += lanes) {
            s = e.add(s, i * e.tile.row + of.column, i * e.tile.weight_row + of.column, n);
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
    alignas(64) T lane_[has_sum(Rule) ? gradient_lane_elements : 1];
    alignas(64) T sum_[gradient_most_columns];
    wide total_[has_sum(Rule) ? gradient_most_columns : 1];
};

SOFTAX_KERNELS_END
#endif
