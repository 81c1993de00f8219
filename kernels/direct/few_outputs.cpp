#include "kernels/direct/few_outputs.h"

#include <algorithm>
#include <cstring>

#include "kernels/common/errors.h"
#include "kernels/threads/pool.h"
#include "kernels/threads/split.h"

namespace forger::direct {
namespace {

constexpr int64_t kMaxOutputs = 4;  // beyond it a matrix product wins

FewOutputsKernels kernels_for(Isa isa) {
  return for_isa(isa, baseline::few_outputs_kernels, avx2::few_outputs_kernels, avx512::few_outputs_kernels)();
}

/// Rows and columns that the outputs read, counted from the first row of zeros.
int64_t padded_height(const Conv2dShape& s) {
  return (s.P - 1) * s.stride_h + s.R;
}
int64_t padded_width(const Conv2dShape& s) {
  return (s.Q - 1) * s.stride_w + s.S;
}

FewOutputs image(const Conv2dShape& s) {
  return {s.C, s.K, s.R, s.S, s.P, s.Q, s.stride_h, s.stride_w, padded_width(s), s.H, s.W};
}

/// The part of x that the outputs read, zeros around it; the borders of `padded` must be zero already.
void copy_inside(const Conv2dShape& s, const float* x, float* padded) {
  const int64_t width = padded_width(s), columns = std::min(s.W, width - s.pad_left);
  const int64_t rows = std::min(s.H, padded_height(s) - s.pad_top);
  for (int64_t h = 0; h < rows; ++h) {
    std::memcpy(padded + ((h + s.pad_top) * width + s.pad_left) * s.C, x + h * s.W * s.C, columns * s.C * sizeof(float));
  }
}

/// Zeroes each thread's `size` floats, on that thread as a rule: it uses them next.
void clear(float* all, int64_t size, int threads) {
  parallel_for(
      threads, [&](int64_t slot) { std::memset(all + slot * size, 0, static_cast<size_t>(size) * sizeof(float)); }, threads);
}

}  // namespace

std::optional<std::string> supports_forward(const Conv2dShape& s) {
  if (s.K > kMaxOutputs) return fmt::format("{} output channels; it is for at most {}", s.K, kMaxOutputs);
  if (s.C % 16 != 0) return fmt::format("{} input channels, not a multiple of 16", s.C);
  if (s.pad_top < 0 || s.pad_left < 0) return "negative padding";
  if (s.pad_top >= padded_height(s) || s.pad_left >= padded_width(s)) return "the outputs read padding only";
  return std::nullopt;
}

std::optional<std::string> supports_filter_grad(const Conv2dShape& s) {
  if (auto reason = supports_forward(s)) return reason;
  if (s.stride_h != 1 || s.stride_w != 1) return "stride above 1";
  if (s.S > kMaxFilterWidth) return fmt::format("filter wider than {}", kMaxFilterWidth);
  return std::nullopt;
}

Conv2d::Conv2d(const Conv2dShape& shape, bool bias, Isa isa)
    : shape_(shape), image_(image(shape)), kernels_(kernels_for(isa)), bias_(bias), threads_(num_threads()) {}

std::size_t Conv2d::workspace_bytes() const {
  return threads_ * padded_height(shape_) * padded_width(shape_) * shape_.C * sizeof(float);
}

void Conv2d::run(const float* x, const float* w, const float* bias, float* y, void* workspace) const {
  const Conv2dShape& s = shape_;
  const int64_t padded_size = padded_height(s) * padded_width(s) * s.C;
  float* const all_padded = static_cast<float*>(workspace);  // (slot, rows, columns, C)
  clear(all_padded, padded_size, threads_);
  parallel_for(
      s.N,
      [&](int64_t n, int slot) {
        float* const padded = all_padded + slot * padded_size;
        copy_inside(s, x + n * s.H * s.W * s.C, padded);
        kernels_.forward(image_, padded, w, bias_ ? bias : nullptr, y + n * s.P * s.Q * s.K);
      },
      threads_);
}

Conv2dFilterGrad::Conv2dFilterGrad(const Conv2dShape& shape, Isa isa)
    : shape_(shape), image_(image(shape)), kernels_(kernels_for(isa)), threads_(num_threads()) {}

std::size_t Conv2dFilterGrad::workspace_bytes() const {
  const Conv2dShape& s = shape_;
  return (s.N * s.filter_size() + threads_ * s.K * (s.H + s.R - 1) * (s.W + s.S - 1)) * sizeof(float);
}

void Conv2dFilterGrad::run(const float* x, const float* dy, float* dw, void* workspace) const {
  const Conv2dShape& s = shape_;
  const int64_t rows = s.H + s.R - 1, columns = s.W + s.S - 1, planes = s.K * rows * columns;
  float* const partial = static_cast<float*>(workspace);      // (N, K, R, S, C)
  float* const all_padded = partial + s.N * s.filter_size();  // (slot, K, rows, columns)
  clear(all_padded, planes, threads_);
  parallel_for(
      s.N,
      [&](int64_t n, int slot) {
        float* const padded = all_padded + slot * planes;
        const int64_t before_h = s.R - 1 - s.pad_top, before_w = s.S - 1 - s.pad_left;
        for (int64_t p = 0; p < s.P; ++p) {
          const int64_t row = p + before_h;
          if (row < 0 || row >= rows) continue;  // this output row reads padding only
          for (int64_t q = 0; q < s.Q; ++q) {
            const int64_t column = q + before_w;
            if (column < 0 || column >= columns) continue;
            for (int64_t k = 0; k < s.K; ++k) {
              padded[(k * rows + row) * columns + column] = dy[((n * s.P + p) * s.Q + q) * s.K + k];
            }
          }
        }
        kernels_.filter_grad(image_, x + n * s.H * s.W * s.C, padded, partial + n * s.filter_size());
      },
      threads_);
  // Images are summed in order, whoever computed them.
  const Split parts(s.filter_size(), 1024);
  parallel_for(parts.pieces, [&](int64_t part) {
    for (int64_t i = parts.begin(part); i < parts.end(part); ++i) {
      float sum = 0;
      for (int64_t n = 0; n < s.N; ++n) sum += partial[n * s.filter_size() + i];
      dw[i] = sum;
    }
  });
}

}  // namespace forger::direct
