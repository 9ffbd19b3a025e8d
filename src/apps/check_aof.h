// redis-check-aof: whether append-only files can be loaded; cuts off a damaged end, or what came after a
// moment.
//
//   redis-check-aof [--fix|--truncate-to-timestamp SECONDS] MANIFEST|FILE
//
// Lines, questions and exit codes of Redis 7.0, then, when everything is fine and nothing was cut off, what
// the files hold. It differs where Redis's tool errs: commands whose values look like lines of a manifest are
// no manifest, and a transaction across the moment is cut off where it begins.
#pragma once

#include <span>
#include <string>

namespace cinnabar::apps {

// Returns the exit code: 0 when all is fine, at the end at least.
int RunCheckAof(std::span<const std::string> arguments);

}  // namespace cinnabar::apps
