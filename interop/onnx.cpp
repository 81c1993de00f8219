// Walks the sampler's graph. Forger's activations are NHWC, ONNX's convolutions NCHW: a value may exist in both layouts, a
// Transpose is written where an op needs the one that is not there, and elementwise ops stay in the layout they find. The
// DCGAN so has one Transpose, behind its dense layer.
#include "interop/onnx.h"

#include <map>
#include <set>

#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "interop/layouts.h"
#include "interop/onnx_model.h"
#include "models/gan_step.h"

namespace forger {
namespace {

constexpr int64_t kBatch = 7;  // of the graph that is walked; any number that stands out, for the model takes all
const std::string kBatchName = "N";

enum class Layout { channels_last, channels_first };

class OnnxWriter {
 public:
  OnnxWriter(const Graph& graph, const Checkpoint& checkpoint) : graph_(graph), checkpoint_(checkpoint) {
    for (const Node& node : graph.nodes()) {
      for (const ValueId id : node.inputs) users_[id].push_back(&node);
    }
    output_ = graph.outputs().at(0).second;
  }

  std::string write(const std::string& name) {
    for (const Node& node : graph_.nodes()) {
      if (!done_.contains(node.id)) emit(node);
    }
    const Shape& shape = graph_.type(output_).shape;
    const Layout layout = is_image(output_) ? Layout::channels_first : Layout::channels_last;
    std::vector<onnx::Dimension> dims{kBatchName};
    const Shape ordered = is_image(output_) ? Shape{shape[0], shape[3], shape[1], shape[2]} : shape;
    dims.insert(dims.end(), ordered.begin() + 1, ordered.end());
    model_.output(value(output_, layout), dims);
    return model_.serialized(
        name, fmt::format("Generator of forger's recipe {}, step {}. z: latent noise ({}); output: {}", name, checkpoint_.step,
                          checkpoint_.config.text("z-distribution"), is_image(output_) ? "images in [-1, 1], NCHW" : "points"));
  }

 private:
  bool is_image(ValueId id) const { return graph_.type(id).shape.size() == 4; }

  /// The name that a value gets in a layout.
  std::string name_of_value(ValueId id, Layout layout) const {
    const bool first = layout == Layout::channels_first;
    if (id == output_ && first == is_image(id)) return first ? "images" : "samples";
    const std::string& path = graph_.producer(id).path;
    return is_image(id) ? path + (first ? ":nchw" : ":nhwc") : path;
  }

  bool exists(ValueId id, Layout layout) const { return values_.contains({id, layout}); }

  std::string define(ValueId id, Layout layout) {
    values_.insert({id, layout});
    return name_of_value(id, layout);
  }

  /// A computed value in a layout, transposed if it exists in the other one only.
  std::string value(ValueId id, Layout layout) {
    if (!exists(id, layout)) {
      const bool to_first = layout == Layout::channels_first;
      const Layout other = to_first ? Layout::channels_last : Layout::channels_first;
      const std::string from = name_of_value(id, other), to = define(id, layout);
      model_.node("Transpose", {from}, to,
                  {{"perm", to_first ? std::vector<int64_t>{0, 3, 1, 2} : std::vector<int64_t>{0, 2, 3, 1}}});
    }
    return name_of_value(id, layout);
  }

  /// A weight under its own name, with the shape that ONNX wants.
  std::string weight(ValueId id, bool filter = false, const Shape& as = {}) {
    const Node& node = graph_.producer(id);
    if (node.op->name != "variable") refuse(node, "is no weight");
    const std::string& name = node.path;
    if (weights_.insert(name).second) {
      const auto it = checkpoint_.tensors.find(name);
      if (it == checkpoint_.tensors.end()) fail<DataError>("{}: has no tensor '{}'", checkpoint_.path, name);
      const auto& [type, bytes] = it->second;
      if (type != graph_.type(id)) {
        fail<DataError>("{}: '{}' is {}, expected {}", checkpoint_.path, name, to_string(type), to_string(graph_.type(id)));
      }
      std::vector<float> values = floats_of(bytes);
      Shape shape = as.empty() ? type.shape : as;
      if (filter) {
        values = krsc_to_kcrs(values, shape);
        shape = {shape[0], shape[3], shape[1], shape[2]};
      }
      model_.weight(name, shape, values);
    }
    return name;
  }

