// panel_sources: the rows of a panel on their way to its passes: as they are, masked, converted, or what a mask says of them.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Whether masked elements are masked in both passes over them, rather than kept between: softmax of 1,000 rows of 64 columns
/// takes 1.2 times an unmasked call rather than 1.3, logsumexp of 4,096 rows of 1,024 columns 1.28 rather than 1.42 (AVX-512; AVX2
/// 1.4 to 1.6 rather than 1.2 to 1.3).
template <form Form, class E>
inline constexpr bool masks_panel_as_read =
    std::floating_point<E> && Form != form::log_softmax && sizeof(packet<compute_type<E>>) == 64;

/// Elements in memory, and how far one row is from the next.
template <class T>
struct rows_at {
    T* data;
    index_t row;

    T* operator[](index_t i) const noexcept { return data + i * row; }
};

/// Where a packet of a row lies, and what a mask says of it.
template <class In, class T>
struct place_in_row {
    In const* x;
    bool const* where;
    T* kept;
};

// Sources of the passes over a panel. What changes from row to row is the place alone: a source is many registers, which would be
// copied for every packet of columns.

/// The rows of an input on their way to the exponential.
template <way Way, class T>
struct source {
    using element = T;
    using place = place_in_row<T, T>;
    static constexpr way how = Way;

    rows_at<T const> x;
    scaling<T> scale;

    /// Element j of row i.
    EIGEN_ALWAYS_INLINE place at(index_t i, index_t j) const noexcept { return {x[i] + j, nullptr, nullptr}; }

    /// Some rows on.
    EIGEN_ALWAYS_INLINE void step(place& p, index_t rows) const noexcept { p.x += rows * x.row; }

    /// Asks for what is some rows ahead.
    EIGEN_ALWAYS_INLINE void ask_for(place const& p, index_t rows, index_t) const noexcept {
        prefetch(p.x + rows * x.row);
    }

    /// The first lanes of a packet; below, where there is a mask, how far the lowest element lies below 0, whether left or not.
    EIGEN_ALWAYS_INLINE packet<T> operator()(place const& p, index_t lanes, packet<T>&) const noexcept {
        return scale.template factored<Way>(packet<T>::load(p.x, lanes, T(0)));
    }
};

/// Rows of so many elements that lie so near to one another are taken for one run.
template <class T>
inline constexpr index_t dense_row = 1024 / static_cast<index_t>(sizeof(T));

/// The rows of an input, masked or converted, and kept where what comes after reads it.
template <class T, class In, class Mask>
struct moved_source {
    using element = In;
    using place = place_in_row<In, T>;
    static constexpr bool is_masked = std::same_as<Mask, mask<T>>;

    rows_at<In const> x;
    Mask which;
    rows_at<T> kept;

    EIGEN_ALWAYS_INLINE place at(index_t i, index_t j) const noexcept {
        place p = {x[i] + j, nullptr, kept[i] + j};
        if constexpr (is_masked) p.where = &which.where(i, j);
        return p;
    }

    EIGEN_ALWAYS_INLINE void step(place& p, index_t rows) const noexcept {
        p.x += rows * x.row;
        p.kept += rows * kept.row;
        if constexpr (is_masked) p.where += rows * which.row();
    }

    EIGEN_ALWAYS_INLINE void ask_for(place const& p, index_t rows, index_t j) const noexcept {
        prefetch(p.x + rows * x.row);
        // Where they are written, if rows follow one another: (100,1000,8) over axis 1 takes 1.39 times an unmasked call rather than
        // 1.55. Rows far apart take 1.3 rather than 1.25 with it.
        if (kept.row <= dense_row<T>) prefetch_to(p.kept + rows * kept.row);
        if constexpr (is_masked) {
            if (j % 64 == 0) prefetch(p.where + rows * which.row());
        }
    }

    EIGEN_ALWAYS_INLINE packet<T> operator()(place const& p, index_t lanes, packet<T>& below) const noexcept {
        packet<T> const own = some_of_row<In>::load(p.x, lanes), moved = which(own, p.where, lanes);
        moved.store(p.kept, lanes);
        if constexpr (is_masked) below = max(below, packet<T>::set(T(0)) - own * which.factor);
        return moved;
    }
};

/// The rows of an input, masked where they are read.
template <way Way, class T>
struct masked_source {
    using element = T;
    using place = place_in_row<T, T>;
    static constexpr way how = Way;

    rows_at<T const> x;
    mask<T> which;
    scaling<T> scale;

    EIGEN_ALWAYS_INLINE place at(index_t i, index_t j) const noexcept {
        return {x[i] + j, &which.where(i, j), nullptr};
    }

    EIGEN_ALWAYS_INLINE void step(place& p, index_t rows) const noexcept {
        p.x += rows * x.row;
        p.where += rows * which.row();
    }

    EIGEN_ALWAYS_INLINE void ask_for(place const& p, index_t rows, index_t j) const noexcept {
        prefetch(p.x + rows * x.row);
        if (j % 64 == 0) prefetch(p.where + rows * which.row());
    }

    EIGEN_ALWAYS_INLINE packet<T> operator()(place const& p, index_t lanes, packet<T>& below) const noexcept {
        packet<T> const own = packet<T>::load(p.x, lanes, T(0));
        below = max(below, packet<T>::set(T(0)) - own * which.factor);
        return which(own, p.where, lanes);
    }
};

/// 1 for elements that a mask leaves, 0 for others.
template <class T>
struct answers {
    using element = T;
    using place = place_in_row<T, T>;

    mask<T> which;

    EIGEN_ALWAYS_INLINE place at(index_t i, index_t j) const noexcept { return {nullptr, &which.where(i, j), nullptr}; }
    EIGEN_ALWAYS_INLINE void step(place& p, index_t rows) const noexcept { p.where += rows * which.row(); }
    EIGEN_ALWAYS_INLINE void ask_for(place const& p, index_t rows, index_t) const noexcept {
        prefetch(p.where + rows * which.row());
    }
    EIGEN_ALWAYS_INLINE packet<T> operator()(place const& p, index_t lanes, packet<T>&) const noexcept {
        return which(packet<T>::set(T(1)), p.where, lanes);
    }
};

/// No mask, elements times a factor.
template <class T>
struct multiplied : everything<T> {
    packet<T> factor;

    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, bool const*, index_t) const noexcept { return x * factor; }
};

/// Rows first, first + step ...
struct stepped_rows {
    index_t first, count, step;
};

SOFTAX_KERNELS_END
#endif
