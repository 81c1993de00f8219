#include "engine/providers/cuda_program.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"
#include "engine/providers/adapters.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr BlockOperand kFull{0, 0};
constexpr int64_t kMaxElements = 1 << 30;  // offsets are 32-bit numbers

bool is_tape(const Node& node) {
  return scalar_op_of(*node.op) || node.op->name == "fused_elementwise" || node.op->name == "bias_add";
}

class Translator {
 public:
  Translator(const Graph& program, unsigned threads, bool shared)
      : program_(program),
        product_(leading_product(program)),
        warps_(threads / 32),
        shared_(shared),
        root_(static_cast<size_t>(program.num_values())) {
    for (ValueId id = 0; id < program.num_values(); ++id) root_[at(id)] = id;
    size_t inputs = 0;
    for (const Node& node : program.nodes()) {
      if (node.op->is_source) places_[node.outputs[0]] = number(inputs++);
    }
    for (size_t o = 0; o < program.outputs().size(); ++o) places_[program.outputs()[o].second] = number(inputs + o);
    num_fixed_ = inputs + program.outputs().size();
    find_overwrites();
    result_.launches.emplace_back();
    if (product_) {
      const ValueId y = product_->outputs[0];
      if (!places_.contains(y)) places_[y] = reserve_global(program.type(y).bytes());  // all blocks write it
      result_.product = places_[y];
    }
  }

  Translation run() {
    for (const Node& node : program_.nodes()) {
      if (!node.op->is_source && &node != product_) add(node);
    }
    return std::move(result_);
  }

 private:
  static size_t at(ValueId id) { return static_cast<size_t>(id); }
  static uint16_t number(size_t i) { return static_cast<uint16_t>(i); }
  uint32_t size_of_value(ValueId id) const { return static_cast<uint32_t>(program_.type(id).size()); }

  // --- places: first as numbers of addresses (or shared memory); a launch numbers its own pointers ---

  /// Outputs may lie in the memory of an input of the same type.
  void find_overwrites() {
    for (const auto& [name, output] : program_.outputs()) {
      for (const Node& node : program_.nodes()) {
        if (!node.op->is_source) continue;
        if (program_.type(node.outputs[0]) == program_.type(output)) overwrites_[output].push_back(node.outputs[0]);
      }
    }
  }

  BlockPlace place_of(ValueId id) {
    const auto it = places_.find(root_[at(id)]);
    if (it != places_.end()) return it->second;
    return places_[root_[at(id)]] = reserve(program_.type(id).bytes());
  }

  BlockPlace reserve(size_t bytes) {
    const size_t padded = (bytes + 15) / 16 * 16, used = result_.launches[0].shared_bytes;
    if (!shared_ || used + padded > kMaxBlockShared) return reserve_global(bytes);
    result_.launches[0].shared_bytes += padded;
    return static_cast<BlockPlace>(kInShared | (used / 16));
  }
  BlockPlace reserve_global(size_t bytes) {
    result_.workspace_offsets.push_back(result_.workspace_bytes);
    result_.workspace_bytes += (bytes + 63) / 64 * 64;
    return number(num_fixed_ + result_.workspace_offsets.size() - 1);
  }

  // --- barriers ---

  struct Written {
    uint32_t n;  // 0: by threads that only it knows
    uint8_t first_warp;
  };

  /// Decides about barrier and first warp of a node's instructions before they are added. `quads`: thread by thread, quads
  /// of the n elements.
  void begin(const Node& node, bool quads, uint32_t n, uint32_t warps, size_t instructions = 1, size_t words = 4) {
    barrier_ = false;
    make_room(instructions, node.inputs.size() + node.outputs.size() + instructions, words);
    std::optional<uint8_t> first;
    for (ValueId id : node.inputs) {
      const auto it = written_.find(root_[at(id)]);
      if (it == written_.end()) continue;
      const bool own = quads && it->second.n == n && size_of_value(id) == n && (!first || *first == it->second.first_warp);
      if (own) {
        first = it->second.first_warp;
      } else {
        barrier_ = true;
      }
    }
    for (ValueId id : node.outputs) {
      for (ValueId input : overwrites_[id]) barrier_ = barrier_ || read_.contains(input);
    }
    if (barrier_) {
      forget();
      first.reset();
    }
    if (!first) {
      first = static_cast<uint8_t>(next_warp_);
      next_warp_ = (next_warp_ + warps) % warps_;
    }
    first_warp_ = warps == 0 ? uint8_t{0} : *first;  // 0: an instruction of the whole block
    for (ValueId id : node.inputs) read_.insert(root_[at(id)]);
    for (ValueId id : node.outputs) written_[id] = {quads ? n : 0, first_warp_};
  }

