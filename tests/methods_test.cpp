// The GAN methods by hand-computed numbers and central differences, and each one in a short run of a small recipe.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "engine/autodiff/gradients.h"
#include "engine/ops/ops.h"
#include "models/conditioning.h"
#include "models/ema.h"
#include "models/energy.h"
#include "models/gan_networks.h"
#include "models/penalties.h"
#include "training/samples.h"
#include "training/trainer.h"

using namespace forger;

namespace {

using Flags = std::vector<std::pair<const char*, const char*>>;

Config configured(const std::string& recipe, const Flags& flags) {
  Config config = find_recipe(recipe).defaults;
  if (config.has("data")) config.set("data", OptionValue(std::string(FORGER_SOURCE_DIR "/datasets/mnist")));
  for (const auto& [name, text] : flags) config.set(name, std::string(text));
  return config;
}

/// A step of a recipe, in double on the reference or in float on a device.
class Steps {
 public:
  Steps(const Config& config, DType real = DType::f32, const BackendOptions& options = {.device = "cpu"})
      : data_(load_real_data(config, real)), backend_(open_backend(options)), variables_(*backend_.device) {
    const Graph graph = build_train_step(find_recipe(config.recipe()), config, data_, real);
    session_ = std::make_unique<Session>(compile(graph, backend_.providers, backend_.target), variables_, 5);
    session_->bind("data", data_.bytes.data());
    if (data_.classes > 0) session_->bind("labels", data_.label_bytes.data());
  }
  Session& session() { return *session_; }
  VariableStore& variables() { return variables_; }
  const Backend& backend() const { return backend_; }

  std::vector<double> values(const std::string& name) const {
    return to_doubles(variables_.read(name).data(), variables_.at(name).type);
  }
  std::map<std::string, std::vector<std::byte>> state() const {
    std::map<std::string, std::vector<std::byte>> all;
    for (const auto& [name, entry] : variables_.entries()) all[name] = variables_.read(name);
    return all;
  }

