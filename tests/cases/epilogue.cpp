// Convolutions and matrix products with an epilogue: every kernel's way of writing its result.
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {
namespace {

/// A tape on a result, and what its inputs after that are.
struct Epilogue {
  const char* name;
  enum class Operand { full, channel, scalar };
  std::vector<Operand> operands;
  std::vector<TapeInstruction> instructions;
};

std::vector<Epilogue> epilogues() {
  using enum Epilogue::Operand;
  constexpr uint64_t kStream = stream_of("D/dropout");
  return {
      {"leaky relu and dropout", {}, {{ScalarOp::leaky_relu, 0, 0, 0.2}, {ScalarOp::dropout, 1, 0, 0.25, kStream}}},
      {"their gradient",
       {full},
       {{ScalarOp::dropout, 0, 0, 0.25, kStream}, {ScalarOp::leaky_slope, 1, 0, 0.2}, {ScalarOp::mul, 2, 3}}},
      {"affine and tanh",
       {channel, channel, scalar},
       {{ScalarOp::sub, 0, 1}, {ScalarOp::mul, 4, 2}, {ScalarOp::add, 5, 3}, {ScalarOp::tanh, 6}}},
  };
}

/// Adds the last node once more, with an epilogue. `inputs`: its own, then the epilogue's.
void with_epilogue(const Epilogue& e, std::span<const Value> inputs) {
  Graph& graph = inputs[0].graph();
  const Node& node = graph.nodes().back();
  Attributes attributes = node.attributes;
  attributes.set("epilogue", ElementwiseTape{static_cast<uint16_t>(1 + e.operands.size()), e.instructions});
  graph.add(*node.op, inputs, std::move(attributes));
}

/// A case of `op` on inputs a, b and, if asked for, a bias; `base` adds the node without epilogue.
void add_case(std::vector<Case>& cases, const char* op, const std::string& name, const Epilogue& e, std::vector<CaseInput> inputs,
              const Shape& out, bool bias, std::function<void(Value, Value)> base) {
  if (bias) inputs.push_back({{out.back()}});
  // Small factors: of tanh where it is flat little can be seen.
  for (const auto operand : e.operands) {
    if (operand == Epilogue::Operand::channel) {
      inputs.push_back({{out.back()}, CaseInput::Kind::real, -0.1, 0.1});
    } else {
      inputs.push_back({operand == Epilogue::Operand::full ? out : Shape{}});
    }
  }
  if (draws_random({1, e.instructions})) {
    inputs.push_back({{}, CaseInput::Kind::seed});
    inputs.push_back({{}, CaseInput::Kind::step});
  }
  cases.push_back({.op = op,
                   .name = fmt::format("{}{}: {}", name, bias ? " with bias" : "", e.name),
                   .inputs = std::move(inputs),
                   .build =
                       [=](std::span<const Value> v) {
                         base(v[0], v[1]);
                         with_epilogue(e, v);
                       },
                   .check_gradients = false,
                   .atol = 4e-6});
}

Conv2dShape same(int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t size, int64_t stride) {
  Conv2dShape s{.N = n, .H = h, .W = w, .C = c, .K = k, .R = size, .S = size};
  s.P = same_output_size(h, stride);
  s.Q = same_output_size(w, stride);
  s.stride_h = s.stride_w = stride;
  s.pad_top = same_padding_before(h, size, stride);
  s.pad_left = same_padding_before(w, size, stride);
  return s;
}

}  // namespace

void add_epilogue_cases(std::vector<Case>& cases) {
  struct Size {
    const char* name;
    Conv2dShape shape;
    bool bias = false;
  };
  const Size sizes[] = {
      {"k4 s2", same(3, 14, 14, 16, 32, 4, 2)},
      {"k4 s1, many tiles", same(2, 20, 20, 16, 32, 4, 1), true},
      {"k3 s2, odd channels", same(1, 7, 5, 6, 9, 3, 2), true},
      {"k3 s2 from one channel", same(2, 11, 9, 1, 20, 3, 2)},
      {"k3 from three channels", same(1, 6, 17, 3, 8, 3, 1), true},
      {"k7 to one channel", same(1, 9, 20, 20, 1, 7, 1)},
      {"k5 to three channels", same(1, 5, 11, 24, 3, 5, 1), true},
  };
  for (const Epilogue& e : epilogues()) {
    for (const auto& [name, shape, bias] : sizes) {
      const Conv2dShape s = shape;
      const Shape x{s.N, s.H, s.W, s.C}, w{s.K, s.R, s.S, s.C}, y{s.N, s.P, s.Q, s.K};
      add_case(cases, "conv2d", name, e, {{x}, {w}}, y, bias, [s](Value a, Value b) { conv2d(a, b, s); });
      add_case(cases, "conv2d_input_grad", name, e, {{y}, {w}}, x, bias, [s](Value a, Value b) { conv2d_input_grad(a, b, s); });
    }
    struct Product {
      const char* name;
      int64_t m, n, k;
      bool ta = false;
    };
    for (const Product z : {Product{"dense", 33, 64, 36}, Product{"odd", 5, 7, 33}, Product{"to one logit", 9, 1, 300},
                            Product{"to one logit, A^T", 70, 1, 19, true}, Product{"outer product", 33, 20, 1},
                            Product{"odd outer product", 3, 70 + 1, 1}}) {
      for (const bool bias : {false, true}) {
        add_case(cases, "matmul", z.name, e, {{z.ta ? Shape{z.k, z.m} : Shape{z.m, z.k}}, {{z.k, z.n}}}, {z.m, z.n}, bias,
                 [z](Value a, Value b) { matmul(a, b, z.ta); });
      }
    }
  }
}

}  // namespace forger
