// interleave: bytes of a few rows made one run in which they come in turn, or the other way round.
//
// In tiles of so few columns every row would be written by itself: softmax of (3000,3) under a transposed mask takes 1.45 times an
// unmasked call then rather than 1.21, of (6,1000) over axis 0 2.0 rather than 1.4 (AVX-512).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Where the rows are apart; they are one run in the other memory.
enum class apart { input, output };

#if SOFTAX_CHOICE_BYTES >= 32
/// In the run come the first bytes of every row, a unit, then the next of every row.
class byte_interleaver {
    static constexpr index_t bytes = 16, most = 7;

public:
    /// Whether there is a way for so many rows of n bytes.
    static bool takes(index_t rows, index_t unit, index_t n) noexcept {
        bool const is_power = (unit & (unit - 1)) == 0;
        return rows > 1 && rows <= most && unit < bytes && is_power && n >= bytes;
    }

    byte_interleaver(index_t rows, index_t unit, apart where) noexcept
        : rows_(rows), are_joined_(where == apart::input) {
        constexpr char none = -128;
        for (index_t i = 0; i < rows; ++i) std::fill_n(from_[i][0], rows * bytes, none);
        index_t run = 0;
        for (index_t first = 0; first < bytes; first += unit) {
            for (index_t row = 0; row < rows; ++row) {
                for (index_t k = first; k < first + unit; ++k, ++run) {
                    index_t const packet = run / bytes, lane = run % bytes;
                    (are_joined_ ? from_[packet][row][lane] : from_[row][packet][k]) =
                        static_cast<char>(are_joined_ ? k : lane);
                }
            }
        }
    }

    /// Rows of n bytes, so far apart.
    void operator()(char* y, char const* x, index_t step, index_t n) const noexcept {
        if (rows_ == 2) return move<2>(y, x, step, n);
        if (rows_ == 3) return move<3>(y, x, step, n);
        if (rows_ == 4) return move<4>(y, x, step, n);
        if (rows_ == 5) return move<5>(y, x, step, n);
        if (rows_ == 6) return move<6>(y, x, step, n);
        move<7>(y, x, step, n);
    }

private:
    template <index_t Rows>
    void move(char* y, char const* x, index_t step, index_t n) const noexcept {
        index_t const y_step = are_joined_ ? bytes : step, x_step = are_joined_ ? step : bytes;
        index_t const y_along = are_joined_ ? Rows : 1, x_along = are_joined_ ? 1 : Rows;
        for (index_t i = 0;; i = std::min(i + bytes, n - bytes)) {
            move<Rows>(y + i * y_along, y_step, x + i * x_along, x_step, std::make_integer_sequence<index_t, Rows>());
            if (i == n - bytes) return;
        }
    }

    /// A packet of every row, or of the run.
    template <index_t Rows, index_t... I>
    EIGEN_ALWAYS_INLINE void move(char* y, index_t y_step, char const* x, index_t x_step,
                                  std::integer_sequence<index_t, I...>) const noexcept {
        auto const load = [](void const* p) { return _mm_loadu_si128(static_cast<__m128i const*>(p)); };
        __m128i const own[] = {load(x + I * x_step)...};
        SOFTAX_UNROLLED
        for (index_t i = 0; i < Rows; ++i) {
            __m128i all = _mm_setzero_si128();
            ((all = _mm_or_si128(all, _mm_shuffle_epi8(own[I], load(from_[i][I])))), ...);
            _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i * y_step), all);
        }
    }

    index_t rows_;
    bool are_joined_;
    alignas(bytes) char from_[most][most][bytes];  // the place in a packet that is read of a byte that is written
};
#endif

SOFTAX_KERNELS_END
#endif
