// Writes protocol buffers by hand: a message is the bytes of its fields, one after another.
//
//   field   varint(number << 3 | wire type), then the value
//   types   0 varint; 1 eight bytes; 2 varint length, then bytes (text, messages, packed numbers); 5 four bytes
//
// Source: https://protobuf.dev/programming-guides/encoding
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace forger {

static_assert(std::endian::native == std::endian::little, "protobuf: numbers are copied as they are, little-endian");

class ProtoMessage {
 public:
  ProtoMessage& integer(int field, int64_t value) {
    key(field, 0);
    varint(static_cast<uint64_t>(value));  // negative numbers take ten bytes, as int64 does
    return *this;
  }
  ProtoMessage& real64(int field, double value) { return fixed(field, 1, value); }
  ProtoMessage& real32(int field, float value) { return fixed(field, 5, value); }
  ProtoMessage& bytes(int field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    bytes_.append(value);
    return *this;
  }
  ProtoMessage& message(int field, const ProtoMessage& value) { return bytes(field, value.bytes_); }
  /// A repeated int64 field, packed.
  ProtoMessage& integers(int field, std::span<const int64_t> values) {
    ProtoMessage packed;
    for (const int64_t v : values) packed.varint(static_cast<uint64_t>(v));
    return message(field, packed);
  }

  const std::string& serialized() const { return bytes_; }

 private:
  void key(int field, int wire_type) { varint(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire_type)); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  template <class T>
  ProtoMessage& fixed(int field, int wire_type, T value) {
    key(field, wire_type);
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof value);
    return *this;
  }

  std::string bytes_;
};

}  // namespace forger
