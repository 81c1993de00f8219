// The rows of oneDNN in a build without it: none. Winograd, direct and reference kernels take its nodes.
#include "engine/providers/onednn_tables.h"

namespace forger {

std::vector<Kernel> library_kernels() {
  return {};
}

}  // namespace forger
