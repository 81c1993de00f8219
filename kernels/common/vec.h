// The widest float vector of the instruction set that this file is compiled for.
//
// One binary runs on every x86-64 CPU: a source file with hot loops is compiled once per instruction set, with
// FORGER_ISA naming it (cmake/isa.cmake), and isa.h picks one at run time. Such a file keeps everything but its one
// entry point in an anonymous namespace and uses no inline function of a shared header (a template of std:: too): the
// linker keeps one copy of those for the whole program, and it might be one that this CPU cannot run.
#pragma once

#ifndef FORGER_ISA
#error "vec.h is for sources that forger_isa_sources() compiles"
#endif

namespace forger {
namespace {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

typedef float Vec __attribute__((vector_size(kWidth * sizeof(float))));
typedef float VecUnaligned __attribute__((vector_size(kWidth * sizeof(float)), aligned(sizeof(float)), may_alias));

[[maybe_unused]] inline __attribute__((always_inline)) Vec load(const float* p) {
  return *reinterpret_cast<const VecUnaligned*>(p);
}
[[maybe_unused]] inline __attribute__((always_inline)) void store(float* p, Vec v) {
  *reinterpret_cast<VecUnaligned*>(p) = v;
}
[[maybe_unused]] inline __attribute__((always_inline)) Vec broadcast(float v) { return v - Vec{}; }

/// Sum of the lanes, pairwise in a fixed order.
[[maybe_unused]] inline __attribute__((always_inline)) float sum_lanes(Vec v) {
  typedef float Quarter __attribute__((vector_size(16), aligned(4), may_alias));
  const Quarter* const part = reinterpret_cast<const Quarter*>(&v);
  Quarter sum = part[0];
  for (int i = 1; i < kWidth / 4; ++i) sum += part[i];
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

}  // namespace
}  // namespace forger
