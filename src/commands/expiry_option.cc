#include "commands/expiry_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "keyspace/entry.h"

namespace cinnabar::commands {
namespace {

struct Form {
  std::string_view word;
  ExpiryOption::Unit unit;
  ExpiryOption::Base base;
};

constexpr Form kForms[] = {
    {"EX", ExpiryOption::Unit::kSeconds, ExpiryOption::Base::kRelative},
    {"PX", ExpiryOption::Unit::kMillis, ExpiryOption::Base::kRelative},
    {"EXAT", ExpiryOption::Unit::kSeconds, ExpiryOption::Base::kAbsolute},
    {"PXAT", ExpiryOption::Unit::kMillis, ExpiryOption::Base::kAbsolute},
};

}  // namespace

ExpiryOption ExpiryOption::In(std::string_view number, Unit unit) {
  ExpiryOption option;
  option.kind = Kind::kAt;
  option.unit = unit;
  option.number = number;
  return option;
}

bool ExpiryOption::Parse(dispatch::Args& args, Accepts accepts) {
  for (const Form& form : kForms) {
    const bool possible = kind == Kind::kNone || (given() && unit == form.unit && base == form.base);
    if (!possible || !args.TakeWith(form.word)) continue;
    kind = Kind::kAt;
    unit = form.unit;
    base = form.base;
    number = args.Next();
    return true;
  }
  const Kind kind_of_word = accepts == Accepts::kKeepTtl ? Kind::kKeepTtl : Kind::kPersist;
  if (kind != Kind::kNone && kind != kind_of_word) return false;
  if (!args.Take(accepts == Accepts::kKeepTtl ? "KEEPTTL" : "PERSIST")) return false;
  kind = kind_of_word;
  return true;
}

void ExpiryOption::Resolve(dispatch::Args& args, Millis now) {
  if (!given()) return;
  const auto parsed = ParseInt64(number);
  if (!parsed) return args.Fail(errors::kNotInteger);
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  int64_t value = *parsed;
  const bool too_large = unit == Unit::kSeconds && value > kMost / 1000;
  if (value > 0 && !too_large) {
    if (unit == Unit::kSeconds) value *= 1000;
    if (base == Base::kAbsolute || value <= kMost - now) {
      at = std::min(base == Base::kRelative ? now + value : value, keyspace::kNever - 1);
      return;
    }
  }
  args.Fail(fmt::format("ERR invalid expire time in '{}' command", args.command_name()));
}

}  // namespace cinnabar::commands
