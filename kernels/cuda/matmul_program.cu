// y = A b + bias, then a block_program that reads y: a discriminator's logits, loss, gradient of the logits, its sums.
//
// A block makes one element of y, as matmul_narrow.cu does, and takes a ticket (last_block.h); the block that draws the last
// one has all of y before it and runs the program (block_interpreter.h). The others are gone by then: nobody waits.
// The program reads y, which other blocks wrote: last_block()'s fences order that, and drop what L1 may hold.
// Shared memory: 1 KiB of sums and the program's values.
#include "kernels/cuda/matmul_program.h"

#include "kernels/cuda/block_interpreter.h"
#include "kernels/cuda/last_block.h"
#include "kernels/cuda/matmul_vector.h"

namespace forger::FORGER_DEVICE {
namespace {

static_assert(kMatmulProgramThreads == kVectorThreads);

struct HeadMemory {
  VectorSums product;
  BlockMemory program;
};

__global__ void __launch_bounds__(kMatmulProgramThreads)
    matmul_program_vector_f32_kernel(const __grid_constant__ BlockCode code, const VectorProduct product, uint32_t* counter) {
  begin_kernel();
  auto& shared = block_shared<HeadMemory>();
  const float y =
      times_vector(product.a + blockIdx.x * product.k, product.b, product.bias, static_cast<int>(product.k), shared.product);
  if (threadIdx.x == 0) product.y[blockIdx.x] = y;
  if (last_block(counter, gridDim.x)) run_instructions<kMatmulProgramThreads>(code, shared.program);
}

}  // namespace

void matmul_program(const VectorProduct& product, const BlockProgram& program, const std::vector<void*>& addresses,
                    uint32_t* counter, Stream stream) {
  launch(matmul_program_vector_f32_kernel,
         {.grid_x = static_cast<unsigned>(product.m),
          .threads = kMatmulProgramThreads,
          .shared_bytes = offsetof(HeadMemory, program) + block_memory_bytes(program)},
         stream, block_code(program, addresses), product, counter);
}

}  // namespace forger::FORGER_DEVICE
