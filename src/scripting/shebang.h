// The first line of a script or library: `#!lua flags=no-writes,allow-oom`, `#!lua name=mylib`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cinnabar::scripting {

// The flag of a name as scripts state it; 0: there is none.
uint32_t FlagOfName(std::string_view name);

struct ScriptHead {
  uint32_t flags = 0;
  // What is compiled. Where there is a first line its line break is left, so that lines keep their numbers.
  std::string_view body;
};
// The errors are complete texts without a code.
Result<ScriptHead> ReadScriptHead(std::string_view text);

struct LibraryHead {
  std::string name;
  std::string_view body;
};
Result<LibraryHead> ReadLibraryHead(std::string_view code);

bool GoodFunctionName(std::string_view name);

}  // namespace cinnabar::scripting
