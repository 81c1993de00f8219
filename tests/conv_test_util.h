// Plain loops for convolution, random fillings and the comparison, for the tests of the fast convolution kernels.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/common/conv2d_shape.h"

namespace forger::conv_test {

/// Calls f(input index, filter index, output index) for every product of the convolution.
template <class F>
void for_each_product(const Conv2dShape& s, F f) {
  for (int64_t n = 0; n < s.N; ++n)
    for (int64_t p = 0; p < s.P; ++p)
      for (int64_t q = 0; q < s.Q; ++q)
        for (int64_t k = 0; k < s.K; ++k)
          for (int64_t r = 0; r < s.R; ++r)
            for (int64_t t = 0; t < s.S; ++t) {
              const int64_t h = p * s.stride_h - s.pad_top + r, w = q * s.stride_w - s.pad_left + t;
              if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
              for (int64_t c = 0; c < s.C; ++c)
                f(((n * s.H + h) * s.W + w) * s.C + c, ((k * s.R + r) * s.S + t) * s.C + c, ((n * s.P + p) * s.Q + q) * s.K + k);
            }
}

/// Input, filter and output gradient of one convolution.
struct Operands {
  std::vector<float> x, w, dy, bias_k, bias_c;
};

inline Operands make_operands(const Conv2dShape& s, bool integers) {
  std::mt19937 random(7);
  const auto fill = [&](int64_t size, float range) {
    std::vector<float> v(size);
    for (float& e : v) {
      e = integers ? static_cast<float>(static_cast<int>(random() % 7) - 3)
                   : range * std::uniform_real_distribution<float>(-1, 1)(random);
    }
    return v;
  };
  return {fill(s.input_size(), 1), fill(s.filter_size(), 0.1f), fill(s.output_size(), 1), fill(s.K, 1), fill(s.C, 1)};
}

enum class Direction { forward, input_grad, filter_grad };

/// The result of plain loops in T, bias (empty: none) added last.
template <class T>
std::vector<T> plain(const Conv2dShape& s, const Operands& o, Direction direction, const std::vector<float>& bias) {
  const int64_t size = direction == Direction::forward      ? s.output_size()
                       : direction == Direction::input_grad ? s.input_size()
                                                            : s.filter_size();
  std::vector<T> result(size, T(0));
  for_each_product(s, [&](int64_t x, int64_t w, int64_t y) {
    switch (direction) {
      case Direction::forward:
        result[y] += T(o.x[x]) * T(o.w[w]);
        break;
      case Direction::input_grad:
        result[x] += T(o.dy[y]) * T(o.w[w]);
        break;
      case Direction::filter_grad:
        result[w] += T(o.x[x]) * T(o.dy[y]);
        break;
    }
  });
  if (!bias.empty()) {
    for (int64_t i = 0; i < size; ++i) result[i] += T(bias[i % bias.size()]);
  }
  return result;
}

inline double max_error(const std::vector<float>& got, const std::vector<double>& want, size_t* worst) {
  double error = 0;
  *worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double e = std::abs(got[i] - want[i]);
    if (!(e <= error)) error = e, *worst = i;  // a NaN counts as an error
    if (std::isnan(e)) return std::numeric_limits<double>::infinity();
  }
  return error;
}

inline std::string describe(const Conv2dShape& s) {
  return fmt::format("N{} {}x{}x{} -> {}x{}x{}, filter {}x{}, stride {}x{}, padding {}x{}", s.N, s.H, s.W, s.C, s.P, s.Q, s.K,
                     s.R, s.S, s.stride_h, s.stride_w, s.pad_top, s.pad_left);
}

/// `got` against float64, allowed `factor` times the error of plain float32 loops.
inline void check(const Conv2dShape& s, const Operands& o, Direction direction, const std::vector<float>& bias,
                  const std::vector<float>& got, double factor, double atol) {
  const auto want = plain<double>(s, o, direction, bias);
  const auto loops = plain<float>(s, o, direction, bias);
  size_t worst, ignored;
  const double error = max_error(got, want, &worst), allowed = factor * max_error(loops, want, &ignored) + atol;
  CAPTURE(describe(s));
  CAPTURE(static_cast<int>(direction));
  CAPTURE(worst);
  CHECK(error <= allowed);
}

inline std::vector<float> nans(int64_t size) {
  return std::vector<float>(size, std::numeric_limits<float>::quiet_NaN());
}

/// 'same' convolution of a square image.
inline Conv2dShape same(int64_t N, int64_t H, int64_t C, int64_t K, int64_t R, int64_t stride) {
  const int64_t P = same_output_size(H, stride), pad = same_padding_before(H, R, stride);
  return {N, H, H, C, K, R, R, P, P, stride, stride, pad, pad};
}

}  // namespace forger::conv_test
