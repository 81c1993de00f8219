// Convolution and its two gradients through oneDNN. Each object is built once per node and run every step.
//
// Activations NHWC, filters KRSC, all float32. `workspace` is 64-byte aligned and holds workspace_bytes(); its contents
// do not outlive a run. The batch is cut into pieces (pieces.h): results are the same bits from run to run and for any number of
// threads. An object must not run on two threads at once; constructors throw dnnl::error for a shape that supports() declines.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "kernels/common/conv2d_shape.h"
#include "kernels/onednn/pieces.h"
#include "kernels/onednn/primitive.h"

namespace forger::onednn {

/// Why oneDNN declines this convolution (in every direction), or nothing.
std::optional<std::string> supports(const Conv2dShape& shape);

/// What the three directions share: primitives for the pieces of a batch, and a filter in oneDNN's layout.
struct BatchPieces {
  BatchPieces(const Conv2dShape& shape, int64_t most_pieces);
  /// Runs one piece in that thread's scratchpad, all of which start at `scratchpads`.
  void run(int64_t piece, int slot, std::initializer_list<Operand> operands, std::byte* scratchpads);
  /// The scratchpads of all threads.
  std::size_t workspace_bytes() const { return static_cast<std::size_t>(threads) * scratchpad_bytes(primitives); }

  Conv2dShape shape;  // of the whole batch
  Split cut;          // of the images
  int threads;
  std::vector<Primitive> primitives;  // by kind_of()
  FilterReorder reorder;
  std::size_t filter_bytes = 0;  // in oneDNN's layout
};

/// What the two directions that read a filter share. Their workspace is [filter in oneDNN's layout | scratchpads].
struct FilteredPieces : BatchPieces {
  using BatchPieces::BatchPieces;
  /// Tells which layout the primitives read; filters are reordered into it where it is not ours.
  void set_layout(const dnnl::memory::desc& theirs);
  std::size_t workspace_bytes() const { return filter_bytes + BatchPieces::workspace_bytes(); }
  /// Returns w in oneDNN's layout: w itself, or the copy that it makes in the workspace.
  const void* filter(const float* w, std::byte* workspace);
};

/// y = conv(x, w) + bias.
class Conv2d {
 public:
  Conv2d(const Conv2dShape& shape, bool bias);
  std::size_t workspace_bytes() const { return pieces_.workspace_bytes(); }
  /// x: NHWC, w: KRSC, bias: K (null without one), y: NPQK.
  void run(const float* x, const float* w, const float* bias, float* y, void* workspace);

 private:
  FilteredPieces pieces_;
  bool bias_;
};

/// dx = gradient of conv with respect to its input + bias: a transposed convolution of dy.
class Conv2dInputGrad {
 public:
  Conv2dInputGrad(const Conv2dShape& shape, bool bias);
  std::size_t workspace_bytes() const { return pieces_.workspace_bytes(); }
  /// dy: NPQK, w: KRSC, bias: C (null without one), dx: NHWC.
  void run(const float* dy, const float* w, const float* bias, float* dx, void* workspace);

 private:
  FilteredPieces pieces_;
  bool bias_;
};

/// dw = gradient of conv with respect to its filter, summed over the batch: pieces first, then over pieces in their order.
class Conv2dFilterGrad {
 public:
  explicit Conv2dFilterGrad(const Conv2dShape& shape);
  std::size_t workspace_bytes() const;
  /// x: NHWC, dy: NPQK, dw: KRSC.
  void run(const float* x, const float* dy, float* dw, void* workspace);

 private:
  /// The sum itself is dw where nothing has to be added up or reordered.
  bool writes_dw() const { return pieces_.cut.pieces == 1 && !pieces_.reorder.needed(); }
  BatchPieces pieces_;
};

}  // namespace forger::onednn
