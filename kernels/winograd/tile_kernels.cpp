#include "kernels/winograd/tile_kernels.h"

#include "kernels/common/vec.h"
#include "kernels/winograd/algebra.h"

namespace forger::winograd::FORGER_ISA {
namespace {

template <class F>
void input(const float* const* pixels, int64_t channels, float* v, int64_t stride) {
  constexpr int n = F::kTile;
  for (int64_t c = 0; c < channels; c += kLanes) {
    apply_2d<n, n, F::input>([&](int i, int j) { return load(pixels[i * n + j] + c); },
                             [&](int i, int j, VF e) { store(v + (i * n + j) * stride + c, e); });
  }
}

template <class F>
void output(const float* m, int64_t stride, int64_t channels, const float* bias, float* const* pixels) {
  constexpr int n = F::kTile;
  for (int64_t c = 0; c < channels; c += kLanes) {
    const VF b = bias ? load(bias + c) : VF{};
    apply_2d<n, kOutputs, F::output>([&](int i, int j) { return load(m + (i * n + j) * stride + c); },
                                     [&](int i, int j, VF e) {
                                       float* const pixel = pixels[i * kOutputs + j];
                                       if (pixel) store(pixel + c, e + b);
                                     });
  }
}

template <class F>
void output_grad(const float* const* pixels, int64_t channels, float* m, int64_t stride) {
  constexpr int n = F::kTile;
  for (int64_t c = 0; c < channels; c += kLanes) {
    apply_2d<kOutputs, n, F::output_grad>([&](int i, int j) { return load(pixels[i * kOutputs + j] + c); },
                                          [&](int i, int j, VF e) { store(m + (i * n + j) * stride + c, e); });
  }
}

template <class F>
void filter(const float* const* taps, int64_t lane_stride, float* u, int64_t stride) {
  constexpr int n = F::kTile, r = F::kTaps;
  const auto tap = [&](int i, int j) {
    const float* const p = taps[i * r + j];
    if (lane_stride == 1) return load(p);
    float lanes[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] = p[lane * lane_stride];
    return load(lanes);
  };
  apply_2d<r, n, F::filter>(tap, [&](int i, int j, VF e) { store(u + (i * n + j) * stride, e); });
}

template <class F>
void filter_grad(const float* u, int64_t stride, int64_t channels, float* const* taps) {
  constexpr int n = F::kTile, r = F::kTaps;
  for (int64_t c = 0; c < channels; c += kLanes) {
    apply_2d<n, r, F::filter_grad>([&](int i, int j) { return load(u + (i * n + j) * stride + c); },
                                   [&](int i, int j, VF e) { store(taps[i * r + j] + c, e); });
  }
}

// The matrix product: M rows times V vectors of columns stay in registers, 6 x 4 of AVX-512's 32, 6 x 2 of 16 elsewhere.
constexpr int kRows = 6, kVecs = kLanes == 16 ? 4 : 2;

template <int M, int V>
void multiply_block(const Product& p, const float* a, const float* b, int64_t b_row, float* c) {
  VF sum[M][V] = {};
  for (int64_t k = 0; k < p.k; ++k, a += p.a_k, b += b_row) {
    VF row[V];
    for (int v = 0; v < V; ++v) row[v] = load(b + v * kLanes);
    for (int m = 0; m < M; ++m) {
      for (int v = 0; v < V; ++v) sum[m][v] += row[v] * a[m * p.a_row];
    }
  }
#pragma GCC unroll 6
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      float* const out = c + m * p.c_row + v * kLanes;
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
  constexpr int64_t kPanel = kVecs * kLanes;
  for (int64_t n = 0; n < p.n; n += kPanel) {
    const int64_t width = p.n - n < kPanel ? p.n - n : kPanel;
    by_vecs[width / kLanes - 1](p, a, p.packed_b ? b + n * p.k : b + n, p.packed_b ? width : p.b_row, c + n);
  }
}

template <class F>
constexpr TileKernels kTileKernels = {input<F>, output<F>, output_grad<F>, filter<F>, filter_grad<F>};

constexpr WinogradKernels kKernels = {kTileKernels<F34>, kTileKernels<F32>, multiply, kLanes, kVecs* kLanes};

}  // namespace

const WinogradKernels& winograd_kernels() {
  return kKernels;
}

}  // namespace forger::winograd::FORGER_ISA
