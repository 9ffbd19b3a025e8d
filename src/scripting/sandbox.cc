#include "scripting/sandbox.h"

#include <lua5.1/lua.hpp>

#include <cstring>

#include "scripting/lua_cjson.h"
#include "scripting/lua_cmsgpack.h"
#include "scripting/lua_patterns.h"
#include "scripting/lua_struct.h"
#include "scripting/redis_api.h"

extern "C" {
int luaopen_bit(lua_State* lua);
}

namespace cinnabar::scripting {
namespace {

// Keys of the registry.
const char kShields = 0;  // from each shield to its real table
const char kGlobals = 0;  // the real table of globals

constexpr const char* kReadOnly = "Attempt to modify a readonly table";

int RefuseAssignment(lua_State* lua) {
  return luaL_error(lua, kReadOnly);
}

int RefuseUnknownGlobal(lua_State* lua) {
  const char* name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : luaL_typename(lua, 2);
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'", name);
}

// Pushes the real table of the shield at the index, or nothing.
bool PushReal(lua_State* lua, int index) {
  if (lua_type(lua, index) != LUA_TTABLE) return false;
  lua_pushvalue(lua, index);
  lua_pushlightuserdata(lua, const_cast<char*>(&kShields));
  lua_rawget(lua, LUA_REGISTRYINDEX);
  lua_insert(lua, -2);
  lua_rawget(lua, -2);
  lua_remove(lua, -2);
  if (lua_istable(lua, -1)) return true;
  lua_pop(lua, 1);
  return false;
}

// Past metatables no message says where: so it is in Redis.
int RaiseReadOnly(lua_State* lua) {
  lua_pushstring(lua, kReadOnly);
  return lua_error(lua);
}

int SetMetatable(lua_State* lua) {
  const int type = lua_type(lua, 2);
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_argcheck(lua, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
  if (IsShield(lua, 1)) return RaiseReadOnly(lua);
  if (luaL_getmetafield(lua, 1, "__metatable") != 0)
    return luaL_error(lua, "cannot change a protected metatable");
  lua_settop(lua, 2);
  lua_setmetatable(lua, 1);
  return 1;
}

// Of a shield nothing is seen but what stands for its metatable.
int GetMetatable(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (lua_getmetatable(lua, 1) == 0) {
    lua_pushnil(lua);
    return 1;
  }
  luaL_getmetafield(lua, 1, "__metatable");
  if (IsShield(lua, 1) && lua_isboolean(lua, -1)) lua_pushnil(lua);
  return 1;
}

int RawSet(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  luaL_checkany(lua, 3);
  if (IsShield(lua, 1)) return RaiseReadOnly(lua);
  lua_settop(lua, 3);
  lua_rawset(lua, 1);
  return 1;
}

int RawGet(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  if (PushReal(lua, 1)) lua_replace(lua, 1);
  lua_rawget(lua, 1);
  return 1;
}

int Next(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_settop(lua, 2);
  if (PushReal(lua, 1)) lua_replace(lua, 1);
  if (lua_next(lua, 1) != 0) return 2;
  lua_pushnil(lua);
  return 1;
}

// The iterator gets the shield, never the table behind it.
int Pairs(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_pushvalue(lua, 1);
  lua_pushnil(lua);
  return 3;
}

// The original of a function that a wrapper has as its first upvalue.
lua_CFunction Original(lua_State* lua) {
  return reinterpret_cast<lua_CFunction>(lua_touserdata(lua, lua_upvalueindex(1)));
}

// table.insert, which assigns past metatables.
int OnlyOwnTables(lua_State* lua) {
  if (IsShield(lua, 1)) return RaiseReadOnly(lua);
  return Original(lua)(lua);
}

// pcall, coroutine.resume: an end by force is not for the script to catch.
int NotAtTheEnd(lua_State* lua) {
  const int results = Original(lua)(lua);
  Interpreter& interpreter = Interpreter::Of(lua);
  if (interpreter.ending()) return interpreter.RaiseEnd(lua);
  return results;
}

// The handler of an xpcall. At the end by force the script's own is not asked: it would run inside the hook
// that has raised the error, where no other hook could end it.
int HandleError(lua_State* lua) {
  lua_settop(lua, 1);
  if (Interpreter::Of(lua).ending()) return 1;
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, 1, 1);
  return 1;
}

int CallWithHandler(lua_State* lua) {
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  lua_pushcclosure(lua, HandleError, 1);
  lua_insert(lua, 1);
  const bool failed = lua_pcall(lua, 0, LUA_MULTRET, 1) != 0;
  Interpreter& interpreter = Interpreter::Of(lua);
  if (interpreter.ending()) return interpreter.RaiseEnd(lua);
  lua_pushboolean(lua, failed ? 0 : 1);
  lua_replace(lua, 1);
  return lua_gettop(lua);
}

// pcall. Scripts of old expect the text of an error reply, and not the table that it is today.
int CatchError(lua_State* lua) {
  const int results = NotAtTheEnd(lua);
  if (results != 2 || lua_toboolean(lua, -2) != 0 || !lua_istable(lua, -1)) return results;
  lua_getfield(lua, -1, "err");
  if (lua_isstring(lua, -1) != 0) {
    lua_replace(lua, -2);
  } else {
    lua_pop(lua, 1);
  }
  return results;
}

// What is loaded piece by piece. A blank before the first piece keeps the loader from taking it for bytecode.
struct Pieces {
  lua_State* lua;
  const char* text;  // the only piece; null: a function on the stack gives them
  size_t size;
  bool begun;
};

const char* NextPiece(lua_State* lua, void* state, size_t* size) {
  auto& pieces = *static_cast<Pieces*>(state);
  if (!pieces.begun) {
    pieces.begun = true;
    *size = 1;
    return " ";
  }
  if (pieces.text != nullptr) {
    *size = pieces.size;
    pieces.size = 0;
    return *size == 0 ? nullptr : pieces.text;
  }
  luaL_checkstack(lua, 2, "too many nested functions");
  lua_pushvalue(lua, 1);
  lua_call(lua, 0, 1);
  if (lua_isnil(lua, -1)) {
    *size = 0;
    return nullptr;
  }
  if (lua_isstring(lua, -1) == 0) luaL_error(lua, "reader function must return a string");
  lua_replace(lua, 3);  // kept for as long as it is read
  return lua_tolstring(lua, 3, size);
}

int LoadPieces(lua_State* lua, Pieces& pieces, const char* chunk) {
  if (lua_load(lua, NextPiece, &pieces, chunk) == 0) return 1;
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

int LoadString(lua_State* lua) {
  size_t size;
  const char* text = luaL_checklstring(lua, 1, &size);
  Pieces pieces{lua, text, size, false};
  return LoadPieces(lua, pieces, luaL_optstring(lua, 2, text));
}

int Load(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TFUNCTION);
  const char* chunk = luaL_optstring(lua, 2, "=(load)");
  lua_settop(lua, 3);
  Pieces pieces{lua, nullptr, 0, false};
  return LoadPieces(lua, pieces, chunk);
}

// As in Redis, the numbers are those of lrand48, so that a seed gives the same ones everywhere.
int MathRandom(lua_State* lua) {
  constexpr uint32_t kDrawnMax = 0x7fffffff;
  const double fraction = static_cast<double>(Interpreter::Of(lua).Draw() % kDrawnMax) / kDrawnMax;
  switch (lua_gettop(lua)) {
    case 0:
      lua_pushnumber(lua, fraction);
      return 1;
    case 1: {
      const int upper = luaL_checkint(lua, 1);
      luaL_argcheck(lua, 1 <= upper, 1, "interval is empty");
      lua_pushnumber(lua, static_cast<double>(static_cast<int64_t>(fraction * upper)) + 1);
      return 1;
    }
    case 2: {
      const int lower = luaL_checkint(lua, 1);
      const int upper = luaL_checkint(lua, 2);
      luaL_argcheck(lua, lower <= upper, 2, "interval is empty");
      const double width = static_cast<double>(upper) - lower + 1;
      lua_pushnumber(lua, static_cast<double>(static_cast<int64_t>(fraction * width)) + lower);
      return 1;
    }
    default:
      return luaL_error(lua, "wrong number of arguments");
  }
}

int MathRandomSeed(lua_State* lua) {
  const int seed = luaL_checkint(lua, 1);
  Interpreter::Of(lua).SeedDraws(static_cast<uint32_t>(seed));
  return 0;
}

// The original reads beyond its digits when it is asked for the least number of them.
int ToHex(lua_State* lua) {
  const double number = luaL_checknumber(lua, 1);
  const double digits = lua_isnone(lua, 2) != 0 ? 8 : luaL_checknumber(lua, 2);
  const char* const names = digits < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
  const double size = digits < 0 ? -digits : digits;
  const int count = size > 8 ? 8 : static_cast<int>(size);
  // As every function of the library: the low bits of the sum with 2^52 + 2^51.
  uint64_t sum;
  const double shifted = number + 6755399441055744.0;
  std::memcpy(&sum, &shifted, sizeof sum);
  auto bits = static_cast<uint32_t>(sum);
  char text[8];
  for (int i = count; i-- > 0; bits >>= 4) text[i] = names[bits & 15];
  lua_pushlstring(lua, text, static_cast<size_t>(count));
  return 1;
}

void TickOfLibrary(lua_State* lua) {
  Interpreter::Of(lua).Tick(lua);
}

// Sets a field of the table on top to a wrapper around what is there.
void Wrap(lua_State* lua, const char* name, lua_CFunction wrapper) {
  lua_getfield(lua, -1, name);
  const lua_CFunction original = lua_tocfunction(lua, -1);
  lua_pop(lua, 1);
  lua_pushlightuserdata(lua, reinterpret_cast<void*>(original));
  lua_pushcclosure(lua, wrapper, 1);
  lua_setfield(lua, -2, name);
}

void SetFunction(lua_State* lua, const char* name, lua_CFunction function) {
  lua_pushcfunction(lua, function);
  lua_setfield(lua, -2, name);
}

void Open(lua_State* lua, lua_CFunction open, const char* name) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 1);
  lua_setglobal(lua, name);
}

