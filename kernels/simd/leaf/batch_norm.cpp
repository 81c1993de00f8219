// The inner loops of batch norm over rows of channels. Per-channel numbers are padded arrays, read from
// cache.
#include "kernels/simd/leaf/columns.h"
#include "kernels/simd/leaf/parts.h"

namespace forger::simd::FORGER_ISA {
namespace {

/// Merges the moments of two sets of rows (Chan, Golub, LeVeque 1979, equation 2.1).
void merge_moments(int64_t cols, double n_a, double* mean_a, double* m2_a, double n_b, const double* mean_b, const double* m2_b) {
  const double n = n_a + n_b;
  const double weight = n_b / n, cross = n_a * n_b / n;
  for (int64_t c = 0; c < cols; c += kLanes / 2) {
    const VD mean = load_double(mean_a + c);
    const VD delta = load_double(mean_b + c) - mean;
    store_double(mean_a + c, mean + delta * weight);
    store_double(m2_a + c, load_double(m2_a + c) + load_double(m2_b + c) + delta * delta * cross);
  }
}

void set_zero(double* x, int64_t n) {
  std::memset(x, 0, static_cast<size_t>(n) * sizeof(double));
}

/// Block by block, so that the second pass finds it in cache: first the mean, roughly; then the sums of the
/// deviations from it and of their squares, which correct it and each other (Chan, Golub, LeVeque 1983,
/// "corrected two-pass"). Each block is merged into the moments so far.
void moments(const float* x, int64_t rows, int64_t cols, int64_t block_rows, const MomentColumns& to) {
  set_zero(to.mean, cols);
  set_zero(to.m2, cols);
  for (int64_t begin = 0; begin < rows; begin += block_rows) {
    const int64_t block = block_rows < rows - begin ? block_rows : rows - begin;
    const double n = static_cast<double>(block);
    const float* const data = x + begin * cols;
    const float* const shift = to.shift;

    set_zero(to.sum, cols);
    add_column_sums(block, cols, to.sum, [data](int64_t i, int64_t, int64_t count) { return load(data + i, count); });
    for (int64_t c = 0; c < cols; ++c) to.shift[c] = static_cast<float>(to.sum[c] / n);

    set_zero(to.sum, cols);
    set_zero(to.squares, cols);
    add_column_sums(block, cols, to.sum,
                    [data, shift](int64_t i, int64_t c, int64_t count) { return load(data + i, count) - load(shift + c); });
    add_column_sums(block, cols, to.squares, [data, shift](int64_t i, int64_t c, int64_t count) {
      const VF d = load(data + i, count) - load(shift + c);
      return d * d;
    });
    for (int64_t c = 0; c < cols; ++c) {
      const double offset = to.sum[c] / n;
      to.squares[c] -= n * offset * offset;
      to.sum[c] = static_cast<double>(to.shift[c]) + offset;
    }
    merge_moments(cols, static_cast<double>(begin), to.mean, to.m2, n, to.sum, to.squares);
  }
}

void normalize(const float* x, float* y, int64_t rows, int64_t cols, const NormalizeColumns& by) {
  const float *mean = by.mean, *scale = by.scale, *beta = by.beta;
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    for_lanes(
        cols, [&](int64_t c, int64_t count) __attribute__((always_inline)) {
          const VF centred = load(x + c, count) - load(mean + c);
          store(y + c, fma(centred, load(scale + c), load(beta + c)), count);
        });
  }
}

void add_norm_grad_sums(const float* x, const float* dy, int64_t rows, int64_t cols, const float* mean, double* sum_dy,
                        double* sum_dy_x) {
  add_column_sums(rows, cols, sum_dy, [dy](int64_t i, int64_t, int64_t count) { return load(dy + i, count); });
  add_column_sums(rows, cols, sum_dy_x, [x, dy, mean](int64_t i, int64_t c, int64_t count) {
    return load(dy + i, count) * (load(x + i, count) - load(mean + c));
  });
}

void norm_grad(const float* x, const float* dy, float* dx, int64_t rows, int64_t cols, const NormGradColumns& by) {
  const auto [mean, scale, slope, offset] = by;
  for (int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    for (int64_t c = 0; c < cols; c += kLanes) {
      const int64_t count = cols - c;
      const VF centred = load(x + c, count) - load(mean + c);
      const VF d = fma(load(dy + c, count), load(scale + c), load(offset + c));
      store(dx + c, fma(centred, load(slope + c), d), count);
    }
  }
}

}  // namespace

void add_batch_norm(Leaf& leaf) {
  leaf.moments = moments;
  leaf.merge_moments = merge_moments;
  leaf.normalize = normalize;
  leaf.add_norm_grad_sums = add_norm_grad_sums;
  leaf.norm_grad = norm_grad;
}

}  // namespace forger::simd::FORGER_ISA
