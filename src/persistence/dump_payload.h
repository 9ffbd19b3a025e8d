// What DUMP gives and RESTORE takes: one value that knows what it is.
//
//   [type: 1][value][RDB version: u16][CRC-64 of all before it: u64]          numbers are little-endian
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "persistence/rdb_value.h"

namespace cinnabar::persistence {

// The payload of an entry's value, in the oldest version that can hold it.
std::string DumpPayload(const keyspace::Entry& entry, Compression compression);

// What stands behind every payload: the version that can read it, and the checksum of all before.
void AppendFooter(std::string& payload, uint16_t version);

// Whether version and checksum are right: the payload came through unharmed, and is none that only a later
// server can read.
enum class PayloadChecksum : uint8_t { kChecked, kIgnored };
bool IntactPayload(std::string_view payload, PayloadChecksum checksum = PayloadChecksum::kChecked);
// Reads an intact payload. When it holds anything but one value nothing is in `value`, and the error says
// what is wrong and at which byte (its code).
Status ReadPayload(std::string_view payload, const ValueLimits& limits, RdbValue& value);

}  // namespace cinnabar::persistence