 private:
  RealData data_;
  Backend backend_;
  VariableStore variables_;
  std::unique_ptr<Session> session_;
};

const BackendOptions kOracle{.device = "cpu", .providers = "reference"}, kEmulated{.device = "emulated", .precision = "fp32"};

/// The outputs of a graph of variables, in double.
std::map<std::string, std::vector<double>> evaluate(const Graph& graph,
                                                    const std::map<std::string, std::vector<double>>& inputs) {
  VariableStore variables(host_device());
  Session session(compile(graph, parse_providers("reference")), variables, 3);
  for (const auto& [name, values] : inputs) session.bind(name, values.data());
  session.run();
  std::map<std::string, std::vector<double>> results;
  for (const auto& [name, id] : graph.outputs()) results[name] = session.output(name);
  return results;
}

std::string refusal(const std::string& recipe, const Flags& flags) {
  try {
    const Config config = configured(recipe, flags);
    build_train_step(find_recipe(recipe), config, load_real_data(config));
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

/// One line of the table below: a method in a small recipe.
struct Method {
  const char* name;
  Flags flags;
};
const Method kMethods[] = {
    {"lsgan", {{"loss", "lsgan"}, {"label-smoothing", "0.1"}}},
    {"hinge, spectral norm", {{"loss", "hinge"}, {"spectral-norm", "both"}}},
    {"wgan, clipped", {{"loss", "wgan"}, {"weight-clip", "0.01"}, {"optimizer", "rmsprop"}, {"n-critic", "2"}}},
    {"wgan-gp", {{"loss", "wgan"}, {"gradient-penalty", "wgan-gp"}}},
    {"r1", {{"gradient-penalty", "r1"}, {"gradient-penalty-weight", "1"}}},
    {"r2", {{"gradient-penalty", "r2"}, {"pack", "2"}}},
    {"relativistic, r1 and r2", {{"loss", "relativistic"}, {"gradient-penalty", "r1-r2"}, {"gradient-penalty-weight", "0.5"}}},
    {"dragan", {{"gradient-penalty", "dragan"}}},
    {"minibatch stddev, pack of 4", {{"minibatch-stddev", "on"}, {"pack", "4"}}},
    {"instance noise, ema", {{"instance-noise", "0.1"}, {"instance-noise-steps", "20"}, {"ema", "0.9"}}},
    {"unrolled", {{"unroll", "2"}}},
    {"unrolled, relativistic, separate sgd", {{"unroll", "1"}, {"loss", "relativistic"}, {"optimizer", "sgd"}}},
    {"conditional, concatenated", {{"conditional", "concat"}, {"pack", "2"}}},
    {"conditional, projection", {{"conditional", "projection"}, {"spectral-norm", "d"}, {"loss", "hinge"}}},
};

}  // namespace

TEST_CASE("methods: each one runs, changes the run, and gives the same bytes again") {
  Steps plain(configured("gaussians4", {{"batch", "16"}}));
  plain.session().run(5);
  for (const Method& m : kMethods) {
    CAPTURE(m.name);
    Flags flags = m.flags;
    flags.insert(flags.begin(), {"batch", "16"});
    const Config config = configured("gaussians4", flags);
    Steps first(config), second(config);
    for (int i = 0; i < 5; ++i) {
      CHECK(first.session().run_checked() == std::nullopt);  // every result is finite
      second.session().run();
    }
    CHECK(first.state() == second.state());
    CHECK(first.state() != plain.state());
  }
}

TEST_CASE("methods: one step on the fast CPU kernels and on the emulated GPU is the reference's in double") {
  for (const Method& m : kMethods) {
    CAPTURE(m.name);
    Flags flags = m.flags;
    flags.insert(flags.begin(), {"batch", "16"});
    const Config config = configured("gaussians4", flags);
    Steps exact(config, DType::f64, kOracle);
    exact.session().run(2);
    for (const BackendOptions& device : {BackendOptions{.device = "cpu"}, kEmulated}) {
      CAPTURE(device.device);
      Steps fast(config, DType::f32, device);
      fast.session().run(2);
      for (const auto& [name, id] : fast.session().program().graph.outputs()) {
        if (name == "d_accuracy") continue;  // a share: one sample near the threshold moves it
        CAPTURE(name);
        CHECK(fast.session().scalar(name) == doctest::Approx(exact.session().scalar(name)).epsilon(1e-3));
      }
    }
  }
}

TEST_CASE("methods: the gradient of a penalty through convolutions, layer norm and spectral norm is that of differences") {
  Graph graph(DType::f64);
  Network d(graph, "D", {.norm = NetworkOptions::Norm::layer, .spectral_norm = true, .minibatch_stddev = true});
  const Value images = graph.input("images", {DType::f64, {3, 5, 5, 2}}), w = graph.input("w", {DType::f64, {4, 3, 3, 2}});
  const ForwardPass pass = ForwardPass::inference();
  d.parameter("conv2d_1/kernel", {4, 3, 3, 2}, Initializer::zeros());
  d.set("conv2d_1/kernel", w);
  Layers x(d, images, pass);
  x.conv2d(4, 3, 2).norm(0.8).tanh().conv2d(3, 3, 1).tanh().minibatch_stddev().flatten().logits();
  const Value penalty = add(one_centred_penalty(x.value(), images), zero_centred_penalty(x.value(), images));
  const Value wrt[] = {w};
  graph.output("penalty", penalty);
  graph.output("gradient", gradients(penalty, wrt)[0]);
  std::map<std::string, std::vector<double>> inputs{{"images", {}}, {"w", {}}};
  for (int i = 0; i < 3 * 5 * 5 * 2; ++i) inputs["images"].push_back(std::sin(1.7 * i));
  for (int i = 0; i < 4 * 3 * 3 * 2; ++i) inputs["w"].push_back(std::cos(0.9 * i));
  const auto analytic = evaluate(graph, inputs)["gradient"];
  double worst = 0, largest = 0;
  for (size_t i = 0; i < inputs["w"].size(); i += 7) {
    const double kept = inputs["w"][i];
    inputs["w"][i] = kept + 1e-5;
    const double up = evaluate(graph, inputs)["penalty"][0];
    inputs["w"][i] = kept - 1e-5;
    const double down = evaluate(graph, inputs)["penalty"][0];
    inputs["w"][i] = kept;
    worst = std::max(worst, std::abs((up - down) / 2e-5 - analytic[i]));
    largest = std::max(largest, std::abs(analytic[i]));
  }
  CHECK(largest > 1e-3);
  CHECK(worst < 1e-6 * largest);
}

TEST_CASE("methods: penalties of a linear D are known") {
  // D(x) = 3 a + 4 b: |gradient| = 5 everywhere; of a pack of two samples, sqrt(25 + 25).
  Graph graph(DType::f64);
  const Value x = graph.input("x", {DType::f64, {4, 2}}), w = graph.input("w", {DType::f64, {2, 1}});
  const Value each = matmul(x, w), two = matmul(pack(x, 2), concat({w, w}, 0));
  graph.output("one", one_centred_penalty(each, x));
  graph.output("zero", zero_centred_penalty(each, x));
  graph.output("packed", squared_gradient_norm(two, x));
  auto r = evaluate(graph, {{"x", {1, 2, 3, 4, 5, 6, 7, 8}}, {"w", {3, 4}}});
  CHECK(r["one"][0] == doctest::Approx(16));
  CHECK(r["zero"][0] == doctest::Approx(12.5));
  CHECK(r["packed"] == std::vector<double>{50, 50});
}

TEST_CASE("methods: packs, class channels and deviations of a batch are where they should be") {
  Graph graph(DType::f64);
  const Value x = graph.input("x", {DType::f64, {4, 1}}), labels = graph.input("labels", {DType::f64, {4, 2}});
  graph.output("pack", pack(x, 2));
  graph.output("points", condition_samples(x, labels));
  graph.output("images", condition_samples(reshape(x, {2, 1, 2, 1}), slice(labels, {0, 0}, {2, 2})));
  Network d(graph, "D", {.minibatch_stddev = true});
  const ForwardPass pass = ForwardPass::inference();
  Layers layers(d, reshape(x, {2, 2}), pass);
  graph.output("stddev", layers.minibatch_stddev().value());
  auto r = evaluate(graph, {{"x", {1, 2, 3, 6}}, {"labels", {1, 0, 0, 1, 1, 0, 1, 0}}});
  CHECK(r["pack"] == std::vector<double>{1, 3, 2, 6});
  CHECK(r["points"] == std::vector<double>{1, 1, 0, 2, 0, 1, 3, 1, 0, 6, 1, 0});
  CHECK(r["images"] == std::vector<double>{1, 1, 0, 2, 1, 0, 3, 0, 1, 6, 0, 1});
  // Columns 1, 3 and 2, 6: deviations 1 and 2, mean 1.5.
  const double expected[] = {1, 2, 1.5, 3, 6, 1.5};
  for (size_t i = 0; i < 6; ++i) CHECK(r["stddev"][i] == doctest::Approx(expected[i]).epsilon(1e-6));
  CHECK(classes_by_column(7, 4, 3) == std::vector<int64_t>{0, 1, 2, 0, 0, 1, 2});
  CHECK(one_hot({2, 0}, 3) == std::vector<float>{0, 0, 1, 1, 0, 0});
}

TEST_CASE("methods: the spectral norm of a trained D is near the true one") {
  Steps steps(configured("ring8", {{"batch", "16"}, {"loss", "hinge"}, {"spectral-norm", "d"}, {"g-lr", "0.0003"}}), DType::f64,
              kOracle);
  steps.session().run(60);
  // |W| of the second layer by many power iterations, and the estimate from the run's u by one.
  const auto w = steps.values("D/dense_2/kernel");
  auto u = steps.values("D/dense_2/kernel/u");
  const size_t n = 64;
  const auto iterate = [&] {
    std::vector<double> v(n), next(n);
    double norm = 0, sigma = 0;
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) v[j] += u[i] * w[i * n + j];
    }
    for (double a : v) norm += a * a;
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) next[i] += w[i * n + j] * v[j] / std::sqrt(norm);
      sigma += next[i] * next[i];
    }
    for (size_t i = 0; i < n; ++i) u[i] = next[i] / std::sqrt(sigma);
    return std::sqrt(sigma);
  };
  const double estimate = iterate();
  double exact = 0;
  for (int i = 0; i < 500; ++i) exact = iterate();
  CHECK(exact > 0.5);
  CHECK(estimate == doctest::Approx(exact).epsilon(0.02));
}

