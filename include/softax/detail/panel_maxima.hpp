// panel_maxima: the first pass over a panel: the largest element of each column, and elements on their way to where they wait.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The columns of a panel and how they are folded: flat = fold * columns of one folded row.
struct panel_shape {
    index_t columns, fold, flat;
};

/// The largest of each of the columns of a panel, n rows.
template <class T, index_t Width>
class panel_maxima {
    using P = packet<T>;
    static constexpr T lowest = -std::numeric_limits<T>::infinity();
    /// Whether elements of large panels are looked at for -inf, which takes less than to read a mask again; in narrower packets masked
    /// softmax would take 1.06 times as long (1,000 rows of 1,000, AVX2).
    static constexpr bool looks = sizeof(P) == 64;

public:
    panel_maxima(T* m, index_t n, panel_shape const& shape, bool is_large) noexcept
        : m_(m), n_(n), s_(shape), is_large_(is_large) {}

    /// Of rows that are not kept on their way.
    template <class Mask>
    void find(masked_rows<T, T, Mask> const& x, scaling<T> const& scale) noexcept {
        scale.factor.first() != 1 ? find(source<way::plain, T, Mask, true>{x, scale})
                                  : find(source<way::plain, T, Mask>{x, scale});
    }

    template <class Source>
    void find(Source const& x) noexcept {
        // Halves of folded rows are read in whole packets.
        fill_run(m_, s_.fold > 1 ? Width : (s_.flat + P::lanes - 1) / P::lanes * P::lanes, lowest);
        index_t const rows = n_ / s_.fold, rest = n_ % s_.fold * s_.columns;
        // Rows a page apart, of elements and of what is kept of them, push each other out of cache if there are many.
        bool const are_several = Source::is_masked || !std::same_as<typename Source::element, T>;
        index_t const apart = x.x.row * static_cast<index_t>(sizeof(typename Source::element));
        index_t const some = are_several && is_large_ && apart % 4096 == 0 ? 4 : 8;
        for (index_t i = 0; i < rows; i += some) find(x, i, std::min(rows - i, some), s_.flat);
        if (rest > 0) find(x, rows, 1, rest);
        for (index_t half = s_.flat / 2; half >= s_.columns; half /= 2) {
            for (index_t j = 0; j < half; j += P::lanes) max(P::load(m_ + j), P::load(m_ + half + j)).store(m_ + j);
        }
    }

    /// Columns of which the mask leaves nothing get 0 for their maximum, so that their results are as good as any.
    void spare_empty_columns(mask<T> const& which) noexcept {
        bool any[Width] = {};
        // A maximum of -inf is that of nothing, but where an element is -inf.
        bool const are_empty = looks && is_large_ && are_ones(unspoilt_);
        if (!are_empty && !take_left(any, which)) return;
        for (index_t j = 0; j < s_.columns; j += P::lanes) {
            P const m = P::load(m_ + j);
            chosen(any + j, m, zero_where_equal(m, m, P::set(lowest))).store(m_ + j);
        }
    }

private:
    /// any[0, columns) = what a mask leaves of the columns, if the maximum of some is -inf; whether it is.
    bool take_left(bool* any, mask<T> const& which) const noexcept {
        bool const* const where = which.where.data;
        index_t const row = which.row(), columns = s_.columns;
        P above = P::set(T(1));
        for (index_t j = 0; j < columns; j += P::lanes) {
            above = zero_where_equal(above, P::load(m_ + j, std::min(columns - j, P::lanes), T(0)), P::set(lowest));
        }
        if (are_ones(above)) return false;
        // Short rows that follow one another are read some at a time, the last of them perhaps again.
        index_t some = 1;
        while (row == columns && some * columns < 64 && 16 * some <= n_) some *= 2;
        take_any(any, where, some * row, n_ / some, some * columns);
        if (n_ % some > 0) take_any(any, where + (n_ - some) * row, row, 1, some * columns);
        for (index_t half = some / 2 * columns; half >= columns; half /= 2) take_any(any, any + half, half, 1, half);
        return true;
    }

    template <class Source>
    void find(Source const& x, index_t first, index_t rows, index_t columns) noexcept {
        is_large_ ? find<true>(x, first, rows, columns) : find<false>(x, first, rows, columns);
    }

    template <bool IsLarge, class Source>
    void find(Source const& x, index_t first, index_t rows, index_t columns) noexcept {
        index_t j = 0;
        for (; j + P::lanes <= columns; j += P::lanes) take<IsLarge>(x, first, rows, j, P::lanes);
        if (j < columns) {
            auto const [at, live] = some_of_row<typename Source::element>::of(j, columns - j);
            take<IsLarge>(x, first, rows, at, live);
        }
    }

    template <bool IsLarge, class Source>
    EIGEN_ALWAYS_INLINE void take(Source const& x, index_t first, index_t rows, index_t column,
                                  index_t lanes) noexcept {
        P largest = P::load(m_ + column);
        [[maybe_unused]] P unspoilt = unspoilt_;
        auto place = x.at(first, column);
        constexpr bool spoils = looks && IsLarge && Source::is_masked;
        // Written out, some loops would take more pointers than there are registers, and 1.1 times as long.
        constexpr bool is_converted = !std::same_as<typename Source::element, T> && sizeof(P) == 32;
        if constexpr (IsLarge && (Source::is_masked || is_converted)) {
            SOFTAX_VECTORIZED
            for (index_t i = 0; i < rows; ++i, x.step(place, 1)) {
                x.ask_for(place, 8);
                if constexpr (spoils) unspoilt = x.unspoilt(unspoilt, place, lanes);
                largest = max(largest, x(place, lanes));
            }
            if constexpr (spoils) unspoilt_ = unspoilt;
        } else {
            SOFTAX_WRITTEN_OUT
            for (index_t i = 0; i < rows; ++i, x.step(place, 1)) {
                if constexpr (IsLarge) x.ask_for(place, 8);
                largest = max(largest, x(place, lanes));
            }
        }
        largest.store(m_ + column, s_.fold > 1 ? lanes : P::lanes);
    }

    T* m_;
    index_t n_;
    panel_shape s_;
    bool is_large_;
    P unspoilt_ = P::set(T(1));  // 0 where an element of a large panel is -inf
};

SOFTAX_KERNELS_END
#endif
