// Small nodes become block_programs: one launch instead of a dozen.
//
// A node is small if one thread block does it in about the time that a launch takes anyway (block_cycles). Small nodes are
// grouped by level, the number of large nodes on the longest way to them: nodes of a level cannot depend on each other
// through a large node, so that a group makes no cycle, and each of them has to wait for as many large nodes as before.
// Three rules move nodes to later levels, where nothing that waits for them is:
//   - nodes that no large node depends on (metrics, counters) form one group at the end;
//   - a counter's update comes after all readers of the counter, so that it can be made in place;
//   - a group that only later groups read joins the first of them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

// Of one multiprocessor. A launch costs some 2 microseconds: 4,000 cycles.
constexpr double kNodeCycles = 4000, kProgramCycles = 16000, kLatency = 400, kLanes = 128;

constexpr size_t kProgramInstructions = 48;  // of a launch; longer programs would be cut in two

size_t instructions_of(const Node& node) {
  return node.attributes.has("tape") ? node.attributes.get<ElementwiseTape>("tape").instructions.size() : 1;
}

/// Work per element of the first output in cycles of one lane; negative: not for a program.
double lane_cycles(const Graph& graph, const Node& node) {
  const std::string_view op = node.op->name;
  const auto instruction = [](ScalarOp s) {
    if (s == ScalarOp::dropout) return 60.0;
    return is_binary(s) || s == ScalarOp::scale || s == ScalarOp::shift || s == ScalarOp::neg || s == ScalarOp::square ? 2.0
                                                                                                                       : 20.0;
  };
  if (const ScalarOp* s = scalar_op_of(*node.op)) return instruction(*s);
  if (op == "fused_elementwise") {
    double sum = 0;
    for (const TapeInstruction& t : node.attributes.get<ElementwiseTape>("tape").instructions) sum += instruction(t.op) + 8;
    return sum;
  }
  if (op == "broadcast_to") {
    return broadcast_run(graph.type(node.inputs[0]).shape, graph.type(node.outputs[0]).shape) ? 2 : -1;
  }
  if (op == "reduce_sum") return middle_sum(graph.type(node.inputs[0]).shape, node.attributes.list("axes")) ? 0 : -1;
  if (op == "gather") {
    // Rows of bytes are batches of images; what is small is the labels of a batch.
    return graph.type(node.inputs[0]).dtype != DType::u8 ? 20 : -1;
  }
  if (op == "random_uniform" || op == "random_normal" || op == "dropout") return 60;
  if (op == "random_indices") return node.attributes.integer("replacement") != 0 ? 120 : 2000;
  if (op == "bce_with_logits") return 60;
  if (op == "bias_add" || op == "fill" || op == "increment") return 2;
  return -1;
}

/// What a block takes for a node, in cycles of its multiprocessor; negative if it cannot do it, or takes too long.
double block_cycles(const Graph& graph, const Node& node) {
  if (node.op->is_source || node.op->is_view) return -1;
  const double work = lane_cycles(graph, node);
  if (work < 0) return -1;
  constexpr double kAccess = 8;     // of a lane, for four bytes: a multiprocessor moves 64 a cycle
  constexpr double kAtOnce = 2048;  // elements that the block's threads load before they must wait
  double longest = 1, lanes = work * static_cast<double>(graph.type(node.outputs[0]).size());
  const auto access = [&](ValueId id) {
    lanes += kAccess * static_cast<double>(graph.type(id).bytes()) / 4;
    longest = std::max(longest, static_cast<double>(graph.type(id).size()));
  };
  for (ValueId id : node.outputs) access(id);
  for (ValueId id : node.inputs) {
    const bool is_table = node.op->name == "gather" && id == node.inputs[0];
    if (!is_table) access(id);
  }
  const double cycles = kLatency * std::ceil(longest / kAtOnce) + lanes / kLanes;
  return cycles <= kNodeCycles ? cycles : -1;
}

class SmallFuser {
 public:
  explicit SmallFuser(const Graph& graph)
      : graph_(graph), readers_(static_cast<size_t>(graph.num_values())), rewriter_(graph), level_(graph.nodes().size(), 0) {
    for (const Node& node : graph.nodes()) {
      cycles_.push_back(block_cycles(graph, node));
      for (ValueId id : node.inputs) readers_[at(id)].push_back(node.id);
    }
    for (const Node& node : graph.nodes()) {  // a view of what a program makes belongs to it
      if (node.op->is_view && is_small(graph.producer(node.inputs[0]).id)) cycles_[at(node.id)] = 0;
    }
    for (const Variable& v : graph.variables()) {
      if (v.updated != v.current) updates_[graph.producer(v.updated).id] = v.current;
    }
  }

  Graph run() {
    find_levels();
    defer_sinks();
    move_fills();
    join_later_groups();
    make_groups();
    for (const Node& node : graph_.nodes()) {
      if (!is_small(node.id)) emit(node.id);
    }
    for (const Node& node : graph_.nodes()) emit(node.id);
    return rewriter_.finish();
  }

