// panel_passes: the passes over the rows of a panel, and what waits between them; a panel makes them one after another, threads that share
// one over rows of their own.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T>
class panel_passes {
    using P = packet<T>;

public:
    static constexpr index_t width = panel_width<T>;

    /// How many rows that follow one another in memory are one wide row.
    static constexpr index_t fold_of(index_t columns) noexcept {
        if (columns > P::lanes && columns % P::lanes == 0) return 1;
        index_t fold = sum_lanes;
        while (fold > 1 && columns * fold > width) fold /= 2;
        return fold;
    }

    /// Gives a scratch of n rows in which exponentials wait, and what is moved.
    void wait_in(rows_at<T> scratch) noexcept { scratch_ = scratch; }

    /// Says that elements are masked in both passes, rather than kept between, as they are in wide packets if they can be.
    void mask_as_read() noexcept { is_masked_as_read_ = true; }

    /// Gives memory in which a large panel keeps the bits of a mask.
    void keep_in(std::uint16_t* bits) noexcept { bits_.data = bits; }

    /// Whether some column was NaN in the last call.
    bool has_nan() const noexcept { return has_nan_; }

protected:
    /// What passes go over, folded: elements, where they wait or exponentials do, and what a mask says.
    template <class E>
    struct passed_rows {
        rows_at<E const> x;
        rows_at<E> y;
        rows_at<T> e;
        mask<T> which;
    };

    /// The rows of a call, which is what this panel works on from now on.
    template <form Form, class E>
    passed_rows<E> folded(rows_at<E const> x, rows_at<E> y, extents const& size, request<T> const& asked,
                          mask<T> const& which) noexcept {
        index_t const columns = size.groups;
        bool const is_folded = x.row == columns && (y.row == columns || Form == form::logsumexp) &&
                               (!which || which.row() == columns || which.row() == 0);
        n_ = size.n, columns_ = columns, fold_ = is_folded ? fold_of(columns) : 1, is_streamed_ = size.are_streamed;
        flat_ = columns * fold_, padded_ = (flat_ + P::lanes - 1) / P::lanes * P::lanes;
        // Caches follow folded rows, which are one run: (100,1000,8) over axis 1 takes .91 of the time under a mask.
        are_large_ = size.are_large && (fold_ == 1 || n_ * columns > index_t{1} << 17);
        bits_ = {fold_ > 1 ? nullptr : bits_.data, padded_ / P::lanes};
        asked_ = asked;
        // What is converted is multiplied on its way, as masked elements are.
        bool const is_multiplied = !std::same_as<E, T> && !which;
        own_factor_ = is_multiplied ? std::exchange(asked_.factor, T(1)) : T(1);
        scale_ = scaling<T>::of(asked_);
        if (masks_as_read<Form, E>(which)) scale_.factor = which.factor;
        x.row *= fold_, y.row *= fold_;
        rows_at<T> e = {scratch_.data, (is_folded ? columns : scratch_.row) * fold_};
        if constexpr (std::same_as<E, T>) e = scratch_.data == nullptr ? y : e;
        return {x, y, e, folded_mask(which)};
    }

    /// The same from some row on, of which whole folded ones come before.
    template <class E>
    passed_rows<E> from(passed_rows<E> rows, index_t row) const noexcept {
        index_t const i = row / fold_;
        mask<T> const which = rows.which ? rows.which.rows(i, 1) : rows.which;
        return {rows.x.from(i), rows.y.from(i), rows.e.from(i), which};
    }

    panel_shape shape() const noexcept { return {columns_, fold_, flat_}; }

    template <form Form, class E>
    void find_maxima(panel_maxima<T, width>& maxima, passed_rows<E> const& rows) const noexcept {
        if constexpr (can_mask_as_read<Form, E>) {
            if (masks_as_read<Form, E>(rows.which)) {
                masked_rows<T, T, mask<T>> const x = {rows.x, rows.which};
                if constexpr (keeps_bits<T>) {
                    if (bits_.data != nullptr) return maxima.find(x, scale_, bits_);
                }
                return maxima.find(x, scale_);
            }
        }
        if (rows.which) {
            if constexpr (may_keep_masked<Form, E>)
                maxima.find(moved_source<T, E, mask<T>>{{rows.x, rows.which}, rows.e});
        } else if constexpr (std::same_as<E, T>) {
            maxima.find(masked_rows<T, T, everything<T>>{rows.x, {}}, scale_);
        } else {
            maxima.find(moved_source<T, E, multiplied<T>>{{rows.x, {{}, P::set(own_factor_)}}, rows.e});
        }
    }

    /// The pivots of all columns; whether the way is plain for every one of them.
    bool take_pivots(panel_maxima<T, width>& maxima, bool is_masked) noexcept {
        if (is_masked && !asked_.has_extra()) maxima.spare_empty_columns();
        repeat(at_.m);
        std::fill(at_.m + flat_, at_.m + padded_, T(0));
        return at_.take(padded_, asked_);
    }

