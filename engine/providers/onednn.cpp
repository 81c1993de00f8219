// The fast CPU provider: f32 only.
#include "engine/providers/adapters.h"
#include "engine/providers/provider.h"

namespace forger {

const Provider& onednn_provider() {
  static const Provider provider{"onednn", {}};
  return provider;
}

}  // namespace forger
