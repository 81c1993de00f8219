#include "kernels/winograd/conv2d.h"

#include <algorithm>
#include <cstring>

#include "kernels/common/errors.h"
#include "kernels/threads/pool.h"
#include "kernels/threads/split.h"

namespace forger::winograd {
namespace {

constexpr int kMaxTile = 6, kMaxTaps = 4;
// Transformed tiles of one block, per thread: both operands of its products should stay in the second-level cache.
constexpr int64_t kBlockBytes = 384 << 10;
// The filter's gradient adds each block to a gradient as large as the transformed filter: longer blocks pay.
constexpr int64_t kGradBlockBytes = 3 << 20;
// The filter's gradient is the sum of shares of the batch. More shares hold up a loop less when a thread is suspended, and
// take more memory.
constexpr int64_t kMinShares = 4, kMaxShares = 8, kShareBytes = 10 << 20, kShareTiles = 2;
// Added to each frequency's distance: powers of two would put all frequencies of a tile into one cache set.
constexpr int64_t kSkew = 16;

const WinogradKernels& kernels_for(Isa isa) {
  return for_isa(isa, baseline::winograd_kernels, avx2::winograd_kernels, avx512::winograd_kernels)();
}

/// The outputs of all images in 3 x 3 tiles, numbered row by row.
struct TileGrid {
  int64_t images, rows, columns;
  TileGrid(int64_t n, int64_t height, int64_t width)
      : images(n), rows(ceil_div(height, kOutputs)), columns(ceil_div(width, kOutputs)) {}
  int64_t size() const { return images * rows * columns; }

