// bytes: what masks say, moved as bytes: copied and repeated.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The bytes of a packet of any type.
inline constexpr index_t packet_bytes = sizeof(packet<double>::raw_type);

/// y[0, n) = x[0, n), bytes, in words of Word bytes, the last of which overlap; n >= Word.
template <index_t Word>
EIGEN_ALWAYS_INLINE void copy_words(char* y, char const* x, index_t n) noexcept {
    for (index_t i = 0; i + Word < n; i += Word) std::memcpy(y + i, x + i, Word);
    std::memcpy(y + n - Word, x + n - Word, Word);
}

/// The same of any n up to 64: a call would take longer.
EIGEN_ALWAYS_INLINE void copy_few_bytes(char* y, char const* x, index_t n) noexcept {
    if (n >= 16) return copy_words<16>(y, x, n);
    if (n >= 8) return copy_words<8>(y, x, n);
    if (n >= 4) return copy_words<4>(y, x, n);
    if (n >= 2) return copy_words<2>(y, x, n);
    if (n == 1) *y = *x;
}
EIGEN_ALWAYS_INLINE void copy_bytes(char* y, char const* x, index_t n) noexcept {
    n > 64 ? void(std::memcpy(y, x, static_cast<std::size_t>(n))) : copy_few_bytes(y, x, n);
}

/// A byte eight times.
EIGEN_ALWAYS_INLINE std::uint64_t eight_times(char x) noexcept {
    return std::uint64_t{static_cast<unsigned char>(x)} * 0x0101010101010101;
}

/// A packet of one byte.
EIGEN_ALWAYS_INLINE packet<double> packet_of(char x) noexcept {
    return packet<double>::set(std::bit_cast<double>(eight_times(x)));
}

/// y[0, n) = a packet again and again, n >= packet_bytes.
EIGEN_ALWAYS_INLINE void fill_packets(char* y, packet<double> all, index_t n) noexcept {
    for (index_t i = 0; i + packet_bytes < n; i += packet_bytes) std::memcpy(y + i, &all.raw, packet_bytes);
    std::memcpy(y + n - packet_bytes, &all.raw, packet_bytes);
}

/// y[0, n) = x, a byte.
EIGEN_ALWAYS_INLINE void fill_bytes(char* y, char x, index_t n) noexcept {
    if (n >= 4 && n <= 8) {
        std::uint64_t const word = eight_times(x);
        std::memcpy(y, &word, 4);
        return void(std::memcpy(y + n - 4, &word, 4));
    }
    if (n < packet_bytes) return void(std::memset(y, x, static_cast<std::size_t>(n)));
    fill_packets(y, packet_of(x), n);
}

#if SOFTAX_CHOICE_BYTES >= 32
/// Of n bytes that are repeated, and of bytes that are each written n times, the places in these, n - 1 first. A table that each repeater
/// made would take a fifth of a call for (8,3).
template <std::size_t Size, class Place>
constexpr auto places_of(Place place) noexcept {
    std::array<std::array<char, Size>, 16> all = {};
    for (std::size_t n = 1; n <= all.size(); ++n)
        for (std::size_t k = 0; k < Size; ++k) all[n - 1][k] = static_cast<char>(place(k, n));
    return all;
}
inline constexpr auto places_in_runs = places_of<packet_bytes + 16>([](auto k, auto n) { return k % n; });
inline constexpr auto places_in_rows = places_of<256>([](auto k, auto n) { return k / n; });
#endif

/// Rows of n bytes that follow one another in y, each filled with a byte, these step apart in x.
class row_filler {
    static constexpr index_t word = 8, half = packet_bytes / 2;

public:
    row_filler(index_t n, index_t step) noexcept : n_(n), step_(step) {}

