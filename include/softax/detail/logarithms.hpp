// logarithms: those of the sums of groups side by side, a group in each lane.
//
// Apart from log_of(), which takes some 25 ns for each: 65,536 rows of 10 take .28 of the time of log_softmax with them together
// (AVX-512). Together or alone a group gives the same bits, so there is one way for it; with an extra logit it is log_of().
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The sum S of exp((x - m) mantissa) of groups of T.
template <class T>
struct sum_beside {
    using D = packet<double>;

    D by,
        others;  // 1 over the factor of all exponentials of a group, see factor_of, known before the sum is; the others less it
    wide_lanes sum;  // 1 for each element that is m, and the others, which are never rounded to the precision of 1: the
                     // confident class keeps its digits

    EIGEN_ALWAYS_INLINE static sum_beside of(D rest, D k, D count, wide_lanes others, D mantissa) noexcept {
        constexpr double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
        D const one = D::set(1), high = D::set(-ln2_high), low = D::set(-ln2_low);
        if constexpr (sizeof(T) == 4) {
            // A double has room for all that is asked of a float.
            D const r = madd(k, low, madd(k, high, rest * mantissa));
            D const by = D::set(0x1p-64) / (one + exp_less_one<double>(r)), t = others.hi * by;
            return {by, t, two_sum(count, t)};
        } else {
            D const p = opaque(rest * mantissa), zero = D::set(0), unbiased = D::set(0x1p-200);
            wide_lanes const r = two_sum(madd(k, high, p), madd(k, low, fused_sum(rest, mantissa, zero - p)));
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
    using D = packet<double>;
    D const two = D::set(2), d = madd(sum.hi, power, D::set(-1)), low = sum.lo * power;
    if constexpr (sizeof(T) == 4) {
        D const less = d + low, z = less / (two + less), z2 = z * z;
        D series = D::set(2.0 / 11);
        SOFTAX_UNROLLED
        for (double const next : {2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2.0}) series = madd(series, z2, D::set(next));
        return {madd(exponent, D::set(0x1.62e42fefa39efp-1), series * z), D::set(0)};
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
        D const small = madd(exponent, D::set(0x1.cf79abc9e3b3ap-40), low / (D::set(1) + d));
        return {exponent * D::set(0x1.62e42fefap-1), d - (half - madd(z, madd(r, z2, half), small))};
    }
}

/// What rounding takes from a * b, whatever the size of a.
EIGEN_ALWAYS_INLINE packet<double> product_left(packet<double> a, packet<double> b, packet<double> product) noexcept {
    using D = packet<double>;
    // The product is an operand of madd as it is, so that no compiler makes one operation of it and what it is added to.
    if constexpr (D::has_fma) return D::set(0) - madd(D::set(0) - a, b, product);
    alignas(64) double of[3][D::lanes];
    a.store(of[0]);
    b.store(of[1]);
    product.store(of[2]);
    for (index_t l = 0; l < D::lanes; ++l) of[2][l] = std::fma(of[0][l], of[1][l], -of[2][l]);
    return D::load(of[2]);
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

template <class T>
struct logarithms {
    static constexpr index_t lanes = packet<T>::lanes;

    /// In: the terms of the groups; see log_terms.
    alignas(64) T m[lanes], shift[lanes], magic[lanes];
    alignas(64) double count[lanes], others[lanes], others_low[lanes];
    /// Out: log(S) of the sums S of exp((x - m) mantissa), in two parts, with the extra logit.
    alignas(64) double log[lanes], log_low[lanes];
    /// Out without it: 1 over the factor of all exponentials of a group; others are then less that factor.
    alignas(64) double by[lanes];

    void put(index_t l, log_terms<T> const& g) noexcept {
        m[l] = g.m, shift[l] = g.shift, magic[l] = g.magic;
        count[l] = g.count, others[l] = g.others.hi, others_low[l] = g.others.lo;
    }

    /// All groups, from packets: their maxima, pivots, how many elements are the maximum, and the sum of the others.
    void put(packet<T> const& most, pivot<T> const& at, packet<T> const& equal, lane_sum<T> const& sum) noexcept {
        alignas(64) T of[3][lanes];
        most.store(m);
        at.shift.store(shift);
        at.magic.store(magic);
        equal.store(of[0]);
        sum.hi.store(of[1]);
        sum.lo.store(of[2]);
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) {
            wide const total = lane_total<T>(of[1][l], of[2][l], 0);
            count[l] = static_cast<double>(of[0][l]), others[l] = total.hi, others_low[l] = total.lo;
        }
    }

    log_terms<T> terms(index_t l) const noexcept {
        return {m[l], shift[l], magic[l], count[l], {others[l], others_low[l]}};
    }

    /// The logarithms of the first live groups.
    void take(index_t live, request<T> const& asked) noexcept {
        // What lies in the other lanes is any number.
        for (index_t l = live; l < lanes; ++l) put(l, terms(0));
        if (!asked.has_extra()) return take_together(asked);
        for (index_t l = 0; l < lanes; ++l) {
            wide const all = l < live ? log_of(terms(l), asked) : log_of_sum(0);
            log[l] = all.hi, log_low[l] = all.lo;
        }
    }

    wide log_of_sum(index_t l) const noexcept { return {log[l], log_low[l]}; }

    /// Rounded to the type of the groups.
    T log_as(index_t l) const noexcept { return static_cast<T>(log[l] + log_low[l]); }

    /// The negative logarithms of all groups.
    void take_negative(T* results) const noexcept {
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) results[l] = -log_as(l);
    }

    /// The logsumexp of all groups.
    void take_sums(T* results, request<T> const& asked) const noexcept {
        using D = packet<double>;
        alignas(64) double of[lanes];
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) of[l] = static_cast<double>(m[l]);
        for (index_t l = 0; l < lanes; l += D::lanes) {
            log_sum_of(D::load(of + l), {D::load(log + l), D::load(log_low + l)}, asked).store(of + l);
        }
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) results[l] = static_cast<T>(of[l]);
    }

    /// Those of all groups, without an extra logit.
    void take_together(request<T> const& asked) noexcept {
        using D = packet<double>;
        alignas(64) double rest[lanes], k[lanes], power[lanes], exponent[lanes];
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) rest[l] = static_cast<double>(m[l] - shift[l]);
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) k[l] = static_cast<double>(exponent_of(magic[l]));
        D const mantissa = D::set(static_cast<double>(asked.mantissa));
        for (index_t l = 0; l < lanes; l += D::lanes) {
            auto const s = sum_beside<T>::of(D::load(rest + l), D::load(k + l), D::load(count + l),
                                             {D::load(others + l), D::load(others_low + l)}, mantissa);
            s.by.store(by + l);
            s.others.store(others + l);
            s.sum.hi.store(log + l);
            s.sum.lo.store(log_low + l);
        }
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) {
            auto const parts = binary_parts::of(log[l]);
            power[l] = parts.power, exponent[l] = parts.exponent;
        }
        for (index_t l = 0; l < lanes; l += D::lanes) {
            auto const of_sum =
                log_from_parts<T>({D::load(log + l), D::load(log_low + l)}, D::load(power + l), D::load(exponent + l));
            of_sum.hi.store(log + l);
            of_sum.lo.store(log_low + l);
        }
    }
};

