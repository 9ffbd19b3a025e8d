// The parts of DEBUG. Every subcommand runs with the world stopped and answers for itself; debug.cc finds it
// and has checked the number of its arguments.
#pragma once

#include <span>
#include <string_view>

#include "dispatch/call.h"

namespace cinnabar::commands {

struct DebugSubcommand {
  std::string_view name;  // lower case
  size_t arguments_min;   // behind the subcommand's name
  size_t arguments_max;
  dispatch::Handler run;
};

inline constexpr size_t kAnyNumber = ~size_t{0};

extern const std::span<const DebugSubcommand> kDebugClusterSubcommands;
extern const std::span<const DebugSubcommand> kDebugDataSubcommands;
extern const std::span<const DebugSubcommand> kDebugProcessSubcommands;
extern const std::span<const DebugSubcommand> kDebugListSubcommands;

// "HELP".
void DebugHelp(dispatch::Call& call);
// "PROTOCOL type".
void DebugProtocol(dispatch::Call& call);

}  // namespace cinnabar::commands
