// One SIMD register of the instruction set that this file is compiled for: 4, 8 or 16 floats.
//
// Arithmetic, comparisons and ?: are those of GCC's and clang's vector extensions; the few things that these lack are
// written with intrinsics below.
//
// For sources that forger_isa_sources() (cmake/isa.cmake) compiles once per instruction set. Such a file keeps
// everything but its entry point, which is in a namespace called FORGER_ISA, in an anonymous namespace, and uses no
// inline function of a shared header (a member function or std:: template too): each of the three compilations would
// emit it under one name, the linker would keep any one of them, and it might be one that this CPU cannot run.
#pragma once

#ifndef FORGER_ISA
#error "vec.h is for sources that forger_isa_sources() compiles"
#endif

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace forger {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float VF __attribute__((vector_size(4 * kLanes)));    // kLanes floats
typedef int32_t VI __attribute__((vector_size(4 * kLanes)));  // also the result of comparing two VF
typedef uint32_t VU __attribute__((vector_size(4 * kLanes)));
typedef uint64_t VU64 __attribute__((vector_size(4 * kLanes)));  // kLanes / 2
typedef double VD __attribute__((vector_size(4 * kLanes)));      // kLanes / 2

#define FORGER_INLINE inline __attribute__((always_inline))

// x - 0 rather than 0 + x: it keeps the sign of a negative zero.
FORGER_INLINE VF splat(float x) {
  return x - VF{};
}
FORGER_INLINE VF as_float(VI x) {
  return (VF)x;
}
FORGER_INLINE VI as_int(VF x) {
  return (VI)x;
}
FORGER_INLINE VF to_float(VI x) {
  return __builtin_convertvector(x, VF);
}

FORGER_INLINE VF load(const float* p) {
  VF v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
FORGER_INLINE void store(float* p, VF v) {
  std::memcpy(p, &v, sizeof v);
}

FORGER_INLINE VD load_double(const double* p) {
  VD v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
FORGER_INLINE void store_double(double* p, VD v) {
  std::memcpy(p, &v, sizeof v);
}

// What differs between the instruction sets:
//   fma           a * b + c, rounded once where the CPU can, twice on the baseline
//   sqrt          correctly rounded
//   low, high     the first and second half of the lanes, as doubles
//   mul_even      64-bit products of lanes 0, 2, 4, ...
//   unpack        as the instructions of that name: within each 128-bit part
//   load_partial, store_partial    0 < count < kLanes lanes; lanes that are not loaded are zero
//   load_bytes    kLanes bytes as floats
#if defined(__AVX512F__)

FORGER_INLINE VF fma(VF a, VF b, VF c) {
  return _mm512_fmadd_ps(a, b, c);
}
FORGER_INLINE VF sqrt(VF a) {
  return _mm512_sqrt_ps(a);
}
FORGER_INLINE VD low(VF a) {
  return _mm512_cvtps_pd(_mm512_castps512_ps256(a));
}
FORGER_INLINE VD high(VF a) {
  return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1));
}
FORGER_INLINE VU64 mul_even(VU a, VU b) {
  return (VU64)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}
FORGER_INLINE VF unpack_low(VF a, VF b) {
  return _mm512_unpacklo_ps(a, b);
}
FORGER_INLINE VF unpack_high(VF a, VF b) {
  return _mm512_unpackhi_ps(a, b);
}
FORGER_INLINE VF unpack_low_pairs(VF a, VF b) {
  return (VF)_mm512_unpacklo_pd((__m512d)a, (__m512d)b);
}
FORGER_INLINE VF unpack_high_pairs(VF a, VF b) {
  return (VF)_mm512_unpackhi_pd((__m512d)a, (__m512d)b);
}
FORGER_INLINE VF load_partial(const float* p, int64_t count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
}
FORGER_INLINE void store_partial(float* p, VF v, int64_t count) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), v);
}
FORGER_INLINE VF load_bytes(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

#elif defined(__AVX2__)

FORGER_INLINE VF fma(VF a, VF b, VF c) {
  return _mm256_fmadd_ps(a, b, c);
}
FORGER_INLINE VF sqrt(VF a) {
  return _mm256_sqrt_ps(a);
}
FORGER_INLINE VD low(VF a) {
  return _mm256_cvtps_pd(_mm256_castps256_ps128(a));
}
FORGER_INLINE VD high(VF a) {
  return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1));
}
FORGER_INLINE VU64 mul_even(VU a, VU b) {
  return (VU64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}
FORGER_INLINE VF unpack_low(VF a, VF b) {
  return _mm256_unpacklo_ps(a, b);
}
FORGER_INLINE VF unpack_high(VF a, VF b) {
  return _mm256_unpackhi_ps(a, b);
}
FORGER_INLINE VF unpack_low_pairs(VF a, VF b) {
  return (VF)_mm256_unpacklo_pd((__m256d)a, (__m256d)b);
}
FORGER_INLINE VF unpack_high_pairs(VF a, VF b) {
  return (VF)_mm256_unpackhi_pd((__m256d)a, (__m256d)b);
}
FORGER_INLINE __m256i first_lanes(int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
FORGER_INLINE VF load_partial(const float* p, int64_t count) {
  return _mm256_maskload_ps(p, first_lanes(count));
}
FORGER_INLINE void store_partial(float* p, VF v, int64_t count) {
  _mm256_maskstore_ps(p, first_lanes(count), v);
}
FORGER_INLINE VF load_bytes(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}

#else

FORGER_INLINE VF fma(VF a, VF b, VF c) {
  return a * b + c;
}
FORGER_INLINE VF sqrt(VF a) {
  return _mm_sqrt_ps(a);
}
FORGER_INLINE VD low(VF a) {
  return _mm_cvtps_pd(a);
}
FORGER_INLINE VD high(VF a) {
  return _mm_cvtps_pd(_mm_movehl_ps(a, a));
}
FORGER_INLINE VU64 mul_even(VU a, VU b) {
  return (VU64)_mm_mul_epu32((__m128i)a, (__m128i)b);
}
FORGER_INLINE VF unpack_low(VF a, VF b) {
  return _mm_unpacklo_ps(a, b);
}
FORGER_INLINE VF unpack_high(VF a, VF b) {
  return _mm_unpackhi_ps(a, b);
}
FORGER_INLINE VF unpack_low_pairs(VF a, VF b) {
  return _mm_movelh_ps(a, b);
}
FORGER_INLINE VF unpack_high_pairs(VF a, VF b) {
  return _mm_movehl_ps(b, a);
}
FORGER_INLINE VF load_partial(const float* p, int64_t count) {
  return VF{p[0], count > 1 ? p[1] : 0.f, count > 2 ? p[2] : 0.f, 0.f};
}
FORGER_INLINE void store_partial(float* p, VF v, int64_t count) {
  p[0] = v[0];
  if (count > 1) p[1] = v[1];
  if (count > 2) p[2] = v[2];
}
FORGER_INLINE VF load_bytes(const uint8_t* p) {
  return VF{float(p[0]), float(p[1]), float(p[2]), float(p[3])};
}

#endif

/// The first `count` lanes; a constant count of kLanes costs nothing.
FORGER_INLINE VF load(const float* p, int64_t count) {
  return count >= kLanes ? load(p) : load_partial(p, count);
}
FORGER_INLINE void store(float* p, VF v, int64_t count) {
  if (count >= kLanes) {
    store(p, v);
  } else {
    store_partial(p, v, count);
  }
}

/// acc[lane] += v[lane], in double.
FORGER_INLINE void add_to(double* acc, VF v) {
  store_double(acc, load_double(acc) + low(v));
  store_double(acc + kLanes / 2, load_double(acc + kLanes / 2) + high(v));
}

FORGER_INLINE double sum_lanes(VD v) {
  double sum = 0;
  for (int i = 0; i < kLanes / 2; ++i) sum += v[i];
  return sum;
}
/// Pairwise in a fixed order.
FORGER_INLINE float sum_lanes(VF v) {
  typedef float Quarter __attribute__((vector_size(16), may_alias));
  const Quarter* const part = reinterpret_cast<const Quarter*>(&v);
  Quarter sum = part[0];
  for (int i = 1; i < kLanes / 4; ++i) sum += part[i];
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/// Calls body(i, count) for i = 0, kLanes, ... below n with the number of lanes there: kLanes, or less at the
/// end.
template <class Body>
FORGER_INLINE void for_lanes(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, int64_t{kLanes});
  if (i < n) body(i, n - i);
}

}  // namespace
}  // namespace forger
