// Graph-to-graph rewrites. Each keeps variables, outputs and what they compute; each verifies its result.
#pragma once

#include "engine/graph/graph.h"

namespace forger {

/// Dead code elimination: drops nodes that neither an output nor a variable's update needs.
Graph dce(const Graph& graph);

/// Common subexpression elimination: nodes of equal op, inputs and attributes become one. Random nodes differ by
/// their stream, so independent draws stay apart.
Graph cse(const Graph& graph);

/// Removes multiplications by one, which the seed of backpropagation leaves behind, and additions of zero, folds broadcasts
/// of constants, and writes zero for the gradient of a bias in front of a batch norm (docs/numerics.md).
Graph simplify(const Graph& graph);

/// Sums and differences with a padded tensor touch only what is inside the padding: window_add.
Graph fuse_pad(const Graph& graph);

/// bias_add on a convolution or matmul that nothing else reads becomes the bias operand of that op.
Graph fuse_bias(const Graph& graph);

/// Chains and trees of elementwise ops become one fused_elementwise node; broadcasts along leading axes become reads
/// of a smaller operand.
Graph fuse_elementwise(const Graph& graph);

/// batch_norm_inference behind a convolution or matmul becomes scalar ops, which fuse into an epilogue.
Graph expand_batch_norm(const Graph& graph);

/// The slope of an activation in front of a dropout is read off the dropout's result, in products with the same mask: the
/// activation's own result is then needed by the dropout alone.
Graph reuse_dropout_output(const Graph& graph);

/// Elementwise work on what batch_norm_training gives, and on the gradient that batch_norm_grad takes, becomes those nodes'
/// epilogue and prologue, where nothing else reads what passes between.
Graph fuse_batch_norm(const Graph& graph);

/// Elementwise work on the result of a convolution or matmul that nothing else reads becomes that node's epilogue.
Graph fuse_epilogue(const Graph& graph);

/// The statistics of a batch norm become outputs of the convolution in front of it; batch_norm_apply is left. For devices
/// whose convolutions make statistics in passing (Target::fuse_statistics): elsewhere it only moves them.
Graph fuse_batch_norm_statistics(const Graph& graph);

/// A convolution and the batch norm behind it (batch_norm_apply or batch_norm_grad) become one block_program whose nodes run
/// together. For devices whose blocks may wait for each other (Target::together). After fuse_batch_norm_statistics.
Graph join_batch_norm(const Graph& graph);

/// The same for a convolution and the sum over all axes of its result but the last: a bias's gradient.
Graph join_column_sums(const Graph& graph);

/// The two gradients of a matrix times a vector (of a discriminator's last layer) become one block_program.
Graph fuse_vector_grads(const Graph& graph);

/// The gradients of a layer with respect to input, filter and bias become one block_program, whose nodes may run at once. For
/// devices that have a kernel for it (Target::fuse_layer_grads).
Graph fuse_layer_grads(const Graph& graph);

/// Small nodes (losses, metrics, noise, counters) become block_programs, each of which one thread block runs. Runs last.
Graph fuse_small(const Graph& graph);

/// The product of a matrix and a vector (a discriminator's logits) joins the block_program that reads it. After fuse_small.
Graph fuse_head(const Graph& graph);

struct Pass {
  const char* name;
  Graph (*run)(const Graph&);
};
Graph run_passes(const Graph& graph, std::span<const Pass> passes);

/// Which joins a device has kernels for.
struct Joins {
  bool statistics = false;   // a batch norm's into the convolution in front of it
  bool columns = false;      // whole batch norms, and sums: needs `statistics`
  bool layer_grads = false;  // the gradients of a layer
};
/// The passes that compile() runs, in order.
std::vector<Pass> default_passes(const Joins& joins = {});

}  // namespace forger
