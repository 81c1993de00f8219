#include "engine/runtime/overlap.h"

#include <set>
#include <vector>

#include "kernels/cuda/check.h"

namespace forger {
namespace {

#if CUDART_VERSION >= 13000
constexpr auto get_edges = cudaGraphGetEdges;
constexpr auto add_edges = cudaGraphAddDependencies;
constexpr auto remove_edges = cudaGraphRemoveDependencies;
#else
constexpr auto get_edges = cudaGraphGetEdges_v2;
constexpr auto add_edges = cudaGraphAddDependencies_v2;
constexpr auto remove_edges = cudaGraphRemoveDependencies_v2;
#endif

/// Kernels that are not launched cooperatively.
std::set<cudaGraphNode_t> ordinary_kernels(cudaGraph_t graph) {
  size_t count = 0;
  FORGER_CUDA_CHECK(cudaGraphGetNodes(graph, nullptr, &count));
  std::vector<cudaGraphNode_t> nodes(count);
  FORGER_CUDA_CHECK(cudaGraphGetNodes(graph, nodes.data(), &count));
  std::set<cudaGraphNode_t> kernels;
  for (const cudaGraphNode_t node : nodes) {
    cudaGraphNodeType type{};
    FORGER_CUDA_CHECK(cudaGraphNodeGetType(node, &type));
    if (type != cudaGraphNodeTypeKernel) continue;
    cudaLaunchAttributeValue value{};
    FORGER_CUDA_CHECK(cudaGraphKernelNodeGetAttribute(node, cudaLaunchAttributeCooperative, &value));
    if (value.cooperative == 0) kernels.insert(node);
  }
  return kernels;
}

}  // namespace

void overlap_kernels(cudaGraph_t graph) {
  const std::set<cudaGraphNode_t> kernels = ordinary_kernels(graph);
  size_t count = 0;
  FORGER_CUDA_CHECK(get_edges(graph, nullptr, nullptr, nullptr, &count));
  std::vector<cudaGraphNode_t> from(count), to(count);
  std::vector<cudaGraphEdgeData> data(count);
  FORGER_CUDA_CHECK(get_edges(graph, from.data(), to.data(), data.data(), &count));
  // A kernel with one whole dependency cannot begin early, whatever the others are.
  std::set<cudaGraphNode_t> wait_whole;
  for (size_t i = 0; i < count; ++i) {
    if (!kernels.contains(from[i])) wait_whole.insert(to[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    if (!kernels.contains(to[i]) || wait_whole.contains(to[i])) continue;
    cudaGraphEdgeData early{};
    early.from_port = cudaGraphKernelNodePortProgrammatic;
    early.type = cudaGraphDependencyTypeProgrammatic;
    FORGER_CUDA_CHECK(remove_edges(graph, &from[i], &to[i], &data[i], 1));
    FORGER_CUDA_CHECK(add_edges(graph, &from[i], &to[i], &early, 1));
  }
}

}  // namespace forger
