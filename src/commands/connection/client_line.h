// The line that describes a client in CLIENT LIST, CLIENT INFO and the log.
#pragma once

#include <string>

#include "config/settings.h"
#include "dispatch/session.h"

namespace cinnabar::commands {

struct ClientLineOptions {
  config::CompatVersion compat = config::CompatVersion::k72;
  Millis now = 0;
  // Bytes of the arguments of the command that the client executes, 0 if none.
  size_t argument_bytes = 0;
};

// Without a line end. Reads the session's facts as they are: Clients::ForEach brings them up to date.
std::string ClientLine(const dispatch::Session& session, const ClientLineOptions& options);

}  // namespace cinnabar::commands
