// The CUDA kernels, run by the emulator: which ops have one, outputs in their inputs' memory, and what cases cannot say.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"
#include "engine/runtime/device.h"
#include "kernels/common/philox.h"
#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/concat.h"
#include "kernels/cuda/divisor.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/fill.h"
#include "kernels/cuda/losses.h"
#include "kernels/cuda/optimizers.h"
#include "kernels/cuda/random.h"
#include "kernels/cuda/strided_copy.h"
#include "kernels/reference/elementwise.h"
#include "tests/cases/case.h"

using namespace forger;

namespace {

/// The case's only node is a kernel's op, not several nodes made for a gradient check.
bool is_one_node(const Graph& graph) {
  const Node& node = graph.nodes().back();
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return graph.producer(id).op->name == "input"; });
}

/// Memory for one tensor.
struct Tensor {
  explicit Tensor(size_t bytes) : buffer(host_device(), bytes) { std::memset(buffer.data(), 0xFF, bytes); }
  Tensor(const std::vector<double>& values, DType dtype) : Tensor(values.size() * size_of(dtype)) {
    for (size_t i = 0; i < values.size(); ++i) {
      switch (dtype) {
        case DType::f32:
          put(i, static_cast<float>(values[i]));
          break;
        case DType::u8:
          put(i, static_cast<uint8_t>(values[i]));
          break;
        case DType::i32:
          put(i, static_cast<int32_t>(values[i]));
          break;
        default:
          put(i, static_cast<int64_t>(values[i]));  // i64 and u64: no number here is negative
      }
    }
  }
  template <class T>
  void put(size_t i, T value) {
    static_cast<T*>(buffer.data())[i] = value;
  }
  std::string bytes() const { return {static_cast<const char*>(buffer.data()), buffer.bytes()}; }
  float* floats() { return static_cast<float*>(buffer.data()); }
  Buffer buffer;
};

/// The outputs of a case's node, each in memory of its own or, if asked, where its op allows it to be in place.
std::vector<std::string> run(const Case& c, const Graph& graph, const Kernel& kernel, bool in_place) {
  const NodeView view(graph, graph.nodes().back());
  auto values = make_inputs(c, Fill::reals);
  std::vector<Tensor> inputs, outputs;
  std::vector<void*> in, out;
  std::set<size_t> taken;
  for (size_t i = 0; i < values.size(); ++i) inputs.emplace_back(values[i], graph.type(graph.nodes()[i].outputs[0]).dtype);
  for (ValueId id : view.node().inputs) in.push_back(inputs[static_cast<size_t>(graph.producer(id).id)].buffer.data());
  const InPlace places = in_place && view.node().op->in_place ? view.node().op->in_place(view.node()) : InPlace{};
  for (size_t o = 0; o < view.num_outputs(); ++o) {
    outputs.emplace_back(view.output(o).bytes());
    out.push_back(outputs.back().buffer.data());
    if (o >= places.size()) continue;
    for (const size_t i : places[o]) {
      if (view.input(i).bytes() != view.output(o).bytes() || view.input(i).dtype != view.output(o).dtype) continue;
      if (!taken.insert(i).second) continue;
      out.back() = in[i];
      break;
    }
  }
  const PreparedKernel prepared = kernel.prepare(view);
  Tensor workspace(prepared.workspace_bytes);
  std::vector<uint32_t> counters(prepared.words(), 0);
  prepared.run({in, out, workspace.buffer.data(), nullptr, counters.data()});
  std::vector<std::string> results;
  for (size_t o = 0; o < out.size(); ++o) results.emplace_back(static_cast<const char*>(out[o]), view.output(o).bytes());
  return results;
}

}  // namespace

TEST_CASE("cuda kernels: every op has one, and a case runs it") {
  std::set<std::string_view> missing, run_by_a_case;
  for (const Case& c : all_cases()) {
    const Graph graph = build_case(c, DType::f32);
    const NodeView view(graph, graph.nodes().back());
    for (const Kernel& k : emulated::provider().kernels) {
      if (k.op == c.op && k.op == view.node().op->name && !k.declines(view)) run_by_a_case.insert(k.op);
    }
  }
  for (const Kernel& k : reference_provider().kernels) {
    if (!run_by_a_case.contains(k.op)) missing.insert(k.op);
  }
  CHECK(missing.empty());
}

TEST_CASE("cuda kernels: a program in one block makes the bits of its kernels one by one") {
  int checked = 0;
  for (const Case& c : all_cases()) {
    // Convolutions and what is joined with them sum in another order.
    if (c.op != "block_program" || runs_together(build_case(c, DType::f32).nodes().back())) continue;
    const Graph graph = build_case(c, DType::f32);
    const NodeView view(graph, graph.nodes().back());
    if (view.attributes().has("parallel")) continue;  // of many blocks, whose sums are split otherwise
    std::vector<const Kernel*> kernels;
    for (const Kernel& k : emulated::provider().kernels) {
      if (k.op == c.op && !k.declines(view)) kernels.push_back(&k);
    }
    if (kernels.size() < 2) continue;
    CAPTURE(c.name);
    const auto block = run(c, graph, *kernels[0], false), launches = run(c, graph, *kernels[1], false);
    for (size_t o = 0; o < block.size(); ++o) {
      // Sums down columns are added in another order, to the accuracy that the cases check.
      const bool other_order =
          c.name.starts_with("sums") || c.name == "values beyond shared memory" || c.name == "second derivatives";
      CAPTURE(o);
      CHECK((other_order || block[o] == launches[o]));
    }
    ++checked;
  }
  CHECK(checked > 10);
}

