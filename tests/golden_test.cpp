// Single ops against PyTorch in float64. Whole training steps: golden_step_test.cpp.
// tests/golden/make_golden.py makes the values; tests/golden/README.md says how.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/autodiff/gradients.h"
#include "engine/ops/ops.h"
#include "engine/runtime/session.h"
#include "training/safetensors.h"

using namespace forger;

namespace {

SafetensorsFile golden_file(const std::string& name) {
  return read_safetensors(FORGER_SOURCE_DIR "/tests/golden/" + name);
}

/// What computes, and how far it may be from float64: the largest error divided by the largest expected number.
struct Arithmetic {
  std::string name;
  DType real;
  std::string providers;
  double tolerance;
};
const Arithmetic kArithmetics[] = {
    {"float64 on the reference", DType::f64, "reference", 1e-13},
    {"float32 on onednn,reference", DType::f32, "onednn,reference", 2e-6},
};

void check_close(const std::string& name, const std::vector<double>& got, const std::vector<double>& expected, double tolerance) {
  REQUIRE_MESSAGE(got.size() == expected.size(), name);
  double scale = 0;
  for (const double e : expected) scale = std::max(scale, std::abs(e));
  size_t worst = 0;
  const auto error = [&](size_t i) { return std::isfinite(got[i]) ? std::abs(got[i] - expected[i]) : INFINITY; };
  for (size_t i = 0; i < got.size(); ++i) {
    if (error(i) > error(worst)) worst = i;
  }
  CHECK_MESSAGE(error(worst) <= tolerance * scale, name, "[", worst, "] is ", got[worst], ", PyTorch has ", expected[worst],
                "; the largest is ", scale, ", error / largest = ", error(worst) / scale);
}

/// A graph whose inputs are tensors of the file and whose results are compared with others.
class GoldenGraph {
 public:
  GoldenGraph(const SafetensorsFile& file, std::string prefix, const Arithmetic& arithmetic)
      : file_(file), prefix_(std::move(prefix) + "/"), arithmetic_(arithmetic), graph_(arithmetic.real) {}

  Graph& graph() { return graph_; }

  Value input(const std::string& name) {
    const StoredTensor& tensor = file_.at(prefix_ + name);
    inputs_.push_back(name);
    return graph_.input(name, {arithmetic_.real, tensor.shape});
  }

  void expect(const std::string& name, Value value) {
    CHECK_MESSAGE(value.shape() == file_.at(prefix_ + name).shape, prefix_, name);
    graph_.output(name, value);
  }

  /// Expects y, and of its product with dy the gradients "d<input>".
  void expect_with_gradients(Value y, const std::vector<Value>& wrt) {
    const Value results[] = {y}, seeds[] = {input("dy")};
    expect("y", y);
    const std::vector<Value> d = gradients(results, seeds, wrt);
    for (size_t i = 0; i < wrt.size(); ++i) expect("d" + wrt[i].path(), d[i]);
  }

  void run() {
    INFO(arithmetic_.name);
    VariableStore variables(host_device());
    Session session(compile(graph_, parse_providers(arithmetic_.providers)), variables, 0);
    std::vector<Buffer> buffers;
    for (const std::string& name : inputs_) {
      const auto values = file_.at(prefix_ + name).values<double>();
      buffers.emplace_back(host_device(), values.size() * size_of(arithmetic_.real));
      void* data = buffers.back().data();
      const auto narrow = [](double v) { return static_cast<float>(v); };
      if (arithmetic_.real == DType::f64)
        std::copy(values.begin(), values.end(), static_cast<double*>(data));
      else
        std::transform(values.begin(), values.end(), static_cast<float*>(data), narrow);
      session.bind(name, data);
    }
    session.run();
    for (const auto& [name, id] : graph_.outputs()) {
      const auto expected = file_.at(prefix_ + name).values<double>();
      check_close(prefix_ + name, session.output(name), expected, arithmetic_.tolerance);
    }
  }

 private:
  const SafetensorsFile& file_;
  std::string prefix_;
  const Arithmetic& arithmetic_;
  Graph graph_;
  std::vector<std::string> inputs_;
};

}  // namespace