  void forget() {
    written_.clear();
    read_.clear();
    next_warp_ = 0;
  }

  /// Starts another launch, which waits for the one before, if the node does not fit into this one.
  void make_room(size_t instructions, size_t pointers, size_t words) {
    const BlockProgram& last = result_.launches.back();
    if (last.instructions.size() + instructions <= kMaxBlockInstructions &&
        last.pointers.size() + pointers <= kMaxBlockPointers && last.words.size() + words <= kMaxBlockWords) {
      return;
    }
    result_.launches.emplace_back();
    forget();
  }

  static uint32_t warps_for_quads(uint32_t n) { return (n + 127) / 128; }

  // --- instructions ---

  BlockPlace pointer(BlockPlace place) {
    if (place & kInShared) return place;
    auto& pointers = result_.launches.back().pointers;
    const auto it = std::find(pointers.begin(), pointers.end(), place);
    if (it != pointers.end()) return number(static_cast<size_t>(it - pointers.begin()));
    pointers.push_back(place);
    return number(pointers.size() - 1);
  }

  void push(BlockInstruction t, const std::vector<BlockPlace>& in, const std::vector<BlockPlace>& out,
            const std::vector<int64_t>& words = {}) {
    BlockProgram& launch = result_.launches.back();
    t.barrier = std::exchange(barrier_, false);
    t.first_warp = first_warp_;
    for (size_t i = 0; i < in.size(); ++i) t.in[i] = pointer(in[i]);
    for (size_t i = 0; i < out.size(); ++i) t.out[i] = pointer(out[i]);
    // What an instruction has none of must still name a pointer: addresses are computed before the operation is known.
    for (size_t i = in.size(); i < 3; ++i) t.in[i] = t.out[0];
    for (size_t i = out.size(); i < 2; ++i) t.out[i] = t.out[0];
    t.words = number(launch.words.size());
    launch.words.insert(launch.words.end(), words.begin(), words.end());
    launch.instructions.push_back(t);
  }

  BlockOperand operand(ValueId id, uint32_t n) const {
    const uint32_t size = size_of_value(id);
    return size == n ? kFull : BlockOperand{size, 1};
  }

