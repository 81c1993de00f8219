// The block of every matrix product here: C[M,N] = sum over k of A[M,k] B[k,N].
//
// A and B pass through shared memory in stages of 16 k, filled by cp.async all but one of a ring ahead; an engine (gemm_ffma.h,
// gemm_mma.h) multiplies what is there; the result goes through shared memory, too, so that it leaves in whole rows.
// What A, B and C are is a Problem's business (matrix_operands.h, conv2d_operands.h):
//   kMajorA, kMajorB          along which axis its operands are contiguous
//   loader_a<Tile>, loader_b<Tile>(first row or column, first k): with load(tile), which copies a stage and steps to the next
//   enter(phase)              makes it one of several problems that share a launch; then m, n, k are its sizes
//   keep_met<Tile>(m0, n0)    leaves out what adds nothing to the tile at (m0, n0); then k is the rest. Only where there may be
//                             such (conv2d_taps.h)
//   row_offset(row)           of row `row` in C, in elements
//   c, bias, partials         where results go; outputs = size of C
//   slot<rows>(tile)          only where sums down C's columns are made (gemm_columns.h): the tile's place among all phases'
// What is done to C on its way out is an Epilogue's (epilogue.h), a kernel parameter of its own: it is read from the constant
// bank, which a Problem, being changed by enter(), is not.
//
// Tiles of an operand in shared memory, without padding, swizzled so that no access below has bank conflicts:
//   k-major:  [rows][16]   rows of four 16-byte chunks; chunk c of row e lies at c ^ (e / 2 % 4)
//   mn-major: [16][cols]   column e of row k lies at e ^ 8 * (k / 4 % 4)
// Both keep 16 aligned bytes together. A thread that multiplies reads "slots" in groups of four: with L lanes along the
// axis, slot u of lane l is element u * L + l of a k-major tile and element 4 * l + u of an mn-major one, so that each
// read is a float4, along k or along the axis. The order of rows and columns is put right when C is written, and the
// order of the sum over k is the same for A and B.
#pragma once

#include "kernels/cuda/column_tiles.h"
#include "kernels/cuda/epilogue.h"
#include "kernels/cuda/gemm_plan.h"
#include "kernels/cuda/last_block.h"

namespace forger::FORGER_DEVICE {

enum class Major : uint8_t { k, mn };

/// A block's tile of C, and of it each warp's.
template <int kM_, int kN_, int kWarpM_, int kWarpN_>
struct Tile {
  static constexpr int kM = kM_, kN = kN_, kWarpM = kWarpM_, kWarpN = kWarpN_;
  static constexpr int kWarpsN = kN / kWarpN;
  static constexpr int kThreads = kM / kWarpM * kWarpsN * 32;
};

/// A block's; the launch states shared_bytes(tile, stages), which may be more than this.
template <class T>
struct GemmShared {
  static constexpr int kRow = T::kN + 8;  // of the result: 8 words of padding spread a warp's rows over the banks
  struct Stage {
    float a[T::kM * kTileK], b[T::kN * kTileK];
  };
  union {  // beside the result, which is still needed when they have been used
    ColumnSums<static_cast<unsigned>(T::kThreads)> sums;
    float warps[T::kThreads / 32][T::kN];
  };
  int row_offset[T::kM];
  int slot, m0, n0, split;            // of problems whose columns are summed: here they take no registers of the main loop
  alignas(16) float c[T::kM * kRow];  // last, in the place of the ring

