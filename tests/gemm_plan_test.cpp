// The plan of a matrix product: a pure function, so everything about it can be checked without a GPU.
#include <doctest/doctest.h>

#include "kernels/cuda/gemm_plan.h"

using namespace forger;
using namespace forger::FORGER_DEVICE;

namespace {

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
              const GemmPlan plan = plan_gemm(matrix(m, n, k), arithmetic, vectors, sms);
              CAPTURE(m);
              CAPTURE(n);
              CAPTURE(k);
              CHECK(plan == plan_gemm(matrix(m, n, k), arithmetic, vectors, sms));
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
    CHECK(blocks(filter_grad, arithmetic, plan_gemm(filter_grad, arithmetic, true, 132)) >= 132);
    CHECK(plan_gemm(filter_grad, arithmetic, true, 1).splits < plan_gemm(filter_grad, arithmetic, true, 132).splits);
  }
}

TEST_CASE("gemm plan: a product that fills the GPU gets the large tile and no splits") {
  for (const Arithmetic arithmetic : kAll) {
    const GemmPlan plan = plan_gemm(matrix(1 << 20, 128, 2048), arithmetic, true, 132);
    CHECK((plan.tile == TileKind::large));
    CHECK(plan.splits == 1);
  }
}

TEST_CASE("gemm plan: 64 output channels do not get a tile of 128") {
  for (const Arithmetic arithmetic : kAll) {
    GemmSize forward = matrix(1 << 20, 64, 2048), filter_grad = matrix(64, 2048, 1 << 20);
    forward.between = TileKind::tall;
    filter_grad.between = TileKind::wide;
    CHECK(tile_size(arithmetic, plan_gemm(forward, arithmetic, true, 132).tile).n == 64);
    CHECK(tile_size(arithmetic, plan_gemm(filter_grad, arithmetic, true, 132).tile).m == 64);
    CHECK((plan_gemm(filter_grad, arithmetic, true, 132).tile == TileKind::wide));
  }
}

TEST_CASE("gemm plan: partial sums are added by the last block of a tile where that is shorter than a launch") {
  constexpr Arithmetic kTf32 = Arithmetic::tf32;
  const auto cycles = [](const GemmSize& size, int splits, int group) {
    return gemm_cycles(size, kTf32, {.tile = TileKind::small, .vectors = true, .splits = splits, .group = group}, 132);
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
  for (const Arithmetic arithmetic : kAll) CHECK(plan_gemm(matrix(32, 64, 32), arithmetic, true, 132).splits == 1);
}
