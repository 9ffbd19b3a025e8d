// What is different when the program starts as a sentinel: other defaults, a config file that it can write
// to, and no data.
#pragma once

#include "base/result.h"
#include "config/config.h"

namespace cinnabar::apps {

// Before the configuration is loaded.
void TakeSentinelDefaults(config::Config& config);

// After it: whatever it says of data, replication and threads has no effect, and stays in the file.
void LeaveDataAside(config::Config& config);

// Whether the config file can keep what a sentinel must not forget. The error is the text for the log.
Status CheckSentinelFile(const config::Config& config);

}  // namespace cinnabar::apps
