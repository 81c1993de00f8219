#include "kernels/simd/reduce.h"

#include <vector>

#include "kernels/simd/leaf/leaf.h"
#include "kernels/simd/threads.h"
#include "kernels/simd/wide_rows.h"

namespace forger::simd {

namespace {

double sum_of(const float* x, int64_t n, const Leaf& kernels) {
  double partial[kMaxPartials];
  const Split chunks = split(n, 1, kMaxPartials);
  parallel_for(chunks.pieces, [&](int64_t i) { partial[i] = kernels.sum(x + chunks.begin(i), chunks.end(i) - chunks.begin(i)); });
  double sum = 0;
  for (int64_t i = 0; i < chunks.pieces; ++i) sum += partial[i];
  return sum;
}

}  // namespace

void sum_rows(const float* x, int64_t rows, int64_t cols, float* out, Isa isa) {
  if (cols < 1) return;
  const Leaf& kernels = leaf(isa);
  const WideRows wide = widen(rows, cols);
  const Split chunks = split(wide.rows, wide.width, kMaxPartials, 8);
  const int64_t stride = padded(wide.width);
  std::vector<double> partial(static_cast<size_t>(std::max<int64_t>(chunks.pieces, 1) * stride));  // [pieces, width]
  parallel_for(chunks.pieces, [&](int64_t i) {
    const int64_t begin = chunks.begin(i);
    kernels.add_columns(x + begin * wide.width, chunks.end(i) - begin, wide.width, &partial[i * stride]);
  });
  if (wide.leftover > 0) kernels.add_columns(wide.leftover_of(x), 1, wide.leftover_width(), &partial[0]);

  for (int64_t c = 0; c < cols; ++c) {
    double sum = 0;
    for (int64_t i = 0; i < chunks.pieces; ++i) {
      for (int64_t k = c; k < wide.width; k += cols) sum += partial[i * stride + k];
    }
    out[c] = static_cast<float>(sum);
  }
}

void sum_cols(const float* x, int64_t rows, int64_t cols, float* out, Isa isa) {
  const Leaf& kernels = leaf(isa);
  if (cols > 4 * kChunkElements) {  // long rows: the threads share each of them
    for (int64_t r = 0; r < rows; ++r) out[r] = static_cast<float>(sum_of(x + r * cols, cols, kernels));
    return;
  }
  const Split chunks = split(rows, cols);
  parallel_for(chunks.pieces, [&](int64_t i) {
    for (int64_t r = chunks.begin(i); r < chunks.end(i); ++r) {
      out[r] = static_cast<float>(kernels.sum(x + r * cols, cols));
    }
  });
}

void sum_all(const float* x, int64_t n, float scale, float* out, Isa isa) {
  out[0] = static_cast<float>(scale * sum_of(x, n, leaf(isa)));
}

}  // namespace forger::simd
