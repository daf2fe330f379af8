// move: elements between strided memories, converted on the way, and masked.
//
// What lies wrong for a kernel passes through here: runs a packet at a time, transposed blocks in tiles that stay in cache.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// y[0, n) = x[0, n).
template <class To, class From>
EIGEN_ALWAYS_INLINE void move_run(To* y, From const* x, index_t n, reach next) noexcept {
    index_t i = 0;
    if constexpr (std::same_as<To, From>) {
        constexpr index_t bytes = static_cast<index_t>(sizeof(To)), few = 64 / bytes;
        if (n <= few) return copy_few_bytes(reinterpret_cast<char*>(y), reinterpret_cast<char const*>(x), n * bytes);
    }
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

/// y[i] = x[2 i] for 0 <= i < n, masked likewise. Reads nothing behind the last of them.
template <class T, class From, class Mask>
EIGEN_ALWAYS_INLINE void move_every_second(T* y, From const* x, index_t n, Mask const& which,
                                           bool const* where) noexcept {
    using P = packet<T>;
    index_t i = 0;
    for (; i + P::lanes < n; i += P::lanes) {
        prefetch_run<2 * P::lanes>(x + 2 * i + run_ahead);
        index_t const a = 2 * i, b = a + P::lanes;
        every_second(which(load_as<T>(x + a), which.answers(where, a), P::lanes),
                     which(load_as<T>(x + b), which.answers(where, b), P::lanes))
            .store(y + i);
    }
    for (; i < n; ++i) y[i] = which(x[2 * i], index_t{0}, i);
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
        if constexpr (std::same_as<From, To> && sizeof(To) == 1 && !is_masked) {
            if (r.column.y == 1 && (r.column.x == 0 || r.column.x == 1)) {
                return move_bytes(reinterpret_cast<char*>(y), reinterpret_cast<char const*>(x));
            }
        }
        bool const is_answered_in_runs = !is_masked || which.column() == 1 || which.column() == 0;
        if (r.column.x == 1 && r.column.y == 1 && is_answered_in_runs) {
            if (move_short_runs(y, x, which)) return;
            for (index_t i = 0; i < r.row.extent; ++i) run(y + i * r.row.y, x + i * r.row.x, which.rows(i, 1));
            return;
        }
        if constexpr (std::floating_point<To> && (std::same_as<From, To> || is_half_type<From>)) {
            if (r.column.x == 2 && r.column.y == 1 && (!is_masked || which.column() == 2)) {
                for (index_t i = 0; i < r.row.extent; ++i) {
                    Mask const own = which.rows(i, 1);
                    bool const* where = nullptr;
                    if constexpr (is_masked) where = own.where.data;
                    move_every_second(y + i * r.row.y, x + i * r.row.x, r.column.extent, own, where);
                }
                return;
            }
        }
        moved_rectangle<To, From, Mask> const all = {r, y, x, which};
        if (r.column.y == 1 && r.row.x == 1 && all.move_transposed()) return;
        for (index_t i0 = 0; i0 < r.row.extent; i0 += tile) {
            index_t const i1 = std::min(i0 + tile, r.row.extent);
            for (index_t j0 = 0; j0 < r.column.extent; j0 += tile) {
                all.move_elements(i0, i1, j0, std::min(j0 + tile, r.column.extent));
            }
        }
    }

    /// Runs no longer than what is moved at once, shorter ones if they are neighbours in the output, where each writes over what the one
    /// before has written too much; whether they are. The last ones are moved by themselves: (1024,100,2) over {0,2} takes half the time.
    bool move_short_runs(To* y, From const* x, Mask const& which) const noexcept {
        using T = std::conditional_t<std::floating_point<To>, To, From>;
        if constexpr (std::floating_point<T>) {
            constexpr index_t lanes = packet<T>::lanes;
            // Local, since writing y could change members for all the compiler knows.
            walked_axis const row = block_.row;
            index_t const n = block_.column.extent, next = next_.x,
                          step = is_masked && which.row() != 0 ? std::min(row.x, which.row()) : row.x;
            bool const is_in_place = static_cast<void const*>(x) == y;
            bool const are_next = n == lanes || (n < lanes && row.y == n && step > 0);
            if (!are_next || is_in_place) return false;
            index_t const spare = n == lanes ? 0 : (lanes - n + std::min(n, step) - 1) / std::min(n, step);
            Mask const own = which;
            bool same[lanes] = {};
            if constexpr (is_masked) {
                if (own.row() == 0) std::copy_n(&own.where(0, 0), own.column() == 0 ? 1 : n, same);
            }
            index_t i = 0;
            for (; i + spare < row.extent; ++i) {
                prefetch(x + i * row.x + next);
                bool const* where = same;
                if constexpr (is_masked) {
                    if (own.row() != 0) where = &own.where(i, 0);
                    if (own.column() == 0) {
                        std::fill_n(same, lanes, *where);
                        where = same;
                    }
                }
                own(load_as<T>(x + i * row.x), where, lanes).store(y + i * row.y);
            }
            for (; i < row.extent; ++i) run(y + i * row.y, x + i * row.x, which.rows(i, 1));
            return true;
        }
        return false;
    }

    /// Runs of bytes, or of one byte each.
    void move_bytes(char* y, char const* x) const noexcept {
        walked_axis const &row = block_.row, &column = block_.column;
        index_t const n = column.extent;
        for (index_t i = 0; i < row.extent; ++i, y += row.y, x += row.x) {
            column.x == 0 ? fill_bytes(y, *x, n) : copy_bytes(y, x, n);
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

    To* y_;
    From const* x_;
    reach next_;
    rectangle block_;
    Mask which_;
};

SOFTAX_KERNELS_END
#endif
