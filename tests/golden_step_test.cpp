// Two training steps of the recipe dcgan, as a whole, against PyTorch in float64: both networks, their losses and
// gradients, batch norm, dropout, noise, batches and Adam. tests/golden/make_golden.py makes the values.
#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <sstream>

#include "engine/runtime/session.h"
#include "kernels/common/philox.h"
#include "models/gan_step.h"
#include "training/safetensors.h"

using namespace forger;

namespace {

SafetensorsFile golden_file(const std::string& name) {
  return read_safetensors(FORGER_SOURCE_DIR "/tests/golden/" + name);
}

const std::string kLosses[] = {"d_loss", "d_accuracy", "g_loss", "d_real", "d_fake"};

std::set<std::string> lines(const std::string& text) {
  std::set<std::string> result;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) result.insert(line);
  return result;
}

/// Biases in front of a batch norm that subtracts the batch's mean: their gradient is zero, and what is computed for it
/// is rounding noise. (A bias of a transposed convolution is not one: there is another convolution between, which sees
/// zeros, not the bias, beyond the border.)
bool has_zero_gradient(const std::string& parameter) {
  static const std::set<std::string> names = {"G/conv2d_1/bias", "G/conv2d_2/bias", "D/conv2d_2/bias", "D/conv2d_3/bias",
                                              "D/conv2d_4/bias"};
  return names.contains(parameter);
}

/// "G/adam/m/conv2d_1/bias" -> "G/conv2d_1/bias"; "" for other names.
std::string parameter_of_moment(const std::string& name) {
  const bool moment = name.substr(1, 8) == "/adam/m/" || name.substr(1, 8) == "/adam/v/";
  return moment ? name.substr(0, 2) + name.substr(9) : "";
}

/// The training step of the recipe dcgan on the file's images, from the file's initial values.
class GoldenStep {
 public:
  GoldenStep(const SafetensorsFile& file, const std::string& fakes, DType real, const std::string& providers)
      : config_(find_recipe("dcgan").defaults), images_(file.at("images").values<uint8_t>()), variables_(host_device()) {
    const auto seed = static_cast<uint64_t>(file.at("seed").values<int64_t>().at(0));
    config_.set("fakes", fakes);
    config_.set("batch", file.metadata.at("batch"));
    config_.set("z-dim", file.metadata.at("z-dim"));
    RealData data;
    data.table = {DType::u8, file.at("images").shape};
    const Graph graph = build_train_step(find_recipe("dcgan"), config_, data, real);
    for (const Node& node : graph.nodes()) {
      if (node.attributes.has("stream")) streams_.emplace(node.attributes.integer("stream"), node.path);
    }
    session_ = std::make_unique<Session>(compile(graph, parse_providers(providers)), variables_, seed);
    session_->bind("data", images_.data());
    variables_.write("rng/seed", std::as_bytes(std::span(&seed, 1)));
    move_vectors(graph, seed);
  }

  Session& session() const { return *session_; }
  /// Streams of random numbers -> path of the first node that draws from it.
  const std::map<int64_t, std::string>& streams() const { return streams_; }

  std::set<std::string> variable_names() const {
    std::set<std::string> names;
    for (const auto& [name, entry] : variables_.entries()) {
      if (is_real(entry.type.dtype)) names.insert(name);
    }
    return names;
  }

  std::vector<double> values(const std::string& name) const {
    const auto bytes = variables_.read(name);
    const auto n = static_cast<size_t>(variables_.at(name).type.size());
    std::vector<double> doubles(n);
    std::vector<float> floats(n);
    const bool is_double = variables_.at(name).type.dtype == DType::f64;
    std::memcpy(is_double ? static_cast<void*>(doubles.data()) : floats.data(), bytes.data(), bytes.size());
    return is_double ? doubles : std::vector<double>(floats.begin(), floats.end());
  }

 private:
  /// Biases, gammas, running values: around the 0 or 1 where the recipe starts them. All equal, they hide mistakes.
  void move_vectors(const Graph& graph, uint64_t seed) {
    for (const Variable& v : graph.variables()) {
      const TensorType& type = graph.type(v.current);
      const bool is_network = v.name.substr(0, 4) != "rng/" && v.name.substr(1, 6) != "/adam/";
      if (!is_network || v.initializer.kind != Initializer::Kind::constant) continue;
      std::vector<double> values(static_cast<size_t>(type.size()));
      for (size_t i = 0; i < values.size(); ++i) {
        const Philox4 block = philox_block(seed, stream_of("golden/" + v.name), 0, static_cast<uint32_t>(i / 4));
        values[i] = v.initializer.a + 0.2 * (static_cast<double>(philox_uniform(block.v[i % 4])) - 0.5);
      }
      const std::vector<float> floats(values.begin(), values.end());
      const bool is_double = type.dtype == DType::f64;
      variables_.write(v.name, is_double ? std::as_bytes(std::span(values)) : std::as_bytes(std::span(floats)));
    }
  }

