#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/kernel_bench.h"
#include "bench/roofline.h"
#include "cli/commands.h"
#include "cli/recipe_options.h"
#include "datasets/files.h"
#include "training/trainer.h"

namespace forger {
namespace {

struct BenchArguments {
  std::string what, recipe = "dcgan", format = "table", op, roofline;
  std::vector<int64_t> batches;
  int64_t repeats = 20;
};

/// The same line of numbers as a table, as Markdown or as one JSON object per row.
class Rows {
 public:
  struct Column {
    std::string name;
    int width;  // negative: text, left-aligned
  };
  Rows(std::string format, std::vector<Column> columns) : format_(std::move(format)), columns_(std::move(columns)) {
    if (format_ == "json") return;
    std::vector<std::string> names;
    for (const Column& c : columns_) names.push_back(c.name);
    line(names);
    if (format_ != "markdown") return;
    for (const Column& c : columns_) fmt::print("|{}", c.width < 0 ? "---" : "---:");
    fmt::print("|\n");
  }

  /// One value per column: text or a number.
  void row(const std::vector<nlohmann::json>& values) const {
    if (format_ == "json") {
      nlohmann::json object;
      for (size_t i = 0; i < columns_.size(); ++i) object[key(columns_[i].name)] = values[i];
      fmt::print("{}\n", object.dump());
      return;
    }
    std::vector<std::string> cells;
    for (const auto& v : values) cells.push_back(v.is_string() ? v.get<std::string>() : v.is_null() ? "" : number(v));
    line(cells);
  }

 private:
  static std::string key(std::string name) {
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
  }
  static std::string number(const nlohmann::json& v) {
    if (v.is_number_integer()) return std::to_string(v.get<int64_t>());
    const double x = v.get<double>();
    return fmt::format("{:.{}f}", x, x < 0.1 ? 4 : x < 10 ? 3 : x < 1000 ? 1 : 0);
  }
  void line(const std::vector<std::string>& cells) const {
    for (size_t i = 0; i < columns_.size(); ++i) {
      const bool left = columns_[i].width < 0;
      if (format_ == "markdown") {
        fmt::print("| {} ", cells[i]);
      } else if (left) {
        fmt::print("{:<{}} ", cells[i], -columns_[i].width);
      } else {
        fmt::print("{:>{}} ", cells[i], columns_[i].width);
      }
    }
    fmt::print("{}\n", format_ == "markdown" ? "|" : "");
  }

