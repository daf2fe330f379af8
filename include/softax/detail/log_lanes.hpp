// log_lanes: sums of exponentials and their logarithms, a group in each lane.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// exp(r) for abs(r) <= 0.36, relative error 2^-98: 1 + p doubled six times, from exp(r / 64) by its Taylor series. Apart, since it takes
/// all registers.
EIGEN_DONT_INLINE inline wide_lanes exp_near_zero(wide_lanes r) noexcept {
    using D = packet<double>;
    constexpr wide coefficient[] = {{0x1.1111111111111p-7, 0x1.1111111111111p-63},  // 1/5!, 1/4!, 1/3!
                                    {0x1.5555555555555p-5, 0x1.5555555555555p-59},
                                    {0x1.5555555555555p-3, 0x1.5555555555555p-57},
                                    {0.5, 0},
                                    {1, 0}};
    D const less = D::set(1 / 64.0);
    r = {r.hi * less, r.lo * less};
    D series = D::set(1 / 3628800.0);
    for (double const c : {1 / 362880.0, 1 / 40320.0, 1 / 5040.0, 1 / 720.0}) series = madd(series, r.hi, D::set(c));
    wide_lanes p = {series, D::set(0)};
    for (wide const c : coefficient) p = wide_lanes{D::set(c.hi), D::set(c.lo)} + r * p;
    p = r * p;
    for (int i = 0; i < 6; ++i) p = (p + p) + p * p;
    return wide_lanes{D::set(1), D::set(0)} + p;
}

/// Of one.
inline wide exp_near_zero(wide r) noexcept {
    using D = packet<double>;
    wide_lanes const e = exp_near_zero(wide_lanes{D::set(r.hi), D::set(r.lo)});
    return {e.hi.first(), e.lo.first()};
}

/// exp(r) for abs(r) <= 0.36, as exact as sums of T are kept.
template <class T>
EIGEN_ALWAYS_INLINE wide_lanes exp_of_rest(wide_lanes r) noexcept {
    if constexpr (sizeof(T) == 8) return exp_near_zero(r);
    return {packet<double>::set(1) + exp_less_one<double>(r.hi), packet<double>::set(0)};
}

/// d - k ln 2.
EIGEN_ALWAYS_INLINE packet<double> rest_of(packet<double> d, packet<double> k) noexcept {
    using c = exp_constants<double>;
    using D = packet<double>;
    return madd(k, D::set(-c::ln2_low), madd(k, D::set(-c::ln2_high), d));
}
EIGEN_ALWAYS_INLINE wide_lanes rest_of(wide_lanes d, packet<double> k) noexcept {
    using c = exp_constants<double>;
    using D = packet<double>;
    return two_sum(madd(k, D::set(-c::ln2_high), d.hi), madd(k, D::set(-c::ln2_low), d.lo));
}

/// The sum S of exp((x - m) mantissa) of groups of T.
template <class T>
struct sum_beside {
    using D = packet<double>;

    D by,
        others;  // 1 over the factor of all exponentials of a group, see factor_of, known before the sum is; the others less it
    wide_lanes sum;  // 1 for each element that is m, and the others, which are never rounded to the precision of 1: the
                     // confident class keeps its digits

    EIGEN_ALWAYS_INLINE static sum_beside of(D rest, D k, D count, wide_lanes others, D mantissa) noexcept {
        D const one = D::set(1);
        if constexpr (sizeof(T) == 4) {
            // A double has room for all that is asked of a float.
            D const r = rest_of(rest * mantissa, k);
            D const by = D::set(0x1p-64) / (one + exp_less_one<double>(r)), t = others.hi * by;
            return {by, t, two_sum(count, t)};
        } else {
            D const p = opaque(rest * mantissa), zero = D::set(0), unbiased = D::set(0x1p-200);
            wide_lanes const r = rest_of({p, fused_sum(rest, mantissa, zero - p)}, k);
            D const e = exp_less_one<double>(r.hi), factor = opaque(one + e),
                    factor_low = madd(r.lo, factor, e - opaque(factor - one));
            D const all = others.hi * unbiased, t = opaque(all / factor), minus = zero - t;
            D const left = fused_sum(minus, factor, all) + madd(minus, factor_low, others.lo * unbiased);
            wide_lanes const s = two_sum(count, t);
            return {unbiased / factor, t, {s.hi, s.lo + left / factor}};
        }
    }
};

