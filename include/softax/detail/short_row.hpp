// short_row: the kernel for one short group that lies in a run, its elements in the lanes of packets.
//
// A strip of one group leaves all lanes but one empty: calls on 10 and on 40 elements take .68 and .47 of their time with it.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Packets of the longest.
template <class T>
inline constexpr index_t most_short_packets = (short_group + packet<T>::lanes - 1) / packet<T>::lanes;

/// From the elements e of a group, factored, whose maximum is m, to its results; whether they are NaN.
template <way Way, class T>
EIGEN_ALWAYS_INLINE bool write_short_row(packet<T>* e, T* y, index_t n, T m, request<T> const& asked) noexcept {
    using P = packet<T>;
    auto const scale = scaling<T>::of(asked);
    auto const at = pivot<T>::template of<Way>(m, asked);
    alignas(64) T of[most_short_packets<T> * P::lanes];
    for (index_t i = 0, k = 0; i < n; i += P::lanes, ++k) {
        e[k] = reduced_exp<T>::template of<Way>(e[k], at, scale).value();
        e[k].store(of + i);
    }
    // In order, in one lane.
    T hi = lane_sum<T>::above, lo = 0;
    for (index_t i = 0; i < n; ++i) {
        T const s = opaque(hi + of[i]);
        lo = lo + (of[i] - opaque(s - hi));
        hi = s;
    }
    T const large = hi - lane_sum<T>::above, total = opaque(large + lo);
    auto const by = quotient<T>::by(P::set(total), P::set(lo - opaque(total - large)));
    for (index_t i = 0, k = 0; i < n; i += P::lanes, ++k) by(e[k]).store(y + i, std::min(n - i, P::lanes));
    return is_nan(total);
}

/// The softmax of x[0, n), 1 <= n < short_group, into y, which may be x, with the bits of strip; no extra logit. Whether what a
/// mask leaves out is still to be cleared where it is NaN: never where the mask is given.
template <class T, class Mask>
bool short_row(T const* x, T* y, index_t n, request<T> const& asked, Mask const& which) noexcept {
    using P = packet<T>;
    auto const scale = scaling<T>::of(asked);
    P e[most_short_packets<T>];
    P m = P::set(-std::numeric_limits<T>::infinity());
    for (index_t i = 0, k = 0; i < n; i += P::lanes, ++k) {
        // Lanes beyond the end repeat an element, or are masked.
        index_t const live = std::min(n - i, P::lanes);
        e[k] = which(scale.template factored<way::general>(P::load(x + i, live, x[i])), i, 0, live);
        m = max(e[k], m);
    }
    T const largest = max_lane(m);
    constexpr bool is_masked = !std::same_as<Mask, everything<T>>;
    bool const has_nan = (is_masked && is_lowest(largest)) ||
                         (asked.is_plain(largest) ? write_short_row<way::plain>(e, y, n, largest, asked)
                                                  : write_short_row<way::general>(e, y, n, largest, asked));
    if constexpr (is_masked) {
        if (has_nan) write_nan<form::softmax>(y, which.where.data, n);
    }
    return has_nan && !is_masked;
}

/// Short groups as strip::kernel(), or one by one where that is faster.
template <form Form, class T>
bool short_groups(lattice<T const> const& x, lattice<T> const& y, extents const& size, request<T> const& asked,
                  mask<T> const& which) noexcept {
    constexpr index_t few = 3;
    bool const are_rows = x.row == 1 && y.row == 1 && (!which || which.row() == 1);
    if (Form != form::softmax || size.groups > few || !are_rows || asked.has_extra())
        return strip<T>::template kernel<Form>(x, y, size, asked, which);
    bool has_nan = false;
    for (index_t j = 0; j < size.groups; ++j) {
        has_nan |= which ? short_row(&x(0, j), &y(0, j), size.n, asked, which.from(j))
                         : short_row(&x(0, j), &y(0, j), size.n, asked, everything<T>{});
    }
    return has_nan;
}

SOFTAX_KERNELS_END
#endif