TEST_CASE("cuda kernels: outputs may take over their inputs' memory, bit for bit") {
  int checked = 0;
  for (const Case& c : all_cases()) {
    const Graph graph = build_case(c, DType::f32);
    const NodeView view(graph, graph.nodes().back());
    if (!view.node().op->in_place || !is_one_node(graph)) continue;
    for (const Kernel& k : emulated::provider().kernels) {
      if (k.op != view.node().op->name || k.declines(view)) continue;
      CAPTURE(c.op + " " + c.name);
      CHECK((run(c, graph, k, true) == run(c, graph, k, false)));
      ++checked;
    }
  }
  CHECK(checked > 100);
}

TEST_CASE("cuda kernels: scalar operations on numbers at the edges, alone and in a tape") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> edges = {nan, inf, -inf, 0.f, -0.f, 1.f, -1.f, 1e-40f, -1e-40f, 3e38f, -3e38f, 88.f, -88.f, 0.5f};
  Tensor a(edges.size() * edges.size() * 4), b(edges.size() * edges.size() * 4), out(edges.size() * edges.size() * 4);
  const auto n = static_cast<int64_t>(edges.size() * edges.size());
  for (int64_t i = 0; i < n; ++i) {
    a.floats()[i] = edges[static_cast<size_t>(i) % edges.size()];
    b.floats()[i] = edges[static_cast<size_t>(i) / edges.size()];
  }
  const ElementwiseInput<float> inputs[] = {{a.floats(), n}, {b.floats(), n}};
  for (int k = 0; k < kNumScalarOps; ++k) {
    const auto op = static_cast<ScalarOp>(k);
    for (const bool in_tape : {false, true}) {
      ElementwiseTape tape{2, {{op, 0, 1, 0.2}}};
      if (in_tape) tape.instructions = {{ScalarOp::neg, 0}, {ScalarOp::neg, 2}, {op, 3, 1, 0.2}};
      emulated::elementwise(tape, inputs, {}, out.floats(), n, nullptr);
      for (int64_t i = 0; i < n; ++i) {
        const float expected = reference::apply<float>(op, a.floats()[i], b.floats()[i], 0.2f), found = out.floats()[i];
        CAPTURE(name_of(op));
        CAPTURE(a.floats()[i]);
        CAPTURE(b.floats()[i]);
        if (std::isnan(expected)) {
          CHECK(std::isnan(found));
        } else if (std::isinf(expected)) {
          CHECK(found == expected);
        } else {
          CHECK(found == doctest::Approx(expected).epsilon(1e-6));
        }
      }
    }
  }
}

TEST_CASE("cuda kernels: batch norm keeps its digits where the mean is ten thousand deviations") {
  constexpr int64_t kRows = 3000, kColumns = 8;  // of memory
  Tensor x(kRows * kColumns * 4), y(kRows * kColumns * 4), ones(kColumns * 4), zeros(kColumns * 4);
  Tensor mean(kColumns * 4), inv_std(kColumns * 4), running_mean(kColumns * 4), running_var(kColumns * 4);
  for (int64_t i = 0; i < kColumns; ++i) ones.floats()[i] = 1, zeros.floats()[i] = 0;
  for (int64_t i = 0; i < kRows * kColumns; ++i) {
    x.floats()[i] = 10000 + 2 * philox_uniform(philox_block(1, 2, 3, static_cast<uint32_t>(i)).v[0]);
  }
  for (const int64_t rows : {int64_t{300}, kRows}) {  // in one launch, and in two
    Tensor workspace(emulated::batch_norm_workspace_bytes(rows, kColumns, 132));
    emulated::batch_norm_training({.M = rows,
                                   .C = kColumns,
                                   .x = x.floats(),
                                   .gamma = ones.floats(),
                                   .beta = zeros.floats(),
                                   .running_mean = zeros.floats(),
                                   .running_var = zeros.floats(),
                                   .epsilon = 0,
                                   .momentum = 0,
                                   .y = y.floats(),
                                   .mean = mean.floats(),
                                   .inv_std = inv_std.floats(),
                                   .new_running_mean = running_mean.floats(),
                                   .new_running_var = running_var.floats()},
                                  132, workspace.buffer.data(), nullptr);
    const auto count = static_cast<double>(rows);
    for (int64_t c = 0; c < kColumns; ++c) {
      double sum = 0, squares = 0;
      for (int64_t r = 0; r < rows; ++r) sum += static_cast<double>(x.floats()[r * kColumns + c]);
      for (int64_t r = 0; r < rows; ++r) {
        const double d = static_cast<double>(x.floats()[r * kColumns + c]) - sum / count;
        squares += d * d;
      }
      CHECK(static_cast<double>(running_var.floats()[c]) == doctest::Approx(squares / (count - 1)).epsilon(1e-5));
      CHECK(static_cast<double>(mean.floats()[c]) == doctest::Approx(sum / count).epsilon(1e-7));
    }
  }
}

