// A compiled graph: a flat list of launches and one memory plan.
#pragma once

#include "engine/memory/planner.h"
#include "engine/ops/op_spec.h"
#include "engine/providers/provider.h"

namespace forger {

struct Launch {
  NodeId node;
  Choice choice;
  PreparedKernel kernel;
};

struct Program {
  Graph graph;
  MemoryPlan memory;
  std::vector<Launch> launches;  // views and sources need none
};

/// Runs the passes, chooses a kernel for every node (the first provider that supports it), plans memory.
Program compile(const Graph& graph, std::span<const Provider* const> providers, const Target& target,
                std::span<const struct Pass> passes);
/// The default passes for a target; none where it fuses nothing.
std::vector<struct Pass> passes_for(const Target& target);
/// With those.
Program compile(const Graph& graph, std::span<const Provider* const> providers, const Target& target = {});

/// A program's work on paper.
struct WorkDone {
  Cost all, chain;            // of all launches; of the longest chain
  std::vector<int> chain_launches;  // which wait for each other one by one
};
WorkDone work_of(const Program& program);

/// What `forger explain` prints: launches with their kernels and why others declined, then the memory plan.
std::string explain(const Program& program);

}  // namespace forger
