// The inner loops of few_outputs.h, compiled once per instruction set.
#pragma once

#include <cstdint>

namespace forger::direct {

/// One image of a convolution with few output channels; C is a multiple of 16.
struct FewOutputs {
  int64_t C, K, R, S, P, Q, stride_h, stride_w;
  int64_t padded_width;  // pixels in a row of the padded operand
  int64_t H, W;          // the unpadded input
};

/// y (P x Q x K) from x, padded with zeros so that no tap falls outside it. w: KRSC; bias: K or null.
using ForwardImage = void (*)(const FewOutputs& g, const float* padded_x, const float* w, const float* bias, float* y);

/// dw (KRSC) of one image with stride 1. x: H x W x C. padded_dy: per output channel k a plane of (H + R - 1) x
/// (W + S - 1) in which x's pixel (h, w) meets filter tap (r, s) at row h + R - 1 - r, column w + S - 1 - s.
using FilterGradImage = void (*)(const FewOutputs& g, const float* x, const float* padded_dy, float* dw);

struct FewOutputsKernels {
  ForwardImage forward;
  FilterGradImage filter_grad;
};

constexpr int kMaxFilterWidth = 8;  // of filter_grad

namespace baseline {
FewOutputsKernels few_outputs_kernels();
}
namespace avx2 {
FewOutputsKernels few_outputs_kernels();
}
namespace avx512 {
FewOutputsKernels few_outputs_kernels();
}

}  // namespace forger::direct
