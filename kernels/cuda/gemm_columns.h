// What a convolution goes on with when a tile of its result is done: the batch norm behind it, forward or backward, in the same
// launch.
//
// Forward: the tile is written, its columns' statistics are made (gemm_statistics.h), and the last tile of a column of tiles
// merges them and raises the column's flag (grid_flag.h). The others wait for it, each normalises what it still has in shared
// memory, applies the batch norm's tape and writes y. (In two passes over shared memory, as below: registers.) Backward: the tile
// is the gradient dy of a batch norm's y, after its tape; with xhat = (x - mean) * inv_std the columns' sums of dy and of dy *
// xhat go the same way, and
//   dx = gamma * inv_std * (dy - mean(dy) - xhat * mean(dy * xhat))
// is written in place of dy, which never leaves shared memory. A tile gives one partial sum per column, in float over a thread's
// rows and in double beyond; the merge adds them in the order of the tiles, in double. Phases of a strided input gradient are
// rows of the same columns.
//
// Plain sums of the columns (a bias's gradient) are made the same way, but nobody waits for them. Nor do blocks that only make
// the two sums of a batch norm's backward pass, where there are too many blocks to wait: dy is written, and a launch of
// batch_norm_grad.cu makes dx of it.
//
// Blocks that hold no finished tile (all splits but the last of each) leave at once; those that wait do so for their own column
// of tiles. All blocks of the launch must be under way: it is cooperative (plan_waiting_gemm in gemm_plan.h).
#pragma once

#include "kernels/cuda/gemm_statistics.h"
#include "kernels/cuda/grid_flag.h"

namespace forger::FORGER_DEVICE {

struct GemmSums {
  float* partials = nullptr;     // [tiles, 2, n], sums of dy and of dy * xhat; [tiles, n] of plain sums
  uint32_t* counters = nullptr;  // per column of tiles: one for each group of tiles, and one for the groups
  int tiles = 0, group = 0;      // of rows, of all phases; of which so many are merged first
  float* results = nullptr;      // plain sums: [n]
};

/// For a kernel.
struct GemmColumns {
  ColumnWork work = ColumnWork::none;
  GemmStatistics statistics;
  BatchNormApply apply = {};
  GemmSums sums;
  BatchNormGrad gradient = {};
  uint32_t* flags = nullptr;  // one for each column of tiles

