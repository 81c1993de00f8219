// A transposed convolution and the convolution behind it as one: both are linear, and nothing bends between them.
#pragma once

#include "engine/graph/graph.h"

namespace forger {

/// conv2d(x, w, 1, Padding::same) where x is the result of a transposed convolution, with or without bias, written as a
/// transposed convolution of x's input with the composite of both filters. Null if x is anything else, or if the filter of
/// the transposed convolution is smaller than its stride.
///
/// With u[m] = sum over m = stride*j + k - padT of T[k] x[j] and y[i] = sum over r of C[r] u[i + r - padC]:
///   y[i] = sum over j of E[i - stride*j + padT + R_C - 1 - padC] x[j],   E[e] = sum over k - r = e - (R_C - 1) of C[r] T[k],
/// and E is itself a convolution, of T taken as images. That counts values of u outside its image, which the convolution
/// reads as zeros: strips along the four borders are computed and taken away. A 7x7 filter at stride 2 in place of 4x4 at
/// stride 2 and 4x4 needs 0.61 of the multiplications with equal channels, 0.51 where the second halves them; what is made
/// once per step (E) pays from some samples on. Exact in real numbers; made of ordinary ops, so gradients of both filters
/// and biases follow by the chain rule.
Value collapsed_conv2d(Value x, Value w);

}  // namespace forger