TEST_CASE("cuda kernels: copies move every element type") {
  for (const int64_t bytes : {1, 3, 4, 16, 100, 5000, 16384}) {
    Tensor from(static_cast<size_t>(bytes)), to(static_cast<size_t>(bytes));
    for (int64_t i = 0; i < bytes; ++i) from.put(static_cast<size_t>(i), static_cast<uint8_t>(i * 7));
    emulated::copy(from.buffer.data(), to.buffer.data(), bytes, nullptr);
    CHECK(to.bytes() == from.bytes());
  }
  // Bytes and 8-byte elements: rows 1..2 of 4, columns 1..6 of 8.
  for (const int64_t size : {1, 8}) {
    Tensor from(static_cast<size_t>(32 * size)), to(static_cast<size_t>(12 * size));
    for (int64_t i = 0; i < 32 * size; ++i) from.put(static_cast<size_t>(i), static_cast<uint8_t>(i));
    emulated::strided_copy(emulated::slice_copy({4, 8}, {1, 1}, {2, 6}, size), from.buffer.data(), to.buffer.data(), nullptr);
    for (int64_t i = 0; i < 12 * size; ++i) {
      const int64_t element = i / size, source = ((element / 6 + 1) * 8 + element % 6 + 1) * size + i % size;
      CHECK(static_cast<int64_t>(static_cast<uint8_t>(to.bytes()[static_cast<size_t>(i)])) == source);
    }
  }
}

TEST_CASE("cuda kernels: a reshape that is no view copies") {
  for (const Kernel& k : emulated::provider().kernels) {
    if (k.op != "reshape") continue;
    Graph graph(DType::f32);
    const Value x = graph.input("x", {DType::u8, {6, 7}});
    graph.add(find_op("reshape"), {&x, 1}, {{"shape", Shape{3, 14}}});
    Tensor from(42), to(42);
    for (size_t i = 0; i < 42; ++i) from.put(i, static_cast<uint8_t>(i));
    void* const in[] = {from.buffer.data()};
    void* const out[] = {to.buffer.data()};
    k.prepare(NodeView(graph, graph.nodes().back())).run({in, out, nullptr});
    CHECK(from.bytes() == to.bytes());
    return;
  }
  FAIL("no kernel");
}

TEST_CASE("cuda kernels: nothing to do is no launch") {
  // The emulator refuses an empty grid, as a GPU does.
  CHECK_NOTHROW(emulated::fill(1, nullptr, 0, nullptr));
  CHECK_NOTHROW(emulated::copy(nullptr, nullptr, 0, nullptr));
  CHECK_NOTHROW(emulated::softmax(nullptr, 0, 10, nullptr, nullptr));
  CHECK_NOTHROW(emulated::random_uniform({nullptr, nullptr, 0}, 0, 1, nullptr, 0, nullptr));
  CHECK_NOTHROW(emulated::sgd_momentum({}, nullptr, 0.9, nullptr));
  const ElementwiseInput<float> none[] = {{nullptr, 0}};
  CHECK_NOTHROW(emulated::elementwise({1, {{ScalarOp::neg, 0}}}, none, {}, nullptr, 0, nullptr));
}

TEST_CASE("cuda kernels: division by multiplication is exact") {
  const int64_t numbers[] = {1,
                             2,
                             3,
                             4,
                             5,
                             7,
                             10,
                             64,
                             784,
                             6272,
                             65535,
                             65536,
                             65537,
                             1000003,
                             (1 << 30) - 1,
                             1 << 30,
                             (1 << 30) + 1,
                             2147483646,
                             2147483647,
                             2147483648,
                             4294967296,
                             5000000000};
  for (const int64_t d : numbers) {
    const emulated::Divisor by(d);
    for (const int64_t n : numbers) {
      if (n > std::numeric_limits<int64_t>::max() / d - 1) continue;  // n * d has no room
      for (const int64_t m : {n - 1, n, n + 1, n * d - 1, n * d, n * d + 1}) {
        if (m < 0 || n > int64_t{1} << 31) continue;
        CAPTURE(m);
        CAPTURE(d);
        CHECK(by.divide(m) == m / d);
        CHECK(by.remainder(m) == m % d);
      }
    }
    for (uint32_t i = 0; i < 2000; ++i) {
      const int64_t n = philox_block(7, 8, 9, i).v[0] >> (i % 32 == 0 ? 1 : i % 32);
      CHECK(by.divide(n) == n / d);
    }
  }
}
