// The steps from the command line to a serving server, in order.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace cinnabar::apps {

enum class CalledAs : uint8_t { kServer, kSentinel };

// Returns the exit code of the process. `argv` is the memory that the process title may overwrite. A server
// that is told --sentinel is a sentinel, too.
int RunServer(CalledAs called_as, std::span<const std::string> arguments, int argc, char** argv);

}  // namespace cinnabar::apps
