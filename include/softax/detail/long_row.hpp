// long_row: one row that several threads share, in segments of whole chunks.
//
// Every chunk is added up by itself, and the chunks in order, as one thread does: the same bits on any number of threads.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// One step for one segment of what threads share; a step begins when the one before has ended for all.
template <form Form, class Shared>
class shared_segment;

template <form Form, class T>
class shared_segment<Form, long_row<T>> {
    using P = packet<T>;
    using twice = row_twice<Form, T>;

public:
    shared_segment(long_row<T>& shared, index_t part) noexcept
        : r_(shared),
          asked_(request<T>::of(shared.said)),
          mask_(mask<T>::of({shared.where, 1, 0}, shared.where != nullptr ? std::exchange(asked_.factor, T(1)) : T(1))),
          answers_(shared.where, shared.axes),
          part_(part),
          first_(std::min(shared.n, part * shared.segment)),
          end_(std::min(shared.n, first_ + shared.segment)) {}

    void operator()(shared_step step) noexcept {
        if (first_ == end_) return;
        bool const is_left_out = step > shared_step::maximum && is_empty_row(mask_, m(), asked_);
        if (is_left_out && step == shared_step::results) write_left_out();
        if (is_left_out) return;
        switch (step) {
            case shared_step::mask:
                return answers_.move_to(r_.answers.data() + first_, first_, end_ - first_);
            case shared_step::maximum:
                return find_maximum();
            case shared_step::sums:
                if constexpr (can_mask_as_read) {
                    if (masks_as_read()) return add<beside::own_masked>();
                }
                return add<beside::nothing>();
            case shared_step::results:
                return write();
        }
    }

private:
    static constexpr bool can_mask_as_read = Form == form::logsumexp || twice::exists;

    T m() const noexcept { return asked_.pivot_of(*std::max_element(r_.maxima.begin(), r_.maxima.end())); }

    /// Whether exponentials are computed twice rather than kept.
    bool computes_twice() const noexcept { return twice::takes(r_.y, r_.n, 1, r_.said); }

    /// Whether masked elements are masked wherever they are read; others wait where the results will be.
    bool masks_as_read() const noexcept { return mask_ && (Form == form::logsumexp || computes_twice()); }

    /// Elements as the later steps take them.
    T const* elements() const noexcept { return mask_ && !masks_as_read() ? r_.y : r_.x; }

    template <class Visit>
    void for_each_piece(Visit const& visit, bool are_chunks = false) noexcept {
        answers_.for_each_piece(first_, end_, are_chunks, visit);
    }

    /// A segment other than the first may end with less than a packet; the row before it makes up for that.
    void find_maximum() noexcept {
        T most = -std::numeric_limits<T>::infinity();
        for_each_piece([&](index_t i, index_t n, bool const* where) {
            T const own = masks_as_read() ? masked_max(r_.x + i, n, mask_, where, {run_ahead, 0, run_ahead})
                                          : take_row_max(r_.y + i, r_.x + i, n, mask_, where, asked_.is_scaled(),
                                                         scaling<T>::of(asked_));
            most = std::max(most, own);
        });
        r_.maxima[static_cast<std::size_t>(part_)] = most;
    }

    /// Of a row that is NaN, or of which the mask leaves nothing, or only -inf.
    void write_left_out() noexcept {
        if constexpr (Form != form::logsumexp) {
            for_each_piece([&](index_t i, index_t n, bool const* where) { write_nan<Form>(r_.y + i, where, n); });
        } else if (part_ == 0) {
            bool is_nan = false;
            answers_.for_each_piece(0, r_.n, false, [&](index_t, index_t n, bool const* where) {
                is_nan = is_nan || has_left(where, 1, n);
            });
            *r_.y = is_nan ? std::numeric_limits<T>::quiet_NaN() : -std::numeric_limits<T>::infinity();
        }
    }

    template <beside Beside>
    void add() noexcept {
        asked_.is_plain(m()) ? add<way::plain, Beside>() : add<way::general, Beside>();
    }

    template <way Way, beside Beside>
    void add() noexcept {
        T const largest = m();
        bool const is_twice = computes_twice();
        rows_beside<Form, T> others = {};
        others.which = mask_, others.is_long = is_twice;
        alignas(64) T e[chunk];
        auto const add_piece = [&](index_t first, index_t n, [[maybe_unused]] bool const* where) {
            for (index_t i = first; i < first + n; i += chunk) {
                if constexpr (Beside == beside::own_masked) others.which.where.data = where + (i - first);
                row_sums<Form, Way, Beside, T> sums(largest, asked_, others);
                sums.add(elements() + i, is_twice ? e : r_.y + i, 0, std::min(chunk, end_ - i));
                r_.sums[static_cast<std::size_t>(i / chunk)] = {sums.sum.hi, sums.sum.lo, sums.count};
            }
        };
        Beside == beside::own_masked ? for_each_piece(add_piece, true) : add_piece(first_, end_ - first_, nullptr);
    }

    /// Every segment adds the chunks up for itself, which takes no step more.
    log_terms<T> terms() const noexcept {
        T const largest = m();
        auto const at = pivot<T>::of(largest, asked_);
        log_terms<T> terms = {largest, at.shift.first(), at.magic.first(), 0, {0, 0}};
        for (auto const& s : r_.sums) {
            add_total<T>(terms.others, {s.hi, s.lo});
            terms.count += s.count;
        }
        if (Form == form::softmax && asked_.has_extra()) add_extra(terms, asked_);
        return terms;
    }

    void write() noexcept {
        if constexpr (Form == form::logsumexp) {
            if (part_ > 0) return;
            auto const sums = terms();
            *r_.y = log_sum_of(sums, asked_);
            keep_state(r_.y, sums, asked_);
        } else {
            auto const result = outcome<Form, T>::of(terms(), asked_);
            if (mask_ && result.is_nan_everywhere()) return write_left_out();
            if constexpr (twice::exists) {
                if (computes_twice()) return write_twice(result);
            }
            T const* const x = Form == form::softmax ? r_.y : elements();
            T* const y = r_.y;
            index_t i = first_;
            for (; i + P::lanes <= end_; i += P::lanes) result(P::load(x + i)).store(y + i);
            if (i < end_) result(P::load(x + i, end_ - i, x[i])).store(y + i, end_ - i);
        }
    }

    void write_twice(outcome<Form, T> const& result) noexcept {
        T const largest = m();
        auto which = mask_;
        for_each_piece(
            [&](index_t i, index_t n, bool const* where) {
                which.where.data = where;
                mask_ ? twice::write(r_.x + i, r_.y + i, n, largest, result, asked_, which)
                      : twice::write(r_.x + i, r_.y + i, n, largest, result, asked_);
            },
            true);
        end_streaming();
    }

    long_row<T>& r_;
    request<T> asked_;
    mask<T> mask_;
    row_mask answers_;
    index_t part_, first_, end_;
};

/// A step for a segment: the door to this instruction set.
template <form Form, class Shared>
void run_shared_step(Shared& shared, shared_step step, index_t part) noexcept {
    door const held;
    shared_segment<Form, Shared>{shared, part}(step);
}

SOFTAX_KERNELS_END
#endif
