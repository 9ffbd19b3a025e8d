// What the handlers of SENTINEL share: the machine behind them, the primary that an argument names, and
// replies that several of them give.
#pragma once

#include <cstdint>
#include <string_view>

#include "commands/spec_facts.h"
#include "dispatch/call.h"
#include "sentinel/sentinel.h"

namespace cinnabar::commands {

// Commands of a sentinel alone. The machine belongs to nobody else while the world is stopped.
inline constexpr uint64_t kSentinelFlags =
    dispatch::Flag::kAdmin | dispatch::Flag::kOnlySentinel | dispatch::Flag::kWorld;

// REQUIRES: this process is a sentinel.
sentinel::Sentinel& Machine(dispatch::Call& call);

// The primary that argument `index` names. None: the error is written.
sentinel::Primary* NamedPrimary(dispatch::Call& call, size_t index);

// OK, unless what the command has changed could not be written to the config file.
void ReplySaved(dispatch::Call& call);
// What a change of the machine has come to: its complaint, or ReplySaved.
void ReplyChanged(dispatch::Call& call, const Status& status);

// The facts of a subcommand that has no other flags. "container|sub" as its name.
constexpr dispatch::CommandSpec SentinelCommand(std::string_view name, std::string_view synopsis,
                                                std::string_view summary, int arity, dispatch::Handler run) {
  return Subcommand({.group = "sentinel", .since = "2.8.4"}, name, synopsis, summary, arity, kSentinelFlags,
                    run);
}

}  // namespace cinnabar::commands
