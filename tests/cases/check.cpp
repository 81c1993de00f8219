#include <sanitizer/asan_interface.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <map>

#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"
#include "engine/runtime/session.h"
#include "kernels/common/philox.h"
#include "tests/cases/case.h"

namespace forger {
namespace {

constexpr size_t kGuardBytes = 256;
constexpr std::byte kGuard{0xFF};  // as a float NaN: what is read there spoils the result

/// Memory for one tensor with guard zones around it, which AddressSanitizer lets nobody touch.
class Guarded {
 public:
  Guarded(Device& device, const std::vector<std::byte>& contents)
      : contents_(contents), buffer_(device, contents.size() + 2 * kGuardBytes) {
    std::vector<std::byte> all(buffer_.bytes(), kGuard);
    std::copy(contents.begin(), contents.end(), all.begin() + kGuardBytes);
    device.upload(buffer_.data(), all.data(), all.size());
    if (device.is_asynchronous()) return;
    ASAN_POISON_MEMORY_REGION(buffer_.data(), kGuardBytes);
    ASAN_POISON_MEMORY_REGION(data() + contents.size(), kGuardBytes);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { unpoison(); }

  std::byte* data() const { return static_cast<std::byte*>(buffer_.data()) + kGuardBytes; }
  /// Looks at what has become of it: contents, and whether the guard zones are whole.
  bool read() {
    unpoison();
    std::vector<std::byte> all(buffer_.bytes());
    buffer_.device().download(all.data(), buffer_.data(), all.size());
    const auto end = all.begin() + kGuardBytes + static_cast<std::ptrdiff_t>(contents_.size());
    changed_ = !std::equal(contents_.begin(), contents_.end(), all.begin() + kGuardBytes);
    contents_.assign(all.begin() + kGuardBytes, end);
    const auto is_guard = [](std::byte b) { return b == kGuard; };
    return std::all_of(all.begin(), all.begin() + kGuardBytes, is_guard) && std::all_of(end, all.end(), is_guard);
  }
  bool changed() const { return changed_; }
  const std::vector<std::byte>& contents() const { return contents_; }

 private:
  void unpoison() {
    if (!buffer_.device().is_asynchronous()) ASAN_UNPOISON_MEMORY_REGION(buffer_.data(), buffer_.bytes());
  }
  std::vector<std::byte> contents_;
  bool changed_ = false;
  Buffer buffer_;
};

struct KernelRun {
  std::vector<std::vector<double>> outputs;
  std::string problem;
};

/// Runs one kernel on the last node of the graph.
KernelRun run_kernel(const Graph& graph, const Kernel& kernel, const std::vector<std::vector<double>>& inputs,
                     const Place& place = {}) {
  const Node& node = graph.nodes().back();
  std::map<ValueId, std::unique_ptr<Guarded>> memory;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = graph.nodes()[i].outputs[0];  // build_case adds the inputs first, in order
    memory[id] = std::make_unique<Guarded>(*place.device, from_doubles(inputs[i], graph.type(id).dtype));
  }
  for (ValueId id : node.outputs) {
    const TensorType& type = graph.type(id);
    const std::vector<double> poison(static_cast<size_t>(type.size()), is_real(type.dtype) ? NAN : 77.0);
    memory[id] = std::make_unique<Guarded>(*place.device, from_doubles(poison, type.dtype));
  }
  const PreparedKernel prepared = kernel.prepare(NodeView(graph, node, place.target));
  Guarded workspace(*place.device, std::vector<std::byte>(prepared.workspace_bytes, kGuard));
  constexpr auto kFlag = std::byte{7};  // any value
  std::vector<std::byte> words(sizeof(uint32_t) * prepared.words(), kFlag);
  const auto flags = words.begin() + static_cast<std::ptrdiff_t>(sizeof(uint32_t) * prepared.counters);
  std::fill(words.begin(), flags, std::byte{0});
  Guarded counters(*place.device, words);
  std::vector<void*> in, out;
  for (ValueId id : node.inputs) in.push_back(memory.at(id)->data());
  for (ValueId id : node.outputs) out.push_back(memory.at(id)->data());
  prepared.run({in, out, workspace.data(), place.stream ? place.stream : place.device->stream(),
                reinterpret_cast<uint32_t*>(counters.data())});
  place.device->synchronize();

