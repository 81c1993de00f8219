// Every kernel of every provider against the reference, every gradient against central differences.
#include <doctest/doctest.h>

#include <set>

#include "engine/ops/op_spec.h"
#include "tests/cases/case.h"

using namespace forger;

TEST_CASE("every op has a reference kernel and a case") {
  std::set<std::string_view> with_kernel, with_case;
  for (const Kernel& k : reference_provider().kernels) with_kernel.insert(k.op);
  for (const Case& c : all_cases()) with_case.insert(c.op);
  for (const OpSpec* op : all_ops()) {
    CAPTURE(op->name);
    CHECK((op->is_source || with_kernel.contains(op->name)));
    CHECK(with_case.contains(op->name));
  }
}

TEST_CASE("every kernel in a provider's table belongs to an op and is run by a case") {
  for (const Provider* provider : all_providers()) {
    std::set<std::string> run;
    for (const Case& c : all_cases()) {
      const Graph graph = build_case(c, DType::f32);
      const NodeView view(graph, graph.nodes().back());
      for (const Kernel& k : provider->kernels) {
        if (k.op == view.node().op->name && !k.declines(view)) run.insert(std::string(k.op) + " " + std::string(k.name));
      }
    }
    for (const Kernel& k : provider->kernels) {
      CAPTURE(k.name);
      CHECK_NOTHROW(find_op(k.op));
      if (provider->place == Provider::Place::gpu) continue;  // `forger verify --device cuda` runs those
      CHECK(run.contains(std::string(k.op) + " " + std::string(k.name)));
    }
  }
}

TEST_CASE("kernels: exact on small integers") {
  for (const Case& c : all_cases()) {
    if (!c.exact_on_integers) continue;
    for (const Provider* provider : all_providers()) {
      if (provider->place == Provider::Place::gpu) continue;
      for (const CaseVerdict& v : check_case(c, *provider, Fill::integers)) {
        CAPTURE(c.op + " " + c.name + " " + v.kernel);
        CHECK(v.problem == "");
      }
    }
  }
}

TEST_CASE("kernels: on reals within twice the error of float loops") {
  for (const Case& c : all_cases()) {
    for (const Provider* provider : all_providers()) {
      if (provider->place == Provider::Place::gpu) continue;
      for (const CaseVerdict& v : check_case(c, *provider, Fill::reals)) {
        CAPTURE(c.op + " " + c.name + " " + v.kernel);
        CHECK(v.problem == "");
      }
    }
  }
}

TEST_CASE("gradients: first order against central differences") {
  for (const Case& c : all_cases()) {
    if (!c.check_gradients) continue;
    CAPTURE(c.op + " " + c.name);
    CHECK(gradient_error(c) < 1e-6);
  }
}

TEST_CASE("gradients: second order against central differences") {
  for (const Case& c : all_cases()) {
    if (!c.check_gradients) continue;
    CAPTURE(c.op + " " + c.name);
    CHECK(second_gradient_error(c) < 1e-5);
  }
}

TEST_CASE("the harness finds a kernel that is wrong") {
  const auto check = [](PreparedKernel (*prepare)(const NodeView&)) {
    static PreparedKernel (*current)(const NodeView&);
    current = prepare;
    const Kernel kernels[] = {{"scale", "planted", [](const NodeView&) -> std::optional<std::string> { return std::nullopt; },
                               [](const NodeView& v) { return current(v); }}};
    const Provider provider{"planted", kernels};
    for (const Case& c : all_cases()) {
      if (c.op == "scale") return check_case(c, provider, Fill::reals).at(0).problem;
    }
    return std::string("no case");
  };
  const auto right = [](const KernelArgs& a, int64_t n) {
    for (int64_t i = 0; i < n; ++i) a.out<float>(0)[i] = 0.2f * a.in<float>(0)[i];
  };
  static const auto correct = right;
  CHECK(check([](const NodeView& v) {
          return PreparedKernel{[n = v.output(0).size()](const KernelArgs& a) { correct(a, n); }};
        }) == "");
  CHECK(check([](const NodeView& v) {  // one element forgotten: NaN stays
          return PreparedKernel{[n = v.output(0).size()](const KernelArgs& a) { correct(a, n - 1); }};
        })
            .find("nan") != std::string::npos);
  CHECK(check([](const NodeView& v) {  // one too many: the guard zone
          return PreparedKernel{[n = v.output(0).size()](const KernelArgs& a) {
            correct(a, n);
            a.out<float>(0)[n] = 1;
          }};
        }) == "wrote outside a tensor");
  CHECK(check([](const NodeView& v) {  // a value off by a thousandth
          return PreparedKernel{[n = v.output(0).size()](const KernelArgs& a) {
            correct(a, n);
            a.out<float>(0)[n / 2] += 1e-3f;
          }};
        })
            .find("instead of") != std::string::npos);
  CHECK(check([](const NodeView& v) {  // all zero
          return PreparedKernel{[n = v.output(0).size()](const KernelArgs& a) { std::fill_n(a.out<float>(0), n, 0.f); }};
        })
            .find("all zero") != std::string::npos);
  CHECK(check([](const NodeView& v) {  // writes to its input
          return PreparedKernel{[n = v.output(0).size()](const KernelArgs& a) {
            correct(a, n);
            const_cast<float*>(a.in<float>(0))[0] = 9;
          }};
        }) == "changed an input");
}
