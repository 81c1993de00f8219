#include "engine/memory/planner.h"

#include <algorithm>
#include <limits>
#include <map>

#include "engine/ops/op_spec.h"

namespace forger {
namespace {

constexpr int kEnd = std::numeric_limits<int>::max();

class Planner {
 public:
  Planner(const Graph& graph, const std::vector<size_t>& workspace_bytes, int slack, size_t alignment)
      : graph_(graph),
        workspace_bytes_(workspace_bytes),
        slack_(slack),
        alignment_(alignment),
        last_use_(count(), -1),
        target_(count(), -1) {
    plan_.values.resize(count());
    plan_.in_place.assign(count(), false);
    plan_.workspace_block.assign(graph.nodes().size(), -1);
    storage_of_.assign(count(), -1);
  }

  MemoryPlan run() {
    find_last_uses();
    mark_update_chains();
    for (const Node& node : graph_.nodes()) place(node);
    finish();
    return std::move(plan_);
  }

 private:
  /// Memory shared by a chain of views and in-place results.
  struct Storage {
    Location location;
    size_t bytes;
    int last_use;  // of any value in it
  };

  size_t count() const { return static_cast<size_t>(graph_.num_values()); }
  static size_t at(ValueId id) { return static_cast<size_t>(id); }

  void find_last_uses() {
    for (const Node& node : graph_.nodes()) {
      for (ValueId id : node.inputs) last_use_[at(id)] = std::max(last_use_[at(id)], static_cast<int>(node.id));
    }
    for (const auto& [name, id] : graph_.outputs()) last_use_[at(id)] = kEnd;
    for (const Variable& v : graph_.variables()) {
      if (v.updated != v.current) last_use_[at(v.updated)] = kEnd;
    }
    // Reading a view reads what it is a view of.
    for (auto node = graph_.nodes().rbegin(); node != graph_.nodes().rend(); ++node) {
      if (!node->op->is_view) continue;
      int& source = last_use_[at(node->inputs[0])];
      source = std::max(source, last_use_[at(node->outputs[0])]);
    }
  }

  /// Walks back from every update along in-place links: only these values may write into the variable's memory.
  void mark_update_chains() {
    for (size_t i = 0; i < graph_.variables().size(); ++i) {
      const Variable& v = graph_.variables()[i];
      variable_of_[v.current] = i;
      if (v.updated != v.current) target_[at(v.updated)] = static_cast<int>(i);
    }
    for (auto node = graph_.nodes().rbegin(); node != graph_.nodes().rend(); ++node) {
      const InPlace candidates = in_place_of(*node);
      for (size_t o = 0; o < node->outputs.size() && o < candidates.size(); ++o) {
        const int target = target_[at(node->outputs[o])];
        if (target < 0) continue;
        for (size_t input : candidates[o]) {
          int& t = target_[at(node->inputs[input])];
          if (t < 0) t = target;
        }
      }
    }
  }

  static InPlace in_place_of(const Node& node) { return node.op->in_place ? node.op->in_place(node) : InPlace{}; }

  int new_storage(Location location, size_t bytes) {
    storages_.push_back({location, bytes, -1});
    return static_cast<int>(storages_.size() - 1);
  }

  void assign(ValueId id, int storage) {
    storage_of_[at(id)] = storage;
    Storage& s = storages_[static_cast<size_t>(storage)];
    s.last_use = std::max(s.last_use, last_use_[at(id)]);
    plan_.values[at(id)] = s.location;
  }

  size_t new_block(size_t bytes, int first) {
    plan_.blocks.push_back({bytes, first, first});
    plan_.bytes_without_reuse += bytes;
    return plan_.blocks.size() - 1;
  }

  /// Only the values now in the storage count: what was overwritten before has no readers left by construction.
  bool can_take_over(const Node& node, ValueId output, ValueId input, const std::vector<int>& taken) const {
    const int storage = storage_of_[at(input)];
    const Storage& s = storages_[static_cast<size_t>(storage)];
    if (s.bytes != graph_.type(output).bytes() || s.last_use > node.id) return false;
    if (std::find(taken.begin(), taken.end(), storage) != taken.end()) return false;
    if (s.location.kind == Location::Kind::input) return false;
    if (s.location.kind != Location::Kind::variable) return true;
    // An output other than the update itself must survive the copy of the update into the variable.
    const bool is_update = graph_.variables()[s.location.index].updated == output;
    return target_[at(output)] == static_cast<int>(s.location.index) && (is_update || last_use_[at(output)] != kEnd);
  }