TEST_CASE("methods: the average of G's weights is that of the steps made, and what samples are made with") {
  const Config config = configured("gaussians4", {{"batch", "8"}, {"ema", "0.5"}});
  Steps steps(config, DType::f64, kOracle);
  CHECK(steps.values("G_ema/dense_1/kernel") == steps.values("G/dense_1/kernel"));  // before the first step
  double average = 0, share = 0;
  for (int i = 0; i < 4; ++i) {
    steps.session().run();
    average = 0.5 * average + 0.5 * steps.values("G/dense_2/kernel")[7];
    share = 0.5 * share + 0.5;
    CHECK(steps.values("G_ema/dense_2/kernel")[7] == doctest::Approx(average / share).epsilon(1e-12));
  }
  CHECK(steps.values("G_ema/dense_2/kernel") != steps.values("G/dense_2/kernel"));
  const Graph sampler = build_sampler(find_recipe("gaussians4"), config, {2}, 4);
  for (const Variable& v : sampler.variables()) CHECK(v.name.starts_with("G_ema/"));
}

TEST_CASE("methods: clipped weights stay inside, instance noise fades, smoothing moves the label") {
  Steps clipped(configured("gaussians4", {{"batch", "8"}, {"loss", "wgan"}, {"weight-clip", "0.02"}}));
  clipped.session().run(3);
  double largest = 0;
  for (const double w : clipped.values("D/dense_2/kernel")) largest = std::max(largest, std::abs(w));
  CHECK(largest == doctest::Approx(0.02));
  Steps noisy(configured("gaussians4", {{"batch", "8"}, {"instance-noise", "0.3"}, {"instance-noise-steps", "3"}}));
  for (const double expected : {0.2, 0.1, 0.0, 0.0}) {
    noisy.session().run();
    CHECK(noisy.values("instance_noise")[0] == doctest::Approx(expected).epsilon(1e-5));
  }
  // Cross-entropy against 1 - s instead of 1 is larger by s times the mean logit.
  const auto d_loss = [](const char* smoothing) {
    Steps s(configured("gaussians4", {{"batch", "8"}, {"loss", "lsgan"}, {"label-smoothing", smoothing}}), DType::f64, kOracle);
    s.session().run();
    return std::pair{s.session().scalar("d_loss"), s.session().scalar("d_real")};
  };
  // lsgan: ((x - 1 + s)^2 - (x - 1)^2) / 2 = s (x - 1) + s^2 / 2
  const auto [plain, mean] = d_loss("0");
  CHECK(d_loss("0.2").first - plain == doctest::Approx(0.2 * (mean - 1) + 0.02));
}

