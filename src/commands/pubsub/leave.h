// Leaving all channels, for the commands that end everything.
#pragma once

#include "dispatch/call.h"

namespace cinnabar::commands {

// The session loses its subscriptions, without a word to the client.
void LeaveChannels(dispatch::Call& call);

}  // namespace cinnabar::commands
