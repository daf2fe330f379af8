// panel_sources: the rows of a panel on their way to its passes: as they are, masked, converted, or what a mask says of them.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Whether masked elements can be masked in all passes over them, rather than kept between.
template <form Form, class E>
inline constexpr bool can_mask_as_read = std::floating_point<E> && sizeof(packet<compute_type<E>>) >= 32;

/// Whether they may be kept. In wide packets they are not where they need not be: 1,000 rows of 64 columns take 1.15 times an unmasked
/// call rather than 1.28 (AVX-512).
template <form Form, class E>
inline constexpr bool may_keep_masked =
    !can_mask_as_read<Form, E> || Form == form::log_softmax || sizeof(packet<compute_type<E>>) < 64;

/// Elements in memory, and how far one row is from the next.
template <class T>
struct rows_at {
    T* data;
    index_t row;

    T* operator[](index_t i) const noexcept { return data + i * row; }
    rows_at from(index_t i) const noexcept { return {data + i * row, row}; }
};

/// Where a packet of a row lies, and what a mask says of it.
template <class In, class Answer>
struct place_in_row {
    In const* x;
    Answer const* where;
};

// Sources of the passes over a panel. What changes from row to row is the place alone: a source is many registers, which would be
// copied for every packet of columns.

/// Rows, and what a mask says of them.
template <class T, class In, class Mask>
struct masked_rows {
    using element = In;
    static constexpr bool has_bits = std::same_as<Mask, panel_bits<T>>;
    static constexpr bool is_masked = has_bits || std::same_as<Mask, mask<T>>;
    using place = place_in_row<In, std::conditional_t<has_bits, std::uint16_t, bool>>;

    rows_at<In const> x;
    Mask which;

    /// Element j of row i.
    EIGEN_ALWAYS_INLINE place at(index_t i, index_t j) const noexcept {
        place p = {x[i] + j, nullptr};
        if constexpr (is_masked) p.where = &which.where(i, j);
        return p;
    }

    /// Some rows on.
    EIGEN_ALWAYS_INLINE void step(place& p, index_t rows) const noexcept {
        p.x += rows * x.row;
        if constexpr (is_masked) p.where += rows * which.row();
    }

    /// Asks for what is some rows ahead; of a mask for every packet, since nobody knows where its cache lines begin.
    EIGEN_ALWAYS_INLINE void ask_for(place const& p, index_t rows) const noexcept {
        prefetch(p.x + rows * x.row);
        if constexpr (is_masked && !has_bits) prefetch(p.where + rows * which.row());
    }

    /// so_far, but 0 in columns of which the mask leaves an element.
    EIGEN_ALWAYS_INLINE packet<T> nothing(packet<T> so_far, place const& p, index_t lanes) const noexcept {
        return zero_where_left(so_far, p.where, lanes);
    }
};

/// The rows of an input on their way to the exponential. What a mask leaves may be factored and plain then.
template <way Way, class T, class Mask = everything<T>, bool IsFactored = Way == way::general>
struct source : masked_rows<T, T, Mask> {
    static constexpr way how = Way;

    scaling<T> scale;

    /// The first lanes of a packet.
    EIGEN_ALWAYS_INLINE packet<T> operator()(typename source::place const& p, index_t lanes) const noexcept {
        return masked(p, lanes, factored(p, lanes));
    }

    /// (x - m) mantissa - log of these.
    EIGEN_ALWAYS_INLINE packet<T> log_softmax(typename source::place const& p, index_t lanes, packet<T> m,
                                              packet<T> minus_log) const noexcept {
        packet<T> const own = packet<T>::load(p.x, lanes, T(0));
        return masked(p, lanes, scale.log_softmax(own, m, minus_log));
    }

protected:
    /// own, but -inf where the mask leaves it out.
    EIGEN_ALWAYS_INLINE packet<T> masked(typename source::place const& p, index_t lanes, packet<T> own) const noexcept {
        if constexpr (source::has_bits) {
            return replaced(*p.where, own, lowest());
        } else if constexpr (source::is_masked) {
            return chosen(p.where, lanes, own, lowest());
        } else {
            return own;
        }
    }

    EIGEN_ALWAYS_INLINE packet<T> factored(typename source::place const& p, index_t lanes) const noexcept {
        packet<T> const own = packet<T>::load(p.x, lanes, T(0));
        if constexpr (IsFactored) return own * scale.factor;
        return own;
    }

    /// The mask has it too, but in memory, which would be read for every packet.
    EIGEN_ALWAYS_INLINE static packet<T> lowest() noexcept {
        return packet<T>::set(-std::numeric_limits<T>::infinity());
    }
};

/// The same, and what the mask leaves out kept.
template <class T, bool IsFactored>
struct recording_source : source<way::plain, T, mask<T>, IsFactored> {
    using source_of = source<way::plain, T, mask<T>, IsFactored>;
    struct place : source_of::place {
        std::uint16_t* kept;
    };

    panel_bits<T> bits;

    EIGEN_ALWAYS_INLINE place at(index_t i, index_t j) const noexcept {
        return {source_of::at(i, j), &bits.where(i, j)};
    }

    EIGEN_ALWAYS_INLINE void step(place& p, index_t rows) const noexcept {
        source_of::step(p, rows);
        p.kept += rows * bits.words;
    }

    EIGEN_ALWAYS_INLINE packet<T> nothing(packet<T> so_far, place const& p, index_t lanes) const noexcept {
        return replaced(lanes_left_out<T>(p.where, lanes), packet<T>::set(T(0)), so_far);
    }

    EIGEN_ALWAYS_INLINE packet<T> operator()(place const& p, index_t lanes) const noexcept {
        *p.kept = lanes_left_out<T>(p.where, lanes);
        return replaced(*p.kept, source_of::factored(p, lanes), source_of::lowest());
    }
};

/// The rows of an input, masked or converted, and kept where what comes after reads it.
template <class T, class In, class Mask>
struct moved_source : masked_rows<T, In, Mask> {
    using rows = masked_rows<T, In, Mask>;
    struct place : rows::place {
        T* kept;
    };

    rows_at<T> kept;

    EIGEN_ALWAYS_INLINE place at(index_t i, index_t j) const noexcept { return {rows::at(i, j), kept[i] + j}; }

    EIGEN_ALWAYS_INLINE void step(place& p, index_t count) const noexcept {
        rows::step(p, count);
        p.kept += count * kept.row;
    }

    EIGEN_ALWAYS_INLINE packet<T> operator()(place const& p, index_t lanes) const noexcept {
        // Without asking, masked softmax of 100 rows of 5,000 takes 1.1 times as long (AVX2), that of half types 1.05 to 1.17 times.
        prefetch_to(p.kept + 8 * kept.row);
        packet<T> const moved = this->which(some_of_row<In>::load(p.x, lanes), p.where, lanes);
        moved.store(p.kept, lanes);
        return moved;
    }
};

/// No mask, elements times a factor.
template <class T>
struct multiplied : everything<T> {
    packet<T> factor;

    EIGEN_ALWAYS_INLINE packet<T> operator()(packet<T> x, bool const*, index_t) const noexcept { return x * factor; }
};

/// Where the sums of a packet of columns lie, and how many of them there are.
struct place_of_sums {
    index_t column, lanes, lane;
};

/// Rows first, first + step ...
struct stepped_rows {
    index_t first, count, step;
};

SOFTAX_KERNELS_END
#endif
