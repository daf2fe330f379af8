// byte_pattern: short axes of what a mask says, moved all at once by lookup.
//
// Run by run each few bytes take some nanoseconds: (128,4,2) under (128,1,2) is moved by 1.1 ns a byte then rather than by .08, runs of
// five that are apart by .5 rather than .12 (AMD Zen 4).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

#if SOFTAX_CHOICE_BYTES >= 32
/// Rows of bytes that follow one another, each made of few that are close in the mask.
class byte_pattern {
    static constexpr index_t bytes = 16, most = 4 * bytes;

public:
    /// Rows are as many of the innermost axes as fit, y and where being their strides. The axes outlive it.
    explicit byte_pattern(walked_axes const& axes) noexcept : axes_(axes), place_(axes.size - 1) {
        for (; place_ > 0 && fits(rows(), rows().extent, most); --place_) take(rows(), rows().extent);
        n_ = run_, span_ = reach_;
        if (!pays()) return;
        while (together_ < rows().extent && fits(rows(), together_ + 1, bytes)) ++together_;
        take(rows(), together_);
    }

    /// The place of the axis of rows.
    index_t place() const noexcept { return place_; }

    /// Whether that takes less than to move or to repeat runs. Equal bytes are filled.
    bool pays() const noexcept { return span_ > 1 && rows().extent >= 8 && rows().y == n_ && rows().where > 0; }

    /// Whether rows are one run each, of a word: softmax of (512,12,2) over axis 0, which is the second in the mask, takes .25 of the time
    /// where these are moved as elements.
    bool are_words() const noexcept { return are_runs() && n_ <= 8 && (n_ & (n_ - 1)) == 0; }

    /// y = x over all axes.
    void operator()(char* y, char const* x) const noexcept {
        char from[most] = {};
        index_t run = 1;
        for (index_t k = axes_.size - 1; k > place_; --k) lay(from, run, axes_.at[k].extent, axes_.at[k].where);
        lay(from, run, together_, rows().where);
        walked_axes outside = axes_;
        outside.size = place_;
        for_each_place(outside, [&](walked_axis const& at) { move(y + at.y, x + at.where, from); });
    }

private:
    walked_axis const& rows() const noexcept { return axes_.at[place_]; }

    /// Whether a row is one run in the mask, in its order, moved by itself.
    bool are_runs() const noexcept {
        bool is_run = together_ == 1;
        for (index_t k = place_ + 1; k < axes_.size; ++k) is_run = is_run && axes_.at[k].where == axes_.at[k].y;
        return is_run;
    }

    /// Whether so many steps along an axis are one run, of bytes in reach.
    bool fits(walked_axis const& a, index_t steps, index_t longest) const noexcept {
        return a.y == run_ && a.where >= 0 && steps * run_ <= longest && reach_ + (steps - 1) * a.where <= bytes;
    }
    void take(walked_axis const& a, index_t steps) noexcept { run_ *= steps, reach_ += (steps - 1) * a.where; }

    /// The places in the mask of a run, of so many steps of it.
    static void lay(char* from, index_t& run, index_t steps, index_t where) noexcept {
        for (index_t j = 1; j < steps; ++j) {
            for (index_t i = 0; i < run; ++i) from[j * run + i] = static_cast<char>(from[i] + j * where);
        }
        run *= steps;
    }

    void move(char* y, char const* x, char const* from) const noexcept {
        if (are_runs() && n_ <= 4) return copy<4>(y, x);
        if (are_runs() && n_ <= 8) return copy<8>(y, x);
        if (run_ <= bytes) return move<1>(y, x, from);
        if (run_ <= 2 * bytes) return move<2>(y, x, from);
        if (run_ <= 3 * bytes) return move<3>(y, x, from);
        move<4>(y, x, from);
    }

    /// The last rows to which what is read and written too much does not belong; see move.
    index_t spare_rows(index_t written, index_t read, index_t step) const noexcept {
        return std::max((written + n_ - 1) / n_, (read - span_ + step - 1) / step + 1);
    }

    /// Rows that are runs, of fewer bytes than a word has.
    template <index_t Word>
    void copy(char* y, char const* x) const noexcept {
        index_t const n = n_, step = rows().where, all = rows().extent, spare = spare_rows(Word, Word, step);
        index_t i = 0;
        for (; i + spare <= all; ++i) std::memcpy(y + i * n, x + i * step, Word);
        for (; i < all; ++i) copy_few_bytes(y + i * n, x + i * step, n);
    }

    template <index_t Packets>
    void move(char* y, char const* x, char const* from) const noexcept {
        // Local, since writing bytes could change members for all the compiler knows.
        index_t const n = n_, step = rows().where, all = rows().extent, together = together_;
        __m128i at[Packets];
        std::memcpy(at, from, sizeof at);
        // What is read and written too much belongs to later rows, of which the last have none.
        index_t const spare = spare_rows(Packets * bytes, bytes, step);
        index_t i = 0;
        for (; i + std::max(spare, together) <= all; i += together) look_up(y + i * n, x + i * step, at);
        for (; i < all; i += together) {
            index_t const some = std::min(together, all - i);
            char in[bytes], out[Packets * bytes];
            copy_few_bytes(in, x + i * step, span_ + (some - 1) * step);
            look_up(out, in, at);
            copy_few_bytes(y + i * n, out, some * n);
        }
    }

    template <std::size_t Packets>
    EIGEN_ALWAYS_INLINE static void look_up(char* y, char const* x, __m128i const (&at)[Packets]) noexcept {
        __m128i const own = _mm_loadu_si128(reinterpret_cast<__m128i const*>(x));
        SOFTAX_UNROLLED
        for (std::size_t k = 0; k < Packets; ++k)
            _mm_storeu_si128(reinterpret_cast<__m128i*>(y) + k, _mm_shuffle_epi8(own, at[k]));
    }

    walked_axes const& axes_;
    index_t place_;
    index_t n_ = 1, span_ = 1;     // bytes of a row, and within how many of the mask they are
    index_t run_ = 1, reach_ = 1;  // the same of rows that are moved at once
    index_t together_ = 1;         // how many these are
};
#endif

SOFTAX_KERNELS_END
#endif
