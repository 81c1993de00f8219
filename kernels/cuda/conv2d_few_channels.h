// Direct convolutions, in plain fp32, for tensors with so few channels that a matrix product would mostly multiply
// padding: a generator's last layer, a discriminator's first, and their gradients.
//
// x: NHWC, w: KRSC, y: NPQK, all f32. Each supports_* says why a size is declined. Nothing throws but a launch that CUDA
// refuses (DeviceError). Results do not depend on the number of multiprocessors, but for conv2d_few_filter_grad, whose
// number of partial sums does.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/conv2d_shape.h"
#include "kernels/cuda/epilogue_args.h"
#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

// Reasons are static strings; null means supported. Results but filters have an epilogue, by default none.

/// y = conv(x, w) + bias with 1 or 3 output channels and at least 16 input channels.
const char* few_outputs_declines(const Conv2dShape& s);
void conv2d_few_outputs(const Conv2dShape& s, const float* x, const float* w, const float* bias, float* y, Stream stream,
                        const EpilogueArgs& epilogue = {});

/// y = conv(x, w) + bias with at most 4 input channels.
const char* few_inputs_declines(const Conv2dShape& s);
void conv2d_few_inputs(const Conv2dShape& s, const float* x, const float* w, const float* bias, float* y, Stream stream,
                       const EpilogueArgs& epilogue = {});

/// dx of a convolution with at most 4 output channels and stride 1: conv2d_few_inputs with the filter turned round.
const char* input_grad_few_inputs_declines(const Conv2dShape& s);
void conv2d_input_grad_few_inputs(const Conv2dShape& s, const float* dy, const float* w, const float* bias, float* dx,
                                  Stream stream, const EpilogueArgs& epilogue = {});

/// dx of a convolution with at most 4 input and at least 16 output channels.
const char* input_grad_few_outputs_declines(const Conv2dShape& s);
void conv2d_input_grad_few_outputs(const Conv2dShape& s, const float* dy, const float* w, const float* bias, float* dx,
                                   Stream stream, const EpilogueArgs& epilogue = {});

/// dw of a convolution with 1 or 3 channels on one side and at least 16 on the other, and db = sums of dy, unless db is null.
const char* few_filter_grad_declines(const Conv2dShape& s);
/// Number of partial sums, and what they need unless it is 1.
int few_filter_grad_splits(const Conv2dShape& s, int multiprocessors);
size_t few_filter_grad_workspace_bytes(const Conv2dShape& s, int splits);
size_t few_filter_grad_counters(const Conv2dShape& s, int splits);
void conv2d_few_filter_grad(const Conv2dShape& s, int splits, const float* x, const float* dy, float* dw, float* db,
                            float* workspace, uint32_t* counters, Stream stream);

}  // namespace forger::FORGER_DEVICE
