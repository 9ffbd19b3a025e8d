// The expiry options that several commands share: EX, PX, EXAT, PXAT, and KEEPTTL (SET) or PERSIST (GETEX).
//
// Clients can tell when the number behind an option is looked at: a syntax error further on comes first, and
// for GETEX a missing key does too. Hence the two steps: Parse() takes the words, Resolve() reads the number.
#pragma once

#include <string_view>

#include "base/clock.h"
#include "dispatch/args.h"

namespace cinnabar::commands {

struct ExpiryOption {
  enum class Kind : uint8_t { kNone, kAt, kKeepTtl, kPersist };
  enum class Unit : uint8_t { kSeconds, kMillis };
  enum class Base : uint8_t { kRelative, kAbsolute };
  enum class Accepts : uint8_t { kKeepTtl, kPersist };

  // A time that is given without a word, as SETEX does.
  static ExpiryOption In(std::string_view number, Unit unit);

  // Takes one option at the cursor. False when the next argument is none, or contradicts an earlier one. The
  // same word may come again: the last number counts.
  bool Parse(dispatch::Args& args, Accepts accepts);
  // Turns the number, if one was given, into `at`. The error is kept in `args` and names the command.
  void Resolve(dispatch::Args& args, Millis now);

  bool given() const { return kind == Kind::kAt; }

  Kind kind = Kind::kNone;
  Unit unit = Unit::kSeconds;
  Base base = Base::kRelative;
  std::string_view number;
  Millis at = 0;
};

}  // namespace cinnabar::commands
