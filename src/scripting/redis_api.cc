#include "scripting/redis_api.h"

#include <fmt/format.h>
#include <lua5.1/lua.hpp>

#include <cstring>

#include "base/sha1.h"
#include "config/settings.h"
#include "dispatch/script_run.h"
#include "scripting/libraries.h"
#include "scripting/sandbox.h"
#include "scripting/shebang.h"

namespace cinnabar::scripting {
namespace {

constexpr int kLogDebug = 0, kLogVerbose = 1, kLogNotice = 2, kLogWarning = 3;

int Call(lua_State* lua) {
  const int results = Interpreter::Of(lua).RunCommand(lua);
  // An error reply is a table with the field `err`: this one is raised.
  lua_pushliteral(lua, "err");
  if (!lua_istable(lua, -2)) {
    lua_pop(lua, 1);
    return results;
  }
  lua_rawget(lua, -2);
  const bool failed = lua_type(lua, -1) == LUA_TSTRING;
  lua_pop(lua, 1);
  return failed ? lua_error(lua) : results;
}

int ProtectedCall(lua_State* lua) {
  return Interpreter::Of(lua).RunCommand(lua);
}

int Reply(lua_State* lua, const char* field) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
    PushError(lua, "wrong number or type of arguments");
    return 1;
  }
  lua_createtable(lua, 0, 1);
  lua_pushvalue(lua, 1);
  lua_setfield(lua, -2, field);
  return 1;
}

int StatusReply(lua_State* lua) {
  return Reply(lua, "ok");
}

int ErrorReply(lua_State* lua) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
    PushError(lua, "wrong number or type of arguments");
    return 1;
  }
  if (lua_tostring(lua, 1)[0] != '-') {
    lua_pushliteral(lua, "-");
    lua_pushvalue(lua, 1);
    lua_concat(lua, 2);
  }
  PushError(lua, lua_tostring(lua, -1));
  return 1;
}

int Sha1Hex(lua_State* lua) {
  if (lua_gettop(lua) != 1) return RaiseError(lua, "wrong number of arguments");
  size_t size;
  const char* text = lua_tolstring(lua, 1, &size);
  char hex[40];
  int at = 0;
  for (const uint8_t byte : Sha1({text == nullptr ? "" : text, text == nullptr ? 0 : size})) {
    hex[at++] = "0123456789abcdef"[byte >> 4];
    hex[at++] = "0123456789abcdef"[byte & 15];
  }
  lua_pushlstring(lua, hex, sizeof(hex));
  return 1;
}

void WriteLog(lua_State* lua, int level, const char* text) {
  Logger& log = Interpreter::Of(lua).log();
  switch (level) {
    case kLogDebug:
      return log.Debug("{}", text);
    case kLogVerbose:
      return log.Verbose("{}", text);
    case kLogNotice:
      return log.Notice("{}", text);
    default:
      return log.Warning("{}", text);
  }
}

int Log(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count < 2) return RaiseError(lua, "redis.log() requires two arguments or more.");
  if (lua_isnumber(lua, 1) == 0) return RaiseError(lua, "First argument must be a number (log level).");
  const int level = static_cast<int>(lua_tonumber(lua, 1));
  if (level < kLogDebug || level > kLogWarning) return RaiseError(lua, "Invalid debug level.");
  luaL_Buffer text;
  luaL_buffinit(lua, &text);
  for (int i = 2; i <= count; ++i) {
    if (lua_isstring(lua, i) == 0) continue;
    if (i > 2) luaL_addchar(&text, ' ');
    lua_pushvalue(lua, i);
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
  WriteLog(lua, level, lua_tostring(lua, -1));
  return 0;
}

int SetResp(lua_State* lua) {
  if (lua_gettop(lua) != 1) return RaiseError(lua, "redis.setresp() requires one argument.");
  const auto version = static_cast<int>(lua_tonumber(lua, 1));
  if (version != 2 && version != 3) return RaiseError(lua, "RESP version must be 2 or 3.");
  Interpreter::Of(lua).SetResp(version);
  return 0;
}

