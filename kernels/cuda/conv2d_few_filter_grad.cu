// dw[k,r,s,c] = sum over (n, p, q) of x[n, p*stride - pad + r, q*stride - pad + s, c] dy[n,p,q,k], with one or three channels
// on one side of the filter ("few") and lanes on the other ("many").
//
// A block has one filter row r, 32 of the many channels and a share of the output rows (n, p), which its warps take in
// turn. A warp goes along a row eight pixels at a time and keeps sums for all (few, s) in registers: dy and a window of x
// are read once, the many side as 128 contiguous bytes, the few side as one address for all lanes. The warps' sums meet
// in shared memory, the blocks' in the last of them to be done (last_block.h), both in fixed order. The gradient of a bias,
// sums of dy, is made in passing.
// Limits: S in {1, 3, 4, 5, 7}; stride 1 along rows, with few inputs also 2.
#include "kernels/cuda/conv2d_few_channels.h"
#include "kernels/cuda/last_block.h"

namespace forger::FORGER_DEVICE {

namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32, kPixels = 8;

struct FewFilterGrad {
  const float *x, *dy;
  float* dw;
  float* db;        // null: is not asked for
  float* partials;  // [splits][blocks side by side][sums][32]: what a block has is contiguous
  uint32_t* counters;
  int N, H, W, C, K, R, P, Q;
  int stride_h, pad_top, pad_left;
};

template <int kSums>
struct WarpSums {
  float sums[kWarps][kSums][32];
};

template <bool kFewInputs, int kFew, int kS, int kStride>
__global__ void __launch_bounds__(kThreads) conv2d_few_filter_grad_f32_kernel(const __grid_constant__ FewFilterGrad a) {
  begin_kernel();
  constexpr int kWindow = (kPixels - 1) * kStride + kS;
  constexpr int kXs = kFewInputs ? kFew : 1, kDys = kFewInputs ? 1 : kFew;
  auto& shared = block_shared<WarpSums<kFew * kS + kDys>>();
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int r = static_cast<int>(blockIdx.x) % a.R, many = static_cast<int>(blockIdx.x) / a.R * 32 + lane;
  const bool active = many < (kFewInputs ? a.K : a.C);
  const int64_t rows = int64_t{a.N} * a.P;
  const int begin = static_cast<int>(rows * blockIdx.y / gridDim.y), end = static_cast<int>(rows * (blockIdx.y + 1) / gridDim.y);

  // The middle row of the filter sums up dy, too: each number of it is there once, where the row meets the image.
  const bool sums_dy = a.db && r == a.R / 2;
  float sums[kFew][kS] = {}, sums_of_dy[kDys] = {};
  for (int line = begin + warp; line < end; line += kWarps) {
    const int n = line / a.P, h = line % a.P * a.stride_h - a.pad_top + r;
    const bool inside = h >= 0 && h < a.H;
    if (!inside && !sums_dy) continue;
    const float* const x = inside ? a.x + (n * a.H + h) * a.W * a.C : a.x;
    const float* const dy = a.dy + line * a.Q * a.K;
#pragma unroll 1
    for (int q0 = 0; q0 < a.Q; q0 += kPixels) {
      float window[kXs][kWindow], gradient[kDys][kPixels];
#pragma unroll
      for (int j = 0; j < kWindow; ++j) {
        const int w = q0 * kStride - a.pad_left + j;
        const bool valid = w >= 0 && w < a.W && active && inside;
#pragma unroll
        for (int c = 0; c < kXs; ++c) window[c][j] = valid ? x[w * a.C + (kFewInputs ? c : many)] : 0.f;
      }
#pragma unroll
      for (int i = 0; i < kPixels; ++i) {
        const bool valid = q0 + i < a.Q && active;
#pragma unroll
        for (int k = 0; k < kDys; ++k) gradient[k][i] = valid ? dy[(q0 + i) * a.K + (kFewInputs ? many : k)] : 0.f;
      }
#pragma unroll
      for (int i = 0; i < kPixels; ++i) {
        if (sums_dy) {
#pragma unroll
          for (int k = 0; k < kDys; ++k) sums_of_dy[k] += gradient[k][i];
        }
#pragma unroll
        for (int s = 0; s < kS; ++s) {
#pragma unroll
          for (int f = 0; f < kFew; ++f) {
            sums[f][s] += window[kFewInputs ? f : 0][i * kStride + s] * gradient[kFewInputs ? 0 : f][i];
          }
        }
      }
    }
  }

#pragma unroll
  for (int f = 0; f < kFew; ++f) {
#pragma unroll
    for (int s = 0; s < kS; ++s) shared.sums[warp][f * kS + s][lane] = sums[f][s];
  }
#pragma unroll
  for (int k = 0; k < kDys; ++k) shared.sums[warp][kFew * kS + k][lane] = sums_of_dy[k];
  __syncthreads();
  constexpr int kSums = kFew * kS, kInFlight = 16;
  const int num_sums = sums_dy ? kSums + kDys : kSums;
  const auto store = [&](int i, float total) {
    if (i >= kSums) {  // few outputs: every lane has the same sums
      if (active && (kFewInputs || many == 0)) a.db[kFewInputs ? many : i - kSums] = total;
      return;
    }
    const int k = kFewInputs ? many : i / kS, c = kFewInputs ? i / kS : many;
    if (active) a.dw[((k * a.R + r) * kS + i % kS) * a.C + c] = total;
  };
  const int splits = static_cast<int>(gridDim.y);
  const int64_t step = int64_t{gridDim.x} * (kSums + kDys) * 32;
  float* const partials = a.partials + blockIdx.x * (kSums + kDys) * 32;
  for (int i = warp; i < num_sums; i += kWarps) {
    float total = 0;
#pragma unroll
    for (int from = 0; from < kWarps; ++from) total += shared.sums[from][i][lane];
    if (splits == 1) {
      store(i, total);
    } else {
      partials[blockIdx.y * step + i * 32 + lane] = total;
    }
  }
  if (splits == 1 || !last_block(a.counters + blockIdx.x, gridDim.y)) return;
  for (int i = warp; i < num_sums; i += kWarps) {
    float total = 0;
    for (int s = 0; s < splits; s += kInFlight) {
      float v[kInFlight];
#pragma unroll
      for (int k = 0; k < kInFlight; ++k) v[k] = s + k < splits ? __ldcg(partials + (s + k) * step + i * 32 + lane) : 0.f;
#pragma unroll
      for (int k = 0; k < kInFlight; ++k) total += v[k];
    }
    store(i, total);
  }
}

unsigned blocks_side_by_side(const Conv2dShape& s, bool few_inputs) {
  return static_cast<unsigned>(s.R * ceil_div(few_inputs ? s.K : s.C, 32));
}

template <bool kFewInputs, int kFew, int kStride>
void launch_few_filter_grad(const FewFilterGrad& a, int64_t S, int splits, Stream stream) {
  const auto run = [&]<int kS>() {
    const int64_t many = kFewInputs ? a.K : a.C;
    launch(conv2d_few_filter_grad_f32_kernel<kFewInputs, kFew, kS, kStride>,
           {.grid_x = static_cast<unsigned>(a.R * ceil_div(many, 32)),
            .grid_y = static_cast<unsigned>(splits),
            .threads = kThreads,
            .shared_bytes = sizeof(WarpSums<kFew * kS + (kFewInputs ? 1 : kFew)>)},
           stream, a);
  };
  if (S == 1) return run.template operator()<1>();
  if (S == 3) return run.template operator()<3>();
  if (S == 4) return run.template operator()<4>();
  if (S == 5) return run.template operator()<5>();
  run.template operator()<7>();
}

bool few_inputs(const Conv2dShape& s) {
  return s.C == 1 || s.C == 3;
}

}  // namespace