TEST_CASE("methods: BEGAN's k follows the balance and stays in [0, 1]") {
  Graph graph(DType::f64);
  const Value real = graph.input("real", {DType::f64, {}}), fake = graph.input("fake", {DType::f64, {}});
  BeganBalance balance(graph, 0.5, 0.1);
  graph.output("convergence", balance.update(real, fake));
  VariableStore variables(host_device());
  Session session(compile(graph, parse_providers("reference")), variables, 0);
  double r = 2, f = 0.4;
  session.bind("real", &r);
  session.bind("fake", &f);
  session.run();
  CHECK(session.scalar("convergence") == doctest::Approx(2 + 0.6));
  CHECK(variables.read_scalar<double>("began/k") == doctest::Approx(0.06));
  f = 5;
  session.run();  // 0.06 - 0.4
  CHECK(variables.read_scalar<double>("began/k") == 0);
  r = 40;
  session.run();  // + 1.5
  CHECK(variables.read_scalar<double>("began/k") == 1);
}

TEST_CASE("methods: what cannot work together is refused with the reason") {
  const auto refuses = [](const std::string& recipe, const Flags& flags, const std::string& a, const std::string& b) {
    const std::string text = refusal(recipe, flags);
    CAPTURE(text);
    CHECK(text.find(a) != std::string::npos);
    CHECK(text.find(b) != std::string::npos);
  };
  for (const char* penalty : {"wgan-gp", "r1", "r2", "r1-r2", "dragan"}) {
    refuses("dcgan", {{"gradient-penalty", penalty}, {"d-update", "sum"}}, "batch normalisation", "--d-norm none");
  }
  refuses("dcgan", {{"gradient-penalty", "r1"}, {"d-norm", "none"}}, "--gradient-penalty r1", "--d-update sum");
  refuses("dcgan", {{"loss", "relativistic"}}, "pairs", "--d-update sum");
  refuses("gaussians4", {{"loss", "wgan"}}, "--loss wgan", "--weight-clip 0.01");
  refuses("gaussians4", {{"loss", "hinge"}, {"label-smoothing", "0.1"}}, "--label-smoothing", "no labels");
  refuses("gaussians4", {{"loss", "relativistic"}, {"label-noise", "0.1"}}, "--label-noise", "no labels");
  refuses("dcgan", {{"loss", "hinge"}}, "--label-noise", "give --label-noise 0");  // dcgan has some by default
  refuses("gaussians4", {{"pack", "3"}}, "--pack", "--batch 249");
  refuses("mlp", {{"pack", "2"}}, "mixed", "--d-update sum");
  refuses("mlp", {{"minibatch-stddev", "on"}}, "mixed", "--d-update sum");
  refuses("gaussians4", {{"conditional", "projection"}, {"pack", "2"}}, "no one class", "--conditional concat");
  refuses("gaussians4", {{"conditional", "concat"}, {"classes", "3"}}, "--classes", "--classes 4");
  refuses("stacked-mnist", {{"conditional", "concat"}}, "stacked", "--stack 1");
  refuses("ebgan", {{"conditional", "concat"}}, "reconstructs", "leave it out");
  refuses("began", {{"d-update", "separate"}}, "--loss began", "--d-update sum");
  refuses("gaussians4", {{"unroll", "1"}, {"gradient-penalty", "r1"}}, "third order", "--unroll 1");
  refuses("gaussians4", {{"unroll", "1"}, {"weight-clip", "0.1"}}, "--unroll 1", "--weight-clip");
  refuses("gaussians4", {{"weight-clip", "0.1"}, {"gradient-penalty", "r1"}}, "two ways", "r1");
  refuses("gaussians4", {{"fakes", "shared"}}, "--fakes shared", "--g-noise fresh");
  CHECK(refusal("dcgan", {{"gradient-penalty", "r1"}, {"d-update", "sum"}, {"d-norm", "layer"}}) == "");
}

