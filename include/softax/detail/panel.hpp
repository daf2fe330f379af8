// panel: the kernel for many groups side by side, the elements of each a stride apart.
//
// Works on a panel of columns at a time, row by row, so that memory is touched in runs; what belongs to a column (maximum,
// pivot, sums) waits in a small workspace. Sums go in the order of sum.hpp, so a column has the bits of the same row.
#ifdef SOFTAX_KERNELS_BEGIN  // kernels.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// What belongs to the columns of a panel.
template <class T>
struct panel_workspace {
    /// Wide enough that a page is not left after one packet, narrow enough that the sums take half of an L1 cache.
    static constexpr index_t width = 8192 / (sum_lanes * static_cast<index_t>(sizeof(T)));

    alignas(64) T m[width], shift[width], floor[width], magic[width];
    alignas(64) T equal[width], log[width];
    alignas(64) T hi[sum_lanes * width], lo[sum_lanes * width];  // one run of columns for each lane
    wide sum[width];
    double count[width];  // elements that are the maximum
};

/// count rounded up to whole packets.
template <class T>
constexpr index_t padded_to_packets(index_t count) noexcept {
    return (count + packet<T>::lanes - 1) / packet<T>::lanes * packet<T>::lanes;
}

/// m[0, columns) = maxima of the columns of x.
template <class T>
void panel_max(T const* x, index_t x_row, index_t n, index_t columns, T* m) noexcept {
    using P = packet<T>;
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    for (index_t j = 0; j < columns; j += P::lanes) P::set(lowest).store(m + j);
    for (index_t i = 0; i < n; i += 4) {
        index_t const rows = n - i < 4 ? n - i : 4;
        for (index_t j = 0; j < columns; j += P::lanes) {
            index_t const live = columns - j < P::lanes ? columns - j : P::lanes;
            P largest = P::load(m + j);
            for (index_t k = 0; k < rows; ++k) largest = max(largest, P::load(x + (i + k) * x_row + j, live, lowest));
            largest.store(m + j);
        }
    }
}

/// Adds rows of one lane, sum_lanes apart, to the sums of that lane; stores the exponentials where the form wants them.
template <form Form, class T>
void panel_lane(T const* x, index_t x_row, T* y, index_t y_row, index_t rows, index_t columns, T* hi, T* lo,
                panel_workspace<T>& w) noexcept {
    using P = packet<T>;
    for (index_t j = 0; j < columns; j += P::lanes) {
        index_t const live = columns - j < P::lanes ? columns - j : P::lanes;
        pivot<T> const at = {P::load(w.shift + j), P::load(w.floor + j), P::load(w.magic + j)};
        lane_sum<T> lane = {P::load(hi + j), P::load(lo + j)};
        for (index_t k = 0; k < rows; ++k) {
            P const value = P::load(x + sum_lanes * k * x_row + j, live, T(0));
            if constexpr (Form == form::softmax) {
                P const e = exp_scaled(value, at);
                e.store(y + sum_lanes * k * y_row + j, live);
                lane.add_below(e);
            } else {
                P const m = P::load(w.m + j), one = P::set(T(1));
                lane.add_unless_equal(reduced_exp<T>::of(value, at), value, m);
                (P::load(w.equal + j) + (one - zero_where_equal(one, value, m))).store(w.equal + j);
            }
        }
        lane.hi.store(hi + j);
        lane.lo.store(lo + j);
    }
}

/// Fills the sums of the workspace; stores the exponentials where the form wants them.
template <form Form, class T>
void panel_sum(T const* x, index_t x_row, T* y, index_t y_row, index_t n, index_t columns,
               panel_workspace<T>& w) noexcept {
    constexpr index_t width = panel_workspace<T>::width, lane_rows = 8;
    constexpr T start = Form == form::softmax ? lane_sum<T>::above : T(0);
    index_t const padded = padded_to_packets<T>(columns);
    std::fill_n(w.sum, columns, wide{});
    std::fill_n(w.count, columns, 0.0);
    for (index_t c = 0; c < n; c += chunk) {
        index_t const end = n - c < chunk ? n : c + chunk;
        for (index_t l = 0; l < sum_lanes; ++l) {
            std::fill_n(w.hi + l * width, padded, start);
            std::fill_n(w.lo + l * width, padded, T(0));
        }
        std::fill_n(w.equal, padded, T(0));
        for (index_t b = c; b < end; b += lane_rows * sum_lanes) {
            for (index_t l = 0; l < sum_lanes && b + l < end; ++l) {
                index_t const i = b + l, left = (end - i + sum_lanes - 1) / sum_lanes;
                panel_lane<Form>(x + i * x_row, x_row, y + i * y_row, y_row, left < lane_rows ? left : lane_rows,
                                 columns, w.hi + l * width, w.lo + l * width, w);
            }
        }
        for (index_t j = 0; j < columns; ++j) {
            add_total<T>(w.sum[j], chunk_total(w.hi + j, w.lo + j, width, static_cast<double>(start)));
            w.count[j] += static_cast<double>(w.equal[j]);
        }
    }
}

