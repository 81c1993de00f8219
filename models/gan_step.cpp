#include "models/gan_step.h"

#include "engine/ops/ops.h"
#include "kernels/reference/random.h"
#include "models/classifier.h"
#include "models/losses.h"
#include "models/optimizer.h"

namespace forger {
namespace {

class StepBuilder {
 public:
  StepBuilder(const Recipe& recipe, const Config& config, const RealData& data, DType real)
      : recipe_(recipe),
        config_(config),
        data_(data),
        graph_(real),
        batch_(config.integer("batch")),
        critics_(config.integer("n-critic")),
        loss_(parse_loss(config.text("loss"))),
        g_(graph_, "G"),
        d_(graph_, "D"),
        table_(graph_.input("data", data.table)),
        seed_(graph_.variable("rng/seed", {DType::u64, {}}, Initializer::zeros())),
        step_(graph_.variable("rng/step", {DType::i64, {}}, Initializer::zeros())) {}

  Graph build() {
    Optimizer g_optimizer(g_, config_, "g"), d_optimizer(d_, config_, "d");
    const bool shared = config_.text("fakes") == "shared";
    if (shared && config_.text("g-noise") == "fresh") {
      fail<ConfigError>("--fakes shared and --g-noise fresh contradict each other: shared fakes have one noise");
    }
    // G's parameters must exist before its forward pass is differentiated; shared fakes are that very pass.
    Value z, fakes;
    for (int64_t i = 0; i < critics_; ++i) {
      const bool last = i + 1 == critics_;
      z = latent(i);
      if (shared && last) {
        fakes = generate(z, "G_train", training_pass(true));
        train_discriminator(d_optimizer, i, fakes);
      } else {
        train_discriminator(d_optimizer, i, generate(z, "G_predict_" + std::to_string(i), ForwardPass::inference()));
      }
    }
    if (!shared) {
      if (config_.text("g-noise") == "fresh") z = latent(critics_);
      fakes = generate(z, "G_train", training_pass(true));
    }
    const Value logits = discriminate(fakes, "D_frozen", training_pass(false));
    const Value g_loss = generator_loss(loss_, logits);
    g_optimizer.minimize(g_loss);

    graph_.output("d_loss", d_loss_);
    graph_.output("d_accuracy", d_accuracy_);
    graph_.output("d_real", mean_all(sigmoid(real_logits_)));
    graph_.output("d_fake", mean_all(sigmoid(fake_logits_)));
    graph_.output("g_loss", g_loss);
    graph_.update("rng/step", increment(step_));
    g_.commit();
    d_.commit();
    g_optimizer.commit();
    d_optimizer.commit();
    return std::move(graph_);
  }

 private:
  ForwardPass training_pass(bool track) const {
    return {.training = true, .track_statistics = track, .seed = seed_, .step = step_};
  }

  Value latent(int64_t i) {
    const PathScope scope(graph_, "z_" + std::to_string(i));
    const Shape shape{batch_, config_.integer("z-dim")};
    const std::string& kind = config_.text("z-distribution");
    if (kind == "constant") return fill(graph_, 0.5, shape);
    return kind == "normal" ? random_normal(seed_, step_, 0.0, 1.0, shape) : random_uniform(seed_, step_, -1.0, 1.0, shape);
  }

  Value generate(Value z, const std::string& path, const ForwardPass& pass) {
    const PathScope scope(graph_, path);
    return recipe_.generator(g_, z, data_.sample_shape(), pass);
  }

  Value discriminate(Value samples, const std::string& path, const ForwardPass& pass) {
    const PathScope scope(graph_, path);
    return recipe_.discriminator(d_, samples, pass);
  }

  /// Labels [count, 1] around `target`.
  Value labels(double target, int64_t count, const std::string& path) {
    const PathScope scope(graph_, path);
    const double noise = config_.real("label-noise");
    return noise == 0 ? fill(graph_, target, {count, 1}) : random_normal(seed_, step_, target, noise, {count, 1});
  }

