// Programmatic dependent launch in a CUDA graph.
#pragma once

#include <cuda_runtime_api.h>

namespace forger {

/// Lets every kernel that waits for kernels alone be scheduled while the last of them still run, instead of after their end: it
/// waits for them itself (begin_kernel in kernels/cuda/launch.h), so what it computes is the same. All kernels of the graph must
/// do so. Cooperative launches keep whole dependencies on both sides: all their blocks must find room at once. For compute
/// capability 9.0 and newer; CUDA C++ Programming Guide, "Programmatic Dependent Launch", use in CUDA graphs. Throws DeviceError.
void overlap_kernels(cudaGraph_t graph);

}  // namespace forger
