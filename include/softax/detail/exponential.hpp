// exponential: exp(x - m) of packets, up to a factor that all elements of a group share.
//
// x is reduced by multiples of ln 2 as it stands, not after m was subtracted: exp(x) = 2^j exp(r), so nothing is rounded away
// when x and m are far apart. What is returned is 2^(j - k + bias) exp(r), where 2^k is the power of two next to exp(m): the
// factor 2^bias keeps every value normal, down to those whose quotient is 0, and cancels in the quotient like exp(m) itself.
#ifdef SOFTAX_KERNELS_BEGIN  // kernels.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T>
struct exp_constants;

// floor: exp(-131) * 2^64 is still normal; divided by any sum it is exactly 0.
// wide: from there on x - m is exact for every x in [m - floor, m] (Sterbenz), so m is taken off first.
// The coefficients of r^2, r^3, ... minimize the relative error of 1 + r + r^2 q(r) on [-ln 2 / 2, ln 2 / 2] (Remez, least
// squares): 2^-28.2 for float, 2^-57 for double. With fused multiply-add ln2_high is ln 2 rounded; without, its product with
// j is exact.
template <>
struct exp_constants<float> {
    static constexpr bool fma = packet<float>::has_fma;
    static constexpr float floor = 131, wide = 512, magic = 0x1.8p23f, log2_e = 0x1.715476p+0f;
    static constexpr int bias = 64, exponent_bias = 127;
    static constexpr float ln2_high = fma ? 0x1.62e43p-1f : 0x1.62e8p-1f,
                           ln2_low = fma ? -0x1.05c61p-29f : -0x1.e8082ep-16f;
    static constexpr float coefficient[] = {0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558fcp-5f, 0x1.123b9ap-7f,
                                            0x1.6a215ap-10f};
};

template <>
struct exp_constants<double> {
    static constexpr bool fma = packet<double>::has_fma;
    static constexpr double floor = 800, wide = 2048, magic = 0x1.8p52, log2_e = 0x1.71547652b82fep+0;
    static constexpr int bias = 200, exponent_bias = 1023;
    static constexpr double ln2_high = fma ? 0x1.62e42fefa39efp-1 : 0x1.62e42fefap-1;
    static constexpr double ln2_low = fma ? 0x1.abc9e3b39803fp-56 : 0x1.cf79abc9e3b3ap-40;
    static constexpr double coefficient[] = {0x1.000000000000cp-1,  0x1.5555555555511p-3,  0x1.555555554fea9p-5,
                                             0x1.111111112217dp-7,  0x1.6c16c185f69edp-10, 0x1.a01a0148a0564p-13,
                                             0x1.a01995be45928p-16, 0x1.71dee1c8a3d4cp-19, 0x1.28b112d4dc832p-22,
                                             0x1.adeac49536391p-26};
};

/// What the exponential needs to know of a group with maximum m, one group a lane. All NaN where m is NaN or infinite.
template <class T>
struct pivot {
    packet<T> shift;  // m where it is large, else 0
    packet<T> floor;  // x - shift below is as good as -inf
    packet<T> magic;  // rounds to an integer and holds bias - k

    EIGEN_STRONG_INLINE static pivot of(packet<T> m) noexcept {
        using P = packet<T>;
        using c = exp_constants<T>;
        P const shift = zero_unless_above(m, P::set(c::wide)), rest = m - shift;
        P const k = opaque(madd(rest, P::set(c::log2_e), P::set(c::magic))) - P::set(c::magic);
        return {shift, rest - P::set(c::floor), P::set(c::magic + T(c::bias + c::exponent_bias)) - k};
    }
};

/// The k of which exp(x - shift) 2^(bias - k) is computed, from the magic of a pivot.
template <class T>
constexpr T exponent_of(T magic) noexcept {
    using c = exp_constants<T>;
    return (c::magic + T(c::bias + c::exponent_bias)) - magic;
}

template <class T>
EIGEN_STRONG_INLINE packet<T> term(int i) noexcept {
    return packet<T>::set(exp_constants<T>::coefficient[i]);
}

/// exp(r) - 1 = r + r^2 q(r). Terms go in pairs (Estrin): as many operations as Horner's rule, in a chain two thirds as long.
EIGEN_STRONG_INLINE packet<float> exp_less_one(packet<float> r) noexcept {
    packet<float> const r2 = r * r;
    packet<float> const q = madd(madd(term<float>(4), r2, madd(term<float>(3), r, term<float>(2))), r2,
                                 madd(term<float>(1), r, term<float>(0)));
    return madd(q, r2, r);
}

EIGEN_STRONG_INLINE packet<double> exp_less_one(packet<double> r) noexcept {
    packet<double> const r2 = r * r, r4 = r2 * r2;
    packet<double> const low =
        madd(madd(term<double>(3), r, term<double>(2)), r2, madd(term<double>(1), r, term<double>(0)));
    packet<double> const high =
        madd(madd(term<double>(7), r, term<double>(6)), r2, madd(term<double>(5), r, term<double>(4)));
    packet<double> const q = madd(madd(madd(term<double>(9), r, term<double>(8)), r4, high), r4, low);
    return madd(q, r2, r);
}

/// exp(x - shift) = power (1 + less_one), power being 2^(j - k + bias).
template <class T>
struct reduced_exp {
    packet<T> less_one, power;

    EIGEN_STRONG_INLINE static reduced_exp of(packet<T> x, pivot<T> const& at) noexcept {
        using P = packet<T>;
        using c = exp_constants<T>;
        x = max(x - at.shift, at.floor);
        P const z = opaque(madd(x, P::set(c::log2_e), at.magic));
        P const j = opaque(z - at.magic);
        P const r = madd(j, P::set(-c::ln2_low), madd(j, P::set(-c::ln2_high), x));
        return {exp_less_one(r), power_of_low_bits(z)};
    }
};

/// 2^bias exp(x - m), but for a factor in [0.7, 1.42) that depends on m alone; relative error at most 0.71 epsilon.
/// 0 < result <= 1.42 * 2^bias for finite and -inf x; NaN for NaN x and wherever the pivot is NaN.
template <class T>
EIGEN_STRONG_INLINE packet<T> exp_scaled(packet<T> x, pivot<T> const& at) noexcept {
    auto const e = reduced_exp<T>::of(x, at);
    return (packet<T>::set(T(1)) + e.less_one) * e.power;
}

SOFTAX_KERNELS_END
#endif
