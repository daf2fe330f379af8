// logarithm: of the sum of a group, to the last digits; and the extra logit, which enters sum and logarithm.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The k of which exp(x - shift) 2^(bias - k) is computed, from the magic of a pivot.
template <class T>
constexpr T exponent_of(T magic) noexcept {
    using c = exp_constants<T>;
    return (c::magic + T(c::bias + c::exponent_bias)) - magic;
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
    using c = exp_constants<double>;  // k * ln2_high is exact
    double const k = static_cast<double>(exponent_of(g.magic));
    wide const rest = two_product(static_cast<double>(g.m - g.shift), static_cast<double>(mantissa));
    wide const r = two_sum(rest.hi - k * c::ln2_high, rest.lo - k * c::ln2_low);
    double const above_one = std::expm1(r.hi);
    wide factor = two_sum(1, above_one);
    factor.lo += r.lo * factor.hi;
    return factor;
}

/// Adds the exponential of the extra logit to a sum of all exponentials, less the same factor 2^k as theirs.
template <class T>
void add_extra(log_terms<T>& g, request<T> const& asked) noexcept {
    if (asked.is_extra_element()) {
        auto const x = packet<T>::set(asked.extra_over_mantissa);
        auto const e = reduced_exp<T>::template of<way::general>(x, pivot<T>::of(g.m, asked), scaling<T>::of(asked));
        return add_total<T>(g.others, {static_cast<double>(e.value().first()), 0});
    }
    using c = exp_constants<double>;
    double const k = static_cast<double>(exponent_of(g.magic));
    wide const shift = two_product(static_cast<double>(g.shift), static_cast<double>(asked.mantissa));
    wide const d = two_sum(asked.extra, -shift.hi);
    // Above the maximum by rounding alone, which takes 40 only beyond 1e8: as good as infinite, and still a number.
    double const r = std::min(d.hi - k * c::ln2_high, 40.0), low = (d.lo - shift.lo) - k * c::ln2_low;
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
    using c = exp_constants<double>;
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
    return {n * c::ln2_high, n * c::ln2_low + (std::log(f) + (sum.lo + t.lo) / sum.hi)};
}

SOFTAX_KERNELS_END
#endif
