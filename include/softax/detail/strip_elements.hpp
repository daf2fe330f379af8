// strip_elements: the elements of a strip, on their way to where they are kept in L1 and back.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The elements of some short groups, element i of group j in [i][j].
template <class T>
class strip_elements {
    using P = packet<T>;
    static constexpr index_t line = 64 / static_cast<index_t>(sizeof(T));
    /// Groups of so few elements are masked as they lie, if they lie one after another: of 8 to 15 .88 to .97 of the time (AVX-512).
    static constexpr index_t few = sizeof(P) < 64 ? 2 * P::lanes : P::lanes;
    /// How far ahead of itself the strip asks for groups that lie in runs.
    static constexpr index_t distance = 128 * line;

public:
    /// Columns: four cache lines, which the prefetchers follow better than one.
    static constexpr index_t width = 4 * line;

    explicit strip_elements(extents const& size) noexcept
        : is_large_(size.are_large), is_streamed_(size.are_streamed) {}

    /// How many of the groups that are left come next. Halves are moved in whole packets, which a strip must fill.
    template <class E>
    static constexpr index_t next_of(index_t left) noexcept {
        bool const leaves_few = left > width && left < width + P::lanes;
        return !std::same_as<E, T> && leaves_few ? width - P::lanes : std::min(width, left);
    }

    /// Whether no element that was masked last, left or not, is -inf.
    bool are_above_lowest() const noexcept { return are_ones(unspoilt_); }

    T* operator[](index_t i) noexcept { return e_[i]; }
    T const* operator[](index_t i) const noexcept { return e_[i]; }

    /// Element i of group j of x, or of what a mask makes of it, into [i][j]; 0 < live <= width groups.
    template <class Mask>
    EIGEN_ALWAYS_INLINE void load(lattice<T const> x, index_t n, index_t live, Mask const& which) noexcept {
        if constexpr (!std::same_as<Mask, everything<T>>) {
            if (n < few && is_dense(x, n) && is_dense(which, n)) return load_dense(x, n, live, which);
        }
        P unspoilt = P::set(T(1));  // local, since writing e_ could change a member for all the compiler knows
        if (x.column == 1 && which.column() == 1 && live == width) {
            for (index_t i = 0; i < n; ++i) {
                for (index_t p = 0; p < width; p += P::lanes) {
                    P const own = P::load(&x(i, p));
                    unspoilt = which.unspoilt(unspoilt, own);
                    which(own, i, p, P::lanes).store(e_[i] + p);
                }
                prefetch_run<width>(&x(i, width));
                which.ask_for(i, width);
            }
        } else if (x.column == 1 && which.column() == 1) {
            for (index_t i = 0; i < n; ++i) {
                // Columns beyond the last repeat the first.
                for (index_t p = 0; p < live; p += P::lanes) {
                    index_t const some = std::min(live - p, P::lanes);
                    P const own = P::load(&x(i, p), some, x(i, 0));
                    unspoilt = which.unspoilt(unspoilt, own);
                    which(own, i, p, some).store(e_[i] + p);
                    if (!std::same_as<Mask, everything<T>> && some < P::lanes)
                        P::load(e_[i] + p, some, e_[i][0]).store(e_[i] + p);
                }
            }
        } else if (x.row == 1 && which.row() == 1 && 2 * n >= P::lanes) {
            unspoilt = load_runs(x, n, live, which);
        } else {
            load_elements(x, n, live, which);
            unspoilt = P::set(T(0));  // nobody has looked
        }
        unspoilt_ = unspoilt;
    }

    /// The same back.
    EIGEN_ALWAYS_INLINE void store(lattice<T> y, index_t n, index_t live) const noexcept {
        if (y.column == 1 && live == width && is_streamed_) {
            for (index_t i = 0; i < n; ++i) {
                for (index_t p = 0; p < width; p += P::lanes) store_past_caches(&y(i, p), P::load(e_[i] + p));
            }
        } else if (y.column == 1) {
            for (index_t i = 0; i < n; ++i) {
                for (index_t p = 0; p < live; p += P::lanes) {
                    P::load(e_[i] + p).store(&y(i, p), std::min(live - p, P::lanes));
                }
            }
        } else if (y.row == 1 && 2 * n >= P::lanes) {
            for (index_t j = 0; j < live; j += P::lanes) {
                if (j + P::lanes <= live) {
                    store_groups<true>(&y(0, j), y.column, n, j, P::lanes);
                } else {
                    store_groups<false>(&y(0, j), y.column, n, j, live - j);
                }
            }
        } else {
            // Group by group those of two to five would take 1.15 to 1.5 times as long.
            for (index_t i = 0; i < n; ++i) {
                SOFTAX_WRITTEN_OUT
                for (index_t j = 0; j < live; ++j) y(i, j) = e_[i][j];
            }
        }
    }

    /// The same of halves side by side, P::lanes <= live, the last packet of which may overlap the one before.
    template <class H, class Mask>
        requires is_half_type<H>
    EIGEN_ALWAYS_INLINE void load(lattice<H const> x, index_t n, index_t live, Mask const& which) noexcept {
        P unspoilt = P::set(T(1));
        for (index_t i = 0; i < n; ++i) {
            for (index_t p = 0; p < live; p += P::lanes) {
                index_t const at = std::min(p, live - P::lanes);
                P const x_i = P::load(&x(i, at)), own = which(x_i, i, at, P::lanes);
                unspoilt = which.unspoilt(unspoilt, x_i);
                own.store(e_[i] + p);  // columns beyond the last repeat others
                if (at < p) own.store(e_[i] + at);
            }
            prefetch_run<width>(&x(i, live));
            which.ask_for(i, live);
        }
        unspoilt_ = unspoilt;
    }