  std::string constant(const Node& node, double v) {
    const std::string name = node.path + ":constant";
    const float values[] = {static_cast<float>(v)};
    model_.weight(name, Shape{}, values);
    return name;
  }

  [[noreturn]] void refuse(const Node& node, const std::string& why) const {
    fail<ConfigError>("{}: the op '{}' {}; this generator cannot be exported to ONNX, try --format safetensors", node.path,
                      node.op->name, why);
  }

  /// The bias_add that alone reads this node's output: ONNX's Conv and Gemm take it as an input.
  const Node* bias_of(const Node& node) const {
    const auto it = users_.find(node.outputs[0]);
    if (it == users_.end() || it->second.size() != 1 || node.outputs[0] == output_) return nullptr;
    const Node* user = it->second[0];
    return user->op->name == "bias_add" && user->inputs[0] == node.outputs[0] ? user : nullptr;
  }

  /// Inputs and result of a linear node with its bias, if it has one.
  void linear(const Node& node, const std::string& op, std::vector<std::string> inputs, Layout layout,
              const onnx::NamedAttributes& attributes) {
    const Node* bias = bias_of(node);
    if (bias) {
      inputs.push_back(weight(bias->inputs[1]));
      done_.insert(bias->id);
    }
    model_.node(op, inputs, define(bias ? bias->outputs[0] : node.outputs[0], layout), attributes);
  }

  void emit(const Node& node) {
    const std::string_view op = node.op->name;
    if (op == "variable") return;
    if (op == "input") {
      const Shape& shape = graph_.type(node.outputs[0]).shape;
      model_.input(define(node.outputs[0], Layout::channels_last), {kBatchName, shape.at(1)});
    } else if (op == "matmul") {
      linear(node, "Gemm", {value(node.inputs[0], Layout::channels_last), weight(node.inputs[1])}, Layout::channels_last,
             {{"transA", node.attributes.integer("transpose_a")}, {"transB", node.attributes.integer("transpose_b")}});
    } else if (op == "conv2d") {
      convolution(node);
    } else if (op == "conv2d_input_grad") {
      transposed_convolution(node);
    } else if (op == "bias_add") {
      bias_add(node);
    } else if (op == "batch_norm_inference") {
      batch_norm(node);
    } else if (op == "reshape") {
      reshape(node);
    } else if (op == "concat") {
      concat(node);
    } else if (const ScalarOp* scalar = scalar_op_of(*node.op)) {
      elementwise(node, *scalar);
    } else {
      refuse(node, "has no ONNX form here");
    }
  }

  void convolution(const Node& node) {
    const Conv2dShape s = conv2d_shape(node.attributes);
    linear(node, "Conv", {value(node.inputs[0], Layout::channels_first), weight(node.inputs[1], true)}, Layout::channels_first,
           {{"kernel_shape", std::vector{s.R, s.S}},
            {"strides", std::vector{s.stride_h, s.stride_w}},
            {"pads", std::vector{s.pad_top, s.pad_left, s.pad_bottom(), s.pad_right()}}});
  }

  /// Height (P - 1) * stride + R, of which `pads` cut off the first and last rows; what is then missing is output_padding.
  void transposed_convolution(const Node& node) {
    const Conv2dShape s = conv2d_shape(node.attributes);
    const int64_t bottom = (s.P - 1) * s.stride_h + s.R - s.H - s.pad_top;
    const int64_t right = (s.Q - 1) * s.stride_w + s.S - s.W - s.pad_left;
    const auto cut = [](int64_t pad) { return std::max<int64_t>(pad, 0); };
    linear(node, "ConvTranspose", {value(node.inputs[0], Layout::channels_first), weight(node.inputs[1], true)},
           Layout::channels_first,
           {{"kernel_shape", std::vector{s.R, s.S}},
            {"strides", std::vector{s.stride_h, s.stride_w}},
            {"pads", std::vector{s.pad_top, s.pad_left, cut(bottom), cut(right)}},
            {"output_padding", std::vector{cut(-bottom), cut(-right)}}});
  }

  /// The layout in which a value is there already.
  Layout layout_of(ValueId id) const {
    return exists(id, Layout::channels_first) ? Layout::channels_first : Layout::channels_last;
  }

