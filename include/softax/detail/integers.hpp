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
        bool const wants_least = factor < 0;
        for (index_t j = 0; j < columns; ++j) find_extreme(j, size, wants_least);
        for (index_t i = 0; i < size; i += columns) {
            for (index_t j = 0; j < columns; ++j) to[i + j] = is_live(i + j) ? difference(i, j) * factor : -infinity;
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
    static constexpr T infinity = std::numeric_limits<T>::infinity();

    bool is_live(index_t place) const noexcept { return live_.size() == 0 || live_.data()[place]; }

    void find_extreme(index_t j, index_t size, bool wants_least) noexcept {
        bool is_first = true;
        In& m = extremes_.data()[j];
        for (index_t k = j; k < size; k += columns_) {
            In const x = integers_.data()[k];
            if (is_live(k) && (is_first || (wants_least ? x < m : m < x))) m = x, is_first = false;
        }
        if (is_first) m = 0;
    }

    T difference(index_t i, index_t j) const noexcept {
        using magnitude = std::make_unsigned_t<In>;
        In const x = integers_.data()[i + j], m = extremes_.data()[j];
        auto const ux = static_cast<magnitude>(x), um = static_cast<magnitude>(m);
        return x < m ? -static_cast<T>(static_cast<magnitude>(um - ux))
                     : static_cast<T>(static_cast<magnitude>(ux - um));
    }

    index_t columns_;
    buffer<In> integers_, extremes_;
    buffer<bool> live_;
};

SOFTAX_KERNELS_END
#endif