    void operator()(char* y, char const* x, index_t rows) const noexcept {
#if SOFTAX_CHOICE_BYTES >= 32
        if (step_ == 1 && n_ > 1 && n_ <= 16 && rows >= 16) return look_up(y, x, rows);
#endif
        if (n_ <= word) return fill<word>(y, x, rows);
        // Stores that cross cache lines take twice as long.
        n_ <= half ? fill<half>(y, x, rows) : fill<packet_bytes>(y, x, rows);
    }

private:
    /// In stores of so many bytes if rows are no longer: what is written too much belongs to the next rows.
    template <index_t Bytes>
    void fill(char* y, char const* x, index_t rows) const noexcept {
        // Local, since writing bytes could change a member for all the compiler knows.
        index_t const n = n_, step = step_, all = rows * n;
        index_t i = 0;
        for (; n <= Bytes && i * n + Bytes <= all; ++i) {
            auto const row = packet_of(x[i * step]);
            std::memcpy(y + i * n, &row.raw, Bytes);
        }
        for (; i < rows; ++i) fill_bytes(y + i * n, x[i * step], n);
    }

#if SOFTAX_CHOICE_BYTES >= 32
    /// 32 bytes, looked up in 16.
    EIGEN_ALWAYS_INLINE static void write(char* y, char const* x, char const* places) noexcept {
        __m256i const some = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<__m128i const*>(x)));
        __m256i const from = _mm256_loadu_si256(reinterpret_cast<__m256i const*>(places));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), _mm256_shuffle_epi8(some, from));
    }

    /// At least 16 rows, which may lie where the last are written.
    void look_up(char* y, char const* x, index_t rows) const noexcept {
        constexpr index_t written = 32, read = 16, some = 4;
        index_t const n = n_, last = rows - read, end = rows * n - written, whole = written / n, rest = written % n;
        char const* const places = places_in_rows[static_cast<std::size_t>(n - 1)].data();
        index_t at = 0, row = 0, of = 0;
        auto const step = [&](index_t bytes) {
            at += bytes, row += bytes / n, of += bytes % n;
            if (of >= n) of -= n, ++row;
        };
        while (at + some * written <= last * n) {
            for (index_t k = 0; k < some; ++k) write(y + at + k * written, x + row + k * whole, places + of + k * rest);
            step(some * written);
        }
        while (at < last * n) write(y + at, x + row, places + of), step(written);
        for (; at < end; at += written) write(y + at, x + last, places + at - last * n);
        write(y + end, x + last, places + read * n - written);
    }
#endif

    index_t n_, step_;
};

/// A run of n bytes so many times in y, one after another. Reads and writes no other bytes: of those just written none could be
/// read soon.
class run_repeater {
public:
    run_repeater(index_t n, index_t times) noexcept : n_(n), all_(n * times) {
#if SOFTAX_CHOICE_BYTES >= 32
        if (n > 16 || all_ < 8 || divides_words()) return;
        width_ = packet_bytes;
        while (width_ > all_) width_ /= 2;
        together_ = width_ / n * n;
        first_ = places_in_runs[static_cast<std::size_t>(n - 1)].data(), last_ = first_ + (all_ - width_) % n;
#endif
    }

    EIGEN_ALWAYS_INLINE void operator()(char* y, char const* x) const noexcept {
#if SOFTAX_CHOICE_BYTES >= 32
        if (width_ > 0) return look_up(y, run_at(x));
#endif
        if (divides_words() && all_ >= packet_bytes) return repeat_word(y, x);
        if (n_ > 64) {
            copy_bytes(y, x, n_);
            return repeat(y, n_, all_);
        }
        if (n_ > 32) return repeat_ends<32>(y, x, 0, all_);
        if (n_ > 16) return repeat_packets(y, x);
        if (n_ > 8) return repeat_ends<8>(y, x, 0, all_);
        if (n_ > 4) return repeat_ends<4>(y, x, 0, all_);
        if (n_ > 2) return repeat_ends<2>(y, x, 0, all_);
        repeat_ends<1>(y, x, 0, all_);
    }

private:
    /// Whether a word is whole runs. Where these are looked up as others are, (64,4) over both axes under (1,4) takes 1.33 times the unmasked
    /// call rather than 1.27 (AVX2, AMD Zen 4).
    bool divides_words() const noexcept { return n_ == 2 || n_ == 4 || n_ == 8; }
    void repeat_word(char* y, char const* x) const noexcept {
        std::uint64_t word = 0;
        for (char* to = reinterpret_cast<char*>(&word); to < reinterpret_cast<char*>(&word + 1); to += n_)
            copy_few_bytes(to, x, n_);
        fill_packets(y, packet<double>::set(std::bit_cast<double>(word)), all_);
    }

