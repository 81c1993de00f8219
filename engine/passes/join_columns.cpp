// A convolution and what needs whole columns of its result become one node, for kernels that go on while the convolution's tiles
// are in shared memory: forward conv2d with statistics and batch_norm_apply, backward a convolution that gives the gradient dy
// and batch_norm_grad, so that dy is never written, or the sum over dy's rows that is a bias's gradient.
//
// The node is a block_program of the two with the attribute "together". Where no kernel runs both in one launch, because they do
// not fit or would be slower, they run one by one: this pass need not know.
#include <algorithm>
#include <map>
#include <memory>

#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/node_tape.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"
#include "kernels/common/epilogue.h"

namespace forger {
namespace {

/// Both nodes as they will stand in the program, reading values of the graph. `norm` also reads `convolution`, which has the same
/// outputs as before.
struct Pair {
  Node convolution, norm;
  size_t outputs;  // of the convolution that are the program's
};

class Joiner {
 public:
  explicit Joiner(const Graph& graph) : graph_(graph), uses_(count_uses(graph)), places_(graph), gone_(graph.nodes().size()) {}

  Graph batch_norms() {
    for (const Node& node : graph_.nodes()) {
      if (node.op->name == "batch_norm_apply") find_forward(node);
      if (node.op->name == "batch_norm_grad") find_backward(node);
    }
    return rewrite();
  }
  Graph sums() {
    for (const Node& node : graph_.nodes()) {
      if (node.op->name == "reduce_sum") find_sum(node);
    }
    return rewrite();
  }

 private:
  Graph rewrite() {
    Rewriter rewriter(graph_);
    rewriter.copy_sources();
    for (const Node& node : graph_.nodes()) {
      if (const auto it = pairs_.find(node.id); it != pairs_.end()) {
        emit(rewriter, it->second);
      } else if (!node.op->is_source && !gone_[static_cast<size_t>(node.id)]) {
        rewriter.copy(node);
      }
    }
    return rewriter.finish();
  }

  bool is_free(const Node& node) const { return !gone_[static_cast<size_t>(node.id)]; }

  /// Few channels have kernels of their own; one by one with what comes behind they would only keep others waiting.
  static bool is_wide(const Node& convolution) {
    constexpr int64_t kFew = 4;
    const Conv2dShape s = conv2d_shape(convolution.attributes);
    return s.C > kFew && s.K > kFew && (convolution.op->name == "conv2d" ? s.K : s.C) % 4 == 0;
  }

  void join(const Node& convolution, const Node& norm, Pair pair) {
    if (!is_wide(convolution)) return;
    const auto place = places_.join(convolution, norm);
    if (!place) return;
    pairs_.emplace(*place, std::move(pair));
    gone_[static_cast<size_t>(convolution.id)] = gone_[static_cast<size_t>(norm.id)] = true;
  }

  void find_forward(const Node& apply) {
    const Node& convolution = graph_.producer(apply.inputs[0]);
    const bool takes = convolution.op->name == "conv2d" && convolution.attributes.has("statistics") && is_free(convolution) &&
                       std::equal(apply.inputs.begin(), apply.inputs.begin() + 3, convolution.outputs.begin());
    if (takes) join(convolution, apply, {convolution, apply, convolution.outputs.size()});
  }

