#include "models/gan_step.h"

#include "engine/ops/ops.h"
#include "kernels/reference/random.h"
#include "models/classifier.h"
#include "models/ema.h"
#include "models/energy.h"
#include "models/gan_networks.h"
#include "models/instance_noise.h"
#include "models/losses.h"
#include "models/method_checks.h"
#include "models/optimizer.h"
#include "models/penalties.h"
#include "models/unroll.h"

namespace forger {
namespace {

class StepBuilder {
 public:
  StepBuilder(const Recipe& recipe, const Config& config, const RealData& data, DType real)
      : config_(config),
        data_(data),
        graph_(real),
        networks_(recipe, config, data.sample_shape()),
        batch_(config.integer("batch")),
        critics_(config.integer("n-critic")),
        mode_(config.text("d-update")),
        loss_(parse_loss(config.text("loss"))),
        penalty_(parse_penalty(config.text("gradient-penalty"))),
        g_(networks_.generator(graph_)),
        d_(networks_.discriminator(graph_)),
        inputs_(data_inputs(graph_, data)),
        seed_(graph_.variable("rng/seed", {DType::u64, {}}, Initializer::zeros())),
        step_(graph_.variable("rng/step", {DType::i64, {}}, Initializer::zeros())),
        noise_(graph_, config, seed_, step_) {
    if (loss_ == AdversarialLoss::began) balance_.emplace(graph_, config.real("began-gamma"), config.real("began-lambda"));
  }

  Graph build() {
    Optimizer g_optimizer(g_, config_, "g"), d_optimizer(d_, config_, "d");
    const bool shared = config_.text("fakes") == "shared";
    // G's parameters must exist before its forward pass is differentiated; shared fakes are that very pass.
    Value z, fakes;
    for (int64_t i = 0; i < critics_; ++i) {
      const bool last = i + 1 == critics_;
      z = latent(i);
      real_ = draw_real(i);
      if (shared && last) {
        fakes = generate(z, "G_train", training_pass(true));
        train_discriminator(d_optimizer, i, fakes);
      } else {
        train_discriminator(d_optimizer, i, generate(z, "G_predict_" + std::to_string(i), ForwardPass::inference(real_.labels)));
      }
    }
    if (!shared) {
      if (config_.text("g-noise") == "fresh") z = latent(critics_);
      fakes = generate(z, "G_train", training_pass(true));
    }
    const Value g_loss = train_generator(g_optimizer, d_optimizer, fakes);

    graph_.output("d_loss", d_loss_);
    graph_.output("d_accuracy", accuracy(loss_, real_outputs_, fake_outputs_));
    graph_.output("d_real", mean_all(discriminator_output(loss_, real_outputs_)));
    graph_.output("d_fake", mean_all(discriminator_output(loss_, fake_outputs_)));
    graph_.output("g_loss", g_loss);
    if (penalty_value_) graph_.output("gradient_penalty", penalty_value_);
    graph_.update("rng/step", increment(step_));
    noise_.commit();
    g_.commit();
    d_.commit();
    g_optimizer.commit();
    d_optimizer.commit();
    if (config_.real("ema") > 0) add_moving_average(g_, config_.real("ema"));
    return std::move(graph_);
  }

 private:
  ForwardPass training_pass(bool track) const {
    return {.training = true, .track_statistics = track, .seed = seed_, .step = step_, .labels = real_.labels};
  }

  Value latent(int64_t i) {
    const PathScope scope(graph_, "z_" + std::to_string(i));
    const Shape shape{batch_, config_.integer("z-dim")};
    const std::string& kind = config_.text("z-distribution");
    if (kind == "constant") return fill(graph_, 0.5, shape);
    return kind == "normal" ? random_normal(seed_, step_, 0.0, 1.0, shape) : random_uniform(seed_, step_, -1.0, 1.0, shape);
  }

  /// Fakes have the classes of the real batch at hand.
  RealBatch draw_real(int64_t i) {
    const int64_t draws = critics_ + (data_.replacement ? 0 : 1);  // an epoch also passes the batch of G's turn
    return real_batch(data_, inputs_, {seed_, step_, batch_, i, draws});
  }

  Value generate(Value z, const std::string& path, const ForwardPass& pass) {
    const PathScope scope(graph_, path);
    return networks_.generate(g_, z, pass);
  }

  Value discriminate(Value samples, const std::string& path, const ForwardPass& pass) {
    return discriminate_with(d_, samples, path, pass);
  }
  Value discriminate_with(Network& d, Value samples, const std::string& path, const ForwardPass& pass) {
    const PathScope scope(graph_, path);
    return networks_.discriminate(d, noise_.apply(samples), pass);
  }

