// The convolution trio as implicit matrix products. x: NHWC, w: KRSC, y: NPQK, all f32 and aligned to 16 bytes.
//
// Each takes a plan made by its conv2d_*_size and plan_gemm, and scratch memory for it. None throws
// but for a launch that CUDA refuses (DeviceError). Tensors have at most kMaxGemmElements elements.
#pragma once

#include "kernels/common/conv2d_shape.h"
#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/epilogue_args.h"
#include "kernels/cuda/gemm_plan.h"

namespace forger::FORGER_DEVICE {

/// Sizes of the matrix product, and whether 16-byte copies suit the tensors.
GemmSize conv2d_size(const Conv2dShape& s);
GemmSize conv2d_input_grad_size(const Conv2dShape& s);
GemmSize conv2d_filter_grad_size(const Conv2dShape& s);
bool conv2d_vectors(const Conv2dShape& s);
bool conv2d_input_grad_vectors(const Conv2dShape& s);
bool conv2d_filter_grad_vectors(const Conv2dShape& s);

/// y = epilogue(conv(x, w) + bias); bias: [K] or null. With `statistics` (or null) also those of y's columns, and no epilogue;
/// scratch memory is then what the conv2d_statistics_* say, and a plan with splits has groups.
void conv2d(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* x, const float* w, const float* bias,
            float* y, const GemmScratch& scratch, const BatchNormStatistics* statistics, Stream stream,
            const EpilogueArgs& epilogue = {});
size_t conv2d_statistics_workspace_bytes(const Conv2dShape& s, const GemmPlan& plan);
size_t conv2d_statistics_counters(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan);
/// dx = gradient of conv with respect to x, plus bias: [C] or null, and its epilogue. A transposed convolution.
void conv2d_input_grad(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* dy, const float* w,
                       const float* bias, float* dx, const GemmScratch& scratch, Stream stream,
                       const EpilogueArgs& epilogue = {});
/// dw = gradient of conv with respect to w.
void conv2d_filter_grad(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* x, const float* dy,
                        float* dw, const GemmScratch& scratch, Stream stream);

}  // namespace forger::FORGER_DEVICE
