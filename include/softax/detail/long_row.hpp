// long_row: one row that several threads share, in segments of whole chunks.
//
// Every chunk is added up by itself, and the chunks in order, as one thread does: the same bits on any number of threads.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// One step for one segment of a row; a step begins when the one before has ended for all.
template <form Form, class T>
class row_segment {
    using P = packet<T>;
    using twice = row_twice<Form, T>;

public:
    row_segment(long_row<T>& shared, index_t part) noexcept
        : r_(shared),
          asked_(request<T>::of(shared.said.scale, shared.said.extra)),
          mask_(mask<T>::of({shared.where, 1, 0}, shared.where != nullptr ? std::exchange(asked_.factor, T(1)) : T(1))),
          part_(part),
          first_(std::min(shared.n, part * shared.segment)),
          end_(std::min(shared.n, first_ + shared.segment)) {}

    void operator()(row_step step) noexcept {
        if (first_ == end_) return;
        bool const is_left_out = step != row_step::maximum && is_empty_row(mask_, m(), asked_);
        if (is_left_out && step == row_step::results) write_left_out();
        if (is_left_out) return;
        switch (step) {
            case row_step::maximum:
                return find_maximum();
            case row_step::sums:
                if constexpr (Form == form::logsumexp) {
                    if (mask_) return add<beside::own_masked>();
                }
                return add<beside::nothing>();
            case row_step::results:
                return write();
        }
    }

private:
    T m() const noexcept { return asked_.pivot_of(*std::max_element(r_.maxima.begin(), r_.maxima.end())); }

    /// Whether exponentials are computed twice rather than kept; those of masked elements are kept.
    bool computes_twice() const noexcept { return !mask_ && twice::takes(r_.y, r_.n, 1, r_.said); }

    /// Elements as the later steps take them: masked ones wait where the results will be, if there is a place for all.
    T const* elements() const noexcept { return mask_ && Form != form::logsumexp ? r_.y : r_.x; }

    /// A segment other than the first may end with less than a packet; the row before it makes up for that.
    void find_maximum() noexcept {
        bool const* const where = mask_ ? r_.where + first_ : nullptr;
        index_t const n = end_ - first_;
        T& m = r_.maxima[static_cast<std::size_t>(part_)];
        if (Form == form::logsumexp && mask_) {
            m = masked_max(r_.x + first_, n, mask_, where);
        } else {
            m = take_row_max(r_.y + first_, r_.x + first_, n, mask_, where, asked_.is_scaled(), scaling<T>::of(asked_));
        }
    }

    /// Of a row of which the mask leaves nothing, or only -inf.
    void write_left_out() noexcept {
        if constexpr (Form != form::logsumexp) return write_nan<Form>(r_.y + first_, r_.where + first_, end_ - first_);
        if (part_ == 0) *r_.y = log_of_empty_row<T>(r_.where, r_.n);
    }

    template <beside Beside>
    void add() noexcept {
        asked_.is_plain(m()) ? add<way::plain, Beside>() : add<way::general, Beside>();
    }

    template <way Way, beside Beside>
    void add() noexcept {
        T const largest = m();
        rows_beside<Form, T> others = {};
        bool const is_twice = computes_twice();
        alignas(64) T e[chunk];
        for (index_t i = first_; i < end_; i += chunk) {
            if constexpr (Beside == beside::own_masked) others.which = mask_.shifted(i);
            row_sums<Form, Way, Beside, T> sums(largest, asked_, others);
            sums.add(elements() + i, is_twice ? e : r_.y + i, 0, std::min(chunk, end_ - i));
            r_.sums[static_cast<std::size_t>(i / chunk)] = {sums.sum.hi, sums.sum.lo, sums.count};
        }
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
            if (part_ == 0) *r_.y = log_sum_of(terms(), asked_);
        } else {
            auto result = outcome<Form, T>::of(terms(), asked_);
            if constexpr (twice::exists) {
                if (computes_twice()) {
                    twice::write(r_.x + first_, r_.y + first_, end_ - first_, m(), result, asked_);
                    return end_streaming();
                }
            }
            T const* const x = Form == form::softmax ? r_.y : elements();
            T* const y = r_.y;
            if (mask_ && result.is_nan_everywhere())
                result = masked_nan<Form>(y + first_, r_.where + first_, end_ - first_, asked_);
            index_t i = first_;
            for (; i + P::lanes <= end_; i += P::lanes) result(P::load(x + i)).store(y + i);
            if (i < end_) result(P::load(x + i, end_ - i, x[i])).store(y + i, end_ - i);
        }
    }

    long_row<T>& r_;
    request<T> asked_;
    mask<T> mask_;
    index_t part_, first_, end_;
};

/// A step for a segment: the door to this instruction set.
template <form Form, class T>
void run_row_step(long_row<T>& shared, row_step step, index_t part) noexcept {
    door const held;
    row_segment<Form, T>{shared, part}(step);
}

SOFTAX_KERNELS_END
#endif