  void train_discriminator(Optimizer& optimizer, int64_t i, Value fakes) {
    const int64_t draws = critics_ + (data_.replacement ? 0 : 1);  // an epoch also passes the batch of G's turn
    const Value real = real_batch(data_, table_, seed_, step_, batch_, i, draws);
    const std::string n = std::to_string(i), mode = config_.text("d-update");
    const Value ones = labels(1.0, batch_, "labels_real_" + n), zeros = labels(0.0, batch_, "labels_fake_" + n);
    if (mode == "mixed") {
      const Value logits = discriminate(concat({real, fakes}, 0), "D_mixed_" + n, training_pass(true));
      d_loss_ = discriminator_loss(loss_, logits, concat({ones, zeros}, 0));
      real_logits_ = slice(logits, {0, 0}, {batch_, 1});
      fake_logits_ = slice(logits, {batch_, 0}, {batch_, 1});
      optimizer.minimize(d_loss_);
    } else {
      real_logits_ = discriminate(real, "D_real_" + n, training_pass(true));
      const Value real_loss = discriminator_loss(loss_, real_logits_, ones);
      if (mode == "separate") optimizer.minimize(real_loss);
      fake_logits_ = discriminate(fakes, "D_fake_" + n, training_pass(true));
      const Value fake_loss = discriminator_loss(loss_, fake_logits_, zeros);
      if (mode == "separate") {
        optimizer.minimize(fake_loss);
        d_loss_ = scale(add(real_loss, fake_loss), 0.5);
      } else {
        d_loss_ = add(real_loss, fake_loss);
        optimizer.minimize(d_loss_);
      }
    }
    d_accuracy_ = scale(add(accuracy(real_logits_, true), accuracy(fake_logits_, false)), 0.5);
  }

  const Recipe& recipe_;
  const Config& config_;
  const RealData& data_;
  Graph graph_;
  int64_t batch_, critics_;
  AdversarialLoss loss_;
  Network g_, d_;
  Value table_, seed_, step_;
  Value d_loss_, d_accuracy_, real_logits_, fake_logits_;
};

}  // namespace

Graph build_train_step(const Recipe& recipe, const Config& config, const RealData& data, DType real) {
  if (recipe.is_classifier()) return build_classifier_step(config, data);
  return StepBuilder(recipe, config, data, real).build();
}

Graph build_sampler(const Recipe& recipe, const Config& config, const Shape& sample, int64_t count) {
  Graph graph;
  Network g(graph, "G");
  const Value z = graph.input("z", {DType::f32, {count, config.integer("z-dim")}});
  graph.output("samples", recipe.generator(g, z, sample, ForwardPass::inference()));
  return graph;
}

Graph build_critic(const Recipe& recipe, const Shape& sample, int64_t count) {
  Graph graph;
  Network d(graph, "D");
  Shape shape = sample;
  shape.insert(shape.begin(), count);
  const Value x = graph.input("samples", {DType::f32, shape});
  graph.output("d", sigmoid(recipe.discriminator(d, x, ForwardPass::inference())));
  return graph;
}

std::vector<float> latent_noise(const Config& config, int64_t count, uint64_t seed, const std::string& stream) {
  const int64_t n = count * config.integer("z-dim");
  std::vector<float> z(static_cast<size_t>(n), 0.5f);
  const reference::RandomKey key{seed, stream_of(stream), 0};
  if (config.text("z-distribution") == "normal") reference::random_normal(n, 0.f, 1.f, key, z.data());
  if (config.text("z-distribution") == "uniform") reference::random_uniform(n, -1.f, 1.f, key, z.data());
  return z;
}

std::pair<NetworkSummary, NetworkSummary> summarize(const Recipe& recipe, const Config& config, const Shape& sample) {
  Graph graph;
  Network g(graph, "G"), d(graph, "D");
  if (recipe.is_classifier()) {
    Shape shape = sample;
    shape.insert(shape.begin(), 1);
    recipe.discriminator(d, graph.input("images", {DType::f32, shape}), ForwardPass::inference());
    return {{}, {sample, d.rows(), d.num_parameters(true), d.num_parameters(false)}};
  }
  const int64_t z_dim = config.integer("z-dim");
  const Value z = graph.input("z", {DType::f32, {1, z_dim}});
  recipe.discriminator(d, recipe.generator(g, z, sample, ForwardPass::inference()), ForwardPass::inference());
  return {{{z_dim}, g.rows(), g.num_parameters(true), g.num_parameters(false)},
          {sample, d.rows(), d.num_parameters(true), d.num_parameters(false)}};
}

}  // namespace forger
