// isa: the instruction set of the compiler flags, by name.
//
// Everything that touches packets lives in a namespace of that name, so that units compiled with different flags do not share
// a definition.
#pragma once

#include <Eigen/Core>

#include "error.hpp"

#if !EIGEN_VERSION_AT_LEAST(3, 4, 0)
#error "softax needs Eigen 3.4.0 or later"
#endif

#if defined(EIGEN_DONT_VECTORIZE)
#define SOFTAX_ISA isa_scalar
#elif defined(__AVX512F__) && defined(__AVX512DQ__)
#define SOFTAX_ISA isa_avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define SOFTAX_ISA isa_avx2
#elif defined(__AVX__)
#define SOFTAX_ISA isa_avx
#else
#define SOFTAX_ISA isa_base
#endif

// Before a loop over the lanes of packets in registers, which -O2 leaves a loop, with the packets in memory.
#if defined(__GNUC__)
#define SOFTAX_UNROLLED _Pragma("GCC unroll 16")
#else
#define SOFTAX_UNROLLED
#endif

// Before a loop of fixed length that becomes vectors, unless -O3 unrolls it first: rows of 64 take 1.5 times as long then.
#if defined(__GNUC__)
#define SOFTAX_VECTORIZED _Pragma("GCC unroll 1")
#else
#define SOFTAX_VECTORIZED
#endif

// Before a loop of at most 8 steps, which GCC writes out at -O3 but not at -O2: panels of 64 rows take 1.3 times as long then.
#if defined(__GNUC__) && !defined(__clang__)
#define SOFTAX_WRITTEN_OUT _Pragma("GCC unroll 8")
#else
#define SOFTAX_WRITTEN_OUT
#endif
