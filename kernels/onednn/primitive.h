// What the oneDNN kernels share: one prepared primitive, and the reorder of its filter.
//
// oneDNN chooses its algorithm and its blocked filter layout when a primitive is created. Activations stay NHWC:
// its NHWC kernels measure within a few percent of its blocked ones, so only filters (small) are reordered, once per run.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "kernels/common/conv2d_shape.h"
#include "kernels/onednn/api.h"

namespace forger::onednn {

using Arguments = std::unordered_map<int, dnnl::memory>;

/// Descriptors of a convolution's tensors. Filters are described as oneDNN's logical K x C x R x S.
struct Conv2dDescs {
  explicit Conv2dDescs(const Conv2dShape& s);
  dnnl::memory::desc x, y;                 // NHWC
  dnnl::memory::desc filter, filter_krsc;  // oneDNN's choice; ours
  dnnl::memory::desc bias;                 // K
  dnnl::memory::dims strides, pad_before, pad_after;
};

/// A primitive, its arguments, and a workspace cut into [filter in oneDNN's layout | oneDNN's scratchpad].
class Primitive {
 public:
  Primitive() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {}
  Primitive(const Primitive&) = delete;
  Primitive& operator=(const Primitive&) = delete;

  const dnnl::engine& engine() const { return engine_; }
  /// Attributes under which the caller, not oneDNN, owns the scratchpad.
  static dnnl::primitive_attr attributes();

  /// `scratchpad` is the primitive descriptor's scratchpad_desc().
  void set(dnnl::primitive primitive, const dnnl::memory::desc& scratchpad);
  void add_argument(int id, const dnnl::memory::desc& desc);
  /// An argument whose caller-side layout `ours` may differ from `theirs`: reordered before or after the primitive.
  void add_reordered_input(int id, const dnnl::memory::desc& ours, const dnnl::memory::desc& theirs);
  void add_reordered_output(int id, const dnnl::memory::desc& ours, const dnnl::memory::desc& theirs);

  std::size_t workspace_bytes() const { return filter_bytes_ + scratchpad_bytes_; }
  void bind(int id, const void* data) { arguments_.at(id).set_data_handle(const_cast<void*>(data)); }
  /// Binds the caller's side of a reordered argument.
  void bind_reordered(int id, const void* data);
  void run(void* workspace);

 private:
  void prepare_reorder(int id, const dnnl::memory::desc& ours, const dnnl::memory::desc& theirs);

  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::primitive primitive_;
  Arguments arguments_;
  dnnl::memory ours_;             // the reordered argument in the caller's layout
  dnnl::reorder before_, after_;  // empty when the layouts agree
  int reordered_id_ = 0;
  bool reorders_ = false, is_output_ = false;
  std::size_t filter_bytes_ = 0, scratchpad_bytes_ = 0;
};

}  // namespace forger::onednn
