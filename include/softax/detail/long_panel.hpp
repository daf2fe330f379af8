// long_panel: one panel that several threads share, in segments of rows, whole chunks of them.
//
// Asked for by 40,000 rows of 64 columns, which are one panel and took as long on two threads as on one. Columns shared instead, a few
// to each, lie in cache lines next to one another, which threads then take from each other.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <form Form, class E>
class shared_segment<Form, long_panel<E>> : panel_passes<compute_type<E>> {
    using T = compute_type<E>;
    static constexpr index_t width = panel_passes<T>::width;

public:
    shared_segment(long_panel<E>& shared, index_t part) noexcept
        : s_(shared),
          part_(part),
          first_(std::min(shared.element.extent, part * shared.segment)),
          end_(std::min(shared.element.extent, first_ + shared.segment)) {}

    void operator()(shared_step step) noexcept {
        if (first_ == end_) return;
        if (step == shared_step::mask) return move_mask();
        index_t const rows = end_ - first_;
        walked_axis const& at = s_.element;
        auto asked = request<T>::of(s_.said);
        mask<T> which = {};
        if (s_.where != nullptr) {
            T const factor = std::exchange(asked.factor, T(1));
            which = mask<T>::of({s_.where + first_ * at.where, at.where, 1}, factor);
        }
        if (s_.scratch.size() > 0) this->wait_in({s_.scratch.data() + first_ * s_.columns, s_.columns});
        if (Form == form::logsumexp) this->mask_as_read();
        auto const own = this->template folded<Form, E>({s_.x + first_ * at.x, at.x}, {s_.y + first_ * at.y, at.y},
                                                        {rows, s_.columns, s_.is_large, false}, asked, which);
        panel_maxima<T, width> maxima(this->at_.m, rows, this->shape(), s_.is_large);
        maxima.start();
        if (step == shared_step::maximum) {
            this->template find_maxima<Form>(maxima, own);
            return maxima.keep_in(maxima_of(part_));
        }
        for (index_t k = 0; k * s_.segment < at.extent; ++k) maxima.take(maxima_of(k));
        bool const is_plain = this->take_pivots(maxima, static_cast<bool>(which));
        step == shared_step::sums ? add(own, is_plain) : write(own, asked);
    }

private:
    T* maxima_of(index_t part) const noexcept { return s_.maxima.data() + part * panel_maxima<T, width>::kept_size; }

    /// What the mask says of the segment to where it is read.
    void move_mask() const noexcept {
        row_mask::move(s_.answers.data() + first_ * s_.columns, s_.masked_at, s_.masked, s_.group.of(s_.columns),
                       {first_, end_ - first_});
    }

    /// Every chunk by itself.
    template <class Rows>
    void add(Rows const& own, bool is_plain) noexcept {
        for (index_t i = first_; i < end_; i += chunk) {
            this->template add_exponentials<Form>(this->from(own, i - first_), std::min(chunk, end_ - i), is_plain);
            sums_of_chunk* const to = s_.sums.data() + i / chunk * width;
            for (index_t j = 0; j < s_.columns; ++j)
                to[j] = {this->sums_.sum[j].hi, this->sums_.sum[j].lo, this->sums_.count[j]};
        }
    }

    /// The chunks in order, as one thread adds them up, and what is made of them.
    template <class Rows>
    void write(Rows const& own, request<T> const& asked) noexcept {
        if (Form == form::logsumexp && part_ > 0) return;
        auto& sums = this->sums_;
        sums.start(s_.columns);
        for (index_t i = 0; i < s_.element.extent; i += chunk) {
            sums_of_chunk const* const from = s_.sums.data() + i / chunk * width;
            for (index_t j = 0; j < s_.columns; ++j) {
                add_total<T>(sums.sum[j], {from[j].hi, from[j].lo});
                sums.count[j] += from[j].count;
            }
        }
        this->template finish<Form>(own);
        if (s_.where == nullptr || !this->has_nan()) return;
        walked_axis const& at = s_.element;
        bool const is_sum = Form == form::logsumexp;
        block_axes axes;
        axes.reduce.push_back({is_sum ? at.extent : end_ - first_, at.x, at.y, at.where});
        axes.kept.push_back({s_.columns, 1, s_.group.y, 1});
        left_out<Form, T>(asked.extra).mend(s_.y + first_ * at.y, s_.where + first_ * at.where, axes);
    }

    long_panel<E>& s_;
    index_t part_, first_, end_;
};

SOFTAX_KERNELS_END
#endif
