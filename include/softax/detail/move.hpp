// move: elements between strided memories, converted on the way, and masked.
//
// What lies wrong for a kernel passes through here: runs a packet at a time, transposed blocks in tiles that stay in cache.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// How far the memory is that is moved next; 0 where it may be in cache.
struct reach {
    index_t x = 0, y = 0;
};

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
    } else if constexpr (std::same_as<To, From> || is_half_type<From> || is_half_type<To>) {
        using P = packet<std::conditional_t<is_half_type<From>, To, From>>;
        if (n >= run_ahead) next = {run_ahead, run_ahead};
        for (; i + P::lanes <= n; i += P::lanes) {
            prefetch(x + i + next.x);
            if constexpr (!is_half_type<From>) prefetch_to(y + i + next.y);  // else it is a scratch
            P::load(x + i).store(y + i);
        }
    }
    for (; i < n; ++i) y[i] = static_cast<To>(x[i]);
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

/// y = x over all axes.
template <class To, class From>
class mover {
public:
    mover(To* y, From const* x, walked_axes axes, reach next = {}) noexcept
        : y_(y), x_(x), next_(next), block_(take_rectangle(axes)) {
        for_each_place(axes, *this);
    }
    void operator()(walked_axis const& at) const noexcept { move_rectangle(y_ + at.y, x_ + at.x, block_, next_); }

private:
    static void move_rectangle(To* y, From const* x, rectangle const& r, reach next) noexcept {
        constexpr index_t tile = 16;
        if (r.column.x == 1 && r.column.y == 1) {
            for (index_t i = 0; i < r.row.extent; ++i)
                move_run(y + i * r.row.y, x + i * r.row.x, r.column.extent, next);
            return;
        }
        if constexpr (std::same_as<From, To> && std::floating_point<To>) {
            if (r.column.x == 2 && r.column.y == 1) {
                for (index_t i = 0; i < r.row.extent; ++i) {
                    move_every_second(y + i * r.row.y, x + i * r.row.x, r.column.extent);
                }
                return;
            }
        }
        // Squares that fit go through registers, what is left of them element by element.
        constexpr bool is_vector = std::is_floating_point_v<To> && (std::same_as<From, To> || is_half_type<From>);
        if constexpr (is_vector) {
            if (r.column.y == 1 && r.row.x == 1) return transpose_rectangle(y, x, r);
        }
        for (index_t i0 = 0; i0 < r.row.extent; i0 += tile) {
            index_t const i1 = std::min(i0 + tile, r.row.extent);
            for (index_t j0 = 0; j0 < r.column.extent; j0 += tile) {
                move_elements(y, x, r, i0, i1, j0, std::min(j0 + tile, r.column.extent));
            }
        }
    }

    /// The elements [i0, i1) x [j0, j1).
    static void move_elements(To* y, From const* x, rectangle const& r, index_t i0, index_t i1, index_t j0,
                              index_t j1) noexcept {
        index_t const x_step = r.column.x, y_step = r.column.y;
        for (index_t i = i0; i < i1; ++i) {
            From const* from = x + i * r.row.x;
            To* to = y + i * r.row.y;
            for (index_t j = j0; j < j1; ++j) to[j * y_step] = static_cast<To>(from[j * x_step]);
        }
    }

    /// Rows are neighbours in the input, columns in the output.
    static void transpose_rectangle(To* y, From const* x, rectangle const& r) noexcept {
        using P = packet<To>;
        index_t const rows = r.row.extent / P::lanes * P::lanes, columns = r.column.extent / P::lanes * P::lanes;
        for (index_t i = 0; i < rows; i += P::lanes) {
            for (index_t j = 0; j < columns; j += P::lanes) {
                P square[P::lanes];
                SOFTAX_UNROLLED
                for (index_t k = 0; k < P::lanes; ++k) square[k] = P::load(x + i + (j + k) * r.column.x);
                transpose(square);
                SOFTAX_UNROLLED
                for (index_t k = 0; k < P::lanes; ++k) square[k].store(y + (i + k) * r.row.y + j);
            }
        }
        move_elements(y, x, r, 0, rows, columns, r.column.extent);
        move_elements(y, x, r, rows, r.row.extent, 0, r.column.extent);
    }

