// finish_kernels: what finished normalizers make of the elements of their groups.
//
// What elements need of a normalizer takes as long as some hundred of them, and as of logarithms a packet of groups is had for
// little more: 65,536 rows of 10 take .13 of the time (AVX-512).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// a * b, not rounded, of a type of which a double holds the product, or else in two.
template <class T>
EIGEN_ALWAYS_INLINE wide exact_product(T a, double b) noexcept {
    auto const own = static_cast<double>(a);
    return sizeof(T) == 4 ? wide{own * b, 0} : two_product(own, b);
}

/// The largest element that, times mantissa, is at most max. Elements of the group are at most that.
template <class T>
T pivot_below(wide max, T mantissa) noexcept {
    using limits = std::numeric_limits<T>;
    auto const above = [&](T p) {
        wide const product = exact_product(p, static_cast<double>(mantissa));
        return product.hi != max.hi ? product.hi - max.hi : product.lo - max.lo;
    };
    T p = static_cast<T>(std::clamp(max.hi / static_cast<double>(mantissa), static_cast<double>(limits::lowest()),
                                    static_cast<double>(limits::max())));
    if (above(p) == 0) return p;
    while (above(p) > 0) p = std::nextafter(p, -limits::infinity());
    while (!(above(std::nextafter(p, limits::infinity())) > 0)) p = std::nextafter(p, limits::infinity());
    return p;
}

/// What elements need of the normalizers of some groups, side by side: for softmax pivots and quotients, for log_softmax maxima
/// and logarithms.
template <form Form, class T>
class finished_groups {
    using P = packet<T>;
    using D = packet<double>;
    static constexpr index_t lanes = P::lanes, most = finished_at_once;

public:
    finished_groups(normalizer_state<T> const* states, index_t n, request<T> const& asked) noexcept {
        for (index_t j = 0; j < n; j += lanes) {
            take(states + j, std::min(n - j, lanes), j, asked);
            Form == form::softmax ? take_sums(j, asked) : keep_logs(j);
        }
        if constexpr (Form == form::softmax) quotients(high_, low_, sum_, (n + lanes - 1) / lanes * lanes);
    }

    /// Whether the way is plain for all, but for a scale.
    bool are_plain() const noexcept { return are_plain_; }

    /// From elements of groups j on, or of group j all.
    template <way Way, bool IsOne>
    EIGEN_ALWAYS_INLINE P result(P x, index_t j, scaling<T> const& scale) const noexcept {
        if constexpr (Form == form::softmax) {
            pivot<T> const at = {some<IsOne>(shift_ + j), some<IsOne>(floor_ + j), some<IsOne>(magic_ + j)};
            quotient<T> const by = {some<IsOne>(high_ + j), some<IsOne>(low_ + j)};
            return by(reduced_exp<T>::template of<Way>(scale.template factored<Way>(x), at, scale).value());
        } else {
            return scale.log_softmax(x, some<IsOne>(m_ + j), some<IsOne>(minus_log_ + j));
        }
    }

private:
    template <bool IsOne>
    EIGEN_ALWAYS_INLINE static P some(T const* p) noexcept {
        if constexpr (IsOne) return P::set(*p);
        return P::load(p);
    }

    /// Maxima, pivots and sums of a packet of groups, which is filled up with the first of them.
    void take(normalizer_state<T> const* states, index_t n, index_t j, request<T> const& asked) noexcept {
        alignas(64) double count[lanes], others[lanes], others_low[lanes];
        for (index_t l = 0; l < lanes; ++l) {
            auto const& s = states[l < n ? l : 0];
            wide const max = wide::of(s.max);
            bool const is_special = !is_finite(max.hi);  // NaN, or of nothing above -inf
            rest_[l] = is_special ? 0 : max.hi, rest_low_[l] = is_special ? 0 : max.lo;
            count[l] = is_special ? std::numeric_limits<double>::quiet_NaN() : s.count;
            others[l] = wide::of(s.others).hi, others_low[l] = wide::of(s.others).lo;
        }
        take_maxima(m_ + j, shift_ + j, asked);
        for (index_t l = 0; l < lanes; l += D::lanes) {
            D const less = D::set(1 / bias_power<T>);
            wide_lanes const sum = two_sum(D::load(count + l), D::load(others + l) * less);
            sum.hi.store(total_ + l);
            madd(D::load(others_low + l), less, sum.lo).store(total_low_ + l);
        }
    }

