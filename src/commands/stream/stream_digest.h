// The digest of a stream, for DEBUG DIGEST.
#pragma once

#include "commands/server/value_digest.h"
#include "types/stream.h"

namespace cinnabar::commands {

// Appends entries, counters, groups and what they have pending. When a consumer was seen does not count.
void AppendStream(Digest& digest, const types::Stream& stream);

}  // namespace cinnabar::commands
