// sum: adds up the exponentials of a group, in one order whatever the kernel, and finishes a group from its sums.
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

/// hi + lo, hi being the sum rounded.
struct wide {
    double hi, lo;
};

/// a + b and what rounding took from it (Knuth).
EIGEN_STRONG_INLINE wide two_sum(double a, double b) noexcept {
    double const s = opaque(a + b), t = opaque(s - a);
    return {s, (a - opaque(s - t)) + (b - t)};
}

/// a * b and what rounding took from it.
inline wide two_product(double a, double b) noexcept { return {a * b, std::fma(a, b, -(a * b))}; }

EIGEN_STRONG_INLINE wide operator+(wide a, wide b) noexcept {
    wide const s = two_sum(a.hi, b.hi), low = {s.lo + (a.lo + b.lo), 0};
    double const hi = opaque(s.hi + low.hi);
    return {hi, low.hi - (hi - s.hi)};
}

/// One packet of lanes of a running sum with its rounding errors.
template <class T>
struct lane_sum {
    packet<T> hi, lo;

    /// The sum of exponentials starts above any of them, so that one comparison-free step keeps the error (Dekker).
    static constexpr T above =
        std::bit_cast<T>(static_cast<std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>(
                             exp_constants<T>::bias + exp_constants<T>::exponent_bias + 1)
                         << (std::numeric_limits<T>::digits - 1));

    EIGEN_STRONG_INLINE void add_below(packet<T> e) noexcept {
        packet<T> const s = opaque(hi + e);
        lo = lo + (e - opaque(s - hi));
        hi = s;
    }

    /// Adds the exponential where x is not m. For sums whose terms have no known order of size, which start at 0 (Knuth);
    /// what rounding took from 1 + less_one is added too, since many equal terms would all err to one side.
    EIGEN_STRONG_INLINE void add_unless_equal(reduced_exp<T> const& e, packet<T> x, packet<T> m) noexcept {
        packet<T> const one = packet<T>::set(T(1)), sum = opaque(one + e.less_one);
        packet<T> const left = zero_where_equal(e.less_one - opaque(sum - one), x, m);
        packet<T> const term = zero_where_equal(sum * e.power, x, m);
        packet<T> const s = opaque(hi + term), t = opaque(s - hi);
        lo = lo + madd(left, e.power, (hi - opaque(s - t)) + (term - t));
        hi = s;
    }
};

/// sum += part, in double for float groups, in double-double for double groups.
template <class T>
EIGEN_STRONG_INLINE void add_total(wide& sum, wide const& part) noexcept {
    sum = sizeof(T) == 4 ? wide{sum.hi + part.hi, 0} : sum + part;
}

/// The sum of one lane that started at start. The difference is exact; for float a double has room for both parts.
template <class T>
EIGEN_STRONG_INLINE wide lane_total(T hi, T lo, double start) noexcept {
    double const h = static_cast<double>(hi) - start, l = static_cast<double>(lo);
    return sizeof(T) == 4 ? wide{h + l, 0} : two_sum(h, l);
}

/// lane[0] = the sum of 2 * Half lanes, as a tree.
template <index_t Half, class Total>
EIGEN_STRONG_INLINE void add_halves(Total* lane) noexcept {
    SOFTAX_VECTORIZED
    for (index_t l = 0; l < Half; ++l) lane[l] = lane[l] + lane[l + Half];
    if constexpr (Half > 1) add_halves<Half / 2>(lane);
}

/// The sums of the lanes of one chunk, stride apart in memory, that started at start.
template <class T>
EIGEN_STRONG_INLINE wide chunk_total(T const* hi, T const* lo, index_t stride, double start) noexcept {
    // For float a double has room for both parts of a lane.
    using total = std::conditional_t<sizeof(T) == 4, double, wide>;
    total lane[sum_lanes];
    SOFTAX_VECTORIZED
    for (index_t l = 0; l < sum_lanes; ++l) {
        if constexpr (sizeof(T) == 4) {
            lane[l] = (static_cast<double>(hi[l * stride]) - start) + static_cast<double>(lo[l * stride]);
        } else {
            lane[l] = lane_total(hi[l * stride], lo[l * stride], start);
        }
    }
    add_halves<sum_lanes / 2>(lane);
    if constexpr (sizeof(T) == 4)
        return {lane[0], 0};
    else
        return lane[0];
}

/// Divides by a sum, rounded once: e * (hi + lo) where multiply-add is fused, else a division. An e that is the sum gives
/// exactly 1.
template <class T>
struct quotient {
    packet<T> hi, lo;

    /// By a sum in two parts of the type itself.
    EIGEN_STRONG_INLINE static quotient by(packet<T> sum, packet<T> low) noexcept {
        if constexpr (!packet<T>::has_fma) return {sum, low};
        packet<T> const one = packet<T>::set(T(1)), h = one / sum, minus = packet<T>::set(T(0)) - h;
        return {h, h * madd(minus, low, madd(minus, sum, one))};
    }

    EIGEN_STRONG_INLINE static quotient by(wide sum) noexcept {
        T const h = static_cast<T>(sum.hi);
        return by(packet<T>::set(h), packet<T>::set(static_cast<T>((sum.hi - static_cast<double>(h)) + sum.lo)));
    }

