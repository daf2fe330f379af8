// normalizer_kernels: one piece of a row for a normalizer: what it adds to the sum, and what a finished normalizer makes of it.
//
// Built on the sums of row and the quotient and logarithm of sum. What goes in and out has types that no instruction set
// changes (normalizer_state.hpp).
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

/// y[0, n) of x[0, n), given the whole group; y may be x.
template <form Form, way Way, class T>
void run_finish(T const* x, T* y, index_t n, finishing<T> const& f) noexcept {
    using P = packet<T>;
    auto const asked = request<T>::of(f.scale, -std::numeric_limits<double>::infinity());
    auto const scale = scaling<T>::of(asked);
    pivot<T> const at = {P::set(f.shift), P::set(f.floor), P::set(f.magic)};
    P const m = P::set(f.m), minus_log = P::set(f.minus_log);
    auto const divide = quotient<T>::by(wide{f.sum_hi, f.sum_lo});
    for (index_t i = 0; i < n; i += P::lanes) {
        index_t const live = std::min(n - i, P::lanes);
        P const value = P::load(x + i, live, x[i]);
        if constexpr (Form == form::softmax) {
            P const z = scale.template factored<Way>(value);
            divide(reduced_exp<T>::template of<Way>(z, at, scale).value()).store(y + i, live);
        } else {
            scale.log_softmax(value, m, minus_log).store(y + i, live);
        }
    }
}

/// run_finish with the exponential that the call and its maximum need; 0, or its logarithm, where the mask leaves an element out,
/// if there is a mask.
template <form Form, class T>
void run_finish(T const* x, T* y, bool const* where, index_t n, finishing<T> const& f) noexcept {
    door const held;
    bool const is_plain = static_cast<T>(f.scale) == T(1) && f.shift == T(0);
    is_plain ? run_finish<Form, way::plain>(x, y, n, f) : run_finish<Form, way::general>(x, y, n, f);
    if (where == nullptr) return;
    using P = packet<T>;
    P const nothing = P::set(Form == form::softmax ? T(0) : -std::numeric_limits<T>::infinity());
    index_t i = 0;
    for (; i + P::lanes <= n; i += P::lanes) chosen(where + i, P::load(y + i), nothing).store(y + i);
    if (i < n) chosen(where + i, n - i, P::load(y + i, n - i, T(0)), nothing).store(y + i, n - i);
}

SOFTAX_KERNELS_END
#endif
