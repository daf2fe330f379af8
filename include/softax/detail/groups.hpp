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

/// Asks for all cache lines of p[0, N).
template <index_t N, class T>
EIGEN_ALWAYS_INLINE void prefetch_run(T const* p) noexcept {
    for (index_t i = 0; i < N; i += 64 / static_cast<index_t>(sizeof(T))) prefetch(p + i);
}

/// How far the memory is that is moved next; 0 where it may be in cache.
struct reach {
    index_t x = 0, y = 0, where = 0;
};

/// y[0, n) = value. In packets, which -O2 does not make of std::fill_n.
template <class T>
void fill_run(T* y, index_t n, T value) noexcept {
    index_t i = 0;
    if constexpr (std::is_floating_point_v<T>) {
        using P = packet<T>;
        P const all = P::set(value);
        for (; i + P::lanes <= n; i += P::lanes) all.store(y + i);
        if (n >= P::lanes) return all.store(y + n - P::lanes);
        if (sizeof(P) == 64) return all.store(y, n);
    }
    if constexpr (is_half_type<T>) {
        // Four in one, which for 0 and -inf is no NaN.
        using P = packet<double>;
        constexpr index_t some = 4 * P::lanes;
        P const all =
            P::set(std::bit_cast<double>(std::bit_cast<std::uint16_t>(value) * std::uint64_t{0x0001000100010001}));
        for (; i + some <= n; i += some) std::memcpy(static_cast<void*>(y + i), &all.raw, sizeof all.raw);
    }
    for (; i < n; ++i) y[i] = value;
}

/// Whether all lanes, each 0 or 1, are 1.
template <class T>
EIGEN_ALWAYS_INLINE bool are_ones(packet<T> x) noexcept {
    return !has_positive(packet<T>::set(T(1)) - x);
}

/// No mask: elements as they are, under the names of mask.
template <class T>
struct everything {
    index_t row() const noexcept { return 1; }
    index_t column() const noexcept { return 1; }
    everything from(index_t) const noexcept { return {}; }
    everything rows(index_t, index_t) const noexcept { return {}; }
    everything shifted(index_t) const noexcept { return {}; }
    everything with_strides(index_t, index_t) const noexcept { return {}; }
    bool const* answers(bool const*, index_t) const noexcept { return nullptr; }
    void ask_for(index_t, index_t) const noexcept {}
    template <class From>
    T operator()(From x, index_t, index_t) const noexcept {
        return converted<T>(x);
    }
    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, index_t, index_t, index_t) const noexcept { return x; }
    EIGEN_ALWAYS_INLINE packet<T> unspoilt(packet<T> so_far, packet<T>) const noexcept { return so_far; }
    template <class P>
    EIGEN_ALWAYS_INLINE P operator()(P x, bool const*, index_t) const noexcept {
        return x;
    }
};

/// The result of an element that does not take part.
template <form Form, class T>
inline constexpr T left_out_value = Form == form::softmax ? T(0) : -std::numeric_limits<T>::infinity();

/// Whether a group with that maximum holds nothing above -inf: a mask has left nothing of it, or it is NaN.
template <class T>
bool is_lowest(T m) noexcept {
    return m == -std::numeric_limits<T>::infinity();
}

/// What a mask makes of infinite elements that take part.
enum class infinite { kept, nan };

/// Which elements take part, if not all, and what these are multiplied by; the others are -inf, or what is said.
template <class T, infinite Infinite = infinite::kept>
struct mask {
    lattice<bool const> where;
    packet<T> factor, other;

    static mask of(lattice<bool const> where, T factor, T other = -std::numeric_limits<T>::infinity()) noexcept {
        return {where, packet<T>::set(factor), packet<T>::set(other)};
    }

    explicit operator bool() const noexcept { return where.data != nullptr; }

    index_t row() const noexcept { return where.row; }
    index_t column() const noexcept { return where.column; }
    mask from(index_t j) const noexcept { return {where.from(j), factor, other}; }
    /// Elements first, first + step, ... of all groups.
    mask rows(index_t first, index_t step) const noexcept {
        return {{&where(first, 0), where.row * step, where.column}, factor, other};
    }
    mask shifted(index_t offset) const noexcept {
        return {{where.data + offset, where.row, where.column}, factor, other};
    }
    mask with_strides(index_t row, index_t column) const noexcept { return {{where.data, row, column}, factor, other}; }
    /// The answers from element i of a row on, those for the row lying at p.
    EIGEN_ALWAYS_INLINE bool const* answers(bool const* p, index_t i) const noexcept { return p + i; }

    /// Asks for the answer for element i of group j ahead of time.
    EIGEN_ALWAYS_INLINE void ask_for(index_t i, index_t j) const noexcept { prefetch(&where(i, j)); }

    /// Element i of group j.
    template <class From>
    T operator()(From x, index_t i, index_t j) const noexcept {
        return (*this)(x, where(i, j));
    }

