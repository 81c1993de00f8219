// One thread: the counter is a device value because a replayed CUDA graph repeats its arguments.
#include "kernels/cuda/increment.h"

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {

__global__ void __launch_bounds__(32) increment_i64_kernel(const int64_t* in, int64_t* out) {
  begin_kernel();
  if (threadIdx.x == 0) *out = *in + 1;
}

void increment(const int64_t* in, int64_t* out, Stream stream) {
  launch(increment_i64_kernel, {.threads = 32}, stream, in, out);
}

}  // namespace forger::FORGER_DEVICE
