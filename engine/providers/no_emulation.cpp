// The emulator's table in a build without the emulator.
#include "engine/providers/provider.h"

namespace forger::emulated {

const Provider& provider() {
  static const Provider provider{
      "emulated",
      {},
      Provider::Place::emulator,
      "this forger was built without the emulator; ./run build adds it (CMake: -DFORGER_EMULATION=ON)"};
  return provider;
}

}  // namespace forger::emulated