void OpenLibraries(lua_State* lua) {
  Open(lua, luaopen_base, "");
  Open(lua, luaopen_table, LUA_TABLIBNAME);
  Open(lua, luaopen_string, LUA_STRLIBNAME);
  Open(lua, luaopen_math, LUA_MATHLIBNAME);
  Open(lua, luaopen_os, LUA_OSLIBNAME);
  Open(lua, luaopen_bit, "bit");
  Open(lua, OpenStruct, "struct");
  Open(lua, OpenCmsgpack, "cmsgpack");
  ReplacePatterns(lua, TickOfLibrary);
  OpenCjson(lua, &Interpreter::Of(lua).cjson_settings(), TickOfLibrary);
  lua_setglobal(lua, "cjson");
}

void HardenLibraries(lua_State* lua) {
  lua_getglobal(lua, "table");
  Wrap(lua, "insert", OnlyOwnTables);
  lua_pop(lua, 1);
  lua_getglobal(lua, "coroutine");
  Wrap(lua, "resume", NotAtTheEnd);
  lua_pop(lua, 1);
  lua_getglobal(lua, "bit");
  SetFunction(lua, "tohex", ToHex);
  lua_pop(lua, 1);
  lua_getglobal(lua, "math");
  SetFunction(lua, "random", MathRandom);
  SetFunction(lua, "randomseed", MathRandomSeed);
  lua_pop(lua, 1);
  // Of the operating system scripts see the processor time, and nothing else.
  lua_getglobal(lua, "os");
  lua_newtable(lua);
  lua_getfield(lua, -2, "clock");
  lua_setfield(lua, -2, "clock");
  lua_setglobal(lua, "os");
  lua_pop(lua, 1);
}

