// The GPU's side of the runtime, on the emulated device: recorded steps, one seed one run, errors that name the node.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/runtime/backend.h"
#include "engine/runtime/dependencies.h"
#include "engine/runtime/emulated_device.h"
#include "engine/runtime/session.h"
#include "models/gan_step.h"
#include "tests/cases/case.h"

using namespace forger;

namespace {

using Bytes = std::vector<std::byte>;

/// A small recipe on an emulated GPU whose threads run in an order of their own.
class EmulatedRun {
 public:
  EmulatedRun(const std::string& recipe, uint64_t shuffle) : device_(open_emulated_device(shuffle)), variables_(*device_) {
    Config config = find_recipe(recipe).defaults;
    if (config.integer("batch") > 16) config.set("batch", std::string("16"));
    data_ = load_real_data(config);
    const Provider* const providers[] = {&emulated::provider()};
    session_ = std::make_unique<Session>(
        compile(build_train_step(find_recipe(recipe), config, data_), providers, {.memory_slack = 32}), variables_, 3);
    session_->bind("data", data_.bytes.data());
  }
  Session& session() { return *session_; }
  std::map<std::string, Bytes> state() const {
    std::map<std::string, Bytes> all;
    for (const auto& [name, entry] : variables_.entries()) all[name] = variables_.read(name);
    return all;
  }
  VariableStore& variables() { return variables_; }

 private:
  std::shared_ptr<Device> device_;
  VariableStore variables_;
  RealData data_;
  std::unique_ptr<Session> session_;
};

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("gpu runtime: replays of many steps equal steps one by one, to the last bit") {
  for (const char* recipe : {"pattern1010", "normal1d", "gaussians4"}) {
    CAPTURE(recipe);
    EmulatedRun together(recipe, 0), apart(recipe, 0);
    together.session().run(21);  // one checked, two recordings of eight, four single
    for (int i = 0; i < 21; ++i) {
      // What a recorded graph would have frozen shows here: the launches are made anew in every step.
      CHECK(!apart.session().run_checked());
    }
    CHECK(together.variables().read_scalar<int64_t>("rng/step") == 21);
    CHECK(together.state() == apart.state());
  }
}

TEST_CASE("gpu runtime: launches wait for those whose bytes they need, and for no others") {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1000}});
  const Value a = scale(x, 2.0), b = scale(x, 3.0);  // side by side
  const Value c = random_normal(g.variable("seed", {DType::u64, {}}, Initializer::zeros()),
                                g.variable("step", {DType::i64, {}}, Initializer::zeros()), 0.0, 1.0, {1000});
  g.output("y", concat({a, b, c}, 0));
  const Provider* const providers[] = {&emulated::provider()};
  const Program program = compile(g, providers, {.memory_slack = 100}, {});
  const auto waits_for = launch_dependencies(program);
  REQUIRE(waits_for.size() == 4);
  for (size_t i = 0; i < 3; ++i) CHECK(waits_for[i].empty());
  CHECK(waits_for[3] == std::vector<int>{0, 1, 2});
  CHECK(critical_path(waits_for).size() == 2);
}

TEST_CASE("gpu runtime: slack in the memory plan shortens the critical path and changes no result") {
  Config config = find_recipe("gaussians4").defaults;
  config.set("batch", std::string("16"));
  const RealData data = load_real_data(config);
  const Graph step = build_train_step(find_recipe("gaussians4"), config, data);
  const Provider* const providers[] = {&emulated::provider()};
  size_t shortest = 1000;
  std::vector<double> losses;
  for (const int slack : {0, 32}) {
    const auto device = open_emulated_device(11);  // side by side is: in any order
    VariableStore variables(*device);
    Session session(compile(step, providers, {.memory_slack = slack}), variables, 3);
    session.bind("data", data.bytes.data());
    const size_t path = critical_path(launch_dependencies(session.program())).size();
    CHECK(path < shortest);
    shortest = path;
    session.run(10);
    losses.push_back(session.scalar("d_loss"));
  }
  CHECK(losses[0] == losses[1]);
}

TEST_CASE("gpu runtime: one seed is one run, whatever order the threads run in") {
  EmulatedRun first("gaussians4", 0), second("gaussians4", 7), third("gaussians4", 8);
  for (EmulatedRun* run : {&first, &second, &third}) run->session().run(12);  // eight of them recorded as one
  CHECK(first.state() == second.state());
  CHECK(first.state() == third.state());
}

TEST_CASE("gpu runtime: random integers, masks and batches are the reference's, bit for bit") {
  int compared = 0;
  for (const Case& c : all_cases()) {
    if (c.op != "random_indices" && c.op != "random_uniform" && c.op != "dropout") continue;
    const Graph graph = build_case(c, DType::f32);
    const NodeView view(graph, graph.nodes().back());
    const Provider* const reference[] = {&reference_provider()};
    const Provider* const cuda[] = {&emulated::provider()};
    CAPTURE(c.op + " " + c.name);
    const auto expected = run_case(c, *choose_kernel(view, reference).kernel, Fill::reals);
    CHECK((run_case(c, *choose_kernel(view, cuda).kernel, Fill::reals) == expected));
    ++compared;
  }
  CHECK(compared > 5);
}

