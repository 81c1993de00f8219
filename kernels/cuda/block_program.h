// A list of small operations that one thread block runs one after the other: block_program's kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/common/elementwise.h"
#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

enum class BlockOp : uint8_t {
  elementwise,     // out[i] = scalar(a[i], b[i], p)
  copy,            // out[i] = a[i], of 4 bytes
  fill,            // out[i] = p
  random_uniform,  // out[i] = p + q * uniform; inputs seed, step; words: stream
  random_normal,   // mean p, deviation q
  random_rows,     // words: stream, population
  epoch_rows,      // words: stream, population, draw, draws per step
  dropout,         // a, seed, step; p: rate, q: 1 / (1 - rate); words: stream
  gather,          // out[i] = a[indices[i / row] * row + i % row], of 4 bytes; words: row
  bce,             // logits, targets -> loss [], gradient [n]
  sum,             // [outer, n, inner] -> [outer, inner]; words: outer, inner
  increment,       // i64
};

/// Where a value lies: an entry of the launch's table of pointers, or (with kInShared) so many times 16 bytes into the
/// block's shared memory.
using BlockPlace = uint16_t;
inline constexpr BlockPlace kInShared = 0x8000;

/// Element i of an operand is data[(i / repeat) % period]; both 0: data[i].
struct BlockOperand {
  uint32_t period = 0, repeat = 0;
};

struct BlockInstruction {
  BlockOp op = BlockOp::elementwise;
  ScalarOp scalar = ScalarOp::add;
  bool barrier = false;    // before it: it reads what other threads have written, or overwrites what they have read
  uint8_t first_warp = 0;  // whose threads take the first elements, so that independent instructions run side by side
  BlockPlace in[3] = {}, out[2] = {};
  uint16_t words = 0;  // its first 64-bit constant
  uint32_t n = 0;      // elements of its output, or of its sum
  BlockOperand a = {}, b = {};
  float p = 0, q = 0;
};

inline constexpr uint32_t kLongestWarpSum = 512;  // elements of a contiguous sum that one warp adds; the block adds longer ones
inline constexpr unsigned kBlockProgramThreads = 512;
/// Sizes are bounded by kernel parameters (4 KiB): longer programs take several launches.
inline constexpr int kMaxBlockInstructions = 56, kMaxBlockPointers = 80, kMaxBlockWords = 48;
inline constexpr size_t kMaxBlockShared = 40 << 10;  // bytes for values

/// One launch. pointers: numbers of the caller's addresses.
struct BlockProgram {
  std::vector<BlockInstruction> instructions;
  std::vector<int64_t> words;
  std::vector<uint16_t> pointers;
  size_t shared_bytes = 0;  // for values
};

/// Queues one launch of one block. addresses: of the caller's values, aligned to 16 bytes. Instructions may overwrite what
/// later ones do not read.
void run_block_program(const BlockProgram& program, const std::vector<void*>& addresses, Stream stream);

}  // namespace forger::FORGER_DEVICE
