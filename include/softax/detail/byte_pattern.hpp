// byte_pattern: short axes of what a mask says, moved all at once by lookup.
//
// Run by run each few bytes take some nanoseconds: (128,4,2) under (128,1,2) is moved by 1.1 ns a byte then rather than by .08, runs of
// five that are apart by .5 rather than .12; softmax of (1000,5,5) whose mask has squares transposed takes 1.14 times the unmasked call
// rather than 2.0, of 12 x 5 in place of these 1.24 rather than 2.4 (AVX-512, AMD Zen 4).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

#if SOFTAX_CHOICE_BYTES >= 32
/// Rows of bytes that follow one another, each made of few that are close in the mask.
class byte_pattern {
    static constexpr index_t bytes = 16, most = 4 * bytes;

public:
    /// Rows are as many of the innermost axes as fit, of bytes within one packet or else four, y and where being their strides. The axes
    /// outlive it.
    explicit byte_pattern(walked_axes const& axes) noexcept : axes_(axes) {
        lie_within(bytes);
        if (!pays() && axes.size > 2) lie_within(most);
        if (!pays()) return;
        while (together_ < rows().extent && fits(rows(), together_ + 1, within_)) ++together_;
        take(rows(), together_);
    }

    /// The place of the axis of rows.
    index_t place() const noexcept { return place_; }

    /// Whether that takes less than to move or to repeat runs. Equal bytes are filled.
    bool pays() const noexcept {
        bool const are_worth = is_far() ? std::min(n_, span_) > bytes && !are_runs() : span_ > 1;
        return are_worth && rows().extent >= 8 && rows().y == n_ && rows().where > 0;
    }

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
    /// Rows of which the bytes in the mask are within so many.
    void lie_within(index_t limit) noexcept {
        place_ = axes_.size - 1, run_ = reach_ = 1, within_ = limit;
        for (; place_ > 0 && fits(rows(), rows().extent, most); --place_) take(rows(), rows().extent);
        n_ = run_, span_ = reach_;
    }

    bool is_far() const noexcept { return within_ > bytes; }

    walked_axis const& rows() const noexcept { return axes_.at[place_]; }

    /// Whether a row is one run in the mask, in its order, moved by itself.
    bool are_runs() const noexcept {
        bool is_run = together_ == 1;
        for (index_t k = place_ + 1; k < axes_.size; ++k) is_run = is_run && axes_.at[k].where == axes_.at[k].y;
        return is_run;
    }

    /// Whether so many steps along an axis are one run, of bytes in reach.
    bool fits(walked_axis const& a, index_t steps, index_t longest) const noexcept {
        return a.y == run_ && a.where >= 0 && steps * run_ <= longest && reach_ + (steps - 1) * a.where <= within_;
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
        if (is_far()) {
            return reach_ <= 2 * bytes ? move_rows(y, x, far_places<2>(from)) : move_rows(y, x, far_places<4>(from));
        }
        if (run_ <= bytes) return move_rows(y, x, near_places<1>(from));
        if (run_ <= 2 * bytes) return move_rows(y, x, near_places<2>(from));
        if (run_ <= 3 * bytes) return move_rows(y, x, near_places<3>(from));
        move_rows(y, x, near_places<4>(from));
    }

    /// The last rows to which what is read and written too much does not belong; see move_rows.
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

    template <class Places>
    void move_rows(char* y, char const* x, Places look_up) const noexcept {
        // Local, as the places are, since writing bytes could change members for all the compiler knows.
        index_t const n = n_, step = rows().where, all = rows().extent, together = together_;
        // What is read and written too much belongs to later rows, of which the last have none.
        index_t const spare = spare_rows(Places::written, Places::read, step);
        index_t i = 0;
        for (; i + std::max(spare, together) <= all; i += together) look_up(y + i * n, x + i * step);
        for (; i < all; i += together) {
            index_t const some = std::min(together, all - i);
            char in[Places::read], out[Places::written];
            copy_few_bytes(in, x + i * step, span_ + (some - 1) * step);
            look_up(out, in);
            copy_few_bytes(y + i * n, out, some * n);
        }
    }

