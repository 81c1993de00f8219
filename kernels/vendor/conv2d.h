// Convolution and its two gradients through cuDNN's graph interface, tuned when they are made.
//
// Activations NHWC, filters KRSC, all tensors float32, sums float32. Maths:
//   fp32  engines without tensor cores.
//   tf32  any engine; one with tensor cores rounds operands to 10 mantissa bits in a way that cuDNN does not document.
//   bf16  cuDNN has no engine that takes f32 and computes in bf16. Operands are rounded into the workspace by a kernel of
//         our own (two reads, two writes; its time counts), the sums of the engine leave it as f32. For channel counts
//         that are no multiple of 8 it mostly has no such engine: TF32 plans compete too, and the fastest wins.
// A bias is added by the engine where one can, otherwise by a kernel of our own; both compete.
// Engines that are not deterministic, or that transform (FFT, Winograd), are left out: the same object gives the same
// bits in every run, and sums of small integers are exact. Which engine wins may differ between two processes, as timing
// is noise; see timing.h.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kernels/common/conv2d_shape.h"
#include "kernels/cuda/stream.h"
#include "kernels/vendor/maths.h"

namespace forger::vendor {

/// Why cuDNN cannot be asked for this shape in any direction: its geometry, no library, no GPU. Never throws.
std::optional<std::string> convolution_declines(const Conv2dShape& shape);

/// One prepared convolution. Not for two threads at once.
class Convolution {
 public:
  /// Tries the plans of cuDNN's heuristics on memory of its own: takes time, allocates and synchronises.
  /// Throws DeviceError for what convolution_declines() would say, if no plan runs, or if memory is short.
  Convolution(Direction direction, const Conv2dShape& shape, bool bias, Maths maths);
  ~Convolution();

  size_t workspace_bytes() const;
  /// "engine 67, 31.2 us, best of 8": for benchmarks.
  const std::string& choice() const;

  /// Queues on the stream; allocates nothing and waits for nothing, so it can be captured. `workspace` holds
  /// workspace_bytes() and need not be kept. Throws DeviceError.
  ///   forward:     first x: NHWC,  second w: KRSC,  bias: K,  result y: NPQK
  ///   input_grad:  first dy: NPQK, second w: KRSC,  bias: C,  result dx: NHWC
  ///   filter_grad: first x: NHWC,  second dy: NPQK, no bias,  result dw: KRSC
  /// The result may not overlap an operand.
  void run(const float* first, const float* second, const float* bias, float* result, void* workspace, Stream stream);

 private:
  struct Way;
  std::unique_ptr<Way> way_;
  std::string choice_;
};

}  // namespace forger::vendor
