// Plans chosen by timing: with a clock that the test turns, on kernels that the emulator runs.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/runtime/autotune.h"
#include "engine/runtime/backend.h"
#include "engine/runtime/session.h"
#include "tests/test_files.h"
#include "training/tuning_file.h"

using namespace forger;

namespace {

const Provider* const kEmulated[] = {&emulated::provider()};

/// Two equal convolutions and a matrix product.
Graph small_step() {
  Graph g;
  const auto variable = [&](const char* name, Shape shape) {
    return g.variable(name, {DType::f32, std::move(shape)}, Initializer::uniform(-1, 1));
  };
  const Value x = variable("x", {2, 6, 6, 16}), w = variable("w", {32, 3, 3, 16}), v = variable("v", {32, 3, 3, 16});
  const Value y = conv2d(x, w, 1, Padding::same);
  g.output("z", conv2d(x, v, 1, Padding::same));
  g.output("y", matmul(reshape(y, {72, 32}), variable("m", {32, 24}), false, false));
  return g;
}

std::vector<double> result(const Graph& graph, const Target& target) {
  const Backend backend = open_backend({.device = "emulated", .precision = "fp32"});
  VariableStore variables(*backend.device);
  Session session(compile(graph, kEmulated, target), variables, 3);
  session.run();
  return session.output("y");
}

}  // namespace

TEST_CASE("autotune: every problem is timed once, the fastest plan wins, and what is known stays as it is") {
  const Graph graph = small_step();
  std::vector<std::string> timed;
  // The later, the faster: the last plan of each problem must win.
  double now = 1000;
  const PlanTimer clock = [&](const NodeView& view, const PreparedKernel&) {
    timed.push_back(view.target().tuning->begin()->second);
    return --now;
  };
  const Tuning tuning = autotune(graph, kEmulated, {}, {}, clock);
  REQUIRE(tuning.size() == 2);  // both convolutions are one problem
  CHECK(timed.size() > 2);
  const std::set<std::string> all(timed.begin(), timed.end());
  for (const auto& [problem, plan] : tuning) CHECK(all.contains(plan));
  CHECK(tuning.rbegin()->second == timed.back());

  const size_t before = timed.size();
  CHECK(autotune(graph, kEmulated, {}, tuning, clock) == tuning);
  CHECK(timed.size() == before);
}

TEST_CASE("autotune: a program follows the plans, and every plan computes the same up to the order of its sums") {
  const Graph graph = small_step();
  const std::vector<double> expected = result(graph, {});
  Target target;
  target.tuning = std::make_shared<const Tuning>(
      autotune(graph, kEmulated, {}, {}, [now = 1000.0](const auto&, const auto&) mutable { return --now; }));
  const std::vector<double> found = result(graph, target);
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-4));
  // Workspaces follow the plan, too.
  const auto workspace = [&](const Target& t) {
    size_t bytes = 0;
    for (const Launch& launch : compile(graph, kEmulated, t).launches) bytes += launch.kernel.workspace_bytes;
    return bytes;
  };
  CHECK(workspace(target) != workspace({}));
}

TEST_CASE("autotune: a plan that the device refuses is passed over, and all of them are an error that names the node") {
  const Graph graph = small_step();
  int calls = 0;
  const Tuning tuning = autotune(graph, kEmulated, {}, {}, [&](const auto&, const auto&) -> double {
    if (++calls % 2 == 1) fail<DeviceError>("too many resources requested for launch");
    return 1;
  });
  CHECK(tuning.size() == 2);
  CHECK_THROWS_WITH_AS(autotune(graph, kEmulated, {}, {}, [](const auto&, const auto&) -> double { fail<DeviceError>("no"); }),
                       doctest::Contains("conv2d"), DeviceError);
}

TEST_CASE("autotune: plans that do not exist are refused") {
  const Graph graph = small_step();
  Tuning tuning = autotune(graph, kEmulated, {}, {}, [](const auto&, const auto&) { return 1.0; });
  for (const char* wrong :
       {"", "enormous 1 0 4", "small 1000000 0 4", "small 0 0 4", "small 2 3 4", "small 1 0", "small 1 0 5", "small 1 0 4 0"}) {
    CAPTURE(wrong);
    tuning.begin()->second = wrong;
    Target target;
    target.tuning = std::make_shared<const Tuning>(tuning);
    CHECK_THROWS_WITH_AS(compile(graph, kEmulated, target), doctest::Contains("is no plan"), DataError);
  }
}

TEST_CASE("autotune: plans are kept in a file for their device") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "deeper/plans-NVIDIA-H200.json";
  CHECK(read_tuning(path, "NVIDIA H200").empty());
  const Tuning tuning{{"conv2d tf32 f32[1]", "small 2 2 4"}, {"matmul fp32 f32[2]", "large 1 0 4"}};
  write_tuning(path, "NVIDIA H200", tuning);
  CHECK(read_tuning(path, "NVIDIA H200") == tuning);
  CHECK_THROWS_WITH_AS(read_tuning(path, "NVIDIA A100"), doctest::Contains("delete it to time them again"), DataError);
  std::ofstream(path, std::ios::trunc) << "{\"device\": \"NVIDIA H200\", \"plans\": {}}";  // of before plans had a depth
  CHECK_THROWS_WITH_AS(read_tuning(path, "NVIDIA H200"), doctest::Contains("delete it to time them again"), DataError);
  std::ofstream(path, std::ios::trunc) << "{\"device\": \"NVIDIA H200\", \"pla";
  CHECK_THROWS_AS(read_tuning(path, "NVIDIA H200"), DataError);

  ::setenv("FORGER_CACHE", folder.path().c_str(), 1);
  CHECK(tuning_file("NVIDIA H200") == folder / "plans-NVIDIA-H200.json");
  ::unsetenv("FORGER_CACHE");
}