const char* few_filter_grad_declines(const Conv2dShape& s) {
  const bool few_outputs = s.K == 1 || s.K == 3;
  if (!(few_inputs(s) && s.K >= 16) && !(few_outputs && s.C >= 16)) return "channels are not 1 or 3 against 16 or more";
  if (s.stride_w != 1 && !(s.stride_w == 2 && few_inputs(s))) return "stride is not 1 (or 2, with few inputs)";
  if (s.S != 1 && s.S != 3 && s.S != 4 && s.S != 5 && s.S != 7) return "filter width is not 1, 3, 4, 5 or 7";
  return nullptr;
}

int few_filter_grad_splits(const Conv2dShape& s, int multiprocessors) {
  // Four blocks per multiprocessor hide each other's latencies; each warp should have a row at least.
  constexpr int64_t kMost = 128;
  const int64_t blocks = blocks_side_by_side(s, few_inputs(s)), rows = s.N * s.P;
  const int64_t wanted = ceil_div(int64_t{4} * multiprocessors, blocks), useful = ceil_div(rows, kWarps);
  const int64_t splits = wanted < useful ? wanted : useful;
  return static_cast<int>(splits < kMost ? splits : kMost);
}

size_t few_filter_grad_workspace_bytes(const Conv2dShape& s, int splits) {
  const int64_t sums = few_inputs(s) ? s.C * s.S + 1 : s.K * s.S + s.K;  // of dy, too
  return splits == 1 ? 0 : sizeof(float) * static_cast<size_t>(splits * sums * 32 * blocks_side_by_side(s, few_inputs(s)));
}

size_t few_filter_grad_counters(const Conv2dShape& s, int splits) {
  return splits == 1 ? 0 : blocks_side_by_side(s, few_inputs(s));
}

void conv2d_few_filter_grad(const Conv2dShape& s, int splits, const float* x, const float* dy, float* dw, float* db,
                            float* workspace, uint32_t* counters, Stream stream) {
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  const FewFilterGrad a{x,      dy,     dw,     db,     workspace, counters,      i(s.N),       i(s.H),       i(s.W),
                        i(s.C), i(s.K), i(s.R), i(s.P), i(s.Q),    i(s.stride_h), i(s.pad_top), i(s.pad_left)};
  if (!few_inputs(s)) {
    (s.K == 1 ? launch_few_filter_grad<false, 1, 1> : launch_few_filter_grad<false, 3, 1>)(a, s.S, splits, stream);
  } else if (s.stride_w == 1) {
    (s.C == 1 ? launch_few_filter_grad<true, 1, 1> : launch_few_filter_grad<true, 3, 1>)(a, s.S, splits, stream);
  } else {
    (s.C == 1 ? launch_few_filter_grad<true, 1, 2> : launch_few_filter_grad<true, 3, 2>)(a, s.S, splits, stream);
  }
}

}  // namespace forger::FORGER_DEVICE
