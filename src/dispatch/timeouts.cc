#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/numbers.h"
#include "dispatch/args.h"
#include "dispatch/blocking.h"

namespace cinnabar::dispatch {
namespace {

Millis DeadlineAfter(Args& args, Millis now, Millis wait) {
  if (wait < 0) args.Fail("ERR timeout is negative");
  if (wait <= 0) return keyspace::kNever;
  if (wait > keyspace::kNever - 1 - now) {
    args.Fail("ERR timeout is out of range");
    return keyspace::kNever;
  }
  return now + wait;
}

// Numbers that only a long double can hold are numbers as well: infinite ones.
std::optional<double> ParseSeconds(std::string_view text) {
  if (const auto seconds = ParseDouble(text)) return seconds;
  if (text.empty() || std::isspace(static_cast<unsigned char>(text[0])) != 0) return std::nullopt;
  const std::string copy(text);
  errno = 0;
  char* end = nullptr;
  const long double value = std::strtold(copy.c_str(), &end);
  if (end != copy.c_str() + copy.size() || errno == ERANGE || std::isnan(value)) return std::nullopt;
  return static_cast<double>(value);
}

}  // namespace

Millis TakeTimeoutSeconds(Args& args, Millis now) {
  const std::string_view text = args.Next();
  if (args.failed()) return keyspace::kNever;
  const auto seconds = ParseSeconds(text);
  if (!seconds) {
    args.Fail("ERR timeout is not a float or out of range");
    return keyspace::kNever;
  }
  const double wait = std::ceil(*seconds * 1000.0);
  if (wait > 9.2e18) {
    args.Fail("ERR timeout is out of range");
    return keyspace::kNever;
  }
  return DeadlineAfter(args, now, wait < 0 ? -1 : static_cast<Millis>(wait));
}

Millis TakeTimeoutMillis(Args& args, Millis now) {
  const auto wait = ParseInt64(args.Next());
  if (args.failed()) return keyspace::kNever;
  if (!wait) {
    args.Fail("ERR timeout is not an integer or out of range");
    return keyspace::kNever;
  }
  return DeadlineAfter(args, now, *wait);
}

}  // namespace cinnabar::dispatch
