// y[n,p,q,k] = bias[k] + sum over (r, s, c) of x[n, p - pad + r, q - pad + s, c] w[k,r,s,c] for one or three k.
//
// A warp computes a strip of a row of y; lanes are channels, so that every read of x is 128 contiguous bytes. For each
// filter row it slides over the strip's inputs once: a value is read once and used for all S taps, from registers. The
// sum over channels ends with a reduction over the warp. Warps of a block take neighbouring rows, which share inputs in
// L1. No shared memory. Limits: stride 1, S in {1, 3, 4, 5, 7}.
#include "kernels/cuda/conv2d_few_channels.h"
#include "kernels/cuda/epilogue.h"
#include "kernels/cuda/sum_eight.h"

namespace forger::FORGER_DEVICE {

namespace {

constexpr int kThreads = 256;

struct FewOutputs {
  const float *x, *w, *bias;
  float* y;
  int H, W, C, R, P, Q, pad_top, pad_left;
  int strips, warps;
};

template <int kOutputs, int kS>
__global__ void __launch_bounds__(kThreads)
    conv2d_few_outputs_f32_kernel(const __grid_constant__ FewOutputs a, const __grid_constant__ Epilogue epilogue) {
  begin_kernel();
  constexpr int kStrip = kOutputs == 1 ? 16 : 8;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(blockIdx.x * (kThreads / 32) + threadIdx.x / 32);
  if (warp >= a.warps) return;
  const int p = warp % a.P, q0 = warp / a.P % a.strips * kStrip, n = warp / a.P / a.strips;

  float sums[kOutputs][kStrip] = {};
  for (int c = lane; c < a.C + lane; c += 32) {  // the same number of turns for all lanes
    const bool channel = c < a.C;
#pragma unroll 1
    for (int r = 0; r < a.R; ++r) {
      const int h = p - a.pad_top + r;
      if (h < 0 || h >= a.H) continue;
      float weights[kOutputs][kS];
#pragma unroll
      for (int k = 0; k < kOutputs; ++k) {
#pragma unroll
        for (int s = 0; s < kS; ++s) weights[k][s] = channel ? a.w[((k * a.R + r) * kS + s) * a.C + c] : 0.f;
      }
      const float* const row = a.x + (n * a.H + h) * a.W * a.C;
#pragma unroll
      for (int j = 0; j < kStrip + kS - 1; ++j) {
        const int w = q0 - a.pad_left + j;
        const float value = channel && w >= 0 && w < a.W ? row[w * a.C + c] : 0.f;
#pragma unroll
        for (int s = 0; s < kS; ++s) {
          if (j - s < 0 || j - s >= kStrip) continue;
#pragma unroll
          for (int k = 0; k < kOutputs; ++k) sums[k][j - s] += value * weights[k][s];
        }
      }
    }
  }

  // Lane 4 i + k writes output k of the group's pixel i.
  constexpr int kGroups = kStrip / 8;
  const int k = lane % 4;
  const float bias = a.bias && k < kOutputs ? a.bias[k] : 0.f;
  float4 results[kGroups];  // of one element each
  int64_t at[kGroups];
  bool valid[kGroups];
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
    float result = 0;
#pragma unroll
    for (int o = 0; o < kOutputs; ++o) {
      float eight[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) eight[i] = sums[o][group * 8 + i];
      const float total = sum_eight(eight);
      if (o == k) result = total;
    }
    const int q = q0 + group * 8 + lane / 4;
    valid[group] = k < kOutputs && q < a.Q;
    at[group] = valid[group] ? ((n * a.P + p) * a.Q + q) * kOutputs + k : 0;
    results[group] = make_float4(result + bias, 0.f, 0.f, 0.f);
  }
  if (!epilogue.empty()) epilogue.apply(results, at);
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
    if (valid[group]) a.y[at[group]] = results[group].x;
  }
}

template <int kOutputs>
void launch_few_outputs(FewOutputs a, int64_t images, int64_t S, Stream stream, const EpilogueArgs& epilogue) {
  a.strips = static_cast<int>(ceil_div(a.Q, kOutputs == 1 ? 16 : 8));
  a.warps = static_cast<int>(images * a.P * a.strips);
  const LaunchShape shape{.grid_x = static_cast<unsigned>(ceil_div(a.warps, kThreads / 32)), .threads = kThreads};
  const auto kernel = S == 1   ? conv2d_few_outputs_f32_kernel<kOutputs, 1>
                      : S == 3 ? conv2d_few_outputs_f32_kernel<kOutputs, 3>
                      : S == 4 ? conv2d_few_outputs_f32_kernel<kOutputs, 4>
                      : S == 5 ? conv2d_few_outputs_f32_kernel<kOutputs, 5>
                               : conv2d_few_outputs_f32_kernel<kOutputs, 7>;
  launch(kernel, shape, stream, a, Epilogue(epilogue, images * a.P * a.Q * kOutputs));
}

}  // namespace

const char* few_outputs_declines(const Conv2dShape& s) {
  if (s.K != 1 && s.K != 3) return "output channels are neither 1 nor 3";
  if (s.C < 16) return "fewer than 16 input channels";
  if (s.stride_h != 1 || s.stride_w != 1) return "stride is not 1";
  if (s.S != 1 && s.S != 3 && s.S != 4 && s.S != 5 && s.S != 7) return "filter width is not 1, 3, 4, 5 or 7";
  return nullptr;
}

void conv2d_few_outputs(const Conv2dShape& s, const float* x, const float* w, const float* bias, float* y, Stream stream,
                        const EpilogueArgs& epilogue) {
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  const FewOutputs a{x, w, bias, y, i(s.H), i(s.W), i(s.C), i(s.R), i(s.P), i(s.Q), i(s.pad_top), i(s.pad_left), 0, 0};
  if (s.K == 1) {
    launch_few_outputs<1>(a, s.N, s.S, stream, epilogue);
  } else {
    launch_few_outputs<3>(a, s.N, s.S, stream, epilogue);
  }
}

}  // namespace forger::FORGER_DEVICE
