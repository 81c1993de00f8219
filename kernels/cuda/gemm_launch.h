// From a plan to a kernel: the engines in use, and the launch that all matrix products share.
#pragma once

#include "kernels/cuda/gemm_ffma.h"
#include "kernels/cuda/gemm_mma.h"
#include "kernels/cuda/split_k.h"

namespace forger::FORGER_DEVICE {

using SmallTile = Tile<64, 64, 32, 32>;
using FfmaSmall = FfmaEngine<SmallTile, 4>;
using FfmaLarge = FfmaEngine<Tile<128, 128, 32, 64>, 2>;
using Tf32Small = MmaEngine<Tf32, SmallTile, 4>;
using Tf32Large = MmaEngine<Tf32, Tile<128, 128, 64, 64>, 2>;
using Tf32x3Small = MmaEngine<Tf32x3, SmallTile, 3>;
using Tf32x3Large = MmaEngine<Tf32x3, Tile<128, 64, 32, 32>, 2>;
using Bf16Small = MmaEngine<Bf16, SmallTile, 4>;
using Bf16Large = MmaEngine<Bf16, Tile<128, 128, 64, 64>, 2>;

/// Launches `kernel`, a gemm_block of Engine, and adds up partial sums if the plan has them. m and n: of the largest
/// phase.
template <class Engine, class Problem>
void launch_gemm(void (*kernel)(Problem, GemmGrid), const Problem& problem, int64_t m, int64_t n, int64_t phases, int splits,
                 Stream stream) {
  using T = typename Engine::TileType;
  const GemmGrid grid{.tiles_n = static_cast<int>(ceil_div(n, T::kN)), .splits = splits};
  const LaunchShape shape{.grid_x = static_cast<unsigned>(ceil_div(m, T::kM) * grid.tiles_n),
                          .grid_z = static_cast<unsigned>(phases * splits),
                          .threads = T::kThreads,
                          .shared_bytes = sizeof(GemmShared<T>)};
  launch(kernel, shape, stream, problem, grid);
  if (splits > 1) split_k_sum(problem.partials, splits, problem.outputs, problem.bias, problem.n, problem.c, stream);
}

/// Calls f.template operator()<Engine, kVec>() with what the plan names.
template <class F>
void with_engine(Arithmetic arithmetic, const GemmPlan& plan, F f) {
  const auto choose = [&]<class Small, class Large>() {
    if (!plan.vectors) return f.template operator()<Small, 1>();
    if (!plan.large) return f.template operator()<Small, 4>();
    return f.template operator()<Large, 4>();
  };
  static_assert(tile_size(Arithmetic::ffma, true).m == FfmaLarge::TileType::kM);
  static_assert(tile_size(Arithmetic::tf32, true).n == Tf32Large::TileType::kN);
  static_assert(tile_size(Arithmetic::tf32x3, true).n == Tf32x3Large::TileType::kN);
  switch (arithmetic) {
    case Arithmetic::ffma:
      return choose.template operator()<FfmaSmall, FfmaLarge>();
    case Arithmetic::tf32:
      return choose.template operator()<Tf32Small, Tf32Large>();
    case Arithmetic::tf32x3:
      return choose.template operator()<Tf32x3Small, Tf32x3Large>();
    case Arithmetic::bf16:
      return choose.template operator()<Bf16Small, Bf16Large>();
  }
}

}  // namespace forger::FORGER_DEVICE
