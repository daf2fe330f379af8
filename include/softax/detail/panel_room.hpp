// panel_room: the scratch in which elements of a panel wait between its passes, and whether they do.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <form Form, class In>
class panel_room {
    using T = compute_type<In>;
    static constexpr index_t bytes = static_cast<index_t>(sizeof(T)), line = 64 / bytes, width = panel<T>::width;

public:
    /// For a partition and a call that outlive it, of which there are so many parts.
    panel_room(partition const& p, call const& c, index_t parts) noexcept : p_(p), c_(c), most_(most_of(parts)) {}

    /// Columns of a panel.
    index_t most() const noexcept { return most_; }

    /// Columns that wait at a time.
    index_t columns() const noexcept { return std::min(most_, undivided()); }

    /// The same where all panels, the last too, fill packets.
    index_t packed_columns() const noexcept { return filled_block(p_.inner.extent, columns(), line, line); }

    /// Whether what waits is not too much for a third-level cache.
    bool is_enough() const noexcept { return own() <= 64 * scratch_bytes; }

    /// Whether exponentials wait: where there are gaps between the rows of a panel, or it is more than a second-level cache keeps. Not
    /// where rows are folded.
    bool is_used() const noexcept {
        bool const is_large = p_.inner.extent > width || own() >= scratch_bytes;
        return is_large && is_enough() && panel<T>::fold_of(undivided()) == 1;
    }

    /// Whether elements or exponentials do in any case, having no place in the results, or none that is as fast.
    bool must_wait() const noexcept {
        bool const are_moved = c_.is_masked && !masks_as_read();
        if (is_half_type<In> || Form == form::logsumexp) return is_half_type<In> || are_moved;
        return (are_moved || Form == form::softmax) && are_alike();
    }

    /// Whether elements are masked in both passes over them, rather than kept between. 1,000 rows of 64 columns take 1.25 times an unmasked
    /// call then rather than 1.20, of logsumexp 1.17 rather than 1.13. What no cache keeps is better written once: of (100,300,100) over
    /// axis 1 1.36 rather than 1.5 (AVX2, AMD Zen 4).
    bool masks_as_read() const noexcept {
        constexpr index_t large = index_t{1} << 23, page = 4096;
        if (!may_keep_masked<Form, In>) return true;
        if (!can_mask_as_read<Form, In>) return false;
        if (Form == form::logsumexp) return !is_enough();
        // log_softmax, which reads elements in all passes, only where they leave the second-level cache: of (1000,5000) over axis 0 1.26
        // rather than 1.5 (AVX-512), of (400,6000) and (6000,1000) 1.2 rather than 1.15 and 1.1.
        if (Form == form::log_softmax && (own() < 2 * scratch_bytes || own() > 8 * scratch_bytes)) return false;
        // Rows whole pages apart have pushed each other out by the second pass.
        bool const are_apart = p_.reduce.size > 0 && p_.reduce.at[0].x * bytes % page == 0;
        return !are_apart && p_.count * p_.outer.count() * p_.inner.extent * bytes >= large;
    }

private:
    /// Whether results take the places in a first-level cache of what is read next: whole packets in rows of 256 bytes and more, of arrays
    /// that begin alike in their pages, as large ones do. With a scratch (500,1024) over axis 0 takes .67 of the time, .62 with AVX2;
    /// rows without gaps less, and none in place or if they are short (AMD Zen 4). Nor does what is small, or leaves the second-level
    /// cache.
    bool are_alike() const noexcept {
        constexpr index_t shortest = sizeof(packet<T>) == 64 ? 256 : 512;
        index_t const columns = p_.inner.extent;
        bool const pays = columns > width || (columns * bytes >= shortest && !c_.is_in_place);
        bool const are_regular = p_.reduce.size > 0 && p_.reduce.at[0].x * bytes % 256 == 0;
        bool const is_kept = own() >= scratch_bytes / 16 && own() <= 4 * scratch_bytes;
        return c_.is_alike && pays && are_regular && is_kept && columns % packet<T>::lanes == 0 &&
               panel<T>::fold_of(undivided()) == 1;
    }

    /// What waits of a panel, in bytes.
    index_t own() const noexcept { return p_.count * undivided() * bytes; }

    /// Columns for one thread; fewer where even a third-level cache would not keep them.
    index_t undivided() const noexcept {
        bool const fits = p_.inner.extent <= width || p_.count * width * bytes < 24 * scratch_bytes;
        return std::min(p_.inner.extent, fits ? width : width / 4);
    }

    /// Some panels to each part, but for rows that are folded: next to one another they share cache lines, which threads are at at
    /// different times then. What no cache keeps is read in runs as long as can be.
    index_t most_of(index_t parts) const noexcept {
        index_t const some = is_enough() ? 4 : 1, least = 2 * line, groups = p_.outer.count();
        index_t const most = std::min(p_.inner.extent, width);
        bool const is_folded = p_.inner.extent <= width && panel<T>::fold_of(p_.inner.extent) > 1;
        if (parts == 1 || groups >= some * parts || is_folded) return most;
        return std::min(most, std::max(segment_of(groups * p_.inner.extent, some * parts, line), least));
    }

    partition const& p_;
    call const& c_;
    index_t most_;
};

SOFTAX_KERNELS_END
#endif
