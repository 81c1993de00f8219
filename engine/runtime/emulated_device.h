// A GPU that is not there: memory apart from the host's by convention, a stream that records, kernels run by
// kernels/emulation. Slow; it shows that a run is right on a GPU before one is at hand.
#pragma once

#include "engine/runtime/device.h"
#include "engine/runtime/program.h"

namespace forger {

/// `shuffle`: seed of the order in which a block's threads run, and recorded work that may run side by side; 0: as written.
std::shared_ptr<Device> open_emulated_device(uint64_t shuffle = 0);

/// How many CUDA kernels each launch of a program starts, and copies of updates at the end as one more entry. The program
/// must be made of the emulated provider's kernels; nothing is run and no memory is touched.
std::vector<size_t> count_kernels(const Program& program);

}  // namespace forger
