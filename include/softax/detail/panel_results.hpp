// panel_results: the last pass over a panel: what becomes of its elements once the sums of its columns are known.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Elements of a panel: rows of columns.
struct panel_extents {
    index_t rows, columns;
};

/// Some of them.
struct some_rows {
    index_t first, count;
};

/// What the results of a panel are made with.
template <form Form, class T>
struct panel_results {
    using P = packet<T>;

    /// For each column the quotient in two parts; for log_softmax the maximum and the negative logarithm.
    T const *first, *second;
    bool is_streamed;  // y is written past the caches: whole packets, aligned, not folded

    /// y from the rows of x for log_softmax, of e for softmax, which may be y.
    template <class Source, class E>
    void write(Source const& x, rows_at<T> e, rows_at<E> y, panel_extents const& size) const noexcept {
        bool const is_whole = size.columns % P::lanes == 0;
        bool const is_apart = std::same_as<E, T> && static_cast<void const*>(e.data) != y.data;
        if (is_streamed || (is_whole && (is_apart || y.row > size.columns))) {
            for (index_t i = 0; i < size.rows; ++i) write_row(x, i, e[i], y[i], size.columns);
            return;
        }
        // The end of a row is written under a mask, which the beginning of the next, read too soon, would wait for.
        constexpr index_t some = 8;
        for (index_t i = 0; i < size.rows; i += some) {
            index_t const rows = std::min(some, size.rows - i), whole = size.columns / P::lanes * P::lanes;
            for (index_t j = 0; j < whole; j += P::lanes) write_packets(x, e, y, {i, rows}, j, P::lanes);
            if (is_whole) continue;
            auto const [at, live] = some_of_row<E>::of(whole, size.columns - whole);
            write_packets(x, e, y, {i, rows}, at, live);
        }
    }

private:
    template <class Source, class E>
    void write_row(Source const& x, index_t i, T const* e, E* y, index_t columns) const noexcept {
        if constexpr (std::same_as<E, T>) {
            for (index_t j = 0; j < columns && is_streamed; j += P::lanes)
                store_past_caches(y + j, whole_result(x, i, e, j));
            if (is_streamed) return;
        }
        for (index_t j = 0; j < columns; j += P::lanes) whole_result(x, i, e, j).store(y + j);
    }

    template <class Source>
    EIGEN_ALWAYS_INLINE P whole_result(Source const& x, index_t i, T const* e, index_t j) const noexcept {
        return result(x, x.at(i, j), e + j, {P::load(first + j), P::load(second + j)}, P::lanes);
    }

    /// A packet of columns of some rows. Exponentials wait in y if they can: with two places rows of 100 take 1.08 times as long. So what
    /// waits elsewhere fills packets, but for halves.
    template <class Source, class E>
    EIGEN_ALWAYS_INLINE void write_packets(Source const& x, rows_at<T> e, rows_at<E> y, some_rows const& rows,
                                           index_t column, index_t lanes) const noexcept {
        quotient<T> const by = {P::load(first + column), P::load(second + column)};
        T const* from = e[rows.first] + column;
        E* to = y[rows.first] + column;
        auto place = x.at(rows.first, column);
        SOFTAX_WRITTEN_OUT
        for (index_t i = 0; i < rows.count; ++i, x.step(place, 1), from += e.row, to += y.row) {
            if constexpr (std::same_as<E, T>) from = to;
            some_of_row<E>::store(to, result(x, place, from, by, lanes), lanes);
        }
    }

    /// by: for log_softmax the maximum and the negative logarithm.
    template <class Source>
    EIGEN_ALWAYS_INLINE static P result(Source const& x, typename Source::place const& place, T const* e,
                                        quotient<T> const& by, index_t lanes) noexcept {
        if constexpr (Form == form::softmax) {
            return by(P::load(e, lanes, T(0)));
        } else {
            return x.log_softmax(place, lanes, by.hi, by.lo);
        }
    }
};

SOFTAX_KERNELS_END
#endif
