// Max pooling as a pair of linear maps that x's maxima choose: kernels/reference/pool.h in f32, on all threads.
#pragma once

#include "kernels/common/pool_shape.h"

namespace forger::simd {

/// y[n,p,q,c] = v where x is largest in the window, the first of equal ones. x, v [N,H,W,C], y [N,P,Q,C].
void max_pool_pick(const PoolShape& s, const float* x, const float* v, float* y);

/// dv = dy where x is largest in its window, 0 elsewhere. x, dv [N,H,W,C], dy [N,P,Q,C].
void max_pool_scatter(const PoolShape& s, const float* x, const float* dy, float* dv);

}  // namespace forger::simd
