#include "models/method_options.h"

namespace forger {

Option integer_option(std::string name, int64_t value, double low, double high, std::string help) {
  return {.name = std::move(name), .value = value, .help = std::move(help), .low = low, .high = high};
}
Option real_option(std::string name, double value, double low, double high, std::string help) {
  return {.name = std::move(name), .value = value, .help = std::move(help), .low = low, .high = high};
}
Option choice_option(std::string name, std::string value, std::vector<std::string> choices, std::string help) {
  return {.name = std::move(name), .value = std::move(value), .help = std::move(help), .choices = std::move(choices)};
}

std::vector<Option> method_options(int64_t classes) {
  return {
      real_option("label-smoothing", 0.0, 0, 0.5, "s: D's label of real samples is 1 - s"),
      real_option("label-noise", 0.0, 0, 1, "standard deviation of the noise on D's labels; only for losses that have labels"),
      choice_option("gradient-penalty", "none", {"none", "wgan-gp", "r1", "r2", "r1-r2", "dragan"},
                    "on D's gradient at its input; wants --d-update sum and no batch norm in D"),
      real_option("gradient-penalty-weight", 10.0, 0, 1e6, "lambda of wgan-gp and dragan, gamma of r1 and r2 (halved there)"),
      real_option("weight-clip", 0.0, 0, 1e6, "c: every weight of D stays in [-c, c] (wgan: 0.01); 0: off"),
      choice_option("spectral-norm", "none", {"none", "d", "g", "both"}, "kernels divided by their largest singular value"),
      choice_option("minibatch-stddev", "off", {"off", "on"}, "D sees how much the samples of a batch differ"),
      real_option("instance-noise", 0.0, 0, 100, "standard deviation of the noise on D's inputs at first; 0: off"),
      integer_option("instance-noise-steps", 10000, 1, 1e12, "steps until it has faded to nothing"),
      integer_option("pack", 1, 1, 64, "m: D judges m samples at once, side by side in its channels"),
      integer_option("unroll", 0, 0, 64, "k: G's loss looks at D after k more updates; 0: off"),
      real_option("ema", 0.0, 0, 0.9999999, "decay of the average of G's weights that samples are made with; 0: off"),
      choice_option("conditional", "none", {"none", "concat", "projection"},
                    "G and D know the classes: as more inputs of both, or D through a projection"),
      integer_option("classes", classes, 1, 1024, "of the data, for --conditional"),
  };
}

}  // namespace forger