 private:
  template <class Id>
  static size_t at(Id id) {
    return static_cast<size_t>(id);
  }
  bool is_small(NodeId id) const { return cycles_[at(id)] >= 0; }
  /// Launches between a node's start and that of its readers.
  int length(NodeId id) const { return is_small(id) || graph_.node(id).op->is_source || graph_.node(id).op->is_view ? 0 : 1; }

  void find_levels() {
    for (const Node& node : graph_.nodes()) {
      for (ValueId id : node.inputs) {
        const NodeId producer = graph_.producer(id).id;
        level_[at(node.id)] = std::max(level_[at(node.id)], level_[at(producer)] + length(producer));
      }
    }
  }

  /// Readers of the variable that a small node updates, if it may wait for them.
  std::vector<NodeId> awaited(NodeId id) const {
    const auto it = updates_.find(id);
    if (it == updates_.end() || !sinks_.contains(id)) return {};
    std::vector<NodeId> others = readers_[at(it->second)];
    for (size_t i = 0; i < others.size(); ++i) {  // what views hand on is read, too
      if (!graph_.node(others[i]).op->is_view) continue;
      const auto& more = readers_[at(graph_.node(others[i]).outputs[0])];
      others.insert(others.end(), more.begin(), more.end());
    }
    std::erase(others, id);
    return others;
  }

  /// Constants are made where they are first read, or in the last program before.
  void move_fills() {
    const auto is_fill = [&](const Node& node) { return is_small(node.id) && node.op->name == "fill"; };
    std::set<int> programs;  // levels that have one without them
    for (const Node& node : graph_.nodes()) {
      if (is_small(node.id) && !node.op->is_view && !is_fill(node)) programs.insert(level_[at(node.id)]);
    }
    for (const Node& node : graph_.nodes()) {
      if (!is_fill(node)) continue;
      int first = std::numeric_limits<int>::max();
      for (NodeId reader : readers_[at(node.outputs[0])]) first = std::min(first, level_[at(reader)]);
      if (first == std::numeric_limits<int>::max()) continue;
      const auto after = programs.upper_bound(first);
      level_[at(node.id)] = after == programs.begin() ? first : *std::prev(after);
    }
  }

  void defer_sinks() {
    std::vector<bool> feeds_large(graph_.nodes().size(), false);
    for (auto node = graph_.nodes().rbegin(); node != graph_.nodes().rend(); ++node) {
      for (ValueId id : node->outputs) {
        for (NodeId reader : readers_[at(id)]) {
          if (length(reader) > 0 || feeds_large[at(reader)]) feeds_large[at(node->id)] = true;
        }
      }
      if (is_small(node->id) && !feeds_large[at(node->id)]) sinks_.insert(node->id);
    }
    int last = 0;
    for (NodeId id : sinks_) {
      last = std::max(last, level_[at(id)]);
      for (NodeId reader : awaited(id)) last = std::max(last, level_[at(reader)] + length(reader));
    }
    for (NodeId id : sinks_) level_[at(id)] = last;
  }

  void join_later_groups() {
    std::map<int, std::vector<NodeId>, std::greater<>> groups;
    for (const Node& node : graph_.nodes()) {
      if (is_small(node.id)) groups[level_[at(node.id)]].push_back(node.id);
    }
    for (const auto& [level, members] : groups) {
      int first = std::numeric_limits<int>::max();  // level that reads a member
      bool others_wait = false;
      for (NodeId id : members) {
        for (ValueId output : graph_.node(id).outputs) {
          for (NodeId reader : readers_[at(output)]) {
            if (!is_small(reader)) others_wait = true;
            if (is_small(reader) && level_[at(reader)] > level) first = std::min(first, level_[at(reader)]);
          }
        }
      }
      if (others_wait || first == std::numeric_limits<int>::max()) continue;
      for (NodeId id : members) level_[at(id)] = first;
    }
  }

  /// Splits levels into groups that one block should be able to run.
  void make_groups() {
    group_of_.assign(graph_.nodes().size(), -1);
    std::map<int, std::vector<NodeId>> levels;
    for (const Node& node : graph_.nodes()) {
      if (is_small(node.id)) levels[level_[at(node.id)]].push_back(node.id);
    }
    for (const auto& [level, members] : levels) {
      // Updates of counters last, with what reads them: within a program, too, they come after the counters' readers.
      std::set<NodeId> late;
      for (NodeId id : members) {
        const auto& inputs = graph_.node(id).inputs;
        const auto is_late = [&](ValueId input) { return late.contains(graph_.producer(input).id); };
        if (!awaited(id).empty() || std::any_of(inputs.begin(), inputs.end(), is_late)) late.insert(id);
      }
      double cycles = kProgramCycles;
      size_t instructions = 0;
      for (const bool now_late : {false, true}) {
        for (NodeId id : members) {
          if (late.contains(id) != now_late) continue;
          cycles += cycles_[at(id)];
          instructions += instructions_of(graph_.node(id));
          if (cycles > kProgramCycles || instructions > kProgramInstructions) {
            groups_.emplace_back();
            cycles = cycles_[at(id)];
            instructions = instructions_of(graph_.node(id));
          }
          groups_.back().push_back(id);
          group_of_[at(id)] = static_cast<int>(groups_.size() - 1);
        }
      }
    }
    emitted_.assign(graph_.nodes().size(), false);
  }

