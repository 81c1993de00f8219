// Input, filter and bias gradient of a layer as one grid. Its blocks are, one range after the other, tiles of the two
// products (gemm_tile.h, conv2d_problems.h) and of the sums down the columns of the result's gradient (column_sum.h). They
// share nothing but what they read. The product with the longer blocks comes first, the sums, which are short, last.
// Shared memory: that of the larger of the two tiles, whose kinds are equal: small and small, tall and wide, large and large.
#include "kernels/cuda/conv2d_grads.h"

#include "kernels/cuda/column_sum.h"
#include "kernels/cuda/conv2d_problems.h"
#include "kernels/cuda/gemm_launch.h"

namespace forger::FORGER_DEVICE {

namespace {

/// The blocks of a product.
struct BlockRange {
  unsigned begin = 0, blocks = 0;
  unsigned tiles = 1;  // in a slice
  GemmGrid grid = {};

  static constexpr bool kAnew = true;
  __device__ __forceinline__ bool holds(unsigned block) const { return block - begin < blocks; }
  __device__ __forceinline__ GemmBlock operator()() const {
    const unsigned i = ptx::block_index() - begin;
    return {i % tiles, i / tiles, tiles};
  }
};

/// The blocks behind those of the products.
struct BiasGrad {
  ColumnTiles columns = {};
  const float* gradient = nullptr;
  float *sums = nullptr, *partials = nullptr;
  uint32_t* counters = nullptr;
};

template <class Engine, class FilterEngine, class Problem>
__global__ void __launch_bounds__(Engine::TileType::kThreads, Engine::kBlocksPerSm)
    conv2d_grads_f32_kernel(const __grid_constant__ Problem input, const __grid_constant__ BlockRange input_range,
                            const __grid_constant__ Epilogue epilogue, const __grid_constant__ Conv2dFilterGradProblem<4> filter,
                            const __grid_constant__ BlockRange filter_range, const NoEpilogue none,
                            const __grid_constant__ BiasGrad bias) {
  begin_kernel();
  const unsigned block = blockIdx.x;
  if (input_range.holds(block)) {
    gemm_block<Engine>(input, input_range.grid, epilogue, input_range);
  } else if (filter_range.holds(block)) {
    gemm_block<FilterEngine>(filter, filter_range.grid, none, filter_range);
  } else {
    const unsigned i = block - input_range.blocks - filter_range.blocks, tile = i % bias.columns.tiles;
    column_sum_block<4>(bias.columns, tile, i / bias.columns.tiles, bias.gradient, bias.sums, bias.partials, bias.counters + tile,
                        block_shared<ColumnSums<Engine::TileType::kThreads>>());
  }
}

/// Calls f.template operator()<Engine, FilterEngine>() with the engines of a kind of tiles.
template <class F>
void with_engines(Arithmetic arithmetic, TileKind tile, F f) {
  const auto choose = [&]<class E, Arithmetic kArithmetic>() {
    if constexpr (has_large_pairs(kArithmetic)) {
      if (tile == TileKind::large) return f.template operator()<typename E::Large, typename E::Large>();
    }
    if (tile == TileKind::tall) return f.template operator()<typename E::Tall, typename E::Wide>();
    f.template operator()<typename E::Small, typename E::Small>();
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

template <class T>
BlockRange range_of(const GemmSize& size, const GemmPlan& plan, uint32_t* counters) {
  const int64_t tiles_n = ceil_div(size.n, T::kN), tiles = ceil_div(size.m, T::kM) * tiles_n;
  return {.blocks = static_cast<unsigned>(tiles * size.phases * plan.splits),
          .tiles = static_cast<unsigned>(std::max<int64_t>(tiles, 1)),
          .grid = {.tiles_n = static_cast<int>(tiles_n),
                   .splits = plan.splits,
                   .group = plan.group,
                   .stages = plan.stages,
                   .counters = counters}};
}

/// The result's gradient as a matrix, whose columns' sums are the bias gradient.
ColumnTiles bias_tiles(const Conv2dGrads& g, int64_t splits) {
  const Conv2dShape& s = g.shape;
  return column_tiles_of(s.N * (g.transposed ? s.H * s.W : s.P * s.Q), g.transposed ? s.C : s.K, splits);
}

}  // namespace

GemmPair Conv2dGrads::products() const {
  const GemmSize filter = conv2d_filter_grad_size(shape);
  if (!of_input) return {{}, filter};
  return {transposed ? conv2d_size(shape) : conv2d_input_grad_size(shape), filter};
}

const char* conv2d_grads_declines(const Conv2dShape& s) {
  return s.C % 4 == 0 && s.K % 4 == 0 ? nullptr : "channels are not multiples of 4";
}

Conv2dGradsPlan conv2d_grads_plan(const Conv2dGrads& g, const GemmPairPlan& products, const Multiprocessors& gpu) {
  if (!g.of_bias) return {products, 0};
  // Blocks enough for twice the multiprocessors, but no more than have some dozen KiB to read.
  constexpr int64_t kMostSplits = 64, kRowsPerThread = 8;
  const ColumnTiles all = bias_tiles(g, 1);
  return {products, static_cast<int>(column_tiles(all.rows, all.columns, kMostSplits, kRowsPerThread, 2 * gpu.count).splits)};
}

size_t conv2d_grads_workspace_bytes(const Conv2dGrads& g, const Conv2dGradsPlan& plan) {
  const GemmPair pair = g.products();
  const size_t bias = plan.bias_splits > 1 ? sizeof(float) * static_cast<size_t>(plan.bias_splits * bias_tiles(g, 1).columns) : 0;
  return workspace_bytes(plan.products.first, pair.first) + workspace_bytes(plan.products.second, pair.second) + bias;
}

size_t conv2d_grads_counters(const Conv2dGrads& g, Arithmetic arithmetic, const Conv2dGradsPlan& plan) {
  const GemmPair pair = g.products();
  return counters_of(plan.products.first, pair.first, arithmetic) + counters_of(plan.products.second, pair.second, arithmetic) +
         (plan.bias_splits > 1 ? bias_tiles(g, 1).tiles : 0);
}

void conv2d_grads(const Conv2dGrads& g, Arithmetic arithmetic, const Conv2dGradsPlan& plan, const Conv2dGradsArgs& args,
                  const GemmScratch& scratch, Stream stream, const EpilogueArgs& epilogue) {
  const GemmPair pair = g.products();
  const GemmPlan &input_plan = plan.products.first, &filter_plan = plan.products.second;
  // Whole rows of a multiple of four numbers: each part begins at 16 bytes.
  float* const filter_partials = scratch.partials + workspace_bytes(input_plan, pair.first) / sizeof(float);
  uint32_t* const filter_counters = scratch.counters + counters_of(input_plan, pair.first, arithmetic);
  BiasGrad bias;
  if (g.of_bias) {
    bias = {.columns = bias_tiles(g, plan.bias_splits),
            .gradient = args.gradient,
            .sums = args.bias_grad,
            .partials = filter_partials + workspace_bytes(filter_plan, pair.second) / sizeof(float),
            .counters = filter_counters + counters_of(filter_plan, pair.second, arithmetic)};
  }
  with_engines(arithmetic, input_plan.tile, [&]<class Engine, class FilterEngine>() {
    using T = typename Engine::TileType;
    using FilterT = typename FilterEngine::TileType;
    static_assert(T::kThreads == FilterT::kThreads && Engine::kBlocksPerSm == FilterEngine::kBlocksPerSm);
    BlockRange input_range = range_of<T>(pair.first, input_plan, scratch.counters);
    BlockRange filter_range = range_of<FilterT>(pair.second, filter_plan, filter_counters);
    const bool filter_starts = second_starts(pair, arithmetic, plan.products);
    (filter_starts ? input_range : filter_range).begin = (filter_starts ? filter_range : input_range).blocks;
    const unsigned bias_blocks = bias.columns.tiles * static_cast<unsigned>(g.of_bias ? plan.bias_splits : 0);
    const LaunchShape shape{.grid_x = input_range.blocks + filter_range.blocks + bias_blocks,
                            .threads = T::kThreads,
                            .shared_bytes = std::max(shared_bytes(size_of<Engine>(), input_plan.stages),
                                                     shared_bytes(size_of<FilterEngine>(), filter_plan.stages))};
    const float *x = g.transposed ? args.gradient : args.input, *dy = g.transposed ? args.input : args.gradient;
    const auto filter = conv2d_filter_grad_problem<4>(g.shape, x, dy, args.filter_grad, filter_partials);
    const auto start = [&](auto kernel, const auto& input) {
      launch(kernel, shape, stream, input, input_range, Epilogue(epilogue, pair.first.outputs), filter, filter_range,
             NoEpilogue({}, 0), bias);
    };
    if (g.transposed) {
      start(conv2d_grads_f32_kernel<Engine, FilterEngine, Conv2dProblem<4>>,
            conv2d_problem<4>(g.shape, args.gradient, args.w, nullptr, args.input_grad, scratch.partials));
    } else {
      start(conv2d_grads_f32_kernel<Engine, FilterEngine, Conv2dInputGradProblem<4>>,
            conv2d_input_grad_problem<4>(g.shape, args.gradient, args.w, nullptr, args.input_grad, scratch.partials));
    }
  });
}

}  // namespace forger::FORGER_DEVICE
