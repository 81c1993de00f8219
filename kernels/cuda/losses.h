// Losses with their gradients, and softmax, f32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// loss[] = mean(softplus(x) - x * t), dlogits = (sigmoid(x) - t) / n over n > 0 logits x and targets t.
size_t bce_with_logits_workspace_bytes(int64_t n);
void bce_with_logits(const float* x, const float* t, int64_t n, float* loss, float* dlogits, void* workspace, Stream stream);

/// y[i,:] = softmax(x[i,:]) over rows of [N, K]. y may be x.
void softmax(const float* x, int64_t N, int64_t K, float* y, Stream stream);

/// loss[] = mean over the N rows of log(sum exp(x)) - x[label], dlogits = (softmax(x) - onehot) / N. 0 <= label < K.
size_t softmax_cross_entropy_workspace_bytes(int64_t N);
void softmax_cross_entropy(const float* x, const int32_t* labels, int64_t N, int64_t K, float* loss, float* dlogits,
                           void* workspace, Stream stream);

}  // namespace forger::FORGER_DEVICE
