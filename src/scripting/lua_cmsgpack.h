// The `cmsgpack` library of scripts: Lua values to MessagePack and back.
#pragma once

struct lua_State;

namespace cinnabar::scripting {

// Pushes a new table with `pack`, `unpack`, `unpack_one`, `unpack_limit` and the fields that describe the
// library, and returns 1. Sets no global. May raise a Lua error (memory).
int OpenCmsgpack(lua_State* lua);

}  // namespace cinnabar::scripting