int SetRepl(lua_State* lua) {
  if (lua_gettop(lua) != 1) return RaiseError(lua, "redis.set_repl() requires two arguments.");
  const auto copies = static_cast<int64_t>(lua_tonumber(lua, 1));
  if (copies < 0 || copies > int64_t{dispatch::ScriptCopies::kAll})
    return RaiseError(lua, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  if (dispatch::ScriptRun* run = Interpreter::Of(lua).run(); run != nullptr)
    run->SetCopies(static_cast<uint32_t>(copies));
  return 0;
}

// Whether the caller's user may run the command. Nothing is noted if not.
int AclCheckCommand(lua_State* lua) {
  bool known = false, allowed = false;
  const char* error = Interpreter::Of(lua).FindCommand(lua, known, allowed);
  if (error != nullptr) return RaiseError(lua, error);
  if (!known) return RaiseError(lua, "Invalid command passed to redis.acl_check_cmd()");
  lua_pushboolean(lua, allowed);
  return 1;
}

int ReplicateCommands(lua_State* lua) {
  lua_pushboolean(lua, 1);
  return 1;
}

// Without a debugger there is nowhere to stop, and nobody to show something to.
int Breakpoint(lua_State* lua) {
  lua_pushboolean(lua, 0);
  return 1;
}
int DebugPrint(lua_State*) {
  return 0;
}

void SetNumber(lua_State* lua, const char* name, double value) {
  lua_pushnumber(lua, value);
  lua_setfield(lua, -2, name);
}

void SetConstants(lua_State* lua) {
  SetNumber(lua, "LOG_DEBUG", kLogDebug);
  SetNumber(lua, "LOG_VERBOSE", kLogVerbose);
  SetNumber(lua, "LOG_NOTICE", kLogNotice);
  SetNumber(lua, "LOG_WARNING", kLogWarning);
}

constexpr luaL_Reg kFunctions[] = {
    {"call", Call},        {"pcall", ProtectedCall},    {"log", Log},
    {"setresp", SetResp},  {"error_reply", ErrorReply}, {"status_reply", StatusReply},
    {"set_repl", SetRepl}, {"sha1hex", Sha1Hex},        {"acl_check_cmd", AclCheckCommand},
};
constexpr luaL_Reg kOnlyForScripts[] = {
    {"replicate_commands", ReplicateCommands}, {"breakpoint", Breakpoint}, {"debug", DebugPrint}};

// --- registering functions

struct Registration {
  const char* name = nullptr;
  size_t name_size = 0;
  const char* description = nullptr;
  size_t description_size = 0;
  uint32_t flags = 0;
  int callback = 0;  // its index on the stack
};

// A function may state a flag in capitals. No Lua function is called here.
uint32_t FlagOf(const char* name) {
  return FlagOfName(LowerCase(name));
}

bool ReadFlags(lua_State* lua, int index, uint32_t& flags) {
  for (int i = 1;; ++i) {
    lua_rawgeti(lua, index, i);
    if (lua_isnil(lua, -1)) {
      lua_pop(lua, 1);
      return true;
    }
    const char* name = lua_isstring(lua, -1) != 0 ? lua_tostring(lua, -1) : "";
    const uint32_t found = FlagOf(name);
    lua_pop(lua, 1);
    if (found == 0) return false;
    flags |= found;
  }
}

// Where the parts of a table of named arguments are kept, or the collector might take a text that was a
// number.
constexpr int kCallbackAt = 2, kNameAt = 3, kDescriptionAt = 4;

const char* KeepText(lua_State* lua, int place, size_t& size) {
  lua_pushvalue(lua, -1);
  lua_replace(lua, place);
  return lua_tolstring(lua, place, &size);
}

// One named argument: its name is below its value. The value stays where it can be found.
const char* ReadNamed(lua_State* lua, Registration& made) {
  if (lua_isstring(lua, -2) == 0)
    return "named argument key given to redis.register_function is not a string";
  const char* key = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : "";
  if (std::strcmp(key, "function_name") == 0) {
    if (lua_isstring(lua, -1) == 0)
      return "function_name argument given to redis.register_function must be a string";
    made.name = KeepText(lua, kNameAt, made.name_size);
  } else if (std::strcmp(key, "description") == 0) {
    if (lua_isstring(lua, -1) == 0)
      return "description argument given to redis.register_function must be a string";
    made.description = KeepText(lua, kDescriptionAt, made.description_size);
  } else if (std::strcmp(key, "callback") == 0) {
    if (lua_type(lua, -1) != LUA_TFUNCTION)
      return "callback argument given to redis.register_function must be a function";
    lua_pushvalue(lua, -1);
    lua_replace(lua, kCallbackAt);
    made.callback = kCallbackAt;
  } else if (std::strcmp(key, "flags") == 0) {
    if (lua_type(lua, -1) != LUA_TTABLE)
      return "flags argument to redis.register_function must be a table representing function flags";
    if (!ReadFlags(lua, lua_gettop(lua), made.flags)) return "unknown flag given";
  } else {
    return "unknown argument given to redis.register_function";
  }
  return nullptr;
}

const char* ReadTable(lua_State* lua, Registration& made) {
  if (lua_type(lua, 1) != LUA_TTABLE)
    return "calling redis.register_function with a single argument is only applicable to Lua table "
           "(representing named arguments).";
  lua_settop(lua, kDescriptionAt);  // places for the parts
  for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
    if (const char* error = ReadNamed(lua, made); error != nullptr) return error;
  }
  if (made.name == nullptr) return "redis.register_function must get a function name argument";
  if (made.callback == 0) return "redis.register_function must get a callback argument";
  return nullptr;
}

