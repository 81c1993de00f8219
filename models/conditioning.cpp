#include "models/conditioning.h"

#include "engine/ops/ops.h"

namespace forger {

Value condition_latent(Value z, Value labels) {
  return concat({z, labels}, 1);
}

Value condition_samples(Value samples, Value labels) {
  const Shape& shape = samples.shape();
  if (shape.size() == 2) return concat({samples, labels}, 1);
  const int64_t classes = labels.dim(1);
  const Value pixel = reshape(labels, {shape[0], 1, 1, classes});
  return concat({samples, broadcast_to(pixel, {shape[0], shape[1], shape[2], classes})}, 3);
}

Value pack(Value samples, int64_t count) {
  if (count == 1) return samples;
  const PathScope scope(samples.graph(), "pack");
  Shape size = samples.shape();
  size[0] /= count;
  std::vector<Value> parts;
  std::vector<int64_t> begin(size.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    begin[0] = i * size[0];
    parts.push_back(slice(samples, begin, size));
  }
  return concat(parts, static_cast<int64_t>(size.size()) - 1);
}

std::vector<int64_t> classes_by_column(int64_t count, int64_t columns, int64_t classes) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < count; ++i) labels.push_back(i % columns % classes);
  return labels;
}

std::vector<float> one_hot(const std::vector<int64_t>& labels, int64_t classes) {
  std::vector<float> rows(labels.size() * static_cast<size_t>(classes), 0.f);
  for (size_t i = 0; i < labels.size(); ++i) rows[i * static_cast<size_t>(classes) + static_cast<size_t>(labels[i])] = 1;
  return rows;
}

}  // namespace forger
