// panel_sums: the sums of the columns of a panel, lane by lane in packets, then in whole.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Room for the sums of width columns, which are added up some at a time.
template <class T, index_t Width>
class panel_sums {
    using P = packet<T>;

public:
    /// One run of columns for each lane; folded, the lanes of all columns are one run.
    alignas(64) T hi[sum_lanes * Width], lo[sum_lanes * Width];
    alignas(64) T equal[Width];  // elements of the chunk that are the maximum
    wide sum[Width];
    double count[Width];  // elements that are the maximum

    void start(index_t columns) noexcept {
        std::fill_n(sum, padded(columns), wide{0, 0});
        std::fill_n(count, padded(columns), 0.0);
    }

    /// The lanes of a new chunk, each beginning at first.
    void start_chunk(panel_shape const& s, T first) noexcept {
        // Both are read to the end of a packet, of all columns and of the last that are side by side.
        index_t const run = std::max(padded(s.flat), s.flat - s.columns + padded(s.columns));
        for (index_t l = 0; l < sum_lanes / s.fold; ++l) {
            fill_run(hi + l * Width, run, first);
            fill_run(lo + l * Width, run, T(0));
        }
        fill_run(equal, padded(s.flat), T(0));
    }

    /// Adds the lanes of a chunk to the sums.
    template <form Form>
    void total(panel_shape const& s, double first) noexcept {
        for (index_t j = 0; j < s.columns; j += block) total_block(s, j, first);
        for (index_t j = 0; j < s.columns && Form != form::softmax; ++j) {
            for (index_t l = j; l < s.flat; l += s.columns) count[j] += static_cast<double>(equal[l]);
        }
    }

    /// Whether a column is -inf below a finite pivot.
    bool is_empty(index_t j) const noexcept { return sum[j].hi == 0 && count[j] == 0; }

    /// Such a column, which has no sum, gets one to divide by.
    void complete(index_t columns) noexcept {
        for (index_t j = 0; j < columns; j += block) {
            SOFTAX_VECTORIZED
            for (index_t k = 0; k < block; ++k) {
                double const missing = sum[j + k].hi == 0 && count[j + k] == 0 ? 1 : 0;
                sum[j + k].hi += missing, count[j + k] += missing;
            }
        }
    }

private:
    static constexpr index_t block = 16;

    static index_t padded(index_t columns) noexcept { return (columns + block - 1) / block * block; }

    /// The same for a block of columns at once, in loops of fixed length, which compilers turn into vectors.
    void total_block(panel_shape const& s, index_t j, double first) noexcept {
        alignas(64) double h[sum_lanes][block], r[sum_lanes][block];
        for (index_t l = 0, at = j; l < sum_lanes; ++l) {
            T const *const of_hi = hi + at, *const of_lo = lo + at;
            // The lanes of a folded row lie side by side; fold is a power of two.
            at += ((l + 1) & (s.fold - 1)) != 0 ? s.columns : Width - (s.flat - s.columns);
            SOFTAX_VECTORIZED
            for (index_t k = 0; k < block; ++k) {
                wide const of_lane = lane_total(of_hi[k], of_lo[k], first);
                h[l][k] = of_lane.hi;
                r[l][k] = of_lane.lo;
            }
        }
        add_blocks<sum_lanes / 2>(h, r);
        SOFTAX_VECTORIZED
        for (index_t k = 0; k < block; ++k) add_total<T>(sum[j + k], {h[0][k], r[0][k]});
    }

    /// Block 0 = the sum of 2 * Half blocks, as a tree.
    template <index_t Half>
    static void add_blocks(double (&hi)[sum_lanes][block], double (&lo)[sum_lanes][block]) noexcept {
        for (index_t l = 0; l < Half; ++l) {
            SOFTAX_VECTORIZED
            for (index_t k = 0; k < block; ++k) {
                if constexpr (sizeof(T) == 4) {
                    hi[l][k] += hi[l + Half][k];
                } else {
                    wide const both = wide{hi[l][k], lo[l][k]} + wide{hi[l + Half][k], lo[l + Half][k]};
                    hi[l][k] = both.hi;
                    lo[l][k] = both.lo;
                }
            }
        }
        if constexpr (Half > 1) add_blocks<Half / 2>(hi, lo);
    }
};

SOFTAX_KERNELS_END
#endif
