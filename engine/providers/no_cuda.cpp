// The CUDA provider's table in a build without the CUDA toolkit: the emulator's, to explain what would be chosen on a GPU.
#include "engine/providers/provider.h"

namespace forger::cuda {

const Provider& provider() {
  static const Provider provider{"cuda", emulated::provider().kernels, Provider::Place::gpu,
                                 "this forger was built with neither the CUDA toolkit nor the emulator, so it does not know the "
                                 "CUDA kernels; ./run build adds the emulator (CMake: -DFORGER_EMULATION=ON)"};
  return provider;
}

}  // namespace forger::cuda
