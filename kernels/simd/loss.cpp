#include "kernels/simd/loss.h"

#include "kernels/common/errors.h"
#include "kernels/simd/leaf/leaf.h"
#include "kernels/simd/threads.h"

namespace forger::simd {

void bce_with_logits(const float* logits, const float* targets, int64_t n, float* loss, float* dlogits, Isa isa) {
  if (n < 1) fail<ShapeError>("bce_with_logits: {} logits", n);
  const Leaf& kernels = leaf(isa);
  const float scale = static_cast<float>(1.0 / static_cast<double>(n));
  double partial[kMaxPartials];
  const Split chunks = split(n, 1, kMaxPartials);
  parallel_for(chunks.pieces, [&](int64_t i) {
    const int64_t begin = chunks.begin(i);
    partial[i] = kernels.bce_with_logits(logits + begin, targets + begin, chunks.end(i) - begin, scale,
                                         dlogits == nullptr ? nullptr : dlogits + begin);
  });
  double sum = 0;
  for (int64_t i = 0; i < chunks.pieces; ++i) sum += partial[i];
  loss[0] = static_cast<float>(sum / static_cast<double>(n));
}

}  // namespace forger::simd
