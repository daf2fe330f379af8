// groups: where the elements of groups side by side lie, and which of them take part.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Element i of group j lies at data[i * row + j * column].
template <class T>
struct lattice {
    T* data = nullptr;
    index_t row = 0, column = 0;

    T& operator()(index_t i, index_t j) const noexcept { return data[i * row + j * column]; }
    lattice from(index_t j) const noexcept { return {data + j * column, row, column}; }
};

/// How many elements every group has, and how many groups there are.
struct extents {
    index_t n, groups;
    bool are_large;     // with others of the call more than caches keep, so that memory is asked for ahead of time
    bool are_streamed;  // results are written past the caches
};

/// How far ahead runs of elements are asked for: what comes after one is often the next, and in memory.
inline constexpr index_t run_ahead = 2048;

/// No mask: elements as they are, under the names of mask.
template <class T>
struct everything {
    index_t row() const noexcept { return 1; }
    index_t column() const noexcept { return 1; }
    everything from(index_t) const noexcept { return {}; }
    everything rows(index_t, index_t) const noexcept { return {}; }
    void step() const noexcept {}
    T operator()(T x, index_t, index_t) const noexcept { return x; }
    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, index_t, index_t, index_t) const noexcept { return x; }
};

/// Which elements take part, if not all, and what these are multiplied by; the others are -inf.
template <class T>
struct mask {
    lattice<bool const> where;
    packet<T> factor;

    explicit operator bool() const noexcept { return where.data != nullptr; }

    index_t row() const noexcept { return where.row; }
    index_t column() const noexcept { return where.column; }
    mask from(index_t j) const noexcept { return {where.from(j), factor}; }
    /// Elements first, first + step, ... of all groups.
    mask rows(index_t first, index_t step) const noexcept {
        return {{&where(first, 0), where.row * step, where.column}, factor};
    }

    /// From the next element of all groups on.
    EIGEN_STRONG_INLINE void step() noexcept { where.data += where.row; }

    /// Element i of group j.
    T operator()(T x, index_t i, index_t j) const noexcept { return (*this)(x, where(i, j)); }

    /// Elements i, i + 1 ... of group j, or element i of groups j, j + 1 ...: those that lie side by side in the mask.
    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, index_t i, index_t j, index_t live) const noexcept {
        return (*this)(x, &where(i, j), live);
    }

    template <class From>
    T operator()(From x, bool is_live) const noexcept {
        return is_live ? static_cast<T>(x) * factor.first() : lowest;
    }

    /// A packet of elements, the answers for which lie at p.
    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, bool const* p) const noexcept {
        return chosen(p, x * factor, packet<T>::set(lowest));
    }

    /// The first live lanes, 1 <= live <= lanes; the others are -inf. Reads nothing else.
    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, bool const* p, index_t live) const noexcept {
        if (live == packet<T>::lanes) return (*this)(x, p);
        return chosen(p, live, x * factor, packet<T>::set(lowest));
    }

    /// y[0, n) = x[0, n), masked.
    template <class From>
    EIGEN_STRONG_INLINE void copy(T* y, From const* x, bool const* p, index_t n) const noexcept {
        constexpr index_t lanes = packet<T>::lanes;
        index_t i = 0;
        if constexpr (std::same_as<From, T> || is_half_type<From>) {
            for (; i + lanes <= n; i += lanes) {
                prefetch(x + i + run_ahead);
                (*this)(packet<T>::load(x + i), p + i).store(y + i);
            }
        }
        for (; i < n; ++i) y[i] = (*this)(x[i], p[i]);
    }

private:
    static constexpr T lowest = -std::numeric_limits<T>::infinity();
};

SOFTAX_KERNELS_END
#endif