  struct Position {
    int64_t image, h, w;
  };  // of the tile's first output
  Position operator[](int64_t i) const { return {i / (rows * columns), i / columns % rows * kOutputs, i % columns * kOutputs}; }
};

/// How many tiles one block holds, and the distances between its frequencies.
struct Block {
  int64_t tiles, a_stride, b_stride;
  Block(int64_t frequencies, int64_t a_channels, int64_t b_channels, int64_t all_tiles, int64_t bytes) {
    const int64_t fitting = bytes / (frequencies * (a_channels + b_channels) * int64_t{sizeof(float)});
    tiles = std::min(std::max<int64_t>(fitting / 6 * 6, 6), all_tiles);
    a_stride = tiles * a_channels + kSkew;
    b_stride = tiles * b_channels + kSkew;
  }
};

/// Pointers to the pixels of a square of an image (H x W x C), `outside` where it leaves the image.
template <class T>
void find_pixels(T* image, int64_t H, int64_t W, int64_t C, int64_t h0, int64_t w0, int64_t step, int size, T* outside,
                 T** pixels) {
  for (int i = 0; i < size; ++i) {
    for (int j = 0; j < size; ++j) {
      const int64_t h = h0 + i * step, w = w0 + j * step;
      const bool inside = h >= 0 && h < H && w >= 0 && w < W;
      *pixels++ = inside ? image + (h * W + w) * C : outside;
    }
  }
}

/// Where tap (i, j) of phase (ph, pw) of filter k, channel c lies in w.
int64_t tap_offset(const Plan& p, int64_t k, int64_t ph, int64_t pw, int64_t i, int64_t j, int64_t c) {
  const Conv2dShape& s = p.shape;
  return ((k * s.R + ph + p.step * i) * s.S + pw + p.step * j) * s.C + c;
}

/// Calls body(first, count, slot) for every block of up to `tiles` of `all` tiles.
template <class Body>
void for_each_block(const Plan& p, int64_t all, int64_t tiles, const Body& body) {
  const Split blocks(all, tiles);
  parallel_for(
      blocks.pieces, [&](int64_t piece, int slot) { body(blocks.begin(piece), blocks.length(piece), slot); }, p.threads);
}

/// Transforms the filter into packed panels. Forward: rows (phase, c), columns k. Input gradient: rows k, columns
/// (phase, c), taps reversed. Goes by blocks of 16 filters x 16 channels, copied together first: in w they lie kilobytes
/// apart, and the forward direction's vectors run across filters.
void transform_filter(const Plan& p, bool input_grad, const float* w, float* u) {
  constexpr int64_t kSide = 16;
  const Conv2dShape& s = p.shape;
  const int64_t width = p.kernels->vector_width, panel = p.kernels->panel_width;
  const int64_t rows = input_grad ? s.K : p.phases() * s.C, columns = input_grad ? p.phases() * s.C : s.K;
  const int64_t stride = rows * columns + kSkew;
  parallel_for(p.phases() * s.C / kSide, [&](int64_t piece) {
    const int64_t phase_c = piece * kSide;
    for (int64_t k = 0; k < s.K; k += kSide) {
      const int64_t phase = phase_c / s.C, c = phase_c % s.C;
      alignas(64) float block[kMaxTaps * kMaxTaps][kSide][kSide];  // (tap, k, c)
      for (int t = 0; t < p.taps * p.taps; ++t) {
        const int at = input_grad ? p.taps * p.taps - 1 - t : t;
        for (int64_t i = 0; i < kSide; ++i) {
          std::memcpy(block[t][i], w + tap_offset(p, k + i, phase / p.step, phase % p.step, at / p.taps, at % p.taps, c),
                      sizeof block[t][i]);
        }
      }
      const int64_t first_row = input_grad ? k : phase_c, first_column = input_grad ? phase_c : k;
      for (int64_t i = 0; i < kSide; ++i) {
        for (int64_t j = 0; j < kSide; j += width) {
          const float* taps[kMaxTaps * kMaxTaps];
          for (int t = 0; t < p.taps * p.taps; ++t) taps[t] = input_grad ? &block[t][i][j] : &block[t][j][i];
          const int64_t column = first_column + j, start = column / panel * panel;
          const int64_t panel_columns = std::min(panel, columns - start);
          float* const out = u + start * rows + (first_row + i) * panel_columns + (column - start);
          p.tiles->filter(taps, input_grad ? 1 : kSide, out, stride);
        }
      }
    }
  });
}

/// v (frequency, tile, (phase, c)) of one block of the forward convolution's input tiles.
void transform_input(const Plan& p, const TileGrid& grid, int64_t first, int64_t count, const float* x, const float* zeros,
                     float* v, int64_t stride) {
  const Conv2dShape& s = p.shape;
  const float* pixels[kMaxTile * kMaxTile];
  for (int64_t t = 0; t < count; ++t) {
    const auto at = grid[first + t];
    for (int64_t phase = 0; phase < p.phases(); ++phase) {
      find_pixels(x + at.image * s.H * s.W * s.C, s.H, s.W, s.C, p.step * at.h + phase / p.step - s.pad_top,
                  p.step * at.w + phase % p.step - s.pad_left, p.step, p.tile, zeros, pixels);
      p.tiles->input(pixels, s.C, v + (t * p.phases() + phase) * s.C, stride);
    }
  }
}

/// One product per frequency of a block: m (tile, columns) = v (tile, rows) * u (rows, columns).
void multiply_block(const Plan& p, int64_t count, int64_t rows, int64_t columns, const Block& block, const float* v,
                    const float* u, float* m) {
  const Product product{count, columns, rows, rows, 1, 0, columns, true, false};
  for (int64_t f = 0; f < p.frequencies(); ++f) {
    p.kernels->multiply(product, v + f * block.a_stride, u + f * (rows * columns + kSkew), m + f * block.b_stride);
  }
}

/// The workspace of Conv2d and Conv2dInputGrad in floats: [zeros | filter | per thread: v | m].
struct Workspace {
  int64_t zeros, filter, v, m;
  Workspace(const Plan& p, int64_t rows, int64_t columns, const Block& block)
      : zeros(rows),
        filter(p.frequencies() * (rows * columns + kSkew)),
        v(p.frequencies() * block.a_stride),
        m(p.frequencies() * block.b_stride) {}
  std::size_t bytes(int threads) const { return (zeros + filter + threads * (v + m)) * sizeof(float); }
};

TileGrid output_grid(const Conv2dShape& s) {
  return {s.N, s.P, s.Q};
}

/// Tiles of the transposed convolution count output pixels of one phase, from pad / step on.
TileGrid input_grid(const Plan& p) {
  const Conv2dShape& s = p.shape;
  return {s.N, (s.H - 1 + s.pad_top) / p.step - s.pad_top / p.step + 1,
          (s.W - 1 + s.pad_left) / p.step - s.pad_left / p.step + 1};
}

/// Pairs of output and tap along one dimension that read a pixel, not padding: what a direct kernel multiplies.
int64_t inside_taps(int64_t outputs, int64_t stride, int64_t pad, int64_t taps, int64_t pixels) {
  int64_t count = 0;
  for (int64_t p = 0; p < outputs; ++p) {
    const int64_t first = p * stride - pad;
    count += std::max<int64_t>(std::min(first + taps, pixels) - std::max<int64_t>(first, 0), 0);
  }
  return count;
}

Block forward_block(const Plan& p) {
  return {p.frequencies(), p.phases() * p.shape.C, p.shape.K, output_grid(p.shape).size(), kBlockBytes};
}
Block input_grad_block(const Plan& p) {
  return {p.frequencies(), p.shape.K, p.phases() * p.shape.C, input_grid(p).size(), kBlockBytes};
}
/// Shares of the filter's gradient: of the problem's size alone, unless there are more threads to keep busy.
int64_t filter_grad_shares(const Plan& p) {
  const int64_t bytes = p.frequencies() * p.phases() * p.shape.C * p.shape.K * int64_t{sizeof(float)};
  const int64_t shares = std::max<int64_t>(std::clamp(kShareBytes / bytes, kMinShares, kMaxShares), p.threads);
  return std::min(shares, ceil_div(output_grid(p.shape).size(), kShareTiles));
}
Block filter_grad_block(const Plan& p) {
  const int64_t all = output_grid(p.shape).size();
  return {p.frequencies(), p.phases() * p.shape.C, p.shape.K, ceil_div(all, filter_grad_shares(p)), kGradBlockBytes};
}

}  // namespace

std::optional<std::string> computes(const Conv2dShape& s) {
  if (s.R != s.S || s.stride_h != s.stride_w) return "filter or stride is not square";
  if (s.R != 4 * s.stride_h && s.R != 2 * s.stride_h) return "filter is not 2 or 4 times the stride";
  if (s.C % 16 != 0 || s.K % 16 != 0) return fmt::format("channels {} -> {}, not multiples of 16", s.C, s.K);
  if (s.pad_top < 0 || s.pad_left < 0) return "negative padding";
  return std::nullopt;
}

std::optional<std::string> supports(const Conv2dShape& s) {
  if (auto reason = computes(s)) return reason;
  const int64_t products = s.R == 4 * s.stride_h ? 36 * s.stride_h * s.stride_h : 16 * s.stride_h * s.stride_h;
  const TileGrid grid = output_grid(s);
  const int64_t direct = inside_taps(s.P, s.stride_h, s.pad_top, s.R, s.H) * inside_taps(s.Q, s.stride_w, s.pad_left, s.S, s.W);
  const double saving = static_cast<double>(direct) / static_cast<double>(grid.rows * grid.columns * products);
  if (saving < 1.5) return fmt::format("{:.2f} times fewer multiplications do not pay for the transforms", saving);
  if (grid.size() < 64) return fmt::format("{} tiles do not pay for the filter's transform", grid.size());
  return std::nullopt;
}

Plan::Plan(const Conv2dShape& s, Isa isa)
    : shape(s),
      kernels(&kernels_for(isa)),
      tiles(s.R == 4 * s.stride_h ? &kernels->taps4 : &kernels->taps2),
      taps(static_cast<int>(s.R / s.stride_h)),
      tile(taps + kOutputs - 1),
      threads(num_threads()),
      step(s.stride_h) {}

Conv2d::Conv2d(const Conv2dShape& shape, bool bias, Isa isa) : plan_(shape, isa), bias_(bias) {}

std::size_t Conv2d::workspace_bytes() const {
  return Workspace(plan_, plan_.phases() * plan_.shape.C, plan_.shape.K, forward_block(plan_)).bytes(plan_.threads);
}

void Conv2d::run(const float* x, const float* w, const float* bias, float* y, void* workspace) const {
  const Plan& p = plan_;
  const Conv2dShape& s = p.shape;
  const TileGrid grid = output_grid(s);
  const Block block = forward_block(p);
  const int64_t rows = p.phases() * s.C;
  const Workspace parts(p, rows, s.K, block);
  float* const zeros = static_cast<float*>(workspace);
  float* const u = zeros + parts.zeros;
  std::memset(zeros, 0, parts.zeros * sizeof(float));
  transform_filter(p, false, w, u);
  for_each_block(p, grid.size(), block.tiles, [&](int64_t first, int64_t count, int slot) {
    float* const v = u + parts.filter + slot * (parts.v + parts.m);
    float* const m = v + parts.v;
    transform_input(p, grid, first, count, x, zeros, v, block.a_stride);
    multiply_block(p, count, rows, s.K, block, v, u, m);
    for (int64_t t = 0; t < count; ++t) {
      const auto at = grid[first + t];
      float* pixels[kOutputs * kOutputs];
      find_pixels<float>(y + at.image * s.P * s.Q * s.K, s.P, s.Q, s.K, at.h, at.w, 1, kOutputs, nullptr, pixels);
      p.tiles->output(m + t * s.K, block.b_stride, s.K, bias_ ? bias : nullptr, pixels);
    }
  });
}

Conv2dInputGrad::Conv2dInputGrad(const Conv2dShape& shape, bool bias, Isa isa) : plan_(shape, isa), bias_(bias) {}

std::size_t Conv2dInputGrad::workspace_bytes() const {
  return Workspace(plan_, plan_.shape.K, plan_.phases() * plan_.shape.C, input_grad_block(plan_)).bytes(plan_.threads);
}

// Input row h sits in phase (h + pad) % step at place i = (h + pad) / step and receives
// dx[h] = sum_j dy[i - j] w[phase + step * j]: one correlation per phase, all of them over the same rows of dy.
void Conv2dInputGrad::run(const float* dy, const float* w, const float* bias, float* dx, void* workspace) const {
  const Plan& p = plan_;
  const Conv2dShape& s = p.shape;
  const TileGrid grid = input_grid(p);
  const Block block = input_grad_block(p);
  const int64_t columns = p.phases() * s.C;
  const Workspace parts(p, s.K, columns, block);
  float* const zeros = static_cast<float*>(workspace);
  float* const u = zeros + parts.zeros;
  std::memset(zeros, 0, parts.zeros * sizeof(float));
  const int64_t first_h = s.pad_top / p.step, first_w = s.pad_left / p.step;
  transform_filter(p, true, w, u);
  for_each_block(p, grid.size(), block.tiles, [&](int64_t first, int64_t count, int slot) {
    float* const v = u + parts.filter + slot * (parts.v + parts.m);
    float* const m = v + parts.v;
    for (int64_t t = 0; t < count; ++t) {
      const auto at = grid[first + t];
      const float* pixels[kMaxTile * kMaxTile];
      find_pixels(dy + at.image * s.P * s.Q * s.K, s.P, s.Q, s.K, first_h + at.h - (p.taps - 1), first_w + at.w - (p.taps - 1), 1,
                  p.tile, static_cast<const float*>(zeros), pixels);
      p.tiles->input(pixels, s.K, v + t * s.K, block.a_stride);
    }
    multiply_block(p, count, s.K, columns, block, v, u, m);
    for (int64_t t = 0; t < count; ++t) {
      const auto at = grid[first + t];
      for (int64_t phase = 0; phase < p.phases(); ++phase) {
        float* pixels[kOutputs * kOutputs];
        find_pixels<float>(dx + at.image * s.H * s.W * s.C, s.H, s.W, s.C, p.step * (first_h + at.h) + phase / p.step - s.pad_top,
                           p.step * (first_w + at.w) + phase % p.step - s.pad_left, p.step, kOutputs, nullptr, pixels);
        p.tiles->output(m + t * columns + phase * s.C, block.b_stride, s.C, bias_ ? bias : nullptr, pixels);
      }
    }
  });
}

Conv2dFilterGrad::Conv2dFilterGrad(const Conv2dShape& shape, Isa isa) : plan_(shape, isa) {}

std::size_t Conv2dFilterGrad::workspace_bytes() const {
  const Plan& p = plan_;
  const Block block = filter_grad_block(p);
  const int64_t channels = p.phases() * p.shape.C, du = p.shape.K * channels + kSkew;
  const int64_t zeros = std::max(channels, p.shape.K);
  const int64_t shared = zeros + filter_grad_shares(p) * p.frequencies() * du;
  return (shared + p.threads * p.frequencies() * (block.a_stride + block.b_stride)) * sizeof(float);
}

void Conv2dFilterGrad::run(const float* x, const float* dy, float* dw, void* workspace) const {
  const Plan& p = plan_;
  const Conv2dShape& s = p.shape;
  const TileGrid grid = output_grid(s);
  const Block block = filter_grad_block(p);
  const int64_t channels = p.phases() * s.C, du_stride = s.K * channels + kSkew;
  float* const zeros = static_cast<float*>(workspace);
  const int64_t zeros_size = std::max(channels, s.K);
  std::memset(zeros, 0, zeros_size * sizeof(float));
  const int64_t shares = filter_grad_shares(p), du_size = p.frequencies() * du_stride;
  float* const all_du = zeros + zeros_size;          // (share, frequency, k, (phase, c))
  float* const scratch = all_du + shares * du_size;  // (slot, v | m)
  parallel_for(
      shares,
      [&](int64_t share, int slot) {
        float* const du = all_du + share * du_size;
        float* const v = scratch + slot * p.frequencies() * (block.a_stride + block.b_stride);
        float* const m = v + p.frequencies() * block.a_stride;  // (frequency, tile, k)
        const int64_t begin = grid.size() * share / shares, end = grid.size() * (share + 1) / shares;
        if (begin == end) std::memset(du, 0, du_size * sizeof(float));
        for (int64_t first = begin; first < end; first += block.tiles) {
          const int64_t count = std::min(block.tiles, end - first);
          transform_input(p, grid, first, count, x, zeros, v, block.a_stride);
          for (int64_t t = 0; t < count; ++t) {
            const auto at = grid[first + t];
            const float* pixels[kOutputs * kOutputs];
            find_pixels(dy + at.image * s.P * s.Q * s.K, s.P, s.Q, s.K, at.h, at.w, 1, kOutputs, static_cast<const float*>(zeros),
                        pixels);
            p.tiles->output_grad(pixels, s.K, m + t * s.K, block.b_stride);
          }
          // du (k, (phase, c)) += m^T (k, tile) * v (tile, (phase, c))
          const Product product{s.K, channels, count, 1, s.K, channels, channels, false, first != begin};
          for (int64_t f = 0; f < p.frequencies(); ++f) {
            p.kernels->multiply(product, m + f * block.b_stride, v + f * block.a_stride, du + f * du_stride);
          }
        }
      },
      p.threads);
  // The shares are summed in their order.
  parallel_for(s.K, [&](int64_t k) {
    for (int64_t f = 0; f < p.frequencies(); ++f) {
      float* const sum = all_du + f * du_stride + k * channels;
      for (int64_t share = 1; share < shares; ++share) {
        for (int64_t c = 0; c < channels; ++c) sum[c] += sum[share * du_size + c];
      }
    }
    for (int64_t phase = 0; phase < p.phases(); ++phase) {
      float* taps[kMaxTaps * kMaxTaps];
      for (int t = 0; t < p.taps * p.taps; ++t) {
        taps[t] = dw + tap_offset(p, k, phase / p.step, phase % p.step, t / p.taps, t % p.taps, 0);
      }
      p.tiles->filter_grad(all_du + k * channels + phase * s.C, du_stride, s.C, taps);
    }
  });
}

}  // namespace forger::winograd
