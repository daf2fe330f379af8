// past_caches: asks for memory before it is needed, and stores that leave the caches alone, for results larger than they are.
#pragma once

#include "packet.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// Asks for the cache line at p, which need not exist. Always inline: GCC drops calls of functions that do nothing else.
template <class T>
EIGEN_ALWAYS_INLINE void prefetch([[maybe_unused]] T const* p) noexcept {
#if defined(__GNUC__)
    __builtin_prefetch(p);
#endif
}

/// The same to write there.
template <class T>
EIGEN_ALWAYS_INLINE void prefetch_to([[maybe_unused]] T* p) noexcept {
#if defined(__GNUC__)
    __builtin_prefetch(p, 1);
#endif
}

/// Writes x to an aligned place, past the caches where the target can.
template <class T>
EIGEN_ALWAYS_INLINE void store_past_caches(T* p, packet<T> x) noexcept {
    [[maybe_unused]] constexpr std::size_t bytes = sizeof(typename packet<T>::raw_type);
#if defined(__clang__)
    return __builtin_nontemporal_store(x.raw, reinterpret_cast<typename packet<T>::raw_type*>(p));
#endif
#if defined(__AVX512F__)
    if constexpr (bytes == 64 && sizeof(T) == 4) return _mm512_stream_ps(p, x.raw);
    if constexpr (bytes == 64 && sizeof(T) == 8) return _mm512_stream_pd(p, x.raw);
#endif
#if defined(__AVX__)
    if constexpr (bytes == 32 && sizeof(T) == 4) return _mm256_stream_ps(p, x.raw);
    if constexpr (bytes == 32 && sizeof(T) == 8) return _mm256_stream_pd(p, x.raw);
#endif
#if defined(__SSE2__)
    if constexpr (bytes == 16 && sizeof(T) == 4) return _mm_stream_ps(p, x.raw);
    if constexpr (bytes == 16 && sizeof(T) == 8) return _mm_stream_pd(p, x.raw);
#endif
    x.store(p);
}

/// Whoever lets kernels in holds one; see x86.hpp.
struct door {
    ~door() {}  // else it would be an unused variable
};

/// Ends a sequence of store_past_caches(): what was written is seen before anything that is written later.
EIGEN_ALWAYS_INLINE void end_streaming() noexcept {
#if defined(__SSE2__) && !defined(EIGEN_DONT_VECTORIZE)
    _mm_sfence();
#endif
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