  __device__ __forceinline__ Stage& stage(int i) { return reinterpret_cast<Stage*>(c)[i]; }
};

/// Waits for the oldest of the stages - 1 that are under way. The instruction has its number in itself, and no predicate:
/// branches, the most frequent first, and compared so that the compiler makes no table of jumps of them.
__device__ __forceinline__ void wait_for_stage(int stages) {
  if (stages == kUsualStages) {
    ptx::cp_async_wait<2>();
  } else if (stages > 6) {
    ptx::cp_async_wait<6>();
  } else if (stages > kUsualStages) {
    ptx::cp_async_wait<4>();
  } else {
    ptx::cp_async_wait<1>();
  }
}

/// Where element (e, k) of an operand's tile lies.
template <Major kMajor, int kExtent>
__device__ __forceinline__ int tile_offset(int e, int k) {
  if constexpr (kMajor == Major::k) {
    return e * kTileK + 4 * ((k / 4) ^ (e / 2 % 4)) + k % 4;
  } else {
    return k * kExtent + (e ^ (8 * (k / 4 % 4)));
  }
}

/// Which element of a group of 4 * kLanes is slot `slot` of lane `lane`.
template <Major kMajor, int kLanes>
__device__ __forceinline__ int slot_element(int slot, int lane) {
  return kMajor == Major::k ? slot * kLanes + lane : 4 * lane + slot;
}

/// values[slot][j] = element (first + slot_element(slot, lane), k + j); k is a multiple of kDepth, which is 2 or 4.
template <Major kMajor, int kExtent, int kLanes, int kDepth>
__device__ __forceinline__ void read_slots(const float* tile, int first, int lane, int k, float (&values)[4][kDepth]) {
  if constexpr (kMajor == Major::k) {
#pragma unroll
    for (int slot = 0; slot < 4; ++slot) {
      const float* const at = tile + tile_offset<kMajor, kExtent>(first + slot * kLanes + lane, k);
      if constexpr (kDepth == 4) {
        const float4 v = *reinterpret_cast<const float4*>(at);
        values[slot][0] = v.x, values[slot][1] = v.y, values[slot][2] = v.z, values[slot][3] = v.w;
      } else {
        const float2 v = *reinterpret_cast<const float2*>(at);
        values[slot][0] = v.x, values[slot][1] = v.y;
      }
    }
  } else {
#pragma unroll
    for (int j = 0; j < kDepth; ++j) {
      const float4 v = *reinterpret_cast<const float4*>(tile + tile_offset<kMajor, kExtent>(first + 4 * lane, k + j));
      values[0][j] = v.x, values[1][j] = v.y, values[2][j] = v.z, values[3][j] = v.w;
    }
  }
}

/// Which pieces of an operand's tile this thread copies: kCount of them, kVec elements each along the contiguous axis,
/// all at the same place on that axis.
template <Major kMajor, int kExtent, int kThreads, int kVec>
struct Pieces {
  static constexpr int kSideBySide = (kMajor == Major::k ? kTileK : kExtent) / kVec;
  static constexpr int kStep = kThreads / kSideBySide;
  static constexpr int kCount = (kMajor == Major::k ? kExtent : kTileK) / kStep;
  static_assert(kStep * kSideBySide == kThreads && kStep * kCount == (kMajor == Major::k ? kExtent : kTileK));

  static __device__ __forceinline__ int along() { return static_cast<int>(threadIdx.x) % kSideBySide * kVec; }
  static __device__ __forceinline__ int across(int i) { return static_cast<int>(threadIdx.x) / kSideBySide + i * kStep; }

  /// Starts copying piece i; zeros if not `valid`, and then the offset is 0.
  static __device__ __forceinline__ void copy(float* tile, int i, const float* base, int offset, bool valid) {
    const int at =
        kMajor == Major::k ? tile_offset<kMajor, kExtent>(across(i), along()) : tile_offset<kMajor, kExtent>(along(), across(i));
    ptx::cp_async<4 * kVec>(tile + at, base + offset, valid);
  }
};

/// Blocks per multiprocessor that a kernel's registers must allow: scalar copies need more of them.
template <class Engine, int kVec>
inline constexpr int kMinBlocks = kVec == 1 ? kScalarBlocksPerSm : Engine::kBlocksPerSm;

/// gemm_columns.h: for problems whose columns are summed in passing. In place of store_tile.
template <class Engine, class Problem, class E>
__device__ __forceinline__ void finish_tile(const Problem& problem, const E& epilogue, int m0, int n0);

struct GemmGrid {
  int tiles_n = 1, splits = 1;
  int group = 0, stages = kUsualStages;  // as in GemmPlan
  uint32_t* counters = nullptr;
};

/// A block's place in a product.
struct GemmBlock {
  unsigned tile;   // of C, columns first (neighbours share A in L2)
  unsigned slice;  // of phases x splits of the reduction
  unsigned tiles;  // in a slice
};
/// Where the blocks of a product that has a grid of its own are. kAnew: it is better asked again than an answer kept in
/// registers for long.
struct OwnGrid {
  static constexpr bool kAnew = false;
  __device__ __forceinline__ GemmBlock operator()() const { return {blockIdx.x, blockIdx.z, gridDim.x}; }
};

template <class Engine>
__device__ __forceinline__ int column_of(const GemmBlock& block, const GemmGrid& grid) {
  return static_cast<int>(block.tile) % grid.tiles_n * Engine::TileType::kN;
}
__device__ __forceinline__ int split_of(const GemmBlock& block, const GemmGrid& grid) {
  return static_cast<int>(block.slice) % grid.splits;
}

/// Which quads of a tile of C a thread has, in which order: rows first_row(), + kRowStep, ... of four columns.
template <class Engine>
struct TileQuads {
  using T = typename Engine::TileType;
  static constexpr int kChunks = T::kN / 4, kRowStep = T::kThreads / kChunks;
  // Quads in flight: as many as registers allow, of which sixteen warps on a multiprocessor have 128 each, twelve 168.
  static constexpr int kOnSm = T::kThreads * Engine::kBlocksPerSm, kQuads = kOnSm >= 512 ? 1 : kOnSm >= 384 ? 2 : 4;
  static_assert(T::kM % (kQuads * kRowStep) == 0);

