// What FUNCTION DUMP gives and FUNCTION RESTORE takes: the sources of libraries.
//
//   [245][source] ... [RDB version: u16][CRC-64 of all before it: u64]          numbers are little-endian
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cinnabar::persistence {

std::string DumpFunctions(std::span<const std::string> codes, bool compress);

// The sources in their order. The error says that the payload is none, or holds something else.
Result<std::vector<std::string>> ReadFunctions(std::string_view payload);

}  // namespace cinnabar::persistence
