#include "bench/kernel_bench.h"

#include <algorithm>
#include <map>

#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/runtime/program.h"

namespace forger {

Ceilings measure_ceilings(const Backend& backend) {
  Device& device = *backend.device;
  constexpr size_t kBytes = 256 << 20;
  constexpr int64_t kSamples = 5;
  const Buffer from(device, kBytes), to(device, kBytes);
  device.upload(from.data(), std::vector<std::byte>(kBytes).data(), kBytes);
  const Timing copy = time_launches(device, kSamples, [&](int64_t) { device.copy(to.data(), from.data(), kBytes); });

  const int64_t size = backend.place == Provider::Place::gpu ? 8192 : backend.place == Provider::Place::cpu ? 1024 : 64;
  Graph graph;
  const Value a = graph.input("a", {DType::f32, {size, size}}), b = graph.input("b", {DType::f32, {size, size}});
  matmul(a, b, false, false);
  const NodeView view(graph, graph.nodes().back(), backend.target);
  double best = 0;
  for (const Provider* provider : backend.providers) {
    const Provider* const only[] = {provider};
    try {
      const KernelTiming t = time_kernel(view, choose_kernel(view, only).kernel->prepare(view), device, kSamples);
      best = std::max(best, 2e-6 * static_cast<double>(size * size * size) / t.warm.min);
    } catch (const Error&) {  // no kernel for it
    }
    if (provider->name == "onednn") break;  // the plain loops would take minutes
  }
  return {2e-6 * static_cast<double>(kBytes) / copy.min, best};
}

std::vector<KernelTime> bench_kernels(const Graph& step, const Backend& backend, const Ceilings& ceilings,
                                      const KernelBenchOptions& options) {
  const Graph graph = run_passes(step, passes_for(backend.target));
  std::map<std::string, int64_t> uses;
  for (const Node& node : graph.nodes()) ++uses[problem_key({graph, node, backend.target})];
  std::vector<KernelTime> rows;
  for (const Node& node : graph.nodes()) {
    if (node.op->is_source || node.op->is_view || (!options.op.empty() && node.op->name != options.op)) continue;
    const NodeView view(graph, node, backend.target);
    const auto it = uses.find(problem_key(view));
    if (it == uses.end()) continue;  // timed already
    const Cost cost = cost_of(graph, node);
    for (const Provider* provider : backend.providers) {
      const auto takes = [&](const Kernel& k) {
        return k.op == node.op->name && (!k.precision || *k.precision == backend.target.precision) && !k.declines(view);
      };
      const auto kernel = std::find_if(provider->kernels.begin(), provider->kernels.end(), takes);
      if (kernel == provider->kernels.end()) continue;
      const KernelTiming timing = time_kernel(view, kernel->prepare(view), *backend.device, options.samples);
      KernelTime row;
      row.warm = timing.warm;
      row.cold = timing.cold;
      row.op = node.op->name;
      row.node = node.path;
      row.output = to_string(view.output(0));
      row.provider = provider->name;
      row.kernel = kernel->name;
      row.uses = it->second;
      row.gflops = static_cast<double>(cost.flops) * 1e-6 / row.cold.median;
      row.gbps = static_cast<double>(cost.bytes) * 1e-6 / row.cold.median;
      row.ceiling = std::max(row.gflops / ceilings.gflops, row.gbps / ceilings.gbps);
      rows.push_back(std::move(row));
    }
    uses.erase(it);
  }
  return rows;
}

}  // namespace forger
