#include "commands/generic/scan_options.h"

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <string>

namespace cinnabar::commands {

std::optional<uint64_t> ParseCursor(std::string_view text) {
  if (text == "0") return 0;
  const std::string copy(text);
  if (!copy.empty() && std::isspace(static_cast<unsigned char>(copy[0]))) return std::nullopt;
  errno = 0;
  char* end = nullptr;
  const uint64_t value = std::strtoull(copy.c_str(), &end, 10);
  if (errno == ERANGE || end != copy.c_str() + copy.size()) return std::nullopt;
  return value;
}

ScanOptions ParseScanOptions(dispatch::Args& args, ScanOf what) {
  ScanOptions options;
  while (args.more() && !args.failed()) {
    if (args.TakeWith("COUNT")) {
      const int64_t count = args.Int();
      if (!args.failed() && count < 1) args.FailSyntax();
      options.count = static_cast<uint64_t>(count);
    } else if (args.TakeWith("MATCH")) {
      options.pattern = args.Next();
      if (options.pattern == "*") options.pattern.reset();
    } else if (what == ScanOf::kKeys && args.TakeWith("TYPE")) {
      options.type = args.Next();
    } else {
      args.FailSyntax();
    }
  }
  return options;
}

}  // namespace cinnabar::commands
