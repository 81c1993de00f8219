#include "kernels/onednn/primitive.h"

namespace forger::onednn {
namespace {

using dnnl::memory;
constexpr auto f32 = memory::data_type::f32;

std::size_t round_up(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace

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

dnnl::primitive_attr Primitive::attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

void Primitive::set(dnnl::primitive primitive, const memory::desc& scratchpad) {
  primitive_ = std::move(primitive);
  scratchpad_bytes_ = scratchpad.get_size();
  arguments_[DNNL_ARG_SCRATCHPAD] = memory(scratchpad, engine_, nullptr);
}

void Primitive::add_argument(int id, const memory::desc& desc) {
  arguments_[id] = memory(desc, engine_, nullptr);
}

void Primitive::prepare_reorder(int id, const memory::desc& ours, const memory::desc& theirs) {
  add_argument(id, theirs);
  reordered_id_ = id;
  reorders_ = ours != theirs;
  if (!reorders_) return;
  ours_ = memory(ours, engine_, nullptr);
  filter_bytes_ = round_up(theirs.get_size());
}

void Primitive::add_reordered_input(int id, const memory::desc& ours, const memory::desc& theirs) {
  prepare_reorder(id, ours, theirs);
  if (reorders_) before_ = dnnl::reorder({engine_, ours, engine_, theirs});
}

void Primitive::add_reordered_output(int id, const memory::desc& ours, const memory::desc& theirs) {
  prepare_reorder(id, ours, theirs);
  is_output_ = true;
  if (reorders_) after_ = dnnl::reorder({engine_, theirs, engine_, ours});
}

void Primitive::bind_reordered(int id, const void* data) {
  if (reorders_) {
    ours_.set_data_handle(const_cast<void*>(data));
  } else {
    bind(id, data);
  }
}

void Primitive::run(void* workspace) {
  char* const base = static_cast<char*>(workspace);
  if (reorders_) bind(reordered_id_, base);
  bind(DNNL_ARG_SCRATCHPAD, base + filter_bytes_);
  if (reorders_ && !is_output_) before_.execute(stream_, ours_, arguments_[reordered_id_]);
  primitive_.execute(stream_, arguments_);
  if (reorders_ && is_output_) after_.execute(stream_, arguments_[reordered_id_], ours_);
  stream_.wait();
}

}  // namespace forger::onednn
