// PTX instructions behind names. Each has a host twin in kernels/emulation/ptx.h; no other file holds inline assembly.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace forger::cuda::ptx {

/// Starts an asynchronous copy of kBytes (4, 8 or 16) from global to shared memory, both aligned to kBytes; writes zeros
/// and reads nothing if `valid` is false (`global` must still be an address inside some allocation).
template <int kBytes>
__device__ __forceinline__ void cp_async(void* shared, const void* global, bool valid) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {  // past L1: what it loads is used from shared memory alone
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(global), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;\n" ::"r"(to), "l"(global), "n"(kBytes), "r"(bytes) : "memory");
  }
}
__device__ __forceinline__ void cp_async_commit() {
  asm volatile("cp.async.commit_group;\n" ::: "memory");
}
/// Waits until at most kPending of this thread's committed groups are unfinished. A barrier must follow before other
/// threads read.
template <int kPending>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

/// Waits until the launches before this one that it was told to wait for have ended, and sees what they wrote: programmatic
/// dependent launch, compute capability 9.0. Returns at once where the launch began after their end.
__device__ __forceinline__ void await_launches() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}
/// Launches that wait for this one may begin, and wait in await_launches, once all its blocks have come here.
__device__ __forceinline__ void let_followers_begin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

/// blockIdx.x, read anew at every call: what is computed from it does not have to be kept.
__device__ __forceinline__ unsigned block_index() {
  unsigned index;
  asm volatile("mov.u32 %0, %%ctaid.x;\n" : "=r"(index));
  return index;
}

/// Nearest TF32 (10 mantissa bits), ties away from zero: mma alone would truncate.
__device__ __forceinline__ uint32_t to_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;\n" : "=r"(bits) : "f"(x));
  return bits;
}

/// Waits until another block has changed *word, which was `old`; what it wrote before is then visible to this thread.
__device__ __forceinline__ void wait_for_change(const uint32_t* word, uint32_t old) {
  uint32_t now;
  do {
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];\n" : "=r"(now) : "l"(word) : "memory");
  } while (now == old);
}

/// Two bf16, nearest even; `low` in the low half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

/// d[16,8] += a[16,8] b[8,8] over a warp. With g = lane / 4 and t = lane % 4 this thread holds
/// a(g, t), a(g+8, t), a(g, t+4), a(g+8, t+4), b(t, g), b(t+4, g) and d(g, 2t), d(g, 2t+1), d(g+8, 2t), d(g+8, 2t+1).
__device__ __forceinline__ void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// d[16,8] += a[16,16] b[16,8] over a warp. Registers hold pairs along k, the lower k in the lower half:
/// a(g, 2t..), a(g+8, 2t..), a(g, 2t+8..), a(g+8, 2t+8..), b(2t.., g), b(2t+8.., g); d as for mma_tf32.
__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

}  // namespace forger::cuda::ptx
