// c = op(a) op(b) + bias. What an operand is contiguous along follows from its transpose: a is k-major as it stands, b is
// k-major when transposed. See gemm_tile.h for threads and shared memory.
#include "kernels/cuda/matmul.h"

#include "kernels/cuda/gemm_launch.h"
#include "kernels/cuda/matrix_operands.h"

namespace forger::FORGER_DEVICE {

namespace {

template <Major kMajorA_, Major kMajorB_, int kVec>
struct MatmulProblem {
  static constexpr Major kMajorA = kMajorA_, kMajorB = kMajorB_;

  template <class T>
  __device__ __forceinline__ auto loader_a(int first, int first_k) const {
    return MatrixLoader<kMajorA, T::kM, T::kThreads, kVec>(a, first, first_k);
  }
  template <class T>
  __device__ __forceinline__ auto loader_b(int first, int first_k) const {
    return MatrixLoader<kMajorB, T::kN, T::kThreads, kVec>(b, first, first_k);
  }
  __device__ __forceinline__ void enter(int) {}
  __device__ __forceinline__ int row_offset(int row) const { return row * n; }

  int m, n, k, outputs;
  Matrix a, b;
  const float* bias;
  float *c, *partials;
};

template <class Engine, Major kMajorA, Major kMajorB, int kVec>
__global__ void __launch_bounds__(Engine::TileType::kThreads, kMinBlocks<Engine, kVec>)
    matmul_f32_kernel(const __grid_constant__ MatmulProblem<kMajorA, kMajorB, kVec> problem, const GemmGrid grid,
                      const __grid_constant__ Epilogue epilogue) {
  begin_kernel();
  gemm_block<Engine>(problem, grid, epilogue);
}

template <Major kMajorA, Major kMajorB>
void matmul_majors(const MatmulShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* a, const float* b,
                   const float* bias, float* c, const GemmScratch& scratch, Stream stream, const EpilogueArgs& epilogue) {
  const GemmSize size = matmul_size(s);
  with_engine<TileKind::small>(arithmetic, plan, [&]<class Engine, int kVec>() {
    const auto i = [](int64_t value) { return static_cast<int>(value); };
    const MatmulProblem<kMajorA, kMajorB, kVec> problem{
        .m = i(s.m),
        .n = i(s.n),
        .k = i(s.k),
        .outputs = i(size.outputs),
        .a = {.data = a, .extent = i(s.m), .k = i(s.k), .ld = i(kMajorA == Major::k ? s.k : s.m)},
        .b = {.data = b, .extent = i(s.n), .k = i(s.k), .ld = i(kMajorB == Major::k ? s.k : s.n)},
        .bias = bias,
        .c = c,
        .partials = scratch.partials,
    };
    launch_gemm<Engine>(matmul_f32_kernel<Engine, kMajorA, kMajorB, kVec>, problem, s.m, s.n, 1, plan, scratch.counters, epilogue,
                        stream);
  });
}

}  // namespace

GemmSize matmul_size(const MatmulShape& s) {
  return {.m = s.m, .n = s.n, .k = s.k, .outputs = s.m * s.n};
}

bool matmul_vectors(const MatmulShape& s) {
  return (s.transpose_a ? s.m : s.k) % 4 == 0 && (s.transpose_b ? s.k : s.n) % 4 == 0;
}

void matmul(const MatmulShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* a, const float* b, const float* bias,
            float* c, const GemmScratch& scratch, Stream stream, const EpilogueArgs& epilogue) {
  const auto run = s.transpose_a ? (s.transpose_b ? matmul_majors<Major::mn, Major::k> : matmul_majors<Major::mn, Major::mn>)
                                 : (s.transpose_b ? matmul_majors<Major::k, Major::k> : matmul_majors<Major::k, Major::mn>);
  run(s, arithmetic, plan, a, b, bias, c, scratch, stream, epilogue);
}

}  // namespace forger::FORGER_DEVICE