  bool waits() const { return blocks_wait(work); }
};

/// What is done to a tile on its way out: a kernel parameter of its own, as an Epilogue is.
struct ColumnEpilogue : Epilogue {
  using Epilogue::Epilogue;
  GemmColumns columns;
};

/// How many tiles of rows are merged first: with more than a few, about the root of their number.
inline int tiles_of_group(int64_t tiles) {
  constexpr int64_t kFew = 16;
  if (tiles <= kFew) return static_cast<int>(tiles);
  int root = 1;
  while (int64_t{root} * root < tiles) ++root;
  return root;
}

/// `row_tiles`: tiles of rows of all phases together.
inline ColumnNeeds column_needs(const GemmSize& size, int64_t row_tiles, Arithmetic arithmetic, const GemmPlan& plan,
                                ColumnWork work) {
  ColumnNeeds needs{workspace_bytes(plan, size), counters_of(plan, size, arithmetic)};
  if (work == ColumnWork::none) return needs;
  constexpr size_t kAlignment = 16;
  needs.workspace_bytes = (needs.workspace_bytes + kAlignment - 1) / kAlignment * kAlignment;
  const int64_t columns = ceil_div(size.n, tile_size(arithmetic, plan.tile).n);
  const bool sums = work != ColumnWork::statistics && work != ColumnWork::normalise;
  const int64_t partials = sums ? row_tiles : ceil_div(size.m, kGroupRows);
  const int64_t sets = work == ColumnWork::sums ? 1 : 2;
  needs.workspace_bytes += sizeof(float) * static_cast<size_t>(partials * sets * size.n);
  needs.counters += static_cast<size_t>(columns * (ceil_div(row_tiles, tiles_of_group(row_tiles)) + 1));
  if (blocks_wait(work)) needs.flags = static_cast<size_t>(columns);
  return needs;
}

inline GemmColumns gemm_columns(const GemmSize& size, int64_t row_tiles, Arithmetic arithmetic, const GemmPlan& plan,
                                const GemmScratch& scratch, const ColumnArgs& args) {
  GemmColumns c;
  c.work = args.work();
  if (c.work == ColumnWork::none) return c;
  const ColumnNeeds splits = column_needs(size, row_tiles, arithmetic, plan, ColumnWork::none);
  const ColumnNeeds all = column_needs(size, row_tiles, arithmetic, plan, c.work);
  float* const partials = scratch.partials + ceil_div(static_cast<int64_t>(splits.workspace_bytes), 16) * 4;
  uint32_t* const counters = scratch.counters + splits.counters;
  const auto tiles = static_cast<int>(row_tiles);
  c.flags = scratch.counters + all.counters;
  if (!args.statistics) {
    c.sums = {partials, counters, tiles, tiles_of_group(row_tiles), args.sums};
    if (args.gradient) c.gradient = *args.gradient;
    if (args.gradient_sums) {
      c.gradient.dbeta = args.gradient_sums;
      c.gradient.dgamma = args.gradient_sums + size.n;
    }
    return c;
  }
  c.statistics = {partials, counters, tiles, tiles_of_group(row_tiles), *args.statistics};
  if (args.apply) c.apply = *args.apply;
  return c;
}

/// Results that go as they are.
struct NoTape {
  __device__ __forceinline__ bool empty() const { return true; }
  template <int kQuads>
  __device__ __forceinline__ void apply(float4 (&)[kQuads], const int64_t (&)[kQuads]) const {}
};

/// (c - mean) * scale + beta of the tile, in shared memory: each thread's quads for itself. n is a multiple of 4.
template <class Engine, class Problem>
__device__ __forceinline__ void normalise_tile(const Problem& problem, const GemmColumns& columns, int n0) {
  using Q = TileQuads<Engine>;
  const int n = n0 + Q::column();
  if (n >= problem.n) return;
  const BatchNormApply& apply = columns.apply;
  const BatchNormStatistics& s = columns.statistics.results;
  float add[4] = {}, mean[4], scale[4], inv_std[4], beta[4];
  if (problem.bias) load_columns(problem.bias + n, add);
  load_partial_columns(s.mean + n, mean);
  load_partial_columns(s.inv_std + n, inv_std);
  load_columns(apply.gamma + n, scale);
  load_columns(apply.beta + n, beta);
#pragma unroll
  for (int w = 0; w < 4; ++w) scale[w] *= inv_std[w];
#pragma unroll 1
  for (int row = Q::first_row(); row < Engine::TileType::kM; row += Q::kRowStep) {
    const float4 v = *Q::place(row);
    *Q::place(row) =
        make_float4(((v.x + add[0]) - mean[0]) * scale[0] + beta[0], ((v.y + add[1]) - mean[1]) * scale[1] + beta[1],
                    ((v.z + add[2]) - mean[2]) * scale[2] + beta[2], ((v.w + add[3]) - mean[3]) * scale[3] + beta[3]);
  }
}

/// Adds v over the threads of the block that have the same columns, in a fixed order, and writes the sums: to[0..kN), of which
/// `columns` are there. Ends with a barrier.
template <class Engine>
__device__ __forceinline__ void sum_tile_columns(float (&v)[4], int columns, float* to) {
  using T = typename Engine::TileType;
  using Q = TileQuads<Engine>;
  auto& shared = block_shared<GemmShared<T>>().warps;
#pragma unroll
  for (int offset = 16; offset >= Q::kChunks; offset /= 2) {
#pragma unroll
    for (int w = 0; w < 4; ++w) v[w] += __shfl_xor_sync(0xFFFFFFFFu, v[w], offset);
  }
  if (static_cast<int>(threadIdx.x) % 32 < Q::kChunks) store_columns(&shared[threadIdx.x / 32][Q::column()], v);
  __syncthreads();
  static_assert(T::kN <= T::kThreads);
  if (const int column = static_cast<int>(threadIdx.x); column < min(columns, T::kN)) {
    double sum = 0;
#pragma unroll
    for (int i = 0; i < T::kThreads / 32; ++i) sum += static_cast<double>(shared[i][column]);
    to[column] = static_cast<float>(sum);
  }
  __syncthreads();
}

/// Adds up `count` partial sums, `stride` tiles from each other, from tile `first` on: to[i] gets those of set i of kSets.
template <class Engine, int kSets, class Problem>
__device__ __forceinline__ void add_sums(const Problem& problem, const GemmSums& s, int n0, int first, int stride, int count,
                                         float* const (&to)[kSets]) {
  using T = typename Engine::TileType;
  constexpr int kUnroll = 4, kLanes = static_cast<int>(kTileColumns) / 4, kDepth = T::kThreads / kLanes;
  auto& shared = block_shared<GemmShared<T>>().sums;
  const int n = problem.n, lane = static_cast<int>(threadIdx.x) % kLanes, row = static_cast<int>(threadIdx.x) / kLanes;
#pragma unroll 1
  for (int c = 0; c < T::kN && n0 + c < n; c += static_cast<int>(kTileColumns)) {
    const int column = n0 + c + 4 * lane;
    double sums[kSets][4] = {};
#pragma unroll 1
    for (int i = row; column < n && i < count; i += kUnroll * kDepth) {
      float part[kUnroll][kSets][4] = {};
#pragma unroll
      for (int k = 0; k < kUnroll; ++k) {
        if (i + k * kDepth >= count) continue;
        const int tile = first + (i + k * kDepth) * stride;
        const float* const from = s.partials + tile * kSets * static_cast<int64_t>(n) + column;
#pragma unroll
        for (int set = 0; set < kSets; ++set) load_partial_columns(from + set * n, part[k][set]);
      }
#pragma unroll
      for (int k = 0; k < kUnroll; ++k) {
#pragma unroll
        for (int set = 0; set < kSets; ++set) {
#pragma unroll
          for (int w = 0; w < 4; ++w) sums[set][w] += static_cast<double>(part[k][set][w]);
        }
      }
    }
#pragma unroll
    for (int set = 0; set < kSets; ++set) {
      sum_columns(sums[set], kLanes, shared);
      if (column >= n || row > 0) continue;
      float results[4];
#pragma unroll
      for (int w = 0; w < 4; ++w) results[w] = static_cast<float>(sums[set][w]);
      store_columns(to[set] + column, results);
    }
  }
}

/// The last tile of a column of tiles to be done adds up its sums; with many tiles the last one of each group its group, and the
/// last of those the groups. True in the block that has written to[i], for each set of kSets.
template <class Engine, int kSets, class Problem>
__device__ __forceinline__ bool merge_sums(const Problem& problem, const GemmSums& s, int n0, int slot,
                                           float* const (&to)[kSets]) {
  const int groups = (s.tiles + s.group - 1) / s.group, group = slot / s.group;
  uint32_t* const counters = s.counters + n0 / Engine::TileType::kN * (groups + 1);
  const int first = group * s.group, members = min(s.group, s.tiles - first);
  if (!last_block(counters + group, static_cast<unsigned>(members))) return false;
  if (groups == 1) {
    add_sums<Engine, kSets>(problem, s, n0, 0, 1, members, to);
    return true;
  }
  float* partial[kSets];
#pragma unroll
  for (int set = 0; set < kSets; ++set) partial[set] = s.partials + (first * kSets + set) * static_cast<int64_t>(problem.n);
  add_sums<Engine, kSets>(problem, s, n0, first, 1, members, partial);
  if (!last_block(counters + groups, static_cast<unsigned>(groups))) return false;
  add_sums<Engine, kSets>(problem, s, n0, 0, s.group, groups, to);
  return true;
}

/// Sums down the columns of the finished tile in shared memory, with kGradient also of dy * xhat: partial sums `slot`.
template <class Engine, bool kGradient, class Problem>
__device__ __forceinline__ void tile_sums(const Problem& problem, const GemmColumns& columns, int n0, int slot) {
  using Q = TileQuads<Engine>;
  constexpr int kRows = 4, kSets = kGradient ? 2 : 1;  // rows whose loads are in flight
  static_assert(Engine::TileType::kM % (kRows * Q::kRowStep) == 0);
  const BatchNormGrad& g = columns.gradient;
  const int n = n0 + Q::column();
  float sums[4] = {}, products[4] = {};
  if (n < problem.n) {
    float mean[4] = {}, inv_std[4] = {};
    if constexpr (kGradient) {
      load_columns(g.mean + n, mean);
      load_columns(g.inv_std + n, inv_std);
    }
#pragma unroll 1
    for (int row = Q::first_row(); row < Engine::TileType::kM; row += kRows * Q::kRowStep) {
      float x[kRows][4] = {};
      int offset[kRows];
#pragma unroll
      for (int k = 0; k < kRows; ++k) {
        offset[k] = Q::row_offset(row + k * Q::kRowStep);
        if constexpr (kGradient) load_columns(g.x + (offset[k] < 0 ? 0 : offset[k] + n), x[k]);
      }
#pragma unroll
      for (int k = 0; k < kRows; ++k) {
        if (offset[k] < 0) continue;
        const float4 v = *Q::place(row + k * Q::kRowStep);
        const float dy[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
        for (int w = 0; w < 4; ++w) {
          sums[w] += dy[w];
          products[w] += dy[w] * ((x[k][w] - mean[w]) * inv_std[w]);
        }
      }
    }
  }
  float* const to = columns.sums.partials + slot * kSets * static_cast<int64_t>(problem.n) + n0;
  sum_tile_columns<Engine>(sums, problem.n - n0, to);
  if constexpr (kGradient) sum_tile_columns<Engine>(products, problem.n - n0, to + problem.n);
}

/// dx of the tile, of which dy is in shared memory; dbeta and dgamma are there.
template <class Engine, class Problem>
__device__ __forceinline__ void store_norm_grad(const Problem& problem, const BatchNormGrad& args, int n0) {
  using T = typename Engine::TileType;
  using Q = TileQuads<Engine>;
  constexpr int kRows = 4;  // whose loads are in flight
  static_assert(T::kM % (kRows * Q::kRowStep) == 0);
  const int n = n0 + Q::column();
  if (n >= problem.n) return;
  float mean[4], inv_std[4], slope[4], mean_dy[4], mean_dy_xhat[4];
  load_columns(args.mean + n, mean);
  load_columns(args.inv_std + n, inv_std);
  load_columns(args.gamma + n, slope);
  load_partial_columns(args.dbeta + n, mean_dy);
  load_partial_columns(args.dgamma + n, mean_dy_xhat);
  const double per_row = 1.0 / static_cast<double>(args.M);
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    slope[w] *= inv_std[w];
    mean_dy[w] = static_cast<float>(static_cast<double>(mean_dy[w]) * per_row);
    mean_dy_xhat[w] = static_cast<float>(static_cast<double>(mean_dy_xhat[w]) * per_row);
  }
#pragma unroll 1
  for (int row = Q::first_row(); row < T::kM; row += kRows * Q::kRowStep) {
    float x[kRows][4];
    int offset[kRows];
#pragma unroll
    for (int k = 0; k < kRows; ++k) {
      offset[k] = Q::row_offset(row + k * Q::kRowStep);
      load_columns(args.x + (offset[k] < 0 ? 0 : offset[k] + n), x[k]);
    }
#pragma unroll
    for (int k = 0; k < kRows; ++k) {
      if (offset[k] < 0) continue;
      const float4 v = *Q::place(row + k * Q::kRowStep);
      float dx[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        const float xhat = (x[k][w] - mean[w]) * inv_std[w];
        dx[w] = slope[w] * (dx[w] - mean_dy[w] - xhat * mean_dy_xhat[w]);
      }
      store_columns(args.dx + offset[k] + n, dx);
    }
  }
}

template <class Engine, class Problem, class E>
__device__ __forceinline__ void finish_tile(const Problem& problem, const E& epilogue, int m0, int n0) {
  using T = typename Engine::TileType;
  const GemmColumns& columns = epilogue.columns;
  const ColumnWork work = columns.work;
  uint32_t* flag = blocks_wait(work) ? columns.flags + n0 / T::kN : nullptr;
  const auto wait_for = [&](uint32_t before, bool is_there) {
    if (is_there) {
      raise_flag(flag);
    } else {
      await_flag(flag, before);
    }
  };
  const bool normalise = Problem::kStatistics && work == ColumnWork::normalise;
  if constexpr (Problem::kStatistics) {
    if (normalise || work == ColumnWork::statistics) {
      store_tile<Engine, true>(problem, NoTape(), n0, problem.c);
      const uint32_t before = normalise ? flag_before(flag) : 0;
      const bool merged = tile_statistics<Engine>(problem, columns.statistics, m0, n0);
      if (!normalise) return;
      wait_for(before, merged);
      normalise_tile<Engine>(problem, columns, n0);
    }
  }
  const bool gradient = work == ColumnWork::gradient || work == ColumnWork::gradient_sums;
  const bool keep = gradient || work == ColumnWork::sums;
  float* const to = normalise ? columns.apply.y : problem.c;
  store_tile<Engine, true>(problem, epilogue, n0, to, !normalise, keep);
  if (!keep) return;
  n0 = block_shared<GemmShared<T>>().n0;  // anew, or it takes a register while splits are added up
  flag = blocks_wait(work) ? columns.flags + n0 / T::kN : nullptr;
  const int slot = block_shared<GemmShared<T>>().slot;
  if (!gradient) {
    tile_sums<Engine, false>(problem, columns, n0, slot);
    merge_sums<Engine, 1>(problem, columns.sums, n0, slot, {columns.sums.results});
    return;
  }
  tile_sums<Engine, true>(problem, columns, n0, slot);
  const uint32_t before = flag ? flag_before(flag) : 0;
  const bool merged = merge_sums<Engine, 2>(problem, columns.sums, n0, slot, {columns.gradient.dbeta, columns.gradient.dgamma});
  if (!flag) return;
  wait_for(before, merged);
  store_norm_grad<Engine>(problem, columns.gradient, n0);
}

}  // namespace forger::FORGER_DEVICE
