// panel: the kernel for many groups side by side, the elements of each a stride apart.
//
// Works on a panel of columns at a time, row by row, so that memory is touched in runs; what belongs to a column (maximum,
// pivot, sums) waits in a small workspace. Sums go in the order of sum.hpp, so a column has the bits of the same row.
// Rows that follow one another in memory are folded: up to sum_lanes of them are one wide row, in which every column comes
// as often, so that panels of 2 or 17 columns fill packets too.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T>
class panel {
    using P = packet<T>;

public:
    /// Wide enough that a page is not left after one packet, narrow enough that the sums take half of an L1 cache.
    static constexpr index_t width = 1024 / static_cast<index_t>(sizeof(T));

    /// How many rows that follow one another in memory are one wide row.
    static constexpr index_t fold_of(index_t columns) noexcept {
        if (columns > P::lanes && columns % P::lanes == 0) return 1;
        index_t fold = sum_lanes;
        while (fold > 1 && columns * fold > width) fold /= 2;
        return fold;
    }

    /// softmax or log_softmax of each of the columns of x, n rows, into y; for logsumexp one row of results.
    /// 1 <= columns <= width, n >= short_group; packets of columns of a half type, for which wait_in() was said. y may be x.
    template <form Form, class E>
    void kernel(rows_at<E const> x, rows_at<E> y, extents const& size, request<T> asked,
                mask<T> const& which) noexcept {
        index_t const columns = size.groups;
        bool const is_folded = x.row == columns && (y.row == columns || Form == form::logsumexp) &&
                               (!which || which.row() == columns || which.row() == 0);
        n_ = size.n, columns_ = columns, fold_ = is_folded ? fold_of(columns) : 1, is_streamed_ = size.are_streamed;
        flat_ = columns * fold_, padded_ = (flat_ + P::lanes - 1) / P::lanes * P::lanes;
        // Caches follow folded rows, which are one run: (100,1000,8) over axis 1 takes .91 of the time under a mask.
        bool const is_large = size.are_large && (fold_ == 1 || n_ * columns > index_t{1} << 17);
        if (fold_ > 1) bits_ = nullptr;
        x.row *= fold_, y.row *= fold_;
        rows_at<T> e = {scratch_.data, (is_folded ? columns : scratch_.row) * fold_};
        if constexpr (std::same_as<E, T>) e = scratch_.data == nullptr ? y : e;
        panel_shape const shape = {columns, fold_, flat_};
        panel_maxima<T, width> maxima(at_.m, n_, shape, is_large);
        panel_exponentials<T, width> exponentials(at_, sums_, n_, shape, is_large);
        mask<T> const folded = folded_mask(which);
        constexpr bool is_converted = !std::same_as<E, T>, can_mask = can_mask_as_read<Form, E>;
        constexpr bool may_keep = may_keep_masked<Form, E>;
        // What is converted is multiplied on its way, as masked elements are.
        T const factor = is_converted && !which ? std::exchange(asked.factor, T(1)) : asked.factor;
        scale_ = scaling<T>::of(asked);
        if constexpr (can_mask) {
            if (which && (is_masked_as_read_ || !may_keep)) {
                add_masked<Form>(maxima, exponentials, {x, folded}, e, asked);
                return finish<Form>(x, e, y, asked);
            }
        }
        if (which) {
            if constexpr (may_keep) maxima.find(moved_source<T, E, mask<T>>{{x, folded}, e});
        } else if constexpr (is_converted) {
            maxima.find(moved_source<T, E, multiplied<T>>{{x, {{}, P::set(factor)}}, e});
        } else {
            maxima.find(masked_rows<T, T, everything<T>>{x, {}}, scale_);
        }
        bool const is_plain = take_pivots(maxima, asked, static_cast<bool>(which));
        rows_at<T const> from = {e.data, e.row};
        if constexpr (!is_converted) {
            if (!which) from = x;
        }
        exponentials.template add<Form, everything<T>>({from, {}}, scale_, e, is_plain);
        finish<Form>(from, e, y, asked);
    }

    /// Gives a scratch of n rows in which exponentials wait, and what is moved.
    void wait_in(rows_at<T> scratch) noexcept { scratch_ = scratch; }

    /// Says that elements are masked in both passes, rather than kept between, as they are in wide packets if they can be.
    void mask_as_read() noexcept { is_masked_as_read_ = true; }

    /// Gives memory in which a large panel keeps the bits of a mask.
    void keep_in(std::uint16_t* bits) noexcept { bits_ = bits; }

    /// Whether some column was NaN in the last call.
    bool has_nan() const noexcept { return has_nan_; }

private:
    /// The same for every lane of a column.
    void repeat(T* of_columns) const noexcept {
        for (index_t have = columns_; have < flat_; have *= 2) std::copy_n(of_columns, have, of_columns + have);
    }

    /// What a mask says of folded rows; the same of all rows is said for each in one.
    mask<T> folded_mask(mask<T> which) noexcept {
        if (fold_ > 1 && which && which.row() == 0) {
            auto const* const row = reinterpret_cast<char const*>(which.where.data);
            run_repeater(columns_, fold_)(reinterpret_cast<char*>(repeated_), row);
            which.where.data = repeated_;
        }
        return which.with_strides(fold_ * which.row(), which.column());
    }

