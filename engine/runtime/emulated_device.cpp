#include "engine/runtime/emulated_device.h"

#include <cstring>
#include <map>

#include "kernels/common/philox.h"
#include "kernels/emulation/grid.h"

namespace forger {
namespace {

using Launches = std::vector<std::function<void()>>;

/// Pieces in the order in which they were recorded, or shuffled as far as they do not wait for each other.
class RecordedWork : public Recording {
 public:
  struct Piece {
    Launches launches;
    std::vector<int> after;
  };
  RecordedWork(std::vector<Piece> pieces, uint64_t shuffle) : pieces_(std::move(pieces)), shuffle_(shuffle) {}

  void replay() override {
    std::vector<size_t> waits_for(pieces_.size()), ready;
    std::vector<std::vector<size_t>> followers(pieces_.size());
    for (size_t i = 0; i < pieces_.size(); ++i) {
      waits_for[i] = pieces_[i].after.size();
      for (int j : pieces_[i].after) followers[static_cast<size_t>(j)].push_back(i);
      if (waits_for[i] == 0) ready.push_back(i);
    }
    for (uint32_t draw = 0; !ready.empty(); ++draw) {
      const size_t chosen =
          shuffle_ ? philox_below(philox_block(shuffle_, 0, replays_, draw).v[0], static_cast<uint32_t>(ready.size())) : 0;
      const size_t i = ready[chosen];
      ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(chosen));
      for (const auto& launch : pieces_[i].launches) launch();
      for (size_t j : followers[i]) {
        if (--waits_for[j] == 0) ready.push_back(j);
      }
    }
    ++replays_;
  }

 private:
  std::vector<Piece> pieces_;
  uint64_t shuffle_, replays_ = 0;
};

class EmulatedDevice : public Device {
 public:
  explicit EmulatedDevice(uint64_t shuffle) {
    options_.order = shuffle ? emulation::ThreadOrder::shuffled : emulation::ThreadOrder::forward;
    options_.seed = shuffle;
  }
  std::string name() const override { return "emulated"; }
  void* allocate(size_t bytes) override {
    void* pointer = host_device().allocate(bytes);
    std::memset(pointer, 0xFF, bytes);  // NaN: a GPU's memory is not zero either
    sizes_[pointer] = bytes;
    count_allocation(bytes);
    return pointer;
  }
  size_t available() const override { return host_device().available(); }
  void release(void* pointer) noexcept override {
    count_release(sizes_[pointer]);
    sizes_.erase(pointer);
    host_device().release(pointer);
  }
  void upload(void* device, const void* host, size_t bytes) override { std::memcpy(device, host, bytes); }
  void download(void* host, const void* device, size_t bytes) override { std::memcpy(host, device, bytes); }
  void copy(void* to, const void* from, size_t bytes) override {
    if (options_.recording) {
      options_.recording->push_back([=] { std::memcpy(to, from, bytes); });
    } else {
      std::memcpy(to, from, bytes);
    }
  }
  Stream stream() const override { return reinterpret_cast<Stream>(const_cast<emulation::Options*>(&options_)); }
  bool is_asynchronous() const override { return true; }
  std::unique_ptr<Recording> record(std::span<const Work> pieces) override {
    std::vector<RecordedWork::Piece> recorded;
    try {
      for (const Work& piece : pieces) {
        recorded.push_back({{}, piece.after});
        options_.recording = &recorded.back().launches;
        piece.queue();
      }
    } catch (...) {
      options_.recording = nullptr;
      throw;
    }
    options_.recording = nullptr;
    return std::make_unique<RecordedWork>(std::move(recorded), options_.seed);
  }

 private:
  emulation::Options options_;
  std::map<void*, size_t> sizes_;
};

}  // namespace

std::shared_ptr<Device> open_emulated_device(uint64_t shuffle) {
  return std::make_shared<EmulatedDevice>(shuffle);
}

std::vector<size_t> count_kernels(const Program& program) {
  // Where values would be, if the arena and the variables lay one behind the other from some address on: kernels look at
  // whether outputs take over inputs' memory, not at what is there.
  constexpr uintptr_t kBase = uintptr_t{1} << 20;
  std::vector<uintptr_t> variables(program.graph.variables().size());
  uintptr_t end = kBase + program.memory.arena_bytes;
  for (size_t i = 0; i < variables.size(); ++i) {
    variables[i] = end = (end + 255) / 256 * 256;
    end += program.graph.type(program.graph.variables()[i].current).bytes();
  }
  const auto address = [&](ValueId id) {
    const Location& where = program.memory.values[static_cast<size_t>(id)];
    switch (where.kind) {
      case Location::Kind::arena:
        return reinterpret_cast<void*>(kBase + program.memory.block_offsets[where.index]);
      case Location::Kind::variable:
        return reinterpret_cast<void*>(variables[where.index]);
      case Location::Kind::input:
        break;
    }
    return reinterpret_cast<void*>((end + 255) / 256 * 256 + 256 * where.index);
  };
  Launches recorded;
  emulation::Options options;
  options.recording = &recorded;
  std::vector<size_t> counts;
  for (const Launch& launch : program.launches) {
    const Node& node = program.graph.node(launch.node);
    std::vector<void*> inputs, outputs;
    for (ValueId id : node.inputs) inputs.push_back(address(id));
    for (ValueId id : node.outputs) outputs.push_back(address(id));
    void* const scratch = reinterpret_cast<void*>(kBase);
    recorded.clear();
    launch.kernel.run({inputs, outputs, scratch, reinterpret_cast<Stream>(&options), reinterpret_cast<uint32_t*>(kBase)});
    counts.push_back(recorded.size());
  }
  counts.push_back(program.memory.final_copies.size());
  return counts;
}

}  // namespace forger
