// Creates oneDNN's primitive descriptors; hides how versions 2 and 3 of its API differ.
//
// Version 2 describes an operation by a `desc` first and makes a primitive descriptor of it; version 3 passes the
// description to the primitive descriptor itself. `operation` is what both take: kinds, memory descriptors, strides, padding.
#pragma once

#include <oneapi/dnnl/dnnl_version.h>
#include <oneapi/dnnl/dnnl.hpp>

namespace forger::onednn {

/// Creates the descriptor of primitive P.
template <class P, class... Operation>
typename P::primitive_desc describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                    const Operation&... operation) {
#if DNNL_VERSION_MAJOR < 3
  return {typename P::desc(operation...), attributes, engine};
#else
  return {engine, operation..., attributes};
#endif
}

/// Creates the descriptor of P, a gradient of the convolution that `forward` describes.
template <class P, class... Operation>
typename P::primitive_desc describe_gradient(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                             const dnnl::convolution_forward::primitive_desc& forward,
                                             const Operation&... operation) {
#if DNNL_VERSION_MAJOR < 3
  return {typename P::desc(operation...), attributes, engine, forward};
#else
  return {engine, operation..., forward, attributes};
#endif
}

}  // namespace forger::onednn
