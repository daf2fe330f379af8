// panel_room: the scratch in which elements of a panel wait between its passes, and whether they do.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <form Form, class In>
class panel_room {
    using T = compute_type<In>;
    static constexpr index_t bytes = static_cast<index_t>(sizeof(T)), line = 64 / bytes, width = panel<T>::width;

public:
    /// For a partition that outlives it.
    explicit panel_room(partition const& p) noexcept : p_(p) {}

    /// Columns that wait at a time; fewer where even a third-level cache would not keep them.
    index_t columns() const noexcept {
        bool const fits = p_.inner.extent <= width || p_.count * width * bytes < 24 * scratch_bytes;
        return std::min(p_.inner.extent, fits ? width : width / 4);
    }

    /// The same where all panels, the last too, fill packets.
    index_t packed_columns() const noexcept {
        index_t block = columns();
        while (block > line && p_.inner.extent % block > 0 && p_.inner.extent % block < line) block -= line;
        return block;
    }

    /// Whether what waits is not too much for a third-level cache.
    bool is_enough() const noexcept { return p_.count * columns() * bytes <= 64 * scratch_bytes; }

    /// Whether exponentials wait: where there are gaps between the rows of a panel, or it is more than a second-level cache keeps. Not
    /// where rows are folded.
    bool is_used() const noexcept {
        bool const is_large = p_.inner.extent > width || p_.count * columns() * bytes >= scratch_bytes;
        return is_large && is_enough() && panel<T>::fold_of(columns()) == 1;
    }

    /// Whether elements must, having no place in the results.
    bool must_wait(bool is_masked) const noexcept {
        return is_half_type<In> || (is_masked && Form == form::logsumexp && !masks_as_read());
    }

    /// Whether elements are masked in both passes over them, rather than kept between. 1,000 rows of 64 columns take 1.25 times an unmasked
    /// call then rather than 1.20, of logsumexp 1.17 rather than 1.13. What no cache keeps is better written once: of (100,300,100) over
    /// axis 1 1.36 rather than 1.5 (AVX2, AMD Zen 4).
    bool masks_as_read() const noexcept {
        constexpr index_t large = index_t{1} << 23, page = 4096;
        if (!may_keep_masked<Form, In>) return true;
        if (!can_mask_as_read<Form, In>) return false;
        if (Form == form::logsumexp) return !is_enough();
        // Rows whole pages apart have pushed each other out by the second pass.
        bool const are_apart = p_.reduce.size > 0 && p_.reduce.at[0].x * bytes % page == 0;
        return !are_apart && p_.count * p_.outer.count() * p_.inner.extent * bytes >= large;
    }

private:
    partition const& p_;
};

SOFTAX_KERNELS_END
#endif
