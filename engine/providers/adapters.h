// What provider tables read off a node: sizes in the form that kernels take them.
#pragma once

#include <cstring>
#include <vector>

#include "engine/providers/provider.h"
#include "kernels/common/elementwise.h"
#include "kernels/common/pool_shape.h"
#include "kernels/reference/random.h"

namespace forger {

struct MatmulSize {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
};
MatmulSize matmul_size(const NodeView& node);

/// A tensor as [rows, channels]: all axes but the last, and the last.
struct Rows {
  int64_t rows, channels;
};
Rows rows_of(const TensorType& type);

/// Of a pooling node, whose first input is what the windows lie on.
PoolShape pool_shape_of(const NodeView& node);

/// A scalar op is a tape of one instruction; fused_elementwise brings its own.
ElementwiseTape tape_of(const NodeView& node);
/// How often each input of an elementwise node repeats: its number of elements. Seed and step are not among them.
std::vector<int64_t> periods_of(const NodeView& node);

/// Elements of each tensor of an optimizer node whose inputs are `first` scalars and then groups of `group`.
std::vector<int64_t> group_sizes(const NodeView& node, size_t first, size_t group);

/// Why a kernel for f32 alone declines; nullopt if the graph is f32.
std::optional<std::string> needs_f32(const NodeView& node);

/// The Philox key of a random node: its stream, and seed and step from its last two inputs.
struct RandomSource {
  uint64_t stream;
  size_t seed_input;

  reference::RandomKey key(const KernelArgs& args) const {
    return {*args.in<uint64_t>(seed_input), stream, static_cast<uint64_t>(*args.in<int64_t>(seed_input + 1))};
  }
};
RandomSource random_of(const NodeView& node);

/// Of a node whose tape may draw random numbers, on a CPU: from its last two inputs, if it does.
TapeRandom tape_random(const ElementwiseTape& tape, const KernelArgs& args);

}  // namespace forger