// The table on top gets the builtins that scripts may have.
void TakeBuiltins(lua_State* lua) {
  for (const char* name : {"assert", "collectgarbage", "error", "gcinfo", "ipairs", "rawequal", "select",
                           "tonumber", "tostring", "type", "unpack", "_VERSION", "pcall"}) {
    lua_getglobal(lua, name);
    lua_setfield(lua, -2, name);
  }
  Wrap(lua, "pcall", CatchError);
  SetFunction(lua, "xpcall", CallWithHandler);
  SetFunction(lua, "getmetatable", GetMetatable);
  SetFunction(lua, "setmetatable", SetMetatable);
  SetFunction(lua, "rawset", RawSet);
  SetFunction(lua, "rawget", RawGet);
  SetFunction(lua, "next", Next);
  lua_pushcfunction(lua, Next);
  lua_pushcclosure(lua, Pairs, 1);
  lua_setfield(lua, -2, "pairs");
  SetFunction(lua, "loadstring", LoadString);
  SetFunction(lua, "load", Load);
  for (const char* name :
       {"string", "table", "math", "os", "coroutine", "bit", "struct", "cmsgpack", "cjson"}) {
    lua_getglobal(lua, name);
    Shield(lua);
    lua_setfield(lua, -2, name);
  }
}

