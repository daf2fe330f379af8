// panel_maxima: the first pass over a panel: the largest element of each column, and elements on their way to where they wait.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Elements in memory, and how far one row is from the next.
template <class T>
struct rows_at {
    T* data;
    index_t row;

    T* operator[](index_t i) const noexcept { return data + i * row; }
};

/// The rows of an input on their way to the exponential.
template <way Way, class T>
struct source {
    using element = T;
    static constexpr way how = Way;

    rows_at<T const> x;
    scaling<T> scale;

    /// The rows first, first + step, ...
    source rows(index_t first, index_t step) const noexcept { return {{x[first], x.row * step}, scale}; }

    /// From the next row on.
    EIGEN_STRONG_INLINE void step() noexcept { x.data += x.row; }

    /// Asks for what is some rows ahead.
    EIGEN_ALWAYS_INLINE void ask_for(index_t rows, index_t j) const noexcept { prefetch(x.data + rows * x.row + j); }

    /// The first lanes of a packet from element j of the first row on.
    EIGEN_ALWAYS_INLINE packet<T> operator()(index_t j, index_t lanes) const noexcept {
        return scale.template factored<Way>(packet<T>::load(x.data + j, lanes, T(0)));
    }
};

/// Rows of so many elements that lie so near to one another are taken for one run.
template <class T>
inline constexpr index_t dense_row = 1024 / static_cast<index_t>(sizeof(T));

/// The rows of an input, masked or converted, and kept where what comes after reads it.
template <class T, class In, class Mask>
struct moved_source {
    using element = In;

    rows_at<In const> x;
    Mask which;
    rows_at<T> kept;
    /// How far the lowest element lies below 0, whether the mask leaves it or not.
    packet<T> lowest_below = packet<T>::set(T(0));

    moved_source rows(index_t first, index_t step) const noexcept {
        return {{x[first], x.row * step}, which.rows(first, step), {kept[first], kept.row * step}};
    }

    EIGEN_STRONG_INLINE void step() noexcept {
        x.data += x.row;
        kept.data += kept.row;
        which.step();
    }

    EIGEN_ALWAYS_INLINE void ask_for(index_t rows, index_t j) const noexcept {
        prefetch(x.data + rows * x.row + j);
        // Where they are written, if rows follow one another: (100,1000,8) over axis 1 takes 1.39 times an unmasked call rather than
        // 1.55. Rows far apart take 1.3 rather than 1.25 with it.
        if (kept.row <= dense_row<T>) prefetch_to(kept.data + rows * kept.row + j);
        if (j % 64 == 0) which.ask_for(rows, j);
    }

    EIGEN_ALWAYS_INLINE packet<T> operator()(index_t j, index_t lanes) noexcept {
        packet<T> const own = some_of_row<In>::load(x.data + j, lanes), moved = which(own, 0, j, lanes);
        moved.store(kept.data + j, lanes);
        if constexpr (std::same_as<Mask, mask<T>>)
            lowest_below = max(lowest_below, packet<T>::set(T(0)) - own * which.factor);
        return moved;
    }
};

/// The rows of an input, masked where they are read.
template <way Way, class T>
struct masked_source {
    using element = T;
    static constexpr way how = Way;

    rows_at<T const> x;
    mask<T> which;
    scaling<T> scale;
    packet<T> lowest_below = packet<T>::set(T(0));  // as that of moved_source

    masked_source rows(index_t first, index_t step) const noexcept {
        return {{x[first], x.row * step}, which.rows(first, step), scale};
    }

    EIGEN_STRONG_INLINE void step() noexcept {
        x.data += x.row;
        which.step();
    }

    EIGEN_ALWAYS_INLINE void ask_for(index_t rows, index_t j) const noexcept {
        prefetch(x.data + rows * x.row + j);
        if (j % 64 == 0) which.ask_for(rows, j);
    }

    EIGEN_ALWAYS_INLINE packet<T> operator()(index_t j, index_t lanes) noexcept {
        packet<T> const own = packet<T>::load(x.data + j, lanes, T(0));
        lowest_below = max(lowest_below, packet<T>::set(T(0)) - own * which.factor);
        return which(own, 0, j, lanes);
    }
};

