// Each leaf file fills in its part of the table. Included by leaf files only; FORGER_ISA is the namespace
// that CMake gives to this compilation: baseline, avx2 or avx512.
#pragma once

#include "kernels/simd/leaf/leaf.h"

namespace forger::simd::FORGER_ISA {

void add_elementwise(Leaf& leaf);
void add_reduce(Leaf& leaf);
void add_batch_norm(Leaf& leaf);
void add_optimizers(Leaf& leaf);
void add_random(Leaf& leaf);
void add_gather(Leaf& leaf);
void add_loss(Leaf& leaf);

/// Leaf::dropout, for tapes.
void dropout(const float* x, float* out, int64_t first, int64_t n, float rate, const RandomKey& key);

}  // namespace forger::simd::FORGER_ISA