    /// The pivots of all columns; whether the way is plain for every one of them.
    bool take_pivots(panel_maxima<T, width>& maxima, request<T> const& asked, bool is_masked) noexcept {
        if (is_masked && !asked.has_extra()) maxima.spare_empty_columns();
        repeat(at_.m);
        std::fill(at_.m + flat_, at_.m + padded_, T(0));
        return at_.take(padded_, asked);
    }

    /// Maxima and sums of rows that are masked as they are read.
    template <form Form>
    void add_masked(panel_maxima<T, width>& maxima, panel_exponentials<T, width>& exponentials,
                    masked_rows<T, T, mask<T>> const& x, rows_at<T> e, request<T> const& asked) noexcept {
        scale_.factor = x.which.factor;
        if constexpr (keeps_bits<T>) {
            if (bits_ != nullptr) {
                panel_bits<T> const bits = {bits_, padded_ / P::lanes};
                maxima.find(x, scale_, bits);
                if (!take_pivots(maxima, asked, true)) {
                    return exponentials.template add<Form, mask<T>>(x, scale_, e, false);
                }
                return exponentials.template add<Form, panel_bits<T>>({x.x, bits}, scale_, e, true);
            }
        }
        maxima.find(x, scale_);
        bool const is_plain = take_pivots(maxima, asked, true);
        exponentials.template add<Form, mask<T>>(x, scale_, e, is_plain);
    }

    log_terms<T> terms_of(index_t j) const noexcept {
        return {at_.m[j], at_.shift[j], at_.magic[j], sums_.count[j], sums_.sum[j]};
    }

    /// For logsumexp the results, else the negative logarithms.
    template <form Form, class E>
    void take_logs(E* y, request<T> const& asked) noexcept {
        logarithms<T> logs;
        for (index_t j = 0; j < columns_; j += P::lanes) {
            index_t const live = std::min(columns_ - j, P::lanes);
            for (index_t l = 0; l < live; ++l) logs.put(l, terms_of(j + l));
            logs.take(live, asked);
            Form == form::logsumexp ? logs.take_sums(log_ + j, asked) : logs.take_negative(log_ + j);
            for (index_t l = 0; l < live && Form == form::logsumexp; ++l) {
                y[j + l] = converted<E>(asked.has_extra() ? log_[j + l] : log_[j + l] + at_.floor[j + l]);
            }
        }
    }

    void add_extras(request<T> const& asked) noexcept {
        for (index_t j = 0; j < columns_; ++j) {
            auto terms = terms_of(j);
            add_extra(terms, asked);
            sums_.sum[j] = terms.others;
        }
    }

    template <form Form, class E>
    void finish(rows_at<T const> x, rows_at<T> e, rows_at<E> y, request<T> const& asked) noexcept {
        if (Form == form::softmax && asked.has_extra()) add_extras(asked);
        if (!asked.has_extra()) {
            // What a mask leaves nothing of has the logarithm of 0.
            for (index_t j = 0; j < columns_ && Form == form::logsumexp; ++j)
                at_.floor[j] = sums_.is_empty(j) ? -std::numeric_limits<T>::infinity() : T(0);
            sums_.complete(columns_);
        }
        P seen = P::set(T(0));  // NaN where a column was
        if constexpr (Form == form::softmax) {
            quotients(at_.shift, at_.floor, sums_.sum, columns_);  // in their place
            for (index_t j = 0; j < columns_; j += P::lanes) seen = seen + P::load(at_.shift + j);
            repeat(at_.shift);
            repeat(at_.floor);
            std::fill(at_.shift + flat_, at_.shift + padded_, T(1));  // by 0 nothing is divided, though nobody sees it
        } else {
            for (index_t j = 0; j < columns_; ++j) seen = seen + P::set(at_.magic[j] + static_cast<T>(sums_.sum[j].hi));
            take_logs<Form>(y.data, asked);
            repeat(log_);
            std::fill(log_ + flat_, log_ + padded_, T(0));
        }
        has_nan_ = is_nan(sum_lane(seen));
        if constexpr (Form == form::logsumexp) return;
        bool const is_log = Form == form::log_softmax;
        panel_results<Form, T> const results = {is_log ? at_.m : at_.shift, is_log ? log_ : at_.floor, is_streamed_};
        index_t const rows = n_ / fold_, rest = n_ % fold_ * columns_;
        results.write({{x, {}}, scale_}, e, y, {rows, flat_});
        if (rest > 0) {
            results.write({{{x[rows], x.row}, {}}, scale_}, {e[rows], e.row}, rows_at<E>{y[rows], y.row}, {1, rest});
        }
        if (is_streamed_) end_streaming();
    }

    index_t n_ = 0, columns_ = 0;
    index_t fold_ = 1, flat_ = 0, padded_ = 0;  // rows in a folded one; its columns, and these in whole packets
    scaling<T> scale_;
    bool has_nan_ = false, is_streamed_ = false, is_masked_as_read_ = false;
    rows_at<T> scratch_ = {nullptr, 0};  // none: exponentials wait in the output
    std::uint16_t* bits_ = nullptr;
    bool repeated_[width];
    pivots<T, width> at_;
    alignas(64) T log_[width];  // its negative
    panel_sums<T, width> sums_;
};

SOFTAX_KERNELS_END
#endif
