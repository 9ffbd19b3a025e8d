// What `CONTAINER HELP` answers.
#pragma once

#include <span>
#include <string_view>

#include "dispatch/call.h"

namespace cinnabar::commands {

// Writes the help of the container to which the called HELP subcommand belongs. `lines` describe its other
// subcommands, explanations indented by four spaces; the first and the last lines are the same for all
// containers.
void ReplyHelp(dispatch::Call& call, std::span<const std::string_view> lines);

}  // namespace cinnabar::commands
