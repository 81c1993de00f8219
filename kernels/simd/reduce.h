// Sums over the rows, the columns or all of a matrix.
//
// The error of every sum is about one rounding, however many numbers go in, and its bits do not depend on the
// number of threads.
#pragma once

#include <cstdint>

#include "kernels/common/isa.h"

namespace forger::simd {

/// out[c] = sum over r of x[r, c]: x [rows, cols] -> out [cols]. A bias's gradient: rows = N*H*W, cols =
/// channels. rows = 0 gives zeros. Allocates up to 64 partial sums a column when x is larger than 16384
/// elements.
void sum_rows(const float* x, int64_t rows, int64_t cols, float* out, Isa isa = best_isa());

/// out[r] = sum over c of x[r, c]: x [rows, cols] -> out [rows].
void sum_cols(const float* x, int64_t rows, int64_t cols, float* out, Isa isa = best_isa());

/// out[0] = scale * sum of x [n]; scale = 1/n makes it the mean.
void sum_all(const float* x, int64_t n, float scale, float* out, Isa isa = best_isa());

}  // namespace forger::simd
