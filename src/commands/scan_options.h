// What SCAN, HSCAN, SSCAN and ZSCAN share: the cursor and the options behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dispatch/args.h"

namespace cinnabar::commands {

// As C reads unsigned numbers, signs and leading zeros included: clients may send such cursors.
std::optional<uint64_t> ParseScanCursor(std::string_view text);
inline constexpr std::string_view kInvalidCursor = "ERR invalid cursor";

struct ScanOptions {
  uint64_t count = 10;
  std::optional<std::string_view> pattern;  // none for "*"

  // Takes COUNT or MATCH at the cursor of the arguments; false when something else stands there.
  bool Parse(dispatch::Args& args);
  bool Matches(std::string_view text) const;
};

}  // namespace cinnabar::commands
