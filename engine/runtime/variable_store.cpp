#include "engine/runtime/variable_store.h"

#include "kernels/reference/random.h"

namespace forger {
namespace {

template <class T>
std::vector<T> initial_values(const Initializer& init, int64_t n, uint64_t seed, const std::string& name) {
  std::vector<double> values(static_cast<size_t>(n), init.a);
  const reference::RandomKey key{seed, init.stream != 0 ? init.stream : stream_of(name), 0};
  if (init.kind == Initializer::Kind::uniform) reference::random_uniform(n, init.a, init.b, key, values.data());
  if (init.kind == Initializer::Kind::normal) reference::random_normal(n, init.a, init.b, key, values.data());
  return {values.begin(), values.end()};
}

}  // namespace

void VariableStore::add(const Graph& graph, uint64_t seed) {
  for (const Variable& v : graph.variables()) {
    const TensorType& type = graph.type(v.current);
    if (const auto it = entries_.find(v.name); it != entries_.end()) {
      if (it->second.type != type) {
        fail<ShapeError>("{}: is {}, another graph has it as {}", v.name, to_string(it->second.type), to_string(type));
      }
      continue;
    }
    Entry entry{type, Buffer(device_, type.bytes())};
    const auto set = [&](auto zero) {
      const auto values = initial_values<decltype(zero)>(v.initializer, type.size(), seed, v.name);
      device_.upload(entry.buffer.data(), values.data(), type.bytes());
    };
    switch (type.dtype) {
      case DType::f32:
        set(float{});
        break;
      case DType::f64:
        set(double{});
        break;
      case DType::i64:
        set(int64_t{});
        break;
      case DType::u64:
        set(uint64_t{});
        break;
      case DType::i32:
        set(int32_t{});
        break;
      case DType::u8:
        set(uint8_t{});
        break;
    }
    entries_.emplace(v.name, std::move(entry));
  }
}

VariableStore::Entry& VariableStore::at(const std::string& name) {
  const auto it = entries_.find(name);
  if (it == entries_.end()) fail<ConfigError>("there is no variable '{}'", name);
  return it->second;
}

const VariableStore::Entry& VariableStore::at(const std::string& name) const {
  return const_cast<VariableStore*>(this)->at(name);
}

std::vector<std::byte> VariableStore::read(const std::string& name) const {
  const Entry& entry = at(name);
  std::vector<std::byte> bytes(entry.type.bytes());
  device_.download(bytes.data(), entry.buffer.data(), bytes.size());
  return bytes;
}

void VariableStore::write(const std::string& name, std::span<const std::byte> bytes) {
  Entry& entry = at(name);
  if (bytes.size() != entry.type.bytes()) {
    fail<ShapeError>("{}: {} bytes given, {} needs {}", name, bytes.size(), to_string(entry.type), entry.type.bytes());
  }
  device_.upload(entry.buffer.data(), bytes.data(), bytes.size());
}

}  // namespace forger
