#include "models/recipe.h"

#include "kernels/common/errors.h"
#include "models/best_mnist.h"
#include "models/classifier.h"
#include "models/dcgan.h"
#include "models/energy.h"
#include "models/method_options.h"
#include "models/mlp.h"
#include "models/stacked_mnist.h"

namespace forger {
namespace {

constexpr double kAny = 1e18;

Option changeable(Option option) {
  option.may_change_on_resume = true;
  return option;
}

/// What all recipes have; the values are those most of them share.
std::vector<Option> common_options() {
  return {
      integer_option("seed", 0, 0, 9.2e18, "of every random number: one seed, one run"),
      changeable(integer_option("steps", 10000, 1, 1e12, "training steps in all")),
      integer_option("batch", 32, 1, 65536, "samples in a batch"),
      integer_option("n-critic", 1, 1, 64, "k: discriminator updates per generator update"),
      choice_option("loss", "non-saturating", {"non-saturating", "minimax", "mse", "lsgan", "hinge", "wgan", "relativistic"},
                    "the adversarial loss; mse: squared error of D's sigmoid, lsgan: of D's output itself"),
      choice_option("d-update", "separate", {"separate", "sum", "mixed"},
                    "D learns real and fake in two updates, one update on the sum of the losses, or one on a mixed batch"),
      choice_option("fakes", "predict", {"predict", "shared"},
                    "D's fakes: from an inference-mode pass of G's own, or from G's training pass (faster)"),
      choice_option("g-noise", "same", {"same", "fresh"}, "noise of G's update: that of D's last fakes, or new"),
      integer_option("z-dim", 100, 1, 65536, "latent dimensions"),
      choice_option("z-distribution", "normal", {"normal", "uniform", "constant"},
                    "latent noise: N(0,1), U(-1,1), or always 0.5"),
      choice_option("optimizer", "adam", {"adam", "sgd", "rmsprop"}, "of both networks"),
      real_option("g-lr", 2e-4, 0, 100, "G's learning rate"),
      real_option("d-lr", 2e-4, 0, 100, "D's learning rate"),
      real_option("beta1", 0.5, 0, 0.999999, "Adam"),
      real_option("beta2", 0.999, 0, 0.999999999, "Adam"),
      real_option("epsilon", 1e-7, 0, 1, "Adam and RMSProp"),
      real_option("momentum", 0.0, 0, 0.999999, "SGD"),
      real_option("rho", 0.9, 0, 0.999999, "RMSProp"),
      choice_option("precision", "auto", {"auto", "fp32", "tf32", "bf16"},
                    "of matrix products; auto: fp32 on a CPU, tf32 on a GPU (a CPU has fp32 only)"),
      changeable({.name = "device", .value = "auto", .help = "auto, cpu, cuda, cuda:N or emulated; auto: a GPU if there is one"}),
      choice_option("autotune", "off", {"off", "on"},
                    "on a GPU: time the plans of matrix products once per kind of GPU and keep the fastest for later runs"),
      choice_option(
          "launches", "joined", {"unfused", "apart", "joined", "overlapped"},
          "unfused: every operation by itself, to compare; on a GPU, apart: no blocks wait for each other; joined: a "
          "convolution and its batch norm in one launch where that pays; overlapped: and launches begin while those before "
          "them end"),
      {.name = "providers", .value = "auto", .help = "kernels, best first; auto: all that the device has"},
      integer_option("threads", 0, 0, 1024, "CPU threads; 0: all (kept for resume; results are the same for 1 to 4)"),
      changeable(integer_option("log-every", 100, 1, kAny, "steps between log lines")),
      changeable(integer_option("sample-every", 100, 1, kAny, "steps between pictures")),
      changeable(integer_option("eval-every", 0, 0, kAny,
                                "steps between evaluations of some samples, as forger eval makes of more; 0: none")),
      changeable(integer_option("checkpoint-every", 1000, 1, kAny, "steps between checkpoints")),
      changeable(integer_option("keep", 3, 1, 1e9, "newest checkpoints to keep")),
      changeable(choice_option("on-collapse", "continue", {"continue", "stop"},
                               "when the monitor says collapse or diverged: go on, or save and end with exit code 3")),
  };
}

std::vector<Option> with(std::vector<Option> options, std::vector<Option> more) {
  options.insert(options.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return options;
}

Option holdout(int64_t images) {
  return integer_option("holdout", images, 0, 1e9, "last images of the training set that are left out of training");
}

std::vector<Option> common_options(int64_t classes) {
  return with(common_options(), method_options(classes));
}

std::vector<Option> image_options() {
  return {holdout(0),
          {.name = "data",
           .value = "datasets/mnist",
           .help = "folder of IDX files or of PNG and JPEG pictures",
           .may_change_on_resume = true},
          integer_option("image-size", 28, 4, 512, "pictures are cropped and resized to a square of this side"),
          integer_option("channels", 1, 1, 3, "1: grey, 3: colour"),
          integer_option("stack", 1, 1, 3, "images drawn at random that are stacked as the channels of one sample"),
          {.name = "grid", .value = "4x8", .help = "rows x columns of the sample pictures", .may_change_on_resume = true}};
}

/// A classifier has no second network: of the common options it takes those that are about one.
std::vector<Option> classifier_options() {
  std::vector<Option> options;
  for (const Option& o : common_options()) {
    for (const char* name : {"seed", "steps", "batch", "optimizer", "beta1", "beta2", "epsilon", "momentum", "rho", "precision",
                             "autotune", "launches", "device", "providers", "threads", "log-every", "checkpoint-every", "keep"}) {
      if (o.name == name) options.push_back(o);
    }
  }
  options.push_back(real_option("c-lr", 1e-3, 0, 100, "learning rate at the beginning; it falls to 0 in a straight line"));
  options.push_back(holdout(10000));
  options.push_back(integer_option("shifts", 1, 0, 1, "1: every image also moved by one pixel up, down, left and right"));
  for (const Option& o : image_options()) {
    if (o.name == "data" || o.name == "image-size" || o.name == "channels") options.push_back(o);
  }
  return options;
}

/// Of a D with norm layers and dropout.
std::vector<Option> d_options(double dropout, bool norm) {
  std::vector<Option> options{real_option("d-dropout", dropout, 0, 0.95, "rate of D's dropout")};
  if (norm) {
    options.push_back(choice_option("d-norm", "batch", {"batch", "layer", "none"},
                                    "D's normalisation; a gradient penalty "
                                    "needs layer or none"));
  }
  return options;
}

/// Of a G whose transposed convolutions have a convolution right behind them.
Option collapse_option() {
  return choice_option("collapse", "off", {"off", "on"},
                       "G's transposed convolutions and the convolutions behind them as one: fewer multiplications, the same "
                       "mathematics, rounded differently");
}

/// Of the recipes whose D is an autoencoder.
std::vector<Option> energy_options(const std::string& loss) {
  std::vector<Option> options = with(common_options(10), image_options());
  for (Option& o : options) {
    if (o.name != "loss") continue;
    o.value = loss;
    o.choices = {"ebgan", "began"};
    o.help = "of energies: with a margin, or in balance";
  }
  return with(std::move(options),
              {real_option("ebgan-margin", 0.08, 0, 1e6, "ebgan: the energy above which fakes are let go"),
               real_option("ebgan-pull", 0.1, 0, 1e6, "ebgan: weight of the pulling-away term, which drives G's codes apart"),
               real_option("began-gamma", 0.7, 0, 1, "began: energy of fakes over that of real samples, the diversity ratio"),
               real_option("began-lambda", 0.1, 0, 1, "began: how fast k follows")});
}

std::vector<Option> point_options(const std::string& distribution, int64_t data_size) {
  return {choice_option("distribution", distribution, {"pattern1010", "normal1d", "gaussians4", "ring8", "grid25"},
                        "the real samples"),
          integer_option("data-size", data_size, 0, 1e8,
                         "real samples in all, walked through in epochs; 0: new ones in every batch")};
}

Config config(const std::string& name, std::vector<Option> options,
              std::initializer_list<std::pair<const char*, const char*>> values) {
  Config c(name, std::move(options));
  for (const auto& [key, value] : values) c.set(key, std::string(value));
  return c;
}

Value dcgan_g(Network& n, Value z, const Shape& s, const ForwardPass& pass) {
  return dcgan_generator(n, z, s[0], s[2], pass);
}
Value mlp_g(Network& n, Value z, const Shape& s, const ForwardPass& pass) {
  return mlp_generator(n, z, s, pass);
}
Value pattern_g(Network& n, Value z, const Shape&, const ForwardPass& pass) {
  return pattern_generator(n, z, pass);
}
Generator points_g(std::vector<int64_t> hidden) {
  return [hidden](Network& n, Value z, const Shape& s, const ForwardPass& p) { return points_generator(n, z, hidden, s[0], p); };
}
Discriminator points_d(std::vector<int64_t> hidden) {
  return [hidden](Network& n, Value x, const ForwardPass& p) { return points_discriminator(n, x, hidden, p); };
}
Value pacgan_g(Network& n, Value z, const Shape& s, const ForwardPass& pass) {
  return pacgan_generator(n, z, s[0], pass);
}
Value stacked_g(Network& n, Value z, const Shape& s, const ForwardPass& pass) {
  return stacked_mnist_generator(n, z, s[0], s[2], pass);
}
Value best_g(Network& n, Value z, const Shape& s, const ForwardPass& pass) {
  return best_mnist_generator(n, z, s[0], s[2], pass);
}
Value ebgan_d(Network& n, Value x, const ForwardPass& pass) {
  return autoencoder_discriminator(n, x, 32, true, pass);
}
Value began_d(Network& n, Value x, const ForwardPass& pass) {
  return autoencoder_discriminator(n, x, 64, false, pass);
}

Recipe mixture_recipe(const std::string& name, const std::string& summary, int64_t data_size, int64_t modes) {
  return {name,
          summary,
          SampleKind::points,
          config(name, with(common_options(modes), point_options(name, data_size)),
                 {{"steps", "20000"},
                  {"batch", "250"},
                  {"z-dim", "8"},
                  {"z-distribution", "uniform"},
                  {"d-update", "sum"},
                  {"g-noise", "fresh"},
                  {"g-lr", "0.0003"},
                  {"d-lr", "0.001"},
                  {"log-every", "1000"},
                  {"sample-every", "2000"},
                  {"checkpoint-every", "5000"}}),
          points_g({64, 64}),
          points_d({64, 64})};
}

/// Narrow modes want a fast G, and the average of its weights for the last of their width.
Recipe narrow_modes_recipe(const std::string& name, const std::string& summary, int64_t modes) {
  Recipe r = mixture_recipe(name, summary, 0, modes);
  for (const auto& [key, value] : {std::pair{"g-lr", "0.001"}, {"ema", "0.999"}}) r.defaults.set(key, std::string(value));
  return r;
}

/// The plain loss drops most of 25 modes: the relativistic one with zero-centred penalties holds them. The penalty is light,
/// because D has to be steep at a narrow mode. docs/evaluation.md has the alternatives.
Recipe grid25_recipe() {
  Recipe r = narrow_modes_recipe("grid25", "25 narrow normal distributions on a grid", 25);
  r.defaults.set("loss", std::string("relativistic"));
  r.defaults.set("gradient-penalty", std::string("r1-r2"));
  r.defaults.set("gradient-penalty-weight", std::string("0.02"));
  r.generator = points_g({128, 128, 128});
  r.discriminator = points_d({128, 128, 128});
  return r;
}

/// PacGAN's protocol: 400 epochs of 100,000 samples in batches of 100.
Recipe pacgan_recipe(const std::string& distribution, const std::string& summary, int64_t modes) {
  const std::string name = distribution + "-pacgan";
  return {name,
          summary,
          SampleKind::points,
          config(name, with(common_options(modes), point_options(distribution, 100000)),
                 {{"steps", "400000"},
                  {"batch", "100"},
                  {"z-dim", "2"},
                  {"d-update", "sum"},
                  {"g-noise", "fresh"},
                  {"g-lr", "0.0001"},
                  {"d-lr", "0.0001"},
                  {"beta1", "0.8"},
                  {"log-every", "1000"},
                  {"sample-every", "10000"},
                  {"checkpoint-every", "20000"}}),
          pacgan_g,
          pacgan_discriminator};
}

Recipe best_recipe(const std::string& name, const std::string& summary,
                   std::initializer_list<std::pair<const char*, const char*>> values) {
  Config options =
      config(name,
             with(with(with(common_options(10), image_options()), d_options(0, true)),
                  {integer_option("width", 32, 1, 4096, "filters next to the image, of both networks; doubled behind")}),
             {{"batch", "64"},
              {"z-dim", "64"},
              {"fakes", "shared"},
              {"ema", "0.999"},
              {"log-every", "500"},
              {"sample-every", "1000"},
              {"checkpoint-every", "5000"}});
  for (const auto& [key, value] : values) options.set(key, std::string(value));
  return {name, summary, SampleKind::images, options, best_g, best_mnist_discriminator};
}

Recipe energy_recipe(const std::string& name, const std::string& summary, Discriminator discriminator) {
  return {name,
          summary,
          SampleKind::images,
          config(name, energy_options(name),
                 {{"steps", "10000"},
                  {"d-update", "sum"},
                  {"fakes", "shared"},
                  {"z-distribution", "uniform"},
                  {"z-dim", "64"},
                  {"batch", "64"},
                  {"log-every", "500"},
                  {"sample-every", "1000"},
                  {"checkpoint-every", "5000"}}),
          mlp_g,
          std::move(discriminator)};
}

std::vector<Recipe> make_recipes() {
  std::vector<Recipe> r;
  r.push_back({"dcgan", "convolutional GAN for 28x28 images: MNIST digits in 1,000 steps", SampleKind::images,
               config("dcgan", with(with(with(common_options(10), image_options()), d_options(0.2, true)), {collapse_option()}),
                      {{"steps", "1000"}, {"label-noise", "0.05"}}),
               dcgan_g, dcgan_discriminator});
  r.push_back({"mlp", "fully connected GAN for images, D on mixed batches of real and fake", SampleKind::images,
               config("mlp", with(with(common_options(10), image_options()), d_options(0.3, false)),
                      {{"steps", "10000"},
                       {"d-update", "mixed"},
                       {"z-distribution", "uniform"},
                       {"grid", "4x4"},
                       {"log-every", "500"},
                       {"sample-every", "1000"},
                       {"checkpoint-every", "5000"}}),
               mlp_g, mlp_discriminator});
  r.push_back({"stacked-mnist", "three random digits as one colour image: 1,000 modes to find", SampleKind::images,
               config("stacked-mnist", with(with(common_options(10), image_options()), d_options(0, true)),
                      {{"steps", "100000"},
                       {"batch", "64"},
                       {"stack", "3"},
                       {"channels", "3"},
                       {"log-every", "500"},
                       {"sample-every", "1000"},
                       {"checkpoint-every", "5000"}}),
               stacked_g, stacked_mnist_discriminator});
  r.push_back(best_recipe("best-mnist", "lean convolutional GAN for MNIST, its options chosen by ablation",
                          {{"steps", "10000"}, {"g-lr", "0.001"}}));
  // Without norm in D, its gradient penalized at real and at fake samples, no momentum: R3GAN's way (Huang et al. 2024,
  // arXiv:2501.05441).
  r.push_back(best_recipe("best-stacked", "the same networks for stacked-mnist: all 1,000 modes in 10,000 steps",
                          {{"steps", "20000"},
                           {"stack", "3"},
                           {"channels", "3"},
                           {"d-norm", "none"},
                           {"d-update", "sum"},
                           {"loss", "relativistic"},
                           {"gradient-penalty", "r1-r2"},
                           {"gradient-penalty-weight", "10"},
                           {"g-lr", "0.0005"},
                           {"d-lr", "0.0005"},
                           {"beta1", "0"}}));
  r.push_back(energy_recipe("ebgan", "fully connected GAN for images whose D is an autoencoder, with a margin", ebgan_d));
  r.push_back(energy_recipe("began", "the same with real and fake energies in balance", began_d));
  r.push_back({"pattern1010", "the smallest GAN: four numbers high, low, high, low from one constant", SampleKind::pattern,
               config("pattern1010", with(common_options(1), point_options("pattern1010", 0)),
                      {{"steps", "10000"},
                       {"batch", "1"},
                       {"loss", "mse"},
                       {"optimizer", "sgd"},
                       {"g-lr", "0.01"},
                       {"d-lr", "0.01"},
                       {"z-dim", "1"},
                       {"z-distribution", "constant"},
                       {"log-every", "1000"},
                       {"sample-every", "1000"},
                       {"checkpoint-every", "5000"}}),
               pattern_g, pattern_discriminator});
  // 10,000 epochs of ten mini-batches, three of which make a step (two for D, one for G): 33,334 steps.
  r.push_back({"normal1d", "1,000 samples of the normal distribution on a line", SampleKind::points,
               config("normal1d", with(common_options(1), point_options("normal1d", 1000)),
                      {{"steps", "33334"},
                       {"batch", "100"},
                       {"n-critic", "2"},
                       {"d-update", "sum"},
                       {"g-noise", "fresh"},
                       {"z-dim", "8"},
                       {"z-distribution", "uniform"},
                       {"g-lr", "0.0001"},
                       {"d-lr", "0.0001"},
                       {"beta1", "0.9"},
                       {"epsilon", "1e-08"},
                       {"log-every", "1000"},
                       {"sample-every", "5000"},
                       {"checkpoint-every", "10000"}}),
               points_g({4}), points_d({8})});
  r.push_back(mixture_recipe("gaussians4", "four normal distributions in the plane", 1000, 4));
  r.push_back(narrow_modes_recipe("ring8", "eight narrow normal distributions on a circle", 8));
  r.push_back(grid25_recipe());
  r.push_back(pacgan_recipe("ring8", "ring8 by PacGAN's protocol: larger networks, 400,000 steps", 8));
  r.push_back(pacgan_recipe("grid25", "grid25 by PacGAN's protocol", 25));
  r.push_back(
      {kClassifierRecipe, "no GAN: the classifier with which forger eval looks at digits", SampleKind::images,
       config(kClassifierRecipe, classifier_options(),
              {{"steps", "8000"}, {"batch", "128"}, {"beta1", "0.9"}, {"log-every", "200"}, {"checkpoint-every", "2000"}}),
       nullptr, classifier_logits});
  return r;
}

}  // namespace

std::span<const Recipe> all_recipes() {
  static const std::vector<Recipe> recipes = make_recipes();
  return recipes;
}

const Recipe& find_recipe(const std::string& name) {
  std::vector<std::string> names;
  for (const Recipe& r : all_recipes()) {
    if (r.name == name) return r;
    names.push_back(r.name);
  }
  fail<ConfigError>("there is no recipe '{}'; did you mean '{}'? (`forger list` shows all)", name, nearest_name(name, names));
}

Recipe own_recipe(std::string name, SampleKind kind, Generator generator, Discriminator discriminator,
                  const std::vector<std::pair<std::string, std::string>>& options) {
  Config defaults(name, common_options(1));
  for (const auto& [key, value] : options) defaults.set(key, value);
  return {std::move(name), "", kind, std::move(defaults), std::move(generator), std::move(discriminator)};
}

}  // namespace forger