TEST_CASE("methods: classes of points are their modes, and a conditional G is told them") {
  const Config config = configured("gaussians4", {{"conditional", "concat"}, {"batch", "8"}});
  const RealData data = load_real_data(config);
  CHECK(data.label_table.shape == Shape{1000, 4});
  const auto* points = reinterpret_cast<const float*>(data.bytes.data());
  const auto* labels = reinterpret_cast<const float*>(data.label_bytes.data());
  int right = 0;  // modes lie at (-,-), (-,+), (+,-), (+,+), six deviations apart
  for (int i = 0; i < 1000; ++i) right += labels[i * 4 + (points[i * 2] > 0 ? 2 : 0) + (points[i * 2 + 1] > 0 ? 1 : 0)] == 1;
  CHECK(right > 980);
  Steps steps(config);
  steps.session().run();
  Sampler sampler(find_recipe("gaussians4"), config, {2}, steps.backend(), steps.variables());
  const auto z = latent_noise(config, 2, 1, "test/z");
  CHECK(sampler(z, {0, 1}) == sampler(z));  // classes in turn
  CHECK(sampler(z, {3, 1}) != sampler(z, {0, 1}));
}

TEST_CASE("methods: stacked digits are three rows of the table") {
  Config config = configured("stacked-mnist", {{"batch", "2"}});
  RealData data;
  data.stack = 3;
  data.table = {DType::u8, {5, 2, 2, 1}};
  for (int i = 0; i < 5 * 4; ++i) data.bytes.push_back(static_cast<std::byte>(i / 4 * 51));  // image i: grey 51 i
  CHECK(data.sample_shape() == Shape{2, 2, 3});
  Graph graph;
  const DataInputs inputs = data_inputs(graph, data);
  const Value seed = graph.variable("seed", {DType::u64, {}}, Initializer::constant(3));
  const Value step = graph.variable("step", {DType::i64, {}}, Initializer::zeros());
  graph.output("batch", real_batch(data, inputs, {seed, step, 64, 0, 1}).samples);
  VariableStore variables(host_device());
  Session session(compile(graph, parse_providers("reference")), variables, 0);
  session.bind("data", data.bytes.data());
  session.run();
  const auto batch = session.output("batch");
  std::set<std::vector<double>> modes;
  for (size_t n = 0; n < 64; ++n) {
    const std::vector<double> first(batch.begin() + static_cast<long>(n * 12), batch.begin() + static_cast<long>(n * 12 + 3));
    for (size_t p = 1; p < 4; ++p)
      CHECK(std::equal(first.begin(), first.end(), batch.begin() + static_cast<long>(n * 12 + p * 3)));
    modes.insert(first);
  }
  CHECK(modes.size() > 30);  // of 125
  const auto pictures = real_images(data, 9);
  CHECK(pictures.size() == 12);  // five rows make one stack
  CHECK(pictures[1] == doctest::Approx(51 / 127.5 - 1));
}

