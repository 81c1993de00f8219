// Any bytes are an IDX file or a DataError.
#include <cstddef>
#include <cstdint>

#include "datasets/idx.h"
#include "kernels/common/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const forger::IdxArray array = forger::parse_idx({data, size}, "input");
    int64_t count = 1;
    for (const int64_t d : array.dims) count *= d;
    if (count != static_cast<int64_t>(array.values.size())) __builtin_trap();
  } catch (const forger::DataError&) {
  }
  return 0;
}