/// 1 for elements that a mask leaves, 0 for others.
template <class T>
struct answers {
    using element = T;

    mask<T> which;

    answers rows(index_t first, index_t step) const noexcept { return {which.rows(first, step)}; }
    EIGEN_STRONG_INLINE void step() noexcept { which.step(); }
    EIGEN_ALWAYS_INLINE void ask_for(index_t rows, index_t j) const noexcept { which.ask_for(rows, j); }
    EIGEN_ALWAYS_INLINE packet<T> operator()(index_t j, index_t lanes) const noexcept {
        return which(packet<T>::set(T(1)), 0, j, lanes);
    }
};

/// No mask, elements times a factor.
template <class T>
struct multiplied : everything<T> {
    packet<T> factor;

    multiplied rows(index_t, index_t) const noexcept { return *this; }
    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, index_t, index_t, index_t) const noexcept {
        return x * factor;
    }
};

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
        : m_(m), n_(n), s_(shape), is_large_(is_large) {}

    template <class Source>
    void find(Source const& x) noexcept {
        // Halves of folded rows are read in whole packets.
        fill_run(m_, s_.fold > 1 ? Width : (s_.flat + P::lanes - 1) / P::lanes * P::lanes, lowest);
        index_t const rows = n_ / s_.fold, rest = n_ % s_.fold * s_.columns;
        // Rows a page apart, of elements and of a mask, push each other out of cache if there are many.
        index_t some = 8;
        if constexpr (requires { x.which; }) some = is_large_ ? 4 : 8;
        for (index_t i = 0; i < rows; i += some) find(x.rows(i, 1), std::min(rows - i, some), s_.flat);
        if (rest > 0) find(x.rows(rows, 1), 1, rest);
        for (index_t half = s_.flat / 2; half >= s_.columns; half /= 2) {
            for (index_t j = 0; j < half; j += P::lanes) max(P::load(m_ + j), P::load(m_ + half + j)).store(m_ + j);
        }
    }

    /// Columns of which the mask leaves nothing get 0 for their maximum, so that their results are as good as any. own: room for
    /// all of them.
    void spare_empty_columns(mask<T> const& which, T* own) noexcept {
        if (std::find(m_, m_ + s_.columns, lowest) == m_ + s_.columns) return;
        // A maximum of -inf is that of nothing, but where an element is -inf.
        alignas(64) T below[P::lanes];
        lowest_below_.store(below);
        if (std::all_of(below, below + P::lanes, [](T far) { return far < -lowest; })) {
            return std::replace(m_, m_ + s_.columns, lowest, T(0));
        }
        std::copy_n(m_, s_.columns, own);
        find(answers<T>{mask<T>::of(which.where, T(1), T(0))});
        for (index_t j = 0; j < s_.columns; ++j) m_[j] = m_[j] == 0 ? T(0) : own[j];
    }

private:
    template <class Source>
    void find(Source const& x, index_t rows, index_t columns) noexcept {
        index_t j = 0;
        P below = lowest_below_;
        for (; j + P::lanes <= columns; j += P::lanes) take(x, rows, j, P::lanes, below);
        if (j < columns) {
            auto const [at, live] = some_of_row<typename Source::element>::of(j, columns - j);
            take(x, rows, at, live, below);
        }
        lowest_below_ = below;
    }

    template <class Source>
    EIGEN_ALWAYS_INLINE void take(Source x, index_t rows, index_t j, index_t lanes, P& below) noexcept {
        P largest = P::load(m_ + j);
        SOFTAX_WRITTEN_OUT
        for (index_t i = 0; i < rows; ++i, x.step()) {
            if (is_large_) x.ask_for(8, j);
            largest = max(largest, x(j, lanes));
        }
        if constexpr (requires { x.lowest_below; }) below = max(below, x.lowest_below);
        largest.store(m_ + j, s_.fold > 1 ? lanes : P::lanes);
    }

    T* m_;
    index_t n_;
    panel_shape s_;
    bool is_large_;
    P lowest_below_ = P::set(T(0));
};

SOFTAX_KERNELS_END
#endif