  /// Labels [batch / pack, 1] around `target`; none for a loss without labels.
  Value labels(double target, const std::string& path) {
    if (!has_labels(loss_)) return {};
    const PathScope scope(graph_, path);
    const Shape shape{batch_ / networks_.pack_size(), 1};
    const double noise = config_.real("label-noise");
    return noise == 0 ? fill(graph_, target, shape) : random_normal(seed_, step_, target, noise, shape);
  }

  Value on_real(Value outputs, Value labels) { return real_loss(loss_, outputs, labels); }
  Value on_fake(Value outputs, Value labels) {
    return fake_loss(loss_, outputs, labels, loss_ == AdversarialLoss::ebgan ? config_.real("ebgan-margin") : 0,
                     balance_ ? balance_->k() : Value{});
  }

  void train_discriminator(Optimizer& optimizer, int64_t i, Value fakes) {
    const std::string n = std::to_string(i);
    const Value ones = labels(1.0 - config_.real("label-smoothing"), "labels_real_" + n), zeros = labels(0.0, "labels_fake_" + n);
    if (mode_ == "mixed") {
      split_mixed(discriminate(concat({real_.samples, fakes}, 0), "D_mixed_" + n, mixed_pass()));
      d_loss_ = scale(add(on_real(real_outputs_, ones), on_fake(fake_outputs_, zeros)), 0.5);
      update_discriminator(optimizer, d_loss_);
      return;
    }
    real_outputs_ = discriminate(real_.samples, "D_real_" + n, training_pass(true));
    if (mode_ == "separate") {
      const Value real_part = on_real(real_outputs_, ones);
      update_discriminator(optimizer, real_part);
      fake_outputs_ = discriminate(fakes, "D_fake_" + n, training_pass(true));
      const Value fake_part = on_fake(fake_outputs_, zeros);
      update_discriminator(optimizer, fake_part);
      d_loss_ = scale(add(real_part, fake_part), 0.5);
      return;
    }
    fake_outputs_ = discriminate(fakes, "D_fake_" + n, training_pass(true));
    d_loss_ = is_paired(loss_) ? paired_loss(loss_, real_outputs_, fake_outputs_)
                               : add(on_real(real_outputs_, ones), on_fake(fake_outputs_, zeros));
    penalty_value_ = gradient_penalty(fakes, n);
    update_discriminator(optimizer, penalty_value_ ? add(d_loss_, penalty_value_) : d_loss_);
  }

  ForwardPass mixed_pass() const {
    ForwardPass pass = training_pass(true);
    if (pass.labels) pass.labels = concat({pass.labels, pass.labels}, 0);
    return pass;
  }

  /// Packs are made of rows that stand apart by the number of packs: real and fake rows would share them, so that packing
  /// a mixed batch is refused (models/method_checks).
  void split_mixed(Value outputs) {
    real_outputs_ = slice(outputs, {0, 0}, {batch_, 1});
    fake_outputs_ = slice(outputs, {batch_, 0}, {batch_, 1});
  }

  void update_discriminator(Optimizer& optimizer, Value loss) {
    optimizer.minimize(loss);
    if (const double limit = config_.real("weight-clip"); limit > 0) clip_weights(d_, limit);
  }

  /// Weighted; none without one.
  Value gradient_penalty(Value fakes, const std::string& n) {
    const double weight = config_.real("gradient-penalty-weight");
    const PathScope scope(graph_, "penalty_" + n);
    const auto at = [&](Value samples, auto penalty) {
      return penalty(discriminate(samples, "D_penalty", training_pass(false)), samples);
    };
    switch (penalty_) {
      case GradientPenalty::none:
        return {};
      case GradientPenalty::wgan_gp:
        return scale(at(interpolate(real_.samples, fakes, seed_, step_), one_centred_penalty), weight);
      case GradientPenalty::dragan:
        return scale(at(perturb(real_.samples, seed_, step_), one_centred_penalty), weight);
      case GradientPenalty::r1:
        return scale(zero_centred_penalty(real_outputs_, real_.samples), weight);
      case GradientPenalty::r2:
        return scale(zero_centred_penalty(fake_outputs_, fakes), weight);
      case GradientPenalty::r1_r2:
        break;
    }
    return scale(add(zero_centred_penalty(real_outputs_, real_.samples), zero_centred_penalty(fake_outputs_, fakes)), weight);
  }

  /// D's loss on a copy of it, for unrolling: both batches in one sum, as in d-update sum.
  Value lookahead_loss(Network& copy, Value fakes) {
    const Value real = discriminate_with(copy, real_.samples, "D_real", training_pass(false));
    const Value fake = discriminate_with(copy, fakes, "D_fake", training_pass(false));
    if (is_paired(loss_)) return paired_loss(loss_, real, fake);
    const Value ones = labels(1.0 - config_.real("label-smoothing"), "labels_real"), zeros = labels(0.0, "labels_fake");
    return add(on_real(real, ones), on_fake(fake, zeros));
  }

