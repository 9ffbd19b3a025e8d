// What SCAN, SSCAN, HSCAN and ZSCAN have in common: the cursor and the options.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/glob.h"
#include "dispatch/args.h"

namespace cinnabar::commands {

inline constexpr std::string_view kInvalidCursor = "ERR invalid cursor";

// As C reads unsigned numbers, signs and leading zeros included: clients may send such cursors.
std::optional<uint64_t> ParseCursor(std::string_view text);

struct ScanOptions {
  uint64_t count = 10;
  std::optional<std::string_view> pattern;
  std::optional<std::string_view> type;

  bool Matches(std::string_view text) const { return !pattern || GlobMatch(*pattern, text); }
};

// Which options a command knows.
enum class ScanOf : uint8_t { kKeys, kElements };

ScanOptions ParseScanOptions(dispatch::Args& args, ScanOf what);

}  // namespace cinnabar::commands
