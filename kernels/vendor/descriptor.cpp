#include "kernels/vendor/descriptor.h"

namespace forger::vendor {

Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& values) {
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const Descriptor& value : values) raw.push_back(value.descriptor_);
  FORGER_CUDNN_CHECK(BackendSetAttribute(descriptor_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::ssize(raw), raw.data()));
  return *this;
}

std::vector<Descriptor> Descriptor::get(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type, int64_t most) const {
  std::vector<Descriptor> values;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t i = 0; i < most; ++i) {
    values.emplace_back(type);
    raw.push_back(values.back().descriptor_);
  }
  int64_t count = 0;
  FORGER_CUDNN_CHECK(BackendGetAttribute(descriptor_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, &count, raw.data()));
  values.erase(values.begin() + std::min(count, most), values.end());
  return values;
}

}  // namespace forger::vendor