TEST_CASE("golden: convolutions with 'same' padding and their gradients") {
  const SafetensorsFile file = golden_file("ops.safetensors");
  const std::pair<const char*, int64_t> cases[] = {{"k4s1", 1}, {"k3s2_even", 2}, {"k3s2_odd", 2},
                                                   {"k4s2", 2}, {"k7s1", 1},      {"k4s1_1x1", 1}};
  for (const Arithmetic& arithmetic : kArithmetics) {
    for (const auto& [name, stride] : cases) {
      GoldenGraph g(file, std::string("conv2d/") + name, arithmetic);
      const Value x = g.input("x"), w = g.input("w");
      g.expect_with_gradients(conv2d(x, w, stride, Padding::same), {x, w});
      g.run();
    }
    for (const char* name : {"k4s2", "k3s2"}) {
      GoldenGraph g(file, std::string("conv2d_transpose/") + name, arithmetic);
      const Value x = g.input("x"), w = g.input("w");
      g.expect_with_gradients(conv2d_transpose(x, w, 2), {x, w});
      g.run();
    }
  }
}

TEST_CASE("golden: batch norm in training and inference, its running values and gradients") {
  const SafetensorsFile file = golden_file("ops.safetensors");
  constexpr double kEpsilon = 1e-3, kMomentum = 0.8;
  for (const Arithmetic& arithmetic : kArithmetics) {
    for (const std::string name : {"images", "rows"}) {
      GoldenGraph t(file, "batch_norm_training/" + name, arithmetic);
      Value x = t.input("x"), gamma = t.input("gamma"), beta = t.input("beta");
      const BatchNorm bn =
          batch_norm_training(x, gamma, beta, t.input("running_mean"), t.input("running_var"), kEpsilon, kMomentum);
      t.expect_with_gradients(bn.y, {x, gamma, beta});
      t.expect("mean", bn.mean);
      t.expect("inv_std", bn.inv_std);
      t.expect("new_running_mean", bn.running_mean);
      t.expect("new_running_var", bn.running_var);
      t.run();

      GoldenGraph i(file, "batch_norm_inference/" + name, arithmetic);
      x = i.input("x"), gamma = i.input("gamma"), beta = i.input("beta");
      const Value mean = i.input("running_mean"), var = i.input("running_var");
      i.expect_with_gradients(batch_norm_inference(x, gamma, beta, mean, var, kEpsilon), {x, gamma, beta});
      i.run();
    }
  }
}

TEST_CASE("golden: binary cross-entropy with logits and its gradient") {
  const SafetensorsFile file = golden_file("ops.safetensors");
  for (const Arithmetic& arithmetic : kArithmetics) {
    GoldenGraph g(file, "bce", arithmetic);
    const Value logits[] = {g.input("logits")};
    const Value loss = bce_with_logits(logits[0], g.input("targets"));
    g.expect("loss", loss);
    g.expect("dlogits", gradients(loss, logits)[0]);
    g.run();
  }
}

TEST_CASE("golden: three updates of Adam in Keras's form") {
  const SafetensorsFile file = golden_file("ops.safetensors");
  for (const Arithmetic& arithmetic : kArithmetics) {
    GoldenGraph g(file, "adam", arithmetic);
    Value t = g.graph().variable("t", {DType::i64, {}}, Initializer::zeros());
    const Value lr = fill(g.graph(), 2e-4, {});
    const std::string names[] = {"a", "b"};
    AdamUpdate state;
    for (const std::string& name : names) {
      state.parameters.push_back(g.input(name));
      state.m.push_back(fill(g.graph(), 0, state.parameters.back().shape()));
      state.v.push_back(state.m.back());
    }
    for (const std::string step : {"1", "2", "3"}) {
      t = increment(t);
      std::vector<Value> grads;
      for (const std::string& name : names) grads.push_back(g.input(name + "/g" + step));
      state = adam(t, lr, state.parameters, grads, state.m, state.v, 0.5, 0.999, 1e-7);
      for (size_t i = 0; i < 2; ++i) {
        g.expect(names[i] + "/p" + step, state.parameters[i]);
        g.expect(names[i] + "/m" + step, state.m[i]);
        g.expect(names[i] + "/v" + step, state.v[i]);
      }
    }
    g.run();
  }
}