const char* ReadRegistration(lua_State* lua, Registration& made) {
  const int count = lua_gettop(lua);
  if (count < 1 || count > 2) return "wrong number of arguments to redis.register_function";
  if (count == 1) return ReadTable(lua, made);
  if (lua_isstring(lua, 1) == 0) return "first argument to redis.register_function must be a string";
  if (lua_type(lua, 2) != LUA_TFUNCTION)
    return "second argument to redis.register_function must be a function";
  made.name = lua_tolstring(lua, 1, &made.name_size);
  made.callback = 2;
  return nullptr;
}

// Nothing here may raise an error: it has objects with destructors.
const char* Register(std::vector<RegisteredFunction>& registered, const Registration& made, int reference) {
  const std::string_view name(made.name, made.name_size);
  for (const RegisteredFunction& each : registered) {
    if (each.facts.name == name) return "Function already exists in the library";
  }
  RegisteredFunction function;
  function.facts.name = name;
  function.facts.flags = made.flags;
  if (made.description != nullptr) {
    function.facts.described = true;
    function.facts.description.assign(made.description, made.description_size);
  }
  function.reference = reference;
  registered.push_back(std::move(function));
  return nullptr;
}

int RegisterFunction(lua_State* lua) {
  Interpreter& interpreter = Interpreter::Of(lua);
  if (interpreter.registered() == nullptr)
    return RaiseError(lua, "redis.register_function can only be called on FUNCTION LOAD command");
  Registration made;
  if (const char* error = ReadRegistration(lua, made); error != nullptr) return RaiseError(lua, error);
  if (!GoodFunctionName({made.name, made.name_size}))
    return RaiseError(lua,
                      "Library names can only contain letters, numbers, or underscores(_) and must be at "
                      "least one character long");
  lua_pushvalue(lua, made.callback);
  const int reference = luaL_ref(lua, LUA_REGISTRYINDEX);
  if (const char* error = Register(*interpreter.registered(), made, reference); error != nullptr)
    return RaiseError(lua, error);
  return 0;
}

}  // namespace

