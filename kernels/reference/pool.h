// Max pooling over windows that do not overlap, as a pair of linear maps that x's maxima choose.
#pragma once

#include "kernels/common/pool_shape.h"

namespace forger::reference {

/// Index, in an NHWC tensor, of the largest element of the window of output element (n, p, q, c); of equal ones the first.
template <class T>
int64_t largest_in_window(const PoolShape& s, const T* x, int64_t n, int64_t p, int64_t q, int64_t c) {
  int64_t best = -1;
  for (int64_t r = 0; r < s.window; ++r) {
    for (int64_t t = 0; t < s.window; ++t) {
      const int64_t i = ((n * s.H + p * s.window + r) * s.W + q * s.window + t) * s.C + c;
      if (best < 0 || x[i] > x[best]) best = i;
    }
  }
  return best;
}

/// Calls f(output index, index of the window's largest element) for every output element.
template <class T, class F>
void for_each_window(const PoolShape& s, const T* x, F f) {
  int64_t out = 0;
  for (int64_t n = 0; n < s.N; ++n)
    for (int64_t p = 0; p < s.P(); ++p)
      for (int64_t q = 0; q < s.Q(); ++q)
        for (int64_t c = 0; c < s.C; ++c, ++out) f(out, largest_in_window(s, x, n, p, q, c));
}

/// y[n,p,q,c] = v at the place where x is largest in the window. x, v [N,H,W,C], y [N,P,Q,C].
template <class T>
void max_pool_pick(const PoolShape& s, const T* x, const T* v, T* y) {
  for_each_window(s, x, [&](int64_t out, int64_t largest) { y[out] = v[largest]; });
}

/// Its transpose: dy goes to the place where x is largest, all else is 0. x, dv [N,H,W,C], dy [N,P,Q,C].
template <class T>
void max_pool_scatter(const PoolShape& s, const T* x, const T* dy, T* dv) {
  std::fill_n(dv, s.N * s.H * s.W * s.C, T(0));
  for_each_window(s, x, [&](int64_t out, int64_t largest) { dv[largest] = dy[out]; });
}

}  // namespace forger::reference
