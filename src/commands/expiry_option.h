// The expiry options that several commands share: EX, PX, EXAT, PXAT, and KEEPTTL (SET) or PERSIST (GETEX).
#pragma once

#include "base/clock.h"
#include "dispatch/args.h"

namespace cinnabar::commands {

struct ExpiryOption {
  enum class Kind : uint8_t { kNone, kAt, kKeepTtl, kPersist };
  enum class Unit : uint8_t { kSeconds, kMillis };
  enum class Base : uint8_t { kRelative, kAbsolute };
  enum class Accepts : uint8_t { kKeepTtl, kPersist };

  // Takes one option at the cursor. False when the next argument is none, or there was one already.
  bool Parse(dispatch::Args& args, Millis now, Accepts accepts);
  // Takes the number alone. The error names the command, as Redis does.
  void Read(dispatch::Args& args, Millis now, Unit unit, Base base);

  bool given() const { return kind == Kind::kAt; }

  Kind kind = Kind::kNone;
  Millis at = 0;
};

}  // namespace cinnabar::commands
