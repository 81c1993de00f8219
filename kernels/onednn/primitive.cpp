#include "kernels/onednn/primitive.h"

#include <algorithm>

#include "kernels/onednn/one_thread.h"
#include "kernels/threads/pool.h"

namespace forger::onednn {
namespace {

using dnnl::memory;
constexpr auto f32 = memory::data_type::f32;
// Floats of a filter that one thread copies at a time, and the output channels that oneDNN's layouts keep together.
constexpr int64_t kReorderFloats = 65536, kBlock = 64;

}  // namespace

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr own_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

std::size_t round_up(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

Conv2dDescs::Conv2dDescs(const Conv2dShape& s)
    : x({s.N, s.C, s.H, s.W}, f32, memory::format_tag::nhwc),
      y({s.N, s.K, s.P, s.Q}, f32, memory::format_tag::nhwc),
      filter({s.K, s.C, s.R, s.S}, f32, memory::format_tag::any),
      filter_krsc({s.K, s.C, s.R, s.S}, f32, memory::format_tag::acdb),
      bias({s.K}, f32, memory::format_tag::a),
      strides{s.stride_h, s.stride_w},
      pad_before{s.pad_top, s.pad_left},
      // Negative where the last rows are never read: oneDNN wants exact sums.
      pad_after{(s.P - 1) * s.stride_h + s.R - s.H - s.pad_top, (s.Q - 1) * s.stride_w + s.S - s.W - s.pad_left} {}

Primitive::Primitive(dnnl::primitive primitive, const memory::desc& scratchpad, const Operands& operands, int threads)
    : primitive_(std::move(primitive)), scratchpad_bytes_(round_up(scratchpad.get_size())) {
  for (int i = 0; i < threads; ++i) {
    Slot slot{dnnl::stream(cpu_engine()), {}};
    for (const auto& [id, desc] : operands) slot.arguments[id] = memory(desc, cpu_engine(), nullptr);
    slot.arguments[DNNL_ARG_SCRATCHPAD] = memory(scratchpad, cpu_engine(), nullptr);
    slots_.push_back(std::move(slot));
  }
}

std::size_t scratchpad_bytes(const std::vector<Primitive>& primitives) {
  std::size_t bytes = 0;
  for (const Primitive& p : primitives) bytes = std::max(bytes, p.scratchpad_bytes());
  return bytes;
}

void Primitive::run(int slot, std::initializer_list<Operand> operands, void* scratchpad) {
  const OneThread one_thread;
  auto& [stream, arguments] = slots_[static_cast<std::size_t>(slot)];
  for (const Operand& o : operands) {
    if (o.data) arguments.at(o.id).set_data_handle(const_cast<void*>(o.data));
  }
  arguments.at(DNNL_ARG_SCRATCHPAD).set_data_handle(scratchpad);
  primitive_.execute(stream, arguments);
  stream.wait();
}

FilterReorder::FilterReorder(const memory::desc& from, const memory::desc& to, const Conv2dShape& s) {
  if (from == to) return;
  const OneThread one_thread;
  const int64_t size = std::max(kReorderFloats / (s.C * s.R * s.S) / kBlock * kBlock, kBlock);
  for (int64_t k = 0; k < s.K; k += size) {
    const memory::dims dims{std::min(size, s.K - k), s.C, s.R, s.S}, offset{k, 0, 0, 0};
    const memory::desc a = from.submemory_desc(dims, offset), b = to.submemory_desc(dims, offset);
    parts_.push_back({memory(a, cpu_engine(), nullptr), memory(b, cpu_engine(), nullptr),
                      dnnl::reorder({cpu_engine(), a, cpu_engine(), b}), dnnl::stream(cpu_engine())});
  }
}

void FilterReorder::run(const void* from, void* to) {
  parallel_for(static_cast<int64_t>(parts_.size()), [&](int64_t i) {
    const OneThread one_thread;
    Part& part = parts_[static_cast<std::size_t>(i)];
    part.from.set_data_handle(const_cast<void*>(from));
    part.to.set_data_handle(to);
    part.reorder.execute(part.stream, part.from, part.to);
    part.stream.wait();
  });
}

}  // namespace forger::onednn
