// The gradients of a layer in one launch: of its input, its filter and its bias, which all read the gradient of its result.
//
// x: NHWC, w: KRSC, y: NPQK, all f32 and aligned to 16 bytes. Layers are convolutions or transposed ones; a dense layer with
// weights [in, out] is a transposed convolution of one pixel with C = out and K = in.
#pragma once

#include "kernels/common/conv2d_shape.h"
#include "kernels/cuda/epilogue_args.h"
#include "kernels/cuda/gemm_pair_plan.h"

namespace forger::FORGER_DEVICE {

/// Which gradients of which layer.
struct Conv2dGrads {
  Conv2dShape shape;
  bool transposed = false;  // the layer is y -> x: its result is [N,H,W,C], its bias [C]
  bool of_input = true;     // the filter's is always asked for
  bool of_bias = false;

  /// Of the products that make the input's gradient and the filter's.
  GemmPair products() const;
};

struct Conv2dGradsPlan {
  GemmPairPlan products;
  int bias_splits = 0;  // of the rows that are summed; 0: no bias
};

struct Conv2dGradsArgs {
  const float *gradient, *w, *input;  // gradient: of the layer's result; w: null if the input has no gradient
  float *input_grad, *filter_grad, *bias_grad;
};

/// Why a layer cannot be done so, as a static string; null: it can.
const char* conv2d_grads_declines(const Conv2dShape& s);

Conv2dGradsPlan conv2d_grads_plan(const Conv2dGrads& g, const GemmPairPlan& products, const Multiprocessors& gpu);
size_t conv2d_grads_workspace_bytes(const Conv2dGrads& g, const Conv2dGradsPlan& plan);
size_t conv2d_grads_counters(const Conv2dGrads& g, Arithmetic arithmetic, const Conv2dGradsPlan& plan);

/// The epilogue is the input gradient's, whose memory may be that of an operand of its epilogue, but of no other operand.
/// Counters are zero before and after. Throws nothing but DeviceError for a launch that CUDA refuses.
void conv2d_grads(const Conv2dGrads& g, Arithmetic arithmetic, const Conv2dGradsPlan& plan, const Conv2dGradsArgs& args,
                  const GemmScratch& scratch, Stream stream, const EpilogueArgs& epilogue = {});

}  // namespace forger::FORGER_DEVICE
