#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/recipe_options.h"
#include "training/trainer.h"

namespace forger {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

int bench_step(const std::string& recipe, int64_t repeats, bool json, const GivenOptions& given) {
  TrainingRun run(make_config(recipe, "", given), nullptr);
  constexpr int kWarmUp = 3;
  for (int i = 0; i < kWarmUp; ++i) run.session().run();
  std::vector<double> times;
  for (int64_t i = 0; i < repeats; ++i) {
    const auto start = Clock::now();
    run.session().run();
    times.push_back(milliseconds_since(start));
  }
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  const double images = static_cast<double>(run.config().integer("batch")) / median * 1e3;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double peak_mib = static_cast<double>(usage.ru_maxrss) / 1024;
  if (json) {
    const nlohmann::json result{{"framework", "forger"},
                                {"recipe", recipe},
                                {"batch", run.config().integer("batch")},
                                {"threads", run.config().integer("threads")},
                                {"fakes", run.config().text("fakes")},
                                {"steps", repeats},
                                {"ms_median", median},
                                {"ms_min", times.front()},
                                {"ms_max", times.back()},
                                {"images_per_second", images},
                                {"launches", run.session().program().launches.size()},
                                {"peak_rss_mib", peak_mib}};
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print(
        "{} batch {}, {} threads, fakes {}: {:.2f} ms a step (min {:.2f}, max {:.2f}, {} steps), {:.0f} images/s, {} launches, "
        "peak memory {:.0f} MiB\n",
        recipe, run.config().integer("batch"), run.config().integer("threads"), run.config().text("fakes"), median, times.front(),
        times.back(), repeats, images, run.session().program().launches.size(), peak_mib);
  }
  return 0;
}

/// Where a step's time goes: the median of every launch, slowest first.
int bench_kernels(const std::string& recipe, int64_t repeats, const GivenOptions& given) {
  TrainingRun run(make_config(recipe, "", given), nullptr);
  const auto rows = run.session().profile(repeats);
  double total = 0;
  for (const auto& r : rows) total += r.milliseconds;
  fmt::print("{:>9} {:>6} {:>9} {:>8}  {:<34} {}\n", "ms", "share", "GFLOP/s", "GB/s", "kernel", "node");
  for (const auto& r : rows) {
    fmt::print("{:9.3f} {:5.1f}% {:9.1f} {:8.1f}  {:<34} {}\n", r.milliseconds, 100 * r.milliseconds / total,
               static_cast<double>(r.cost.flops) / r.milliseconds * 1e-6,
               static_cast<double>(r.cost.bytes) / r.milliseconds * 1e-6, r.kernel, r.path);
  }
  fmt::print("{:9.3f} ms in {} launches\n", total, rows.size());
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("bench", "time a recipe's training step, whole or kernel by kernel");
  auto what = std::make_shared<std::string>(), recipe = std::make_shared<std::string>("dcgan"),
       format = std::make_shared<std::string>("table");
  auto repeats = std::make_shared<int64_t>(20);
  command->add_option("what", *what, "step or kernels")->required()->check(CLI::IsMember({"step", "kernels"}));
  command->add_option("recipe", *recipe, "name of a recipe")->capture_default_str();
  command->add_option("--repeats", *repeats, "timed runs")->check(CLI::Range(1, 100000))->capture_default_str();
  command->add_option("--format", *format, "table or json")->check(CLI::IsMember({"table", "json"}))->capture_default_str();
  const auto flags = std::make_shared<RecipeFlags>(*command);
  command->callback([=, &action] {
    action = [=] {
      const GivenOptions given = flags->given();
      return *what == "step" ? bench_step(*recipe, *repeats, *format == "json", given) : bench_kernels(*recipe, *repeats, given);
    };
  });
}

}  // namespace forger