/// What logarithms would give: alone a group needs no memory.
template <class T>
wide log_alone(log_terms<T> const& g, request<T> const& asked) noexcept {
    using D = packet<double>;
    if (asked.has_extra()) return log_of(g, asked);
    auto const s = sum_beside<T>::of(
        D::set(static_cast<double>(g.m - g.shift)), D::set(static_cast<double>(exponent_of(g.magic))), D::set(g.count),
        {D::set(g.others.hi), D::set(g.others.lo)}, D::set(static_cast<double>(asked.mantissa)));
    auto const parts = binary_parts::of(s.sum.hi.first());
    auto const log = log_from_parts<T>(s.sum, D::set(parts.power), D::set(parts.exponent));
    return {log.hi.first(), log.lo.first()};
}

/// Its logarithm rounded to the type of the group.
template <class T>
T log_as(log_terms<T> const& g, request<T> const& asked) noexcept {
    wide const log = log_alone(g, asked);
    return static_cast<T>(log.hi + log.lo);
}

/// The logsumexp of a group.
template <class T>
T log_sum_of(log_terms<T> const& g, request<T> const& asked) noexcept {
    using D = packet<double>;
    wide const log = log_alone(g, asked);
    D const m = D::set(static_cast<double>(g.m));
    return static_cast<T>(log_sum_of(m, {D::set(log.hi), D::set(log.lo)}, asked).first());
}

SOFTAX_KERNELS_END
#endif
