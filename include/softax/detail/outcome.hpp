// outcome: what becomes of an element once the sum of its row is known.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// From itself for log_softmax, from its exponential for softmax.
template <form Form, class T>
struct outcome {
    scaling<T> scale;
    packet<T> m, minus_log;

    static outcome of(log_terms<T> const& g, request<T> const& asked) noexcept {
        return of(g.m, log_as(g, asked), asked);
    }
    static outcome of(T m, T log, request<T> const& asked) noexcept {
        return {scaling<T>::of(asked), packet<T>::set(m), packet<T>::set(-log)};
    }

    bool is_nan_everywhere() const noexcept { return is_nan(minus_log.first()); }

    /// Of NaN and -inf as they are.
    static outcome of_special(request<T> const& asked) noexcept {
        return {scaling<T>::of(asked), packet<T>::set(T(0)), packet<T>::set(T(0))};
    }

    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x) const noexcept { return scale.log_softmax(x, m, minus_log); }
};

template <class T>
struct outcome<form::softmax, T> {
    quotient<T> by;

    EIGEN_ALWAYS_INLINE static outcome of(log_terms<T> const& g, request<T> const&) noexcept {
        return {quotient<T>::by(g.others)};
    }

    bool is_nan_everywhere() const noexcept { return is_nan(by.hi.first()); }

    /// Of NaN and 0 as they are.
    static outcome of_special(request<T> const&) noexcept { return {{packet<T>::set(T(1)), packet<T>::set(T(0))}}; }

    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> e) const noexcept { return by(e); }
};

SOFTAX_KERNELS_END
#endif
