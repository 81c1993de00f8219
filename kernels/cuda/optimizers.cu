// Adam (Kingma and Ba 2015, in Keras 2's form), SGD with momentum and RMSprop, all tensors of a network in one launch.
//
// Threads: blocks are dealt out to the tensors, 2,048 elements each; a thread takes two quads (four neighbouring elements),
// a block's width apart. The tensors' addresses travel in the kernel's parameters, where a block finds its own by
// bisection. One thread computes the step size in double while the block's loads are in flight.
// Shared memory: 16 bytes. Limits: kMaxTensors tensors a launch, more take more launches.
#include "kernels/cuda/optimizers.h"

#include <algorithm>

#include "kernels/cuda/quads.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kQuads = 2;
constexpr int kMaxTensors = 48;

struct Tensors {
  OptimizerTensor tensor[kMaxTensors];
  uint32_t first_block[kMaxTensors];
  int count;
};

/// base^n for n >= 0, by squaring.
__device__ __forceinline__ double power(double base, int64_t n) {
  double result = 1;
  for (; n > 0; n /= 2) {
    if (n % 2 != 0) result *= base;
    base *= base;
  }
  return result;
}

// A rule turns learning rate and t into a step size, and updates one element: a slot's value becomes the new one.

struct Adam {
  static constexpr int kSlots = 2;
  double beta1, beta2;
  const int64_t* t;
  float b1, b2, rest1, rest2, epsilon;

  __device__ __forceinline__ float step_size(float lr) const {
    const int64_t now = *t;
    return static_cast<float>(static_cast<double>(lr) * sqrt(1 - power(beta2, now)) / (1 - power(beta1, now)));
  }
  __device__ __forceinline__ float update(float p, float g, float (&slot)[kSlots], float step) const {
    slot[0] = b1 * slot[0] + rest1 * g;
    slot[1] = b2 * slot[1] + rest2 * g * g;
    return p - step * slot[0] / (sqrtf(slot[1]) + epsilon);
  }
};

struct SgdMomentum {
  static constexpr int kSlots = 1;
  float momentum;

  __device__ __forceinline__ float step_size(float lr) const { return lr; }
  __device__ __forceinline__ float update(float p, float g, float (&slot)[kSlots], float step) const {
    slot[0] = momentum * slot[0] - step * g;
    return p + slot[0];
  }
};

struct Rmsprop {
  static constexpr int kSlots = 1;
  float rho, rest, epsilon;

  __device__ __forceinline__ float step_size(float lr) const { return lr; }
  __device__ __forceinline__ float update(float p, float g, float (&slot)[kSlots], float step) const {
    slot[0] = rho * slot[0] + rest * g * g;
    return p - step * g / (sqrtf(slot[0]) + epsilon);
  }
};

struct StepShared {
  float step;
};

template <class Rule>
__global__ void __launch_bounds__(kThreads)
    optimizer_multi_tensor_f32_kernel(const __grid_constant__ Tensors all, const Rule rule, const float* __restrict__ lr) {
  begin_kernel();
  int low = 0, high = all.count;  // the last tensor whose first block is not after this one
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (all.first_block[middle] <= blockIdx.x) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const OptimizerTensor& x = all.tensor[low];
  const int64_t first = int64_t{blockIdx.x - all.first_block[low]} * (kQuads * kThreads) + threadIdx.x;
  float4 p[kQuads] = {}, g[kQuads] = {}, slot[Rule::kSlots][kQuads] = {};
#pragma unroll
  for (int k = 0; k < kQuads; ++k) {
    const int64_t quad = first + k * int64_t{kThreads};
    if (4 * quad >= x.n) continue;
    p[k] = load_quad(x.p, quad, x.n);
    g[k] = load_quad(x.g, quad, x.n);
#pragma unroll
    for (int s = 0; s < Rule::kSlots; ++s) slot[s][k] = load_quad(x.slot[s], quad, x.n);
  }
  auto& shared = block_shared<StepShared>();
  if (threadIdx.x == 0) shared.step = rule.step_size(*lr);
  __syncthreads();
  const float step = shared.step;
  const auto update = [&](float& value, float gradient, float& first_slot, float& second_slot) {
    float slots[Rule::kSlots];
    slots[0] = first_slot;
    if constexpr (Rule::kSlots > 1) slots[1] = second_slot;
    value = rule.update(value, gradient, slots, step);
    first_slot = slots[0];
    if constexpr (Rule::kSlots > 1) second_slot = slots[1];
  };
#pragma unroll
  for (int k = 0; k < kQuads; ++k) {
    const int64_t quad = first + k * int64_t{kThreads};
    if (4 * quad >= x.n) continue;
    float4 &a = slot[0][k], &b = slot[Rule::kSlots - 1][k];
    update(p[k].x, g[k].x, a.x, b.x);
    update(p[k].y, g[k].y, a.y, b.y);
    update(p[k].z, g[k].z, a.z, b.z);
    update(p[k].w, g[k].w, a.w, b.w);
    store_quad(x.new_p, quad, x.n, p[k]);
#pragma unroll
    for (int s = 0; s < Rule::kSlots; ++s) store_quad(x.new_slot[s], quad, x.n, slot[s][k]);
  }
}

template <class Rule>
void update_all(std::span<const OptimizerTensor> tensors, const Rule& rule, const float* lr, Stream stream) {
  static_assert(sizeof(Tensors) + sizeof(Rule) <= 4000);  // kernel parameters have 4 KiB
  for (size_t begin = 0; begin < tensors.size(); begin += kMaxTensors) {
    Tensors some{};
    uint32_t blocks = 0;
    for (const OptimizerTensor& x : tensors.subspan(begin, std::min<size_t>(kMaxTensors, tensors.size() - begin))) {
      if (x.n == 0) continue;
      some.tensor[some.count] = x;
      some.first_block[some.count++] = blocks;
      blocks += blocks_for(x.n, kThreads, kQuads);
    }
    if (blocks == 0) continue;
    launch(optimizer_multi_tensor_f32_kernel<Rule>, {.grid_x = blocks, .threads = kThreads, .shared_bytes = sizeof(StepShared)},
           stream, some, rule, lr);
  }
}

}  // namespace

void adam(std::span<const OptimizerTensor> tensors, const int64_t* t, const float* lr, double beta1, double beta2, double epsilon,
          Stream stream) {
  const Adam rule{.beta1 = beta1,
                  .beta2 = beta2,
                  .t = t,
                  .b1 = static_cast<float>(beta1),
                  .b2 = static_cast<float>(beta2),
                  .rest1 = static_cast<float>(1 - beta1),
                  .rest2 = static_cast<float>(1 - beta2),
                  .epsilon = static_cast<float>(epsilon)};
  update_all(tensors, rule, lr, stream);
}

void sgd_momentum(std::span<const OptimizerTensor> tensors, const float* lr, double momentum, Stream stream) {
  update_all(tensors, SgdMomentum{static_cast<float>(momentum)}, lr, stream);
}

void rmsprop(std::span<const OptimizerTensor> tensors, const float* lr, double rho, double epsilon, Stream stream) {
  update_all(tensors, Rmsprop{static_cast<float>(rho), static_cast<float>(1 - rho), static_cast<float>(epsilon)}, lr, stream);
}

}  // namespace forger::FORGER_DEVICE
