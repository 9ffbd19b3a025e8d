// The steps from the command line to a serving server, in order.
#pragma once

#include <span>
#include <string>

namespace cinnabar::apps {

// Returns the exit code of the process. `argv` is the memory that the process title may overwrite.
int RunServer(std::span<const std::string> arguments, int argc, char** argv);

}  // namespace cinnabar::apps
