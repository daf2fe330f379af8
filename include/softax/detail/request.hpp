// request: what a call asks of the kernels beside the form, and the constants of the exponential that it is said in.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T>
struct exp_constants;

/// How elements come to the exponential: as they are, or by the factor, shift and mantissa of their call and group. Where
/// these do nothing both give the same bits, so which is taken is a matter of speed.
enum class way { plain, general };

// x is not taken to be further below 2^k than bias + exponent_bias powers of two, where the exponent field of the result is 0: what
// is below is exactly 0, as its quotient is. Next to that field results may be subnormal, and a row half of -inf then takes twice
// the time of another. So the floor is counted from 2^k: from m, half a power above it, rounding would reach the next field.
// wide: from there on x - m is exact for every x that is not below that floor (Sterbenz), so m is taken off first.
// The coefficients of r^2, r^3, ... minimize the relative error of 1 + r + r^2 q(r) on [-ln 2 / 2, ln 2 / 2] (Remez, least
// squares): 2^-28.2 for float, 2^-57 for double. The product of ln2_high with any j is exact.
template <>
struct exp_constants<float> {
    static constexpr float ln2 = 0x1.62e43p-1f, wide = 512, magic = 0x1.8p23f, log2_e = 0x1.715476p+0f;
    static constexpr int bias = 64, exponent_bias = 127;
    static constexpr float ln2_high = 0x1.62e8p-1f, ln2_low = -0x1.e8082ep-16f;
    static constexpr float coefficient[] = {0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558fcp-5f, 0x1.123b9ap-7f,
                                            0x1.6a215ap-10f};
};

template <>
struct exp_constants<double> {
    static constexpr double ln2 = 0x1.62e42fefa39efp-1, wide = 2048, magic = 0x1.8p52, log2_e = 0x1.71547652b82fep+0;
    static constexpr int bias = 200, exponent_bias = 1023;
    static constexpr double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
    static constexpr double coefficient[] = {0x1.000000000000cp-1,  0x1.5555555555511p-3,  0x1.555555554fea9p-5,
                                             0x1.111111112217dp-7,  0x1.6c16c185f69edp-10, 0x1.a01a0148a0564p-13,
                                             0x1.a01995be45928p-16, 0x1.71dee1c8a3d4cp-19, 0x1.28b112d4dc832p-22,
                                             0x1.adeac49536391p-26};
};

/// 2^bias.
template <class T>
inline constexpr double bias_power = sizeof(T) == 4 ? 0x1p64 : 0x1p200;

/// What a call asks of the kernels beside the form: exp is taken of scale * x, and every group has one more logit, extra.
template <class T>
struct request {
    T factor;    // a power of two with the sign of the scale: x is multiplied by it as it is loaded, exactly
    T mantissa;  // what is left of the scale, in [1, 2): it enters where x is reduced, and its product is not rounded
    // The first three are finite: Clang multiplies by what lies behind the mantissa in lanes that nobody reads.
    T log2_e_mantissa, wide_over_mantissa, ln2_over_mantissa, extra_over_mantissa;
    double extra;                // as it enters exp, not scaled; -inf is none
    double origin = 0;           // added to logsumexp: what has been taken off every element, times the scale
    T const* results = nullptr;  // of logsumexp, in the order of the states; see call
    normalizer_state<T>* states = nullptr;

    static request of(call const& c) noexcept {
        request r = of(c.scale, c.extra);
        r.results = static_cast<T const*>(c.results), r.states = static_cast<normalizer_state<T>*>(c.states);
        return r;
    }

    static request of(double scale, double extra) noexcept {
        using c = exp_constants<T>;
        request r = {1, 1, c::log2_e, c::wide, c::ln2, 0, 0};
        if (scale != 1) {
            int exponent = 0;
            T const wanted = static_cast<T>(scale), f = 2 * std::abs(std::frexp(wanted, &exponent));
            r.factor = f == 0 ? T(0) : std::copysign(std::ldexp(T(1), exponent - 1), wanted);
            r.mantissa = f == 0 ? T(1) : f;
            r.log2_e_mantissa = c::log2_e * r.mantissa;
            r.wide_over_mantissa = c::wide / r.mantissa;
            r.ln2_over_mantissa = c::ln2 / r.mantissa;
        }
        r.set_extra(static_cast<double>(static_cast<T>(extra)));
        return r;
    }

    void set_extra(double logit) noexcept {
        extra = logit;
        double const m = static_cast<double>(mantissa);
        T const near = static_cast<T>(mantissa == 1 ? logit : logit / m);
        // Not above it: the sum of a group of which the maximum is too far above everything is 0.
        bool const is_above =
            static_cast<double>(near) * m != logit && std::fma(static_cast<double>(near), m, -logit) > 0;
        extra_over_mantissa = is_above ? std::nextafter(near, -std::numeric_limits<T>::infinity()) : near;
    }

    bool is_scaled() const noexcept { return factor != 1 || mantissa != 1; }
    /// Whether a group of that pivot is computed the plain way.
    bool is_plain(T m) const noexcept { return !is_scaled() && !(std::abs(m) > exp_constants<T>::wide); }
    bool has_extra() const noexcept { return extra != -std::numeric_limits<double>::infinity(); }

    /// Whether the extra logit is as good as an element: what is multiplied by the mantissa is not rounded before.
    bool is_extra_element() const noexcept {
        return has_extra() && mantissa == 1 && static_cast<double>(extra_over_mantissa) == extra;
    }

    /// What to take for the maximum of a group whose elements, times factor, have the maximum m.
    T pivot_of(T m) const noexcept { return m < extra_over_mantissa ? extra_over_mantissa : m; }
};

SOFTAX_KERNELS_END
#endif
