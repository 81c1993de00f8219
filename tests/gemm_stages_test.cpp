// The depth of a matrix product's pipeline: a pure function of its size and of the GPU's.
#include <doctest/doctest.h>

#include <algorithm>

#include "kernels/cuda/gemm_pair_plan.h"
#include "kernels/cuda/waiting_plan.h"

using namespace forger;
using namespace forger::FORGER_DEVICE;

namespace {

constexpr Arithmetic kAll[] = {Arithmetic::ffma, Arithmetic::tf32, Arithmetic::tf32x3, Arithmetic::bf16};
constexpr TileKind kTiles[] = {TileKind::small, TileKind::tall, TileKind::wide, TileKind::large};
/// Compute capability 9.0, 8.0, and 8.6, 8.9 and 12.0, whose multiprocessors have less than half of that.
constexpr Multiprocessors kH200, kA100{108, 164 << 10}, kLittle{128, 100 << 10};
constexpr Multiprocessors kGpus[] = {kH200, kA100, kLittle, {1, 228 << 10}, {20, 100 << 10}};

GemmSize matrix(int64_t m, int64_t n, int64_t k, TileKind between = TileKind::tall) {
  return {.m = m, .n = n, .k = k, .outputs = m * n, .between = between};
}

template <class F>
void for_sizes(F f) {
  for (const int64_t m : {1, 64, 1568, 200'704}) {
    for (const int64_t n : {32, 128, 512}) {
      for (const int64_t k : {0, 1, 16, 48, 100, 2048, 25'088}) f(matrix(m, n, k));
    }
  }
}

bool is_allowed(int stages) {
  return std::find(std::begin(kStageCounts), std::end(kStageCounts), stages) != std::end(kStageCounts);
}

/// Shared memory of a multiprocessor that holds all blocks that may be there.
size_t taken(const Residence& r, int stages) {
  return static_cast<size_t>(r.together(stages)) * (shared_bytes(r.tile, stages) + kReservedShared);
}

}  // namespace

TEST_CASE("gemm stages: every plan's blocks find their shared memory, on every GPU") {
  for (const Multiprocessors& gpu : kGpus) {
    for (const Arithmetic arithmetic : kAll) {
      for_sizes([&](const GemmSize& size) {
        size_t plans = 0, bad = 0;
        for_each_plan(size, arithmetic, true, false, gpu, [&](const GemmPlan& chosen) {
          for_depths(size, arithmetic, chosen, gpu, [&](const GemmPlan& plan) {
            const Residence r = residence_of(size, arithmetic, plan, gpu);
            const bool fits = is_allowed(plan.stages) && r.together(plan.stages) >= 1 &&
                              taken(r, plan.stages) <= gpu.shared_bytes &&
                              shared_bytes(r.tile, plan.stages) + kReservedShared <= gpu.shared_bytes;
            const bool fixed = !any_depth(arithmetic != Arithmetic::ffma, r.tile.m, r.tile.n);
            const bool useful = fixed ? plan.stages == kUsualStages : plan.stages <= std::max<int64_t>(3, r.k_tiles + 1);
            const bool leaves_half = plan.stages <= 4 || 2 * taken(r, plan.stages) <= gpu.shared_bytes;
            ++plans;
            bad += !fits || !useful || !leaves_half;
          });
        });
        CHECK(plans > 0);
        CHECK(bad == 0);
      });
    }
  }
}

TEST_CASE("gemm stages: four stages leave room for the blocks that launch bounds promise, where there is much shared memory") {
  for (const Arithmetic arithmetic : kAll) {
    for (const TileKind kind : kTiles) {
      const TileSize tile = tile_size(arithmetic, kind);
      for (const Multiprocessors& gpu : {kH200, kA100}) CHECK(blocks_per_sm(tile, 4, gpu) == tile.blocks_per_sm);
      CHECK(blocks_per_sm(tile, 3, kLittle) >= 1);
      for (size_t i = 1; i < std::size(kStageCounts); ++i) {
        CHECK(shared_bytes(tile, kStageCounts[i]) >= shared_bytes(tile, kStageCounts[i - 1]));
      }
    }
    CHECK(blocks_per_sm(tile_size(arithmetic, TileKind::small), 4, kLittle) == 2);
  }
  CHECK(blocks_per_sm(tile_size(Arithmetic::tf32, TileKind::small), 3, kLittle) == 3);
}

TEST_CASE("gemm stages: the fewer blocks on a multiprocessor and the longer the sum, the deeper") {
  for (const Multiprocessors& gpu : kGpus) {
    for (const Arithmetic arithmetic : kAll) {
      for (const TileKind kind : kTiles) {
        const TileSize tile = tile_size(arithmetic, kind);
        const auto stages = [&](int64_t on_each, int64_t k_tiles) {
          return choose_stages(arithmetic, {tile, on_each * gpu.count, k_tiles, gpu});
        };
        for (int64_t k_tiles = 1; k_tiles < 12; ++k_tiles) {
          for (int64_t on_each = 1; on_each < 6; ++on_each) {
            CHECK(is_allowed(stages(on_each, k_tiles)));
            CHECK(stages(on_each + 1, k_tiles) <= stages(on_each, k_tiles));
            CHECK(stages(on_each, k_tiles + 1) >= stages(on_each, k_tiles));
          }
        }
        // One block more than a multiprocessor holds changes nothing.
        CHECK(stages(tile.blocks_per_sm, 100) == stages(1000, 100));
        if (gpu.shared_bytes > (128 << 10)) CHECK(stages(1000, 100) == 4);
      }
    }
  }
}

TEST_CASE("gemm stages: more shared memory never holds fewer blocks") {
  for (const Arithmetic arithmetic : kAll) {
    for (const TileKind kind : kTiles) {
      const TileSize tile = tile_size(arithmetic, kind);
      for (const int64_t on_each : {1, 2, 3, 4}) {
        int64_t before = 0;
        for (size_t kib = 75; kib <= 256; ++kib) {
          const Residence r{tile, on_each * 132, 100, {132, kib << 10}};
          const int64_t now = r.together(choose_stages(arithmetic, r));
          CHECK(now >= std::max<int64_t>(before, 1));
          before = now;
        }
      }
    }
  }
}

TEST_CASE("gemm stages: examples") {
  const auto stages = [](Arithmetic arithmetic, TileKind kind, int64_t on_each, const Multiprocessors& gpu) {
    return choose_stages(arithmetic, {tile_size(arithmetic, kind), on_each * gpu.count, 100, gpu});
  };
  // The faster a block is done with a stage, the more of them must be on their way.
  CHECK(stages(Arithmetic::bf16, TileKind::small, 1, kH200) == 8);
  CHECK(stages(Arithmetic::tf32, TileKind::small, 1, kH200) == 6);
  CHECK(stages(Arithmetic::ffma, TileKind::small, 1, kH200) == 4);
  CHECK(stages(Arithmetic::bf16, TileKind::small, 2, kH200) == 4);
  // Where shared memory is short, a third block instead of the fourth stage.
  CHECK(stages(Arithmetic::tf32, TileKind::small, 2, kLittle) == 4);
  CHECK(stages(Arithmetic::tf32, TileKind::small, 3, kLittle) == 3);
  CHECK(stages(Arithmetic::tf32, TileKind::tall, 2, kLittle) == 3);
  CHECK(stages(Arithmetic::tf32, TileKind::large, 2, kLittle) == 4);
}

TEST_CASE("gemm stages: estimates know blocks that find no room, and stages that come late") {
  const GemmSize size = matrix(64 * 5280, 64, 4096, TileKind::small);
  const GemmPlan three{.vectors = true, .stages = 3}, four{.vectors = true}, eight{.vectors = true, .stages = 8};
  for (const Arithmetic arithmetic : kAll) {
    const auto cycles = [&](const GemmPlan& plan, const Multiprocessors& gpu) {
      return gemm_cycles(size, arithmetic, plan, gpu);
    };
    CHECK(cycles(four, {132, 100 << 10}) > cycles(four, {132, 228 << 10}));
    CHECK(cycles(three, {132, 100 << 10}) < cycles(four, {132, 100 << 10}));
    CHECK(cycles(eight, {132, 228 << 10}) >= cycles(four, {132, 228 << 10}));
    // One block on a multiprocessor: deeper is never slower.
    const GemmSize few = matrix(64 * 132, 64, 4096, TileKind::small);
    for (const auto& [less, more] : {std::pair{three, four}, {four, eight}}) {
      CHECK(gemm_cycles(few, arithmetic, less, kH200) >= gemm_cycles(few, arithmetic, more, kH200));
    }
    CHECK(block_cycles(few, Arithmetic::bf16, three, 0.25) > block_cycles(few, Arithmetic::bf16, eight, 0.25));
  }
}

TEST_CASE("gemm stages: candidates are no more than twelve, the best first, some of them at another depth") {
  for (const Multiprocessors& gpu : kGpus) {
    for (const Arithmetic arithmetic : kAll) {
      const GemmSize size = matrix(6272, 128, 2048), filter = matrix(128, 2048, 6272, TileKind::wide);
      const auto check = [](const auto& plans, const auto& best) {
        REQUIRE(!plans.empty());
        CHECK(plans.size() <= 12);
        CHECK(plans.front() == best);
        for (size_t i = 0; i < plans.size(); ++i) {
          CHECK(std::count(plans.begin(), plans.end(), plans[i]) == 1);
        }
      };
      check(plan_candidates(size, arithmetic, true, gpu), plan_gemm(size, arithmetic, true, gpu));
      check(pair_plan_candidates({size, filter}, arithmetic, gpu), plan_pair({size, filter}, arithmetic, gpu));
      const auto waiting = waiting_plan_candidates(size, arithmetic, true, kNormalise, gpu, gpu.count);
      CHECK(waiting.size() <= 12);
      for (const GemmPlan& plan : waiting) CHECK(fits_at_once(size, arithmetic, plan, gpu, gpu.count));
    }
  }
  const GemmSize size = matrix(512, 64, 8192);  // a few blocks on each multiprocessor
  const auto plans = plan_candidates(size, Arithmetic::tf32, true, kH200);
  const bool other = std::any_of(plans.begin(), plans.end(), [&](GemmPlan plan) {
    plan.stages = plans.front().stages;
    return plan == plans.front();
  });
  CHECK(other);
}

TEST_CASE("gemm stages: two products of a launch have room beside each other") {
  const GemmPair pairs[] = {{matrix(1568, 128, 2048), matrix(128, 2048, 1568, TileKind::wide)},
                            {matrix(32, 100, 8), matrix(100, 8, 32, TileKind::wide)},
                            {{}, matrix(128, 2048, 6272, TileKind::wide)}};
  for (const Multiprocessors& gpu : kGpus) {
    for (const Arithmetic arithmetic : kAll) {
      for (const GemmPair& pair : pairs) {
        const auto check = [&](const GemmPairPlan& plan) {
          const PairResidence r = residence_of(pair, arithmetic, plan, gpu);
          CHECK(is_allowed(plan.first.stages));
          CHECK(is_allowed(plan.second.stages));
          CHECK(blocks_per_sm(arithmetic, plan, gpu) >= 1);
          for (const auto& [p, product] : {std::pair{r.first, plan.first}, {r.second, plan.second}}) {
            CHECK(product.stages <= std::max<int64_t>(3, p.k_tiles + 1));
            if (product.stages > 4) CHECK(2 * taken(p, product.stages) <= gpu.shared_bytes);
          }
        };
        for (const GemmPairPlan& plan : pair_plan_candidates(pair, arithmetic, gpu)) check(plan);
      }
    }
  }
}