    /// y[0, all) as its first n bytes: what there is once more, and so on.
    static void repeat(char* y, index_t n, index_t all) noexcept {
        for (; n < all; n *= 2) copy_bytes(y + n, y, std::min(n, all - n));
    }

    /// As words, Word <= n <= 2 * Word, that overlap; those that begin in [first, end).
    template <index_t Word>
    void repeat_ends(char* y, char const* x, index_t first, index_t end) const noexcept {
        char head[Word], tail[Word];
        std::memcpy(head, x, Word), std::memcpy(tail, x + n_ - Word, Word);
        for (index_t i = first, n = n_; i < end; i += n) {
            std::memcpy(y + i, head, Word), std::memcpy(y + i + n - Word, tail, Word);
        }
    }

    /// More than 16 bytes in packets, if these take two or more runs at a time, once there is one: (300,30) under a mask of (1,30) takes
    /// 1.32 times an unmasked call rather than 1.36 (AVX-512).
    void repeat_packets(char* y, char const* x) const noexcept {
        index_t const n = n_, all = all_, together = packet_bytes / n * n;
        index_t i = 0;
        if (together > n && all >= 4 * packet_bytes) {
            while (i < packet_bytes) i += n;
            repeat_ends<16>(y, x, 0, i);
            packet<double> some;
            std::memcpy(&some.raw, y, packet_bytes);
            for (; i + packet_bytes <= all; i += together) std::memcpy(y + i, &some.raw, packet_bytes);
        }
        repeat_ends<16>(y, x, i, all);
    }

#if SOFTAX_CHOICE_BYTES >= 32
    /// The run, at most 16 bytes.
    EIGEN_ALWAYS_INLINE __m128i run_at(char const* x) const noexcept {
#if SOFTAX_CHOICE_BYTES == 64
        return _mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << n_) - 1u), x);
#else
        index_t const low = std::min(n_, index_t{8});
        return _mm_set_epi64x(static_cast<long long>(first_bytes(x + low, n_ - low)),
                              static_cast<long long>(first_bytes(x, low)));
#endif
    }

    EIGEN_ALWAYS_INLINE void look_up(char* y, __m128i run) const noexcept {
        index_t const end = all_ - width_, step = together_;
        if (width_ < 32) {
            auto const first = _mm_shuffle_epi8(run, _mm_loadu_si128(reinterpret_cast<__m128i const*>(first_)));
            auto const last = _mm_shuffle_epi8(run, _mm_loadu_si128(reinterpret_cast<__m128i const*>(last_)));
            if (width_ == 8) return _mm_storeu_si64(y, first), _mm_storeu_si64(y + end, last);
            std::memcpy(y, &first, 16), std::memcpy(y + end, &last, 16);
            return;
        }
#if SOFTAX_CHOICE_BYTES == 64
        if (width_ == 64) {
            auto const some = _mm512_maskz_broadcast_i32x4(0xffff, run);
            auto const first = _mm512_shuffle_epi8(some, _mm512_loadu_si512(first_));
            auto const last = _mm512_shuffle_epi8(some, _mm512_loadu_si512(last_));
            for (index_t i = 0; i < end; i += step) _mm512_storeu_si512(y + i, first);
            return _mm512_storeu_si512(y + end, last);
        }
#endif
        auto const some = _mm256_broadcastsi128_si256(run);
        auto const first = _mm256_shuffle_epi8(some, _mm256_loadu_si256(reinterpret_cast<__m256i const*>(first_)));
        auto const last = _mm256_shuffle_epi8(some, _mm256_loadu_si256(reinterpret_cast<__m256i const*>(last_)));
        for (index_t i = 0; i < end; i += step) std::memcpy(y + i, &first, 32);
        std::memcpy(y + end, &last, 32);
    }
#endif

    index_t n_, all_;
#if SOFTAX_CHOICE_BYTES >= 32
    index_t width_ = 0, together_ = 0;
    char const *first_ = nullptr, *last_ = nullptr;  // places of a packet in the run, from its beginning and to its end
#endif
};

SOFTAX_KERNELS_END
#endif
