// Many small operations in one launch of one block: what each would take as a launch of its own is mostly the launch.
//
// Threads: elementwise operations give each thread quads (four neighbouring elements), kThreads quads apart, so that a chain
// of them over tensors of one size needs no barrier: a thread reads what it wrote. Operations that do not depend on each
// other start at different warps and run side by side. Sums and losses add in the order of the kernels in reduce_sum.cu and
// losses.cu: the same bits, where those take one block.
// Shared memory: values that do not leave the program, at most 40 KiB; others, and those beyond, lie in global memory, which
// the first level of cache holds. Limits: those of block_program.h for a launch; the caller cuts longer programs.
#include "kernels/cuda/block_interpreter.h"

namespace forger::FORGER_DEVICE {
namespace {

__global__ void __launch_bounds__(kBlockProgramThreads)
    block_program_interpreter_f32_kernel(const __grid_constant__ BlockCode code) {
  begin_kernel();
  run_instructions<kBlockProgramThreads>(code, block_shared<BlockMemory>());
}

}  // namespace

BlockCode block_code(const BlockProgram& program, const std::vector<void*>& addresses) {
  BlockCode code{};
  std::copy(program.instructions.begin(), program.instructions.end(), code.instructions);
  std::copy(program.words.begin(), program.words.end(), code.words);
  for (size_t i = 0; i < program.pointers.size(); ++i) code.pointers[i] = addresses[program.pointers[i]];
  code.count = static_cast<int>(program.instructions.size());
  return code;
}

size_t block_memory_bytes(const BlockProgram& program) {
  return offsetof(BlockMemory, values) + program.shared_bytes;
}

void run_block_program(const BlockProgram& program, const std::vector<void*>& addresses, Stream stream) {
  if (program.instructions.empty()) return;
  launch(block_program_interpreter_f32_kernel, {.threads = kBlockProgramThreads, .shared_bytes = block_memory_bytes(program)},
         stream, block_code(program, addresses));
}

}  // namespace forger::FORGER_DEVICE