    /// The exponentials of n rows, and their sums.
    template <form Form, class E>
    void add_exponentials(passed_rows<E> const& rows, index_t n, bool is_plain) noexcept {
        panel_exponentials<T, width> exponentials(at_, sums_, n, shape(), are_large_);
        if constexpr (can_mask_as_read<Form, E>) {
            if (masks_as_read<Form, E>(rows.which)) {
                if constexpr (keeps_bits<T>) {
                    if (bits_.data != nullptr && is_plain)
                        return exponentials.template add<Form, panel_bits<T>>({rows.x, bits_}, scale_, rows.e, true);
                }
                return exponentials.template add<Form, mask<T>>({rows.x, rows.which}, scale_, rows.e, is_plain);
            }
        }
        exponentials.template add<Form, everything<T>>({kept(rows), {}}, scale_, rows.e, is_plain);
    }

    /// Sums of exponentials of all rows to results.
    template <form Form, class E>
    void finish(passed_rows<E> const& passed) noexcept {
        if (Form == form::softmax && asked_.has_extra()) add_extras();
        if (!asked_.has_extra()) {
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
            take_logs<Form>(passed.y.data);
            repeat(log_);
            std::fill(log_ + flat_, log_ + padded_, T(0));
        }
        has_nan_ = is_nan(sum_lane(seen));
        if constexpr (Form == form::logsumexp) return;
        bool const is_log = Form == form::log_softmax;
        panel_results<Form, T> const results = {is_log ? at_.m : at_.shift, is_log ? log_ : at_.floor, is_streamed_};
        if constexpr (Form == form::log_softmax && can_mask_as_read<Form, E>) {
            if (masks_as_read<Form, E>(passed.which)) {
                if constexpr (keeps_bits<T>) {
                    if (bits_.data != nullptr)
                        return write(results, masked_rows<T, T, panel_bits<T>>{passed.x, bits_}, passed);
                }
                return write(results, masked_rows<T, T, mask<T>>{passed.x, passed.which}, passed);
            }
        }
        write(results, masked_rows<T, T, everything<T>>{kept(passed), {}}, passed);
    }

    request<T> asked_;
    bool are_large_ = false;
    pivots<T, width> at_;
    panel_sums<T, width> sums_;

private:
    /// Whether what a mask leaves is found wherever elements are read.
    template <form Form, class E>
    bool masks_as_read(mask<T> const& which) const noexcept {
        return can_mask_as_read<Form, E> && which && (is_masked_as_read_ || !may_keep_masked<Form, E>);
    }

    /// Elements where they are found after the first pass: where they wait, if they were masked or converted in it.
    template <class E>
    rows_at<T const> kept(passed_rows<E> const& rows) const noexcept {
        if constexpr (std::same_as<E, T>) {
            if (!rows.which) return rows.x;
        }
        return {rows.e.data, rows.e.row};
    }

    /// Results of what these rows say.
    template <form Form, class Mask, class E>
    void write(panel_results<Form, T> const& results, masked_rows<T, T, Mask> const& x,
               passed_rows<E> const& to) const noexcept {
        index_t const rows = n_ / fold_, rest = n_ % fold_ * columns_;
        source<way::plain, T, Mask, false> own = {x, scale_};
        results.write(own, to.e, to.y, {rows, flat_});
        own.x = own.x.from(rows);
        if constexpr (std::same_as<Mask, mask<T>>) own.which = own.which.rows(rows, 1);
        if (rest > 0) results.write(own, to.e.from(rows), to.y.from(rows), {1, rest});
        if (is_streamed_) end_streaming();
    }

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

    log_terms<T> terms_of(index_t j) const noexcept {
        return {at_.m[j], at_.shift[j], at_.magic[j], sums_.count[j], sums_.sum[j]};
    }

    /// For logsumexp the results, else the negative logarithms.
    template <form Form, class E>
    void take_logs(E* y) noexcept {
        logarithms<T> logs;
        for (index_t j = 0; j < columns_; j += P::lanes) {
            index_t const live = std::min(columns_ - j, P::lanes);
            for (index_t l = 0; l < live; ++l) logs.put(l, terms_of(j + l));
            logs.take(live, asked_);
            Form == form::logsumexp ? logs.take_sums(log_ + j, asked_) : logs.take_negative(log_ + j);
            if constexpr (Form == form::logsumexp && std::same_as<E, T>) logs.keep_states(y + j, 1, live, asked_);
            for (index_t l = 0; l < live && Form == form::logsumexp; ++l) {
                y[j + l] = converted<E>(asked_.has_extra() ? log_[j + l] : log_[j + l] + at_.floor[j + l]);
            }
        }
    }

    void add_extras() noexcept {
        for (index_t j = 0; j < columns_; ++j) {
            auto terms = terms_of(j);
            add_extra(terms, asked_);
            sums_.sum[j] = terms.others;
        }
    }

    index_t n_ = 0, columns_ = 0;
    index_t fold_ = 1, flat_ = 0, padded_ = 0;  // rows in a folded one; its columns, and these in whole packets
    scaling<T> scale_;
    T own_factor_ = 1;  // of elements on their way to where they wait
    bool has_nan_ = false, is_streamed_ = false, is_masked_as_read_ = false;
    rows_at<T> scratch_ = {nullptr, 0};  // none: exponentials wait in the output
    panel_bits<T> bits_ = {nullptr, 0};
    bool repeated_[width];
    alignas(64) T log_[width];  // its negative
};

SOFTAX_KERNELS_END
#endif
