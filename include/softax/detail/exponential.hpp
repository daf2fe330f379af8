// exponential: exp(x - m) of packets, up to a factor that all elements of a group share.
//
// x is reduced by multiples of ln 2 as it stands, not after m was subtracted: exp(x) = 2^j exp(r), so nothing is rounded away
// when x and m are far apart. What is returned is 2^(j - k + bias) exp(r), where 2^k is the power of two next to exp(m): the
// factor 2^bias keeps every value normal, down to those whose quotient is 0, and cancels in the quotient like exp(m) itself.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// What the exponential needs to know of a group, one group a lane. All NaN where its maximum is NaN or infinite.
template <class T>
struct pivot {
    packet<T> shift;  // the maximum where it is large, else 0
    packet<T> floor;  // x - shift below is as good as -inf
    packet<T> magic;  // rounds to an integer and holds bias - k

    template <way Way = way::general>
    EIGEN_ALWAYS_INLINE static pivot of(packet<T> m, request<T> const& asked) noexcept {
        using P = packet<T>;
        using c = exp_constants<T>;
        P const shift = Way == way::plain ? P::set(T(0)) : zero_unless_above(m, P::set(asked.wide_over_mantissa));
        P const rest = Way == way::plain ? m : m - shift;
        P const k = opaque(madd(rest, P::set(asked.log2_e_mantissa), P::set(c::magic))) - P::set(c::magic);
        constexpr T powers = T(c::bias + c::exponent_bias);
        return {shift, (k - P::set(powers)) * P::set(asked.ln2_over_mantissa), P::set(c::magic + powers) - k};
    }

    /// pivot::of for one group.
    template <way Way = way::general>
    EIGEN_ALWAYS_INLINE static pivot of(T m, request<T> const& asked) noexcept {
        return of<Way>(packet<T>::set(m), asked);
    }
};

/// Maxima and pivots of groups side by side, Width of them in whole packets.
template <class T, index_t Width>
struct pivots {
    using P = packet<T>;
    alignas(64) T m[Width], shift[Width], floor[Width], magic[Width];

    /// Fills the first n pivots, from maxima that become those beside the extra logit; whether the way is plain for all.
    bool take(index_t n, request<T> const& asked) noexcept {
        P const extra = P::set(asked.extra_over_mantissa), infinite = P::set(std::numeric_limits<T>::infinity());
        P any = P::set(T(0));
        for (index_t j = 0; j < n; j += P::lanes) {
            P const most = max(P::load(m + j), extra);
            most.store(m + j);
            auto const at = pivot<T>::of(most, asked);
            at.shift.store(shift + j), at.floor.store(floor + j), at.magic.store(magic + j);
            // A group whose maximum is infinite is NaN either way: empty ones beside others cost these nothing.
            P const far = max(at.shift, P::set(T(0)) - at.shift);
            any = max(any, zero_where_equal(far, far, infinite));
        }
        return !asked.is_scaled() && !has_positive(any);
    }

    /// Those of a packet of groups.
    EIGEN_ALWAYS_INLINE pivot<T> of_packet(index_t j) const noexcept {
        return {P::load(shift + j), P::load(floor + j), P::load(magic + j)};
    }

    /// That of one group.
    EIGEN_ALWAYS_INLINE pivot<T> of_group(index_t j) const noexcept {
        return {P::set(shift[j]), P::set(floor[j]), P::set(magic[j])};
    }
};

template <class T>
EIGEN_ALWAYS_INLINE packet<T> term(int i) noexcept {
    return packet<T>::set(exp_constants<T>::coefficient[i]);
}

/// Coefficients I and I + 1 of a polynomial in r.
template <int I, class T, class P>
EIGEN_ALWAYS_INLINE P two_terms(P const& r) noexcept {
    return madd(P(term<T>(I + 1)), r, P(term<T>(I)));
}

/// exp(r) - 1 = r + r^2 q(r). Terms go in pairs (Estrin): as many operations as Horner's rule, in a chain two thirds as long.
template <class T, class P>
EIGEN_ALWAYS_INLINE P exp_less_one(P const& r) noexcept {
    P const r2 = r * r;
    if constexpr (sizeof(T) == 4) {
        P const q = madd(madd(P(term<T>(4)), r2, two_terms<2, T>(r)), r2, two_terms<0, T>(r));
        return madd(q, r2, r);
    } else {
        P const r4 = r2 * r2, low = madd(two_terms<2, T>(r), r2, two_terms<0, T>(r)),
                high = madd(two_terms<6, T>(r), r2, two_terms<4, T>(r));
        return madd(madd(madd(two_terms<8, T>(r), r4, high), r4, low), r2, r);
    }
}

