#include "commands/scan_options.h"

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/ascii.h"
#include "base/glob.h"

namespace cinnabar::commands {

std::optional<uint64_t> ParseScanCursor(std::string_view text) {
  const std::string copy(text);
  if (!copy.empty() && IsSpace(copy[0])) return std::nullopt;
  errno = 0;
  char* end = nullptr;
  const uint64_t value = std::strtoull(copy.c_str(), &end, 10);
  if (errno == ERANGE || end != copy.c_str() + copy.size()) return std::nullopt;
  return value;
}

bool ScanOptions::Parse(dispatch::Args& args) {
  if (args.TakeWith("COUNT")) {
    const int64_t number = args.Int();
    if (!args.failed() && number < 1) args.FailSyntax();
    count = static_cast<uint64_t>(number);
    return true;
  }
  if (!args.TakeWith("MATCH")) return false;
  pattern = args.Next();
  if (pattern == "*") pattern.reset();
  return true;
}

bool ScanOptions::Matches(std::string_view text) const {
  return !pattern || GlobMatch(*pattern, text);
}

}  // namespace cinnabar::commands
