// From a plan to a kernel: the engines in use, and the launch that all matrix products share.
#pragma once

#include "kernels/cuda/gemm_ffma.h"
#include "kernels/cuda/gemm_mma.h"
#include "kernels/cuda/split_k.h"

namespace forger::FORGER_DEVICE {

/// The engines of one arithmetic.
template <class Small_, class Tall_, class Wide_, class Large_>
struct Engines {
  using Small = Small_;
  using Tall = Tall_;
  using Wide = Wide_;
  using Large = Large_;
};

using FfmaEngines = Engines<FfmaEngine<Tile<64, 64, 32, 32>, 4>, FfmaEngine<Tile<128, 64, 32, 64>, 3>,
                            FfmaEngine<Tile<64, 128, 32, 64>, 3>, FfmaEngine<Tile<128, 128, 32, 64>, 2>>;
template <class Rounding>
using MmaEngines = Engines<MmaEngine<Rounding, Tile<64, 64, 32, 32>, 4>, MmaEngine<Rounding, Tile<128, 64, 64, 32>, 3>,
                           MmaEngine<Rounding, Tile<64, 128, 64, 32>, 3>, MmaEngine<Rounding, Tile<128, 128, 64, 64>, 2>>;
using Tf32x3Engines = Engines<MmaEngine<Tf32x3, Tile<64, 64, 32, 32>, 3>, MmaEngine<Tf32x3, Tile<128, 64, 32, 32>, 2>,
                              MmaEngine<Tf32x3, Tile<64, 128, 32, 32>, 2>, MmaEngine<Tf32x3, Tile<128, 64, 32, 32>, 2>>;

/// What tile_size says of the engine's tiles.
template <class Engine>
constexpr TileSize size_of() {
  using T = typename Engine::TileType;
  constexpr TileSize kSize{T::kM, T::kN, T::kThreads, Engine::kBlocksPerSm};
  static_assert(shared_bytes(kSize, 0) == sizeof(GemmShared<T>));
  static_assert(shared_bytes(kSize, 100) == offsetof(GemmShared<T>, c) + 100 * sizeof(typename GemmShared<T>::Stage));
  return kSize;
}

struct NoColumns {
  static constexpr bool waits() { return false; }
};

/// Launches `kernel`, a gemm_block of Engine, and adds up partial sums if the plan leaves them; the epilogue comes last. E:
/// Epilogue, NoEpilogue or, with column work, ColumnEpilogue. m and n: of the largest phase.
template <class Engine, class Problem, class E, class Columns = NoColumns>
void launch_gemm(void (*kernel)(Problem, GemmGrid, E), const Problem& problem, int64_t m, int64_t n, int64_t phases,
                 const GemmPlan& plan, uint32_t* counters, const EpilogueArgs& epilogue, Stream stream,
                 const Columns& columns = {}) {
  using T = typename Engine::TileType;
  const int splits = plan.splits;
  const bool finish = splits > 1 && plan.group > 0;
  const GemmGrid grid{.tiles_n = static_cast<int>(ceil_div(n, T::kN)),
                      .splits = splits,
                      .group = plan.group,
                      .stages = plan.stages,
                      .counters = finish ? counters : nullptr};
  const LaunchShape shape{.grid_x = static_cast<unsigned>(ceil_div(m, T::kM) * grid.tiles_n),
                          .grid_z = static_cast<unsigned>(phases * splits),
                          .threads = T::kThreads,
                          .shared_bytes = shared_bytes(size_of<Engine>(), plan.stages),
                          .cooperative = columns.waits()};
  E tape(epilogue, problem.outputs);
  if constexpr (requires { tape.columns; }) tape.columns = columns;
  launch(kernel, shape, stream, problem, grid, tape);
  if (splits == 1 || finish) return;
  split_k_sum(problem.partials, splits, problem.outputs, problem.bias, problem.n, problem.c, stream, epilogue);
}

/// Calls f.template operator()<Engine, kVec>() with what the plan names. kBetween: the problem's GemmSize::between.
template <TileKind kBetween, class F>
void with_engine(Arithmetic arithmetic, const GemmPlan& plan, F f) {
  const auto choose = [&]<class E, Arithmetic kArithmetic>() {
    static_assert(size_of<typename E::Small>() == tile_size(kArithmetic, TileKind::small) &&
                  size_of<typename E::Tall>() == tile_size(kArithmetic, TileKind::tall) &&
                  size_of<typename E::Wide>() == tile_size(kArithmetic, TileKind::wide) &&
                  size_of<typename E::Large>() == tile_size(kArithmetic, TileKind::large));
    if (!plan.vectors) return f.template operator()<typename E::Small, 1>();
    if (plan.tile == TileKind::large) return f.template operator()<typename E::Large, 4>();
    if constexpr (kBetween == TileKind::tall) {
      if (plan.tile == kBetween) return f.template operator()<typename E::Tall, 4>();
    } else if constexpr (kBetween == TileKind::wide) {
      if (plan.tile == kBetween) return f.template operator()<typename E::Wide, 4>();
    }
    f.template operator()<typename E::Small, 4>();
  };
  switch (arithmetic) {
    case Arithmetic::ffma:
      return choose.template operator()<FfmaEngines, Arithmetic::ffma>();
    case Arithmetic::tf32:
      return choose.template operator()<MmaEngines<Tf32>, Arithmetic::tf32>();
    case Arithmetic::tf32x3:
      return choose.template operator()<Tf32x3Engines, Arithmetic::tf32x3>();
    case Arithmetic::bf16:
      return choose.template operator()<MmaEngines<Bf16>, Arithmetic::bf16>();
  }
}

}  // namespace forger::FORGER_DEVICE
