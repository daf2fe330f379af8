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

public:
    panel_maxima(T* m, index_t n, panel_shape const& shape, bool is_large) noexcept
        : m_(m), n_(n), s_(shape), is_large_(is_large), ahead_(8 * Width / shape.flat) {}

    /// Of rows that are not kept on their way.
    template <class Mask>
    void find(masked_rows<T, T, Mask> const& x, scaling<T> const& scale) noexcept {
        scale.factor.first() != 1 ? find(source<way::plain, T, Mask, true>{x, scale})
                                  : find(source<way::plain, T, Mask>{x, scale});
    }

    /// The same, what the mask leaves out being kept.
    void find(masked_rows<T, T, mask<T>> const& x, scaling<T> const& scale, panel_bits<T> const& bits) noexcept {
        scale.factor.first() != 1 ? find(recording_source<T, true>{{x, scale}, bits})
                                  : find(recording_source<T, false>{{x, scale}, bits});
    }

    template <class Source>
    void find(Source const& x) noexcept {
        start<Source::is_masked>();
        index_t const rows = n_ / s_.fold, rest = n_ % s_.fold * s_.columns;
        // Rows a page apart, of elements and of what is kept of them, push each other out of cache if there are many.
        bool const are_several = Source::is_masked || !std::same_as<typename Source::element, T>;
        index_t const apart = x.x.row * static_cast<index_t>(sizeof(typename Source::element));
        index_t const some = are_several && is_large_ && apart % 4096 == 0 ? 4 : 8;
        for (index_t i = 0; i < rows; i += some) find(x, i, std::min(rows - i, some), s_.flat);
        if (rest > 0) find(x, rows, 1, rest);
        for (index_t half = s_.flat / 2; half >= s_.columns; half /= 2) {
            for (index_t j = 0; j < half; j += P::lanes) {
                max(P::load(m_ + j), P::load(m_ + half + j)).store(m_ + j);
                if constexpr (Source::is_masked)
                    (P::load(nothing_ + j) * P::load(nothing_ + half + j)).store(nothing_ + j);
            }
        }
    }

    /// Begins with no rows.
    template <bool IsMasked = true>
    void start() noexcept {
        // Halves of folded rows are read in whole packets.
        index_t const run = s_.fold > 1 ? Width : padded(s_.flat);
        fill_run(m_, run, lowest);
        if constexpr (IsMasked) fill_run(nothing_, run, T(1));
    }

    /// Elements of memory in which the maxima of some rows are kept.
    static constexpr index_t kept_size = 2 * Width;

    void keep_in(T* memory) const noexcept {
        std::copy_n(m_, padded(s_.columns), memory);
        std::copy_n(nothing_, padded(s_.columns), memory + Width);
    }

    /// Takes those kept of other rows for its own.
    void take(T const* memory) noexcept {
        for (index_t j = 0; j < s_.columns; j += P::lanes) {
            max(P::load(m_ + j), P::load(memory + j)).store(m_ + j);
            (P::load(nothing_ + j) * P::load(memory + Width + j)).store(nothing_ + j);
        }
    }

    /// Columns of which the mask leaves nothing get 0 for their maximum, so that their results are as good as any.
    void spare_empty_columns() noexcept {
        for (index_t j = 0; j < s_.columns; j += P::lanes) {
            zero_where_equal(P::load(m_ + j), P::load(nothing_ + j), P::set(T(1))).store(m_ + j);
        }
    }

private:
    static constexpr index_t padded(index_t columns) noexcept { return (columns + P::lanes - 1) / P::lanes * P::lanes; }

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
        [[maybe_unused]] P nothing = P::set(T(1));
        if constexpr (Source::is_masked) nothing = P::load(nothing_ + column);
        auto place = x.at(first, column);
        // Written out, some loops would take more pointers than there are registers, and 1.1 times as long.
        constexpr bool is_converted = !std::same_as<typename Source::element, T> && sizeof(P) == 32;
        if constexpr (IsLarge && (Source::is_masked || is_converted)) {
            SOFTAX_VECTORIZED
            for (index_t i = 0; i < rows; ++i, x.step(place, 1)) {
                x.ask_for(place, ahead_);
                take_row(x, place, lanes, largest, nothing);
            }
        } else {
            SOFTAX_WRITTEN_OUT
            for (index_t i = 0; i < rows; ++i, x.step(place, 1)) {
                if constexpr (IsLarge) x.ask_for(place, ahead_);
                take_row(x, place, lanes, largest, nothing);
            }
        }
        index_t const kept = s_.fold > 1 ? lanes : P::lanes;
        largest.store(m_ + column, kept);
        if constexpr (Source::is_masked) nothing.store(nothing_ + column, kept);
    }

    template <class Source>
    EIGEN_ALWAYS_INLINE static void take_row(Source const& x, typename Source::place const& at, index_t lanes,
                                             P& largest, P& nothing) noexcept {
        if constexpr (Source::is_masked) nothing = x.nothing(nothing, at, lanes);
        largest = max(largest, x(at, lanes));
    }

    T* m_;
    index_t n_;
    panel_shape s_;
    bool is_large_;
    index_t
        ahead_;  // rows, such that they are 8 KB: softmax of 10,000 rows of 10,000 takes .87 of the time of 8 rows of 64
    alignas(64) T nothing_[Width];  // 1 for columns of which the mask has left nothing so far, else 0
};

SOFTAX_KERNELS_END
#endif