  void place(const Node& node) {
    if (node.op->name == "variable") {
      const size_t index = variable_of_.at(node.outputs[0]);
      const size_t bytes = graph_.type(node.outputs[0]).bytes();
      plan_.variable_bytes += bytes;
      assign(node.outputs[0], new_storage({Location::Kind::variable, index}, bytes));
      return;
    }
    if (node.op->name == "input") {
      assign(node.outputs[0],
             new_storage({Location::Kind::input, static_cast<size_t>(node.id)}, graph_.type(node.outputs[0]).bytes()));
      return;
    }
    if (node.op->is_view) {
      assign(node.outputs[0], storage_of_[at(node.inputs[0])]);
      plan_.in_place[at(node.outputs[0])] = true;
      return;
    }
    const InPlace candidates = in_place_of(node);
    std::vector<int> taken;
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      const ValueId output = node.outputs[o];
      const size_t bytes = graph_.type(output).bytes();
      int storage = -1;
      if (o < candidates.size()) {
        for (size_t input : candidates[o]) {
          if (!can_take_over(node, output, node.inputs[input], taken)) continue;
          const int candidate = storage_of_[at(node.inputs[input])];
          const bool own_variable = storages_[static_cast<size_t>(candidate)].location.kind == Location::Kind::variable;
          if (storage < 0 || own_variable) storage = candidate;  // an update goes home rather than into the arena
        }
      }
      if (storage >= 0) {
        plan_.in_place[at(output)] = true;
        plan_.bytes_without_reuse += bytes;
        if (storages_[static_cast<size_t>(storage)].location.kind == Location::Kind::variable) plan_.bytes_without_reuse -= bytes;
      } else {
        storage = new_storage({Location::Kind::arena, new_block(bytes, node.id)}, bytes);
      }
      taken.push_back(storage);
      assign(output, storage);
    }
    const size_t workspace = workspace_bytes_[static_cast<size_t>(node.id)];
    if (workspace > 0) plan_.workspace_block[static_cast<size_t>(node.id)] = static_cast<int>(new_block(workspace, node.id));
  }

  void finish() {
    for (const Storage& s : storages_) {
      if (s.location.kind == Location::Kind::arena) {
        BlockRequest& block = plan_.blocks[s.location.index];
        block.last = std::max(block.first, s.last_use);
      }
    }
    for (size_t i = 0; i < graph_.variables().size(); ++i) {
      const Variable& v = graph_.variables()[i];
      const Location& where = plan_.values[at(v.updated)];
      if (where.kind == Location::Kind::variable && where.index == i) continue;
      if (where.kind == Location::Kind::variable) {
        fail<Error>("{}: its update is another variable's storage; scale it by 1 to make a value of its own", v.name);
      }
      plan_.final_copies.push_back({v.updated, i});
    }
    std::vector<BlockRequest> requests = plan_.blocks;
    for (BlockRequest& r : requests) r.last += std::min(slack_, kEnd - r.last);
    const Packing packing = pack(requests, alignment_);
    plan_.block_offsets = packing.offsets;
    plan_.arena_bytes = packing.bytes;
  }

  const Graph& graph_;
  const std::vector<size_t>& workspace_bytes_;
  int slack_;
  size_t alignment_;
  MemoryPlan plan_;
  std::vector<int> last_use_;    // by value: last node that reads it
  std::vector<int> target_;      // by value: variable into whose memory it may be written; -1: none
  std::vector<int> storage_of_;  // by value
  std::vector<Storage> storages_;
  std::map<ValueId, size_t> variable_of_;
};

}  // namespace

MemoryPlan plan_memory(const Graph& graph, const std::vector<size_t>& workspace_bytes, int slack, size_t alignment) {
  return Planner(graph, workspace_bytes, slack, alignment).run();
}

}  // namespace forger
