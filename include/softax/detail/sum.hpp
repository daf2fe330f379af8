// sum: adds up the exponentials of a group, in one order whatever the kernel, and divides by the sum.
//
// Element i of a group belongs to chunk i / 512 and there to lane i % sum_lanes; a short group has one lane (see strip).
// A lane is added in order with its rounding errors kept; the lanes of a chunk are added as a tree, and the chunks in order,
// in double or double-double. A result therefore has the same bits along every axis, in every batch and layout, and a sum of
// any length is as good as exact before it is rounded.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

inline constexpr index_t chunk = 512;
/// At least a packet of either type.
inline constexpr index_t sum_lanes = std::max(index_t{8}, packet<float>::lanes);

/// The exponential where x is not m, and what rounding takes from 1 + less_one; without it many equal terms would all err to one side.
template <class T>
struct term_below {
    packet<T> value, left;

    EIGEN_ALWAYS_INLINE static term_below of(reduced_exp<T> const& e, packet<T> x, packet<T> m) noexcept {
        packet<T> const one = packet<T>::set(T(1)), sum = opaque(one + e.less_one);
        return {zero_where_equal(sum * e.power, x, m), zero_where_equal(e.less_one - opaque(sum - one), x, m)};
    }
};

/// One packet of lanes of a running sum with its rounding errors.
template <class T>
struct lane_sum {
    packet<T> hi, lo;

    /// The sum of exponentials starts above any of them, so that one comparison-free step keeps the error (Dekker).
    static constexpr T above =
        std::bit_cast<T>(static_cast<std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>(
                             exp_constants<T>::bias + exp_constants<T>::exponent_bias + 1)
                         << (std::numeric_limits<T>::digits - 1));

    EIGEN_ALWAYS_INLINE void add_below(packet<T> e) noexcept {
        packet<T> const s = opaque(hi + e);
        lo = lo + (e - opaque(s - hi));
        hi = s;
    }

    /// Adds the exponential where x is not m. For sums whose terms have no known order of size, which start at 0 (Knuth).
    EIGEN_ALWAYS_INLINE void add_unless_equal(reduced_exp<T> const& e, packet<T> x, packet<T> m) noexcept {
        auto const [term, left] = term_below<T>::of(e, x, m);
        packet<T> const s = opaque(hi + term), t = opaque(s - hi);
        lo = lo + madd(left, e.power, (hi - opaque(s - t)) + (term - t));
        hi = s;
    }
};

/// sum += part, in double for float groups, in double-double for double groups.
template <class T>
EIGEN_ALWAYS_INLINE void add_total(wide& sum, wide const& part) noexcept {
    sum = sizeof(T) == 4 ? wide{sum.hi + part.hi, 0} : sum + part;
}

/// The sum of one lane that started at start. The difference is exact; for float a double has room for both parts.
template <class T>
EIGEN_ALWAYS_INLINE wide lane_total(T hi, T lo, double start) noexcept {
    double const h = static_cast<double>(hi) - start, l = static_cast<double>(lo);
    return sizeof(T) == 4 ? wide{h + l, 0} : two_sum(h, l);
}

/// lane[0, Last) = the sums of 2 * Half lanes, as a tree.
template <index_t Half, index_t Last = 1, class Total>
EIGEN_ALWAYS_INLINE void add_halves(Total* lane) noexcept {
    if constexpr (Half >= Last) {
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < Half; ++l) lane[l] = lane[l] + lane[l + Half];
        add_halves<Half / 2, Last>(lane);
    }
}

/// total[0, Last) = the sums of the lanes of one chunk of float, that started at start: a double has room for both parts of each.
template <index_t Last>
EIGEN_ALWAYS_INLINE void add_lanes(double* total, float const* hi, float const* lo, double start) noexcept {
    double lane[sum_lanes];
    SOFTAX_VECTORIZED
    for (index_t l = 0; l < sum_lanes; ++l) {
        lane[l] = (static_cast<double>(hi[l]) - start) + static_cast<double>(lo[l]);
    }
    add_halves<sum_lanes / 2, Last>(lane);
    std::copy_n(lane, Last, total);
}

/// All of them.
EIGEN_ALWAYS_INLINE wide chunk_total(float const* hi, float const* lo, double start) noexcept {
    double total;
    add_lanes<1>(&total, hi, lo, start);
    return {total, 0};
}

/// Part 0 = the sum of 2 * Half parts, as a tree. Apart in memory, as vectors want them.
template <index_t Half>
EIGEN_ALWAYS_INLINE void add_wide_halves(double* hi, double* lo) noexcept {
    SOFTAX_VECTORIZED
    for (index_t l = 0; l < Half; ++l) {
        wide const both = wide{hi[l], lo[l]} + wide{hi[l + Half], lo[l + Half]};
        hi[l] = both.hi;
        lo[l] = both.lo;
    }
    if constexpr (Half > 1) add_wide_halves<Half / 2>(hi, lo);
}

