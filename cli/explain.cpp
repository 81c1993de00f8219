#include <numeric>

#include "cli/commands.h"
#include "cli/recipe_options.h"
#include "engine/passes/passes.h"
#include "engine/runtime/emulated_device.h"
#include "training/trainer.h"

namespace forger {

namespace {

/// CUDA kernels that a step starts: the emulated ones are the same source, and can be counted without a GPU. Nothing in a
/// build without the emulator.
std::optional<size_t> kernels_of(const Graph& step, const Target& target, std::span<const Pass> passes) {
  const Provider* const emulated[] = {&emulated::provider()};
  if (emulated[0]->kernels.empty()) return std::nullopt;
  const auto counts = count_kernels(compile(step, emulated, target, passes));
  return std::accumulate(counts.begin(), counts.end(), size_t{0});
}

/// What the step would cost without the passes, in a line.
std::string before_passes(const Graph& step, const Backend& backend) {
  const Program plain = compile(step, backend.providers, backend.target, {});
  const WorkDone work = work_of(plain);
  std::string kernels;
  if (backend.place != Provider::Place::cpu) {
    if (const auto count = kernels_of(step, backend.target, {})) kernels = fmt::format(" with {} CUDA kernels", *count);
  }
  return fmt::format(
      "unfused     without the passes: {} launches{}, of which {} wait for each other one by one, {:.3f} GFLOP, {:.1f} MB, arena "
      "{:.2f} MiB\n",
      plain.launches.size(), kernels, work.chain_launches.size(), static_cast<double>(work.all.flops) * 1e-9,
      static_cast<double>(work.all.bytes) * 1e-6, static_cast<double>(plain.memory.arena_bytes) / (1 << 20));
}

}  // namespace

void add_explain(CommandLine& line) {
  Command command = line.add("explain", "show a recipe's training step: launches, kernels, memory plan");
  auto recipe = std::make_shared<std::string>();
  auto graph = std::make_shared<bool>(false);
  command.option("recipe", *recipe, "name of a recipe").required();
  command.flag("--graph", *graph, "print the graph before the passes instead");
  const auto flags = std::make_shared<RecipeFlags>(command);
  command.run([recipe, graph, flags] {
    const Config config = make_config(*recipe, "", flags->given());
    const Graph step = build_train_step(find_recipe(*recipe), config, load_real_data(config));
    if (*graph) {
      fmt::print("{}", to_string(step));
      return 0;
    }
    const Backend backend = plan_backend(backend_options(config));
    const Program program = compile(step, backend.providers, backend.target);
    fmt::print("{}\n{}", backend.description, explain(program));
    if (backend.place != Provider::Place::cpu) {
      const auto count = kernels_of(step, backend.target, passes_for(backend.target));
      fmt::print("kernels     {}\n",
                 count ? fmt::format("{} CUDA kernels start in the {} launches of provider cuda", *count, program.launches.size())
                       : fmt::format("not counted: {}", emulated::provider().missing));
    }
    fmt::print("{}", before_passes(step, backend));
    return 0;
  });
}

}  // namespace forger
