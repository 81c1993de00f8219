#include "training/summary.h"

#include "models/gan_step.h"

namespace forger {
namespace {

/// 1555329 -> "1,555,329".
std::string grouped(int64_t n) {
  std::string digits = std::to_string(n);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string output_shape(const Shape& shape) {
  std::string text = "(None";
  for (int64_t extent : shape) text += ", " + std::to_string(extent);
  return text + ")";
}

std::string table(const std::string& title, const NetworkSummary& s) {
  const std::string rule(65, '_'), double_rule(65, '=');
  std::string text =
      fmt::format("{}\n{}\n{:<34} {:<20} {}\n{}\n", title, rule, "Layer (type)", "Output Shape", "Param #", double_rule);
  text += fmt::format("{:<34} {:<20} {}\n", "input (InputLayer)", output_shape(s.input), 0);
  for (const LayerRow& row : s.rows) {
    text +=
        fmt::format("{:<34} {:<20} {}\n", fmt::format("{} ({})", row.name, row.type), output_shape(row.output), row.parameters);
  }
  text += fmt::format("{}\nTotal params: {}\nTrainable params: {}\nNon-trainable params: {}\n{}", double_rule,
                      grouped(s.trainable + s.not_trainable), grouped(s.trainable), grouped(s.not_trainable), rule);
  return text;
}

}  // namespace

std::string summary_table(const Recipe& recipe, const Config& config, const Shape& sample) {
  const auto [g, d] = summarize(recipe, config, sample);
  if (recipe.is_classifier()) return table("Classifier", d);
  return table("Generator", g) + "\n" + table("Discriminator", d);
}

}  // namespace forger
