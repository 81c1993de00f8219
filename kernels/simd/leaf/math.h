// exp, log, tanh and their kin on one register, for every float: infinities, zeros, subnormals; NaN gives
// NaN.
//
// Greatest error found over every 23rd float, in units in the last place (see tests/simd_math_test.cpp):
//                    exp   log   tanh  sigmoid  softplus
//   AVX2, AVX-512    1.01  0.79  2.42  2.30     2.69
//   baseline         0.98  0.80  2.42  2.30     2.69
// Polynomials: Cephes (S. Moshier), single precision, unless noted.
#pragma once

#include "kernels/common/vec.h"

namespace forger::simd::FORGER_ISA {
namespace {

/// Evaluates a polynomial, highest coefficient first.
template <class... Rest>
FORGER_INLINE VF horner(VF x, float highest, Rest... rest) {
  VF y = splat(highest);
  ((y = fma(y, x, splat(rest))), ...);
  return y;
}

FORGER_INLINE VF abs(VF x) {
  return as_float(as_int(x) & 0x7FFFFFFF);
}
FORGER_INLINE VF copy_sign(VF magnitude, VF sign) {
  return as_float((as_int(magnitude) & 0x7FFFFFFF) | (as_int(sign) & INT32_MIN));
}
/// max(x, 0); `x <= 0` is false for NaN, which passes through.
FORGER_INLINE VF relu(VF x) {
  return x <= 0.f ? VF{} : x;
}

// Adding 1.5 * 2^23 leaves no bits for a fraction: the sum is rounded to an integer, which sits in its low
// bits.
constexpr float kRounder = 0x1.8p23f;

constexpr float kLog2e = 1.44269504f;
// ln 2 in two parts: n * kLn2High is exact for |n| < 2^15.
constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;

/// exp(x) = 2^n * (1 + e) with e in [-0.30, 0.42]: keeping the 1 apart saves the digits that tanh needs.
struct ExpParts {
  VF n;  // a whole number
  VI n_int;
  VF e;
};

/// For |x| < 2^20.
FORGER_INLINE ExpParts exp_parts(VF x) {
  const VF shifted = fma(x, splat(kLog2e), splat(kRounder));
  const VF n = shifted - kRounder;
  VF r = fma(n, splat(-kLn2High), x);
  r = fma(n, splat(-kLn2Low), r);  // |r| <= ln(2) / 2
  const VF q =
      horner(r, 1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f);
  return {n, as_int(shifted) - as_int(splat(kRounder)), fma(q, r * r, r)};
}

/// 2^n for n in [-126, 127].
FORGER_INLINE VF power_of_two(VI n) {
  return as_float((n + 127) << 23);
}

FORGER_INLINE VF exp(VF x) {
  // Beyond these the result is 0 or infinity. Comparisons with NaN are false and leave it.
  x = x > 89.f ? splat(89.f) : x;
  x = x < -104.f ? splat(-104.f) : x;
  const ExpParts p = exp_parts(x);
  // n reaches from -150 to 128: two factors, of which only the last can overflow or round to a subnormal.
  const VI half = p.n_int >> 1;
  return (1.f + p.e) * power_of_two(half) * power_of_two(p.n_int - half);
}

/// log(x): -infinity for 0, NaN for x < 0.
FORGER_INLINE VF log(VF x) {
  const VI subnormal = x < 0x1p-126f;  // also zero and negative numbers, which are mended at the end
  const VF scaled = subnormal ? x * 0x1p23f : x;
  // scaled = 2^n * (1 + f), with 1 + f in [sqrt(1/2), sqrt(2)).
  const VI sqrt_half = as_int(splat(0.707106769f));
  const VI bits = (VI)((VU)scaled - (VU)sqrt_half);  // negative numbers wrap around
  const VF n = to_float((bits >> 23) - (subnormal & 23));
  const VF f = as_float((bits & 0x007FFFFF) + sqrt_half) - 1.f;
  const VF z = f * f;
  VF y = horner(f, 7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f);
  y = y * f * z;
  y = fma(n, splat(kLn2Low), y);
  y = fma(z, splat(-0.5f), y);
  VF result = fma(n, splat(kLn2High), f + y);
  const float infinity = __builtin_inff();
  result = x == 0.f ? splat(-infinity) : result;
  result = x < infinity ? result : x;  // infinity and NaN
  return x < 0.f ? splat(__builtin_nanf("")) : result;
}

/// log(1 + u) for u in [0, 1], exact to the last digits for small u too: 2 atanh(s) with s = u / (2 + u) <=
/// 1/3. The polynomial is atanh(s)/s = 1 + s^2/3 + ... in s^2, economised on [0, 1/9].
FORGER_INLINE VF log1p_unit(VF u) {
  const VF s = u / (2.f + u);
  const VF z = s * s;
  const VF q = horner(z, 0.104006838f, 0.0873044642f, 0.111325402f, 0.142851456f, 0.200000055f, 0.333333333f);
  const VF twice = s + s;
  return fma(twice * z, q, twice);
}

/// t / (t + 2) with t = exp(2|x|) - 1; 1 from |x| = 10 on.
FORGER_INLINE VF tanh(VF x) {
  VF magnitude = abs(x);
  magnitude = magnitude > 10.f ? splat(10.f) : magnitude;
  const ExpParts p = exp_parts(magnitude + magnitude);
  const VF two_n = power_of_two(p.n_int);
  const VF t = fma(p.e, two_n, two_n - 1.f);
  return copy_sign(t / (t + 2.f), x);
}

/// 1 / (1 + exp(-x)), by exp(-|x|), which cannot overflow.
FORGER_INLINE VF sigmoid(VF x) {
  const VF e = exp(-abs(x));
  return (x < 0.f ? e : splat(1.f)) / (1.f + e);
}

/// log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)).
FORGER_INLINE VF softplus(VF x) {
  return relu(x) + log1p_unit(exp(-abs(x)));
}

struct SinCos {
  VF sin, cos;
};

/// sin and cos of 2 pi u for u in [0, 1]. Turns are reduced exactly: to within 1/8 of the nearest quarter
/// turn.
FORGER_INLINE SinCos sin_cos_turns(VF u) {
  const VF shifted = 4.f * u + kRounder;
  const VI quarter = as_int(shifted) - as_int(splat(kRounder));
  const VF r = (4.f * u - (shifted - kRounder)) * 1.57079632679f;  // |r| <= pi / 4
  const VF z = r * r;
  const VF s = fma(r * z, horner(z, -1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f), r);
  const VF c = fma(z * z, horner(z, 2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f),
                   fma(z, splat(-0.5f), splat(1.f)));
  const VI odd = (quarter & 1) != 0;
  const VF sin = odd ? c : s;
  const VF cos = odd ? s : c;
  // Bit 1 of the quarter is sin's sign, bit 1 of the next quarter is cos's; shifted by 30 it is a float's
  // sign bit.
  return {as_float(as_int(sin) ^ ((quarter & 2) << 30)), as_float(as_int(cos) ^ (((quarter + 1) & 2) << 30))};
}

}  // namespace
}  // namespace forger::simd::FORGER_ISA
