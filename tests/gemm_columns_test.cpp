// Convolutions that go on with the batch norm behind them, under emulation: every tile, splits, phases, every order of threads
// and blocks, and the rule that says which launches fit a GPU at once. On small integers the products are exact in all
// arithmetics.
#define FORGER_DEVICE emulated
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/waiting_plan.h"
#include "kernels/emulation/grid.h"
#include "kernels/reference/batch_norm.h"
#include "kernels/reference/conv2d.h"

using namespace forger;

namespace {

using namespace forger::emulated;
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
Floats positive(int64_t size) {
  Floats values(static_cast<size_t>(size));
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.5f + 0.125f * static_cast<float>(i % 9);
  return values;
}

/// Several tiles in both directions, none of them full; the phases of the second are of unequal size.
constexpr Conv2dShape kStride1{.N = 2, .H = 9, .W = 10, .C = 12, .K = 132, .R = 3, .S = 2, .P = 9, .Q = 10, .pad_top = 1};
constexpr Conv2dShape kStride2{.N = 5,
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
/// Operands that are copied element by element.
constexpr Conv2dShape kOdd{.N = 2, .H = 9, .W = 7, .C = 7, .K = 12, .R = 3, .S = 2, .P = 3, .Q = 7, .stride_h = 3, .pad_left = 1};
constexpr Conv2dShape kOddBack{
    .N = 2, .H = 9, .W = 7, .C = 12, .K = 7, .R = 3, .S = 2, .P = 3, .Q = 7, .stride_h = 3, .pad_left = 1};

using Results = std::vector<Floats>;

double largest_difference(const Results& a, const Results& b) {
  double worst = a.size() == b.size() ? 0 : INFINITY;
  for (size_t o = 0; o < std::min(a.size(), b.size()); ++o) {
    double largest = 1;
    for (const float v : b[o]) largest = std::max(largest, std::abs(static_cast<double>(v)));
    for (size_t i = 0; i < b[o].size(); ++i) {
      const double d = std::abs(static_cast<double>(a[o][i]) - static_cast<double>(b[o][i])) / largest;
      worst = std::isfinite(d) ? std::max(worst, d) : INFINITY;
    }
  }
  return worst;
}

constexpr double kEpsilon = 1e-3, kMomentum = 0.8;

/// A tape on dy or y: leaky_slope(operand) * result.
const ElementwiseTape kTape{2, {{ScalarOp::leaky_slope, 1, 0, 0.25}, {ScalarOp::mul, 0, 2}}};

struct Problem {
  explicit Problem(const Conv2dShape& shape, bool input_grad_)
      : s(shape),
        input_grad(input_grad_),
        channels(input_grad ? s.C : s.K),
        outputs(input_grad ? s.input_size() : s.output_size()),
        rows(outputs / channels),
        a(integers(input_grad ? s.output_size() : s.input_size(), 1)),
        w(integers(s.filter_size(), 2)),
        bias(integers(channels, 3)),
        full(integers(outputs, 4)),
        x(integers(outputs, 5)),
        mean(integers(channels, 6)),
        gamma(positive(channels)),
        inv_std(positive(channels)),
        product(static_cast<size_t>(outputs)) {
    (input_grad ? reference::conv2d_input_grad<float> : reference::conv2d<float>)(s, a.data(), w.data(), bias.data(),
                                                                                  product.data());
  }
  GemmSize size() const { return input_grad ? conv2d_input_grad_size(s) : conv2d_size(s); }
  bool vectors() const { return input_grad ? conv2d_input_grad_vectors(s) : conv2d_vectors(s); }
  Floats taped(const Floats& v) const {
    Floats result(v.size());
    const ElementwiseInput<float> inputs[] = {{v.data(), outputs}, {full.data(), outputs}};
    elementwise(kTape, inputs, {}, result.data(), outputs, nullptr);
    return result;
  }

  Conv2dShape s;
  bool input_grad;
  int64_t channels, outputs, rows;
  Floats a, w, bias, full, x, mean, gamma, inv_std, product;
};

/// Scratch memory of a launch, between words that must stay as they are.
struct Scratch {
  explicit Scratch(const ColumnNeeds& needs_)
      : needs(needs_), workspace(needs.workspace_bytes / sizeof(float) + 1, NAN), words(needs.counters + needs.flags + 1, 0) {
    workspace.back() = 77;
    std::fill(words.begin() + static_cast<std::ptrdiff_t>(needs.counters), words.end(), 0xFFFFFFFFu);  // a flag may wrap
  }
  GemmScratch args() { return {workspace.data(), words.data()}; }
  void check() const {
    CHECK(workspace.back() == 77);
    CHECK(words.back() == 0xFFFFFFFFu);
    CHECK(std::all_of(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(needs.counters),
                      [](uint32_t c) { return c == 0; }));
    CHECK(std::all_of(words.begin() + static_cast<std::ptrdiff_t>(needs.counters), words.end() - 1,
                      [](uint32_t f) { return f == 0; }));  // each raised once
  }
  ColumnNeeds needs;
  Floats workspace;
  std::vector<uint32_t> words;
};

Results expected_forward(const Problem& p) {
  const auto c = static_cast<size_t>(p.channels);
  Results r = {p.product, Floats(c), Floats(c), Floats(c), Floats(c), Floats(p.product.size())};
  reference::batch_norm_training<float>(
      p.rows, p.channels, p.product.data(), p.gamma.data(), p.mean.data(),
      {kEpsilon, kMomentum, p.mean.data(), p.inv_std.data(), r[1].data(), r[2].data(), r[3].data(), r[4].data()}, r[5].data());
  r[5] = p.taped(r[5]);
  return r;
}

Results run_forward(const Problem& p, Arithmetic arithmetic, const GemmPlan& plan, Stream stream) {
  const auto c = static_cast<size_t>(p.channels);
  Results r = {Floats(p.product.size(), NAN), Floats(c, NAN), Floats(c, NAN), Floats(c, NAN), Floats(c, NAN),
               Floats(p.product.size(), NAN)};
  const BatchNormStatistics statistics{p.rows,    p.channels,  p.mean.data(), p.inv_std.data(), kEpsilon,
                                       kMomentum, r[1].data(), r[2].data(),   r[3].data(),      r[4].data()};
  const BatchNormApply apply{p.gamma.data(), p.mean.data(), r[5].data()};
  Scratch scratch(conv2d_needs(p.s, arithmetic, plan, ColumnWork::normalise));
  const ElementwiseInput<float> operand[] = {{p.full.data(), p.outputs}};
  conv2d(p.s, arithmetic, plan, p.a.data(), p.w.data(), p.bias.data(), r[0].data(), scratch.args(), stream, {&kTape, operand, {}},
         {.statistics = &statistics, .apply = &apply});
  scratch.check();
  return r;
}

Results expected_backward(const Problem& p) {
  const auto c = static_cast<size_t>(p.channels);
  Results r = {Floats(p.product.size()), Floats(c), Floats(c)};
  reference::batch_norm_grad<float>(p.rows, p.channels, p.x.data(), p.taped(p.product).data(), p.gamma.data(), p.mean.data(),
                                    p.inv_std.data(), r[0].data(), r[1].data(), r[2].data());
  return r;
}

/// `apart`: in two launches, nobody waits.
Results run_backward(const Problem& p, Arithmetic arithmetic, const GemmPlan& plan, Stream stream, bool apart) {
  const auto c = static_cast<size_t>(p.channels);
  Results r = {Floats(p.product.size(), NAN), Floats(c, NAN), Floats(c, NAN)};
  const ColumnWork work = apart ? ColumnWork::gradient_sums : ColumnWork::gradient;
  BatchNormGrad grad{p.rows,        p.channels,       p.x.data(),  nullptr,     p.gamma.data(),
                     p.mean.data(), p.inv_std.data(), r[0].data(), r[1].data(), r[2].data()};
  Floats sums(2 * c, NAN);
  Scratch scratch((p.input_grad ? conv2d_input_grad_needs : conv2d_needs)(p.s, arithmetic, plan, work));
  const ElementwiseInput<float> operand[] = {{p.full.data(), p.outputs}};
  (p.input_grad ? conv2d_input_grad : conv2d)(p.s, arithmetic, plan, p.a.data(), p.w.data(), p.bias.data(),
                                              apart ? grad.dx : nullptr, scratch.args(), stream, {&kTape, operand, {}},
                                              {.gradient = &grad, .gradient_sums = apart ? sums.data() : nullptr});
  scratch.check();
  if (apart) {
    CHECK(std::isnan(r[1][0]));
    grad.dy = grad.dx;
    batch_norm_grad_apply(grad, sums.data(), 3, stream);
    CHECK(std::equal(r[2].begin(), r[2].end(), sums.begin()));
  }
  return r;
}

template <class F>
void for_plans(const Problem& p, const F& f) {
  for (const Arithmetic arithmetic : kAll) {
    for (const TileKind tile : {TileKind::small, p.size().between, TileKind::large}) {
      if (tile != TileKind::small && !p.vectors()) continue;
      for (const auto& cut : {std::pair{1, 0}, {3, 3}, {3, 2}}) {
        const int splits = cut.first, group = cut.second;
        CAPTURE(static_cast<int>(arithmetic));
        CAPTURE(static_cast<int>(tile));
        CAPTURE(splits);
        CAPTURE(group);
        f(arithmetic, GemmPlan{.tile = tile, .vectors = p.vectors(), .splits = splits, .group = group});
      }
    }
  }
}

constexpr double kTolerance = 3e-6;  // of the largest; sums of exact products, added in another order

}  // namespace

TEST_CASE("gemm columns: convolution and batch norm in one launch, with every plan") {
  for (const Conv2dShape& s : {kStride1, kStride2, kOdd}) {
    const Problem p(s, false);
    const Results expected = expected_forward(p);
    for_plans(p, [&](Arithmetic arithmetic, const GemmPlan& plan) {
      CHECK(largest_difference(run_forward(p, arithmetic, plan, nullptr), expected) < kTolerance);
    });
  }
}

TEST_CASE("gemm columns: convolution and the gradient of a batch norm in one launch or two, with every plan") {
  for (const bool input_grad : {false, true}) {
    for (const Conv2dShape& s : {kStride1, kStride2, input_grad ? kOddBack : kOdd}) {
      const Problem p(s, input_grad);
      const Results expected = expected_backward(p);
      for_plans(p, [&](Arithmetic arithmetic, const GemmPlan& plan) {
        for (const bool apart : {false, true}) {
          CHECK(largest_difference(run_backward(p, arithmetic, plan, nullptr, apart), expected) < kTolerance);
        }
      });
    }
  }
}

TEST_CASE("gemm columns: the same bits in every order of threads and blocks") {
  const Problem forward(kStride1, false), backward(kStride2, true);
  for (const GemmPlan& plan : {GemmPlan{.vectors = true}, GemmPlan{.vectors = true, .splits = 3, .group = 2}}) {
    const Results y = run_forward(forward, Arithmetic::tf32, plan, nullptr);
    const Results dx = run_backward(backward, Arithmetic::tf32, plan, nullptr, false);
    const Results apart = run_backward(backward, Arithmetic::tf32, plan, nullptr, true);
    for (const ThreadOrder order : {ThreadOrder::forward, ThreadOrder::backward, ThreadOrder::shuffled}) {
      for (const bool early : {false, true}) {
        emulation::Options options{.order = order, .seed = 5, .copy_early = early};
        const auto stream = reinterpret_cast<Stream>(&options);
        CHECK(run_forward(forward, Arithmetic::tf32, plan, stream) == y);
        CHECK(run_backward(backward, Arithmetic::tf32, plan, stream, false) == dx);
        CHECK(run_backward(backward, Arithmetic::tf32, plan, stream, true) == apart);
      }
    }
  }
}

TEST_CASE("gemm columns: the same bits with pipelines of every depth") {
  enum class Way : uint8_t { forward, backward, apart };
  for (const Way way : {Way::forward, Way::backward, Way::apart}) {
    const bool backward = way != Way::forward;
    Problem p(backward ? kStride2 : kStride1, backward);
    for (float& v : p.a) v *= 1.1f;  // sums that depend on their order
    for (const TileKind tile : {TileKind::small, TileKind::tall, TileKind::large}) {
      for (const Arithmetic arithmetic : {Arithmetic::ffma, Arithmetic::bf16}) {
        const auto run = [&](int stages) {
          const GemmPlan plan{.tile = tile, .vectors = true, .splits = 3, .group = 3, .stages = stages};
          return backward ? run_backward(p, arithmetic, plan, nullptr, way == Way::apart)
                          : run_forward(p, arithmetic, plan, nullptr);
        };
        const Results expected = run(4);
        for (const int stages : {3, 6, 8}) CHECK(run(stages) == expected);
      }
    }
  }
}

TEST_CASE("gemm columns: a launch fits a GPU if no multiprocessor gets more blocks than the kernels promise") {
  const GemmSize size{.m = 64 * 100, .n = 128, .k = 1024, .outputs = 64 * 100 * 128, .between = TileKind::tall};
  for (const Arithmetic arithmetic : kAll) {
    const int per_sm = tile_size(arithmetic, TileKind::small).blocks_per_sm;
    const GemmPlan plan{.vectors = true}, split{.vectors = true, .splits = 2, .group = 2}, two{.vectors = true, .splits = 2};
    const int enough = (200 + per_sm - 1) / per_sm;
    CHECK(blocks_of(size, arithmetic, plan) == 200);
    CHECK(fits_at_once(size, arithmetic, plan, {}, enough));
    CHECK_FALSE(fits_at_once(size, arithmetic, plan, {}, enough - 1));
    CHECK_FALSE(fits_at_once(size, arithmetic, split, {}, enough));
    CHECK(fits_at_once(size, arithmetic, split, {}, 2 * enough));
    CHECK_FALSE(fits_at_once(size, arithmetic, two, {}, 1000));                   // a second launch adds up
    CHECK_FALSE(fits_at_once(size, arithmetic, {.vectors = false}, {}, enough));  // fewer blocks on a multiprocessor
    CHECK(fits_at_once(size, arithmetic, {.vectors = false}, {}, 100));
    const Multiprocessors small{132, 100 << 10};  // holds two blocks of four stages
    CHECK(fits_at_once(size, arithmetic, plan, small, 100));
    CHECK_FALSE(fits_at_once(size, arithmetic, plan, small, 99));
    CHECK(fits_at_once(size, arithmetic, {.vectors = true, .stages = 8}, small, 200));
    CHECK_FALSE(fits_at_once(size, arithmetic, {.vectors = true, .stages = 8}, small, 199));
  }
}

TEST_CASE("gemm columns: batch norm joins small problems, and keeps its launches behind large ones") {
  for (const Arithmetic arithmetic : kAll) {
    for (const Sequel& sequel : {kNormalise, kNormGrad}) {
      const auto plan_of = [&](int64_t rows, int together) {
        const GemmSize size{.m = rows, .n = 128, .k = 512, .outputs = rows * 128, .between = TileKind::tall};
        const auto plan = plan_waiting_gemm(size, arithmetic, true, sequel, {}, together);
        if (plan) CHECK(fits_at_once(size, arithmetic, *plan, {}, together));
        return plan;
      };
      CHECK(plan_of(32 * 14 * 14, 132));
      CHECK_FALSE(plan_of(32 * 14 * 14, 0));
      CHECK_FALSE(plan_of(1024 * 28 * 28, 132));
    }
  }
}
