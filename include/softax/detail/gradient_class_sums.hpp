// gradient_class_sums: what cross entropy needs of its groups, in packets with one group a lane: the maximum, the sum beside
// it, and what is made of them.
//
// Apart from log_of(), since the logarithms are wanted together: a group of 21 classes takes 56 ns with them one by one and 17 ns
// with them side by side (AVX-512).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Of the elements of a group: the exponentials of those below the maximum m, how many are m, how far all lie below it.
template <class T>
struct class_sums {
    using P = packet<T>;

    lane_sum<T> others, below;
    P equal;

    EIGEN_STRONG_INLINE static class_sums zero() noexcept {
        P const none = P::set(T(0));
        return {{none, none}, {none, none}, none};
    }

    /// Adds x, whose exponential is e.
    template <smoothing Smoothing>
    EIGEN_STRONG_INLINE void add(reduced_exp<T> const& e, P x, P m) noexcept {
        P const one = P::set(T(1));
        others.add_unless_equal(e, x, m);
        equal = equal + (one - zero_where_equal(one, x, m));
        if constexpr (Smoothing == smoothing::some) add(below, m - x);
    }

    template <smoothing Smoothing>
    EIGEN_STRONG_INLINE void add(class_sums const& some) noexcept {
        add(others, some.others.hi);
        others.lo = others.lo + some.others.lo;
        equal = equal + some.equal;
        if constexpr (Smoothing == smoothing::none) return;
        add(below, some.below.hi);
        below.lo = below.lo + some.below.lo;
    }

    /// In lane k the sum over the lanes of sums[k].
    template <smoothing Smoothing>
    static class_sums folded(class_sums (&sums)[P::lanes]) noexcept {
        for (index_t part = 0; part < (Smoothing == smoothing::none ? 3 : 5); ++part) {
            P square[P::lanes];
            SOFTAX_UNROLLED
            for (index_t k = 0; k < P::lanes; ++k) square[k] = sums[k].at(part);
            transpose(square);
            SOFTAX_UNROLLED
            for (index_t k = 0; k < P::lanes; ++k) sums[k].at(part) = square[k];
        }
        class_sums total = sums[0];
        for (index_t k = 1; k < P::lanes; ++k) total.template add<Smoothing>(sums[k]);
        return total;
    }

private:
    /// Knuth's sum, with what rounding took from it.
    EIGEN_STRONG_INLINE static void add(lane_sum<T>& sum, P x) noexcept {
        P const s = opaque(sum.hi + x), t = opaque(s - sum.hi);
        sum.lo = sum.lo + ((sum.hi - opaque(s - t)) + (x - t));
        sum.hi = s;
    }

    EIGEN_STRONG_INLINE P& at(index_t part) noexcept {
        if (part == 0) return others.hi;
        if (part == 1) return others.lo;
        if (part == 2) return equal;
        return part == 3 ? below.hi : below.lo;
    }
};

/// Groups side by side: what is known of the sum S of their exp((x - m) mantissa), and what it comes to.
template <class T>
struct class_logs {
    static constexpr index_t lanes = packet<T>::lanes;

    /// In: m, its pivot, the elements that are m, and the sum of the exponentials of the others.
    alignas(64) T m[lanes], shift[lanes], magic[lanes], equal[lanes], hi[lanes], lo[lanes];
    /// Out: log(S); 1 / S less the factor of all exponentials of the group; 1 / S - 1.
    alignas(64) double log[lanes], quotient[lanes], less_one[lanes];

    /// All in double, which leaves float room enough.
    void take(request<float> const& asked) noexcept {
        using D = packet<double>;
        constexpr double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
        alignas(64) double rest[lanes], k[lanes], count[lanes], others[lanes];
        for (index_t l = 0; l < lanes; ++l) rest[l] = static_cast<double>(m[l] - shift[l]);
        for (index_t l = 0; l < lanes; ++l) k[l] = static_cast<double>(exponent_of(magic[l]));
        for (index_t l = 0; l < lanes; ++l) count[l] = static_cast<double>(equal[l]);
        for (index_t l = 0; l < lanes; ++l) others[l] = static_cast<double>(hi[l]) + static_cast<double>(lo[l]);
        D const one = D::set(1), unbiased = D::set(0x1p-64), mantissa = D::set(static_cast<double>(asked.mantissa));
        for (index_t l = 0; l < lanes; l += D::lanes) {
            D const at = D::load(k + l), c = D::load(count + l);
            D const r = (D::load(rest + l) * mantissa - at * D::set(ln2_high)) - at * D::set(ln2_low);
            D const factor = one + exp_less_one<double>(r), t = D::load(others + l) * unbiased / factor;
            D const sum = opaque(c + t), back = opaque(sum - c), by = one / sum;
            sum.store(log + l);
            ((c - opaque(sum - back)) + (t - back)).store(others + l);
            (unbiased * by / factor).store(quotient + l);
            (((one - c) - t) * by).store(less_one + l);
        }
        take_log(others);
    }