void PushError(lua_State* lua, const char* text) {
  const char* code = "ERR";
  size_t code_size = 3;
  size_t size = std::strlen(text);
  while (size > 0 && (text[size - 1] == '\r' || text[size - 1] == '\n')) --size;
  if (text[0] == '-') {
    ++text;
    --size;
    if (const auto* space = static_cast<const char*>(std::memchr(text, ' ', size)); space != nullptr) {
      code = text;
      code_size = static_cast<size_t>(space - text);
      size -= code_size + 1;
      text = space + 1;
    }
  }
  lua_createtable(lua, 0, 1);
  lua_pushlstring(lua, code, code_size);
  lua_pushliteral(lua, " ");
  lua_pushlstring(lua, text, size);
  lua_concat(lua, 3);
  lua_setfield(lua, -2, "err");
}

int RaiseError(lua_State* lua, const char* text) {
  PushError(lua, text);
  return lua_error(lua);
}

// Adds where the error was raised: in the innermost function that is a script's.
int LocateError(lua_State* lua) {
  if (!lua_istable(lua, 1)) {
    lua_settop(lua, 1);
    lua_pushliteral(lua, "ERR ");
    if (lua_isstring(lua, 1) != 0) {
      lua_pushvalue(lua, 1);
    } else {
      lua_getglobal(lua, "tostring");
      lua_pushvalue(lua, 1);
      lua_call(lua, 1, 1);
    }
    lua_concat(lua, 2);
    lua_createtable(lua, 0, 3);
    lua_insert(lua, -2);
    lua_setfield(lua, -2, "err");
    lua_replace(lua, 1);
  }
  lua_settop(lua, 1);
  lua_Debug where;
  if (lua_getstack(lua, 1, &where) == 0) return 1;
  lua_getinfo(lua, "Sl", &where);
  if (where.what[0] == 'C' && lua_getstack(lua, 2, &where) != 0) lua_getinfo(lua, "Sl", &where);
  lua_pushstring(lua, where.source);
  lua_setfield(lua, 1, "source");
  lua_pushnumber(lua, where.currentline);
  lua_setfield(lua, 1, "line");
  return 1;
}

void PushRedisTable(lua_State* lua, Interpreter::Kind kind) {
  lua_newtable(lua);
  for (const luaL_Reg& each : kFunctions) {
    lua_pushcfunction(lua, each.func);
    lua_setfield(lua, -2, each.name);
  }
  if (kind == Interpreter::Kind::kScripts) {
    for (const luaL_Reg& each : kOnlyForScripts) {
      lua_pushcfunction(lua, each.func);
      lua_setfield(lua, -2, each.name);
    }
  }
  SetConstants(lua);
  SetNumber(lua, "REPL_NONE", dispatch::ScriptCopies::kNone);
  SetNumber(lua, "REPL_AOF", dispatch::ScriptCopies::kFiles);
  SetNumber(lua, "REPL_REPLICA", dispatch::ScriptCopies::kReplicas);
  SetNumber(lua, "REPL_SLAVE", dispatch::ScriptCopies::kReplicas);
  SetNumber(lua, "REPL_ALL", dispatch::ScriptCopies::kAll);
  const std::string_view version = config::RedisVersion(config::CompatVersion::k70);
  lua_pushlstring(lua, version.data(), version.size());
  lua_setfield(lua, -2, "REDIS_VERSION");
  SetNumber(lua, "REDIS_VERSION_NUM", 0x0007000f);
}

void PushLoadingTable(lua_State* lua) {
  lua_newtable(lua);
  lua_pushcfunction(lua, RegisterFunction);
  lua_setfield(lua, -2, "register_function");
  lua_pushcfunction(lua, Log);
  lua_setfield(lua, -2, "log");
  SetConstants(lua);
  const std::string_view version = config::RedisVersion(config::CompatVersion::k70);
  lua_pushlstring(lua, version.data(), version.size());
  lua_setfield(lua, -2, "REDIS_VERSION");
  SetNumber(lua, "REDIS_VERSION_NUM", 0x0007000f);
}

}  // namespace cinnabar::scripting
