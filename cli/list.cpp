#include "cli/commands.h"
#include "cli/recipe_options.h"
#include "models/recipe.h"
#include "training/summary.h"

namespace forger {
namespace {

/// The shape that a recipe's samples have, without loading its data.
Shape sample_shape(const Config& config) {
  if (config.has("image-size")) return {config.integer("image-size"), config.integer("image-size"), config.integer("channels")};
  const std::string& d = config.text("distribution");
  return {d == "pattern1010" ? 4 : d == "normal1d" ? 1 : 2};
}

}  // namespace

void add_list(CommandLine& line) {
  Command command = line.add("list", "list the recipes");
  command.run([] {
    for (const Recipe& r : all_recipes()) fmt::print("{:<16} {}\n", r.name, r.summary);
    return 0;
  });
}

void add_summary(CommandLine& line) {
  Command command = line.add("summary", "show a recipe's networks and options");
  auto recipe = std::make_shared<std::string>();
  command.option("recipe", *recipe, "name of a recipe").required();
  const auto flags = std::make_shared<RecipeFlags>(command);
  command.run([recipe, flags] {
    const Config config = make_config(*recipe, "", flags->given());
    fmt::print("{}\n\n{}", summary_table(find_recipe(*recipe), config, sample_shape(config)), options_help(config));
    return 0;
  });
}

}  // namespace forger
