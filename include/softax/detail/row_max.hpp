// row_max: the largest element of a row, which may be masked or converted on its way to where the row waits for its sum; the ends
// of rows, and rows that have no sum.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Groups of fewer elements are not for row and panel: they go to strip.
inline constexpr index_t short_group = 48;

/// Results of half types are half as long, and always written to the caches.
template <class H>
    requires is_half_type<H>
EIGEN_ALWAYS_INLINE void store_past_caches(H* p, packet<float> x) noexcept {
    x.store(p);
}

/// A packet of elements of a row, or what is left of one at its end. Of halves, for which there are no instructions that move some
/// lanes, the last packet takes in what comes before (rows of 50 take .7 of the time, AVX2).
template <class E>
struct some_of_row {
    using T = compute_type<E>;
    using P = packet<T>;

    index_t at, live;

    /// That of the elements [i, i + live).
    EIGEN_ALWAYS_INLINE static some_of_row of(index_t i, index_t live) noexcept {
        if constexpr (std::same_as<E, T>) return {i, live};
        return {i + live - P::lanes, P::lanes};
    }
    /// Lanes beyond the end repeat an element.
    EIGEN_ALWAYS_INLINE static P load(E const* x, [[maybe_unused]] index_t live) noexcept {
        if constexpr (std::same_as<E, T>) {
            return P::load(x, live, *x);
        } else {
            return P::load(x);
        }
    }
    EIGEN_ALWAYS_INLINE static void store(E* y, P value, [[maybe_unused]] index_t live) noexcept {
        if constexpr (std::same_as<E, T>) {
            value.store(y, live);
        } else {
            value.store(y);
        }
    }
};

/// The largest of x[0, n) as factored, n >= short_group; -inf if there is none above it. A NaN may or may not show.
template <way Way, class T, class E>
T row_max(E const* x, index_t n, scaling<T> const& scale) noexcept {
    using P = packet<T>;
    constexpr index_t lanes = P::lanes;
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    P m0 = P::set(lowest), m1 = m0, m2 = m0, m3 = m0;
    index_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        m0 = max(m0, scale.template factored<Way>(P::load(x + i)));
        m1 = max(m1, scale.template factored<Way>(P::load(x + i + lanes)));
        m2 = max(m2, scale.template factored<Way>(P::load(x + i + 2 * lanes)));
        m3 = max(m3, scale.template factored<Way>(P::load(x + i + 3 * lanes)));
    }
    for (; i + lanes <= n; i += lanes) m0 = max(m0, scale.template factored<Way>(P::load(x + i)));
    if (i < n) m1 = max(m1, scale.template factored<Way>(P::load(x + n - lanes)));
    return max_lane(max(max(m0, m1), max(m2, m3)));
}

/// The same of x[0, n) as a mask leaves it, moved to y[0, n), which may be x. The factor of the scale is not for what is moved. Long
/// runs are asked for. The mask is a copy, which writing y can't change: of 2,048 floats 1.14 times the unmasked call rather than 1.24
/// (AVX-512, AMD Zen 4).
template <way Way, bool IsLong, class T, class X, class Mask>
T move_and_max(T* y, X const* x, index_t n, Mask which, bool const* where, scaling<T> const& scale) noexcept {
    using P = packet<T>;
    constexpr index_t lanes = P::lanes;
    P m0 = P::set(-std::numeric_limits<T>::infinity()), m1 = m0;
    index_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
        if constexpr (IsLong) prefetch_run<2 * lanes>(x + i + run_ahead);
        if constexpr (IsLong && std::same_as<Mask, mask<T>>) prefetch(where + i + run_ahead);
        P const a = which(P::load(x + i), which.answers(where, i), lanes);
        P const b = which(P::load(x + i + lanes), which.answers(where, i + lanes), lanes);
        a.store(y + i), b.store(y + i + lanes);
        m0 = max(m0, scale.template factored<Way>(a)), m1 = max(m1, scale.template factored<Way>(b));
    }
    for (; i < n; i += lanes) {
        auto const [at, live] = some_of_row<X>::of(i, std::min(n - i, lanes));
        P const last = which(some_of_row<X>::load(x + at, live), which.answers(where, at), live);
        last.store(y + at, live);
        m0 = max(m0, scale.template factored<Way>(last));
    }
    return max_lane(max(m0, m1));
}
template <way Way, class T, class X, class Mask>
T move_and_max(T* y, X const* x, index_t n, Mask const& which, bool const* where, scaling<T> const& scale) noexcept {
    return n >= run_ahead ? move_and_max<Way, true>(y, x, n, which, where, scale)
                          : move_and_max<Way, false>(y, x, n, which, where, scale);
}

/// The same without moving anything.
template <class T, class E>
T masked_max(E const* x, index_t n, mask<T> const& which, bool const* where, reach next = {}) noexcept {
    using P = packet<T>;
    constexpr index_t lanes = P::lanes;
    P m0 = P::set(-std::numeric_limits<T>::infinity()), m1 = m0;
    index_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
        prefetch_run<2 * lanes>(x + i + next.x);
        prefetch(where + i + next.where);
        m0 = max(m0, which(P::load(x + i), where + i));
        m1 = max(m1, which(P::load(x + i + lanes), where + i + lanes));
    }
    for (; i < n; i += lanes) {
        auto const [at, live] = some_of_row<E>::of(i, std::min(n - i, lanes));
        m0 = max(m0, which(some_of_row<E>::load(x + at, live), where + at, live));
    }
    return max_lane(max(m0, m1));
}

/// The largest element of a row as its kernel takes it: masked, or of a half type, it is moved to y[0, n) first.
template <class T, class E>
EIGEN_ALWAYS_INLINE T take_row_max([[maybe_unused]] T* y, E const* x, index_t n, mask<T> const& which,
                                   bool const* where, bool is_scaled, scaling<T> const& scale) noexcept {
    if (which) return move_and_max<way::plain>(y, x, n, which, where, scale);
    if constexpr (std::same_as<E, T>) {
        return is_scaled ? row_max<way::general>(x, n, scale) : row_max<way::plain>(x, n, scale);
    } else {
        everything<T> const all;
        return is_scaled ? move_and_max<way::general>(y, x, n, all, nullptr, scale)
                         : move_and_max<way::plain>(y, x, n, all, nullptr, scale);
    }
}

/// Whether a mask leaves nothing of a row with that maximum, or only -inf, so that there is nothing to add up.
template <class T>
bool is_empty_row(mask<T> const& which, T m, request<T> const& asked) noexcept {
    return which && is_lowest(m) && !asked.has_extra();
}

/// The results y[0, n) of a group that is NaN: what a mask leaves out is no less left out there.
template <form Form, class Y>
void write_nan(Y* y, bool const* where, index_t n) noexcept {
    using T = compute_type<Y>;
    using P = packet<T>;
    P const nan = P::set(std::numeric_limits<T>::quiet_NaN()), left = P::set(left_out_value<Form, T>);
    for (index_t i = 0; i < n; i += P::lanes) {
        auto const [at, live] = some_of_row<Y>::of(i, std::min(n - i, P::lanes));
        some_of_row<Y>::store(y + at, chosen(where + at, live, nan, left), live);
    }
}

/// The logsumexp of a run of which a mask leaves nothing, or only -inf.
template <class T>
T log_of_empty_row(bool const* where, index_t n) noexcept {
    return has_left(where, 1, n) ? std::numeric_limits<T>::quiet_NaN() : -std::numeric_limits<T>::infinity();
}

SOFTAX_KERNELS_END
#endif
