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

/// A tensor as [rows, channels]: all axes but the last, and the last.
struct Rows {
  int64_t rows, channels;
};
Rows rows_of(const TensorType& type);

/// What a convolution with batch statistics (attribute "statistics") computes beside its result y [rows, channels]. Inputs
/// from `running` on: mean and variance; outputs from 1 on: mean, inv_std, and the new running values.
struct StatisticsOf {
  Rows size;
  double epsilon, momentum;
  size_t running;
};
std::optional<StatisticsOf> statistics_of(const NodeView& node);

/// For kernels that leave the statistics to others: runs `kernel`, then `statistics` on the same memory.
PreparedKernel then_run(PreparedKernel kernel, PreparedKernel statistics);

/// A row's prepare function for convolutions of a provider that makes statistics in a kernel of their own.
template <PreparedKernel (*Convolution)(const NodeView&), PreparedKernel (*Statistics)(const NodeView&)>
PreparedKernel with_statistics(const NodeView& node) {
  return statistics_of(node) ? then_run(Convolution(node), Statistics(node)) : Convolution(node);
}

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
/// The same of batch_norm_grad's tape on its input dy.
std::optional<EpilogueView> prologue_view(const NodeView& node);

/// For kernels that know of no epilogues: runs the kernel, and then apply(tape, its inputs, out, n, args) over the result.
template <class T, class Apply>
PreparedKernel then_epilogue(const NodeView& node, PreparedKernel kernel, Apply apply) {
  const auto epilogue = epilogue_view(node);
  if (!epilogue) return kernel;
  return {[=, run = std::move(kernel.run), n = node.output(0).size()](const KernelArgs& args) {
            run(args);
            apply(epilogue->tape, epilogue->inputs<T>(args, args.out<T>(0), n), args.out<T>(0), n, args);
          },
          kernel.workspace_bytes, kernel.counters};
}

/// For batch_norm_grad kernels that know of no prologues: applies it to dy, writing dx's memory, and runs the kernel on that.
template <class T, class Apply>
PreparedKernel after_prologue(const NodeView& node, PreparedKernel kernel, Apply apply) {
  const auto prologue = prologue_view(node);
  if (!prologue) return kernel;
  return {[=, run = std::move(kernel.run), n = node.output(0).size()](const KernelArgs& args) {
            apply(prologue->tape, prologue->inputs<T>(args, args.in<T>(1), n), args.out<T>(0), n, args);
            std::vector<void*> inputs(args.inputs.begin(), args.inputs.end());
            inputs[1] = args.outputs[0];
            KernelArgs rest = args;
            rest.inputs = inputs;
            run(rest);
          },
          kernel.workspace_bytes, kernel.counters};
}

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
