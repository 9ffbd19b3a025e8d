// string.find, match, gmatch and gsub of Lua 5.1, safe against hostile patterns.
#pragma once

#include "scripting/step_hook.h"

struct lua_State;

namespace cinnabar::scripting {

// Characters looked at between two calls of the hook: about a millisecond of work.
inline constexpr int kStepsBetweenHooks = 100'000;

// Backtracking points a match may have at once; one more raises "pattern too complex".
inline constexpr int kChoicesMax = 200;

// Replaces find, match, gmatch, gfind (where it exists) and gsub in the table `string`.
// REQUIRES: the string library is open. May raise a Lua error (memory).
void ReplacePatterns(lua_State* lua, StepHook hook = nullptr);

}  // namespace cinnabar::scripting
