// dx[n,h,w,c] = bias[c] + sum over (r, s, k) of dy[n,p,q,k] w[k,r,s,c], p*stride - pad + r = h and likewise q, for at most four
// c.
//
// A warp computes eight pixels of a row of dx that see the same taps: columns of one remainder modulo the stride. Lanes
// are filters k, so that every read of dy is 128 contiguous bytes; the sum over k ends with a reduction over the warp.
// Shared memory holds the filter as [r][s][c][k]. Limits: k at least 16 (lanes beyond are idle); the filter fits into
// 48 KiB.
#include "kernels/cuda/conv2d_few_channels.h"
#include "kernels/cuda/epilogue.h"
#include "kernels/cuda/sum_eight.h"

namespace forger::FORGER_DEVICE {

namespace {

constexpr int kThreads = 256, kPixels = 8;
constexpr int kMaxWeights = (48 << 10) / 4;

struct FewInputGrad {
  const float *dy, *w, *bias;
  float* dx;
  int H, W, K, R, S, P, Q;
  int stride_h, stride_w, pad_top, pad_left;
  int strips, warps;  // strips: of eight pixels, per remainder and row
};

/// Only the part that the filter needs is allocated.
struct FilterByTap {
  float w[kMaxWeights];
};

template <int kC>
__global__ void __launch_bounds__(kThreads, 3)
    conv2d_few_input_grad_f32_kernel(const __grid_constant__ FewInputGrad a, const __grid_constant__ Epilogue epilogue) {
  begin_kernel();
  auto& shared = block_shared<FilterByTap>();
  const int per_filter = a.R * a.S * kC;
  for (int i = static_cast<int>(threadIdx.x); i < per_filter * a.K; i += kThreads) {
    shared.w[i] = a.w[i % a.K * per_filter + i / a.K];
  }
  __syncthreads();

  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(blockIdx.x * (kThreads / 32) + threadIdx.x / 32);
  if (warp >= a.warps) return;
  const int j0 = warp % a.strips * kPixels, remainder = warp / a.strips % a.stride_w, line = warp / a.strips / a.stride_w;
  const int h = line % a.H, n = line / a.H;

  float sums[kC][kPixels] = {};
  for (int r = (h + a.pad_top) % a.stride_h; r < a.R; r += a.stride_h) {
    const int p = (h + a.pad_top - r) / a.stride_h;
    if (h + a.pad_top < r || p >= a.P) continue;
    for (int s = (remainder + a.pad_left) % a.stride_w; s < a.S; s += a.stride_w) {
      const int q0 = j0 + (remainder + a.pad_left - s) / a.stride_w;  // exact, even if negative
      const float* const row = a.dy + (n * a.P + p) * a.Q * a.K;
      for (int k = lane; k < a.K; k += 32) {
        float weights[kC];
#pragma unroll
        for (int c = 0; c < kC; ++c) weights[c] = shared.w[((r * a.S + s) * kC + c) * a.K + k];
#pragma unroll
        for (int i = 0; i < kPixels; ++i) {
          const float value = q0 + i >= 0 && q0 + i < a.Q ? row[(q0 + i) * a.K + k] : 0.f;
#pragma unroll
          for (int c = 0; c < kC; ++c) sums[c][i] += value * weights[c];
        }
      }
    }
  }

  // Lane 4 i + c writes channel c of pixel i.
  const int channel = lane % 4, w = remainder + a.stride_w * (j0 + lane / 4);
  float result = a.bias && channel < kC ? a.bias[channel] : 0.f;
#pragma unroll
  for (int c = 0; c < kC; ++c) {
    const float total = sum_eight(sums[c]);
    if (c == channel) result += total;
  }
  if (channel >= kC || w >= a.W) return;
  float4 v[] = {make_float4(result, 0.f, 0.f, 0.f)};
  const int64_t at[] = {(static_cast<int64_t>(line) * a.W + w) * kC + channel};
  if (!epilogue.empty()) epilogue.apply(v, at);
  a.dx[at[0]] = v[0].x;
}

}  // namespace

const char* input_grad_few_outputs_declines(const Conv2dShape& s) {
  if (s.C > 4) return "more than 4 input channels";
  if (s.K < 16) return "fewer than 16 output channels";
  if (s.filter_size() > kMaxWeights) return "the filter is larger than 48 KiB";
  return nullptr;
}

void conv2d_input_grad_few_outputs(const Conv2dShape& s, const float* dy, const float* w, const float* bias, float* dx,
                                   Stream stream, const EpilogueArgs& epilogue) {
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  const int64_t strips = ceil_div(ceil_div(s.W, s.stride_w), kPixels), warps = s.N * s.H * s.stride_w * strips;
  const FewInputGrad a{dy,
                       w,
                       bias,
                       dx,
                       i(s.H),
                       i(s.W),
                       i(s.K),
                       i(s.R),
                       i(s.S),
                       i(s.P),
                       i(s.Q),
                       i(s.stride_h),
                       i(s.stride_w),
                       i(s.pad_top),
                       i(s.pad_left),
                       i(strips),
                       i(warps)};
  const LaunchShape shape{.grid_x = static_cast<unsigned>(ceil_div(warps, kThreads / 32)),
                          .threads = kThreads,
                          .shared_bytes = static_cast<size_t>(s.filter_size()) * sizeof(float)};
  const auto kernel = s.C == 1   ? conv2d_few_input_grad_f32_kernel<1>
                      : s.C == 2 ? conv2d_few_input_grad_f32_kernel<2>
                      : s.C == 3 ? conv2d_few_input_grad_f32_kernel<3>
                                 : conv2d_few_input_grad_f32_kernel<4>;
  launch(kernel, shape, stream, a, Epilogue(epilogue, s.input_size()));
}

}  // namespace forger::FORGER_DEVICE
