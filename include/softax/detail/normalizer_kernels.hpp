// normalizer_kernels: what one piece of a row adds to a normalizer, and what packets of them come to.
//
// Built on the sums of row. What goes in and out has types that no instruction set changes (normalizer_state.hpp).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The largest of x[0, n) as factored, n >= 1; as row_max.
template <way Way, class T>
T piece_max(T const* x, index_t n, scaling<T> const& scale) noexcept {
    using P = packet<T>;
    return n < P::lanes ? max_lane(scale.template factored<Way>(P::load(x, n, x[0]))) : row_max<Way>(x, n, scale);
}

/// piece_of a row whose maximum, as factored, is m.
template <way Way, class T>
piece<T> sums_of(T const* x, index_t n, T m, request<T> const& asked) noexcept {
    auto const at = pivot<T>::of(m, asked);
    rows_beside<form::logsumexp, T> const none = {};
    row_sums<form::logsumexp, Way, beside::nothing, T> sums(m, asked, none);
    T* const nothing = const_cast<T*>(x);  // is stored: logsumexp keeps no exponentials
    for (index_t i = 0; i < n; i += chunk) sums.add(x, nothing, i, std::min(n - i, chunk));
    return {m,          at.shift.first(), asked.mantissa, static_cast<double>(exponent_of(at.magic.first())),
            sums.count, sums.sum.hi,      sums.sum.lo};
}

/// What x[0, n), n >= 1, adds to a normalizer of scale * x. Where the maximum is not finite only that is answered. What a mask
/// leaves out, if there is one, is -inf on its way to y.
template <class T>
piece<T> run_piece(T const* x, T* y, bool const* where, index_t n, double scale) noexcept {
    door const held;
    auto asked = request<T>::of(scale, -std::numeric_limits<double>::infinity());
    if (where != nullptr) {
        auto const which = mask<T>::of({}, std::exchange(asked.factor, T(1)));
        which.copy(y, x, where, n);
        x = y;
    }
    auto const factors = scaling<T>::of(asked);
    bool const is_scaled = asked.is_scaled();
    T const m = is_scaled ? piece_max<way::general>(x, n, factors) : piece_max<way::plain>(x, n, factors);
    if (!(std::abs(m) <= std::numeric_limits<T>::max())) return {m, T(0), T(1), 0, 0, 0, 0};
    return asked.is_plain(m) ? sums_of<way::plain>(x, n, m, asked) : sums_of<way::general>(x, n, m, asked);
}

/// What one element x below the maximum m adds, to the bit as sums_of; both finite and abs(m) <= wide.
template <class T>
piece<T> run_term(T x, T m) noexcept {
    door const held;
    using P = packet<T>;
    static auto const asked = request<T>::of(1, -std::numeric_limits<double>::infinity());
    auto const at = pivot<T>::of(m, asked);
    auto const e = reduced_exp<T>::template of<way::plain>(P::set(x), at, scaling<T>::of(asked));
    T const less_one = e.less_one.first(), power = e.power.first(), sum = opaque(T(1) + less_one);
    wide const term =
        two_sum(static_cast<double>(sum * power), static_cast<double>((less_one - opaque(sum - T(1))) * power));
    return {m, T(0), T(1), static_cast<double>(exponent_of(at.magic.first())), 0, term.hi, term.lo};
}

/// Merges of a packet of groups of float.
class merging {
    using P = packet<float>;
    using D = packet<double>;

public:
    static constexpr index_t lanes = P::lanes;