/// S = 2^e f, f in [0.707, 1.415): what S is multiplied by to get f, and e.
struct binary_parts {
    double power, exponent;

    EIGEN_ALWAYS_INLINE static binary_parts of(double sum) noexcept {
        constexpr double rounds = 0x1.8p52;
        auto const e = (std::bit_cast<std::uint64_t>(sum) - 0x3fe6a09e00000000u) >> 52;
        return {std::bit_cast<double>((1023 - e) << 52),
                std::bit_cast<double>(e + std::bit_cast<std::uint64_t>(rounds)) - rounds};
    }
};

/// log(S) = log(f) + e log(2), from f - 1 = d and z = d / (2 + d): log(f) = 2 artanh(z).
template <class T>
EIGEN_ALWAYS_INLINE wide_lanes log_from_parts(wide_lanes const& sum, packet<double> power,
                                              packet<double> exponent) noexcept {
    using c = exp_constants<double>;
    using D = packet<double>;
    D const two = D::set(2), d = madd(sum.hi, power, D::set(-1)), low = sum.lo * power;
    if constexpr (sizeof(T) == 4) {
        D const less = d + low, z = less / (two + less), z2 = z * z;
        D series = D::set(2.0 / 11);
        SOFTAX_UNROLLED
        for (double const next : {2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2.0}) series = madd(series, z2, D::set(next));
        return {madd(exponent, D::set(c::ln2), series * z), D::set(0)};
    } else {
        // As d - d^2 / 2 + z (d^2 / 2 + r(z^2)), of which only d is as large as the result. The coefficients of r minimize the
        // error (Remez), 2^-58.8 of the logarithm.
        D const z = d / (two + d), z2 = z * z, half = D::set(0.5) * (d * d);
        D r = D::set(0x1.2de42cbd4a724p-3);
        SOFTAX_UNROLLED
        for (double const next : {0x1.39c0a38656268p-3, 0x1.7464f20a941cfp-3, 0x1.c71c58fd0f130p-3,
                                  0x1.249249386b8a5p-2, 0x1.999999998c18bp-2, 0x1.5555555555567p-1}) {
            r = madd(r, z2, D::set(next));
        }
        D const small = madd(exponent, D::set(c::ln2_low), low / (D::set(1) + d));
        return {exponent * D::set(c::ln2_high), d - (half - madd(z, madd(r, z2, half), small))};
    }
}

/// The logarithms of the sums of a packet of groups, each in two parts, in their place.
template <class T>
EIGEN_ALWAYS_INLINE void take_logs(double* sum, double* low) noexcept {
    using D = packet<double>;
    constexpr index_t lanes = packet<T>::lanes;
    alignas(64) double power[lanes], exponent[lanes];
    SOFTAX_VECTORIZED
    for (index_t l = 0; l < lanes; ++l) {
        auto const parts = binary_parts::of(sum[l]);
        power[l] = parts.power, exponent[l] = parts.exponent;
    }
    for (index_t l = 0; l < lanes; l += D::lanes) {
        wide_lanes const log =
            log_from_parts<T>({D::load(sum + l), D::load(low + l)}, D::load(power + l), D::load(exponent + l));
        log.hi.store(sum + l);
        log.lo.store(low + l);
    }
}

/// origin + m mantissa + log.
template <class T>
EIGEN_ALWAYS_INLINE packet<double> log_sum_of(packet<double> m, wide_lanes const& log,
                                              request<T> const& asked) noexcept {
    using D = packet<double>;
    D const mantissa = D::set(static_cast<double>(asked.mantissa)), by_m = opaque(m * mantissa);
    wide_lanes const start = two_sum(D::set(asked.origin), by_m), sum = two_sum(start.hi, log.hi);
    return sum.hi + (sum.lo + (start.lo + (log.lo + product_left(m, mantissa, by_m))));
}

SOFTAX_KERNELS_END
#endif
