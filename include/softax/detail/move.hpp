// move: elements between strided memories, converted on the way, and masked.
//
// What lies wrong for a kernel passes through here: runs a packet at a time, transposed blocks in tiles that stay in cache.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// y[0, n) = x[0, n).
template <class To, class From>
EIGEN_STRONG_INLINE void move_run(To* y, From const* x, index_t n, reach next) noexcept {
    index_t i = 0;
    if constexpr (std::same_as<To, From> && std::floating_point<To>) {
        if (next.x == 0 && next.y == 0) return void(std::copy_n(x, n, y));
    }
    if constexpr (std::same_as<To, From> && !std::floating_point<To>) {
        std::copy_n(x, n, y);
        return;
    } else if constexpr (std::floating_point<To> || std::floating_point<From>) {
        using T = std::conditional_t<std::floating_point<To>, To, From>;
        if (n >= run_ahead) next = {run_ahead, run_ahead, 0};
        for (; i + packet<T>::lanes <= n; i += packet<T>::lanes) {
            prefetch(x + i + next.x);
            if constexpr (std::floating_point<From>) prefetch_to(y + i + next.y);  // else it is a scratch
            load_as<T>(x + i).store(y + i);
        }
    }
    for (; i < n; ++i) y[i] = converted<To>(x[i]);
}

/// y[i] = x[2 i] for 0 <= i < n. Reads nothing behind the last of them.
template <class T>
EIGEN_STRONG_INLINE void move_every_second(T* y, T const* x, index_t n) noexcept {
    using P = packet<T>;
    index_t i = 0;
    for (; i + P::lanes < n; i += P::lanes) {
        prefetch(x + 2 * i + run_ahead);
        every_second(P::load(x + 2 * i), P::load(x + 2 * i + P::lanes)).store(y + i);
    }
    for (; i < n; ++i) y[i] = x[2 * i];
}

/// y = x over all axes, masked or not.
template <class To, class From, class Mask = everything<To>>
class mover {
public:
    mover(To* y, From const* x, walked_axes axes, reach next = {}, Mask const& which = {}) noexcept
        : y_(y),
          x_(x),
          next_(next),
          block_(take_rectangle(axes)),
          which_(which.with_strides(block_.row.where, block_.column.where)) {
        for_each_place(axes, *this);
    }

    void operator()(walked_axis const& at) const noexcept {
        move_rectangle(y_ + at.y, x_ + at.x, which_.shifted(at.where));
    }

private:
    static constexpr bool is_masked = !std::same_as<Mask, everything<To>>;

    void move_rectangle(To* y, From const* x, Mask const& which) const noexcept {
        constexpr index_t tile = 16;
        rectangle const& r = block_;
        bool const is_answered_in_runs = !is_masked || which.column() == 1 || which.column() == 0;
        if (r.column.x == 1 && r.column.y == 1 && is_answered_in_runs) {
            for (index_t i = 0; i < r.row.extent; ++i) run(y + i * r.row.y, x + i * r.row.x, which.rows(i, 1));
            return;
        }
        if constexpr (std::same_as<From, To> && std::floating_point<To> && !is_masked) {
            if (r.column.x == 2 && r.column.y == 1) {
                for (index_t i = 0; i < r.row.extent; ++i) {
                    move_every_second(y + i * r.row.y, x + i * r.row.x, r.column.extent);
                }
                return;
            }
        }
        // Squares that fit go through registers, what is left of them element by element.
        constexpr bool is_bits = std::same_as<From, To> && sizeof(To) >= 4 && !is_masked;
        constexpr bool is_vector = is_bits || is_number;
        if constexpr (is_vector) {
            bool const is_fit = which.row() == 1 || which.column() == 1;
            if (r.column.y == 1 && r.row.x == 1 && is_fit) return transpose_rectangle(y, x, which);
        }
#if defined(__GNUC__)
        if constexpr (std::same_as<From, To> && sizeof(To) == 1 && !is_masked) {
            if (r.column.y == 1 && r.row.x == 1) return transpose_small(y, x);
        }
#endif
        for (index_t i0 = 0; i0 < r.row.extent; i0 += tile) {
            index_t const i1 = std::min(i0 + tile, r.row.extent);
            for (index_t j0 = 0; j0 < r.column.extent; j0 += tile) {
                move_elements(y, x, which, i0, i1, j0, std::min(j0 + tile, r.column.extent));
            }
        }
    }

    void run(To* y, From const* x, Mask const& which) const noexcept {
        index_t const n = block_.column.extent;
        if constexpr (!is_masked) {
            move_run(y, x, n, next_);
        } else if (which.column() == 1) {
            which.copy(y, x, which.where.data, n, next_);
        } else {
            which.copy(y, x, *which.where.data, n);
        }
    }

    /// The elements [i0, i1) x [j0, j1).
    void move_elements(To* y, From const* x, Mask const& which, index_t i0, index_t i1, index_t j0,
                       index_t j1) const noexcept {
        index_t const x_step = block_.column.x, y_step = block_.column.y;
        for (index_t i = i0; i < i1; ++i) {
            From const* from = x + i * block_.row.x;
            To* to = y + i * block_.row.y;
            for (index_t j = j0; j < j1; ++j) to[j * y_step] = converted<To>(which(from[j * x_step], i, j));
        }
    }

