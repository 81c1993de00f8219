#include "kernels/simd/random.h"

#include "kernels/common/errors.h"
#include "kernels/simd/leaf/leaf.h"
#include "kernels/simd/threads.h"

namespace forger::simd {

namespace {

/// Calls draw(begin, end) for chunks that begin at multiples of 64.
template <class Draw>
void for_chunks(int64_t n, const Draw& draw) {
  static_assert(kChunkElements % 64 == 0);
  if (n > (int64_t{1} << 34)) fail<ShapeError>("random tensor of {} elements: the generator's limit is 2^34", n);
  const Split chunks = split(n, 1);
  parallel_for(chunks.pieces, [&](int64_t i) { draw(chunks.begin(i), chunks.end(i)); });
}

}  // namespace

void random_uniform(float* out, int64_t n, float low, float high, uint64_t seed, uint64_t stream, uint64_t step, Isa isa) {
  const Leaf& kernels = leaf(isa);
  const RandomKey key = {seed, stream, step};
  for_chunks(n, [&](int64_t begin, int64_t end) { kernels.random_uniform(out, begin, end, low, high, key); });
}

void random_normal(float* out, int64_t n, float mean, float stddev, uint64_t seed, uint64_t stream, uint64_t step, Isa isa) {
  const Leaf& kernels = leaf(isa);
  const RandomKey key = {seed, stream, step};
  for_chunks(n, [&](int64_t begin, int64_t end) { kernels.random_normal(out, begin, end, mean, stddev, key); });
}

void dropout(const float* x, float* out, int64_t n, float rate, uint64_t seed, uint64_t stream, uint64_t step, Isa isa) {
  if (!(rate >= 0.f && rate < 1.f)) fail<ConfigError>("dropout rate {}: it must be in [0, 1)", rate);
  const Leaf& kernels = leaf(isa);
  const RandomKey key = {seed, stream, step};
  for_chunks(n, [&](int64_t begin, int64_t end) { kernels.dropout(x + begin, out + begin, begin, end - begin, rate, key); });
}

}  // namespace forger::simd
