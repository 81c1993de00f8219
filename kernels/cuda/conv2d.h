// The convolution trio as implicit matrix products. x: NHWC, w: KRSC, y: NPQK, all f32 and aligned to 16 bytes.
//
// Each takes a plan made by its conv2d_*_size and plan_gemm, and scratch memory for it. None throws
// but for a launch that CUDA refuses (DeviceError). Tensors have at most kMaxGemmElements elements.
#pragma once

#include "kernels/common/conv2d_shape.h"
#include "kernels/cuda/column_work.h"
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

/// y = epilogue(conv(x, w) + bias); bias: [K] or null. Column work (column_work.h): with statistics there is no epilogue; where
/// they are applied it is that of the batch norm's y, and K is a multiple of 4. In the backward pass of a batch norm y is null:
/// it is not written. Scratch memory is what conv2d_needs says, and a plan with splits has groups; if blocks wait, the launch is
/// cooperative.
void conv2d(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* x, const float* w, const float* bias,
            float* y, const GemmScratch& scratch, Stream stream, const EpilogueArgs& epilogue = {},
            const ColumnArgs& columns = {});
ColumnNeeds conv2d_needs(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, ColumnWork work);
/// dx = gradient of conv with respect to x, plus bias: [C] or null, and its epilogue. A transposed convolution. Of column work
/// only the gradient, as for conv2d: C is a multiple of 4.
void conv2d_input_grad(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* dy, const float* w,
                       const float* bias, float* dx, const GemmScratch& scratch, Stream stream, const EpilogueArgs& epilogue = {},
                       const ColumnArgs& columns = {});
ColumnNeeds conv2d_input_grad_needs(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, ColumnWork work);
/// dw = gradient of conv with respect to w.
void conv2d_filter_grad(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* x, const float* dy,
                        float* dw, const GemmScratch& scratch, Stream stream);

}  // namespace forger::FORGER_DEVICE
