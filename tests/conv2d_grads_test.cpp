// The gradients of a layer in one launch, under emulation, with plans that the engine would not make for sizes this small.
// On small integers all arithmetics are exact.
#define FORGER_DEVICE emulated
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cuda/conv2d_few_channels.h"
#include "kernels/cuda/conv2d_grads.h"
#include "kernels/emulation/grid.h"
#include "kernels/reference/conv2d.h"

using namespace forger;

namespace {

using emulated::Arithmetic;
using emulated::Conv2dGrads;
using emulated::GemmPairPlan;
using emulated::TileKind;
using emulation::ThreadOrder;
using Floats = std::vector<float>;

constexpr Arithmetic kAll[] = {Arithmetic::ffma, Arithmetic::tf32, Arithmetic::tf32x3, Arithmetic::bf16};

Floats integers(int64_t size, unsigned seed) {
  Floats values(static_cast<size_t>(size));
  for (float& v : values) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(static_cast<int>(seed >> 16) % 7 - 3);
  }
  return values;
}

struct Results {
  Floats input, filter, bias;
  bool operator==(const Results&) const = default;
};

/// A layer's operands and what the reference makes of them; the input's gradient is multiplied by a mask.
struct Problem {
  explicit Problem(const Conv2dGrads& g) : grads(g) {
    const Conv2dShape& s = g.shape;
    gradient = integers(g.transposed ? s.input_size() : s.output_size(), 1);
    input = integers(g.transposed ? s.output_size() : s.input_size(), 2);
    w = integers(s.filter_size(), 3);
    mask = integers(static_cast<int64_t>(input.size()), 4);
    expected.filter.resize(w.size());
    reference::conv2d_filter_grad(s, g.transposed ? gradient.data() : input.data(), g.transposed ? input.data() : gradient.data(),
                                  expected.filter.data());
    if (g.of_input) {
      expected.input.resize(input.size());
      (g.transposed ? reference::conv2d<float> : reference::conv2d_input_grad<float>)(s, gradient.data(), w.data(), nullptr,
                                                                                      expected.input.data());
      for (size_t i = 0; i < mask.size(); ++i) expected.input[i] *= mask[i];
    }
    if (!g.of_bias) return;
    expected.bias.assign(static_cast<size_t>(g.transposed ? s.C : s.K), 0.f);
    for (size_t i = 0; i < gradient.size(); ++i) expected.bias[i % expected.bias.size()] += gradient[i];
  }

  Results run(Arithmetic arithmetic, const GemmPairPlan& products, int bias_splits, Stream stream) const {
    const emulated::Conv2dGradsPlan plan{products, grads.of_bias ? bias_splits : 0};
    Floats workspace(conv2d_grads_workspace_bytes(grads, plan) / sizeof(float), NAN);
    std::vector<uint32_t> counters(conv2d_grads_counters(grads, arithmetic, plan), 0);
    Results results{Floats(expected.input.size(), NAN), Floats(expected.filter.size(), NAN), Floats(expected.bias.size(), NAN)};
    const ElementwiseTape tape{2, {{ScalarOp::mul, 0, 1}}};
    const ElementwiseInput<float> operand[] = {{mask.data(), static_cast<int64_t>(mask.size())}};
    conv2d_grads(grads, arithmetic, plan,
                 {.gradient = gradient.data(),
                  .w = w.data(),
                  .input = input.data(),
                  .input_grad = results.input.data(),
                  .filter_grad = results.filter.data(),
                  .bias_grad = results.bias.data()},
                 {workspace.data(), counters.data()}, stream, {&tape, operand, {}});
    CHECK(std::all_of(counters.begin(), counters.end(), [](uint32_t c) { return c == 0; }));
    return results;
  }

  Conv2dGrads grads;
  Floats gradient, input, w, mask;
  Results expected;
};

// Several tiles in both directions, none of them full; strides and padding; phases of unequal sizes.
constexpr Conv2dShape kStride1{.N = 2, .H = 6, .W = 7, .C = 12, .K = 132, .R = 3, .S = 2, .P = 6, .Q = 7, .pad_top = 1};
constexpr Conv2dShape kStride2{.N = 3,
                               .H = 9,
                               .W = 8,
                               .C = 68,
                               .K = 20,
                               .R = 3,
                               .S = 4,
                               .P = 5,
                               .Q = 4,
                               .stride_h = 2,
                               .stride_w = 2,
                               .pad_top = 1,
                               .pad_left = 1};
constexpr Conv2dShape kDense{.N = 37, .H = 1, .W = 1, .C = 72, .K = 100, .R = 1, .S = 1, .P = 1, .Q = 1};

struct Splits {
  int input, input_group, filter, filter_group, bias;
};
// No partial sums; one product's; both, by the last block and by those of groups; in unlike numbers.
constexpr Splits kSplits[] = {{1, 0, 1, 0, 1}, {1, 0, 3, 3, 2}, {2, 2, 1, 0, 1}, {3, 2, 2, 2, 3}, {2, 2, 3, 2, 5}};

GemmPairPlan plan_of(TileKind first, TileKind second, const Splits& splits) {
  return {{.tile = first, .vectors = true, .splits = splits.input, .group = splits.input_group},
          {.tile = second, .vectors = true, .splits = splits.filter, .group = splits.filter_group}};
}

constexpr std::pair<TileKind, TileKind> kTiles[] = {
    {TileKind::small, TileKind::small}, {TileKind::tall, TileKind::wide}, {TileKind::large, TileKind::large}};

}  // namespace

