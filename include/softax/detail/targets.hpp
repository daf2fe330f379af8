// targets: includes SOFTAX_TARGET_FILE, a list of kernel files, once for each instruction set, each time in a namespace of its
// own: first for that of the compiler flags, then in regions that the compiler is told to compile for AVX2, unless the flags are
// for that already, and AVX-512.
//
// What a region defines is in an unnamed namespace too, so that no other unit, whatever its flags, shares a definition.
// No #pragma once: kernels.hpp says which files, and another header with kernels of its own may say others.

#ifdef SOFTAX_TARGET_FILE
// clang-format off
#define SOFTAX_KERNELS_BEGIN namespace softax::detail { inline namespace SOFTAX_ISA {
#define SOFTAX_KERNELS_END } }
#include SOFTAX_TARGET_FILE
#undef SOFTAX_KERNELS_BEGIN
#undef SOFTAX_KERNELS_END

#ifdef SOFTAX_HAS_REGIONS
#define SOFTAX_KERNELS_END } } }

#if defined(__AVX2__) && defined(__FMA__)
namespace softax::detail { namespace { namespace avx2 = isa_avx2; } }
#else
#define SOFTAX_KERNELS_BEGIN namespace softax::detail { namespace { namespace avx2 {
#define SOFTAX_PACKET_BYTES 32
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
#include SOFTAX_TARGET_FILE
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef SOFTAX_PACKET_BYTES
#undef SOFTAX_KERNELS_BEGIN
#endif

#define SOFTAX_KERNELS_BEGIN namespace softax::detail { namespace { namespace avx512 {
#define SOFTAX_PACKET_BYTES 64
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,f16c")
#endif
#include SOFTAX_TARGET_FILE
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef SOFTAX_PACKET_BYTES
#undef SOFTAX_KERNELS_BEGIN

#undef SOFTAX_KERNELS_END
#endif
// clang-format on
#endif