    template <class H>
        requires is_half_type<H>
    EIGEN_ALWAYS_INLINE void store(lattice<H> y, index_t n, index_t live) const noexcept {
        for (index_t i = 0; i < n; ++i) {
            for (index_t p = 0; p < live; p += P::lanes) {
                index_t const at = std::min(p, live - P::lanes);
                P::load(e_[i] + at).store(&y(i, at));
            }
        }
    }

private:
    static bool is_dense(lattice<T const> const& x, index_t n) noexcept { return x.row == 1 && x.column == n; }
    template <class Mask>
    static bool is_dense(Mask const& which, index_t n) noexcept {
        return which.row() == 1 && which.column() == n;
    }

    /// Groups of few elements one after another are masked as they lie: .7 of the time of one by one (three, AVX-512), or of packet by
    /// packet (AVX2; five of double .85).
    EIGEN_ALWAYS_INLINE void load_dense(lattice<T const> const& x, index_t n, index_t live,
                                        mask<T> const& which) noexcept {
        alignas(64) T masked[width * few];
        P unspoilt = P::set(T(1));
        for (index_t k = 0; k < n * live; k += P::lanes) {
            index_t const some = std::min(n * live - k, P::lanes);
            P const own = P::load(&x(k, 0), some, x(0, 0));
            unspoilt = which.unspoilt(unspoilt, own);
            which(own, k, 0, some).store(masked + k);
        }
        lattice<T const> const dense = {masked, 1, n};
        2 * n < P::lanes ? load_elements(dense, n, live, everything<T>{})
                         : void(load_runs(dense, n, live, everything<T>{}));
        unspoilt_ = unspoilt;
    }

    /// Groups of 2 n >= P::lanes elements, each in one run; 0 where one is -inf, else 1.
    template <class Mask>
    EIGEN_ALWAYS_INLINE P load_runs(lattice<T const> const& x, index_t n, index_t live, Mask const& which) noexcept {
        P unspoilt = P::set(T(1));
        for (index_t j = 0; j < live; j += P::lanes) {
            if (j + P::lanes <= live) {
                load_groups<true>(x, n, j, P::lanes, which, unspoilt);
            } else {
                load_groups<false>(x, n, j, live - j, which, unspoilt);
            }
        }
        return unspoilt;
    }

    /// One by one. Columns beyond the last repeat the first. Written out, masked groups of three take .83 of the time (AVX2).
    template <class Mask>
    EIGEN_ALWAYS_INLINE void load_elements(lattice<T const> x, index_t n, index_t live, Mask const& which) noexcept {
        index_t const padded = (live + P::lanes - 1) / P::lanes * P::lanes;
        for (index_t i = 0; i < n; ++i) {
            P const first = P::set(which(x(i, 0), i, 0));
            for (index_t p = 0; p < padded; p += P::lanes) first.store(e_[i] + p);
            SOFTAX_WRITTEN_OUT
            for (index_t j = 1; j < live; ++j) e_[i][j] = which(x(i, j), i, j);
        }
    }

    /// The groups [j, j + some), a packet of them if they are whole, each in one run: squares are transposed, the last of which may
    /// overlap the one before. Columns beyond the last repeat it.
    template <bool IsWhole, class Mask>
    void load_groups(lattice<T const> const& x, index_t n, index_t j, index_t some, Mask const& which,
                     P& unspoilt) noexcept {
        P so_far = unspoilt;  // local, so that it stays in a register
        T const* const from = &x(0, j);
        index_t const column = x.column;
        for (index_t i = 0; i < n; i += P::lanes) {
            index_t const first = std::max(index_t{0}, std::min(i, n - P::lanes)), live = std::min(n, P::lanes);
            P square[P::lanes];
            SOFTAX_UNROLLED
            for (index_t k = 0; k < P::lanes; ++k) {
                index_t const of = IsWhole ? k : std::min(k, some - 1);
                T const* const own = from + of * column + first;
                if (is_large_) prefetch(own + distance), which.ask_for(first + distance, j + of);
                P const row = P::load(own, live, T(0));
                so_far = which.unspoilt(so_far, row);
                square[k] = which(row, first, j + of, live);
            }
            transpose(square);
            for (index_t k = 0; k < live; ++k) square[k].store(e_[first + k] + j);
        }
        unspoilt = so_far;
    }

    template <bool IsWhole>
    void store_groups(T* y, index_t column, index_t n, index_t j, index_t some) const noexcept {
        for (index_t i = 0; i < n; i += P::lanes) {
            index_t const first = std::max(index_t{0}, std::min(i, n - P::lanes)), live = std::min(n, P::lanes);
            P square[P::lanes];
            SOFTAX_UNROLLED
            for (index_t k = 0; k < P::lanes; ++k) square[k] = P::load(e_[first + k] + j);
            transpose(square);
            index_t const groups = IsWhole ? P::lanes : some;
            // Stores of parts take longer, of rows of four twice as long (AVX2, AMD Zen 4), but for the last ones of those that follow one
            // another.
            constexpr bool are_slow = sizeof(P) < 64;
            index_t const whole = are_slow && n < P::lanes && column == n ? groups - (P::lanes + n - 1) / n + 1 : 0;
            SOFTAX_UNROLLED
            for (index_t k = 0; k < P::lanes; ++k) {
                if (!IsWhole && k >= some) break;
                if (is_large_) prefetch_to(y + k * column + first + distance);
                k < whole ? square[k].store(y + k * column) : square[k].store(y + k * column + first, live);
            }
        }
    }

    bool is_large_, is_streamed_;
    P unspoilt_ = P::set(T(1));  // 0 where an element that a mask was asked about is -inf
    alignas(64) T e_[short_group][width];
};

SOFTAX_KERNELS_END
#endif
