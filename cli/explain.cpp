#include <numeric>

#include "cli/commands.h"
#include "cli/recipe_options.h"
#include "engine/runtime/emulated_device.h"
#include "training/trainer.h"

namespace forger {

void add_explain(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("explain", "show a recipe's training step: launches, kernels, memory plan");
  auto recipe = std::make_shared<std::string>();
  auto graph = std::make_shared<bool>(false);
  command->add_option("recipe", *recipe, "name of a recipe")->required();
  command->add_flag("--graph", *graph, "print the graph before the passes instead");
  const auto flags = std::make_shared<RecipeFlags>(*command);
  command->callback([&action, recipe, graph, flags] {
    action = [recipe, graph, flags] {
      const Config config = make_config(*recipe, "", flags->given());
      const Graph step = build_train_step(find_recipe(*recipe), config, load_real_data(config));
      if (*graph) {
        fmt::print("{}", to_string(step));
        return 0;
      }
      const Backend backend = plan_backend(backend_options(config));
      fmt::print("{}\n{}", backend.description, explain(compile(step, backend.providers, backend.target)));
      if (backend.place != Provider::Place::cpu) {
        // The emulated kernels are the same source; they can be counted without a GPU.
        const Provider* const emulated[] = {&emulated::provider()};
        const auto kernels = count_kernels(compile(step, emulated, backend.target));
        fmt::print("kernels     {} CUDA kernels start in the {} launches of provider cuda\n",
                   std::accumulate(kernels.begin(), kernels.end(), size_t{0}), kernels.size() - 1);
      }
      return 0;
    };
  });
}

}  // namespace forger
