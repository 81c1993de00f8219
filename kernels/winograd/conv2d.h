// Winograd convolution and its two gradients: fewer multiplications than any direct method.
//
// A filter of R = S = taps * stride is split into stride x stride phases of taps x taps (taps 2 or 4). Each phase is a
// stride-1 correlation with one of the input's phases, so F(3, taps) applies: 36 multiplications for 144 with 4 taps, 16
// for 36 with 2. All phases of a transposed convolution share their transformed tiles. See algebra.h for the error.
//
// Layouts, workspace and the rest of the contract as in kernels/onednn/conv2d.h. Results do not depend on the number of
// threads; those of Conv2dFilterGrad from the fifth thread on do.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "kernels/common/conv2d_shape.h"
#include "kernels/common/isa.h"
#include "kernels/winograd/tile_kernels.h"

namespace forger::winograd {

/// Why these kernels cannot compute a convolution, or nothing.
std::optional<std::string> computes(const Conv2dShape& shape);

/// Why they decline it: cannot compute it, or a direct kernel is likely to be faster.
std::optional<std::string> supports(const Conv2dShape& shape);

/// What the three directions share: the split into phases and tiles.
struct Plan {
  Plan(const Conv2dShape& shape, Isa isa);
  int64_t frequencies() const { return int64_t{tile} * tile; }
  int64_t phases() const { return step * step; }

  Conv2dShape shape;
  const WinogradKernels* kernels;
  const TileKernels* tiles;
  int taps, tile, threads;
  int64_t step;
};

/// y = conv(x, w) + bias.
class Conv2d {
 public:
  Conv2d(const Conv2dShape& shape, bool bias, Isa isa = best_isa());
  std::size_t workspace_bytes() const;
  /// x: NHWC, w: KRSC, bias: K (null without one), y: NPQK.
  void run(const float* x, const float* w, const float* bias, float* y, void* workspace) const;

 private:
  Plan plan_;
  bool bias_;
};

/// dx = gradient of conv with respect to its input + bias: a transposed convolution of dy.
class Conv2dInputGrad {
 public:
  Conv2dInputGrad(const Conv2dShape& shape, bool bias, Isa isa = best_isa());
  std::size_t workspace_bytes() const;
  /// dy: NPQK, w: KRSC, bias: C (null without one), dx: NHWC.
  void run(const float* dy, const float* w, const float* bias, float* dx, void* workspace) const;

 private:
  Plan plan_;
  bool bias_;
};

/// dw = gradient of conv with respect to its filter, summed over the batch.
class Conv2dFilterGrad {
 public:
  explicit Conv2dFilterGrad(const Conv2dShape& shape, Isa isa = best_isa());
  std::size_t workspace_bytes() const;
  /// x: NHWC, dy: NPQK, dw: KRSC.
  void run(const float* x, const float* dy, float* dw, void* workspace) const;

 private:
  Plan plan_;
};

}  // namespace forger::winograd
