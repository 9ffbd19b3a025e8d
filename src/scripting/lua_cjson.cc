// The functions for settings, and the table with all functions. Each function has two upvalues: the settings,
// as a light userdata, or as a full one if `new` has made them; and the hook.
#include "scripting/lua_cjson.h"

#include <climits>
#include <cstdio>
#include <lua5.1/lua.hpp>
#include <new>

#include "scripting/json_reader.h"
#include "scripting/json_writer.h"

namespace cinnabar::scripting {
namespace {

using InvalidNumbers = CjsonSettings::InvalidNumbers;

constexpr int kSettingsUpvalue = 1;
constexpr int kHookUpvalue = 2;
constexpr int kNumberDigitsMax = 14;

// The settings, once there are exactly `arguments` arguments: those that are missing are nil.
CjsonSettings& PrepareSetting(lua_State* lua, int arguments) {
  luaL_argcheck(lua, lua_gettop(lua) <= arguments, arguments + 1, "found too many arguments");
  lua_settop(lua, arguments);
  return *static_cast<CjsonSettings*>(lua_touserdata(lua, lua_upvalueindex(kSettingsUpvalue)));
}

// Changes the setting if the argument is not nil, and pushes it. Messages name argument 1 whichever it is.
int TakeInteger(lua_State* lua, int argument, int& setting, int min, int max) {
  if (!lua_isnil(lua, argument)) {
    const lua_Integer value = luaL_checkinteger(lua, argument);
    char expected[64];
    std::snprintf(expected, sizeof(expected), "expected integer between %d and %d", min, max);
    luaL_argcheck(lua, min <= value && value <= max, 1, expected);
    setting = static_cast<int>(value);
  }
  lua_pushinteger(lua, setting);
  return 1;
}

constexpr const char* kOffOn[] = {"off", "on", nullptr};
constexpr const char* kOffOnNull[] = {"off", "on", "null", nullptr};

// The same for a choice. The first two may be given as booleans, and are told as such.
int TakeChoice(lua_State* lua, int& setting, const char* const* names) {
  if (lua_isboolean(lua, 1)) {
    setting = lua_toboolean(lua, 1);
  } else if (!lua_isnil(lua, 1)) {
    setting = luaL_checkoption(lua, 1, nullptr, names);
  }
  if (setting <= 1) {
    lua_pushboolean(lua, setting);
  } else {
    lua_pushstring(lua, names[setting]);
  }
  return 1;
}

int TakeInvalidNumbers(lua_State* lua, InvalidNumbers& setting, const char* const* names) {
  int choice = static_cast<int>(setting);
  TakeChoice(lua, choice, names);
  setting = static_cast<InvalidNumbers>(choice);
  return 1;
}

int EncodeSparseArray(lua_State* lua) {
  CjsonSettings& settings = PrepareSetting(lua, 3);
  TakeChoice(lua, settings.sparse_as_object, kOffOn);
  TakeInteger(lua, 2, settings.sparse_ratio, 0, INT_MAX);
  TakeInteger(lua, 3, settings.sparse_safe, 0, INT_MAX);
  return 3;
}

int EncodeMaxDepth(lua_State* lua) {
  return TakeInteger(lua, 1, PrepareSetting(lua, 1).encode_depth_max, 1, INT_MAX);
}

int DecodeMaxDepth(lua_State* lua) {
  return TakeInteger(lua, 1, PrepareSetting(lua, 1).decode_depth_max, 1, INT_MAX);
}

int EncodeNumberPrecision(lua_State* lua) {
  return TakeInteger(lua, 1, PrepareSetting(lua, 1).number_digits, 1, kNumberDigitsMax);
}

int EncodeKeepBuffer(lua_State* lua) {
  return TakeChoice(lua, PrepareSetting(lua, 1).keep_buffer, kOffOn);
}

int EncodeInvalidNumbers(lua_State* lua) {
  return TakeInvalidNumbers(lua, PrepareSetting(lua, 1).encode_invalid_numbers, kOffOnNull);
}

int DecodeInvalidNumbers(lua_State* lua) {
  return TakeInvalidNumbers(lua, PrepareSetting(lua, 1).decode_invalid_numbers, kOffOn);
}

int New(lua_State* lua);

// Replaces the two upvalues on top by the table.
void PushLibrary(lua_State* lua) {
  // In this order: what pairs() gives depends on it.
  static constexpr struct {
    const char* name;
    lua_CFunction function;
  } kFunctions[] = {
      {"encode", EncodeJson},
      {"decode", DecodeJson},
      {"encode_sparse_array", EncodeSparseArray},
      {"encode_max_depth", EncodeMaxDepth},
      {"decode_max_depth", DecodeMaxDepth},
      {"encode_number_precision", EncodeNumberPrecision},
      {"encode_keep_buffer", EncodeKeepBuffer},
      {"encode_invalid_numbers", EncodeInvalidNumbers},
      {"decode_invalid_numbers", DecodeInvalidNumbers},
      {"new", New},
  };
  const int upvalues = lua_gettop(lua) - 1;
  lua_newtable(lua);
  for (const auto& entry : kFunctions) {
    lua_pushvalue(lua, upvalues);
    lua_pushvalue(lua, upvalues + 1);
    lua_pushcclosure(lua, entry.function, 2);
    lua_setfield(lua, -2, entry.name);
  }
  lua_pushlightuserdata(lua, nullptr);
  lua_setfield(lua, -2, "null");
  lua_pushliteral(lua, "cjson");
  lua_setfield(lua, -2, "_NAME");
  lua_pushliteral(lua, "2.1.0");
  lua_setfield(lua, -2, "_VERSION");
  lua_replace(lua, upvalues);
  lua_settop(lua, upvalues);
}

// A library with settings of its own.
int New(lua_State* lua) {
  new (lua_newuserdata(lua, sizeof(CjsonSettings))) CjsonSettings;
  lua_pushvalue(lua, lua_upvalueindex(kHookUpvalue));
  PushLibrary(lua);
  return 1;
}

}  // namespace

int OpenCjson(lua_State* lua, CjsonSettings* settings, StepHook hook) {
  lua_pushlightuserdata(lua, settings);
  lua_pushlightuserdata(lua, reinterpret_cast<void*>(hook));
  PushLibrary(lua);
  return 1;
}

}  // namespace cinnabar::scripting
