// version.h in a build without oneDNN.
#include "kernels/onednn/version.h"

namespace forger::onednn {

std::string version() {
  return "not found at build time; install oneDNN 2.6 to 3.x (libdnnl-dev, onednn-devel) and build again";
}

}  // namespace forger::onednn