    EIGEN_STRONG_INLINE packet<T> operator()(packet<T> e) const noexcept {
        if constexpr (packet<T>::has_fma) {
            return madd(e, hi, e * lo);
        } else {
            return e / hi;
        }
    }
};

/// By its bits, since -ffast-math knows no NaN.
template <class T>
bool is_nan(T x) noexcept {
    using bits_type = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    return (std::bit_cast<bits_type>(x) << 1) > (std::bit_cast<bits_type>(std::numeric_limits<T>::infinity()) << 1);
}

/// What a group needs for its logarithm.
template <class T>
struct log_terms {
    T m, shift, magic;  // the maximum and its pivot
    double count;       // elements that are m
    wide others;        // sum of the exponentials of the elements below m, or for softmax of all
};

/// exp((m - shift) mantissa) 2^-k, the factor beside 2^bias of all exponentials of a group.
template <class T>
wide factor_of(log_terms<T> const& g, T mantissa) noexcept {
    constexpr double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;  // k * ln2_high is exact
    double const k = static_cast<double>(exponent_of(g.magic));
    wide const rest = two_product(static_cast<double>(g.m - g.shift), static_cast<double>(mantissa));
    wide const r = two_sum(rest.hi - k * ln2_high, rest.lo - k * ln2_low);
    double const above_one = std::expm1(r.hi);
    wide factor = two_sum(1, above_one);
    factor.lo += r.lo * factor.hi;
    return factor;
}

/// Adds the exponential of the extra logit to a sum of all exponentials, less the same factor 2^k as theirs.
template <class T>
void add_extra(log_terms<T>& g, request<T> const& asked) noexcept {
    constexpr double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
    double const k = static_cast<double>(exponent_of(g.magic));
    wide const shift = two_product(static_cast<double>(g.shift), static_cast<double>(asked.mantissa));
    wide const d = two_sum(asked.extra, -shift.hi);
    // Above the maximum by rounding alone, which takes 40 only beyond 1e8: as good as infinite, and still a number.
    double const r = std::min(d.hi - k * ln2_high, 40.0), low = (d.lo - shift.lo) - k * ln2_low;
    double const e = std::exp(r), biased = lane_sum<T>::above / 2;
    add_total<T>(g.others, {(e + e * low) * biased, 0});
}

/// extra - m mantissa.
template <class T>
wide extra_below(log_terms<T> const& g, request<T> const& asked) noexcept {
    wide const m = two_product(static_cast<double>(g.m), static_cast<double>(asked.mantissa));
    wide const d = two_sum(asked.extra, -m.hi);
    return {d.hi, d.lo - m.lo};
}

/// log(sum of exp((x - m) mantissa)) as hi + lo, with hi exact, the extra logit included. The sum is count + t, t being that
/// of the others, and t is never rounded to the precision of 1, so that the confident class keeps its digits. NaN where m is
/// infinite or a sum is NaN.
template <class T>
wide log_of(log_terms<T> const& g, request<T> const& asked) noexcept {
    constexpr double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
    wide const factor = factor_of(g, asked.mantissa);
    double const scale = std::ldexp(1.0, -exp_constants<T>::bias);
    double const others = g.others.hi * scale, others_low = g.others.lo * scale;
    wide t = {others / factor.hi, 0};
    t.lo = (std::fma(-t.hi, factor.hi, others) + (others_low - t.hi * factor.lo)) / factor.hi;
    double count = g.count;
    if (asked.has_extra()) {
        // Next to the maximum it is one of those that count, but for a little; above, by rounding of the maximum, it leads.
        wide const d = extra_below(g, asked);
        if (d.hi > 0.5) return {d.hi, d.lo + std::log1p((count + t.hi) * std::exp(-d.hi))};
        bool const is_near = d.hi > -0.5;
        double const e = std::exp(d.hi), more = is_near ? std::expm1(d.hi) : e;
        count += is_near ? 1 : 0;
        wide const both = two_sum(t.hi, more);
        t = {both.hi, both.lo + t.lo + e * d.lo};
    }
    wide const sum = two_sum(count, t.hi);
    int exponent = 0;
    double f = std::frexp(sum.hi, &exponent);
    if (f < 0.7) f *= 2, --exponent;
    double const n = exponent;
    return {n * ln2_high, n * ln2_low + (std::log(f) + (sum.lo + t.lo) / sum.hi)};
}

/// log_of rounded to the type of the group.
template <class T>
T log_as(log_terms<T> const& g, request<T> const& asked) noexcept {
    wide const log = log_of(g, asked);
    return static_cast<T>(log.hi + log.lo);
}

/// origin + m mantissa + log(sum of exp((x - m) mantissa)).
template <class T>
T log_sum_of(log_terms<T> const& g, request<T> const& asked) noexcept {
    wide const log = log_of(g, asked), m = two_product(static_cast<double>(g.m), static_cast<double>(asked.mantissa));
    wide const start = two_sum(asked.origin, m.hi), sum = two_sum(start.hi, log.hi);
    return static_cast<T>(sum.hi + (sum.lo + (start.lo + (log.lo + m.lo))));
}

SOFTAX_KERNELS_END
#endif
