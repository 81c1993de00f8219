// Functions that append one op to the graph of their arguments. Shapes: N batch, H W image, C channels; activations
// are NHWC, filters KRSC. All throw ShapeError, with the node's path, on types that do not fit.
#pragma once

#include "engine/graph/graph.h"
#include "kernels/common/conv2d_shape.h"

namespace forger {

// --- elementwise (equal shapes; use broadcast_to first where they differ) ---
Value unary(ScalarOp op, Value x, double parameter = 0);
Value binary(ScalarOp op, Value a, Value b);
Value add(Value a, Value b);
Value sub(Value a, Value b);
Value mul(Value a, Value b);
Value div(Value a, Value b);
Value neg(Value x);
Value relu(Value x);
Value leaky_relu(Value x, double alpha);
Value tanh(Value x);
Value sigmoid(Value x);
Value softplus(Value x);
Value square(Value x);
Value scale(Value x, double factor);
Value shift(Value x, double offset);

// --- sources ---
Value fill(Graph& graph, double value, Shape shape);  // constant of the graph's real type
Value random_uniform(Value seed, Value step, double low, double high, Shape shape);
Value random_normal(Value seed, Value step, double mean, double stddev, Shape shape);

/// Row numbers i32 [count] in [0, population). `replacement`: independent draws. Otherwise `draw` of `draws_per_step`
/// batches walks through a new permutation of the population in every epoch, with no row left out or repeated.
struct IndexDraw {
  int64_t count = 1, population = 1;
  bool replacement = true;
  int64_t draw = 0, draws_per_step = 1;
  std::string stream = {};  // draws of one name walk through the same permutations; empty: a stream of its own
};
Value random_indices(Value seed, Value step, const IndexDraw& draw);

/// Rows of `table` at `indices` (i32 [N]): [M, ...] -> [N, ...]. A u8 table becomes real, x / 127.5 - 1; an i32
/// table (labels) stays i32.
Value gather(Value table, Value indices);
Value increment(Value counter);  // i64 + 1

// --- shapes ---
Value reshape(Value x, Shape shape);
Value stop_gradient(Value x);                                             // x itself, as a constant: no gradient passes
Value broadcast_to(Value x, Shape shape);                                 // numpy's rule, right-aligned
Value reduce_sum(Value x, std::vector<int64_t> axes, bool keep = false);  // axes sorted; keep: extents become 1
Value reduce_mean(Value x, std::vector<int64_t> axes, bool keep = false);
Value mean_all(Value x);  // -> scalar []
Value concat(std::vector<Value> parts, int64_t axis);
Value slice(Value x, std::vector<int64_t> begin, std::vector<int64_t> size);
Value pad(Value x, std::vector<int64_t> before, Shape to);  // with zeros; slice's gradient

// --- linear ---
Value matmul(Value a, Value b, bool transpose_a = false, bool transpose_b = false);  // 2-D
Value bias_add(Value x, Value b);                                                    // [..., C] + [C]
enum class Padding { same, valid };
Value conv2d(Value x, Value w, int64_t stride, Padding padding);  // [N,H,W,C], [K,R,S,C] -> [N,P,Q,K]
/// Transposed convolution, 'same': [N,P,Q,K], [K,R,S,C] -> [N,height,width,C], by default P*stride and Q*stride; the
/// convolution of the result must be P x Q. It is conv2d_input_grad.
Value conv2d_transpose(Value x, Value w, int64_t stride, int64_t height = 0, int64_t width = 0);
// The closed trio on an explicit problem size; each one's gradients are the other two.
Value conv2d(Value x, Value w, const Conv2dShape& shape);
Value conv2d_input_grad(Value dy, Value w, const Conv2dShape& shape);   // [N,P,Q,K], [K,R,S,C] -> [N,H,W,C]
Value conv2d_filter_grad(Value x, Value dy, const Conv2dShape& shape);  // -> [K,R,S,C]

// --- pooling: windows of window x window that do not overlap; ShapeError unless they divide H and W ---
/// The largest element of every window: [N,H,W,C] -> [N,H/window,W/window,C]. Of equal ones the first gets the gradient.
Value max_pool(Value x, int64_t window);
Value max_pool_pick(Value x, Value v, int64_t window);      // v where x is largest in its window; x, v [N,H,W,C]
Value max_pool_scatter(Value x, Value dy, int64_t window);  // dy there, 0 elsewhere: -> [N,H,W,C]

// --- normalisation and regularisation ---
struct BatchNorm {
  Value y;                          // like x
  Value mean, inv_std;              // [C], this batch's
  Value running_mean, running_var;  // [C], after this batch
};
/// Normalises over all axes but the last. running = momentum * running + (1 - momentum) * batch; the biased variance
/// normalises, the unbiased one goes into running_var. Ioffe and Szegedy 2015.
BatchNorm batch_norm_training(Value x, Value gamma, Value beta, Value running_mean, Value running_var, double epsilon,
                              double momentum);
Value batch_norm_inference(Value x, Value gamma, Value beta, Value running_mean, Value running_var, double epsilon);
/// Zeroes elements with probability `rate`, scales the rest by 1 / (1 - rate). The mask is a function of (seed, step,
/// stream of the node) and is made again, not stored, for the gradient.
Value dropout(Value x, Value seed, Value step, double rate);

// --- losses: the loss (mean over all elements or rows) and its gradient come out of one op ---
Value bce_with_logits(Value logits, Value targets);       // equal shapes -> []
Value softmax(Value logits);                              // over the last axis
Value softmax_cross_entropy(Value logits, Value labels);  // [N,K], i32 [N] -> []
Value mse(Value a, Value b);                              // mean((a - b)^2)

// --- optimizers: one node for all tensors of a network; gradients do not pass through ---
struct AdamUpdate {
  std::vector<Value> parameters, m, v;
};
/// Kingma and Ba 2015 as Keras 2 writes it: lr_t = lr sqrt(1 - beta2^t) / (1 - beta1^t), p -= lr_t m / (sqrt(v) + epsilon).
/// t (i64 []) counts from 1; learning_rate is a real scalar.
AdamUpdate adam(Value t, Value learning_rate, std::span<const Value> parameters, std::span<const Value> gradients,
                std::span<const Value> m, std::span<const Value> v, double beta1, double beta2, double epsilon);
struct MomentumUpdate {
  std::vector<Value> parameters, slots;
};
/// slot = momentum * slot - lr * g; p += slot.
MomentumUpdate sgd_momentum(Value learning_rate, std::span<const Value> parameters, std::span<const Value> gradients,
                            std::span<const Value> slots, double momentum);
/// slot = rho * slot + (1 - rho) g^2; p -= lr * g / (sqrt(slot) + epsilon).
MomentumUpdate rmsprop(Value learning_rate, std::span<const Value> parameters, std::span<const Value> gradients,
                       std::span<const Value> slots, double rho, double epsilon);

// --- many small nodes as one ---
/// Runs `program`, whose nodes and tensors are small, on `inputs` (at least one): its inputs are named "0", "1", ... in the
/// order of `inputs`, its outputs are the results. engine/passes/fuse_small.cpp makes such nodes.
std::vector<Value> block_program(std::span<const Value> inputs, Subgraph program);

// --- attributes back to problem sizes, for kernels ---
Conv2dShape conv2d_shape(const Attributes& attributes);
/// batch_norm_grad's "prologue", a tape on dy, under the name that engine/ops/epilogue.h looks for.
Attributes prologue_as_epilogue(const Attributes& attributes);

}  // namespace forger
