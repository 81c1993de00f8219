// Scalars and pictures for TensorBoard: `tensorboard --logdir runs` opens a run directory.
//
//   record   u64 length, u32 masked CRC-32C of the length, the event, u32 masked CRC-32C of the event
//   event    tensorflow.Event, a protocol buffer: wall_time, step, summary (or file_version in the first)
//
// The wall time of an event is its step in seconds: equal runs give equal bytes.
// Source: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto, framework/summary.proto
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace forger {

/// The name of the file in a run directory.
inline constexpr const char* kEventFileName = "events.out.tfevents.0000000000.forger";

class EventFile {
 public:
  /// Opens for appending. Events of steps from `first_step` on, and what a crash cut off, are dropped: a resumed run makes
  /// them again. Throws DataError if the file cannot be written.
  EventFile(const std::string& path, int64_t first_step);
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  ~EventFile();

  /// Appends one event with all values that are finite; nothing if there is none. Throws DataError when the disk is full.
  void add_scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  /// Appends a picture: the bytes of a PNG file. Throws DataError if they are none, or when the disk is full.
  void add_image(int64_t step, const std::string& tag, const std::string& png);

 private:
  void write(const std::string& record);

  std::string path_;
  std::FILE* file_;
};

/// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78) of some bytes; "123456789" gives 0xe3069283.
uint32_t crc32c(const void* data, size_t size);

}  // namespace forger