TEST_SUITE("slow") {
  TEST_CASE("methods: the recipes for images take a step with the methods meant for them") {
    const std::pair<const char*, Flags> runs[] = {
        {"stacked-mnist", {{"pack", "2"}}},
        {"best-mnist", {{"width", "8"}}},
        {"best-mnist", {{"width", "8"}, {"stack", "3"}, {"channels", "3"}, {"pack", "2"}}},
        {"best-stacked", {{"width", "8"}}},
        {"dcgan",
         {{"loss", "wgan"}, {"label-noise", "0"}, {"gradient-penalty", "wgan-gp"}, {"d-norm", "layer"}, {"d-update", "sum"}}},
        {"dcgan",
         {{"loss", "hinge"}, {"label-noise", "0"}, {"spectral-norm", "both"}, {"conditional", "projection"}, {"ema", "0.99"}}},
        {"mlp", {{"conditional", "concat"}, {"unroll", "1"}, {"d-update", "separate"}}},
        {"ebgan", {}},
        {"began", {}},
    };
    for (const auto& [recipe, flags] : runs) {
      CAPTURE(recipe);
      Flags all = flags;
      all.push_back({"batch", "4"});
      Steps steps(configured(recipe, all));
      CHECK(steps.session().run_checked() == std::nullopt);
      CHECK(steps.session().run_checked() == std::nullopt);
    }
  }
}
