// logarithms: those of the sums of groups side by side, a group in each lane.
//
// Apart from log_of(), which takes some 25 ns for each: 65,536 rows of 10 take .28 of the time of log_softmax with them together
// (AVX-512). Together or alone a group gives the same bits, so there is one way for it; with an extra logit it is log_of().
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T>
struct logarithms {
    static constexpr index_t lanes = packet<T>::lanes;

    /// In: the terms of the groups; see log_terms.
    alignas(64) T m[lanes], shift[lanes], magic[lanes];
    alignas(64) double count[lanes], others[lanes], others_low[lanes];
    /// Out: log(S) of the sums S of exp((x - m) mantissa), in two parts, with the extra logit.
    alignas(64) double log[lanes], log_low[lanes];
    /// Out without it: 1 over the factor of all exponentials of a group; others are then less that factor.
    alignas(64) double by[lanes];
    /// Out if states are asked for: the others as these have them.
    alignas(64) double state_others[lanes], state_others_low[lanes];

    void put(index_t l, log_terms<T> const& g) noexcept {
        m[l] = g.m, shift[l] = g.shift, magic[l] = g.magic;
        count[l] = g.count, others[l] = g.others.hi, others_low[l] = g.others.lo;
    }

    /// The states of the first live groups, if they are asked for, of which nothing is NaN or infinite; from one result to the next.
    void keep_states(T const* results, index_t step, index_t live, request<T> const& asked) const noexcept {
        if (asked.states == nullptr) return;
        auto* const to = asked.states + (results - asked.results);
        for (index_t l = 0; l < live; ++l) to[l * step] = state(l, asked);
    }

    normalizer_state<T> state(index_t l, request<T> const& asked) const noexcept {
        double const most = m[l] == 0 ? 0 : static_cast<double>(m[l]);  // the zeros are one number
        wide const max = two_product(most, static_cast<double>(asked.mantissa));
        if constexpr (sizeof(T) == 4) {
            return {max.hi, state_others[l], count[l]};
        } else {
            return {{max.hi, max.lo}, {state_others[l], state_others_low[l]}, count[l]};
        }
    }

