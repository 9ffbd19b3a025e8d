// How SCRIPT FLUSH and FUNCTION FLUSH free what they throw away.
#pragma once

#include <optional>

#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {

// The optional SYNC or ASYNC behind the subcommand; nothing when it is something else.
inline std::optional<dispatch::Scripts::Freeing> TakeFreeing(dispatch::Call& call) {
  using Freeing = dispatch::Scripts::Freeing;
  if (call.argc() == 2)
    return call.settings().memory.lazyfree_lazy_user_flush ? Freeing::kInBackground : Freeing::kAtOnce;
  if (call.argc() != 3) return std::nullopt;
  if (dispatch::SameWord(call.arg(2), "SYNC")) return Freeing::kAtOnce;
  if (dispatch::SameWord(call.arg(2), "ASYNC")) return Freeing::kInBackground;
  return std::nullopt;
}

}  // namespace cinnabar::commands
