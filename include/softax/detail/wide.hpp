// wide: numbers as the sum of two doubles, for what a double does not hold.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// hi + lo, hi being the sum rounded.
struct wide {
    double hi, lo;

    static constexpr wide of(double x) noexcept { return {x, 0}; }
    static constexpr wide of(twofold x) noexcept { return {x.hi, x.lo}; }
};

/// a + b and what rounding took from it (Knuth).
EIGEN_ALWAYS_INLINE wide two_sum(double a, double b) noexcept {
    double const s = opaque(a + b), t = opaque(s - a);
    return {s, (a - opaque(s - t)) + (b - t)};
}

/// hi + lo in each lane.
struct wide_lanes {
    packet<double> hi, lo;
};

/// The same in each lane.
EIGEN_ALWAYS_INLINE wide_lanes two_sum(packet<double> a, packet<double> b) noexcept {
    packet<double> const s = opaque(a + b), t = opaque(s - a);
    return {s, (a - opaque(s - t)) + (b - t)};
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

/// a * b and what rounding took from it.
inline wide two_product(double a, double b) noexcept { return {a * b, std::fma(a, b, -(a * b))}; }

EIGEN_ALWAYS_INLINE wide operator+(wide a, wide b) noexcept {
    wide const s = two_sum(a.hi, b.hi), low = {s.lo + (a.lo + b.lo), 0};
    double const hi = opaque(s.hi + low.hi);
    return {hi, low.hi - (hi - s.hi)};
}
EIGEN_ALWAYS_INLINE wide operator-(wide a) noexcept { return {-a.hi, -a.lo}; }
EIGEN_ALWAYS_INLINE wide operator-(wide a, wide b) noexcept { return a + -b; }
EIGEN_ALWAYS_INLINE wide operator*(wide a, wide b) noexcept {
    wide const p = two_product(a.hi, b.hi);
    return two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}
EIGEN_ALWAYS_INLINE wide_lanes operator+(wide_lanes a, wide_lanes b) noexcept {
    wide_lanes const s = two_sum(a.hi, b.hi);
    packet<double> const low = s.lo + (a.lo + b.lo), hi = opaque(s.hi + low);
    return {hi, low - opaque(hi - s.hi)};
}
EIGEN_ALWAYS_INLINE wide_lanes operator*(wide_lanes a, wide_lanes b) noexcept {
    packet<double> const p = opaque(a.hi * b.hi);
    return two_sum(p, product_left(a.hi, b.hi, p) + madd(a.hi, b.lo, a.lo * b.hi));
}
/// a times a power of two.
EIGEN_ALWAYS_INLINE wide scaled(wide a, double power) noexcept { return {a.hi * power, a.lo * power}; }
EIGEN_ALWAYS_INLINE bool is_less(wide a, wide b) noexcept { return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo); }

SOFTAX_KERNELS_END
#endif
