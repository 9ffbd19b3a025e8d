// The `struct` library of scripts: values to bytes and back, in C layouts.
#pragma once

struct lua_State;

namespace cinnabar::scripting {

// Pushes a new table with `pack`, `unpack` and `size` and returns 1. Sets no global. May raise a Lua error
// (memory).
int OpenStruct(lua_State* lua);

}  // namespace cinnabar::scripting