    EIGEN_ALWAYS_INLINE static __m128i load(char const* x) noexcept {
        return _mm_loadu_si128(reinterpret_cast<__m128i const*>(x));
    }

    /// Bytes of one packet.
    template <index_t Packets>
    class near_places {
    public:
        static constexpr index_t read = bytes, written = Packets * bytes;

        explicit near_places(char const* from) noexcept { std::memcpy(at_, from, sizeof at_); }

        EIGEN_ALWAYS_INLINE void operator()(char* y, char const* x) const noexcept {
            __m128i const own = load(x);
            SOFTAX_UNROLLED
            for (index_t k = 0; k < Packets; ++k)
                _mm_storeu_si128(reinterpret_cast<__m128i*>(y) + k, _mm_shuffle_epi8(own, at_[k]));
        }

    private:
        __m128i at_[Packets];
    };

    /// Bytes of several packets, each of which gives what it has.
    template <index_t Packets>
    class far_places {
        static constexpr index_t wide = SOFTAX_CHOICE_BYTES, stores = most / wide;

    public:
        static constexpr index_t read = Packets * bytes, written = most;

        explicit far_places(char const* from) noexcept {
            for (index_t k = 0; k < Packets; ++k) {
                for (index_t i = 0; i < stores; ++i)
                    at_[k][i] = places_in(from + i * wide, static_cast<char>(k * bytes));
            }
        }

        EIGEN_ALWAYS_INLINE void operator()(char* y, char const* x) const noexcept {
            SOFTAX_UNROLLED
            for (index_t i = 0; i < stores; ++i) {
                auto all = look_up(load(x), at_[0][i]);
                SOFTAX_UNROLLED
                for (index_t k = 1; k < Packets; ++k) all = both(all, look_up(load(x + k * bytes), at_[k][i]));
                std::memcpy(y + i * wide, &all, wide);
            }
        }

    private:
        // Of places those in a packet less its first; others have their upper bit, which gives 0.
#if SOFTAX_CHOICE_BYTES == 64
        static __m512i places_in(char const* from, char first) noexcept {
            return _mm512_adds_epu8(_mm512_sub_epi8(_mm512_loadu_si512(from), _mm512_set1_epi8(first)),
                                    _mm512_set1_epi8(0x70));
        }
        EIGEN_ALWAYS_INLINE static __m512i look_up(__m128i own, __m512i at) noexcept {
            return _mm512_shuffle_epi8(_mm512_maskz_broadcast_i32x4(0xffff, own), at);
        }
        EIGEN_ALWAYS_INLINE static __m512i both(__m512i a, __m512i b) noexcept { return _mm512_or_si512(a, b); }

        __m512i at_[Packets][stores];
#else
        static __m256i places_in(char const* from, char first) noexcept {
            __m256i const all = _mm256_loadu_si256(reinterpret_cast<__m256i const*>(from));
            return _mm256_adds_epu8(_mm256_sub_epi8(all, _mm256_set1_epi8(first)), _mm256_set1_epi8(0x70));
        }
        EIGEN_ALWAYS_INLINE static __m256i look_up(__m128i own, __m256i at) noexcept {
            return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(own), at);
        }
        EIGEN_ALWAYS_INLINE static __m256i both(__m256i a, __m256i b) noexcept { return _mm256_or_si256(a, b); }

        __m256i at_[Packets][stores];
#endif
    };

    walked_axes const& axes_;
    index_t place_ = 0, within_ = bytes;
    index_t n_ = 1, span_ = 1;     // bytes of a row, and within how many of the mask they are
    index_t run_ = 1, reach_ = 1;  // the same of rows that are moved at once
    index_t together_ = 1;         // how many these are
};
#endif

SOFTAX_KERNELS_END
#endif
