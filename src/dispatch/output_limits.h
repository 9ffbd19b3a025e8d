// How much a client may keep unread (client-output-buffer-limit).
#pragma once

#include "config/settings.h"
#include "dispatch/call.h"
#include "dispatch/session.h"

namespace cinnabar::dispatch {

// Whether a client keeps too much unread, or has done so for too long. `collected` are bytes of a reply that
// are going to be added to its output. Notes when the soft limit was passed.
bool OverOutputLimits(Session& session, const config::Settings& settings, Millis now, size_t collected = 0);

// Whether more of a reply is of any use. To be asked between the elements of a reply that can be larger than
// the data it tells of: it is not when nobody gets it, or once the client is over its limits, which closes
// the client. A handler that is told so leaves its reply as it is.
bool TakesReply(Call& call, size_t collected = 0);

}  // namespace cinnabar::dispatch