    /// to[0, n) = both, n <= lanes; bits of those that are left to merged(): maxima that are no floats of a usual size, or the same.
    std::uint32_t operator()(normalizer_state<float>* to, normalizer_state<float> const* from, index_t n) noexcept {
        std::uint32_t left = 0;
        for (index_t l = 0; l < lanes; ++l) {
            auto const &a = to[l < n ? l : 0], &b = from[l < n ? l : 0];
            if (!take(l, b.max > a.max ? b : a, b.max > a.max ? a : b) && l < n) left |= std::uint32_t{1} << l;
        }
        add_maxima();
        add_others();
        for (index_t l = 0; l < n; ++l) {
            if (!(left >> l & 1u)) to[l] = {m_[l], sum_[l], count_[l]};
        }
        return left;
    }

private:
    bool take(index_t l, normalizer_state<float> const& most, normalizer_state<float> const& least) noexcept {
        m_[l] = most.max, sum_[l] = most.others, count_[l] = most.count;
        x_[l] = least.max, others_[l] = least.others, count_of_x_[l] = least.count;
        m_of_[l] = static_cast<float>(m_[l]), x_of_[l] = static_cast<float>(x_[l]);
        bool const are_held = static_cast<double>(m_of_[l]) == m_[l] && static_cast<double>(x_of_[l]) == x_[l];
        bool const is_usual = std::abs(m_of_[l]) <= exp_constants<float>::wide && x_[l] > m_[l] - 700;
        return are_held && is_usual && x_[l] < m_[l];
    }

    /// Adds the elements that were a maximum, as the kernels add them (see run_term).
    void add_maxima() noexcept {
        auto const asked = request<float>::of(1, -std::numeric_limits<double>::infinity());
        auto const at = pivot<float>::of(P::load(m_of_), asked);
        auto const e = reduced_exp<float>::template of<way::plain>(P::load(x_of_), at, scaling<float>::of(asked));
        alignas(64) float term[lanes], term_low[lanes], magic[lanes];
        P const one = P::set(1), more = opaque(one + e.less_one);
        (more * e.power).store(term);
        ((e.less_one - opaque(more - one)) * e.power).store(term_low);
        at.magic.store(magic);
        alignas(64) double k[lanes], below[lanes];
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) {
            k[l] = static_cast<double>(exponent_of(magic[l]));
            below[l] = count_of_x_[l] * (static_cast<double>(term[l]) + static_cast<double>(term_low[l]));
        }
        for (index_t l = 0; l < lanes; l += D::lanes) {
            D const less = exp_less_one<double>(D::set(0) - rest_of(D::load(m_ + l), D::load(k + l))),
                    own = D::load(below + l);
            (D::load(sum_ + l) + madd(own, less, own)).store(sum_ + l);
        }
    }

    /// Adds the others times exp(x - m).
    void add_others() noexcept {
        alignas(64) double whole[lanes], power[lanes];
        for (index_t l = 0; l < lanes; l += D::lanes) {
            D const d = D::load(x_ + l) - D::load(m_ + l), rounds = D::set(exp_constants<double>::magic);
            D const k = opaque(madd(d, D::set(exp_constants<double>::log2_e), rounds)) - rounds;
            k.store(whole + l);
            (D::set(1) + exp_less_one<double>(rest_of(d, k))).store(power + l);
        }
        for (index_t l = 0; l < lanes; ++l) {
            auto const exponent = static_cast<std::int64_t>(std::max(whole[l], -1020.0)) + 1023;
            sum_[l] += others_[l] * (power[l] * std::bit_cast<double>(static_cast<std::uint64_t>(exponent) << 52));
        }
    }

    /// d - k ln 2.
    EIGEN_ALWAYS_INLINE static D rest_of(D d, D k) noexcept {
        return madd(k, D::set(-0x1.cf79abc9e3b3ap-40), madd(k, D::set(-0x1.62e42fefap-1), d));
    }

    alignas(64) double m_[lanes], sum_[lanes], count_[lanes];
    alignas(64) double x_[lanes], others_[lanes], count_of_x_[lanes];  // of the lower maximum
    alignas(64) float m_of_[lanes], x_of_[lanes];
};

/// The same of n groups, n <= merged_at_once.
inline std::uint32_t run_merge(normalizer_state<float>* to, normalizer_state<float> const* from, index_t n) noexcept {
    door const held;
    merging merge;
    std::uint32_t left = 0;
    for (index_t j = 0; j < n; j += merging::lanes)
        left |= merge(to + j, from + j, std::min(n - j, merging::lanes)) << j;
    return left;
}

SOFTAX_KERNELS_END
#endif
