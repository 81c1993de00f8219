#include "engine/runtime/program.h"

#include <algorithm>

#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/runtime/dependencies.h"

namespace forger {

Program compile(const Graph& graph, std::span<const Provider* const> providers, const Target& target,
                std::span<const Pass> passes) {
  verify(graph);
  Program program{run_passes(graph, passes), {}, {}};

  std::vector<size_t> workspace(program.graph.nodes().size(), 0);
  for (const Node& node : program.graph.nodes()) {
    if (node.op->is_source || node.op->is_view) continue;
    const NodeView view(program.graph, node, target);
    Launch launch{node.id, choose_kernel(view, providers), {}};
    launch.kernel = launch.choice.kernel->prepare(view);
    workspace[static_cast<size_t>(node.id)] = launch.kernel.workspace_bytes;
    program.launches.push_back(std::move(launch));
  }
  program.memory = plan_memory(program.graph, workspace, target.memory_slack);
  return program;
}

Program compile(const Graph& graph, std::span<const Provider* const> providers, const Target& target) {
  return compile(graph, providers, target, passes_for(target));
}

std::vector<Pass> passes_for(const Target& target) {
  if (!target.fuse) return {};
  return default_passes(
      {.statistics = target.fuse_statistics, .columns = target.together > 0, .layer_grads = target.fuse_layer_grads});
}

WorkDone work_of(const Program& p) {
  WorkDone work;
  const auto add = [&](Cost& total, const Launch& launch) {
    const Cost cost = cost_of(p.graph, p.graph.node(launch.node));
    total.flops += cost.flops;
    total.bytes += cost.bytes;
  };
  for (const Launch& launch : p.launches) add(work.all, launch);
  work.chain_launches = critical_path(launch_dependencies(p));
  for (int i : work.chain_launches) add(work.chain, p.launches[static_cast<size_t>(i)]);
  return work;
}

namespace {

std::string mib(size_t bytes) {
  return fmt::format("{:.2f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string place(const Program& p, ValueId id) {
  const Location& where = p.memory.values[static_cast<size_t>(id)];
  switch (where.kind) {
    case Location::Kind::arena:
      return fmt::format("@{}", p.memory.block_offsets[where.index]);
    case Location::Kind::variable:
      return "var " + p.graph.variables()[where.index].name;
    case Location::Kind::input:
      return "input";
  }
  return "";
}

}  // namespace

std::string explain(const Program& p) {
  std::string text = fmt::format("{} launches\n", p.launches.size());
  const WorkDone work = work_of(p);
  int number = 0;
  for (const Launch& launch : p.launches) {
    const Node& node = p.graph.node(launch.node);
    const Cost cost = cost_of(p.graph, node);
    const std::string where = node.outputs.size() > 3 ? fmt::format("{} outputs", node.outputs.size()) : [&] {
      std::string s;
      for (ValueId id : node.outputs) {
        s += (s.empty() ? "" : ", ") + place(p, id) + (p.memory.in_place[static_cast<size_t>(id)] ? " in place" : "");
      }
      return s;
    }();
    const auto& chain = work.chain_launches;
    const bool critical = std::find(chain.begin(), chain.end(), number) != chain.end();
    text += fmt::format("{:4}{} {:<52} {:<18} {:<34} {:>9.3f} MFLOP {:>8.3f} MB  {}\n", number++, critical ? '*' : ' ', node.path,
                        to_string(p.graph.type(node.outputs[0])), launch.choice.kernel->name,
                        static_cast<double>(cost.flops) * 1e-6, static_cast<double>(cost.bytes) * 1e-6, where);
    if (!launch.kernel.plan.empty()) text += fmt::format("       {}\n", launch.kernel.plan);
    for (const std::string& reason : launch.choice.declined) text += fmt::format("       not {}\n", reason);
  }
  text += fmt::format("\ntotal       {:.3f} GFLOP, {:.1f} MB read and written\n", static_cast<double>(work.all.flops) * 1e-9,
                      static_cast<double>(work.all.bytes) * 1e-6);
  text += fmt::format(
      "arena       {} at its peak, {} if every value had memory of its own ({:.1f}x)\n", mib(p.memory.arena_bytes),
      mib(p.memory.bytes_without_reuse),
      static_cast<double>(p.memory.bytes_without_reuse) / static_cast<double>(std::max<size_t>(p.memory.arena_bytes, 1)));
  text += fmt::format("variables   {} ({}), {} updates copied, the others in place\n", mib(p.memory.variable_bytes),
                      p.graph.variables().size(), p.memory.final_copies.size());
  text += fmt::format(
      "critical    {} of {} launches (*) wait for each other one by one, {:.3f} GFLOP of the work; others run beside them on a "
      "GPU\n",
      work.chain_launches.size(), p.launches.size(), static_cast<double>(work.chain.flops) * 1e-9);
  return text;
}

}  // namespace forger
