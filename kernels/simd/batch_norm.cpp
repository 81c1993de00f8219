#include "kernels/simd/batch_norm.h"

#include <cmath>
#include <vector>

#include "kernels/common/errors.h"
#include "kernels/simd/leaf/leaf.h"
#include "kernels/simd/threads.h"
#include "kernels/simd/wide_rows.h"

namespace forger::simd {

namespace {

void check_size(int64_t M, int64_t C) {
  if (M < 1 || C < 1) fail<ShapeError>("batch norm: [{}, {}] has no elements", M, C);
}

struct Moments {
  double count = 0, mean = 0, m2 = 0;  // m2: sum of squared deviations

  void merge(const Moments& b) {
    const double n = count + b.count, delta = b.mean - mean;
    mean += delta * (b.count / n);
    m2 += b.m2 + delta * delta * (count * b.count / n);
    count = n;
  }
};

/// The moments of each channel of x [M, C]: per chunk on all threads, then merged in order.
std::vector<Moments> channel_moments(const float* x, const WideRows& wide, const Leaf& kernels) {
  const int64_t stride = padded(wide.width);
  // A block stays in second-level cache between the pass for its mean and the one for its deviations.
  const int64_t block = std::max<int64_t>(kChunkElements / wide.width / 8 * 8, 8);
  const Split chunks = split(wide.rows, wide.width, kMaxPartials, block);
  std::vector<double> doubles(static_cast<size_t>(chunks.pieces * stride * 4));
  std::vector<float> shifts(static_cast<size_t>(chunks.pieces * stride));
  const auto columns = [&](int64_t i) {
    double* const d = &doubles[i * stride * 4];
    return MomentColumns{d, d + stride, d + 2 * stride, d + 3 * stride, &shifts[i * stride]};
  };
  parallel_for(chunks.pieces, [&](int64_t i) {
    const int64_t begin = chunks.begin(i);
    kernels.moments(x + begin * wide.width, chunks.end(i) - begin, wide.width, block, columns(i));
  });
  const MomentColumns all = columns(0);
  for (int64_t i = 1; i < chunks.pieces; ++i) {
    const MomentColumns more = columns(i);
    kernels.merge_moments(wide.width, static_cast<double>(chunks.begin(i)), all.mean, all.m2,
                          static_cast<double>(chunks.end(i) - chunks.begin(i)), more.mean, more.m2);
  }

  std::vector<Moments> channels(static_cast<size_t>(wide.cols));
  for (int64_t k = 0; k < wide.width; ++k) {
    channels[k % wide.cols].merge({static_cast<double>(wide.rows), all.mean[k], all.m2[k]});
  }
  const float* const rest = wide.leftover_of(x);
  for (int64_t k = 0; k < wide.leftover_width(); ++k) channels[k % wide.cols].merge({1, rest[k], 0});
  return channels;
}

void normalize(const float* x, float* y, const WideRows& wide, const std::vector<float>& mean, const std::vector<float>& scale,
               const std::vector<float>& beta, const Leaf& kernels) {
  const auto mean_w = tile(mean, wide), scale_w = tile(scale, wide), beta_w = tile(beta, wide);
  const NormalizeColumns by = {mean_w.data(), scale_w.data(), beta_w.data()};
  const Split chunks = split(wide.rows, wide.width);
  parallel_for(chunks.pieces, [&](int64_t i) {
    const int64_t at = chunks.begin(i) * wide.width;
    kernels.normalize(x + at, y + at, chunks.end(i) - chunks.begin(i), wide.width, by);
  });
  if (wide.leftover > 0) kernels.normalize(wide.leftover_of(x), wide.leftover_of(y), 1, wide.leftover_width(), by);
}

}  // namespace

namespace {

/// Writes the statistics and returns what y's deviations from the mean are scaled by.
std::vector<float> write_statistics(const BatchNormTraining& p, const std::vector<Moments>& channels) {
  std::vector<float> scale(p.C);
  const double count = static_cast<double>(p.M), momentum = p.momentum;
  for (int64_t c = 0; c < p.C; ++c) {
    const double m2 = channels[c].m2 < 0 ? 0 : channels[c].m2;  // not max: NaN stays
    const double var = m2 / count;
    const double unbiased = p.M > 1 ? m2 / (count - 1) : var;
    const double inv_std = 1 / std::sqrt(var + p.eps);
    if (p.gamma) scale[c] = static_cast<float>(p.gamma[c] * inv_std);
    p.mean[c] = static_cast<float>(channels[c].mean);
    p.inv_std[c] = static_cast<float>(inv_std);
    p.new_running_mean[c] = static_cast<float>(momentum * p.running_mean[c] + (1 - momentum) * channels[c].mean);
    p.new_running_var[c] = static_cast<float>(momentum * p.running_var[c] + (1 - momentum) * unbiased);
  }
  return scale;
}

}  // namespace

void batch_norm_training(const BatchNormTraining& p, Isa isa) {
  check_size(p.M, p.C);
  const Leaf& kernels = leaf(isa);
  const WideRows wide = widen(p.M, p.C);
  const std::vector<float> scale = write_statistics(p, channel_moments(p.x, wide, kernels));
  normalize(p.x, p.y, wide, {p.mean, p.mean + p.C}, scale, {p.beta, p.beta + p.C}, kernels);
}

void batch_norm_statistics(const BatchNormTraining& p, Isa isa) {
  check_size(p.M, p.C);
  write_statistics(p, channel_moments(p.x, widen(p.M, p.C), leaf(isa)));
}

void batch_norm_apply(const BatchNormApply& p, Isa isa) {
  check_size(p.M, p.C);
  std::vector<float> scale(p.C);
  for (int64_t c = 0; c < p.C; ++c) scale[c] = p.gamma[c] * p.inv_std[c];
  normalize(p.x, p.y, widen(p.M, p.C), {p.mean, p.mean + p.C}, scale, {p.beta, p.beta + p.C}, leaf(isa));
}

void batch_norm_inference(const BatchNormInference& p, Isa isa) {
  check_size(p.M, p.C);
  std::vector<float> scale(p.C);
  for (int64_t c = 0; c < p.C; ++c) {
    scale[c] = static_cast<float>(p.gamma[c] / std::sqrt(static_cast<double>(p.var[c]) + p.eps));
  }
  normalize(p.x, p.y, widen(p.M, p.C), {p.mean, p.mean + p.C}, scale, {p.beta, p.beta + p.C}, leaf(isa));
}

void batch_norm_backward(const BatchNormBackward& p, Isa isa) {
  check_size(p.M, p.C);
  const Leaf& kernels = leaf(isa);
  const WideRows wide = widen(p.M, p.C);
  const int64_t stride = padded(wide.width);
  const auto mean = tile({p.mean, p.mean + p.C}, wide);

  const Split parts = split(wide.rows, wide.width, kMaxPartials, 8);
  std::vector<double> partial(static_cast<size_t>(parts.pieces * 2 * stride));  // [pieces, dy | dy * (x - mean)]
  // In blocks that stay in cache: dy is read once for each of the two sums.
  const int64_t block = std::max<int64_t>(kChunkElements / wide.width / 8 * 8, 8);
  parallel_for(parts.pieces, [&](int64_t i) {
    double* const sums = &partial[i * 2 * stride];
    for (int64_t r = parts.begin(i); r < parts.end(i); r += block) {
      const int64_t at = r * wide.width;
      kernels.add_norm_grad_sums(p.x + at, p.dy + at, std::min(block, parts.end(i) - r), wide.width, mean.data(), sums,
                                 sums + stride);
    }
  });
  if (wide.leftover > 0) {
    kernels.add_norm_grad_sums(wide.leftover_of(p.x), wide.leftover_of(p.dy), 1, wide.leftover_width(), mean.data(), &partial[0],
                               &partial[stride]);
  }

  std::vector<float> scale(p.C), slope(p.C), offset(p.C);
  const double count = static_cast<double>(p.M);
  for (int64_t c = 0; c < p.C; ++c) {
    double sum_dy = 0, sum_dy_x = 0;
    for (int64_t i = 0; i < parts.pieces; ++i) {
      for (int64_t k = c; k < wide.width; k += p.C) {
        sum_dy += partial[i * 2 * stride + k];
        sum_dy_x += partial[i * 2 * stride + stride + k];
      }
    }
    const double inv_std = p.inv_std[c], dgamma = sum_dy_x * inv_std, a = p.gamma[c] * inv_std;
    p.dbeta[c] = static_cast<float>(sum_dy);
    p.dgamma[c] = static_cast<float>(dgamma);
    scale[c] = static_cast<float>(a);
    slope[c] = static_cast<float>(-a * inv_std * dgamma / count);
    offset[c] = static_cast<float>(-a * sum_dy / count);
  }
  const auto scale_w = tile(scale, wide), slope_w = tile(slope, wide), offset_w = tile(offset, wide);
  const NormGradColumns by = {mean.data(), scale_w.data(), slope_w.data(), offset_w.data()};
  const Split chunks = split(wide.rows, wide.width);
  parallel_for(chunks.pieces, [&](int64_t i) {
    const int64_t at = chunks.begin(i) * wide.width;
    kernels.norm_grad(p.x + at, p.dy + at, p.dx + at, chunks.end(i) - chunks.begin(i), wide.width, by);
  });
  if (wide.leftover > 0) {
    kernels.norm_grad(wide.leftover_of(p.x), wide.leftover_of(p.dy), wide.leftover_of(p.dx), 1, wide.leftover_width(), by);
  }
}

}  // namespace forger::simd
