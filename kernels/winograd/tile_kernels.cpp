#include "kernels/winograd/tile_kernels.h"

#include "kernels/common/vec.h"
#include "kernels/winograd/algebra.h"

namespace forger::winograd {
namespace {

template <class F>
void input(const float* const* pixels, int64_t channels, float* v, int64_t stride) {
  constexpr int n = F::kTile;
  for (int64_t c = 0; c < channels; c += kWidth) {
    Vec d[n][n], out[n][n];
    for (int i = 0; i < n * n; ++i) d[i / n][i % n] = load(pixels[i] + c);
    apply_2d<n, n, F::input>(d, out);
    for (int i = 0; i < n * n; ++i) store(v + i * stride + c, out[i / n][i % n]);
  }
}

inline Vec activate(Vec v, const Epilogue& e) {
  if (e.activation == Activation::none) return v;
  const float slope = e.activation == Activation::relu ? 0.f : e.alpha;
  return v > 0.f ? v : v * slope;
}

template <class F>
void output(const float* m, int64_t stride, int64_t channels, const Epilogue& epilogue, float* const* pixels) {
  constexpr int n = F::kTile;
  for (int64_t c = 0; c < channels; c += kWidth) {
    Vec in[n][n], y[kOutputs][kOutputs];
    for (int i = 0; i < n * n; ++i) in[i / n][i % n] = load(m + i * stride + c);
    apply_2d<n, kOutputs, F::output>(in, y);
    const Vec bias = epilogue.bias ? load(epilogue.bias + c) : Vec{};
    for (int i = 0; i < kOutputs * kOutputs; ++i) {
      if (pixels[i]) store(pixels[i] + c, activate(y[i / kOutputs][i % kOutputs] + bias, epilogue));
    }
  }
}

template <class F>
void output_grad(const float* const* pixels, int64_t channels, float* m, int64_t stride) {
  constexpr int n = F::kTile;
  for (int64_t c = 0; c < channels; c += kWidth) {
    Vec y[kOutputs][kOutputs], out[n][n];
    for (int i = 0; i < kOutputs * kOutputs; ++i) y[i / kOutputs][i % kOutputs] = load(pixels[i] + c);
    apply_2d<kOutputs, n, F::output_grad>(y, out);
    for (int i = 0; i < n * n; ++i) store(m + i * stride + c, out[i / n][i % n]);
  }
}

template <class F>
void filter(const float* const* taps, int64_t lane_stride, float* u, int64_t stride) {
  constexpr int n = F::kTile, r = F::kTaps;
  Vec g[r][r], out[n][n];
  for (int i = 0; i < r * r; ++i) {
    if (lane_stride == 1) {
      g[i / r][i % r] = load(taps[i]);
    } else {
      for (int lane = 0; lane < kWidth; ++lane) g[i / r][i % r][lane] = taps[i][lane * lane_stride];
    }
  }
  apply_2d<r, n, F::filter>(g, out);
  for (int i = 0; i < n * n; ++i) store(u + i * stride, out[i / n][i % n]);
}

template <class F>
void filter_grad(const float* u, int64_t stride, int64_t channels, float* const* taps) {
  constexpr int n = F::kTile, r = F::kTaps;
  for (int64_t c = 0; c < channels; c += kWidth) {
    Vec in[n][n], g[r][r];
    for (int i = 0; i < n * n; ++i) in[i / n][i % n] = load(u + i * stride + c);
    apply_2d<n, r, F::filter_grad>(in, g);
    for (int i = 0; i < r * r; ++i) store(taps[i] + c, g[i / r][i % r]);
  }
}

// The matrix product: M rows times V vectors of columns stay in registers, 6 x 4 of AVX-512's 32, 6 x 2 of 16 elsewhere.
constexpr int kRows = 6, kVecs = kWidth == 16 ? 4 : 2;

template <int M, int V>
void multiply_block(const Product& p, const float* a, const float* b, int64_t b_row, float* c) {
  Vec sum[M][V] = {};
  for (int64_t k = 0; k < p.k; ++k, a += p.a_k, b += b_row) {
    Vec row[V];
    for (int v = 0; v < V; ++v) row[v] = load(b + v * kWidth);
    for (int m = 0; m < M; ++m) {
      for (int v = 0; v < V; ++v) sum[m][v] += row[v] * a[m * p.a_row];
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < V; ++v) {
      float* const out = c + m * p.c_row + v * kWidth;
      store(out, p.accumulate ? load(out) + sum[m][v] : sum[m][v]);
    }
  }
}

template <int V>
void multiply_panel(const Product& p, const float* a, const float* b, int64_t b_row, float* c) {
  int64_t m = 0;
  for (; m + kRows <= p.m; m += kRows) multiply_block<kRows, V>(p, a + m * p.a_row, b, b_row, c + m * p.c_row);
  for (; m + 4 <= p.m; m += 4) multiply_block<4, V>(p, a + m * p.a_row, b, b_row, c + m * p.c_row);
  for (; m < p.m; ++m) multiply_block<1, V>(p, a + m * p.a_row, b, b_row, c + m * p.c_row);
}

void multiply(const Product& p, const float* a, const float* b, float* c) {
  using Panel = void (*)(const Product&, const float*, const float*, int64_t, float*);
#if defined(__AVX512F__)
  constexpr Panel by_vecs[kVecs] = {multiply_panel<1>, multiply_panel<2>, multiply_panel<3>, multiply_panel<4>};
#else
  constexpr Panel by_vecs[kVecs] = {multiply_panel<1>, multiply_panel<2>};
#endif
  constexpr int64_t kPanel = kVecs * kWidth;
  for (int64_t n = 0; n < p.n; n += kPanel) {
    const int64_t width = p.n - n < kPanel ? p.n - n : kPanel;
    by_vecs[width / kWidth - 1](p, a, p.packed_b ? b + n * p.k : b + n, p.packed_b ? width : p.b_row, c + n);
  }
}

template <class F>
constexpr TileKernels kTileKernels = {input<F>, output<F>, output_grad<F>, filter<F>, filter_grad<F>};

constexpr WinogradKernels kKernels = {kTileKernels<F34>, kTileKernels<F32>, multiply, kWidth, kVecs * kWidth};

}  // namespace

#define FORGER_JOIN2(a, b) a##b
#define FORGER_JOIN(a, b) FORGER_JOIN2(a, b)

const WinogradKernels& FORGER_JOIN(winograd_, FORGER_ISA)() { return kKernels; }

}  // namespace forger::winograd
