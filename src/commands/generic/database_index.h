// Arguments that name a database.
#pragma once

#include <limits>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {

// The next argument as a number that could be an index; `error` answers what could not.
inline int TakeIndex(dispatch::Args& args, std::string_view error = errors::kNotInteger) {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  const auto index = ParseInt64(args.Next());
  if (args.failed()) return 0;
  if (index && *index <= kMost && *index >= -kMost - 1) return static_cast<int>(*index);
  args.Fail(error);
  return 0;
}

// Whether there is such a database; an error if not.
inline bool CheckDatabase(dispatch::Args& args, const dispatch::Call& call, int index) {
  if (index < 0 || index >= call.core().keyspace.databases()) args.Fail(errors::kDbIndexOutOfRange);
  return !args.failed();
}

// The next argument as the index of a database that exists.
inline int TakeDatabaseIndex(dispatch::Args& args, const dispatch::Call& call) {
  const int index = TakeIndex(args);
  return CheckDatabase(args, call, index) ? index : 0;
}

}  // namespace cinnabar::commands
