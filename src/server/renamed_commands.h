// The rename-command lines of the config file.
#pragma once

#include "base/result.h"
#include "config/config.h"
#include "dispatch/registry.h"

namespace cinnabar::server {

// Gives commands the names that the configuration wants; an empty one removes a command. The error is the
// complete text for standard error.
Status RenameCommands(const config::Config& config, dispatch::Registry& registry);

}  // namespace cinnabar::server
