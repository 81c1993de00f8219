// The choice of an instruction set at run time.
#include "kernels/common/isa.h"

#include <doctest/doctest.h>

#include <string>

using namespace forger;

namespace {

int baseline() {
  return 0;
}
int avx2() {
  return 1;
}
int avx512() {
  return 2;
}

}  // namespace

TEST_CASE("isa: the sets of this machine") {
  CHECK(available_isas().front() == Isa::baseline);
  CHECK(available_isas().back() == best_isa());
  CHECK(std::string(isa_name()) == isa_name(best_isa()));
}

TEST_CASE("isa: the function of the set that was asked for, if the CPU has it") {
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (isa <= best_isa()) {
      CHECK(for_isa(isa, baseline, avx2, avx512)() == static_cast<int>(isa));
    } else {
      CHECK_THROWS_AS(for_isa(isa, baseline, avx2, avx512), DeviceError);
    }
  }
}
