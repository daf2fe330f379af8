// panel_bits: what a mask leaves out of a panel, a bit for each lane, kept by the first pass for the second.
//
// The second pass goes over memory in steps of many rows, and a mask is as many cache lines more. Masked softmax of 2,000 rows of 256
// takes .9 of the time, logsumexp of 10,000 rows of 4,096 .85. In caches it takes as long, so only large panels do it; and only where
// a bit a lane is what instructions read.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T>
inline constexpr bool keeps_bits = SOFTAX_CHOICE_BYTES == 64 && sizeof(packet<T>) == 64;

/// Words of bits, so many for each row.
template <class T>
struct panel_bits {
    static constexpr index_t lanes = packet<T>::lanes;
    static_assert(!keeps_bits<T> || lanes <= 16);

    std::uint16_t* data;
    index_t words;

    /// Elements of T that take as much memory as the bits of n rows of columns.
    static constexpr index_t size(index_t n, index_t columns) noexcept {
        constexpr index_t in_one = sizeof(T) / sizeof(std::uint16_t);
        return (n * ((columns + lanes - 1) / lanes) + in_one - 1) / in_one;
    }

    index_t row() const noexcept { return words; }
    EIGEN_ALWAYS_INLINE std::uint16_t& where(index_t i, index_t j) const noexcept {
        return data[i * words + j / lanes];
    }
};

SOFTAX_KERNELS_END
#endif
