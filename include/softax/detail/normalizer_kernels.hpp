// normalizer_kernels: what a row and an element are to a normalizer, and what packets of normalizers come to.
//
// What goes in and out has types that no instruction set changes (kernels.hpp).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Of a row of n >= short_group elements whose maximum, as factored, is m.
template <way Way, beside Beside, class T>
log_terms<T> sums_of(T const* x, index_t n, T m, request<T> const& asked, mask<T> const& which) noexcept {
    rows_beside<form::logsumexp, T> others = {};
    others.which = which, others.is_long = n > longest_waiting<T>;
    row_sums<form::logsumexp, Way, Beside, T> sums(m, asked, others);
    T* const nothing = const_cast<T*>(x);  // is stored: logsumexp keeps no exponentials
    for (index_t i = 0; i < n; i += chunk) sums.add(x, nothing, i, std::min(n - i, chunk));
    return sums.terms();
}

/// The same, the mask being looked at if Beside says so.
template <beside Beside, class T>
log_terms<T> sums_of(T const* x, index_t n, request<T> const& asked, mask<T> const& which) noexcept {
    auto const scale = scaling<T>::of(asked);
    T const m = Beside == beside::own_masked
                    ? masked_max(x, n, which, which.where.data)
                    : take_row_max<T>(nullptr, x, n, mask<T>(), nullptr, asked.is_scaled(), scale);
    return asked.is_plain(m) ? sums_of<way::plain, Beside>(x, n, m, asked, which)
                             : sums_of<way::general, Beside>(x, n, m, asked, which);
}

/// The state of those of x[0, n) that a mask leaves, of all if there is none, as scale * x, to the bit as logsumexp finds it; n >= 1.
/// Without a count if it has no sum: of NaN or +inf, or of nothing above -inf.
template <class T>
normalizer_state<T> run_state(T const* x, bool const* where, index_t n, double scale) noexcept {
    door const held;
    auto asked = request<T>::of(scale, -std::numeric_limits<double>::infinity());
    log_terms<T> terms;
    if (where != nullptr) {
        auto const which = mask<T>::of({where, 1, n}, std::exchange(asked.factor, T(1)));
        terms = n < short_group ? short_elements<T>(x, n, asked, which).terms(asked)
                                : sums_of<beside::own_masked>(x, n, asked, which);
    } else {
        terms = n < short_group ? short_elements<T>(x, n, asked, everything<T>{}).terms(asked)
                                : sums_of<beside::nothing>(x, n, asked, mask<T>());
    }
    return is_finite(terms.m) && is_finite(terms.others.hi) ? state_alone(terms, asked) : normalizer_state<T>();
}

/// What one element x below the maximum m is among the others, to the bit as in run_state; both finite and abs(m) <= wide.
template <class T>
sum_type<T> run_term(T x, T m) noexcept {
    door const held;
    using P = packet<T>;
    static auto const asked = request<T>::of(1, -std::numeric_limits<double>::infinity());
    auto const at = pivot<T>::of(m, asked);
    auto const e = reduced_exp<T>::template of<way::plain>(P::set(x), at, scaling<T>::of(asked));
    auto const term = term_below<T>::of(e, P::set(x), P::set(m));
    wide const others =
        two_sum(static_cast<double>(term.value.first()), static_cast<double>((term.left * e.power).first()));
    return state_alone(log_terms<T>{m, T(0), at.magic.first(), 1, others}, asked).others;
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
        auto const terms = term_below<float>::of(e, P::load(x_of_), P::load(m_of_));
        alignas(64) float term[lanes], term_low[lanes], magic[lanes];
        terms.value.store(term);
        (terms.left * e.power).store(term_low);
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