  /// Copies a node, or the program that it belongs to, after everything that it needs.
  void emit(NodeId id) {
    if (emitted_[at(id)]) return;
    const int group = group_of_[at(id)];
    const std::vector<NodeId> members = group < 0 ? std::vector<NodeId>{id} : groups_[at(group)];
    for (NodeId member : members) emitted_[at(member)] = true;
    for (NodeId member : members) {
      for (ValueId input : graph_.node(member).inputs) {
        const NodeId producer = graph_.producer(input).id;
        if (group < 0 || group_of_[at(producer)] != group) emit(producer);
      }
      // Groups depend on earlier ones only; large nodes that are waited for, on groups of earlier levels.
      for (NodeId reader : awaited(member)) {
        if (group_of_[at(reader)] < group) emit(reader);
      }
    }
    if (group < 0) {
      rewriter_.copy(graph_.node(id));
    } else {
      emit_program(members);
    }
  }

  /// Is a value needed outside of its program?
  bool leaves(ValueId id, int group) const {
    for (NodeId reader : readers_[at(id)]) {
      if (group_of_[at(reader)] != group) return true;
    }
    const auto is_output = [id](const auto& output) { return output.second == id; };
    const auto is_update = [id](const Variable& v) { return v.updated == id; };
    return std::any_of(graph_.outputs().begin(), graph_.outputs().end(), is_output) ||
           std::any_of(graph_.variables().begin(), graph_.variables().end(), is_update);
  }

  void emit_program(const std::vector<NodeId>& members) {
    const int group = group_of_[at(members[0])];
    std::set<ValueId> exported, read_inside;
    size_t launches = 0;
    for (auto id = members.rbegin(); id != members.rend(); ++id) {
      const Node& node = graph_.node(*id);
      launches += !node.op->is_view;
      if (!node.op->is_view || read_inside.contains(node.outputs[0])) {
        read_inside.insert(node.inputs.begin(), node.inputs.end());
      }
      for (ValueId output : node.outputs) {
        if (!leaves(output, group) && !exported.contains(output)) continue;
        exported.insert(output);
        if (node.op->is_view) exported.insert(node.inputs[0]);
      }
    }
    if (launches <= 1) {
      for (NodeId id : members) rewriter_.copy(graph_.node(id));
      return;
    }
    Graph program(graph_.real());
    std::vector<ValueId> inputs;  // in the new graph
    std::map<ValueId, ValueId> inside;
    const auto is_inside = [&](NodeId id) {  // a view that only others read is left outside
      return !graph_.node(id).op->is_view || read_inside.contains(graph_.node(id).outputs[0]);
    };
    for (NodeId id : members) {
      if (!is_inside(id)) continue;
      for (ValueId input : graph_.node(id).inputs) {
        if (group_of_[at(graph_.producer(input).id)] == group || inside.contains(input)) continue;
        inside[input] = program.input(std::to_string(inputs.size()), graph_.type(input)).id();
        inputs.push_back(rewriter_.mapped(input));
      }
    }
    std::vector<ValueId> outputs;
    for (NodeId id : members) {
      if (!is_inside(id)) continue;
      const Node& node = graph_.node(id);
      std::vector<ValueId> operands;
      for (ValueId input : node.inputs) operands.push_back(inside.at(input));
      const auto results = program.append(*node.op, node.path, operands, node.attributes);
      for (size_t i = 0; i < results.size(); ++i) {
        inside[node.outputs[i]] = results[i].id();
        if (!exported.contains(node.outputs[i]) || node.op->is_view) continue;
        outputs.push_back(node.outputs[i]);
        program.output(std::to_string(outputs.size() - 1), results[i]);
      }
    }
    const std::string path = graph_.node(members[0]).path + "+" + std::to_string(launches - 1);
    const auto results = rewriter_.out().append(find_op("block_program"), path, std::move(inputs),
                                                {{"program", Subgraph{std::make_shared<const Graph>(std::move(program))}}});
    for (size_t i = 0; i < outputs.size(); ++i) rewriter_.replace(outputs[i], results[i].id());
    for (NodeId id : members) {  // views that others read are made again outside, where they cost nothing
      const Node& node = graph_.node(id);
      if (node.op->is_view && exported.contains(node.outputs[0])) rewriter_.copy(node);
    }
  }

  const Graph& graph_;
  std::vector<std::vector<NodeId>> readers_;  // by value
  Rewriter rewriter_;
  std::vector<int> level_;             // by node
  std::vector<double> cycles_;         // by node; negative: large
  std::map<NodeId, ValueId> updates_;  // nodes that make a variable's next value, and the variable
  std::set<NodeId> sinks_;             // small nodes that no large node depends on
  std::vector<int> group_of_;          // by node; -1: none
  std::vector<std::vector<NodeId>> groups_;
  std::vector<bool> emitted_;
};

}  // namespace

Graph fuse_small(const Graph& graph) {
  return SmallFuser(graph).run();
}

}  // namespace forger