TEST_CASE("conv2d_grads: with every arithmetic, tile and split") {
  for (const Conv2dShape& s : {kStride1, kStride2, kDense}) {
    for (const bool transposed : {false, true}) {
      const Problem problem({s, transposed, true, true});
      for (const Arithmetic arithmetic : kAll) {
        for (const auto& tiles : kTiles) {
          const TileKind first = tiles.first, second = tiles.second;
          if (first == TileKind::large && !emulated::has_large_pairs(arithmetic)) continue;
          for (const Splits& splits : kSplits) {
            CAPTURE(transposed);
            CAPTURE(static_cast<int>(arithmetic));
            CAPTURE(static_cast<int>(first));
            CAPTURE(splits.input);
            CAPTURE(splits.filter);
            CHECK(problem.run(arithmetic, plan_of(first, second, splits), splits.bias, nullptr) == problem.expected);
          }
        }
      }
    }
  }
}

TEST_CASE("conv2d_grads: without the gradient of the input, or of the bias") {
  for (const bool transposed : {false, true}) {
    for (const auto& [of_input, of_bias] : {std::pair{false, true}, {true, false}}) {
      const Problem problem({kStride2, transposed, of_input, of_bias});
      const GemmPairPlan plan = plan_pair(problem.grads.products(), Arithmetic::tf32, {});
      CHECK((plan.first.splits == 1 || of_input));
      CHECK(problem.run(Arithmetic::tf32, plan, 2, nullptr) == problem.expected);
    }
  }
}

TEST_CASE("conv2d_grads: the order of blocks, threads and copies does not matter") {
  const Problem problem({kStride2, false, true, true});
  for (const ThreadOrder order : {ThreadOrder::forward, ThreadOrder::backward, ThreadOrder::shuffled}) {
    for (const bool early : {false, true}) {
      const emulation::Options options{.order = order, .seed = 5, .copy_early = early};
      const Stream stream = reinterpret_cast<Stream>(const_cast<emulation::Options*>(&options));
      for (const Splits& splits : kSplits) {
        const auto plan = plan_of(TileKind::small, TileKind::small, splits);
        CHECK(problem.run(Arithmetic::tf32, plan, splits.bias, stream) == problem.expected);
      }
    }
  }
}

TEST_CASE("conv2d_grads: the same bits with pipelines of every depth, alike or not") {
  for (const bool transposed : {false, true}) {
    Problem problem({kStride2, transposed, true, true});
    for (float& v : problem.gradient) v *= 1.1f;  // sums that depend on their order
    for (float& v : problem.input) v *= 0.7f;
    for (const Arithmetic arithmetic : {Arithmetic::ffma, Arithmetic::bf16}) {
      for (const auto& tiles : kTiles) {
        const TileKind first = tiles.first, second = tiles.second;
        if (first == TileKind::large && !emulated::has_large_pairs(arithmetic)) continue;
        const auto run = [&](int first_stages, int second_stages) {
          GemmPairPlan plan = plan_of(first, second, kSplits[1]);
          plan.first.stages = first_stages;
          plan.second.stages = second_stages;
          return problem.run(arithmetic, plan, 2, nullptr);
        };
        const Results expected = run(4, 4);
        for (const auto& [a, b] : {std::pair{3, 8}, {6, 3}, {8, 6}}) CHECK(run(a, b) == expected);
      }
    }
  }
}

TEST_CASE("conv2d_grads: all blocks fit one grid, and a plan for a GPU computes the same") {
  for (const int multiprocessors : {1, 8, 132}) {
    for (const Arithmetic arithmetic : kAll) {
      const Problem problem({kStride1, true, true, true});
      const GemmPairPlan products = plan_pair(problem.grads.products(), arithmetic, {multiprocessors});
      const auto plan = conv2d_grads_plan(problem.grads, products, {multiprocessors});
      CHECK(problem.run(arithmetic, products, plan.bias_splits, nullptr) == problem.expected);
    }
  }
}

TEST_CASE("conv2d_few_filter_grad: sums of dy in passing, of every row whatever the padding") {
  const auto check = [](const Conv2dShape& s) {
    REQUIRE(emulated::few_filter_grad_declines(s) == nullptr);
    const Problem problem({s, false, false, true});
    for (const int splits : {1, 3}) {
      for (const ThreadOrder order : {ThreadOrder::forward, ThreadOrder::shuffled}) {
        const emulation::Options options{.order = order, .seed = 3};
        Floats workspace(emulated::few_filter_grad_workspace_bytes(s, splits) / sizeof(float), NAN);
        std::vector<uint32_t> counters(emulated::few_filter_grad_counters(s, splits), 0);
        Results found{{}, Floats(problem.expected.filter.size(), NAN), Floats(problem.expected.bias.size(), NAN)};
        emulated::conv2d_few_filter_grad(s, splits, problem.input.data(), problem.gradient.data(), found.filter.data(),
                                         found.bias.data(), workspace.data(), counters.data(),
                                         reinterpret_cast<Stream>(const_cast<emulation::Options*>(&options)));
        CAPTURE(splits);
        CHECK(found == problem.expected);
      }
    }
  };
  check({.N = 2, .H = 9, .W = 11, .C = 1, .K = 40, .R = 3, .S = 3, .P = 5, .Q = 6, .stride_h = 2, .stride_w = 2, .pad_left = 1});
  check({.N = 2, .H = 3, .W = 9, .C = 3, .K = 33, .R = 5, .S = 5, .P = 3, .Q = 9, .pad_top = 2, .pad_left = 2});
  check({.N = 2, .H = 5, .W = 9, .C = 70, .K = 3, .R = 7, .S = 7, .P = 5, .Q = 9, .pad_top = 3, .pad_left = 3});
  check({.N = 1, .H = 2, .W = 9, .C = 20, .K = 1, .R = 1, .S = 4, .P = 4, .Q = 9, .pad_top = 0, .pad_left = 1});
}
