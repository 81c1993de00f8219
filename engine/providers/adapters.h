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

/// Whether a convolution or matrix product has a bias: a third input that is not its epilogue's.
bool has_bias(const NodeView& node);

/// A node's epilogue (engine/ops/epilogue.h): the operands of its tape, from the second on, are inputs first, first + 1 ...
struct EpilogueView {
  ElementwiseTape tape;
  size_t first;
  std::vector<int64_t> periods;  // of the operands

  /// The tape's inputs, of which `result` is the first.
  template <class T>
  std::vector<ElementwiseInput<T>> inputs(const KernelArgs& args, const T* result, int64_t n) const {
    std::vector<ElementwiseInput<T>> all{{result, n}};
    for (size_t i = 0; i < periods.size(); ++i) all.push_back({args.in<T>(first + i), periods[i]});
    return all;
  }
};
std::optional<EpilogueView> epilogue_view(const NodeView& node);

/// For kernels that know of no epilogues: runs the kernel, and then apply(tape, its inputs, out, n, args) over the result.
template <class T, class Apply>
PreparedKernel then_epilogue(const NodeView& node, PreparedKernel kernel, Apply apply) {
  const auto epilogue = epilogue_view(node);
  if (!epilogue) return kernel;
  return {[=, run = std::move(kernel.run), n = node.output(0).size()](const KernelArgs& args) {
            run(args);
            apply(epilogue->tape, epilogue->inputs<T>(args, args.out<T>(0), n), args.out<T>(0), n, args);
          },
          kernel.workspace_bytes};
}

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