  /// A tape of batch_norm_grad on what it takes becomes the convolution's on what it gives.
  void find_backward(const Node& grad) {
    constexpr size_t kInputs = 5;  // x, dy, gamma, mean, inv_std; then the tape's
    NodeTape tape{{}, {grad.inputs[1]}, {}};
    const bool prologue = grad.attributes.has("prologue");
    if (prologue) {
      tape.tape = grad.attributes.get<ElementwiseTape>("prologue");
      const auto operands = grad.inputs.begin() + kInputs, random = operands + tape.tape.num_inputs - 1;
      tape.inputs.insert(tape.inputs.end(), operands, random);
      tape.random.assign(random, grad.inputs.end());
    }
    for (size_t i = 0; i < tape.inputs.size(); ++i) {
      const ValueId dy = tape.inputs[i];
      const Node& convolution = graph_.producer(dy);
      const bool linear = convolution.op->name == "conv2d" || convolution.op->name == "conv2d_input_grad";
      const bool takes = linear && is_free(convolution) && !convolution.attributes.has("statistics") &&
                         !(prologue && convolution.attributes.has("epilogue")) && uses_[static_cast<size_t>(dy)] == 1 &&
                         std::count(grad.inputs.begin(), grad.inputs.end(), dy) == 1 &&
                         graph_.type(dy) == graph_.type(grad.inputs[0]);
      if (!takes) continue;
      Pair pair{convolution, grad, 0};
      pair.norm.inputs.resize(kInputs);
      pair.norm.inputs[1] = dy;
      if (prologue) {
        NodeTape turned = tape;
        put_first(turned, i);
        if (!epilogue_program(turned.tape)) continue;
        pair.convolution.attributes.set("epilogue", turned.tape);
        auto& inputs = pair.convolution.inputs;
        inputs.insert(inputs.end(), turned.inputs.begin() + 1, turned.inputs.end());
        inputs.insert(inputs.end(), turned.random.begin(), turned.random.end());
        pair.norm.attributes = {};
        pair.norm.attributes.set("epsilon", grad.attributes.real("epsilon"));
      }
      return join(convolution, grad, std::move(pair));
    }
  }

  void find_sum(const Node& sum) {
    const Node& convolution = graph_.producer(sum.inputs[0]);
    const bool linear = convolution.op->name == "conv2d" || convolution.op->name == "conv2d_input_grad";
    const bool takes = linear && is_free(convolution) && !convolution.attributes.has("statistics") &&
                       sum.attributes.list("axes") == std::vector<int64_t>{0, 1, 2};
    if (takes) join(convolution, sum, {convolution, sum, 1});
  }

  static void emit(Rewriter& rewriter, const Pair& pair) {
    const Graph& graph = rewriter.in();
    Graph program(graph.real());
    std::map<ValueId, ValueId> inside;
    std::vector<ValueId> inputs;
    const auto& internal = pair.convolution.outputs;
    for (const Node* node : {&pair.convolution, &pair.norm}) {
      for (ValueId id : node->inputs) {
        const bool known = inside.contains(id) || std::find(internal.begin(), internal.end(), id) != internal.end();
        if (known) continue;
        inside[id] = program.input(std::to_string(inputs.size()), graph.type(id)).id();
        inputs.push_back(rewriter.mapped(id));
      }
    }
    std::vector<ValueId> results;  // of the graph
    for (const Node* node : {&pair.convolution, &pair.norm}) {
      std::vector<ValueId> operands;
      for (ValueId id : node->inputs) operands.push_back(inside.at(id));
      const auto values = program.append(*node->op, node->path, std::move(operands), node->attributes);
      for (size_t i = 0; i < values.size(); ++i) {
        inside[node->outputs[i]] = values[i].id();
        if (node == &pair.convolution && i >= pair.outputs) continue;
        program.output(std::to_string(results.size()), values[i]);
        results.push_back(node->outputs[i]);
      }
    }
    const auto all = rewriter.out().append(
        find_op("block_program"), pair.convolution.path + "+1", std::move(inputs),
        {{"program", Subgraph{std::make_shared<const Graph>(std::move(program))}}, {"together", int64_t{1}}});
    for (size_t i = 0; i < all.size(); ++i) rewriter.replace(results[i], all[i].id());
  }

  const Graph& graph_;
  std::vector<int> uses_;
  Places places_;
  std::vector<bool> gone_;
  std::map<NodeId, Pair> pairs_;  // by place
};

}  // namespace

Graph join_batch_norm(const Graph& graph) {
  return Joiner(graph).batch_norms();
}

Graph join_column_sums(const Graph& graph) {
  return Joiner(graph).sums();
}

}  // namespace forger
