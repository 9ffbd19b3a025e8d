// The sandbox: what scripts find in their state, and what they cannot do to it.
//
// All scripts of a state share its tables, so none may change them. PUC Lua has no read-only tables. What a
// script gets instead is an empty table whose metatable looks everything up in the real one and refuses every
// assignment (a shield). The functions that go past metatables (rawset, rawget, next, setmetatable,
// table.insert
// ...) are replaced by ones that know shields. Since the globals themselves are behind a shield, no script
// leaves anything behind for another.
//
// Texts are compiled, bytecode is not: a made-up one could do anything.
#pragma once

#include "scripting/interpreter.h"

struct lua_State;

namespace cinnabar::scripting {

// Fills a new state. May raise an error.
void FillSandbox(lua_State* lua, Interpreter::Kind kind);

// As luaL_loadbuffer, and bytecode is a syntax error.
int LoadText(lua_State* lua, const char* text, size_t size, const char* chunk);

// Replaces the table on top by a shield for it.
void Shield(lua_State* lua);
// The same, and a field that is not there is an error, as with globals.
void ShieldStrictly(lua_State* lua);
// Whether the value at the index is a shield.
bool IsShield(lua_State* lua, int index);
// Sets a global that all scripts see to the value on top, and pops it.
void SetGlobal(lua_State* lua, const char* name);
// While a library is loaded its globals are those of the table on top, which is popped.
void LookUpGlobalsIn(lua_State* lua);
void LookUpGlobalsAsUsual(lua_State* lua);

}  // namespace cinnabar::scripting
