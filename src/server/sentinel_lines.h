// The `sentinel` lines of the config file on their way to the machine that understands them.
#pragma once

#include "base/result.h"
#include "config/config.h"
#include "sentinel/sentinel.h"

namespace cinnabar::server {

// Whether the lines can be loaded, tried with a machine that goes no further. The error is the complete text
// for standard error.
Status CheckSentinelLines(const config::Config& config);

// Loads them. Call once, before Sentinel::Start.
Status LoadSentinelLines(const config::Config& config, sentinel::Sentinel& machine);

}  // namespace cinnabar::server
