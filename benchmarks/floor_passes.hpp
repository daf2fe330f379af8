// floor_passes: passes that do one thing to every element, the least that any softmax has to do. They take whole packets:
// the memory has room for some more elements, see floor_of.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The largest of x[0, n).
template <class T>
T max_pass(T const* x, index_t n) noexcept {
    using P = packet<T>;
    constexpr index_t lanes = P::lanes;
    P m0 = P::set(x[0]), m1 = m0, m2 = m0, m3 = m0;
    for (index_t i = 0; i < n; i += 4 * lanes) {
        m0 = max(m0, P::load(x + i));
        m1 = max(m1, P::load(x + i + lanes));
        m2 = max(m2, P::load(x + i + 2 * lanes));
        m3 = max(m3, P::load(x + i + 3 * lanes));
    }
    return max_lane(max(max(m0, m1), max(m2, m3)));
}

/// y[0, n) = x[0, n) / 3.
template <class T>
void scale_pass(T const* x, T* y, index_t n) noexcept {
    using P = packet<T>;
    P const third = P::set(T(1) / 3);
    for (index_t i = 0; i < n; i += P::lanes) (P::load(x + i) * third).store(y + i);
}

/// The exponential of softmax of every element, nothing else: x[0, n) into y[0, n).
template <class T>
void exp_pass(T const* x, T* y, index_t n) noexcept {
    using C = compute_type<T>;
    using P = packet<C>;
    auto const asked = request<C>::of(1, -std::numeric_limits<double>::infinity());
    auto const at = pivot<C>::of(C(4), asked);
    auto const scale = scaling<C>::of(asked);
    for (index_t i = 0; i < n; i += P::lanes) {
        reduced_exp<C>::template of<way::plain>(P::load(x + i), at, scale).value().store(y + i);
    }
}

/// One of the passes over x[0, n) into y[0, n); the maximum goes to y[0].
template <bench::pass Pass, class T>
void run_pass(T const* x, T* y, index_t n) noexcept {
    if constexpr (Pass == bench::pass::max) y[0] = max_pass(x, n);
    if constexpr (Pass == bench::pass::scale) scale_pass(x, y, n);
    if constexpr (Pass == bench::pass::exp) exp_pass(x, y, n);
}

SOFTAX_KERNELS_END
#endif