  void bias_add(const Node& node) {
    const Layout layout = layout_of(node.inputs[0]);
    const int64_t c = graph_.type(node.inputs[1]).shape[0];
    const Shape shape = layout == Layout::channels_first ? Shape{c, 1, 1} : Shape{c};
    model_.node("Add", {value(node.inputs[0], layout), weight(node.inputs[1], false, shape)}, define(node.outputs[0], layout));
  }

  void batch_norm(const Node& node) {
    const Layout layout = is_image(node.inputs[0]) ? Layout::channels_first : Layout::channels_last;
    std::vector<std::string> inputs{value(node.inputs[0], layout)};
    for (size_t i = 1; i < 5; ++i) inputs.push_back(weight(node.inputs[i]));
    model_.node("BatchNormalization", inputs, define(node.outputs[0], layout),
                {{"epsilon", static_cast<float>(node.attributes.real("epsilon"))}});
  }

  void reshape(const Node& node) {
    Shape to = graph_.type(node.outputs[0]).shape;
    if (to.empty() || to[0] != kBatch || graph_.type(node.inputs[0]).shape[0] != kBatch) refuse(node, "does not keep the batch");
    to[0] = 0;  // as it comes in
    model_.weight(node.path + ":shape", to);
    const std::string from = value(node.inputs[0], Layout::channels_last);
    model_.node("Reshape", {from, node.path + ":shape"}, define(node.outputs[0], Layout::channels_last));
  }

  /// Latent noise with the classes behind it.
  void concat(const Node& node) {
    std::vector<std::string> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(value(id, Layout::channels_last));
    model_.node("Concat", inputs, define(node.outputs[0], Layout::channels_last), {{"axis", node.attributes.integer("axis")}});
  }

  void elementwise(const Node& node, ScalarOp op) {
    static const std::map<ScalarOp, std::string> same{
        {ScalarOp::add, "Add"},   {ScalarOp::sub, "Sub"},   {ScalarOp::mul, "Mul"},
        {ScalarOp::div, "Div"},   {ScalarOp::neg, "Neg"},   {ScalarOp::exp, "Exp"},
        {ScalarOp::log, "Log"},   {ScalarOp::sqrt, "Sqrt"}, {ScalarOp::reciprocal, "Reciprocal"},
        {ScalarOp::relu, "Relu"}, {ScalarOp::tanh, "Tanh"}, {ScalarOp::sigmoid, "Sigmoid"},
        {ScalarOp::abs, "Abs"},   {ScalarOp::sign, "Sign"}, {ScalarOp::softplus, "Softplus"}};
    const Layout layout = layout_of(node.inputs[0]);
    std::vector<std::string> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(value(id, layout));
    const std::string y = define(node.outputs[0], layout);
    if (const auto it = same.find(op); it != same.end()) {
      model_.node(it->second, inputs, y);
    } else if (op == ScalarOp::leaky_relu) {
      model_.node("LeakyRelu", inputs, y, {{"alpha", static_cast<float>(node.attributes.real("p"))}});
    } else if (op == ScalarOp::square) {
      model_.node("Mul", {inputs[0], inputs[0]}, y);
    } else if (op == ScalarOp::scale || op == ScalarOp::shift) {
      model_.node(op == ScalarOp::scale ? "Mul" : "Add", {inputs[0], constant(node, node.attributes.real("p"))}, y);
    } else {
      refuse(node, "has no ONNX form here");
    }
  }

  const Graph& graph_;
  const Checkpoint& checkpoint_;
  onnx::Model model_;
  ValueId output_ = -1;
  std::map<ValueId, std::vector<const Node*>> users_;
  std::set<std::pair<ValueId, Layout>> values_;
  std::set<std::string> weights_;
  std::set<NodeId> done_;  // written together with an earlier node
};

}  // namespace

std::string onnx_generator(const Checkpoint& checkpoint, const Shape& sample) {
  const Recipe& recipe = find_recipe(checkpoint.config.recipe());
  const Graph graph = build_sampler(recipe, checkpoint.config, sample, kBatch);
  return OnnxWriter(graph, checkpoint).write(recipe.name);
}

}  // namespace forger
