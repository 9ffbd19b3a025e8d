// Leaving MONITOR, for the commands that end it.
#pragma once

#include "dispatch/call.h"

namespace cinnabar::commands {

// The session stops watching, if it does.
void LeaveMonitor(dispatch::Call& call);

}  // namespace cinnabar::commands