    To* y_;
    From const* x_;
    reach next_;
    rectangle block_;
};

/// y = x, masked.
template <class T, class From>
class masked_mover {
public:
    masked_mover(T* y, From const* x, bool const* where, walked_axes axes, T factor) noexcept
        : y_(y), x_(x), where_(where), mask_{{}, packet<T>::set(factor)} {
        index_t last = axes.size - 1;
        for (index_t i = 0; i < axes.size; ++i) {
            if (axes.at[i].y == 1) last = i;
        }
        if (axes.size > 0) run_ = axes.take_run(last);
        for_each_place(axes, *this);
    }

    void operator()(walked_axis const& at) const noexcept {
        T* const y = y_ + at.y;
        From const* const x = x_ + at.x;
        bool const* const where = where_ + at.where;
        if (run_.y == 1 && run_.x == 1 && run_.where == 1) return mask_.copy(y, x, where, run_.extent);
        if (run_.y == 1 && run_.x == 1 && run_.where == 0) return copy(y, x, *where);
        for (index_t i = 0; i < run_.extent; ++i) {
            y[i * run_.y] = mask_(x[i * run_.x], where[i * run_.where]);
        }
    }

private:
    /// One answer for the whole run.
    void copy(T* y, From const* x, bool is_live) const noexcept {
        if (!is_live) std::fill_n(y, run_.extent, -std::numeric_limits<T>::infinity());
        bool live[packet<T>::lanes];
        std::fill_n(live, packet<T>::lanes, true);
        for (index_t i = 0; i < run_.extent && is_live; i += packet<T>::lanes) {
            mask_.copy(y + i, x + i, live, std::min(run_.extent - i, packet<T>::lanes));
        }
    }

    T* y_;
    From const* x_;
    bool const* where_;
    mask<T> mask_;
    walked_axis run_ = {1, 0, 0, 0};
};

/// y = value where the mask does not say so.
template <class T>
class mask_filler {
public:
    mask_filler(T* y, bool const* where, walked_axes const& axes, T value) noexcept
        : y_(y), where_(where), value_(value) {
        for_each_place(axes, *this);
    }
    void operator()(walked_axis const& at) const noexcept {
        if (!where_[at.where]) y_[at.y] = value_;
    }

private:
    T* y_;
    bool const* where_;
    T value_;
};

/// y = value where the mask does not say so, in groups that are NaN.
template <class T>
class group_mender {
public:
    group_mender(T* y, bool const* where, walked_axes const& kept, walked_axes const& reduced, T value) noexcept
        : y_(y), where_(where), reduced_(reduced), value_(value) {
        for_each_place(kept, *this);
    }
    void operator()(walked_axis const& at) const noexcept {
        T* const y = y_ + at.y;
        if (is_nan(*y)) mask_filler(y, where_ + at.where, reduced_, value_);
    }

private:
    T* y_;
    bool const* where_;
    walked_axes reduced_;
    T value_;
};

/// Whether the mask leaves something.
class live_finder {
public:
    bool any = false;

    live_finder(bool const* where, walked_axes const& axes) noexcept : where_(where) { for_each_place(axes, *this); }
    void operator()(walked_axis const& at) noexcept { any = any || where_[at.where]; }

private:
    bool const* where_;
};

/// y = -inf for groups of which the mask leaves nothing.
template <class T>
class empty_group_filler {
public:
    empty_group_filler(T* y, bool const* where, walked_axes const& kept, walked_axes const& reduced) noexcept
        : y_(y), where_(where), reduced_(reduced) {
        for_each_place(kept, *this);
    }
    void operator()(walked_axis const& at) const noexcept {
        bool const is_empty = is_nan(y_[at.y]) && !live_finder(where_ + at.where, reduced_).any;
        if (is_empty) y_[at.y] = -std::numeric_limits<T>::infinity();
    }

private:
    T* y_;
    bool const* where_;
    walked_axes reduced_;
};

SOFTAX_KERNELS_END
#endif