  static __device__ __forceinline__ int column() { return static_cast<int>(threadIdx.x) % kChunks * 4; }
  static __device__ __forceinline__ int first_row() { return static_cast<int>(threadIdx.x) / kChunks; }
  static __device__ __forceinline__ int row_offset(int row) { return block_shared<GemmShared<T>>().row_offset[row]; }
  static __device__ __forceinline__ float4* place(int row) {
    return reinterpret_cast<float4*>(&block_shared<GemmShared<T>>().c[row * GemmShared<T>::kRow + column()]);
  }
};

/// Writes the block's tile of C from shared memory to `to`: finished, with epilogue and (if `biased`) bias, or as a partial sum.
/// `keep`: what is finished replaces the tile in shared memory, each thread's quads for itself; `to` may then be null.
template <class Engine, bool kFinished, class Problem, class E>
__device__ __forceinline__ void store_tile(const Problem& problem, const E& epilogue, int n0, float* to, bool biased = true,
                                           bool keep = false) {
  using Q = TileQuads<Engine>;
  const int n = n0 + Q::column();
  if (n >= problem.n) return;
  const int width = min(4, problem.n - n);
  float add[4] = {};
  if (kFinished && biased && problem.bias) {
    for (int i = 0; i < width; ++i) add[i] = problem.bias[n + i];
  }
  const bool vectors = problem.n % 4 == 0;
#pragma unroll 1
  for (int row = Q::first_row(); row < Engine::TileType::kM; row += Q::kQuads * Q::kRowStep) {
    float4 v[Q::kQuads];
    int64_t at[Q::kQuads];  // in C; rows beyond the last are computed as element 0, and not written
    bool valid[Q::kQuads];
#pragma unroll
    for (int q = 0; q < Q::kQuads; ++q) {
      const int offset = Q::row_offset(row + q * Q::kRowStep);
      valid[q] = offset >= 0;
      at[q] = valid[q] ? offset + n : 0;
      v[q] = *Q::place(row + q * Q::kRowStep);
      v[q] = make_float4(v[q].x + add[0], v[q].y + add[1], v[q].z + add[2], v[q].w + add[3]);
    }
    if (kFinished && !epilogue.empty()) epilogue.apply(v, at);
#pragma unroll
    for (int q = 0; q < Q::kQuads; ++q) {
      if (keep) *Q::place(row + q * Q::kRowStep) = v[q];
      if (!valid[q] || (keep && !to)) continue;
      float* const out = to + at[q];
      if (vectors) {
        *reinterpret_cast<float4*>(out) = v[q];
      } else {
        out[0] = v[q].x;
        if (width > 1) out[1] = v[q].y;
        if (width > 2) out[2] = v[q].z;
        if (width > 3) out[3] = v[q].w;
      }
    }
  }
}

/// Adds up this tile of `count` splits from `first` on, `stride` apart, in this order, into shared memory, where each thread
/// finds in store_tile what it has added here. Four times kSplits 16-byte loads of each thread are in flight.
template <class Engine, int kSplits, class Problem>
__device__ __forceinline__ void add_partials(const Problem& problem, int n0, int first, int stride, int count) {
  using T = typename Engine::TileType;
  auto& shared = block_shared<GemmShared<T>>();
  constexpr int kChunks = T::kN / 4, kStep = T::kThreads / kChunks, kRows = 4;
  static_assert(T::kM % (kRows * kStep) == 0);
  const int column = static_cast<int>(threadIdx.x) % kChunks * 4, n = n0 + column;
  if (n >= problem.n) return;
  const int width = min(4, problem.n - n);
  const bool vectors = problem.n % 4 == 0;
  const float* const from = problem.partials + first * static_cast<int64_t>(problem.outputs) + n;
  const int64_t step = stride * static_cast<int64_t>(problem.outputs);
  for (int row = static_cast<int>(threadIdx.x) / kChunks; row < T::kM; row += kRows * kStep) {
    float4 sums[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) sums[r] = make_float4(0.f, 0.f, 0.f, 0.f);
    for (int s = 0; s < count; s += kSplits) {
      float4 v[kRows][kSplits];
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const int offset = shared.row_offset[row + r * kStep];
#pragma unroll
        for (int k = 0; k < kSplits; ++k) {
          const float* const at = from + (s + k) * step + offset;
          v[r][k] = make_float4(0.f, 0.f, 0.f, 0.f);
          if (offset < 0 || s + k >= count) continue;
          if (vectors) {
            v[r][k] = __ldcg(reinterpret_cast<const float4*>(at));
          } else {
            v[r][k].x = __ldcg(at);
            if (width > 1) v[r][k].y = __ldcg(at + 1);
            if (width > 2) v[r][k].z = __ldcg(at + 2);
            if (width > 3) v[r][k].w = __ldcg(at + 3);
          }
        }
      }
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
#pragma unroll
        for (int k = 0; k < kSplits; ++k) {
          sums[r] = make_float4(sums[r].x + v[r][k].x, sums[r].y + v[r][k].y, sums[r].z + v[r][k].z, sums[r].w + v[r][k].w);
        }
      }
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      *reinterpret_cast<float4*>(&shared.c[(row + r * kStep) * GemmShared<T>::kRow + column]) = sums[r];
    }
  }
}

