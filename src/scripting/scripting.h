// Scripting: scripts and functions on every core (DESIGN §13). The front door of this folder, for server/.
//
// The texts and libraries are shared; each core compiles them when it first needs them, and runs them in
// states of its own. A run cannot tell on which core it is. Functions that keep something between their runs
// have one state for all cores and run alone.
//
// Where a run takes place, from most to least parallel (dispatch/script_run.h says how):
//   under its keys   the text has shown, in runs that had the world, that it uses no others
//   alone            new texts; texts that have strayed; functions that keep state; whatever runs in EXEC
#pragma once

#include <memory>

#include "dispatch/scripts.h"

namespace cinnabar::dispatch {
struct Services;
}

namespace cinnabar::scripting {

// `services` must outlive it.
std::unique_ptr<dispatch::Scripts> MakeScripts(dispatch::Services& services, int cores, uint64_t seed);

}  // namespace cinnabar::scripting