    void take_maxima(T* m, T* shift, request<T> const& asked) noexcept {
        double const mantissa = static_cast<double>(asked.mantissa);
        T const wide_over_mantissa = asked.wide_over_mantissa;
        bool are_exact = true, are_near = true;
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) {
            m[l] = static_cast<T>(rest_[l] / mantissa), shift[l] = 0, above_[l] = 0;
            wide const product = exact_product(m[l], mantissa);
            are_exact = are_exact & (product.hi == rest_[l]) & (product.lo == rest_low_[l]);
            are_near = are_near & (std::abs(m[l]) <= wide_over_mantissa);
        }
        if (are_exact && are_near) return;
        for (index_t l = 0; l < lanes; ++l) {
            wide const max = {rest_[l], rest_low_[l]};
            m[l] = pivot_below(max, asked.mantissa);
            wide const product = exact_product(m[l], mantissa);
            above_[l] = (max.hi - product.hi) + (max.lo - product.lo);
            if (std::abs(m[l]) <= wide_over_mantissa) continue;
            // So far above the shift, and so above every element of this scale, that exp is 0 there.
            rest_[l] = std::min(above_[l], 2 * powers * static_cast<double>(exp_constants<T>::ln2)), rest_low_[l] = 0;
            shift[l] = m[l], are_plain_ = false;
        }
    }

    /// What the exponentials of its elements add up to, by the pivot of each group: a sum times exp(rest - k ln 2), next to 1.
    void take_sums(index_t j, request<T> const& asked) noexcept {
        alignas(64) double whole[lanes];
        for (index_t l = 0; l < lanes; l += D::lanes) {
            D const rest = D::load(rest_ + l), biased = D::set(bias_power<T>),
                    rounds = D::set(exp_constants<double>::magic);
            D const k = opaque(madd(rest, D::set(exp_constants<double>::log2_e), rounds)) - rounds;
            k.store(whole + l);
            wide_lanes const sum = {D::load(total_ + l) * biased, D::load(total_low_ + l) * biased};
            wide_lanes const product = sum * exp_of_rest<T>(rest_of({rest, D::load(rest_low_ + l)}, k));
            product.hi.store(total_ + l);
            product.lo.store(total_low_ + l);
        }
        for (index_t l = 0; l < lanes; ++l) {
            sum_[j + l] = {total_[l], total_low_[l]};
            floor_[j + l] = static_cast<T>(whole[l] - powers) * asked.ln2_over_mantissa;
            magic_[j + l] = exp_constants<T>::magic + static_cast<T>(powers - whole[l]);
        }
    }

    void keep_logs(index_t j) noexcept {
        take_logs<T>(total_, total_low_);
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l)
            minus_log_[j + l] = static_cast<T>(-(total_[l] + (total_low_[l] + above_[l])));
    }

    static constexpr double powers = exp_constants<T>::bias + exp_constants<T>::exponent_bias;

    alignas(64) T m_[most], shift_[most], floor_[most], magic_[most], high_[most], low_[most], minus_log_[most];
    wide sum_[most];
    bool are_plain_ = true;
    // Of a packet of groups: the maximum less the shift, and less what m makes of it; the sum of exp(x - maximum).
    alignas(64) double rest_[lanes], rest_low_[lanes], above_[lanes], total_[lanes], total_low_[lanes];
};

/// The elements of a block, in lines of one group or of neighbours of all.
template <form Form, class E, class T>
class finishing {
    using P = packet<T>;

public:
    explicit finishing(finish_block<E, T> const& b) noexcept
        : b_(b),
          asked_(request<T>::of(b.scale, -std::numeric_limits<double>::infinity())),
          scale_(scaling<T>::of(asked_)),
          groups_(b.states, b.group.extent, asked_) {}

    void operator()() noexcept {
        bool const is_plain = groups_.are_plain() && !asked_.is_scaled();
        is_plain ? write<way::plain>() : write<way::general>();
    }

private:
    template <way Way>
    void write() noexcept {
        walked_axis const& group = b_.group;
        if (!b_.are_runs) {
            for_each_place(b_.elements, [&](walked_axis const& at) { write_line<Way, false>(at, group, 0); });
            return;
        }
        walked_axes outer = b_.elements;
        walked_axis const run = outer.take(outer.size - 1);
        for (index_t j = 0; j < group.extent; ++j) {
            for_each_place(outer, [&](walked_axis const& at) {
                write_line<Way, true>({0, at.x + j * group.x, at.y + j * group.y, at.where + j * group.where}, run, j);
            });
        }
    }

    /// The elements along an axis from a place on, of group j or of all.
    template <way Way, bool IsOne>
    void write_line(walked_axis const& at, walked_axis const& along, index_t j) noexcept {
        bool const* const where = b_.where == nullptr ? nullptr : b_.where + at.where;
        bool const is_masked = where != nullptr && (along.where != 0 || !*where);
        is_masked ? write_masked<Way, IsOne>(b_.x + at.x, b_.y + at.y, where, along, j)
                  : write_all<Way, IsOne>(b_.x + at.x, b_.y + at.y, along.extent, j);
    }

    template <way Way, bool IsOne>
    void write_all(E const* x, E* y, index_t n, index_t j) noexcept {
        scaling<T> const scale = scale_;
        index_t i = 0;
        for (; i + P::lanes <= n; i += P::lanes)
            groups_.template result<Way, IsOne>(P::load(x + i), IsOne ? j : i, scale).store(y + i);
        if (i == n) return;
        put(groups_.template result<Way, IsOne>(fetch<T>(x + i, n - i), IsOne ? j : i, scale), y + i, n - i);
    }

    template <way Way, bool IsOne>
    void write_masked(E const* x, E* y, bool const* where, walked_axis const& along, index_t j) noexcept {
        scaling<T> const scale = scale_;
        P const nothing = P::set(Form == form::softmax ? T(0) : -std::numeric_limits<T>::infinity());
        for (index_t i = 0; i < along.extent; i += P::lanes) {
            index_t const live = std::min(along.extent - i, P::lanes);
            bool const* answers = where + i * along.where;
            alignas(16) bool own[P::lanes];
            for (index_t l = 0; l < live && along.where != 1; ++l) own[l] = answers[l * along.where];
            P const result = groups_.template result<Way, IsOne>(fetch<T>(x + i, live), IsOne ? j : i, scale);
            put(chosen(along.where == 1 ? answers : own, live, result, nothing), y + i, live);
        }
    }

    finish_block<E, T> const& b_;
    request<T> asked_;
    scaling<T> scale_;
    finished_groups<Form, T> groups_;
};

/// The door to this instruction set.
template <form Form, class E, class T>
void run_finish(finish_block<E, T> const& b) noexcept {
    door const held;
    finishing<Form, E, T>{b}();
}

SOFTAX_KERNELS_END
#endif