    /// Rows are neighbours in the input, columns in the output, and in the mask one of them.
    void transpose_rectangle(To* y, From const* x, Mask const& which) const noexcept {
        constexpr index_t lanes = packet<moved_type>::lanes;
        constexpr bool has_parts = is_whole && lanes >= 8;
        index_t const all = block_.column.extent, whole = all / lanes * lanes;
        for (index_t i = 0; i < block_.row.extent; i += lanes) {
            index_t const rows = std::min(lanes, block_.row.extent - i);
            // A few rows take less time element by element; a few columns, runs of which are short, do not.
            index_t const end = rows == lanes || (has_parts && 2 * rows >= lanes) ? whole : 0;
            for (index_t j = 0; j < end; j += lanes) {
                rows == lanes ? transpose_square(y, x, which, i, j) : transpose_part(y, x, which, {i, j, rows, lanes});
            }
            bool const is_part = has_parts && rows * (all - end) >= 3 * lanes && all - end < lanes;
            if (is_part) transpose_part(y, x, which, {i, end, rows, all - end});
            if (!is_part) move_elements(y, x, which, i, i + rows, end, all);
        }
    }

    EIGEN_STRONG_INLINE void transpose_square(To* y, From const* x, Mask const& which, index_t i,
                                              index_t j) const noexcept {
        using P = packet<moved_type>;
        bool const is_masked_first = which.row() == 1;
        P square[P::lanes];
        SOFTAX_UNROLLED
        for (index_t k = 0; k < P::lanes; ++k) {
            square[k] = loaded(x + i + (j + k) * block_.column.x);
            if constexpr (is_masked) {
                if (is_masked_first) square[k] = which(square[k], i, j + k, P::lanes);
            }
        }
        transpose(square);
        SOFTAX_UNROLLED
        for (index_t k = 0; k < P::lanes; ++k) {
            if constexpr (is_masked) {
                if (!is_masked_first) square[k] = which(square[k], i + k, j, P::lanes);
            }
            keep(square[k], y + (i + k) * block_.row.y + j);
        }
    }

    /// What is left of a square at an edge.
    struct part_of_square {
        index_t i, j, rows, columns;
    };

    /// (100,1000,8) so that rows of 1,000 follow one another takes .4 of the time of one element after another (AVX-512).
    void transpose_part(To* y, From const* x, Mask const& which, part_of_square const& at) const noexcept {
        if constexpr (is_whole) {
            using P = packet<To>;
            bool const is_masked_first = which.row() == 1;
            P square[P::lanes];
            for (index_t k = 0; k < at.columns; ++k) {
                square[k] = P::load(x + at.i + (at.j + k) * block_.column.x, at.rows, To(0));
                if constexpr (is_masked) {
                    if (is_masked_first) square[k] = which(square[k], at.i, at.j + k, at.rows);
                }
            }
            for (index_t k = at.columns; k < P::lanes; ++k) square[k] = P::set(To(0));
            transpose(square);
            for (index_t k = 0; k < at.rows; ++k) {
                if constexpr (is_masked) {
                    if (!is_masked_first) square[k] = which(square[k], at.i + k, at.j, at.columns);
                }
                square[k].store(y + (at.i + k) * block_.row.y + at.j, at.columns);
            }
        }
    }

    /// What a packet has on its way: the type that is converted to or from, else any of as many bits.
    static constexpr bool is_number = std::floating_point<To> || std::floating_point<From>;
    /// Whether it is what lies in memory.
    static constexpr bool is_whole = std::same_as<From, To> && std::floating_point<To>;
    using moved_type = std::conditional_t<std::floating_point<From> && is_half_type<To>, From, carrier<To>>;

    EIGEN_STRONG_INLINE static packet<moved_type> loaded(From const* x) noexcept {
        if constexpr (is_number) return load_as<moved_type>(x);
        if constexpr (!is_number) return load_bits(x);
    }

    EIGEN_STRONG_INLINE static void keep(packet<moved_type> x, To* y) noexcept {
        if constexpr (is_number) x.store(y);
        if constexpr (!is_number) store_bits(x, y);
    }

#if defined(__GNUC__)
    /// The same for bytes.
    void transpose_small(To* y, From const* x) const noexcept {
        rectangle const& r = block_;
        index_t const rows = r.row.extent / 8 * 8, columns = r.column.extent / 8 * 8;
        for (index_t i = 0; i < rows; i += 8) {
            for (index_t j = 0; j < columns; j += 8) {
                byte_square::load(x + i + j * r.column.x, r.column.x).transposed().store(y + i * r.row.y + j, r.row.y);
            }
        }
        move_elements(y, x, which_, 0, rows, columns, r.column.extent);
        move_elements(y, x, which_, rows, r.row.extent, 0, r.column.extent);
    }
#endif

    To* y_;
    From const* x_;
    reach next_;
    rectangle block_;
    Mask which_;
};

/// to = what a mask says, over all axes. A class, since a function would be found in every kernel namespace.
class mask_mover {
public:
    mask_mover(bool* to, bool const* where, walked_axes axes) noexcept {
        for (index_t k = 0; k < axes.size; ++k) axes.at[k].x = axes.at[k].where;
        mover<bool, bool>(to, where, axes);
    }
};

SOFTAX_KERNELS_END
#endif
