// The plan of a matrix product: a pure function, so everything about it can be checked without a GPU.
#include <doctest/doctest.h>

#include <tuple>

#include "kernels/cuda/gemm_pair_plan.h"

using namespace forger;
using namespace forger::FORGER_DEVICE;

namespace {

constexpr Multiprocessors kH200;
constexpr Arithmetic kAll[] = {Arithmetic::ffma, Arithmetic::tf32, Arithmetic::tf32x3, Arithmetic::bf16};

GemmSize matrix(int64_t m, int64_t n, int64_t k) {
  return {.m = m, .n = n, .k = k, .outputs = m * n};
}

int64_t blocks(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan) {
  const TileSize tile = tile_size(arithmetic, plan.tile);
  return (size.m + tile.m - 1) / tile.m * ((size.n + tile.n - 1) / tile.n) * size.phases * plan.splits;
}

}  // namespace

TEST_CASE("gemm plan: within its limits, for any size and any GPU") {
  for (const int64_t m : {1, 3, 64, 1000, 200'704}) {
    for (const int64_t n : {1, 32, 65, 512}) {
      for (const int64_t k : {0, 1, 16, 17, 2048, 200'704}) {
        for (const int sms : {1, 20, 108, 132}) {
          for (const Arithmetic arithmetic : kAll) {
            for (const bool vectors : {false, true}) {
              const GemmPlan plan = plan_gemm(matrix(m, n, k), arithmetic, vectors, {sms});
              CAPTURE(m);
              CAPTURE(n);
              CAPTURE(k);
              CHECK(plan == plan_gemm(matrix(m, n, k), arithmetic, vectors, {sms}));
              CHECK(plan.vectors == vectors);
              CHECK((vectors || plan.tile == TileKind::small));
              CHECK(plan.splits >= 1);
              CHECK(plan.splits <= kMaxSplits);
              CHECK(plan.splits <= std::max<int64_t>(1, (k + kTileK - 1) / kTileK));  // no split without work
              CHECK(plan.group >= 0);
              CHECK(plan.group <= (plan.splits == 1 ? 0 : plan.splits));
              CHECK((counters_of(plan, matrix(m, n, k), arithmetic) > 0) == (plan.group > 0));
              const size_t partials = plan.splits == 1 ? 0 : static_cast<size_t>(plan.splits * m * n) * sizeof(float);
              CHECK(workspace_bytes(plan, matrix(m, n, k)) == partials);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("gemm plan: a long reduction into a small output is split until the GPU is busy") {
  for (const Arithmetic arithmetic : kAll) {
    const GemmSize filter_grad = matrix(64, 16 * 32, 32 * 28 * 28);
    CHECK(blocks(filter_grad, arithmetic, plan_gemm(filter_grad, arithmetic, true, kH200)) >= 132);
    CHECK(plan_gemm(filter_grad, arithmetic, true, {1}).splits < plan_gemm(filter_grad, arithmetic, true, kH200).splits);
  }
}

TEST_CASE("gemm plan: a product that fills the GPU gets the large tile and no splits") {
  for (const Arithmetic arithmetic : kAll) {
    const GemmPlan plan = plan_gemm(matrix(1 << 20, 128, 2048), arithmetic, true, kH200);
    CHECK((plan.tile == TileKind::large));
    CHECK(plan.splits == 1);
  }
}

TEST_CASE("gemm plan: 64 output channels do not get a tile of 128") {
  for (const Arithmetic arithmetic : kAll) {
    GemmSize forward = matrix(1 << 20, 64, 2048), filter_grad = matrix(64, 2048, 1 << 20);
    forward.between = TileKind::tall;
    filter_grad.between = TileKind::wide;
    CHECK(tile_size(arithmetic, plan_gemm(forward, arithmetic, true, kH200).tile).n == 64);
    CHECK(tile_size(arithmetic, plan_gemm(filter_grad, arithmetic, true, kH200).tile).m == 64);
    CHECK((plan_gemm(filter_grad, arithmetic, true, kH200).tile == TileKind::wide));
  }
}

TEST_CASE("gemm plan: partial sums are added by the last block of a tile where that is shorter than a launch") {
  constexpr Arithmetic kTf32 = Arithmetic::tf32;
  const auto cycles = [](const GemmSize& size, int splits, int group) {
    return gemm_cycles(size, kTf32, {.tile = TileKind::small, .vectors = true, .splits = splits, .group = group}, kH200);
  };
  // Few splits of many tiles: the launch costs more than what it adds.
  const GemmSize many = matrix(1024, 512, 4096);
  CHECK(cycles(many, 2, 2) < cycles(many, 2, 0));
  // Many splits of one tile: one block would add for longer than a launch takes, blocks for groups do not.
  const GemmSize one = matrix(64, 64, 1 << 16);
  CHECK(cycles(one, 100, 100) > cycles(one, 100, 0));
  CHECK(cycles(one, 100, 10) < cycles(one, 100, 100));
  // Tiles enough for all multiprocessors: their blocks add up as fast as a launch would.
  const GemmSize large = matrix(1024, 8192, 4096);
  CHECK(cycles(large, 64, 64) < cycles(large, 64, 0));
}

TEST_CASE("gemm plan: a tiny product is one launch") {
  for (const Arithmetic arithmetic : kAll) CHECK(plan_gemm(matrix(32, 64, 32), arithmetic, true, kH200).splits == 1);
}

TEST_CASE("gemm pair plan: both products have tiles of one kind, and sums that no second launch adds up") {
  for (const Arithmetic arithmetic : kAll) {
    for (const int sms : {1, 20, 132}) {
      for (const auto& [m, n, k] : {std::tuple<int64_t, int64_t, int64_t>{1568, 128, 2048}, {25'088, 128, 1024}, {32, 8, 8}}) {
        const GemmPair pair{matrix(m, n, k), matrix(128, k, m)};
        const GemmPairPlan plan = plan_pair(pair, arithmetic, {sms});
        CHECK(plan == plan_pair(pair, arithmetic, {sms}));
        const TileSize first = tile_size(arithmetic, plan.first.tile), second = tile_size(arithmetic, plan.second.tile);
        CHECK(first.blocks_per_sm == second.blocks_per_sm);
        CHECK(first.m * first.n == second.m * second.n);
        for (const auto& [p, size] : {std::pair{plan.first, pair.first}, {plan.second, pair.second}}) {
          CHECK(p.vectors);
          CHECK((p.group > 0) == (p.splits > 1));
          CHECK(p.splits <= std::max<int64_t>(1, (size.k + kTileK - 1) / kTileK));
        }
      }
    }
  }
}

TEST_CASE("gemm pair plan: together two products need fewer splits and less time than one after the other") {
  // The gradients of a layer of 14x14 pixels with 128 channels, batch 32, and of one of 4x4 pixels.
  for (const auto& [pixels, channels] : {std::pair<int64_t, int64_t>{196, 128}, {16, 256}}) {
    GemmSize input = matrix(32 * pixels, 128, 16 * channels), filter = matrix(channels, 16 * 128, 32 * pixels);
    input.between = TileKind::tall;
    filter.between = TileKind::wide;
    for (const Arithmetic arithmetic : {Arithmetic::tf32, Arithmetic::bf16}) {
      const GemmPlan first = plan_gemm(input, arithmetic, true, kH200, true),
                     second = plan_gemm(filter, arithmetic, true, kH200, true);
      const GemmPair pair{input, filter};
      const GemmPairPlan plan = plan_pair(pair, arithmetic, kH200);
      if (pixels == 196) CHECK(plan.first.splits + plan.second.splits < first.splits + second.splits);
      CHECK(pair_cycles(pair, arithmetic, plan, kH200) <
            gemm_cycles(input, arithmetic, first, kH200) + gemm_cycles(filter, arithmetic, second, kH200));
      CHECK(is_faster_as_pair(pair, arithmetic, kH200));
    }
  }
}

TEST_CASE("gemm pair plan: products that fill a GPU with unlike tiles stay apart") {
  // 128 input channels want the large tile, 64 output channels the wide one.
  const int64_t pixels = 1024 * 28 * 28;
  GemmSize input = matrix(pixels, 128, 16 * 64), filter = matrix(64, 16 * 128, pixels);
  input.between = TileKind::tall;
  filter.between = TileKind::wide;
  CHECK_FALSE(is_faster_as_pair({input, filter}, Arithmetic::tf32, kH200));
}

TEST_CASE("gemm pair plan: the product with the longer blocks starts") {
  const GemmPair pair{matrix(1024, 64, 64), matrix(64, 1024, 4096)};
  const GemmPairPlan plan{{.vectors = true}, {.vectors = true}};
  CHECK(second_starts(pair, Arithmetic::tf32, plan));
  CHECK_FALSE(second_starts({pair.second, pair.first}, Arithmetic::tf32, plan));
  // A long block that starts last would run alone.
  const auto cycles = [&](const GemmPair& p) { return pair_cycles(p, Arithmetic::tf32, plan, {1}); };
  CHECK(cycles(pair) == doctest::Approx(cycles({pair.second, pair.first})));
}

TEST_CASE("gemm pair plan: a pair of which one product is missing is the other one") {
  const GemmSize filter = matrix(128, 2048, 6272);
  const GemmPairPlan plan = plan_pair({{}, filter}, Arithmetic::tf32, kH200);
  CHECK(plan.first.splits == 1);
  CHECK(blocks_of({}, Arithmetic::tf32, plan.first) == 0);
  CHECK(pair_cycles({{}, filter}, Arithmetic::tf32, plan, kH200) ==
        doctest::Approx(gemm_cycles(filter, Arithmetic::tf32, plan.second, kH200)));
}

TEST_CASE("gemm pair plan: candidates are of every kind of tiles, the best by estimate first") {
  const GemmPair pair{matrix(6272, 128, 2048), matrix(128, 2048, 6272)};
  const auto plans = pair_plan_candidates(pair, Arithmetic::tf32, kH200);
  REQUIRE(plans.size() > 1);
  CHECK(plans.size() <= 12);
  CHECK(plans.front() == plan_pair(pair, Arithmetic::tf32, kH200));
}
