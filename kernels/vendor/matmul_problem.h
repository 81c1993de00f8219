// A matrix product as cuBLASLt states it. Nothing in here needs a GPU.
//
// cuBLASLt counts columns first. A row-major matrix read column by column is its transpose, so the row-major product
// C = op(A) op(B) is asked for as C^T = op(B)^T op(A)^T: the operands change places, neither is moved, and the bias along
// C's last axis is what cuBLASLt's epilogue adds, one number per row of its result.
#pragma once

#include "kernels/vendor/library.h"
#include "kernels/vendor/maths.h"

namespace forger::vendor {

/// Throws DeviceError where cuBLASLt refuses.
class MatmulProblem {
 public:
  MatmulProblem(const MatmulSides& sides, bool bias, Maths maths) {
    const cublasComputeType_t compute = maths == Maths::fp32   ? CUBLAS_COMPUTE_32F
                                        : maths == Maths::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                               : CUBLAS_COMPUTE_32F_FAST_16BF;
    FORGER_CUBLAS_LT_CHECK(MatmulDescCreate(&operation_, compute, CUDA_R_32F));
    try {
      set(CUBLASLT_MATMUL_DESC_TRANSA, sides.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
      set(CUBLASLT_MATMUL_DESC_TRANSB, sides.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
      if (bias) set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      a_ = row_major(sides.transpose_a ? sides.k : sides.m, sides.transpose_a ? sides.m : sides.k);
      b_ = row_major(sides.transpose_b ? sides.n : sides.k, sides.transpose_b ? sides.k : sides.n);
      c_ = row_major(sides.m, sides.n);
    } catch (...) {
      destroy();
      throw;
    }
  }
  MatmulProblem(const MatmulProblem&) = delete;
  MatmulProblem& operator=(const MatmulProblem&) = delete;
  ~MatmulProblem() { destroy(); }

  cublasLtMatmulDesc_t operation() const { return operation_; }
  cublasLtMatrixLayout_t a() const { return a_; }
  cublasLtMatrixLayout_t b() const { return b_; }
  cublasLtMatrixLayout_t c() const { return c_; }

  /// Host memory alone: cheap, and nothing that a capture would see.
  void bind_bias(const float* bias) { set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias); }

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t name, const T& value) {
    FORGER_CUBLAS_LT_CHECK(MatmulDescSetAttribute(operation_, name, &value, sizeof value));
  }
  static cublasLtMatrixLayout_t row_major(int64_t rows, int64_t columns) {
    cublasLtMatrixLayout_t layout = nullptr;
    const auto height = static_cast<uint64_t>(columns), width = static_cast<uint64_t>(rows);  // read column by column
    FORGER_CUBLAS_LT_CHECK(MatrixLayoutCreate(&layout, CUDA_R_32F, height, width, columns));
    return layout;
  }
  void destroy() {
    for (cublasLtMatrixLayout_t layout : {a_, b_, c_}) {
      if (layout) cublas_lt().MatrixLayoutDestroy(layout);
    }
    if (operation_) cublas_lt().MatmulDescDestroy(operation_);
  }

  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, c_ = nullptr;
};

/// What algorithms may be suggested: deterministic sums, operands aligned as Forger's are, a bounded workspace.
class MatmulPreference {
 public:
  explicit MatmulPreference(uint64_t workspace_bytes) {
    FORGER_CUBLAS_LT_CHECK(MatmulPreferenceCreate(&preference_));
    constexpr uint32_t kAlignment = 64;
    constexpr uint32_t kReductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
    set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, kReductions);
    for (const auto name : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                            CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      set(name, kAlignment);
    }
  }
  MatmulPreference(const MatmulPreference&) = delete;
  MatmulPreference& operator=(const MatmulPreference&) = delete;
  ~MatmulPreference() {
    if (preference_) cublas_lt().MatmulPreferenceDestroy(preference_);
  }
  cublasLtMatmulPreference_t get() const { return preference_; }

 private:
  template <class T>
  void set(cublasLtMatmulPreferenceAttributes_t name, const T& value) {
    FORGER_CUBLAS_LT_CHECK(MatmulPreferenceSetAttribute(preference_, name, &value, sizeof value));
  }
  cublasLtMatmulPreference_t preference_ = nullptr;
};

}  // namespace forger::vendor
