#include "kernels/simd/max_pool.h"

#include "kernels/simd/threads.h"

namespace forger::simd {
namespace {

/// Calls body(n * P + p) for every row of windows; rows are dealt out to the threads.
template <class Body>
void for_each_window_row(const PoolShape& s, const Body& body) {
  const Split rows = split(s.N * s.P(), s.window * s.W * s.C);
  parallel_for(rows.pieces, [&](int64_t piece) {
    for (int64_t row = rows.begin(piece); row < rows.end(piece); ++row) body(row);
  });
}

}  // namespace

void max_pool_pick(const PoolShape& s, const float* x, const float* v, float* y) {
  for_each_window_row(s, [&](int64_t row) {
    for (int64_t q = 0; q < s.Q(); ++q) {
      const int64_t corner = (row * s.window * s.W + q * s.window) * s.C;
      float* const out = y + (row * s.Q() + q) * s.C;
      for (int64_t c = 0; c < s.C; ++c) {
        float largest = x[corner + c], picked = v[corner + c];
        for (int64_t r = 0; r < s.window; ++r) {
          for (int64_t t = 0; t < s.window; ++t) {
            const int64_t i = corner + (r * s.W + t) * s.C + c;
            const bool larger = x[i] > largest;
            largest = larger ? x[i] : largest;
            picked = larger ? v[i] : picked;
          }
        }
        out[c] = picked;
      }
    }
  });
}

void max_pool_scatter(const PoolShape& s, const float* x, const float* dy, float* dv) {
  for_each_window_row(s, [&](int64_t row) {
    std::fill_n(dv + row * s.window * s.W * s.C, s.window * s.W * s.C, 0.f);
    for (int64_t q = 0; q < s.Q(); ++q) {
      const int64_t corner = (row * s.window * s.W + q * s.window) * s.C;
      const float* const in = dy + (row * s.Q() + q) * s.C;
      for (int64_t c = 0; c < s.C; ++c) {
        int64_t best = corner + c;
        float largest = x[best];
        for (int64_t r = 0; r < s.window; ++r) {
          for (int64_t t = 0; t < s.window; ++t) {
            const int64_t i = corner + (r * s.W + t) * s.C + c;
            const bool larger = x[i] > largest;
            largest = larger ? x[i] : largest;
            best = larger ? i : best;
          }
        }
        dv[best] = in[c];
      }
    }
  });
}

}  // namespace forger::simd
