// A compiled graph: a flat list of launches and one memory plan.
#pragma once

#include "engine/memory/planner.h"
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
/// With the default passes.
Program compile(const Graph& graph, std::span<const Provider* const> providers, const Target& target = {});

/// What `forger explain` prints: launches with their kernels and why others declined, then the memory plan.
std::string explain(const Program& program);

}  // namespace forger
