// logarithms: those of the sums of groups side by side, a group in each lane.
//
// Apart from log_of(), which takes some 25 ns for each: 65,536 rows of 10 take .28 of the time of log_softmax with them together
// (AVX-512). Together or alone a group of float gives the same bits, so there is one way for it.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The sum S of exp((x - m) mantissa), in two parts: 1 for each element that is m, and the others, for which double has room if
/// they are float.
struct sum_beside {
    using D = packet<double>;

    D by,
        others;  // 1 over the factor of all exponentials of a group, see factor_of, known before the sum is; the others less it
    D sum,
        low;  // S is at least 1, and the others are never rounded to its precision: the confident class keeps its digits

    EIGEN_ALWAYS_INLINE static sum_beside of(D rest, D k, D count, D others, D mantissa) noexcept {
        constexpr double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
        D const r = (rest * mantissa - k * D::set(ln2_high)) - k * D::set(ln2_low);
        D const by = D::set(0x1p-64) / (D::set(1) + exp_less_one<double>(r)), t = others * by;
        D const sum = opaque(count + t), back = opaque(sum - count);
        return {by, t, sum, (count - opaque(sum - back)) + (t - back)};
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

/// log(sum + low) = 2 artanh(z) + e log(2), z = (f - 1) / (f + 1).
EIGEN_ALWAYS_INLINE packet<double> log_from_parts(packet<double> sum, packet<double> low, packet<double> power,
                                                  packet<double> exponent) noexcept {
    using D = packet<double>;
    D const less = madd(sum, power, D::set(-1)) + low * power;
    D const z = less / (D::set(2) + less), z2 = z * z;
    D series = D::set(2.0 / 11);
    for (double const next : {2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2.0}) series = madd(series, z2, D::set(next));
    return madd(exponent, D::set(0x1.62e42fefa39efp-1), series * z);
}

template <class T>
struct logarithms {
    static constexpr index_t lanes = packet<T>::lanes;

    /// In: the terms of the groups; see log_terms.
    alignas(64) T m[lanes], shift[lanes], magic[lanes];
    alignas(64) double count[lanes], others[lanes], others_low[lanes];
    /// Out: log(S) of the sums S of exp((x - m) mantissa), in two parts, with the extra logit.
    alignas(64) double log[lanes], log_low[lanes];
    /// Out for float without it: 1 over the factor of all exponentials of a group; others are then less that factor.
    alignas(64) double by[lanes];

    void put(index_t l, log_terms<T> const& g) noexcept {
        m[l] = g.m, shift[l] = g.shift, magic[l] = g.magic;
        count[l] = g.count, others[l] = g.others.hi, others_low[l] = g.others.lo;
    }

    /// All groups, from packets: their maxima, pivots, how many elements are the maximum, and the sum of the others.
    void put(packet<T> most, pivot<T> const& at, packet<T> equal, lane_sum<T> const& sum) noexcept {
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
        if constexpr (sizeof(T) == 4) {
            // What lies in the other lanes is any number.
            for (index_t l = live; l < lanes; ++l) put(l, terms(0));
            if (!asked.has_extra()) return take_together(asked);
        }
        for (index_t l = 0; l < live; ++l) {
            wide const all = log_of(terms(l), asked);
            log[l] = all.hi, log_low[l] = all.lo;
        }
    }

    /// Rounded to the type of the groups.
    T log_as(index_t l) const noexcept { return static_cast<T>(log[l] + log_low[l]); }

    /// That as it is.
    wide log_of_sum(index_t l) const noexcept { return {log[l], log_low[l]}; }

    /// Those of all groups of float, without an extra logit.
    void take_together(request<T> const& asked) noexcept {
        using D = packet<double>;
        alignas(64) double rest[lanes], k[lanes], power[lanes], exponent[lanes];
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) rest[l] = static_cast<double>(m[l] - shift[l]);
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) k[l] = static_cast<double>(exponent_of(magic[l]));
        D const mantissa = D::set(static_cast<double>(asked.mantissa));
        for (index_t l = 0; l < lanes; l += D::lanes) {
            auto const s =
                sum_beside::of(D::load(rest + l), D::load(k + l), D::load(count + l), D::load(others + l), mantissa);
            s.by.store(by + l);
            s.others.store(others + l);
            s.sum.store(log + l);
            s.low.store(log_low + l);
        }
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) {
            auto const parts = binary_parts::of(log[l]);
            power[l] = parts.power, exponent[l] = parts.exponent;
        }
        for (index_t l = 0; l < lanes; l += D::lanes) {
            log_from_parts(D::load(log + l), D::load(log_low + l), D::load(power + l), D::load(exponent + l))
                .store(log + l);
            D::set(0).store(log_low + l);
        }
    }
};

/// log_of, or for float what logarithms would give: alone a group needs no memory.
template <class T>
wide log_alone(log_terms<T> const& g, request<T> const& asked) noexcept {
    using D = packet<double>;
    if (sizeof(T) == 8 || asked.has_extra()) return log_of(g, asked);
    auto const s =
        sum_beside::of(D::set(static_cast<double>(g.m - g.shift)), D::set(static_cast<double>(exponent_of(g.magic))),
                       D::set(g.count), D::set(g.others.hi), D::set(static_cast<double>(asked.mantissa)));
    auto const parts = binary_parts::of(s.sum.first());
    return {log_from_parts(s.sum, s.low, D::set(parts.power), D::set(parts.exponent)).first(), 0};
}

/// Its logarithm rounded to the type of the group.
template <class T>
T log_as(log_terms<T> const& g, request<T> const& asked) noexcept {
    wide const log = log_alone(g, asked);
    return static_cast<T>(log.hi + log.lo);
}

/// origin + m mantissa + log.
template <class T>
T log_sum_of(T m, wide log, request<T> const& asked) noexcept {
    wide const by_m = two_product(static_cast<double>(m), static_cast<double>(asked.mantissa));
    wide const start = two_sum(asked.origin, by_m.hi), sum = two_sum(start.hi, log.hi);
    return static_cast<T>(sum.hi + (sum.lo + (start.lo + (log.lo + by_m.lo))));
}

/// The same of one group.
template <class T>
T log_sum_of(log_terms<T> const& g, request<T> const& asked) noexcept {
    return log_sum_of(g.m, log_alone(g, asked), asked);
}

SOFTAX_KERNELS_END
#endif
