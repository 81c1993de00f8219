// How elementwise kernels read an operand that may be smaller than their output: element i is data[i % period].
#pragma once

#include "kernels/common/elementwise.h"
#include "kernels/cuda/divisor.h"
#include "kernels/cuda/quads.h"

namespace forger::FORGER_DEVICE {

struct Operand {
  enum class Kind : uint8_t {
    full,    // of the output's size
    scalar,  // period 1
    quads,   // the period is a multiple of 4: quads repeat as wholes, `by` is their number
    other,   // `by` is the period
  };
  const float* data = nullptr;
  int64_t period = 1;
  Divisor by;
  Kind kind = Kind::scalar;

  Operand() = default;
  /// For an output of n elements.
  Operand(const ElementwiseInput<float>& input, int64_t n) : data(input.data), period(input.period) {
    kind = period == n ? Kind::full : period == 1 ? Kind::scalar : period % 4 == 0 ? Kind::quads : Kind::other;
    by = Divisor(kind == Kind::quads ? period / 4 : period);
  }

  /// What output elements 4 * quad .. 4 * quad + 3 of n read. At most one division, whatever the period.
  __device__ __forceinline__ float4 load(int64_t quad, int64_t n) const {
    if (kind == Kind::full) return load_quad(data, quad, n);
    if (kind == Kind::scalar) {
      const float v = *data;
      return make_float4(v, v, v, v);
    }
    const int64_t place = by.remainder(quad);
    if (kind == Kind::quads) return reinterpret_cast<const float4*>(data)[place];
    int64_t i = 4 * place;  // congruent to 4 * quad, below 4 periods
    if (i >= 2 * period) i -= 2 * period;
    if (i >= period) i -= period;
    return load_around(i);
  }

  /// What output elements first .. first + 3 of n read, at any `first` inside; anything for those beyond the end.
  __device__ __forceinline__ float4 load_at(int64_t first, int64_t n) const {
    if (first % 4 == 0) return load(first / 4, n);
    if (kind == Kind::full) return load_around(first);
    if (kind == Kind::scalar) return load(0, n);
    return load_around(kind == Kind::quads ? 4 * by.remainder(first / 4) + first % 4 : by.remainder(first));
  }

 private:
  /// data[i] and the three after it, which begin again at the period's end.
  __device__ __forceinline__ float4 load_around(int64_t i) const {
    float4 v;
    v.x = data[i];
    if (++i == period) i = 0;
    v.y = data[i];
    if (++i == period) i = 0;
    v.z = data[i];
    if (++i == period) i = 0;
    v.w = data[i];
    return v;
  }
};

}  // namespace forger::FORGER_DEVICE
