// Reading an append-only file: one RESP command after the other, and annotations (`#TS:1628217473\r\n`).
//
// Sans-I/O: the caller feeds the bytes that it has and goes on where the last call ended. Every byte is
// checked; lengths are believed only as far as bytes are there.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace cinnabar::persistence {

class AofReader {
 public:
  enum class Outcome : uint8_t {
    kCommand,     // argv() has it
    kAnnotation,  // annotation() has its text
    kIncomplete,  // more bytes are needed, or the file was cut off here
    kBadFormat,
  };

  // Looks at the first record of `bytes`. The results point into them.
  Outcome Next(std::string_view bytes);

  std::span<const std::string_view> argv() const { return argv_; }
  std::string_view annotation() const { return annotation_; }
  // Bytes of the record, after kCommand and kAnnotation. After kIncomplete: how many bytes the record needs
  // at least, as far as is known.
  size_t size() const { return size_; }

 private:
  std::vector<std::string_view> argv_;
  std::string_view annotation_;
  size_t size_ = 0;
};

// The seconds of a time annotation ("TS:1628217473").
std::optional<int64_t> TimestampOf(std::string_view annotation);

}  // namespace cinnabar::persistence