  std::string format_;
  std::vector<Column> columns_;
};

/// The recipe's config at each of the batch sizes.
std::vector<Config> configs(const BenchArguments& a, const GivenOptions& given) {
  std::vector<Config> all;
  const Config config = make_config(a.recipe, "", given);
  for (int64_t batch : a.batches.empty() ? std::vector<int64_t>{config.integer("batch")} : a.batches) {
    all.push_back(config);
    all.back().set("batch", std::to_string(batch));
  }
  return all;
}

double peak_mib(const Device& device) {
  if (device.is_asynchronous()) return static_cast<double>(device.peak_bytes()) / (1 << 20);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// Options that were given and have no column of their own: "--collapse on --launches apart".
std::string other_options(const GivenOptions& given) {
  constexpr std::string_view kColumns[] = {"device", "precision", "providers", "fakes", "batch", "threads"};
  std::string text;
  for (const auto& [name, value] : given) {
    if (std::find(std::begin(kColumns), std::end(kColumns), name) != std::end(kColumns)) continue;
    text += fmt::format("{}--{} {}", text.empty() ? "" : " ", name, value);
  }
  return text.empty() ? "none" : text;
}

int bench_step(const BenchArguments& a, const GivenOptions& given) {
  const Rows rows(a.format, {{"framework", -9},
                             {"recipe", -12},
                             {"device", -8},
                             {"precision", -9},
                             {"providers", -18},
                             {"fakes", -8},
                             {"batch", 6},
                             {"ms median", 10},
                             {"ms min", 10},
                             {"ms max", 10},
                             {"images per second", 18},
                             {"launches", 8},
                             {"peak mib", 9},
                             {"threads", 8},
                             {"other options", -20}});
  for (const Config& config : configs(a, given)) {
    TrainingRun run(config, nullptr);
    Device& device = *run.backend().device;
    // A GPU's steps are queued; a timing covers many, as in training.
    const int64_t steps = device.is_asynchronous() && run.backend().place == Provider::Place::gpu ? 32 : 1;
    run.session().run(2 * steps + 1);
    device.synchronize();
    std::vector<double> times;
    const auto timer = device.make_timer();
    for (int64_t i = 0; i < a.repeats; ++i) {
      timer->start();
      run.session().run(steps);
      times.push_back(timer->stop() / static_cast<double>(steps));
    }
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    std::vector<std::string> providers;
    for (const Provider* p : run.backend().providers) providers.emplace_back(p->name);
    rows.row({"forger", a.recipe, device_kind(run.backend()), name_of(run.backend().target.precision),
              fmt::format("{}", fmt::join(providers, ",")), config.text("fakes"), config.integer("batch"), median, times.front(),
              times.back(), static_cast<double>(config.integer("batch")) / median * 1e3, run.session().program().launches.size(),
              peak_mib(device), run.config().integer("threads"), other_options(given)});
  }
  return 0;
}

/// Where a step's time goes: the median of every launch, slowest first.
int bench_launches(const BenchArguments& a, const GivenOptions& given) {
  for (const Config& config : configs(a, given)) {
    TrainingRun run(config, nullptr);
    const auto launches = run.session().profile(a.repeats);
    double total = 0;
    for (const auto& r : launches) total += r.milliseconds;
    const Rows rows(a.format, {{"ms", 9}, {"percent", 7}, {"GFLOP/s", 9}, {"GB/s", 8}, {"kernel", -38}, {"node", -60}});
    for (const auto& r : launches) {
      rows.row({r.milliseconds, 100 * r.milliseconds / total, static_cast<double>(r.cost.flops) / r.milliseconds * 1e-6,
                static_cast<double>(r.cost.bytes) / r.milliseconds * 1e-6, r.kernel, r.path});
    }
    if (a.format != "json") fmt::print("\nbatch {}: {:.3f} ms in {} launches\n", config.integer("batch"), total, launches.size());
  }
  return 0;
}

/// Every kernel alone on every problem of the step; where several providers take one, each against the first.
int bench_kernels(const BenchArguments& a, const GivenOptions& given) {
  if (!a.roofline.empty() && a.batches.size() > 1) fail<ConfigError>("--roofline: one picture is of one batch size; give one");
  std::optional<Ceilings> ceilings;
  for (const Config& config : configs(a, given)) {
    const Backend backend = open_backend(backend_options(config));
    if (!ceilings) {
      ceilings = measure_ceilings(backend);
      if (a.format != "json") {
        fmt::print("{}\nceilings, measured: copy {:.1f} GB/s, matrix product {:.1f} GFLOP/s\n\n", backend.description,
                   ceilings->gbps, ceilings->gflops);
      }
    }
    const Graph step = build_train_step(find_recipe(a.recipe), config, load_real_data(config));
    const Rows rows(a.format, {{"batch", 5},
                               {"op", -22},
                               {"output", -20},
                               {"uses", 4},
                               {"kernel", -38},
                               {"ms cold", 9},
                               {"ms warm", 9},
                               {"ms min", 9},
                               {"ms max", 9},
                               {"GFLOP/s", 10},
                               {"GB/s", 8},
                               {"percent of ceiling", 18},
                               {"ratio to first", 14},
                               {"provider", -9},
                               {"precision", -9},
                               {"node", -40}});
    double first = 0;
    std::string problem;
    const auto times = forger::bench_kernels(step, backend, *ceilings, {.op = a.op, .samples = a.repeats});
    if (!a.roofline.empty()) {
      const std::string title = fmt::format("{}, batch {}, {}", a.recipe, config.integer("batch"), backend.description);
      const std::string picture = roofline_svg(times, *ceilings, title);
      write_file(a.roofline, {bytes_of(std::span<const char>(picture))});
    }
    for (const KernelTime& t : times) {
      if (problem != t.node) first = t.cold.median;
      problem = t.node;
      rows.row({config.integer("batch"), t.op, t.output, t.uses, t.kernel, t.cold.median, t.warm.median, t.cold.min, t.cold.max,
                t.gflops, t.gbps, 100 * t.ceiling, t.cold.median / first, t.provider, name_of(backend.target.precision), t.node});
    }
    if (a.format != "json") fmt::print("\n");
  }
  return 0;
}

}  // namespace

void add_bench(CommandLine& line) {
  Command command = line.add("bench", "time a recipe's training step: whole, launch by launch, or kernel by kernel");
  auto a = std::make_shared<BenchArguments>();
  command.option("what", a->what, "step: whole; launches: each in its place; kernels: each alone, cold and warm")
      .required()
      .choices({"step", "launches", "kernels"});
  command.option("recipe", a->recipe, "name of a recipe").show_default();
  command.option("--repeats", a->repeats, "timings of which the median is taken").range(1, 100000).show_default();
  command.option("--batches", a->batches, "batch sizes, such as 32,64,128 (default: the recipe's)")
      .comma_separated()
      .range(1, 65536);
  command.option("--op", a->op, "kernels: of this op alone");
  command.option("--roofline", a->roofline, "kernels: also draw them under the device's ceilings, as this SVG file");
  command.option("--format", a->format, "table, markdown or json").choices({"table", "markdown", "json"}).show_default();
  const auto flags = std::make_shared<RecipeFlags>(command);
  command.run([=] {
    const GivenOptions given = flags->given();
    return a->what == "step"       ? bench_step(*a, given)
           : a->what == "launches" ? bench_launches(*a, given)
                                   : bench_kernels(*a, given);
  });
}

}  // namespace forger
