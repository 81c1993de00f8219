// The one-dimensional Winograd transforms, for vectors of channels. Included by tile_kernels.cpp only.
//
// F(m, r) computes m neighbouring outputs of an r-tap correlation, y[i] = sum_j d[i + j] g[j], with m + r - 1
// multiplications instead of m * r:   y = A^T [ (G g) * (B^T d) ]   (* is elementwise).
// The tile d and the polynomials behind y and g meet at m + r - 2 points and infinity (Toom-Cook). In two dimensions
// each matrix is applied to the columns, then to the rows, and the savings multiply.
//
// The same three matrices serve the filter's gradient, dg[j] = sum_i dy[i] d[i + j]:   dg = G^T [ (A dy) * (B^T d) ].
//
// Points decide the rounding error. F(3, 4) uses 0, 1, -1, 2, -1/2 and infinity: measured against float64 on 128 channels
// its error is 1.7 (filter gradient: 2.7) times that of direct float32 summation; 0, 1, -1, 2, -2 gives 3.0 (4.1) times,
// F(4, 4) 4.3 times. F(3, 2) with 0, 1, -1 is even better than direct summation. On a generator's real layers the root
// mean square error of F(3, 4) is 2.0-2.3 (filter gradient: 2.7-3.0) times oneDNN's, that of F(3, 2) 0.2-1.1 times.
//
// Sources: Lavin & Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; for the points Barabasz et al.,
// "Error analysis and improving the accuracy of Winograd convolution for deep neural networks", TOMS 2020.
#pragma once

#include "kernels/common/vec.h"

namespace forger::winograd::FORGER_ISA {
namespace {

/// F(3, 4): 6 multiplications for 12; in two dimensions 36 for 144.
struct F34 {
  static constexpr int kTaps = 4, kTile = 6;

  static FORGER_INLINE void input(const VF* d, VF* v) {  // B^T
    // Polynomials in the tile's position x: q = x^2 - 1.5 x - 1 has the roots 2 and -1/2.
    const VF q0 = d[2] - 1.5f * d[1] - d[0];
    const VF q1 = d[3] - 1.5f * d[2] - d[1];
    const VF q2 = d[4] - 1.5f * d[3] - d[2];
    const VF q3 = d[5] - 1.5f * d[4] - d[3];
    const VF even = d[4] - d[2], odd = d[3] - d[1];
    v[0] = q2 - q0;            // (x^2 - 1) q
    v[1] = q2 + q1;            // x (x + 1) q
    v[2] = q2 - q1;            // x (x - 1) q
    v[3] = even + 0.5f * odd;  // x (x^2 - 1) (x + 1/2)
    v[4] = even - 2.0f * odd;  // x (x^2 - 1) (x - 2)
    v[5] = q3 - q1;            // x (x^2 - 1) q
  }

  static FORGER_INLINE void filter(const VF* g, VF* u) {  // G: g's polynomial at each point, over the product of differences
    const VF even = g[0] + g[2], odd = g[1] + g[3];
    u[0] = g[0];
    u[1] = (-1.f / 3) * (even + odd);
    u[2] = (1.f / 3) * (even - odd);
    u[3] = (1.f / 15) * (g[0] + 2.f * g[1] + 4.f * g[2] + 8.f * g[3]);
    u[4] = (-16.f / 15) * (g[0] - 0.5f * g[1] + 0.25f * g[2] - 0.125f * g[3]);
    u[5] = g[3];
  }

  static FORGER_INLINE void filter_grad(const VF* u, VF* g) {  // G^T
    const VF a = (-1.f / 3) * u[1], b = (1.f / 3) * u[2], c = (1.f / 15) * u[3], d = (-16.f / 15) * u[4];
    g[0] = u[0] + (a + b) + (c + d);
    g[1] = (a - b) + (2.f * c - 0.5f * d);
    g[2] = (a + b) + (4.f * c + 0.25f * d);
    g[3] = (a - b) + (8.f * c - 0.125f * d) + u[5];
  }

  static FORGER_INLINE void output(const VF* m, VF* y) {  // A^T: powers of the points
    const VF sum = m[1] + m[2];
    y[0] = m[0] + sum + (m[3] + m[4]);
    y[1] = (m[1] - m[2]) + (2.f * m[3] - 0.5f * m[4]);
    y[2] = sum + (4.f * m[3] + 0.25f * m[4]) + m[5];
  }

  static FORGER_INLINE void output_grad(const VF* y, VF* m) {  // A
    const VF even = y[0] + y[2];
    m[0] = y[0];
    m[1] = even + y[1];
    m[2] = even - y[1];
    m[3] = y[0] + 2.f * y[1] + 4.f * y[2];
    m[4] = y[0] - 0.5f * y[1] + 0.25f * y[2];
    m[5] = y[2];
  }
};

/// F(3, 2): 4 multiplications for 6; in two dimensions 16 for 36.
struct F32 {
  static constexpr int kTaps = 2, kTile = 4;

  static FORGER_INLINE void input(const VF* d, VF* v) {
    v[0] = d[0] - d[2];
    v[1] = d[2] + d[1];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
  }

  static FORGER_INLINE void filter(const VF* g, VF* u) {
    u[0] = g[0];
    u[1] = 0.5f * (g[0] + g[1]);
    u[2] = 0.5f * (g[0] - g[1]);
    u[3] = g[1];
  }

  static FORGER_INLINE void filter_grad(const VF* u, VF* g) {
    g[0] = u[0] + 0.5f * (u[1] + u[2]);
    g[1] = 0.5f * (u[1] - u[2]) + u[3];
  }

  static FORGER_INLINE void output(const VF* m, VF* y) {
    y[0] = m[0] + (m[1] + m[2]);
    y[1] = m[1] - m[2];
    y[2] = (m[1] + m[2]) + m[3];
  }

  static FORGER_INLINE void output_grad(const VF* y, VF* m) {
    m[0] = y[0];
    m[1] = (y[0] + y[2]) + y[1];
    m[2] = (y[0] + y[2]) - y[1];
    m[3] = y[2];
  }
};

/// Applies a transform In -> Out to the columns, then to the rows, of an In x In square: `load(i, j)` gives its elements
/// and `store(i, j, v)` takes the result's. Only the half-transformed square goes through memory.
template <int In, int Out, void Transform(const VF*, VF*), class Load, class Store>
FORGER_INLINE void apply_2d(Load load, Store store) {
  VF half[In][Out];  // half[column][transformed row]
#pragma GCC unroll 6
  for (int j = 0; j < In; ++j) {
    VF column[In];
#pragma GCC unroll 6
    for (int i = 0; i < In; ++i) column[i] = load(i, j);
    Transform(column, half[j]);
  }
#pragma GCC unroll 6
  for (int i = 0; i < Out; ++i) {
    VF row[In], out[Out];
#pragma GCC unroll 6
    for (int j = 0; j < In; ++j) row[j] = half[j][i];
    Transform(row, out);
#pragma GCC unroll 6
    for (int j = 0; j < Out; ++j) store(i, j, out[j]);
  }
}

}  // namespace
}  // namespace forger::winograd::FORGER_ISA
