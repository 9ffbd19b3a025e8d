// RdbWriter: the primitives of the RDB format, appended to a string.
//
//   length   6 bits: 00xxxxxx | 14: 01xxxxxx, 1 byte | 32: 10000000, 4 bytes | 64: 10000001, 8 bytes
//   (big-endian) string   length, bytes | 110000ww, integer of 1, 2 or 4 bytes | 11000011, packed length,
//   length, LZF bytes moment   milliseconds, 8 bytes (little-endian)      double   8 bytes (IEEE 754,
//   little-endian)
//
// A caller that writes more than fits into memory gives a sink, which gets the bytes in large pieces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "persistence/rdb_format.h"

namespace cinnabar::persistence {

// Where bytes go that would fill the memory otherwise.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void Take(std::string_view bytes) = 0;
};

enum class Compression : uint8_t { kNone, kLzf };

class RdbWriter {
 public:
  // `out` outlives the writer. With a sink it is emptied whenever it has grown large; what it holds at the
  // end is for the caller to hand on.
  RdbWriter(std::string& out, Compression compression, ByteSink* sink = nullptr)
      : out_(out), compression_(compression), sink_(sink) {}

  void Byte(uint8_t byte) { out_.push_back(static_cast<char>(byte)); }
  void Type(RdbType type) { Byte(static_cast<uint8_t>(type)); }
  void Raw(std::string_view bytes);
  void Length(uint64_t length);
  // As an integer if it is the text of one that fits 32 bits, compressed if that is wanted and helps.
  void String(std::string_view bytes);
  // The text of a number.
  void Integer(int64_t number);
  void Double(double number);
  void Moment(Millis moment);

 private:
  bool SmallInteger(int64_t number);
  bool Compressed(std::string_view bytes);
  void DrainIfLarge() {
    if (sink_ == nullptr || out_.size() < kDrainBytes) return;
    sink_->Take(out_);
    out_.clear();
  }

  static constexpr size_t kDrainBytes = 64 * 1024;

  std::string& out_;
  Compression compression_;
  ByteSink* sink_;
};

}  // namespace cinnabar::persistence
