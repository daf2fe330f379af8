// gradient_runs: sums and results of groups that are runs.
//
// A sum is added in lanes of at most 16 elements, then as a tree, then in double; which lane an element belongs to follows from
// its place in the group alone. So a group has the same bits along every axis, in every batch and layout.
//
// Products may round to -0. A sum is never -0 where that could be seen: where it is the result, or is taken from an element that is
// -0. Such an element leaves a lane that it has to itself 0, so for lanes of one element nothing need be done.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <rule Rule, weights Weights, class Y, class G, class Out>
class gradient_runs {
    using T = compute_type<Y>;
    using P = packet<T>;
    using elements = gradient_elements<Rule, Weights, Y, G, Out>;
    static constexpr index_t lanes = gradient_lanes<T>, packets = lanes / P::lanes;

public:
    gradient_runs(derivative<Rule, T> const& formula, gradient_tile<Y, G, Out, T> const& tile) noexcept
        : elements_{formula, tile}, t_(tile) {}

    /// Each group a run.
    void kernel() noexcept {
        switch ((t_.n + P::lanes - 1) / P::lanes) {
            case 1:
                return short_rows<1>();
            case 2:
                return short_rows<2>();
            case 3:
                return short_rows<3>();
            case 4:
                return short_rows<4>();
            default:
                return long_rows();
        }
    }

    /// Part of a run.
    void part(run_segment<T> const& s) noexcept {
        constexpr index_t step = gradient_chunk<T>;
        elements const e = elements_;
        if constexpr (has_sum(Rule)) {
            for (index_t c = s.first; c < s.end && s.step == run_step::sums; c += step) {
                s.chunk_sums[c / step] = chunk_sum(e, c, c, std::min(s.end - c, step));
            }
        }
        if (s.step == run_step::sums) return;
        T sum = T(0);
        if constexpr (!has_sum(Rule)) {
            sum = t_.sums[0];
        } else {
            // Every part adds the chunks up for itself, which takes no step more.
            wide total = {0, 0};
            for (index_t c = 0; c * step < t_.n; ++c) add_total<T>(total, {static_cast<double>(s.chunk_sums[c]), 0});
            sum = static_cast<T>(total.hi + total.lo);
        }
        if constexpr (has_result(Rule)) {
            finish_run(e, s.first, s.first, s.end - s.first, sum);
        } else if (s.first == 0) {
            t_.sums[0] = sum;
        }
    }

private:
    void long_rows() noexcept {
        elements const e = elements_;
        for (index_t j = 0; j < t_.groups; ++j) {
            index_t const at = j * t_.column, w = j * t_.where_column;
            T const sum = has_sum(Rule) ? row_sum(e, at, w) : t_.sums[j];
            if constexpr (!has_result(Rule)) t_.sums[j] = sum;
            if constexpr (has_result(Rule)) finish_run(e, at, w, t_.n, sum);
        }
    }

    /// The results of n elements of a group with that sum.
    EIGEN_ALWAYS_INLINE static void finish_run(elements const& e, index_t at, index_t w, index_t n, T sum) noexcept {
        P const s = P::set(sum);
        index_t i = 0;
        for (; i + P::lanes <= n; i += P::lanes) e.finish(at + i, at + i, w + i, P::lanes, s);
        if (i < n) e.finish(at + i, at + i, w + i, n - i, s);
    }

    /// Runs of as many packets, which are read once.
    template <index_t Packets>
    void short_rows() noexcept {
        elements const e = elements_;
        index_t const groups = t_.groups, rest = t_.n - (Packets - 1) * P::lanes;
        for (index_t j = 0; j < groups; ++j) {
            index_t const at = j * t_.column, w = j * t_.where_column;
            P y[Packets], g[Packets], lane[packets];
            SOFTAX_UNROLLED
            for (index_t p = 0; p < Packets; ++p) {
                e.take(y[p], g[p], at + p * P::lanes, p + 1 < Packets ? P::lanes : rest);
            }
            T sum = T(0);
            if constexpr (has_sum(Rule)) {
                SOFTAX_UNROLLED
                for (P& l : lane) l = P::set(T(0));
                SOFTAX_UNROLLED
                for (index_t p = 0; p < Packets; ++p) {
                    lane[p % packets] =
                        e.add(lane[p % packets], y[p], g[p], w + p * P::lanes, p + 1 < Packets ? P::lanes : rest);
                }
                sum = sum_of(lane);
                if constexpr (Packets > packets) sum += T(0);
            } else {
                sum = t_.sums[j];
            }
            if constexpr (!has_result(Rule)) t_.sums[j] = sum + T(0);
            if constexpr (has_result(Rule)) {
                P const s = P::set(sum);
                SOFTAX_UNROLLED
                for (index_t p = 0; p < Packets; ++p) {
                    index_t const live = p + 1 < Packets ? P::lanes : rest;
                    put(e.result(y[p], g[p], s, w + p * P::lanes, live), e.tile.out + at + p * P::lanes, live);
                }
            }
        }
    }

    /// The lanes of a chunk, added as a tree.
    EIGEN_ALWAYS_INLINE static T sum_of(P (&lane)[packets]) noexcept {
        SOFTAX_UNROLLED
        for (index_t half = packets / 2; half > 0; half /= 2) {
            SOFTAX_UNROLLED
            for (index_t p = 0; p < half; ++p) lane[p] = lane[p] + lane[p + half];
        }
        return sum_lane(lane[0]);
    }

    EIGEN_ALWAYS_INLINE T row_sum(elements const& e, index_t at, index_t w) const noexcept {
        wide total = {0, 0};
        for (index_t c = 0; c < t_.n; c += gradient_chunk<T>) {
            index_t const n = std::min(t_.n - c, gradient_chunk<T>);
            add_total<T>(total, {static_cast<double>(chunk_sum(e, at + c, w + c, n)), 0});
        }
        return static_cast<T>(total.hi + total.lo);
    }

    /// The sum of the n elements of a chunk.
    EIGEN_ALWAYS_INLINE static T chunk_sum(elements const& e, index_t at, index_t w, index_t n) noexcept {
        P lane[packets];
        for (P& l : lane) l = P::set(T(0));
        index_t i = 0;
        for (; i + lanes <= n; i += lanes) {
            SOFTAX_UNROLLED
            for (index_t p = 0; p < packets; ++p) {
                index_t const k = i + p * P::lanes;
                lane[p] = e.add(lane[p], at + k, w + k, P::lanes);
            }
        }
        // Written out too, or all of them would live in memory: masked rows of halves then take 1.8 times as long as others.
        SOFTAX_UNROLLED
        for (index_t p = 0; p < packets; ++p) {
            if (i + p * P::lanes >= n) break;
            index_t const k = i + p * P::lanes;
            lane[p] = e.add(lane[p], at + k, w + k, std::min(n - k, P::lanes));
        }
        return sum_of(lane);
    }

    elements elements_;
    gradient_tile<Y, G, Out, T> t_;
};

SOFTAX_KERNELS_END
#endif