  Config config_;
  std::vector<uint8_t> images_;
  VariableStore variables_;
  std::unique_ptr<Session> session_;
  std::map<int64_t, std::string> streams_;
};

constexpr int64_t kProjections = 11;

/// A tensor in 11 numbers: sum, sum of squares, product with -5..5 in a fixed order, the first eight elements.
std::vector<double> project(const std::vector<double>& values) {
  std::vector<double> p(kProjections, 0.0);
  for (size_t i = 0; i < values.size(); ++i) {
    p[0] += values[i];
    p[1] += values[i] * values[i];
    p[2] += values[i] * (static_cast<double>(i * 7 % 11) - 5);
    if (i < 8) p[3 + i] = values[i];
  }
  return p;
}

/// The largest error of projections, relative to what they would be if all elements had one sign and the root mean
/// square of the expected ones.
double projection_error(const std::vector<double>& got, const double* expected, size_t size) {
  const double n = static_cast<double>(size), rms = std::sqrt(expected[1] / n);
  const double scales[] = {n * rms, expected[1], 5 * n * rms, rms};
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (!std::isfinite(got[i])) return INFINITY;
    worst = std::max(worst, std::abs(got[i] - expected[i]) / scales[std::min<size_t>(i, 3)]);
  }
  return worst;
}

void check_losses(const GoldenStep& step, const SafetensorsFile& file, const std::string& fakes, int64_t number,
                  double tolerance) {
  const auto losses = file.at(fakes + "/losses").values<double>();
  for (size_t i = 0; i < 5; ++i) {
    const double got = step.session().scalar(kLosses[i]), expected = losses[static_cast<size_t>(number) * 5 + i];
    CHECK_MESSAGE(std::abs(got - expected) <= tolerance * std::abs(expected), "step ", number, ": ", kLosses[i], " is ", got,
                  ", PyTorch has ", expected, ", difference ", got - expected);
  }
}

/// noise: how large a tensor's moments may be where the gradient is zero. Far below Adam's epsilon it leaves the
/// parameter alone; otherwise the parameter takes steps of random sign, which no output of the network sees, and is
/// not compared.
void check_variables(const GoldenStep& step, const SafetensorsFile& file, const std::string& fakes, int64_t number,
                     double tolerance, double noise) {
  const auto names = lines(file.metadata.at("variables"));  // sorted, like the rows
  REQUIRE(step.variable_names() == names);
  const auto rows = file.at(fakes + "/projections").values<double>();
  size_t row = static_cast<size_t>(number) * names.size();
  for (const std::string& name : names) {
    const std::vector<double> values = step.values(name), got = project(values);
    const double* expected = &rows[row++ * kProjections];
    INFO("step ", number, ": ", name);
    if (has_zero_gradient(parameter_of_moment(name))) {
      CHECK(std::sqrt(got[1]) < noise);
      CHECK(std::sqrt(expected[1]) < 1e-14);
      continue;
    }
    if (has_zero_gradient(name) && noise > 1e-10) continue;
    const double error = projection_error(got, expected, values.size());
    CHECK_MESSAGE(error <= tolerance, "relative error ", error, "; the first element is ", got[3], ", PyTorch has ", expected[3]);
  }
}

}  // namespace

TEST_CASE("golden: two training steps of dcgan, float64") {
  const SafetensorsFile file = golden_file("dcgan.safetensors");
  for (const std::string fakes : {"predict", "shared"}) {
    CAPTURE(fakes);
    GoldenStep step(file, fakes, DType::f64, "reference");
    std::map<int64_t, std::string> expected;
    for (const std::string& path : lines(file.metadata.at("random nodes"))) {
      expected.emplace(static_cast<int64_t>(stream_of(path)), path);
    }
    // Random numbers follow from the nodes' paths: if a path was changed on purpose, change make_golden.py too.
    REQUIRE(step.streams() == expected);
    for (int64_t number = 0; number < 2; ++number) {
      step.session().run();
      check_losses(step, file, fakes, number, 1e-10);
      check_variables(step, file, fakes, number, 1e-10, 1e-14);
    }
  }
}

TEST_CASE("golden: two training steps of dcgan, float32 on onednn,reference") {
  const SafetensorsFile file = golden_file("dcgan.safetensors");
  for (const std::string fakes : {"predict", "shared"}) {
    CAPTURE(fakes);
    GoldenStep step(file, fakes, DType::f32, "onednn,reference");
    for (int64_t number = 0; number < 2; ++number) {
      step.session().run();
      check_losses(step, file, fakes, number, 5e-5);
      // The second step's gradients are taken at weights that differ by what Adam made of the first one's rounding.
      if (number == 0) check_variables(step, file, fakes, number, 1e-4, 1e-5);
    }
  }
}