  /// Returns G's loss.
  Value train_generator(Optimizer& g_optimizer, const Optimizer& d_optimizer, Value fakes) {
    Network judge = d_;  // D as it is now, or as it will be
    if (const int64_t k = config_.integer("unroll"); k > 0) {
      Unrolling unrolling(d_, d_optimizer, config_, critics_ * (mode_ == "separate" ? 2 : 1));
      judge = unrolling.look_ahead(k, [&](Network& copy) { return lookahead_loss(copy, fakes); });
    }
    const Value real =
        is_paired(loss_) ? discriminate_with(judge, real_.samples, "D_frozen_real", training_pass(false)) : Value{};
    const Value outputs = discriminate_with(judge, fakes, "D_frozen", training_pass(false));
    Value loss = generator_loss(loss_, outputs, real);
    if (balance_) graph_.output("convergence", balance_->update(mean_all(real_outputs_), loss));
    if (loss_ == AdversarialLoss::ebgan && config_.real("ebgan-pull") > 0) {
      loss = add(loss, scale(pulling_away(judge.tap("code")), config_.real("ebgan-pull")));
    }
    g_optimizer.minimize(loss);
    return loss;
  }

  const Config& config_;
  const RealData& data_;
  Graph graph_;
  GanNetworks networks_;
  int64_t batch_, critics_;
  std::string mode_;  // "d-update"
  AdversarialLoss loss_;
  GradientPenalty penalty_;
  Network g_, d_;
  DataInputs inputs_;
  Value seed_, step_;
  InstanceNoise noise_;
  std::optional<BeganBalance> balance_;
  RealBatch real_;  // of the update at hand
  Value d_loss_, penalty_value_, real_outputs_, fake_outputs_;
};

}  // namespace

Graph build_train_step(const Recipe& recipe, const Config& config, const RealData& data, DType real) {
  if (recipe.is_classifier()) return build_classifier_step(config, data);
  check_methods(config);
  return StepBuilder(recipe, config, data, real).build();
}

Graph build_sampler(const Recipe& recipe, const Config& config, const Shape& sample, int64_t count) {
  Graph graph;
  const GanNetworks networks(recipe, config, sample);
  Network g = networks.generator(graph, sampling_network(config));
  const Value z = graph.input("z", {DType::f32, {count, networks.z_dim()}});
  Value labels;
  if (networks.classes() > 0) labels = graph.input("labels", {DType::f32, {count, networks.classes()}});
  graph.output("samples", networks.generate(g, z, ForwardPass::inference(labels)));
  return graph;
}

Graph build_critic(const Recipe& recipe, const Config& config, const Shape& sample, int64_t count) {
  Graph graph;
  const GanNetworks networks(recipe, config, sample);
  if (networks.pack_size() > 1 || networks.classes() > 0) {
    fail<ConfigError>("D of this run looks at packs or at classes: it has no value for a single sample");
  }
  Network d = networks.discriminator(graph);
  Shape shape = sample;
  shape.insert(shape.begin(), count);
  const Value x = graph.input("samples", {DType::f32, shape});
  const Value outputs = networks.discriminate(d, x, ForwardPass::inference());
  graph.output("d", discriminator_output(parse_loss(config.text("loss")), outputs));
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
  if (recipe.is_classifier()) {
    Network d(graph, "D");
    Shape shape = sample;
    shape.insert(shape.begin(), 1);
    recipe.discriminator(d, graph.input("images", {DType::f32, shape}), ForwardPass::inference());
    return {{}, {sample, d.rows(), d.num_parameters(true), d.num_parameters(false)}};
  }
  const GanNetworks networks(recipe, config, sample);
  Network g = networks.generator(graph), d = networks.discriminator(graph);
  const int64_t pack = networks.pack_size();
  const Value z = graph.input("z", {DType::f32, {pack, networks.z_dim()}});
  ForwardPass pass = ForwardPass::inference();
  if (networks.classes() > 0) pass.labels = graph.input("labels", {DType::f32, {pack, networks.classes()}});
  networks.discriminate(d, networks.generate(g, z, pass), pass);
  Shape d_input = sample;
  if (networks.classes() > 0 && !d.options().projection) d_input.back() += networks.classes();
  d_input.back() *= pack;
  return {{{networks.z_dim() + networks.classes()}, g.rows(), g.num_parameters(true), g.num_parameters(false)},
          {d_input, d.rows(), d.num_parameters(true), d.num_parameters(false)}};
}

}  // namespace forger