    /// Elements i, i + 1 ... of group j, or element i of groups j, j + 1 ...: those that lie side by side in the mask.
    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, index_t i, index_t j, index_t live) const noexcept {
        return (*this)(x, &where(i, j), live);
    }

    /// By bits, since a jump would be wrong half of the time.
    template <class From>
    T operator()(From x, bool is_live) const noexcept {
        using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
        bits const all = bits{0} - bits{is_live}, own = std::bit_cast<bits>(part(converted<T>(x)));
        return std::bit_cast<T>((own & all) | (std::bit_cast<bits>(other.first()) & ~all));
    }

    /// A packet of elements, the answers for which lie at p.
    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, bool const* p) const noexcept {
        return chosen(p, part(x), other);
    }

    /// The first live lanes, 1 <= live <= lanes; the others are as where the mask is false. Reads nothing else.
    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, bool const* p, index_t live) const noexcept {
        return chosen(p, live, part(x), other);
    }

    /// Elements that take part; an element.
    EIGEN_ALWAYS_INLINE packet<T> part(packet<T> x) const noexcept {
        packet<T> const own = x * factor;
        if constexpr (Infinite == infinite::nan) return madd(own, opaque(packet<T>::set(T(0))), own);
        return own;
    }
    EIGEN_ALWAYS_INLINE T part(T x) const noexcept {
        T const own = x * factor.first();
        if constexpr (Infinite == infinite::nan) return own + own * opaque(T(0));
        return own;
    }

    /// so_far, but 0 where an element of x, left or not, is other, that is -inf, once it is multiplied: in lanes that are 1 at the end
    /// a maximum of -inf is that of nothing. Raises no floating-point exception.
    EIGEN_ALWAYS_INLINE packet<T> unspoilt(packet<T> so_far, packet<T> x) const noexcept {
        return zero_where_equal(so_far, x * factor, other);
    }

    /// y[0, n) = x[0, n), masked.
    template <class To, class From>
    EIGEN_ALWAYS_INLINE void copy(To* y, From const* x, bool const* p, index_t n, reach next = {}) const noexcept {
        copy_run<1>(y, x, p, n, n >= run_ahead ? reach{run_ahead, run_ahead, run_ahead} : next);
    }

    /// The same with one answer for all of them. A jump would be wrong half of the time, which few elements do not pay for.
    template <class To, class From>
    void copy(To* y, From const* x, bool is_live, index_t n) const noexcept {
        constexpr index_t lanes = packet<T>::lanes, few = 16 * lanes;
        if (n > few && !is_live) return fill_run(y, n, static_cast<To>(other.first()));
        bool live[std::max(lanes, index_t{8})];  // as many as are looked at as a word
        std::fill(std::begin(live), std::end(live), is_live);
        copy_run<0>(y, x, live, n, {});
    }

private:
    /// The answers for neighbours are so far apart.
    template <index_t Step, class To, class From>
    EIGEN_ALWAYS_INLINE void copy_run(To* y, From const* x, bool const* p, index_t n,
                                      reach const& next) const noexcept {
        constexpr index_t lanes = packet<T>::lanes;
        mask const own = *this;  // in registers, since writing y could change it for all the compiler knows
        index_t i = 0;
        for (; i + lanes <= n; i += lanes) {
            prefetch(x + i + next.x);
            if (Step > 0) prefetch(p + i + next.where);
            own(load_as<T>(x + i), p + i * Step).store(y + i);
        }
        if (i == n) return;
        // The last packet overlaps the one before, unless what is read there is written already.
        if (index_t const last = n - lanes; last > 0 && static_cast<void const*>(x) != y)
            return own(load_as<T>(x + last), p + last * Step).store(y + last);
        if constexpr (std::same_as<To, T> && std::same_as<From, T>) {
            own(packet<T>::load(x + i, n - i, T(0)), p + i * Step, n - i).store(y + i, n - i);
            return;
        }
        for (; i < n; ++i) y[i] = converted<To>((*this)(x[i], p[i * Step]));
    }
};

/// any[0, 8 * Words) |= what a mask leaves of n rows.
template <index_t Words>
void take_words(bool* any, bool const* where, index_t row, index_t n) noexcept {
    std::uint64_t words[Words];
    std::memcpy(words, any, sizeof words);
    for (index_t i = 0; i < n; ++i) {
        SOFTAX_VECTORIZED
        for (index_t k = 0; k < Words; ++k) words[k] |= eight_answers(where + i * row + 8 * k);
    }
    std::memcpy(any, words, sizeof words);
}

/// The same of any columns.
inline void take_any(bool* any, bool const* where, index_t row, index_t n, index_t columns) noexcept {
    index_t j = 0;
    for (; j + 64 <= columns; j += 64) take_words<8>(any + j, where + j, row, n);
    if (j + 32 <= columns) take_words<4>(any + j, where + j, row, n), j += 32;
    if (j + 16 <= columns) take_words<2>(any + j, where + j, row, n), j += 16;
    for (; j < columns && columns >= 8; j += 8) {
        index_t const first = std::min(j, columns - 8);
        take_words<1>(any + first, where + first, row, n);
    }
    for (; j < columns; ++j) {
        for (index_t i = 0; i < n; ++i) any[j] |= where[i * row + j];
    }
}

SOFTAX_KERNELS_END
#endif
