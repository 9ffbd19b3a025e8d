#include "commands/expiry_option.h"

#include <fmt/format.h>

#include <limits>

namespace cinnabar::commands {

void ExpiryOption::Read(dispatch::Args& args, Millis now, Unit unit, Base base) {
  int64_t value = args.Int();
  if (args.failed()) return;
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const bool too_large = unit == Unit::kSeconds && value > kMost / 1000;
  if (value > 0 && !too_large) {
    if (unit == Unit::kSeconds) value *= 1000;
    if (base == Base::kAbsolute || value <= kMost - now) {
      kind = Kind::kAt;
      at = base == Base::kRelative ? now + value : value;
      return;
    }
  }
  args.Fail(fmt::format("ERR invalid expire time in '{}' command", args.command_name()));
}

bool ExpiryOption::Parse(dispatch::Args& args, Millis now, Accepts accepts) {
  if (kind != Kind::kNone) return false;
  if (accepts == Accepts::kKeepTtl && args.Take("KEEPTTL")) {
    kind = Kind::kKeepTtl;
  } else if (accepts == Accepts::kPersist && args.Take("PERSIST")) {
    kind = Kind::kPersist;
  } else if (args.TakeWith("EX")) {
    Read(args, now, Unit::kSeconds, Base::kRelative);
  } else if (args.TakeWith("PX")) {
    Read(args, now, Unit::kMillis, Base::kRelative);
  } else if (args.TakeWith("EXAT")) {
    Read(args, now, Unit::kSeconds, Base::kAbsolute);
  } else if (args.TakeWith("PXAT")) {
    Read(args, now, Unit::kMillis, Base::kAbsolute);
  } else {
    return false;
  }
  return true;
}

}  // namespace cinnabar::commands
