// The CUDA provider's table in a build without the CUDA toolkit: what would be chosen on a GPU can still be explained.
#include "engine/providers/provider.h"

namespace forger::cuda {

const Provider& provider() {
  static const Provider provider{"cuda", emulated::provider().kernels, Provider::Place::gpu};
  return provider;
}

}  // namespace forger::cuda
