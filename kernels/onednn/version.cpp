#include "kernels/onednn/version.h"

#include <fmt/format.h>

#include <oneapi/dnnl/dnnl.hpp>

namespace forger::onednn {

std::string version() {
  const dnnl_version_t* v = dnnl_version();
  const auto isa = [] {
    switch (dnnl::get_effective_cpu_isa()) {
      case dnnl::cpu_isa::sse41:
        return "SSE 4.1";
      case dnnl::cpu_isa::avx:
        return "AVX";
      case dnnl::cpu_isa::avx2:
        return "AVX2";
      case dnnl::cpu_isa::avx512_core:
        return "AVX-512";
      case dnnl::cpu_isa::avx512_core_vnni:
        return "AVX-512 with VNNI";
      case dnnl::cpu_isa::avx512_core_bf16:
        return "AVX-512 with bf16";
      default:
        return "its own choice of vectors";
    }
  };
  return fmt::format("{}.{}.{}, {}", v->major, v->minor, v->patch, isa());
}

}  // namespace forger::onednn
