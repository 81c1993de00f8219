#include "cli/commands.h"
#include "cli/recipe_options.h"
#include "training/trainer.h"

namespace forger {

void add_explain(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("explain", "show a recipe's training step: launches, kernels, memory plan");
  auto recipe = std::make_shared<std::string>();
  auto graph = std::make_shared<bool>(false);
  command->add_option("recipe", *recipe, "name of a recipe")->required();
  command->add_flag("--graph", *graph, "print the graph before the passes instead");
  command->allow_extras();
  command->callback([&action, recipe, graph, command] {
    action = [recipe, graph, command] {
      const Config config = make_config(*recipe, "", parse_options(command->remaining()));
      const Graph step = build_train_step(find_recipe(*recipe), config, load_real_data(config));
      fmt::print("{}", *graph ? to_string(step) : explain(compile(step, providers_of(config))));
      return 0;
    };
  });
}

}  // namespace forger
