#include "engine/providers/program_adapter.h"

#include <algorithm>

#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"

namespace forger {
namespace {

/// Where a value of the program lies: in the memory of an input or output of the node, or in its workspace.
struct Slot {
  enum class Kind : uint8_t { input, output, workspace } kind;
  size_t index;  // for the workspace: bytes

  void* address(const KernelArgs& a) const {
    if (kind == Kind::workspace) return static_cast<std::byte*>(a.workspace) + index;
    return kind == Kind::input ? a.inputs[index] : a.outputs[index];
  }
};

struct Step {
  PreparedKernel kernel;
  std::vector<Slot> inputs, outputs;
  Slot workspace;
  size_t first_counter;
};

/// A value that its last reader may overwrite with an output of the node lies where that output will. Only where no output takes
/// over an input that others still read by then: in programs that may run together.
void share_outputs(const Graph& program, std::vector<std::optional<Slot>>& slots) {
  std::vector<NodeId> last_reader(slots.size(), -1);
  for (const Node& node : program.nodes()) {
    for (ValueId id : node.inputs) last_reader[static_cast<size_t>(id)] = node.id;
  }
  for (const Node& node : program.nodes()) {
    const InPlace may = node.op->in_place ? node.op->in_place(node) : InPlace{};
    for (size_t o = 0; o < may.size() && !node.op->is_view; ++o) {
      const auto& output = slots[static_cast<size_t>(node.outputs[o])];
      for (const size_t i : may[o]) {
        const ValueId id = node.inputs[i];
        auto& input = slots[static_cast<size_t>(id)];
        const bool shares = output && output->kind == Slot::Kind::output && !input && !program.producer(id).op->is_view &&
                            last_reader[static_cast<size_t>(id)] == node.id && program.type(id) == program.type(node.outputs[o]);
        if (!shares) continue;
        input = output;
        break;
      }
    }
  }
}

}  // namespace

PreparedKernel prepare_one_by_one(const NodeView& v, std::span<const Provider* const> providers) {
  const Graph& program = program_of(v.node());
  size_t bytes = 0, counters = 0;
  const auto reserve = [&](size_t count) {
    constexpr size_t kAlignment = 64;
    const Slot slot{Slot::Kind::workspace, bytes};
    bytes += (count + kAlignment - 1) / kAlignment * kAlignment;
    return slot;
  };
  std::vector<std::optional<Slot>> slots(static_cast<size_t>(program.num_values()));
  for (size_t i = 0; i < v.num_inputs(); ++i) slots[i] = {Slot::Kind::input, i};  // the inputs are the first values
  for (size_t o = 0; o < program.outputs().size(); ++o) {
    slots[static_cast<size_t>(program.outputs()[o].second)] = {Slot::Kind::output, o};
  }
  if (runs_together(v.node())) share_outputs(program, slots);
  std::vector<Step> steps;
  std::string plan;
  for (const Node& node : program.nodes()) {
    if (node.op->is_source) continue;
    const auto slot_of = [&](ValueId id) -> std::optional<Slot>& { return slots[static_cast<size_t>(id)]; };
    if (node.op->is_view && !slot_of(node.outputs[0])) {
      slot_of(node.outputs[0]) = slot_of(node.inputs[0]);
      continue;
    }
    const NodeView inner(program, node, v.target());
    const Kernel& kernel = *choose_kernel(inner, providers).kernel;
    Step step{kernel.prepare(inner), {}, {}, {}, counters};
    plan += fmt::format("{}{}{}", plan.empty() ? "" : "; ", kernel.name, step.kernel.plan.empty() ? "" : ": " + step.kernel.plan);
    counters += step.kernel.counters;
    for (ValueId id : node.inputs) step.inputs.push_back(*slot_of(id));
    for (ValueId id : node.outputs) {
      if (!slot_of(id)) slot_of(id) = reserve(program.type(id).bytes());
      step.outputs.push_back(*slot_of(id));
    }
    if (step.kernel.workspace_bytes > 0) step.workspace = reserve(step.kernel.workspace_bytes);
    steps.push_back(std::move(step));
  }
  return {[steps = std::move(steps)](const KernelArgs& a) {
            std::vector<void*> inputs, outputs;
            for (const Step& step : steps) {
              inputs.clear();
              outputs.clear();
              for (const Slot& s : step.inputs) inputs.push_back(s.address(a));
              for (const Slot& s : step.outputs) outputs.push_back(s.address(a));
              void* const workspace = step.kernel.workspace_bytes > 0 ? step.workspace.address(a) : nullptr;
              step.kernel.run({inputs, outputs, workspace, a.stream, a.counters + step.first_counter});
            }
          },
          bytes, counters, 0, plan};
}

}  // namespace forger
