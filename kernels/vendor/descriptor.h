// One object of cuDNN's graph interface: attributes are set, then it is finalised and read only.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "kernels/vendor/library.h"

namespace forger::vendor {

/// cuDNN's tag for a C++ type, for the attributes that one type names.
template <class T>
constexpr cudnnBackendAttributeType_t kAttributeType = T::no_tag_for_this_type;
template <>
inline constexpr auto kAttributeType<int64_t> = CUDNN_TYPE_INT64;
template <>
inline constexpr auto kAttributeType<float> = CUDNN_TYPE_FLOAT;
template <>
inline constexpr auto kAttributeType<bool> = CUDNN_TYPE_BOOLEAN;
template <>
inline constexpr auto kAttributeType<char> = CUDNN_TYPE_CHAR;
template <>
inline constexpr auto kAttributeType<void*> = CUDNN_TYPE_VOID_PTR;
template <>
inline constexpr auto kAttributeType<cudnnHandle_t> = CUDNN_TYPE_HANDLE;
template <>
inline constexpr auto kAttributeType<cudnnDataType_t> = CUDNN_TYPE_DATA_TYPE;
template <>
inline constexpr auto kAttributeType<cudnnConvolutionMode_t> = CUDNN_TYPE_CONVOLUTION_MODE;
template <>
inline constexpr auto kAttributeType<cudnnPointwiseMode_t> = CUDNN_TYPE_POINTWISE_MODE;
template <>
inline constexpr auto kAttributeType<cudnnBackendHeurMode_t> = CUDNN_TYPE_HEUR_MODE;
template <>
inline constexpr auto kAttributeType<cudnnBackendNumericalNote_t> = CUDNN_TYPE_NUMERICAL_NOTE;

/// Every call throws DeviceError unless its comment says otherwise.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) { FORGER_CUDNN_CHECK(BackendCreateDescriptor(type, &descriptor_)); }
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Descriptor() {
    if (descriptor_) cudnn().BackendDestroyDescriptor(descriptor_);
  }
  cudnnBackendDescriptor_t get() const { return descriptor_; }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const T> values) {
    FORGER_CUDNN_CHECK(BackendSetAttribute(descriptor_, name, kAttributeType<T>, std::ssize(values), values.data()));
    return *this;
  }
  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, const T& value) {
    return set(name, std::span<const T>(&value, 1));
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    FORGER_CUDNN_CHECK(BackendSetAttribute(descriptor_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.descriptor_));
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& values);

  Descriptor& finalize() {
    FORGER_CUDNN_CHECK(BackendFinalize(descriptor_));
    return *this;
  }
  /// Does not throw: what an engine cannot do, it says here.
  bool try_finalize() noexcept { return cudnn().BackendFinalize(descriptor_) == CUDNN_STATUS_SUCCESS; }

  /// At most `most` values of an attribute; fewer if it has fewer.
  template <class T>
  std::vector<T> get(cudnnBackendAttributeName_t name, int64_t most) const {
    std::vector<T> values(static_cast<size_t>(most));
    int64_t count = 0;
    FORGER_CUDNN_CHECK(BackendGetAttribute(descriptor_, name, kAttributeType<T>, most, &count, values.data()));
    values.resize(static_cast<size_t>(std::min(count, most)));
    return values;
  }
  /// The same for descriptors, which the caller of cuDNN makes and cuDNN fills.
  std::vector<Descriptor> get(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type, int64_t most) const;

 private:
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

}  // namespace forger::vendor