TEST_CASE("gpu runtime: of launches whose blocks wait for each other one runs at a time") {
  Graph g;
  for (const std::string name : {"a", "b"}) {
    const Value x = g.variable("x" + name, {DType::f32, {2, 4, 4, 8}}, Initializer::uniform(-1, 1));
    const Value w = g.variable("w" + name, {DType::f32, {8, 3, 3, 8}}, Initializer::uniform(-1, 1));
    const Value one = g.variable("one" + name, {DType::f32, {8}}, Initializer::uniform(1, 2));
    g.output("y" + name, batch_norm_training(conv2d(x, w, 1, Padding::same), one, one, one, one, 1e-3, 0.8).y);
  }
  const Provider* const providers[] = {&emulated::provider()};
  const Program program = compile(g, providers, {.memory_slack = 32, .fuse_statistics = true});
  REQUIRE(program.launches.size() == 2);
  for (const Launch& launch : program.launches) CHECK(launch.kernel.cooperative());
  CHECK(launch_dependencies(program)[1] == std::vector<int>{0});
  CHECK(critical_path(launch_dependencies(program)).size() == 2);
  const Program apart = compile(g, providers, {.memory_slack = 32, .fuse_statistics = true, .together = 0});
  REQUIRE(apart.launches.size() == 4);
  CHECK(critical_path(launch_dependencies(apart)).size() == 2);
  for (const auto& waits_for : launch_dependencies(apart)) CHECK(waits_for.size() <= 1);
}

TEST_CASE("gpu runtime: fed inputs are read by the next run, recorded or not") {
  Graph g;
  const Value x = g.input("x", {DType::f32, {4}});
  g.output("y", scale(x, 2.0));
  const auto device = open_emulated_device();
  VariableStore variables(*device);
  const Provider* const providers[] = {&emulated::provider()};
  Session session(compile(g, providers), variables, 0);
  CHECK(error_of([&] { session.run(); }) == "input 'x' is not bound");
  CHECK(error_of([&] { session.feed("z", nullptr); }).find("'z'") != std::string::npos);
  for (const float v : {1.f, 2.f, 3.f, 4.f}) {
    const std::vector<float> values(4, v);
    session.feed("x", values.data());
    session.run();
    CHECK(session.output("y") == std::vector<double>(4, 2 * v));
  }
}

TEST_CASE("gpu runtime: a kernel that fails is named with its node") {
  static const Kernel kernels[] = {
      {"scale", "broken_kernel", [](const NodeView&) -> std::optional<std::string> { return std::nullopt; },
       [](const NodeView&) { return PreparedKernel{[](const KernelArgs&) { fail<DeviceError>("an illegal memory access"); }}; }}};
  const Provider provider{"broken", kernels, Provider::Place::emulator};
  Graph g;
  const Value x = g.input("x", {DType::f32, {4}});
  {
    const PathScope scope(g, "G");
    g.output("y", scale(x, 2.0));
  }
  const auto device = open_emulated_device();
  VariableStore variables(*device);
  const Provider* const providers[] = {&provider};
  Session session(compile(g, providers), variables, 0);
  const float zeros[4] = {};
  session.bind("x", zeros);
  CHECK(error_of([&] { session.run(); }) == "G/scale (broken_kernel): an illegal memory access");
}

TEST_CASE("gpu runtime: backends say what does not fit") {
  const auto error = [](BackendOptions options) { return error_of([&] { open_backend(options); }); };
  CHECK(error({.device = "gpu"}).find("'gpu' is not one of auto, cpu, cuda, cuda:N") != std::string::npos);
  CHECK(error({.device = "cuda:-1"}).find("'cuda:-1'") != std::string::npos);
  CHECK(error({.device = "cpu", .providers = "cuda"}).find("'cuda' runs on a GPU") != std::string::npos);
  CHECK(error({.device = "emulated", .providers = "onednn"}).find("choose among emulated") != std::string::npos);
  CHECK(error({.device = "cpu", .precision = "bf16"}).find("--device cuda") != std::string::npos);
  CHECK(error({.device = "cpu", .precision = "fp8"}).find("fp32, tf32, bf16") != std::string::npos);
  CHECK(error({.device = "emulated", .launches = "fast"}).find("'fast' is not one of unfused, apart, joined, overlapped") !=
        std::string::npos);
  CHECK(error({.device = "cpu", .launches = "overlapped"}).find("a CPU runs one launch after another") != std::string::npos);
  CHECK(open_backend({.device = "emulated", .launches = "overlapped"}).target.together > 0);
  CHECK(open_backend({.device = "emulated", .launches = "apart"}).target.together == 0);
  CHECK(passes_for(open_backend({.device = "cpu", .launches = "unfused"}).target).empty());
  CHECK_FALSE(passes_for(open_backend({.device = "cpu"}).target).empty());
  CHECK(open_backend({.device = "emulated"}).target.precision == Precision::tf32);
  CHECK(open_backend({.device = "cpu"}).description == "cpu, fp32, providers onednn,reference");
  std::string why_not;
  if (list_gpus(why_not).empty()) {
    CHECK(!why_not.empty());
    CHECK(error({.device = "cuda"}).find(why_not) != std::string::npos);
    CHECK(open_backend({}).place == Provider::Place::cpu);
    CHECK(plan_backend({.device = "cuda"}).description.find("planned for an H200") != std::string::npos);
  } else {
    CHECK(open_backend({}).place == Provider::Place::gpu);
    CHECK(error({.device = "cuda:99"}).find("numbered from 0") != std::string::npos);
  }
}
