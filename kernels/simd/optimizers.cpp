#include "kernels/simd/optimizers.h"

#include <cmath>

#include "kernels/simd/leaf/leaf.h"
#include "kernels/simd/threads.h"

namespace forger::simd {

namespace {

/// Lays all tensors end to end, cuts them into chunks over the threads (one parallel region for all) and
/// calls update(tensor, offset, count) for the pieces of tensors in a chunk.
template <class Tensor, class Update>
void for_all(std::span<const Tensor> tensors, const Update& update) {
  int64_t total = 0;
  for (const Tensor& tensor : tensors) total += tensor.n;
  const Split chunks = split(total, 1);
  parallel_for(chunks.pieces, [&](int64_t i) {
    int64_t first = 0;  // position of the tensor's element 0
    for (const Tensor& tensor : tensors) {
      const int64_t begin = std::max(chunks.begin(i), first), end = std::min(chunks.end(i), first + tensor.n);
      if (begin < end) update(tensor, begin - first, end - begin);
      first += tensor.n;
    }
  });
}

}  // namespace

void adam(std::span<const AdamTensor> tensors, const AdamOptions& options, int64_t t, Isa isa) {
  const double steps = static_cast<double>(t);
  const double correction = std::sqrt(1 - std::pow(options.beta2, steps)) / (1 - std::pow(options.beta1, steps));
  const AdamStep step = {.lr_t = static_cast<float>(options.lr * correction),
                         .beta1 = static_cast<float>(options.beta1),
                         .beta2 = static_cast<float>(options.beta2),
                         .rest1 = static_cast<float>(1 - options.beta1),
                         .rest2 = static_cast<float>(1 - options.beta2),
                         .eps = options.eps};
  const Leaf& kernels = leaf(isa);
  for_all(tensors, [&](const AdamTensor& x, int64_t i, int64_t n) {
    kernels.adam(x.p + i, x.m + i, x.v + i, x.g + i, x.p_out + i, x.m_out + i, x.v_out + i, n, step);
  });
}

void sgd(std::span<const SgdTensor> tensors, float lr, float momentum, Isa isa) {
  const Leaf& kernels = leaf(isa);
  for_all(tensors, [&](const SgdTensor& x, int64_t i, int64_t n) {
    const bool plain = x.v == nullptr;
    kernels.sgd(x.p + i, plain ? nullptr : x.v + i, x.g + i, x.p_out + i, plain ? nullptr : x.v_out + i, n, lr, momentum);
  });
}

void rmsprop(std::span<const RmspropTensor> tensors, float lr, double rho, float eps, Isa isa) {
  const Leaf& kernels = leaf(isa);
  const float keep = static_cast<float>(rho), rest = static_cast<float>(1 - rho);
  for_all(tensors, [&](const RmspropTensor& x, int64_t i, int64_t n) {
    kernels.rmsprop(x.p + i, x.r + i, x.g + i, x.p_out + i, x.r_out + i, n, lr, keep, rest, eps);
  });
}

}  // namespace forger::simd