  KernelRun run;
  for (const auto& [id, block] : memory) {
    if (!block->read()) run.problem = "wrote outside a tensor";
  }
  if (!workspace.read()) run.problem = "wrote outside its workspace";
  if (!counters.read()) run.problem = "wrote outside its counters";
  if (!std::equal(words.begin(), flags, counters.contents().begin())) run.problem = "left a counter that is not zero";
  for (ValueId id : node.inputs) {
    if (memory.at(id)->changed()) run.problem = "changed an input";
  }
  for (ValueId id : node.outputs) run.outputs.push_back(to_doubles(memory.at(id)->contents().data(), graph.type(id)));
  return run;
}

const Kernel& reference_kernel(const NodeView& view) {
  const Provider* const providers[] = {&reference_provider()};
  return *choose_kernel(view, providers).kernel;
}

/// The nearest number that the precision holds: ties away from zero for TF32 (cvt.rna), to even for BF16 (cvt.rn).
double rounded(double value, Precision precision) {
  if (precision == Precision::fp32 || value == 0) return value;
  const int bits = precision == Precision::tf32 ? 11 : 8;  // of the mantissa, with the leading one
  const double unit = std::ldexp(1.0, std::ilogb(value) + 1 - bits);
  return unit * (precision == Precision::tf32 ? std::round(value / unit) : std::nearbyint(value / unit));
}

std::vector<std::vector<double>> rounded(std::vector<std::vector<double>> inputs, Precision precision) {
  for (size_t i = 0; i < std::min<size_t>(inputs.size(), 2); ++i) {
    for (double& v : inputs[i]) v = rounded(v, precision);
  }
  return inputs;
}

/// To what a kernel rounds the first two operands of a node; null: to nothing.
using Rounding = std::function<Precision(const Graph&, const Node&)>;

/// What `kernel` does so with, in a node of `provider`.
Rounding rounding_of(const Kernel& kernel, const Provider& provider, const Target& target) {
  if (kernel.accuracy.of_nodes) {
    return [&provider, target](const Graph& graph, const Node& node) {
      Graph plain(DType::f32);  // kernels take no other
      std::vector<ValueId> ids;
      for (ValueId id : node.inputs) {
        const TensorType& type = graph.type(id);
        ids.push_back(plain.input(std::to_string(ids.size()), {is_real(type.dtype) ? DType::f32 : type.dtype, type.shape}).id());
      }
      plain.append(*node.op, node.path, ids, node.attributes);
      const Provider* const providers[] = {&provider};
      return choose_kernel(NodeView(plain, plain.nodes().back(), target), providers).kernel->accuracy.operands;
    };
  }
  if (kernel.accuracy.operands == Precision::fp32) return nullptr;
  return [operands = kernel.accuracy.operands](const Graph&, const Node& node) {
    const bool is_product = node.op->name == "matmul" || node.op->name.starts_with("conv2d");
    return is_product ? operands : Precision::fp32;
  };
}

/// What the reference makes of the last node, whose operands are rounded first; of a program, those of each node in it.
std::vector<std::vector<double>> reference_outputs(const Graph& graph, const std::vector<std::vector<double>>& inputs,
                                                   const Rounding& rounding) {
  const Node& node = graph.nodes().back();
  if (!rounding || node.op->name != "block_program") {
    const Precision operands = rounding ? rounding(graph, node) : Precision::fp32;
    return run_kernel(graph, reference_kernel(NodeView(graph, node)), rounded(inputs, operands)).outputs;
  }
  const Graph& program = program_of(node);
  std::vector<std::vector<double>> values = inputs;  // by value: the program's first ones are the node's inputs
  values.resize(static_cast<size_t>(program.num_values()));
  for (const Node& inner : program.nodes()) {
    if (inner.op->is_source) continue;
    Graph alone(graph.real());
    std::vector<std::vector<double>> in;
    std::vector<ValueId> ids;
    for (ValueId id : inner.inputs) {
      ids.push_back(alone.input(std::to_string(in.size()), {program.type(id).dtype, program.type(id).shape}).id());
      in.push_back(values[static_cast<size_t>(id)]);
    }
    if (inner.op->is_view) {
      values[static_cast<size_t>(inner.outputs[0])] = in[0];
      continue;
    }
    alone.append(*inner.op, inner.path, ids, inner.attributes);
    const auto out = reference_outputs(alone, in, rounding);
    for (size_t o = 0; o < out.size(); ++o) values[static_cast<size_t>(inner.outputs[o])] = out[o];
  }
  std::vector<std::vector<double>> outputs;
  for (const auto& [name, id] : program.outputs()) outputs.push_back(values[static_cast<size_t>(id)]);
  return outputs;
}

}  // namespace

std::vector<std::vector<double>> make_inputs(const Case& c, Fill fill) {
  std::vector<std::vector<double>> all;
  const uint64_t seed = stream_of(c.op + "/" + c.name);
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const CaseInput& input = c.inputs[i];
    std::vector<double> values(static_cast<size_t>(num_elements(input.shape)));
    for (size_t j = 0; j < values.size(); ++j) {
      const uint32_t word = philox_block(seed, i, 0, static_cast<uint32_t>(j / 4)).v[j % 4];
      switch (input.kind) {
        case CaseInput::Kind::real: {
          const double u = static_cast<double>(philox_uniform(word));
          values[j] = fill == Fill::integers ? static_cast<double>(philox_below(word, 7)) - 3
                                             : static_cast<double>(static_cast<float>(input.low + (input.high - input.low) * u));
          break;
        }
        case CaseInput::Kind::indices:
        case CaseInput::Kind::labels:
          values[j] = philox_below(word, static_cast<uint32_t>(input.high));
          break;
        case CaseInput::Kind::bytes:
          values[j] = philox_below(word, 256);
          break;
        case CaseInput::Kind::seed:
          values[j] = 12345;
          break;
        case CaseInput::Kind::step:
          values[j] = 67;
          break;
      }
    }
    all.push_back(std::move(values));
  }
  return all;
}

