#include "engine/runtime/autotune.h"

#include <limits>

#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/runtime/kernel_timer.h"
#include "engine/runtime/program.h"

namespace forger {
namespace {

constexpr int64_t kSamples = 7;  // of which the median counts

struct Problem {
  const Graph* graph;
  const Node* node;
  const Kernel* kernel;
};

std::string fastest_plan(const Problem& problem, Target target, const std::string& key, const std::vector<std::string>& plans,
                         const PlanTimer& time) {
  double least = std::numeric_limits<double>::infinity();
  std::string best, reason;
  for (const std::string& plan : plans) {
    target.tuning = std::make_shared<const Tuning>(Tuning{{key, plan}});
    const NodeView view(*problem.graph, *problem.node, target);
    try {
      const double milliseconds = time(view, problem.kernel->prepare(view));
      if (milliseconds < least) {
        least = milliseconds;
        best = plan;
      }
    } catch (const DeviceError& e) {  // a launch that this device refuses
      reason = e.what();
    }
  }
  if (best.empty())
    fail<DeviceError>("{}: none of the {} plans of {} can run: {}", problem.node->path, plans.size(), problem.kernel->name,
                      reason);
  return best;
}

}  // namespace

PlanTimer device_plan_timer(Device& device) {
  return [&device](const NodeView& view, const PreparedKernel& kernel) {
    return time_kernel(view, kernel, device, kSamples).cold.median;
  };
}

Tuning autotune(const Graph& step, std::span<const Provider* const> providers, Target target, Tuning known, const PlanTimer& time,
                const std::function<void(const std::string&, size_t, size_t)>& progress) {
  target.tuning = nullptr;
  const Graph graph = run_passes(step, passes_for(target));
  std::map<std::string, Problem> problems;
  const auto find = [&](const Graph& of, const Node& node) {
    const NodeView view(of, node, target);
    const Kernel* const kernel = choose_kernel(view, providers).kernel;
    if (kernel->plans && !known.contains(problem_key(view))) problems.emplace(problem_key(view), Problem{&of, &node, kernel});
    return kernel->plans != nullptr;
  };
  for (const Node& node : graph.nodes()) {
    if (node.op->is_source || node.op->is_view) continue;
    if (find(graph, node) || !runs_together(node)) continue;
    for (const Node& inner : program_of(node).nodes()) {  // they run one by one
      if (!inner.op->is_source) find(program_of(node), inner);
    }
  }
  size_t done = 0;
  for (const auto& [key, problem] : problems) {
    const auto plans = problem.kernel->plans({*problem.graph, *problem.node, target});
    known[key] = fastest_plan(problem, target, key, plans, time);
    if (progress) progress(key, ++done, problems.size());
  }
  return known;
}

}  // namespace forger
