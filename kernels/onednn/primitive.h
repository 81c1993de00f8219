// What the oneDNN kernels share: a primitive that many threads run at once, and the reorder of a filter.
//
// oneDNN chooses its algorithm and its blocked filter layout when a primitive is created. Activations stay NHWC:
// its NHWC kernels measure within a few percent of its blocked ones, so only filters (small) are reordered, once per run.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <unordered_map>
#include <vector>

#include "kernels/common/conv2d_shape.h"
#include "kernels/onednn/api.h"

namespace forger::onednn {

/// The CPU, which all primitives share.
const dnnl::engine& cpu_engine();

/// Attributes under which the caller, not oneDNN, owns the scratchpad: a primitive may then run on several threads at once.
dnnl::primitive_attr own_scratchpad();

/// Rounds up to a cache line, for parts of a workspace.
std::size_t round_up(std::size_t bytes);

/// Descriptors of a convolution's tensors. Filters are described as oneDNN's logical K x C x R x S.
struct Conv2dDescs {
  explicit Conv2dDescs(const Conv2dShape& s);
  dnnl::memory::desc x, y;                 // NHWC
  dnnl::memory::desc filter, filter_krsc;  // oneDNN's choice; ours
  dnnl::memory::desc bias;                 // K
  dnnl::memory::dims strides, pad_before, pad_after;
};

/// One operand of a primitive: DNNL_ARG_SRC, ... and its elements; null for an operand that is absent.
struct Operand {
  int id;
  const void* data;
};

/// A primitive, and for each thread that may run it the arguments and the stream of that thread.
class Primitive {
 public:
  using Operands = std::vector<std::pair<int, dnnl::memory::desc>>;
  /// `scratchpad` is the primitive descriptor's scratchpad_desc().
  Primitive(dnnl::primitive primitive, const dnnl::memory::desc& scratchpad, const Operands& operands, int threads);

  std::size_t scratchpad_bytes() const { return scratchpad_bytes_; }
  /// Threads that run it at once have different slots and scratchpads.
  void run(int slot, std::initializer_list<Operand> operands, void* scratchpad);

 private:
  struct Slot {
    dnnl::stream stream;
    std::unordered_map<int, dnnl::memory> arguments;
  };
  dnnl::primitive primitive_;
  std::vector<Slot> slots_;
  std::size_t scratchpad_bytes_;
};

/// Bytes of a scratchpad that is large enough for each of the primitives.
std::size_t scratchpad_bytes(const std::vector<Primitive>& primitives);

/// Copies a filter from one layout to another, in pieces of a few output channels; does nothing where the layouts are the same.
class FilterReorder {
 public:
  FilterReorder() = default;
  FilterReorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to, const Conv2dShape& shape);
  bool needed() const { return !parts_.empty(); }
  void run(const void* from, void* to);

 private:
  struct Part {
    dnnl::memory from, to;
    dnnl::reorder reorder;
    dnnl::stream stream;
  };
  std::vector<Part> parts_;
};

}  // namespace forger::onednn
