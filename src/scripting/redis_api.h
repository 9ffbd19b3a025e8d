// The `redis` table of scripts and functions (https://redis.io/docs/manual/programmability/lua-api/).
#pragma once

#include "scripting/interpreter.h"

struct lua_State;

namespace cinnabar::scripting {

// Pushes the real table, for Shield.
void PushRedisTable(lua_State* lua, Interpreter::Kind kind);
// What a library sees while it is loaded: it registers functions, and can do little else.
void PushLoadingTable(lua_State* lua);
// Pushes an error as scripts see it: a table with the text in its field `err`. A text that begins with '-'
// has a code of its own, others get ERR.
void PushError(lua_State* lua, const char* text);
int RaiseError(lua_State* lua, const char* text);
// The error handler of scripts: makes a table of any error, and adds where it was raised.
int LocateError(lua_State* lua);

}  // namespace cinnabar::scripting