  /// Values of a tape that are not its result take places of their own, which later ones of the tape take over: all are
  /// written and read by the same threads.
  void add_tape(const Node& node) {
    const NodeView view(program_, node);
    const ElementwiseTape tape = node.op->name == "bias_add" ? ElementwiseTape{2, {{ScalarOp::add, 0, 1, 0.0}}} : tape_of(view);
    const uint32_t n = size_of_value(node.outputs[0]);
    const auto draws = std::count_if(tape.instructions.begin(), tape.instructions.end(),
                                     [](const TapeInstruction& t) { return t.op == ScalarOp::dropout; });
    begin(node, true, n, warps_for_quads(n), tape.instructions.size(), static_cast<size_t>(draws));
    struct Place {
      BlockPlace place;
      BlockOperand by;
      size_t last_use;
    };
    std::vector<Place> values;
    for (size_t i = 0; i < tape.num_inputs; ++i) values.push_back({place_of(node.inputs[i]), operand(node.inputs[i], n), 0});
    std::vector<size_t> last_use(tape.num_inputs + tape.instructions.size(), 0);
    for (size_t i = 0; i < tape.instructions.size(); ++i) {
      last_use[tape.instructions[i].a] = i;
      if (is_binary(tape.instructions[i].op)) last_use[tape.instructions[i].b] = i;
    }
    std::vector<BlockPlace> free;
    for (size_t i = 0; i < tape.instructions.size(); ++i) {
      const TapeInstruction& t = tape.instructions[i];
      const size_t operands[] = {t.a, is_binary(t.op) ? t.b : t.a};
      BlockPlace result;
      if (i + 1 == tape.instructions.size()) {
        result = place_of(node.outputs[0]);
      } else if (!free.empty()) {
        result = free.back();
        free.pop_back();
      } else {
        result = reserve(4 * size_t{n});
      }
      BlockInstruction step{.scalar = t.op, .n = n, .a = values[operands[0]].by, .b = values[operands[1]].by};
      step.p = static_cast<float>(t.p);
      if (t.op == ScalarOp::dropout) {
        step.op = BlockOp::dropout;
        step.q = static_cast<float>(1 / (1 - t.p));
        const size_t seed = node.inputs.size() - 2;
        push(step, {values[operands[0]].place, place_of(node.inputs[seed]), place_of(node.inputs[seed + 1])}, {result},
             {static_cast<int64_t>(t.stream)});
      } else {
        push(step, {values[operands[0]].place, values[operands[1]].place}, {result});
      }
      for (const size_t v : {operands[0], operands[1]}) {
        if (v >= tape.num_inputs && last_use[v] == i && std::find(free.begin(), free.end(), values[v].place) == free.end()) {
          free.push_back(values[v].place);
        }
      }
      values.push_back({result, kFull, 0});
    }
  }

  void add_quads(const Node& node, BlockInstruction t, const std::vector<int64_t>& words = {}) {
    t.n = size_of_value(node.outputs[0]);
    begin(node, true, t.n, warps_for_quads(t.n));
    push_node(node, t, words);
  }
  /// One element per thread, or (warps 0) an instruction of the whole block.
  void add_other(const Node& node, BlockInstruction t, uint32_t warps, const std::vector<int64_t>& words = {}) {
    begin(node, false, t.n, warps);
    push_node(node, t, words);
  }
  void push_node(const Node& node, const BlockInstruction& t, const std::vector<int64_t>& words) {
    std::vector<BlockPlace> in, out;
    for (ValueId id : node.inputs) in.push_back(place_of(id));
    for (ValueId id : node.outputs) out.push_back(place_of(id));
    push(t, in, out, words);
  }

  void add(const Node& node) {
    const std::string_view op = node.op->name;
    const Attributes& attributes = node.attributes;
    const auto real = [&](const char* name) { return static_cast<float>(attributes.real(name)); };
    const uint32_t n = size_of_value(node.outputs[0]);
    if (is_tape(node)) {
      add_tape(node);
    } else if (node.op->is_view) {
      if (!places_.contains(node.outputs[0])) {
        root_[at(node.outputs[0])] = root_[at(node.inputs[0])];
        return;
      }
      BlockInstruction t{.op = BlockOp::copy};  // an output: it has memory of its own
      t.n = static_cast<uint32_t>(program_.type(node.outputs[0]).bytes() / 4);
      add_other(node, t, warps_for_quads(t.n));
    } else if (op == "broadcast_to") {
      const BroadcastRun run = *broadcast_run(program_.type(node.inputs[0]).shape, program_.type(node.outputs[0]).shape);
      const BlockOperand by{static_cast<uint32_t>(run.period), static_cast<uint32_t>(run.repeat)};
      add_quads(node, {.op = BlockOp::copy, .a = size_of_value(node.inputs[0]) == n ? kFull : by});
    } else if (op == "fill") {
      add_quads(node, {.op = BlockOp::fill, .p = real("value")});
    } else if (op == "random_uniform") {
      add_quads(node, {.op = BlockOp::random_uniform, .p = real("low"), .q = real("high") - real("low")},
                {attributes.integer("stream")});
    } else if (op == "random_normal") {
      add_quads(node, {.op = BlockOp::random_normal, .p = real("mean"), .q = real("stddev")}, {attributes.integer("stream")});
    } else if (op == "dropout") {
      const double rate = attributes.real("rate");
      add_quads(node, {.op = BlockOp::dropout, .p = static_cast<float>(rate), .q = static_cast<float>(1 / (1 - rate))},
                {attributes.integer("stream")});
    } else if (op == "random_indices") {
      const bool rows = attributes.integer("replacement") != 0;
      std::vector<int64_t> words = {attributes.integer("stream"), attributes.integer("population")};
      if (!rows) words.insert(words.end(), {attributes.integer("draw"), attributes.integer("draws_per_step")});
      add_other(node, {.op = rows ? BlockOp::random_rows : BlockOp::epoch_rows, .n = n}, (n + 31) / 32, words);
    } else if (op == "gather") {
      add_other(node, {.op = BlockOp::gather, .n = n}, (n + 31) / 32, {n / program_.type(node.outputs[0]).shape[0]});
    } else if (op == "bce_with_logits") {
      add_other(node, {.op = BlockOp::bce, .n = size_of_value(node.inputs[0])}, 0);
    } else if (op == "reduce_sum") {
      const MiddleSum sum = *middle_sum(program_.type(node.inputs[0]).shape, attributes.list("axes"));
      const bool whole_block = sum.inner == 1 && sum.summed > kLongestWarpSum;
      add_other(node, {.op = BlockOp::sum, .n = static_cast<uint32_t>(sum.summed)}, whole_block ? 0 : n, {sum.outer, sum.inner});
    } else if (op == "increment") {
      add_other(node, {.op = BlockOp::increment, .n = 1}, 1);
    }
  }

