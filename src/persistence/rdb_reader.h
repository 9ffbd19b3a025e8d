// RdbReader: a cursor over bytes of the RDB format (rdb_writer.h shows it), which come from outside: nothing
// is believed. The first fault is kept; from then on every read gives zeros and empty strings, so that a
// decoder may read on and asks once at the end of a step:
//
//   const uint64_t count = in.Length();
//   for (uint64_t i = 0; i < count && !in.failed(); ++i) ...
//
// Memory is taken for what is there, never for what a length claims.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "persistence/rdb_format.h"

namespace cinnabar::persistence {

enum class RdbFault : uint8_t {
  kNone,
  kTruncated,    // the bytes end too early
  kCorrupt,      // they cannot be what they claim to be
  kEmpty,        // a collection without elements: nothing that a key could hold
  kUnsupported,  // a type of a module, or one that is not known
};

// Where a string goes that does not stand in the input as it is (compressed, or a number).
struct RdbRoom {
  std::string bytes;
};

class RdbReader {
 public:
  explicit RdbReader(std::string_view bytes) : bytes_(bytes) {}

  bool failed() const { return fault_ != RdbFault::kNone; }
  RdbFault fault() const { return fault_; }
  // What is wrong, in a few words; empty when nothing is.
  std::string_view reason() const { return reason_; }
  // Keeps the first. `reason` lives for ever.
  void Fail(RdbFault fault, std::string_view reason) {
    if (failed()) return;
    fault_ = fault;
    reason_ = reason;
  }
  // Goes on behind something that was empty. REQUIRES: fault() is kEmpty, which only the end of a value
  // gives.
  void ForgiveEmpty() { fault_ = RdbFault::kNone; }
  void FailCorrupt(std::string_view reason) { Fail(RdbFault::kCorrupt, reason); }

  // Goes on at `position` of other bytes, as if nothing had failed.
  void Renew(std::string_view bytes, size_t position) {
    bytes_ = bytes;
    position_ = position;
    fault_ = RdbFault::kNone;
    reason_ = {};
  }

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  uint8_t Byte();
  // A view into the input.
  std::string_view Raw(uint64_t size);
  uint64_t Length();
  // A length that counts things of at least `least_bytes` each: a fault if they cannot all be there.
  uint64_t Count(uint64_t least_bytes);
  // A view into the input, or into the room; dies with the next use of the room.
  std::string_view String(RdbRoom& room);
  double Double();
  // The text form; NaN is a fault.
  double TextDouble();
  Millis Moment();

 private:
  template <typename T>
  T Little();
  template <typename T>
  T Big();
  // A length, or (true) the number of a special encoding.
  bool LengthOrEncoding(uint64_t& value);
  std::string_view Unpack(RdbRoom& room);

  std::string_view bytes_;
  size_t position_ = 0;
  RdbFault fault_ = RdbFault::kNone;
  std::string_view reason_;
};

}  // namespace cinnabar::persistence