// All strings share a metatable.
void ProtectStrings(lua_State* lua) {
  lua_pushliteral(lua, "");
  lua_getmetatable(lua, -1);
  lua_newtable(lua);
  lua_getfield(lua, -2, "__index");
  Shield(lua);
  lua_setfield(lua, -2, "__index");
  Shield(lua);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 2);
}

}  // namespace

int LoadText(lua_State* lua, const char* text, size_t size, const char* chunk) {
  Pieces pieces{lua, text, size, false};
  return lua_load(lua, NextPiece, &pieces, chunk);
}

bool IsShield(lua_State* lua, int index) {
  if (!PushReal(lua, index)) return false;
  lua_pop(lua, 1);
  return true;
}

void Shield(lua_State* lua) {
  const int real = lua_gettop(lua);
  lua_newtable(lua);
  lua_newtable(lua);
  lua_pushvalue(lua, real);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, RefuseAssignment);
  lua_setfield(lua, -2, "__newindex");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
  lua_pushlightuserdata(lua, const_cast<char*>(&kShields));
  lua_rawget(lua, LUA_REGISTRYINDEX);
  lua_pushvalue(lua, -2);
  lua_pushvalue(lua, real);
  lua_rawset(lua, -3);
  lua_pop(lua, 1);
  lua_remove(lua, real);
}

void ShieldStrictly(lua_State* lua) {
  lua_newtable(lua);
  lua_pushcfunction(lua, RefuseUnknownGlobal);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
  Shield(lua);
}

void SetGlobal(lua_State* lua, const char* name) {
  lua_pushlightuserdata(lua, const_cast<char*>(&kGlobals));
  lua_rawget(lua, LUA_REGISTRYINDEX);
  lua_pushstring(lua, name);
  lua_pushvalue(lua, -3);
  lua_rawset(lua, -3);
  lua_pop(lua, 2);
}

// The globals are a shield: where it looks things up decides.
void LookUpGlobalsIn(lua_State* lua) {
  lua_getmetatable(lua, LUA_GLOBALSINDEX);
  lua_insert(lua, -2);
  lua_setfield(lua, -2, "__index");
  lua_pop(lua, 1);
}

void LookUpGlobalsAsUsual(lua_State* lua) {
  lua_pushlightuserdata(lua, const_cast<char*>(&kGlobals));
  lua_rawget(lua, LUA_REGISTRYINDEX);
  LookUpGlobalsIn(lua);
}

void FillSandbox(lua_State* lua, Interpreter::Kind kind) {
  lua_pushlightuserdata(lua, const_cast<char*>(&kShields));
  lua_newtable(lua);
  lua_newtable(lua);
  lua_pushliteral(lua, "k");
  lua_setfield(lua, -2, "__mode");
  lua_setmetatable(lua, -2);
  lua_rawset(lua, LUA_REGISTRYINDEX);
  OpenLibraries(lua);
  HardenLibraries(lua);
  ProtectStrings(lua);
  lua_newtable(lua);  // the real globals
  TakeBuiltins(lua);
  lua_pushlightuserdata(lua, const_cast<char*>(&kGlobals));
  lua_pushvalue(lua, -2);
  lua_rawset(lua, LUA_REGISTRYINDEX);
  lua_pushvalue(lua, -1);
  ShieldStrictly(lua);
  // What getmetatable(_G) gives looks like the metatable of the real globals.
  lua_getmetatable(lua, -1);
  lua_getmetatable(lua, -3);
  Shield(lua);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 1);
  lua_pushvalue(lua, -1);
  SetGlobal(lua, "_G");
  if (kind == Interpreter::Kind::kScripts) {
    lua_pushcfunction(lua, LocateError);
    SetGlobal(lua, "__redis__err__handler");
  }
  PushRedisTable(lua, kind);
  Shield(lua);
  SetGlobal(lua, "redis");
  lua_replace(lua, LUA_GLOBALSINDEX);
  lua_pop(lua, 1);
}

}  // namespace cinnabar::scripting