  const Graph& program_;
  const Node* const product_;
  const uint32_t warps_;
  const bool shared_;          // values that are no outputs lie in shared memory
  std::vector<ValueId> root_;  // by value: whose memory it is, through views
  std::map<ValueId, BlockPlace> places_;
  std::map<ValueId, std::vector<ValueId>> overwrites_;
  size_t num_fixed_ = 0;
  std::map<ValueId, Written> written_;  // since the last barrier
  std::set<ValueId> read_;
  bool barrier_ = false;
  uint8_t first_warp_ = 0;
  uint32_t next_warp_ = 0;
  Translation result_;
};

}  // namespace

std::optional<std::string> translation_declines(const Graph& program) {
  if (program.real() != DType::f32) return fmt::format("real numbers are {}, expected f32", name_of(program.real()));
  for (const Node& node : program.nodes()) {
    if (&node == leading_product(program)) continue;
    const std::string_view op = node.op->name;
    for (ValueId id : node.outputs) {
      if (program.type(id).size() > kMaxElements) return fmt::format("{} is too large for a block", node.path);
      if (node.op->is_view && program.type(id).bytes() % 4 != 0) return fmt::format("{} is a view of bytes", node.path);
    }
    bool known = is_tape(node) || node.op->is_source || node.op->is_view;
    for (const std::string_view name :
         {"fill", "random_uniform", "random_normal", "dropout", "random_indices", "bce_with_logits", "increment"}) {
      known = known || op == name;
    }
    if (op == "gather") known = program.type(node.inputs[0]).dtype != DType::u8;
    if (op == "broadcast_to") {
      known = broadcast_run(program.type(node.inputs[0]).shape, program.type(node.outputs[0]).shape).has_value();
    }
    if (op == "reduce_sum") known = middle_sum(program.type(node.inputs[0]).shape, node.attributes.list("axes")).has_value();
    if (!known) return fmt::format("{} is no operation of a block", node.path);
  }
  return std::nullopt;
}

std::vector<void*> Translation::addresses(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) const {
  std::vector<void*> all(inputs.begin(), inputs.end());
  all.insert(all.end(), outputs.begin(), outputs.end());
  for (const size_t offset : workspace_offsets) all.push_back(static_cast<std::byte*>(workspace) + offset);
  return all;
}

Translation translate(const Graph& program, unsigned threads) {
  Translation result = Translator(program, threads, true).run();
  // Shared memory does not outlive a launch.
  if (result.launches.size() > 1) result = Translator(program, threads, false).run();
  return result;
}

}  // namespace forger::FORGER_DEVICE