Graph build_case(const Case& c, DType real) {
  Graph graph(real);
  std::vector<Value> inputs;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    DType dtype = real;
    switch (c.inputs[i].kind) {
      case CaseInput::Kind::real:
        break;
      case CaseInput::Kind::indices:
      case CaseInput::Kind::labels:
        dtype = DType::i32;
        break;
      case CaseInput::Kind::bytes:
        dtype = DType::u8;
        break;
      case CaseInput::Kind::seed:
        dtype = DType::u64;
        break;
      case CaseInput::Kind::step:
        dtype = DType::i64;
        break;
    }
    inputs.push_back(graph.input(std::to_string(i), {dtype, c.inputs[i].shape}));
  }
  if (inputs.empty()) inputs.push_back(graph.input("unused", {real, {}}));  // gives sources their graph
  c.build(inputs);
  return graph;
}

std::vector<CaseVerdict> check_case(const Case& c, const Provider& provider, Fill fill, const Place& place) {
  auto inputs = make_inputs(c, fill);
  if (inputs.empty()) inputs.push_back({0.0});
  const Graph exact = build_case(c, DType::f64), plain = build_case(c, DType::f32);
  const Node& node = plain.nodes().back();
  const NodeView view(plain, node, place.target);
  if (node.op->is_source || node.op->is_view) return {};
  for (ValueId id : node.inputs) {
    if (plain.producer(id).op->name != "input") return {};  // several nodes: a case for gradients alone
  }
  using Outputs = std::vector<std::vector<double>>;
  std::map<std::pair<Precision, bool>, std::pair<Outputs, Outputs>> references;  // truth, and what float loops make

  std::vector<CaseVerdict> verdicts;
  for (const Kernel& kernel : provider.kernels) {
    if (kernel.op != node.op->name || kernel.declines(view)) continue;
    if (fill == Fill::integers && !kernel.accuracy.exact_on_integers) continue;
    const Precision operands = kernel.accuracy.operands;
    auto& [truth, loops] = references[{operands, kernel.accuracy.of_nodes}];
    if (truth.empty()) {
      const Rounding rounding = rounding_of(kernel, provider, place.target);
      truth = reference_outputs(exact, inputs, rounding);
      loops = reference_outputs(plain, inputs, rounding);
    }
    const KernelRun run = run_kernel(plain, kernel, inputs, place);
    CaseVerdict v{.provider = std::string(provider.name),
                  .kernel = std::string(kernel.name),
                  .precision = name_of(operands),
                  .output = to_string(view.output(0)),
                  .problem = run.problem};
    double worst = -1;
    for (size_t o = 0; o < truth.size(); ++o) {
      double loop_error = 0, largest = 0, found = 0;
      for (size_t i = 0; i < truth[o].size(); ++i) {
        loop_error = std::max(loop_error, std::abs(loops[o][i] - truth[o][i]));
        largest = std::max(largest, std::abs(truth[o][i]));
        found = std::max(found, std::abs(run.outputs[o][i]));
      }
      const double bound = fill == Fill::integers ? 0.0
                                                  : kernel.accuracy.factor * loop_error + c.atol * (1 + largest) +
                                                        kernel.accuracy.of_largest * largest;
      if (largest > 0 && found == 0 && v.problem.empty()) v.problem = fmt::format("output {} is all zero", o);
      for (size_t i = 0; i < truth[o].size(); ++i) {
        const double value = run.outputs[o][i], error = std::abs(value - truth[o][i]);
        if (!std::isfinite(value) && v.problem.empty()) v.problem = fmt::format("output {} element {} is {}", o, i, value);
        if (error - bound > worst) {
          worst = error - bound;
          v.error = error;
          v.bound = bound;
          if (error > bound && v.problem.empty()) {
            v.problem = fmt::format("output {} element {}: {} instead of {}", o, i, value, truth[o][i]);
          }
        }
      }
    }
    verdicts.push_back(std::move(v));
  }
  return verdicts;
}

std::vector<std::vector<double>> run_case(const Case& c, const Kernel& kernel, Fill fill, const Place& place) {
  auto inputs = make_inputs(c, fill);
  if (inputs.empty()) inputs.push_back({0.0});
  KernelRun run = run_kernel(build_case(c, DType::f32), kernel, inputs, place);
  if (!run.problem.empty()) fail<Error>("{} {}: {}", c.op, c.name, run.problem);
  return std::move(run.outputs);
}

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    for (const auto add : {add_conv2d_cases, add_linear_cases, add_epilogue_cases, add_elementwise_cases, add_shape_cases,
                           add_batch_norm_cases, add_random_cases, add_loss_cases, add_optimizer_cases, add_source_cases,
                           add_pool_cases, add_program_cases, add_joined_cases}) {
      add(all);
    }
    std::stable_sort(all.begin(), all.end(), [](const Case& a, const Case& b) { return a.op < b.op; });
    return all;
  }();
  return cases;
}

}  // namespace forger
