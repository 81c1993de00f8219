// block_program: a graph of small nodes as one node, which one thread block runs without leaving its multiprocessor.
#include "engine/ops/block_program.h"

#include <algorithm>

#include "engine/ops/common.h"

namespace forger {
namespace {

std::vector<TensorType> infer_program(const InferContext& c) {
  const Graph& program = *c.attributes.get<Subgraph>("program").graph;
  verify(program);
  size_t count = 0;
  for (const Node& node : program.nodes()) {
    if (node.op->name != "input") continue;
    c.require(node.id == static_cast<NodeId>(count), "input {} of the program stands behind its nodes", count);
    c.require(count < c.inputs.size() && c.inputs[count] == program.type(node.outputs[0]), "input {} of the program is {}", count,
              to_string(program.type(node.outputs[0])));
    ++count;
  }
  c.require_inputs(count);
  std::vector<TensorType> outputs;
  for (const auto& [name, id] : program.outputs()) outputs.push_back(program.type(id));
  return outputs;
}

int64_t flops_program(const Graph&, const Node& node) {
  int64_t flops = 0;
  for (const Node& inner : program_of(node).nodes()) flops += cost_of(program_of(node), inner).flops;
  return flops;
}

/// An output may overwrite an input of its type if the node that computes it comes after all readers of that input, or is
/// the last of them and may itself work in place. Where nodes may overlap in time only the latter counts, and of an input that
/// no other node reads.
InPlace in_place_program(const Node& node) {
  const Graph& program = program_of(node);
  const bool together = runs_together(node);
  std::vector<NodeId> last_reader(static_cast<size_t>(program.num_values()), -1);
  std::vector<int> readers(static_cast<size_t>(program.num_values()), 0);
  for (auto inner = program.nodes().rbegin(); inner != program.nodes().rend(); ++inner) {
    for (ValueId id : inner->inputs) {
      ++readers[static_cast<size_t>(id)];
      NodeId& last = last_reader[static_cast<size_t>(id)];
      last = std::max({last, inner->id, inner->op->is_view ? last_reader[static_cast<size_t>(inner->outputs[0])] : -1});
    }
  }
  InPlace result;
  for (const auto& [name, output] : program.outputs()) {
    const Node& writer = program.producer(output);
    result.emplace_back();
    if (writer.op->is_view) continue;
    const auto own =
        static_cast<size_t>(std::find(writer.outputs.begin(), writer.outputs.end(), output) - writer.outputs.begin());
    const InPlace may = writer.op->in_place ? writer.op->in_place(writer) : InPlace{};
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = program.nodes()[i].outputs[0];
      if (program.type(input) != program.type(output)) continue;
      const NodeId last = last_reader[static_cast<size_t>(input)];
      bool free = last < writer.id && !together;
      if (together && readers[static_cast<size_t>(input)] > 1) continue;
      for (size_t k = 0; own < may.size() && k < may[own].size(); ++k) {
        free = free || (last == writer.id && writer.inputs[may[own][k]] == input);
      }
      if (free) result.back().push_back(i);
    }
  }
  return result;
}

const OpSpec kSpecs[] = {
    {.name = "block_program", .infer = infer_program, .flops = flops_program, .in_place = in_place_program},
};

}  // namespace

std::span<const OpSpec> block_program_specs() {
  return kSpecs;
}

const Graph& program_of(const Node& node) {
  return *node.attributes.get<Subgraph>("program").graph;
}

bool runs_together(const Node& node) {
  return node.op->name == "block_program" && node.attributes.has("together");
}

/// No bias, and nothing but the product.
bool is_plain_matmul(const Node& node) {
  return node.op->name == "matmul" && node.inputs.size() == 2 && !node.attributes.has("epilogue");
}

bool is_vector_product(const Graph& graph, const Node& node) {
  return node.op->name == "matmul" && !node.attributes.has("epilogue") && node.attributes.integer("transpose_a") == 0 &&
         graph.type(node.outputs[0]).shape.back() == 1;
}

bool is_transposed_vector_product(const Graph& graph, const Node& node) {
  return is_plain_matmul(node) && node.attributes.integer("transpose_a") != 0 && node.attributes.integer("transpose_b") == 0 &&
         graph.type(node.outputs[0]).shape.back() == 1;
}

bool is_outer_product(const Graph& graph, const Node& node) {
  return is_plain_matmul(node) && node.attributes.integer("transpose_a") == 0 && graph.type(node.inputs[0]).shape.back() == 1;
}

const Node* leading_product(const Graph& program) {
  for (const Node& node : program.nodes()) {
    if (node.op->is_source) continue;
    const auto is_input = [&](ValueId id) { return program.producer(id).op->is_source; };
    const bool leads = is_vector_product(program, node) && std::all_of(node.inputs.begin(), node.inputs.end(), is_input);
    return leads ? &node : nullptr;
  }
  return nullptr;
}

std::vector<Value> block_program(std::span<const Value> inputs, Subgraph program) {
  if (inputs.empty()) fail<ShapeError>("block_program: needs an input");
  return inputs[0].graph().add(find_op("block_program"), inputs, {{"program", std::move(program)}});
}

std::optional<BroadcastRun> broadcast_run(const Shape& from, const Shape& to) {
  // Axes of extent 1 count as kept or added, whatever fits.
  BroadcastRun run;
  const size_t added = to.size() - from.size();
  for (size_t i = to.size(); i-- > 0;) {
    if (to[i] == 1) continue;
    const bool kept = i >= added && from[i - added] == to[i];
    if (kept && run.period * run.repeat != num_elements(Shape(to.begin() + static_cast<std::ptrdiff_t>(i) + 1, to.end()))) {
      return std::nullopt;  // an added axis lies between kept ones
    }
    if (kept) run.period *= to[i];
    if (!kept && run.period == 1) run.repeat *= to[i];
  }
  return run;
}

std::optional<MiddleSum> middle_sum(const Shape& shape, const std::vector<int64_t>& axes) {
  MiddleSum sum;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool summed = std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) != axes.end();
    if (shape[i] == 1) continue;
    if (summed && sum.inner > 1) return std::nullopt;
    int64_t& extent = summed ? sum.summed : sum.summed > 1 ? sum.inner : sum.outer;
    extent *= shape[i];
  }
  return sum;
}

}  // namespace forger
