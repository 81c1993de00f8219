// y[n,p,q,k] = bias[k] + sum over (r, s, c) of x[n, p*stride - pad + r, q*stride - pad + s, c] w[k,r,s,c] for at most four c.
//
// Bound by writing y, or by the multiplications. A thread computes kFeatures consecutive k of eight pixels of one row:
// inputs are read through L1 (all threads of a pixel read one address), weights from shared memory, as [r][s][c][k], so
// that a thread's are float4s. The gradient of a convolution with few outputs and stride 1 is the same sum with the
// filter turned round and its axes k and c exchanged: only the filling of shared memory knows.
// Limits: k a multiple of 4; the filter fits into 48 KiB.
#include "kernels/cuda/conv2d_few_channels.h"
#include "kernels/cuda/epilogue.h"

namespace forger::FORGER_DEVICE {

namespace {

constexpr int kThreads = 128, kPixels = 8;
constexpr int kMaxWeights = (48 << 10) / 4;

struct FewInputs {
  const float *x, *w, *bias;
  float* y;
  int H, W, C, K, R, S, P, Q;
  int stride_h, stride_w, pad_top, pad_left;
  bool turned;         // w is stored [c][R-1-r][S-1-s][k]
  int strips, groups;  // of eight pixels: per row, in all
};

/// Only the part that the filter needs is allocated.
struct FilterInShared {
  float w[kMaxWeights];
};

template <int kFeatures>
__global__ void __launch_bounds__(kThreads, 3)
    conv2d_few_inputs_f32_kernel(const __grid_constant__ FewInputs a, const __grid_constant__ Epilogue epilogue) {
  begin_kernel();
  auto& shared = block_shared<FilterInShared>();
  const int taps = a.R * a.S * a.C;
  for (int i = static_cast<int>(threadIdx.x); i < taps * a.K; i += kThreads) {
    const int k = i % a.K, tap = i / a.K;  // reads jump, but the filter is in L2 and small
    const int c = tap % a.C, rs = tap / a.C;
    shared.w[i] = a.turned ? a.w[(c * a.R * a.S + a.R * a.S - 1 - rs) * a.K + k] : a.w[k * taps + tap];
  }
  __syncthreads();

  const int64_t thread = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int features = a.K / kFeatures, k = static_cast<int>(thread % features) * kFeatures;
  const int64_t group = thread / features;
  if (group >= a.groups) return;
  const int q0 = static_cast<int>(group % a.strips) * kPixels, line = static_cast<int>(group / a.strips);
  const int p = line % a.P, n = line / a.P;

  float sums[kPixels][kFeatures] = {};
  for (int r = 0; r < a.R; ++r) {
    const int h = p * a.stride_h - a.pad_top + r;
    if (h < 0 || h >= a.H) continue;
    const float* const row = a.x + (n * a.H + h) * a.W * a.C;
    for (int s = 0; s < a.S; ++s) {
      const int w0 = q0 * a.stride_w - a.pad_left + s;
      for (int c = 0; c < a.C; ++c) {
        float weights[kFeatures];
#pragma unroll
        for (int f = 0; f < kFeatures; f += 4) {
          const float4 v = *reinterpret_cast<const float4*>(&shared.w[((r * a.S + s) * a.C + c) * a.K + k + f]);
          weights[f] = v.x, weights[f + 1] = v.y, weights[f + 2] = v.z, weights[f + 3] = v.w;
        }
#pragma unroll
        for (int i = 0; i < kPixels; ++i) {
          const int w = w0 + i * a.stride_w;
          const float value = w >= 0 && w < a.W ? row[w * a.C + c] : 0.f;
#pragma unroll
          for (int f = 0; f < kFeatures; ++f) sums[i][f] += value * weights[f];
        }
      }
    }
  }

  // Two quads at a time: the next in turn are moved to the front of the registers.
  constexpr int kQuads = 2, kPerPixel = kFeatures / 4, kTurns = kPixels * kPerPixel / kQuads;
  float4 quads[kTurns * kQuads];
#pragma unroll
  for (int j = 0; j < kTurns * kQuads; ++j) {
    const int i = j / kPerPixel, f = j % kPerPixel * 4;
    quads[j] = make_float4(sums[i][f], sums[i][f + 1], sums[i][f + 2], sums[i][f + 3]);
    if (a.bias) {
      const float4 bias = *reinterpret_cast<const float4*>(a.bias + k + f);
      quads[j] = map_quad(quads[j], bias, [](float x, float y) { return x + y; });
    }
  }
#pragma unroll 1
  for (int turn = 0; turn < kTurns; ++turn) {
    float4 v[kQuads];
    int64_t at[kQuads];
    bool valid[kQuads];
#pragma unroll
    for (int j = 0; j < kQuads; ++j) {
      const int q = q0 + turn * (kQuads / kPerPixel) + j / kPerPixel;
      valid[j] = q < a.Q;
      at[j] = valid[j] ? (static_cast<int64_t>(line) * a.Q + q) * a.K + k + j % kPerPixel * 4 : 0;
      v[j] = quads[j];
    }
    if (!epilogue.empty()) epilogue.apply(v, at);
#pragma unroll
    for (int j = 0; j < kQuads; ++j) {
      if (valid[j]) *reinterpret_cast<float4*>(a.y + at[j]) = v[j];
    }
#pragma unroll
    for (int j = 0; j + kQuads < kTurns * kQuads; ++j) quads[j] = quads[j + kQuads];
  }
}

void launch_few_inputs(FewInputs a, int64_t images, Stream stream, const EpilogueArgs& epilogue) {
  a.strips = static_cast<int>(ceil_div(a.Q, kPixels));
  a.groups = static_cast<int>(images * a.P * a.strips);
  const int features = a.K % 8 == 0 ? 8 : 4;
  const LaunchShape shape{.grid_x = static_cast<unsigned>(ceil_div(int64_t{a.groups} * (a.K / features), kThreads)),
                          .threads = kThreads,
                          .shared_bytes = static_cast<size_t>(a.R * a.S * a.C * a.K) * sizeof(float)};
  launch(features == 8 ? conv2d_few_inputs_f32_kernel<8> : conv2d_few_inputs_f32_kernel<4>, shape, stream, a,
         Epilogue(epilogue, images * a.P * a.Q * a.K));
}

}  // namespace

const char* few_inputs_declines(const Conv2dShape& s) {
  if (s.C > 4) return "more than 4 input channels";
  if (s.K % 4 != 0) return "output channels are not a multiple of 4";
  if (s.filter_size() > kMaxWeights) return "the filter is larger than 48 KiB";
  return nullptr;
}

void conv2d_few_inputs(const Conv2dShape& s, const float* x, const float* w, const float* bias, float* y, Stream stream,
                       const EpilogueArgs& epilogue) {
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  launch_few_inputs({.x = x,
                     .w = w,
                     .bias = bias,
                     .y = y,
                     .H = i(s.H),
                     .W = i(s.W),
                     .C = i(s.C),
                     .K = i(s.K),
                     .R = i(s.R),
                     .S = i(s.S),
                     .P = i(s.P),
                     .Q = i(s.Q),
                     .stride_h = i(s.stride_h),
                     .stride_w = i(s.stride_w),
                     .pad_top = i(s.pad_top),
                     .pad_left = i(s.pad_left),
                     .turned = false,
                     .strips = 0,
                     .groups = 0},
                    s.N, stream, epilogue);
}

const char* input_grad_few_inputs_declines(const Conv2dShape& s) {
  if (s.K > 4) return "more than 4 output channels";
  if (s.stride_h != 1 || s.stride_w != 1) return "stride is not 1";
  if (s.C % 4 != 0) return "input channels are not a multiple of 4";
  if (s.filter_size() > kMaxWeights) return "the filter is larger than 48 KiB";
  return nullptr;
}

void conv2d_input_grad_few_inputs(const Conv2dShape& s, const float* dy, const float* w, const float* bias, float* dx,
                                  Stream stream, const EpilogueArgs& epilogue) {
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  launch_few_inputs({.x = dy,
                     .w = w,
                     .bias = bias,
                     .y = dx,
                     .H = i(s.P),
                     .W = i(s.Q),
                     .C = i(s.K),
                     .K = i(s.C),
                     .R = i(s.R),
                     .S = i(s.S),
                     .P = i(s.H),
                     .Q = i(s.W),
                     .stride_h = 1,
                     .stride_w = 1,
                     .pad_top = i(s.R - 1 - s.pad_top),
                     .pad_left = i(s.S - 1 - s.pad_left),
                     .turned = true,
                     .strips = 0,
                     .groups = 0},
                    s.N, stream, epilogue);
}

}  // namespace forger::FORGER_DEVICE
