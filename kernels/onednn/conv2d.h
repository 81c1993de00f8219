// Convolution and its two gradients through oneDNN. Each object is built once per node and run every step.
//
// Activations NHWC, filters KRSC, all float32. `workspace` is 64-byte aligned and holds workspace_bytes(); its contents
// do not outlive a run. Results are bit-identical from run to run with the same number of threads. An object must not
// run on two threads at once; constructors throw dnnl::error for a shape that supports() declines.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "kernels/common/conv2d_shape.h"
#include "kernels/onednn/primitive.h"

namespace forger::onednn {

/// Why oneDNN declines this convolution (in every direction), or nothing.
std::optional<std::string> supports(const Conv2dShape& shape);

/// y = conv(x, w) + bias.
class Conv2d {
 public:
  Conv2d(const Conv2dShape& shape, bool bias);
  std::size_t workspace_bytes() const { return primitive_.workspace_bytes(); }
  /// x: NHWC, w: KRSC, bias: K (null without one), y: NPQK.
  void run(const float* x, const float* w, const float* bias, float* y, void* workspace);

 private:
  Primitive primitive_;
  bool bias_;
};

/// dx = gradient of conv with respect to its input + bias: a transposed convolution of dy.
class Conv2dInputGrad {
 public:
  Conv2dInputGrad(const Conv2dShape& shape, bool bias);
  std::size_t workspace_bytes() const { return primitive_.workspace_bytes(); }
  /// dy: NPQK, w: KRSC, bias: C (null without one), dx: NHWC.
  void run(const float* dy, const float* w, const float* bias, float* dx, void* workspace);

 private:
  Primitive primitive_;
  Conv2dShape shape_;
  bool bias_;
};

/// dw = gradient of conv with respect to its filter, summed over the batch.
class Conv2dFilterGrad {
 public:
  explicit Conv2dFilterGrad(const Conv2dShape& shape);
  std::size_t workspace_bytes() const { return primitive_.workspace_bytes(); }
  /// x: NHWC, dy: NPQK, dw: KRSC.
  void run(const float* x, const float* dy, float* dw, void* workspace);

 private:
  Primitive primitive_;
};

}  // namespace forger::onednn
