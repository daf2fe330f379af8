// gradient_class_sums: what cross entropy needs of its groups, in packets with one group a lane: the maximum, the sum beside
// it, and what is made of them.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Of the elements of a group: the exponentials of those below the maximum m, how many are m, how far all lie below it; where a mask
/// has made some -inf, how far the others do and how many these are.
template <class T>
struct class_sums {
    using P = packet<T>;

    lane_sum<T> others, below;
    P equal, finite;

    EIGEN_ALWAYS_INLINE static class_sums zero() noexcept {
        P const none = P::set(T(0));
        return {{none, none}, {none, none}, none, none};
    }

    /// Adds x, whose exponential is e.
    template <smoothing Smoothing>
    EIGEN_ALWAYS_INLINE void add(reduced_exp<T> const& e, P x, P m) noexcept {
        P const one = P::set(T(1));
        others.add_unless_equal(e, x, m);
        equal = equal + (one - zero_where_equal(one, x, m));
        if constexpr (Smoothing == smoothing::all) add(below, m - x);
        if constexpr (Smoothing == smoothing::left) {
            P const low = P::set(-std::numeric_limits<T>::infinity());
            add(below, zero_where_equal(m - x, x, low));
            finite = finite + zero_where_equal(one, x, low);
        }
    }

    template <smoothing Smoothing>
    EIGEN_ALWAYS_INLINE void add(class_sums const& some) noexcept {
        add(others, some.others.hi);
        others.lo = others.lo + some.others.lo;
        equal = equal + some.equal;
        if constexpr (Smoothing == smoothing::none) return;
        add(below, some.below.hi);
        below.lo = below.lo + some.below.lo;
        finite = finite + some.finite;
    }

    /// The sums without so many elements that were taken to be m.
    EIGEN_ALWAYS_INLINE void count_less(index_t n) noexcept {
        equal = P::ones(1) * P::set(sum_lane(equal) - static_cast<T>(n));
    }

    /// The count of those that a mask leaves. Without any there is a maximum all the same, so that nothing is divided by 0.
    EIGEN_ALWAYS_INLINE void take_left(index_t n) noexcept {
        finite = P::ones(1) * P::set(static_cast<T>(n));
        if (n == 0) equal = P::ones(1);
    }

    /// In lane k the sum over the lanes of sums[k].
    template <smoothing Smoothing>
    static class_sums folded(class_sums (&sums)[P::lanes]) noexcept {
        constexpr index_t parts = Smoothing == smoothing::none ? 3 : Smoothing == smoothing::all ? 5 : 6;
        for (index_t part = 0; part < parts; ++part) {
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
    EIGEN_ALWAYS_INLINE static void add(lane_sum<T>& sum, P x) noexcept {
        P const s = opaque(sum.hi + x), t = opaque(s - sum.hi);
        sum.lo = sum.lo + ((sum.hi - opaque(s - t)) + (x - t));
        sum.hi = s;
    }

    EIGEN_ALWAYS_INLINE P& at(index_t part) noexcept {
        if (part == 0) return others.hi;
        if (part == 1) return others.lo;
        if (part == 2) return equal;
        if (part == 3) return below.hi;
        return part == 4 ? below.lo : finite;
    }
};

/// Logarithms of the sums S of groups, and what else cross entropy makes of these.
template <class T>
struct class_logs : logarithms<T> {
    using logarithms<T>::lanes, logarithms<T>::count, logarithms<T>::others, logarithms<T>::by;

    /// 1 / S less the factor of all exponentials of the group; 1 / S - 1.
    alignas(64) double quotient[lanes], less_one[lanes];

    void take_quotients() noexcept {
        using D = packet<double>;
        D const one = D::set(1);
        for (index_t l = 0; l < lanes; l += D::lanes) {
            D const c = D::load(count + l), t = D::load(others + l), of_sum = one / (c + t);
            (of_sum * D::load(by + l)).store(quotient + l);
            (((one - c) - t) * of_sum).store(less_one + l);
        }
    }
};

/// Some groups side by side.
template <class T>
class class_ends {
    using P = packet<T>;
    using D = packet<double>;

public:
    static constexpr index_t width = 64, padded = width + P::lanes;

    /// In: the maxima, and the elements of the targets.
    alignas(64) T m[padded], right[padded];
    /// Out: the losses but for what is spread, how far the classes lie below the maxima, how many are finite; for a gradient the
    /// quotients too, and p - 1 for the probabilities p of the targets.
    alignas(64) double loss[padded], below[padded], less_one[padded];
    alignas(64) T quotient[padded], finite[padded];

    class_ends(request<T> const& asked, class_shares const& shares, bool is_loss_all) noexcept
        : m{},
          right{},
          loss{},
          below{},
          less_one{},
          quotient{},
          finite{},
          asked_(asked),
          scale_(scaling<T>::of(asked)),
          own_(1 - shares.smoothing),
          is_loss_all_(is_loss_all) {}

    /// The groups [j, j + lanes).
    void finish(class_sums<T> const& sums, index_t j) noexcept {
        P const most = P::load(m + j);
        auto const at = pivot<T>::of(most, asked_);
        class_logs<T> g;
        g.put(most, at, sums.equal, sums.others);
        g.take_together(asked_);
        alignas(64) T far[2][P::lanes];
        sums.below.hi.store(far[0]);
        sums.below.lo.store(far[1]);
        sums.finite.store(finite + j);
        alignas(64) double of_right[P::lanes];
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < P::lanes; ++l) {
            of_right[l] = static_cast<double>(m[j + l]) - static_cast<double>(right[j + l]);
        }
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < P::lanes; ++l) {
            below[j + l] = static_cast<double>(far[0][l]) + static_cast<double>(far[1][l]);
        }
        D const share = D::set(own_ * static_cast<double>(asked_.mantissa));
        for (index_t l = 0; l < P::lanes; l += D::lanes) {
            D const log = D::load(g.log + l) + D::load(g.log_low + l);
            // A class of which nothing is asked may be at -inf.
            (own_ > 0 ? madd(share, D::load(of_right + l), log) : log).store(loss + j + l);
        }
        if (is_loss_all_) return;
        g.take_quotients();
        alignas(64) T e[P::lanes];
        reduced_exp<T>::template of<way::general>(P::load(right + j), at, scale_).value().store(e);
        alignas(64) double wide_e[P::lanes];
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < P::lanes; ++l) wide_e[l] = static_cast<double>(e[l]);
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < P::lanes; ++l) quotient[j + l] = static_cast<T>(g.quotient[l]);
        for (index_t l = 0; l < P::lanes; l += D::lanes) {
            D const right_below = D::load(of_right + l), zero = D::set(0);
            // Where the right class has most of the probability, what is missing keeps its digits.
            D const near = D::load(g.less_one + l),
                    far_off = madd(D::load(wide_e + l), D::load(g.quotient + l), D::set(-1));
            D const kept = near - zero_where_equal(near, right_below, zero);
            (kept + zero_where_equal(far_off, right_below, zero)).store(less_one + j + l);
        }
    }

private:
    request<T> asked_;
    scaling<T> scale_;
    double own_;  // the share of a target that is not spread
    bool is_loss_all_;
};

SOFTAX_KERNELS_END
#endif