EIGEN_ALWAYS_INLINE wide chunk_total(double const* hi, double const* lo, double start) noexcept {
    alignas(64) double h[sum_lanes], r[sum_lanes];
    SOFTAX_VECTORIZED
    for (index_t l = 0; l < sum_lanes; ++l) {
        wide const lane = lane_total(hi[l], lo[l], start);
        h[l] = lane.hi;
        r[l] = lane.lo;
    }
    add_wide_halves<sum_lanes / 2>(h, r);
    return {h[0], r[0]};
}

/// The same for rows that each have one chunk, lanes * packets of rows: the last halvings are done for a packet of them.
EIGEN_ALWAYS_INLINE void row_totals(wide* total, float const* hi, float const* lo, index_t rows,
                                    double start) noexcept {
    using P = packet<double>;
    alignas(64) double lane[P::lanes * P::lanes];
    for (index_t r = 0; r < rows; r += P::lanes) {
        for (index_t k = 0; k < P::lanes; ++k) {
            index_t const at = (r + k) * sum_lanes;
            add_lanes<P::lanes>(lane + k * P::lanes, hi + at, lo + at, start);
        }
        P square[P::lanes];
        SOFTAX_UNROLLED
        for (index_t k = 0; k < P::lanes; ++k) square[k] = P::load(lane + k * P::lanes);
        transpose(square);
        add_halves<P::lanes / 2>(square);
        square[0].store(lane);
        for (index_t k = 0; k < P::lanes; ++k) total[r + k] = {lane[k], 0};
    }
}

EIGEN_ALWAYS_INLINE void row_totals(wide* total, double const* hi, double const* lo, index_t rows,
                                    double start) noexcept {
    for (index_t r = 0; r < rows; ++r) {
        total[r] = {0, 0};
        add_total<double>(total[r], chunk_total(hi + r * sum_lanes, lo + r * sum_lanes, start));
    }
}

/// Divides by a sum, rounded once: e * (hi + lo) where multiply-add is fused, else a division. An e that is the sum gives
/// exactly 1.
template <class T>
struct quotient {
    packet<T> hi, lo;

    /// By a sum in two parts of the type itself.
    EIGEN_ALWAYS_INLINE static quotient by(packet<T> sum, packet<T> low) noexcept {
        if constexpr (!packet<T>::has_fma) return {sum, low};
        packet<T> const one = packet<T>::set(T(1)), h = one / sum, minus = packet<T>::set(T(0)) - h;
        return {h, h * madd(minus, low, madd(minus, sum, one))};
    }

    EIGEN_ALWAYS_INLINE static quotient by(wide sum) noexcept {
        T const h = static_cast<T>(sum.hi);
        return by(packet<T>::set(h), packet<T>::set(static_cast<T>((sum.hi - static_cast<double>(h)) + sum.lo)));
    }

    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> e) const noexcept {
        if constexpr (packet<T>::has_fma) {
            return madd(e, hi, e * lo);
        } else {
            return e / hi;
        }
    }
};

/// Quotients by n sums, in two parts. Whole packets of sums and of these.
template <class T>
void quotients(T* high, T* low, wide const* sum, index_t n) noexcept {
    using P = packet<T>;
    for (index_t j = 0; j < n; j += P::lanes) {
        alignas(64) T h[P::lanes], l[P::lanes];
        SOFTAX_VECTORIZED
        for (index_t k = 0; k < P::lanes; ++k) {
            h[k] = static_cast<T>(sum[j + k].hi);
            l[k] = static_cast<T>((sum[j + k].hi - static_cast<double>(h[k])) + sum[j + k].lo);
        }
        auto const by = quotient<T>::by(P::load(h), P::load(l));
        by.hi.store(high + j);
        by.lo.store(low + j);
    }
}

/// How far x is above infinity, by its bits, since -ffast-math knows neither that nor NaN: 0 for infinity, above for NaN.
template <class T>
auto above_infinity(T x) noexcept {
    using bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    bits const own = std::bit_cast<bits>(x) & std::numeric_limits<bits>::max();
    return own - std::bit_cast<bits>(std::numeric_limits<T>::infinity());
}
template <class T>
bool is_nan(T x) noexcept {
    return above_infinity(x) > 0;
}
template <class T>
bool is_finite(T x) noexcept {
    return above_infinity(x) < 0;
}

/// The sum of x[0, n), as good as exact, rounded to double.
inline double total_of(double const* x, index_t n) noexcept {
    using D = packet<double>;
    wide_lanes parts = {D::set(0), D::set(0)};
    index_t i = 0;
    for (; i + D::lanes <= n; i += D::lanes) {
        wide_lanes const next = two_sum(parts.hi, D::load(x + i));
        parts = {next.hi, parts.lo + next.lo};
    }
    alignas(64) double hi[D::lanes];
    parts.hi.store(hi);
    wide total = {0, sum_lane(parts.lo)};
    auto const add = [&total](double more) {
        wide const next = two_sum(total.hi, more);
        total = {next.hi, total.lo + next.lo};
    };
    for (double const part : hi) add(part);
    for (; i < n; ++i) add(x[i]);
    return is_nan(total.lo) ? total.hi : total.hi + total.lo;  // of an infinite sum what is left is no number
}

SOFTAX_KERNELS_END
#endif
