// The table between the kernels (threads, checks, splitting; compiled once) and their leaves (the vectorised
// inner loops on one thread; compiled once per instruction set).
//
// Only plain structs here, no inline functions: kernels/common/vec.h says why.
#pragma once

#include <cstdint>

#include "kernels/common/elementwise.h"

namespace forger {
enum class Isa;  // kernels/common/isa.h
}

namespace forger::simd {

// Vectors have up to 16 lanes. Arrays with one number per column that a leaf reads or writes ("padded") hold
// a multiple of 16, so that whole vectors fit.
inline constexpr int64_t kPadding = 16;

// --- elementwise
// -----------------------------------------------------------------------------------------------

inline constexpr int64_t kTapeBlock = 512;  // elements that go through the whole tape at a time: 2 KiB a value
inline constexpr int kMaxTapeSteps = 128;   // instructions
inline constexpr int kMaxTapeInputs = 32;
inline constexpr int kMaxTapeScratch = 48;    // blocks of temporaries: 96 KiB of stack
inline constexpr uint16_t kTapeOut = 0xFFFF;  // TapeStep::result of the last step

/// Values are numbered: inputs first, then temporaries ("slots"), which are used again after their last
/// reader.
struct TapeStep {
  ScalarOp op;
  uint16_t a, b, result;
  float p;
  uint64_t stream;
};

struct TapePlan {
  const ElementwiseInput<float>* inputs;
  TapeRandom random;
  int num_inputs, num_slots, num_steps;
  TapeStep steps[kMaxTapeSteps];
  int input_blocks[kMaxTapeInputs];  // scratch for each input; 0: it is read in place
};

// --- batch norm
// ------------------------------------------------------------------------------------------------

/// Padded per-column numbers of y = (x - mean) * scale + beta.
struct NormalizeColumns {
  const float *mean, *scale, *beta;
};

/// Padded per-column numbers of dx = dy * scale + (x - mean) * slope + offset.
struct NormGradColumns {
  const float *mean, *scale, *slope, *offset;
};

/// Padded scratch of `moments`: mean and m2 are results, the rest is overwritten.
struct MomentColumns {
  double *mean, *m2;
  double *sum, *squares;
  float* shift;
};

// --- optimizers
// ------------------------------------------------------------------------------------------------

struct AdamStep {
  float lr_t, beta1, beta2, rest1, rest2, eps;  // rest: 1 - beta, rounded once
};

// --- random
// ----------------------------------------------------------------------------------------------------

struct RandomKey {
  uint64_t seed, stream, step;
};

// --- the table
// -------------------------------------------------------------------------------------------------

struct Leaf {
  // Elements [begin, end) of a tape's result.
  void (*run_tape)(const TapePlan& plan, float* out, int64_t begin, int64_t end);

  // acc[c] += sum of column c; x [rows, cols], acc [cols] padded.
  void (*add_columns)(const float* x, int64_t rows, int64_t cols, double* acc);
  // Sum of n consecutive numbers.
  double (*sum)(const float* x, int64_t n);

  // Mean and sum of squared deviations of each column of x [rows, cols], in blocks of block_rows.
  void (*moments)(const float* x, int64_t rows, int64_t cols, int64_t block_rows, const MomentColumns& to);
  // Merges the moments of n_b more rows into those of n_a.
  void (*merge_moments)(int64_t cols, double n_a, double* mean_a, double* m2_a, double n_b, const double* mean_b,
                        const double* m2_b);
  void (*normalize)(const float* x, float* y, int64_t rows, int64_t cols, const NormalizeColumns& by);
  // sum_dy[c] += sum of dy, sum_dy_x[c] += sum of dy * (x - mean); all padded.
  void (*add_norm_grad_sums)(const float* x, const float* dy, int64_t rows, int64_t cols, const float* mean, double* sum_dy,
                             double* sum_dy_x);
  void (*norm_grad)(const float* x, const float* dy, float* dx, int64_t rows, int64_t cols, const NormGradColumns& by);

  void (*adam)(const float* p, const float* m, const float* v, const float* g, float* p_out, float* m_out, float* v_out,
               int64_t n, const AdamStep& step);
  // v and v_out may be null: no momentum.
  void (*sgd)(const float* p, const float* v, const float* g, float* p_out, float* v_out, int64_t n, float lr, float momentum);
  void (*rmsprop)(const float* p, const float* r, const float* g, float* p_out, float* r_out, int64_t n, float lr, float rho,
                  float rest, float eps);

  // Elements [begin, end) of a random tensor; begin is a multiple of 64; pointers are to element 0.
  void (*random_uniform)(float* out, int64_t begin, int64_t end, float low, float high, const RandomKey& key);
  void (*random_normal)(float* out, int64_t begin, int64_t end, float mean, float stddev, const RandomKey& key);
  // Here x and out are the tensors' parts, whose first element is number `first`, a multiple of 64.
  void (*dropout)(const float* x, float* out, int64_t first, int64_t n, float rate, const RandomKey& key);

  // out = x / 127.5 - 1
  void (*bytes_to_unit)(const uint8_t* x, float* out, int64_t n);

  // Sum of the losses; dlogits = (sigmoid(x) - t) * scale unless null.
  double (*bce_with_logits)(const float* logits, const float* targets, int64_t n, float scale, float* dlogits);
};

/// The leaves of one instruction set. Throws DeviceError if the CPU lacks it.
const Leaf& leaf(Isa isa);

}  // namespace forger::simd