/// y = e / sum for every column, e standing in y. w.shift and w.floor take the parts of the quotient.
template <class T>
void panel_divide(T* y, index_t y_row, index_t n, index_t columns, panel_workspace<T>& w) noexcept {
    using P = packet<T>;
    // The sums as two parts in the type, then as a quotient.
    for (index_t j = 0; j < columns; ++j) {
        w.shift[j] = static_cast<T>(w.sum[j].hi);
        w.floor[j] = static_cast<T>((w.sum[j].hi - static_cast<double>(w.shift[j])) + w.sum[j].lo);
    }
    // The second bound never ends the loop; without it GCC 12 at -O3 sees a store beyond the workspace that cannot be.
    for (index_t j = 0; j < columns && j < w.width; j += P::lanes) {
        auto const by = quotient<T>::by(P::load(w.shift + j), P::load(w.floor + j));
        by.hi.store(w.shift + j);
        by.lo.store(w.floor + j);
    }
    for (index_t i = 0; i < n; ++i, y += y_row) {
        for (index_t j = 0; j < columns; j += P::lanes) {
            index_t const live = columns - j < P::lanes ? columns - j : P::lanes;
            quotient<T> const divide = {P::load(w.shift + j), P::load(w.floor + j)};
            divide(P::load(y + j, live, T(0))).store(y + j, live);
        }
    }
}

/// y = (x - m) - log for every column.
template <class T>
void panel_subtract(T const* x, index_t x_row, T* y, index_t y_row, index_t n, index_t columns,
                    panel_workspace<T> const& w) noexcept {
    using P = packet<T>;
    for (index_t i = 0; i < n; ++i, x += x_row, y += y_row) {
        for (index_t j = 0; j < columns; j += P::lanes) {
            index_t const live = columns - j < P::lanes ? columns - j : P::lanes;
            P const difference = P::load(x + j, live, T(0)) - P::load(w.m + j);
            (difference - P::load(w.log + j)).store(y + j, live);
        }
    }
}

/// softmax or log_softmax of each of the columns of x, n rows x_row apart, into y; for logsumexp one row of results.
/// 1 <= columns <= width, n >= short_group. y may be x.
template <form Form, class T>
void panel_kernel(T const* x, index_t x_row, T* y, index_t y_row, index_t n, index_t columns,
                  panel_workspace<T>& w) noexcept {
    index_t const padded = padded_to_packets<T>(columns);
    panel_max(x, x_row, n, columns, w.m);
    std::fill(w.m + columns, w.m + padded, T(0));
    for (index_t j = 0; j < padded; j += packet<T>::lanes) {
        auto const at = pivot<T>::of(packet<T>::load(w.m + j));
        at.shift.store(w.shift + j);
        at.floor.store(w.floor + j);
        at.magic.store(w.magic + j);
    }
    panel_sum<Form>(x, x_row, y, y_row, n, columns, w);
    if constexpr (Form == form::softmax) return panel_divide(y, y_row, n, columns, w);
    for (index_t j = 0; j < columns; ++j) {
        log_terms<T> const terms = {w.m[j], w.shift[j], w.magic[j], w.count[j], w.sum[j]};
        (Form == form::logsumexp ? y : w.log)[j] = Form == form::logsumexp ? log_sum_of(terms) : log_as(terms);
    }
    if constexpr (Form == form::log_softmax) panel_subtract(x, x_row, y, y_row, n, columns, w);
}

SOFTAX_KERNELS_END
#endif