    /// All groups, from packets: their maxima, pivots, how many elements are the maximum, and the sum of the others.
    void put(packet<T> const& most, pivot<T> const& at, packet<T> const& equal, lane_sum<T> const& sum) noexcept {
        alignas(64) T of[3][lanes];
        most.store(m);
        at.shift.store(shift);
        at.magic.store(magic);
        equal.store(of[0]);
        sum.hi.store(of[1]);
        sum.lo.store(of[2]);
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) {
            wide const total = lane_total<T>(of[1][l], of[2][l], 0);
            count[l] = static_cast<double>(of[0][l]), others[l] = total.hi, others_low[l] = total.lo;
        }
    }

    log_terms<T> terms(index_t l) const noexcept {
        return {m[l], shift[l], magic[l], count[l], {others[l], others_low[l]}};
    }

    /// The logarithms of the first live groups.
    void take(index_t live, request<T> const& asked) noexcept {
        // What lies in the other lanes is any number.
        for (index_t l = live; l < lanes; ++l) put(l, terms(0));
        if (asked.states != nullptr) take_states(asked);
        if (!asked.has_extra()) return take_together(asked);
        for (index_t l = 0; l < lanes; ++l) {
            wide const all = l < live ? log_of(terms(l), asked) : log_of_sum(0);
            log[l] = all.hi, log_low[l] = all.lo;
        }
    }

    wide log_of_sum(index_t l) const noexcept { return {log[l], log_low[l]}; }

    /// Rounded to the type of the groups.
    T log_as(index_t l) const noexcept { return static_cast<T>(log[l] + log_low[l]); }

    /// The negative logarithms of all groups.
    void take_negative(T* results) const noexcept {
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) results[l] = -log_as(l);
    }

    /// The logsumexp of all groups.
    void take_sums(T* results, request<T> const& asked) const noexcept {
        using D = packet<double>;
        alignas(64) double of[lanes];
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) of[l] = static_cast<double>(m[l]);
        for (index_t l = 0; l < lanes; l += D::lanes) {
            log_sum_of(D::load(of + l), {D::load(log + l), D::load(log_low + l)}, asked).store(of + l);
        }
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) results[l] = static_cast<T>(of[l]);
    }

    /// The others times exp((shift - m) mantissa) 2^k, which the exponentials lack.
    void take_states(request<T> const& asked) noexcept {
        using D = packet<double>;
        alignas(64) double rest[lanes], k[lanes];
        for (index_t l = 0; l < lanes; ++l) {
            rest[l] = static_cast<double>(shift[l] - m[l]);
            k[l] = -static_cast<double>(exponent_of(magic[l]));
        }
        D const mantissa = D::set(static_cast<double>(asked.mantissa));
        for (index_t l = 0; l < lanes; l += D::lanes) {
            D const own = D::load(rest + l), product = opaque(own * mantissa);
            wide_lanes const r = rest_of({product, product_left(own, mantissa, product)}, D::load(k + l));
            wide_lanes const left = wide_lanes{D::load(others + l), D::load(others_low + l)} * exp_of_rest<T>(r);
            left.hi.store(state_others + l);
            left.lo.store(state_others_low + l);
        }
    }

    /// Those of all groups, without an extra logit.
    void take_together(request<T> const& asked) noexcept {
        using D = packet<double>;
        alignas(64) double rest[lanes], k[lanes];
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) rest[l] = static_cast<double>(m[l] - shift[l]);
        SOFTAX_VECTORIZED
        for (index_t l = 0; l < lanes; ++l) k[l] = static_cast<double>(exponent_of(magic[l]));
        D const mantissa = D::set(static_cast<double>(asked.mantissa));
        for (index_t l = 0; l < lanes; l += D::lanes) {
            auto const s = sum_beside<T>::of(D::load(rest + l), D::load(k + l), D::load(count + l),
                                             {D::load(others + l), D::load(others_low + l)}, mantissa);
            s.by.store(by + l);
            s.others.store(others + l);
            s.sum.hi.store(log + l);
            s.sum.lo.store(log_low + l);
        }
        take_logs<T>(log, log_low);
    }
};

/// What logarithms would give: alone a group needs no memory.
template <class T>
wide log_alone(log_terms<T> const& g, request<T> const& asked) noexcept {
    using D = packet<double>;
    if (asked.has_extra()) return log_of(g, asked);
    auto const s = sum_beside<T>::of(
        D::set(static_cast<double>(g.m - g.shift)), D::set(static_cast<double>(exponent_of(g.magic))), D::set(g.count),
        {D::set(g.others.hi), D::set(g.others.lo)}, D::set(static_cast<double>(asked.mantissa)));
    auto const parts = binary_parts::of(s.sum.hi.first());
    auto const log = log_from_parts<T>(s.sum, D::set(parts.power), D::set(parts.exponent));
    return {log.hi.first(), log.lo.first()};
}

/// Its logarithm rounded to the type of the group.
template <class T>
T log_as(log_terms<T> const& g, request<T> const& asked) noexcept {
    wide const log = log_alone(g, asked);
    return static_cast<T>(log.hi + log.lo);
}

/// What they would keep of it.
template <class T>
normalizer_state<T> state_alone(log_terms<T> const& g, request<T> const& asked) noexcept {
    logarithms<T> logs;
    for (index_t l = 0; l < logs.lanes; ++l) logs.put(l, g);
    logs.take_states(asked);
    return logs.state(0, asked);
}

/// The state of a group, if it is asked for.
template <class T>
void keep_state(T const* result, log_terms<T> const& g, request<T> const& asked) noexcept {
    if (asked.states != nullptr) asked.states[result - asked.results] = state_alone(g, asked);
}

/// The logsumexp of a group.
template <class T>
T log_sum_of(log_terms<T> const& g, request<T> const& asked) noexcept {
    using D = packet<double>;
    wide const log = log_alone(g, asked);
    D const m = D::set(static_cast<double>(g.m));
    return static_cast<T>(log_sum_of(m, {D::set(log.hi), D::set(log.lo)}, asked).first());
}

SOFTAX_KERNELS_END
#endif