/// The last split of a tile to be done adds up all; with many splits the last one of each group its group, and the last of
/// those the groups. True in the block that then has the sum in shared memory.
template <class Engine, class Problem, class E, class Where>
__device__ __forceinline__ bool sum_splits(const Problem& problem, const GemmGrid& grid, const E& epilogue, const Where& where,
                                           GemmBlock block, int n0, int split) {
  constexpr bool kColumns = requires(const E& e) {
    e.columns;
  };  // they take registers
  constexpr int kSplits = kColumns && TileQuads<Engine>::kQuads == 1 ? 3 : 4;
  const int groups = (grid.splits + grid.group - 1) / grid.group;
  int group = split / grid.group, first = group * grid.group;
  const auto counters_of_tile = [&] {
    const unsigned tile = block.slice / static_cast<unsigned>(grid.splits) * block.tiles + block.tile;
    return grid.counters + tile * static_cast<unsigned>(counters_per_tile(grid.splits, grid.group));
  };
  uint32_t* counters = counters_of_tile();
  const int members = min(grid.group, grid.splits - first);
  if (!last_block(counters + group, static_cast<unsigned>(members))) return false;
  add_partials<Engine, kSplits>(problem, n0, first, 1, members);
  if (groups == 1) return true;
  if constexpr (Where::kAnew) {
    block = where();
    n0 = column_of<Engine>(block, grid);
    first = split_of(block, grid) / grid.group * grid.group;
    counters = counters_of_tile();
  }
  store_tile<Engine, false>(problem, epilogue, n0, problem.partials + first * static_cast<int64_t>(problem.outputs));
  if (!last_block(counters + groups, static_cast<unsigned>(groups))) return false;
  add_partials<Engine, kSplits>(problem, n0, 0, grid.group, groups);
  return true;
}

