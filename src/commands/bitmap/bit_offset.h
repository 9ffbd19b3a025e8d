// Offsets of bits, as SETBIT, GETBIT and BITFIELD take them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/numbers.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {

inline constexpr std::string_view kBadBitOffset = "ERR bit offset is not an integer or out of range";

// The next argument as an offset within the largest string allowed. `field_bits` other than 0 accepts "#5"
// too: the fifth field of that width.
inline uint64_t ReadBitOffset(dispatch::Args& args, const dispatch::Call& call, unsigned field_bits = 0) {
  std::string_view text = args.Next();
  if (args.failed()) return 0;
  uint64_t scale = 1;
  if (field_bits != 0 && text.starts_with('#')) {
    scale = field_bits;
    text.remove_prefix(1);
  }
  const auto number = ParseInt64(text);
  const uint64_t limit = static_cast<uint64_t>(call.settings().clients.proto_max_bulk_len_bytes) * 8;
  if (!number || *number < 0 || static_cast<uint64_t>(*number) >= (limit + scale - 1) / scale) {
    args.Fail(kBadBitOffset);
    return 0;
  }
  return static_cast<uint64_t>(*number) * scale;
}

}  // namespace cinnabar::commands
