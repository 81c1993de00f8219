// Direct convolution for few output channels, such as a generator's last layer (64 -> 1, 7x7).
//
// Libraries block over output channels and leave 15 of 16 lanes idle here; these kernels run at 10 times the speed.
// Layouts, workspace and determinism as in kernels/onednn/conv2d.h; the result does not depend on the thread count.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "kernels/common/conv2d_shape.h"
#include "kernels/common/isa.h"
#include "kernels/direct/few_outputs_kernels.h"

namespace forger::direct {

/// Why the kernel declines a shape, or nothing.
std::optional<std::string> supports_forward(const Conv2dShape& shape);
std::optional<std::string> supports_filter_grad(const Conv2dShape& shape);

/// y = conv(x, w) + bias.
class Conv2d {
 public:
  Conv2d(const Conv2dShape& shape, bool bias, Isa isa = best_isa());
  std::size_t workspace_bytes() const;
  /// x: NHWC, w: KRSC, bias: K (null without one), y: NPQK.
  void run(const float* x, const float* w, const float* bias, float* y, void* workspace) const;

 private:
  Conv2dShape shape_;
  FewOutputs image_;
  FewOutputsKernels kernels_;
  bool bias_;
  int threads_;
};

/// dw = gradient of conv with respect to its filter, summed over the batch.
class Conv2dFilterGrad {
 public:
  explicit Conv2dFilterGrad(const Conv2dShape& shape, Isa isa = best_isa());
  std::size_t workspace_bytes() const;
  /// x: NHWC, dy: NPQK, dw: KRSC.
  void run(const float* x, const float* dy, float* dw, void* workspace) const;

 private:
  Conv2dShape shape_;
  FewOutputs image_;
  FewOutputsKernels kernels_;
  int threads_;
};

}  // namespace forger::direct