/// a * b + c, c being an exact number next to -a * b, as if the product were not rounded.
template <class T>
EIGEN_ALWAYS_INLINE packet<T> fused_sum(packet<T> a, packet<T> b, packet<T> c) noexcept {
    using P = packet<T>;
    if constexpr (P::has_fma) return madd(a, b, c);
    // The product in two parts (Veltkamp, Dekker), since nothing else keeps what rounding takes from it.
    P const split = P::set(T(index_t{1} << (std::numeric_limits<T>::digits + 1) / 2) + T(1));
    P const as = opaque(a * split), bs = opaque(b * split);
    P const ah = opaque(as - opaque(as - a)), bh = opaque(bs - opaque(bs - b));
    P const al = a - ah, bl = b - bh, p = opaque(a * b);
    P const left = al * bl - opaque(opaque(opaque(p - ah * bh) - al * bh) - ah * bl);
    return opaque(p + c) + left;
}

/// The scale of a call in packets.
template <class T>
struct scaling {
    packet<T> factor, mantissa, log2_e;

    EIGEN_ALWAYS_INLINE static scaling of(request<T> const& asked) noexcept {
        using P = packet<T>;
        return {P::set(asked.factor), P::set(asked.mantissa), P::set(asked.log2_e_mantissa)};
    }

    /// x as the other functions expect it.
    template <way Way>
    EIGEN_ALWAYS_INLINE packet<T> factored(packet<T> x) const noexcept {
        return Way == way::plain ? x : x * factor;
    }

    /// (x - m) mantissa - log, x not yet factored.
    EIGEN_ALWAYS_INLINE packet<T> log_softmax(packet<T> x, packet<T> m, packet<T> minus_log) const noexcept {
        return madd(x * factor - m, mantissa, minus_log);
    }

    /// x * mantissa + c, c being an exact number next to -x * mantissa.
    EIGEN_ALWAYS_INLINE packet<T> sum(packet<T> x, packet<T> c) const noexcept { return fused_sum(x, mantissa, c); }

    template <index_t Count>
    EIGEN_ALWAYS_INLINE halves<T, Count> sum(halves<T, Count> x, halves<T, Count> other) const noexcept {
        return {sum(x.low, other.low), sum(x.high, other.high)};
    }
};

/// exp((x - shift) mantissa) = power (1 + less_one), power being 2^(j - k + bias). P is a packet of T or a pack of them.
template <class T, class P = packet<T>>
struct reduced_exp {
    P less_one, power;

    template <way Way>
    EIGEN_ALWAYS_INLINE static reduced_exp of(P x, pivot<T> const& at, scaling<T> const& scale) noexcept {
        using c = exp_constants<T>;
        packet<T> const log2_e = Way == way::plain ? packet<T>::set(c::log2_e) : scale.log2_e;
        x = max(Way == way::plain ? x : x - P(at.shift), P(at.floor));
        P const z = opaque(madd(x, P(log2_e), P(at.magic)));
        P const j = opaque(z - P(at.magic)), high = packet<T>::set(-c::ln2_high);
        P const rest = Way == way::plain ? madd(j, high, x) : scale.sum(x, j * high);
        return {exp_less_one<T>(madd(j, P(packet<T>::set(-c::ln2_low)), rest)), power_of_low_bits(z)};
    }

    /// e[k] = that of x[k], all of them abreast.
    template <way Way, index_t Count>
    EIGEN_ALWAYS_INLINE static void of(reduced_exp (&e)[Count], P const (&x)[Count], pivot<T> const& at,
                                       scaling<T> const& scale) noexcept {
        P part[Count];
        auto const all = reduced_exp<T, pack<T, Count>>::template of<Way>(pack_of<Count, T>(x), at, scale);
        unpack<T>(part, all.less_one);
        SOFTAX_UNROLLED
        for (index_t k = 0; k < Count; ++k) e[k].less_one = part[k];
        unpack<T>(part, all.power);
        SOFTAX_UNROLLED
        for (index_t k = 0; k < Count; ++k) e[k].power = part[k];
    }

    /// 2^bias exp((x - m) mantissa), but for a factor in [0.7, 1.42) that depends on m alone; relative error at most 0.71
    /// epsilon. 0 <= result <= 1.42 * 2^bias for finite and -inf x; NaN for NaN x and wherever the pivot is NaN.
    EIGEN_ALWAYS_INLINE P value() const noexcept { return madd(less_one, power, power); }
};

SOFTAX_KERNELS_END
#endif
