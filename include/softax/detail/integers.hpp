// integers: those of more bits than a float holds are subtracted from their maximum before they are rounded.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class In>
inline constexpr bool is_wide_integer = std::integral<In> && sizeof(In) > 2;

/// No integers, or such as a float holds.
template <class In, class T>
struct wide_integers {
    wide_integers(index_t, index_t, bool) noexcept {}
    void restore(T*, double) const noexcept {}
};

/// What is done to runs of integers, each of which has an extreme of its own, in loops of fixed length, which compilers turn
/// into vectors.
template <class In, class T, bool IsLeast, bool IsMasked>
struct integer_pass {
    using magnitude = std::make_unsigned_t<In>;
    static constexpr index_t block = 16;
    static constexpr In none = IsLeast ? std::numeric_limits<In>::max() : std::numeric_limits<In>::min();

    /// m[j] = the better one of m[j] and x[j], 0 <= j < n.
    static void take_extremes(In* m, In const* x, bool const* live, index_t n) noexcept {
        index_t j = 0;
        for (; j + block <= n; j += block) {
            In best[block];
            std::copy_n(x + j, block, best);
            leave_out(best, live + j, none);
            SOFTAX_VECTORIZED
            for (index_t k = 0; k < block; ++k) best[k] = better(m[j + k], best[k]);
            std::copy_n(best, block, m + j);
        }
        for (; j < n; ++j) m[j] = better(m[j], !IsMasked || live[j] ? x[j] : none);
    }

    /// to[j] = |x[j] - m[j]| * factor; -inf where masked.
    static void subtract(T* to, In const* x, bool const* live, In const* m, index_t n, T factor) noexcept {
        constexpr T infinity = std::numeric_limits<T>::infinity();
        index_t j = 0;
        for (; j + block <= n; j += block) {
            T some[block];
            SOFTAX_VECTORIZED
            for (index_t k = 0; k < block; ++k) some[k] = difference(x[j + k], m[j + k]) * factor;
            leave_out(some, live + j, -infinity);
            std::copy_n(some, block, to + j);
        }
        for (; j < n; ++j) to[j] = !IsMasked || live[j] ? difference(x[j], m[j]) * factor : -infinity;
    }

private:
    static In better(In m, In x) noexcept { return IsLeast ? std::min(m, x) : std::max(m, x); }

    static T difference(In x, In m) noexcept {
        auto const ux = static_cast<magnitude>(x), um = static_cast<magnitude>(m);
        return static_cast<T>(static_cast<magnitude>(IsLeast ? ux - um : um - ux));
    }

    /// x[k] = other where the mask says so, as bits.
    template <class X>
    static void leave_out(X (&x)[block], bool const* live, X other) noexcept {
        if constexpr (IsMasked) {
            using P = packet<carrier<X>>;
            P const left = P::set(std::bit_cast<carrier<X>>(other));
            for (index_t k = 0; k < block; k += P::lanes) {
                store_bits(chosen(live + k, load_bits(x + k), left), x + k);
            }
        }
    }
};

/// A scratch of integers, n x columns, and the maximum (for a negative factor the minimum) of each column.
template <class In, class T>
    requires is_wide_integer<In>
class wide_integers<In, T> {
public:
    wide_integers(index_t size, index_t columns, bool is_masked)
        : columns_(columns), integers_(size), extremes_(columns), live_(is_masked ? size : 0) {}

    /// to = (x - extreme) * factor, row-major; -inf where masked.
    void gather(T* to, In const* x, bool const* where, walked_axes const& axes, T factor, index_t columns) noexcept {
        columns_ = columns;
        index_t const size = axes.count();
        mover(integers_.data(), x, axes);
        if (where != nullptr) mask_mover(live_.data(), where, axes);
        if (factor < 0) {
            where != nullptr ? subtract<true, true>(to, size, factor) : subtract<true, false>(to, size, factor);
        } else {
            where != nullptr ? subtract<false, true>(to, size, -factor) : subtract<false, false>(to, size, -factor);
        }
    }

    /// logsumexp of the columns, given that of the scratch.
    void restore(T* log_sums, double scale) const noexcept {
        for (index_t j = 0; j < columns_; ++j) {
            log_sums[j] = static_cast<T>(extreme(j) * scale + static_cast<double>(log_sums[j]));
        }
    }

    /// What was taken off column j.
    double extreme(index_t j) const noexcept { return static_cast<double>(extremes_.data()[j]); }

private:
    /// to = |x - extreme| * factor, the extreme being the least or the largest.
    template <bool IsLeast, bool IsMasked>
    void subtract(T* to, index_t size, T factor) noexcept {
        using pass = integer_pass<In, T, IsLeast, IsMasked>;
        In* const m = extremes_.data();
        In const* const x = integers_.data();
        bool const* const live = live_.data();
        std::fill_n(m, columns_, pass::none);
        // A column by itself goes as a block of them.
        In of[pass::block];
        index_t const width = columns_ > 1 ? columns_ : pass::block, whole = size / width * width;
        In* const extremes = columns_ > 1 ? m : of;
        std::fill_n(of, pass::block, pass::none);
        for (index_t i = 0; i < whole; i += width) pass::take_extremes(extremes, x + i, live + i, width);
        pass::take_extremes(of, x + whole, live + whole, size - whole);
        if (columns_ == 1) {
            *m = IsLeast ? *std::min_element(of, of + pass::block) : *std::max_element(of, of + pass::block);
        }
        // Nothing is left of such a column, or nothing else.
        for (index_t j = 0; j < columns_ && IsMasked; ++j) m[j] = m[j] == pass::none ? In(0) : m[j];
        std::fill_n(of, pass::block, *m);
        for (index_t i = 0; i < whole; i += width) pass::subtract(to + i, x + i, live + i, extremes, width, factor);
        pass::subtract(to + whole, x + whole, live + whole, of, size - whole, factor);
    }

    index_t columns_;
    buffer<In> integers_, extremes_;
    buffer<bool> live_;
};

SOFTAX_KERNELS_END
#endif
