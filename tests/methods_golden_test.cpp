// The GAN methods against PyTorch in float64: values and gradients, those of penalties and unrolled updates of second
// order. tests/golden/make_methods.py makes the values.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/autodiff/gradients.h"
#include "engine/ops/ops.h"
#include "engine/runtime/session.h"
#include "models/energy.h"
#include "models/losses.h"
#include "models/penalties.h"
#include "models/recipe.h"
#include "models/spectral_norm.h"
#include "models/unroll.h"
#include "training/safetensors.h"

using namespace forger;

namespace {

/// A graph in double whose inputs and variables take the file's tensors of their names, and whose results are compared
/// with others of them.
class GoldenMethods {
 public:
  GoldenMethods() : file_(read_safetensors(FORGER_SOURCE_DIR "/tests/golden/methods.safetensors")) {}

  Graph& graph() { return graph_; }
  Value input(const std::string& name) {
    inputs_.push_back(name);
    return graph_.input(name, {DType::f64, file_.at(name).shape});
  }
  void expect(const std::string& name, Value value) { graph_.output(name, value); }
  void expect_gradient(const std::string& name, Value loss, Value by) {
    const Value wrt[] = {by};
    expect(name, gradients(loss, wrt)[0]);
  }

  void check(double tolerance = 1e-12) {
    VariableStore variables(host_device());
    Session session(compile(graph_, parse_providers("reference")), variables, 0);
    std::map<std::string, std::vector<double>> bound;
    for (const std::string& name : inputs_) {
      bound[name] = file_.at(name).values<double>();
      session.bind(name, bound[name].data());
    }
    for (const StoredTensor& t : file_.tensors) {
      const auto values = t.values<double>();
      if (variables.contains(t.name)) variables.write(t.name, std::as_bytes(std::span(values)));
    }
    session.run();
    for (const auto& [name, id] : graph_.outputs()) {
      const auto got = session.output(name), expected = file_.at(name).values<double>();
      REQUIRE_MESSAGE(got.size() == expected.size(), name);
      for (size_t i = 0; i < got.size(); ++i) {
        CHECK_MESSAGE(std::abs(got[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i])), name, "[", i, "] is ", got[i],
                      ", PyTorch has ", expected[i]);
      }
    }
  }

 private:
  SafetensorsFile file_;
  Graph graph_{DType::f64};
  std::vector<std::string> inputs_;
};

Value small_discriminator(Network& d, Value x) {
  const ForwardPass pass = ForwardPass::inference();
  Layers layers(d, x, pass);
  layers.dense(6).tanh().logits();
  return layers.value();
}

}  // namespace

TEST_CASE("methods: every adversarial loss and its gradients are PyTorch's") {
  for (const char* name : {"non-saturating", "minimax", "mse", "lsgan", "hinge", "wgan", "relativistic", "ebgan", "began"}) {
    CAPTURE(name);
    GoldenMethods golden;
    const AdversarialLoss kind = parse_loss(name);
    const Value real = golden.input("real_outputs"), fake = golden.input("fake_outputs");
    const Value ones = golden.input("ones"), zeros = golden.input("zeros");
    const Value balance = fill(golden.graph(), 0.3, {});
    const Value d = is_paired(kind) ? paired_loss(kind, real, fake)
                                    : add(real_loss(kind, real, ones), fake_loss(kind, fake, zeros, 0.8, balance));
    const Value g = generator_loss(kind, fake, real);
    const std::string prefix = std::string(name) + "/";
    golden.expect(prefix + "d", d);
    golden.expect(prefix + "g", g);
    golden.expect_gradient(prefix + "d_real", d, real);
    golden.expect_gradient(prefix + "d_fake", d, fake);
    golden.expect_gradient(prefix + "g_fake", g, fake);
    golden.check();
  }
}

TEST_CASE("methods: gradient penalties and their gradients by D's weights, of second order, are PyTorch's") {
  for (const std::string name : {"one_centred", "zero_centred"}) {
    GoldenMethods golden;
    Network d(golden.graph(), "D");
    const Value samples = golden.input("samples");
    const Value outputs = small_discriminator(d, samples);
    const Value penalty = name == "one_centred" ? one_centred_penalty(outputs, samples) : zero_centred_penalty(outputs, samples);
    golden.expect(name, penalty);
    for (const char* parameter : {"dense_1/kernel", "dense_1/bias", "dense_2/kernel"}) {
      golden.expect_gradient(name + "/" + parameter, penalty, d.get(parameter));
    }
    golden.check();
  }
}

TEST_CASE("methods: spectral norm takes one power iteration, through which no gradient runs") {
  GoldenMethods golden;
  Network net(golden.graph(), "net");
  net.state("w/u", {1, 4}, Initializer::zeros());
  net.set("w/u", golden.input("u"));
  const Value weight = golden.input("weight");
  const Value result = spectral_norm(net, "w", weight, 4, true);
  golden.expect("spectral/weight", result);
  golden.expect("spectral/u", net.get("w/u"));
  golden.expect_gradient("spectral/gradient", reduce_sum(mul(result, golden.input("probe")), {0, 1}), weight);
  // The same weight again is the same value: no second iteration.
  CHECK(spectral_norm(net, "w", weight, 4, true) == result);
  golden.check(1e-10);
}

TEST_CASE("methods: layer norm is PyTorch's") {
  GoldenMethods golden;
  Network net(golden.graph(), "net");
  const ForwardPass pass = ForwardPass::inference();
  Layers layers(net, golden.input("weight"), pass);
  golden.expect("layer_norm", layers.layer_norm().value());
  golden.check();
}

TEST_CASE("methods: EBGAN's pulling-away term and its gradient are PyTorch's") {
  GoldenMethods golden;
  const Value codes = golden.input("codes"), pull = pulling_away(codes);
  golden.expect("pull", pull);
  golden.expect_gradient("pull/codes", pull, codes);
  golden.check(1e-10);
}

TEST_CASE("methods: G's gradient runs through two unrolled updates of D, and not through its own optimizer's") {
  for (const std::string kind : {"sgd", "rmsprop", "adam"}) {
    CAPTURE(kind);
    GoldenMethods golden;
    Graph& graph = golden.graph();
    Config config = find_recipe("gaussians4").defaults;
    for (const auto& [name, value] : {std::pair{"d-lr", "0.05"}, {"beta1", "0.5"}, {"beta2", "0.9"}, {"epsilon", "0.001"}}) {
      config.set(name, std::string(value));
    }
    config.set("optimizer", kind);
    Network d(graph, "D");
    Optimizer optimizer(d, config, "d");
    const Value reals = golden.input("reals"), fakes = golden.input("fakes");
    const auto loss = [&](Network& network) {
      return add(bce_with_logits(small_discriminator(network, reals), fill(graph, 1, {4, 1})),
                 bce_with_logits(small_discriminator(network, fakes), fill(graph, 0, {4, 1})));
    };
    optimizer.minimize(loss(d));
    const std::vector<Value> before = d.parameters();
    Unrolling unrolling(d, optimizer, config, 1);
    Network ahead = unrolling.look_ahead(2, loss);
    CHECK(d.parameters() == before);  // D itself stays
    CHECK(ahead.parameters() != before);
    const Value g_loss = bce_with_logits(small_discriminator(ahead, fakes), fill(graph, 1, {4, 1}));
    golden.expect("unroll/" + kind, g_loss);
    golden.expect_gradient("unroll/" + kind + "/fakes", g_loss, fakes);
    golden.check();
  }
}