    void take(request<double> const& asked) noexcept {
        double const unbiased = std::ldexp(1.0, -exp_constants<double>::bias);
        for (index_t l = 0; l < lanes; ++l) {
            log_terms<double> const g = {m[l], shift[l], magic[l], equal[l], lane_total<double>(hi[l], lo[l], 0)};
            wide const all = log_of(g, asked);
            double const factor = factor_of(g, asked.mantissa).hi;
            double const others = g.others.hi * unbiased / factor, sum = g.count + others;
            log[l] = all.hi + all.lo;
            quotient[l] = unbiased / (sum * factor);
            less_one[l] = -((g.count - 1) + others) / sum;
        }
    }

private:
    /// The logarithms of log + low, log being at least 1.
    void take_log(double const* low) noexcept {
        using D = packet<double>;
        constexpr double rounds = 0x1.8p52;
        // S = 2^e f, f in [0.707, 1.415)
        alignas(64) double power[lanes], exponent[lanes];
        for (index_t l = 0; l < lanes; ++l) {
            auto const e = (std::bit_cast<std::uint64_t>(log[l]) - 0x3fe6a09e00000000u) >> 52;
            power[l] = std::bit_cast<double>((1023 - e) << 52);
            exponent[l] = std::bit_cast<double>(e + std::bit_cast<std::uint64_t>(rounds)) - rounds;
        }
        for (index_t l = 0; l < lanes; l += D::lanes) {
            // log(f) = 2 artanh(z), z = (f - 1) / (f + 1)
            D const by = D::load(power + l);
            D const less = madd(D::load(log + l), by, D::set(-1)) + D::load(low + l) * by;
            D const z = less / (D::set(2) + less), z2 = z * z;
            D sum = D::set(2.0 / 11);
            for (double const next : {2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2.0}) sum = madd(sum, z2, D::set(next));
            madd(D::load(exponent + l), D::set(0x1.62e42fefa39efp-1), sum * z).store(log + l);
        }
    }
};

/// Some groups side by side.
template <class T>
class class_ends {
    using P = packet<T>;

public:
    static constexpr index_t width = 64, padded = width + P::lanes;

    /// In: the maxima, and the elements of the targets.
    alignas(64) T m[padded], right[padded];
    /// Out: the losses, the quotients, and p - 1 for the probabilities p of the targets.
    alignas(64) double loss[padded], less_one[padded];
    alignas(64) T quotient[padded];

    class_ends(request<T> const& asked, class_shares const& shares) noexcept
        : m{}, right{}, loss{}, less_one{}, quotient{}, asked_(asked), scale_(scaling<T>::of(asked)), shares_(shares) {}

    /// The groups [j, j + lanes).
    void finish(class_sums<T> const& sums, index_t j) noexcept {
        P const most = P::load(m + j), x = P::load(right + j);
        auto const at = pivot<T>::of(most, asked_);
        class_logs<T> g;
        most.store(g.m);
        at.shift.store(g.shift);
        at.magic.store(g.magic);
        sums.equal.store(g.equal);
        sums.others.hi.store(g.hi);
        sums.others.lo.store(g.lo);
        g.take(asked_);
        alignas(64) T far[2][P::lanes], e[P::lanes];
        sums.below.hi.store(far[0]);
        sums.below.lo.store(far[1]);
        reduced_exp<T>::template of<way::general>(x, at, scale_).value().store(e);
        double const own = 1 - shares_.smoothing, mantissa = static_cast<double>(asked_.mantissa);
        for (index_t l = 0; l < P::lanes; ++l) {
            double const below = static_cast<double>(m[j + l]) - static_cast<double>(right[j + l]);
            double const all = static_cast<double>(far[0][l]) + static_cast<double>(far[1][l]);
            loss[j + l] = g.log[l] + (own * below + shares_.spread * all) * mantissa;
            quotient[j + l] = static_cast<T>(g.quotient[l]);
            // Where the right class has most of the probability, what is missing keeps its digits.
            less_one[j + l] = below == 0 ? g.less_one[l] : static_cast<double>(e[l]) * g.quotient[l] - 1;
        }
    }

private:
    request<T> asked_;
    scaling<T> scale_;
    class_shares shares_;
};

SOFTAX_KERNELS_END
#endif
