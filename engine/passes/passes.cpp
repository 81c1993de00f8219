#include "engine/passes/passes.h"

namespace forger {

Graph run_passes(const Graph& graph, std::span<const Pass> passes) {
  Graph result = graph;
  for (const Pass& pass : passes) result = pass.run(result);
  return result;
}

std::vector<Pass> default_passes(const Joins& joins) {
  std::vector<Pass> passes = {{"simplify", simplify},
                              {"cse", cse},
                              {"dce", dce},
                              {"fuse_pad", fuse_pad},
                              {"fuse_bias", fuse_bias},
                              {"expand_batch_norm", expand_batch_norm},
                              {"reuse_dropout_output", reuse_dropout_output},
                              {"fuse_elementwise", fuse_elementwise},
                              {"fuse_batch_norm", fuse_batch_norm},
                              {"fuse_epilogue", fuse_epilogue},
                              {"dce", dce}};
  if (joins.statistics) passes.push_back({"fuse_batch_norm_statistics", fuse_batch_norm_statistics});
  if (joins.statistics && joins.columns) passes.push_back({"join_batch_norm", join_batch_norm});
  passes.push_back({"fuse_vector_grads", fuse_vector_grads});
  if (joins.layer_grads) passes.push_back({"fuse_layer_grads", fuse_layer_grads});
  // For what is left: beside a filter gradient a bias's costs no launch, either.
  if (joins.statistics && joins.columns) passes.push_back({"join_column_sums", join_column_sums});
  passes.insert(passes.end(), {{"fuse_small", fuse_small}, {"fuse_head", fuse_head}});
  return passes;
}

}  // namespace forger