/// where() gives the GemmBlock.
template <class Engine, class Problem, class E, class Where = OwnGrid>
__device__ __forceinline__ void gemm_block(Problem problem, const GemmGrid& grid, const E& epilogue, const Where& where = {}) {
  using T = typename Engine::TileType;
  auto& shared = block_shared<GemmShared<T>>();
  GemmBlock block = where();
  problem.enter(static_cast<int>(block.slice) / grid.splits);
  const int m0 = static_cast<int>(block.tile) / grid.tiles_n * T::kM;
  int n0 = column_of<Engine>(block, grid);
  if (m0 >= problem.m) return;  // a phase smaller than the others
  if constexpr (leaves_out(Engine::kTensorCores, T::kM, T::kN) && requires { problem.template keep_met<T>(m0, n0); }) {
    problem.template keep_met<T>(m0, n0);
  }
  int split = split_of(block, grid);
  const int64_t all_tiles = ceil_div(problem.k, kTileK);
  const int first = static_cast<int>(all_tiles * split / grid.splits);
  int left = static_cast<int>(all_tiles * (split + 1) / grid.splits) - first;

  for (int row = static_cast<int>(threadIdx.x); row < T::kM; row += T::kThreads) {
    shared.row_offset[row] = m0 + row < problem.m ? problem.row_offset(m0 + row) : -1;
  }
  if constexpr (requires { epilogue.columns; }) {
    if (threadIdx.x == 0) {
      shared.slot = problem.template slot<T::kM>(m0 / T::kM);
      shared.m0 = m0, shared.n0 = n0, shared.split = split;
    }
  }
  auto loader_a = problem.template loader_a<T>(m0, first * kTileK);
  auto loader_b = problem.template loader_b<T>(n0, first * kTileK);
  constexpr bool kAnyDepth = any_depth(Engine::kTensorCores, T::kM, T::kN);
  [[maybe_unused]] constexpr int kUnroll = kAnyDepth ? 1 : kUsualStages - 1;
  const int stages = kAnyDepth ? grid.stages : kUsualStages;
  const auto fetch = [&](bool is_there, int slot) {
    if (is_there) {
      auto& stage = shared.stage(slot);
      loader_a.load(stage.a);
      loader_b.load(stage.b);
    }
    ptx::cp_async_commit();  // an empty group, too: the wait below counts groups
  };
#pragma unroll kUnroll
  for (int tile = 0; tile < stages - 1; ++tile) fetch(tile < left, tile);

  Engine engine;
  int slot = 0;  // of the ring: what is multiplied
#pragma unroll 1
  for (; left > 0; --left) {
    wait_for_stage(stages);
    __syncthreads();  // this stage is there for all; nobody reads the one before it any more
    fetch(left >= stages, slot == 0 ? stages - 1 : slot - 1);
    const auto& stage = shared.stage(slot);
    engine.template multiply<Problem::kMajorA, Problem::kMajorB>(stage.a, stage.b);
    slot = slot + 1 == stages ? 0 : slot + 1;
  }
  ptx::cp_async_wait<0>();
  __syncthreads();
  engine.template store<Problem::kMajorA, Problem::kMajorB>(
      [&](int row, int column, float value) { shared.c[row * GemmShared<T>::kRow + column] = value; });
  __syncthreads();
  if constexpr (Where::kAnew) {
    block = where();
    n0 = column_of<Engine>(block, grid);
    split = split_of(block, grid);
  } else if constexpr (requires { epilogue.columns; }) {
    n0 = shared.n0;
    split = shared.split;
  }
  if (grid.splits > 1) {
    store_tile<Engine, false>(problem, epilogue, n0, problem.partials + split * static_cast<int64_t>(problem.outputs));
    if (!grid.counters || !sum_splits<Engine>(problem, grid, epilogue, where, block, n0, split)) return;
    if constexpr (Where::kAnew) n0 = column_of<Engine>(where(), grid);
  }
  if constexpr (requires { epilogue.columns; }) {
    // Read anew only where that saves a register: for the tiles of the CUDA cores it costs one.
    finish_tile<Engine>(problem, epilogue, Engine::kTensorCores ? shared.m0 : m0, n0);
  } else {
    store_tile<Engine, true>(problem, epilogue, n0, problem.c);
  }
}

}  // namespace forger::FORGER_DEVICE
