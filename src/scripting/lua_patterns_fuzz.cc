// An arbitrary pattern, replacement and subject: two lengths, then the three. A hook ends what takes too
// long. Small inputs, for which Lua's own functions are safe, must have the same results as with those.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <lua5.1/lua.hpp>

#include "base/check.h"
#include "scripting/lua_patterns.h"

namespace {

struct Limits {
  size_t memory_used = 0;
  int hook_calls = 0;
  static constexpr size_t kMemoryMax = size_t{64} << 20;
  static constexpr int kHookCallsMax = 20;
};

void* Allocate(void* data, void* block, size_t old_size, size_t new_size) {
  auto* limits = static_cast<Limits*>(data);
  if (new_size > old_size && limits->memory_used + (new_size - old_size) > Limits::kMemoryMax) return nullptr;
  limits->memory_used += new_size - old_size;
  if (new_size != 0) return std::realloc(block, new_size);
  std::free(block);
  return nullptr;
}

void CountHookCall(lua_State* lua) {
  void* data = nullptr;
  lua_getallocf(lua, &data);
  auto* limits = static_cast<Limits*>(data);
  if (++limits->hook_calls > Limits::kHookCallsMax) luaL_error(lua, "interrupted");
}

struct Input {
  const char* pattern;
  size_t pattern_size;
  const char* replacement;
  size_t replacement_size;
  const char* subject;
  size_t subject_size;
};

// What Prepare leaves on the stack.
enum Slot { kOwn = 1, kOriginal, kSubject, kPattern, kReplacement, kLast = kReplacement };

void Prepare(lua_State* lua, const Input& input) {
  lua_settop(lua, 0);
  lua_pushcfunction(lua, luaopen_string);
  lua_call(lua, 0, 1);
  lua_newtable(lua);
  for (const char* name : {"find", "match", "gsub"}) {
    lua_getfield(lua, kOwn, name);
    lua_setfield(lua, kOriginal, name);
  }
  cinnabar::scripting::ReplacePatterns(lua, CountHookCall);
  lua_pushlstring(lua, input.subject, input.subject_size);
  lua_pushlstring(lua, input.pattern, input.pattern_size);
  lua_pushlstring(lua, input.replacement, input.replacement_size);
}

// Leaves the results, or the error, on the stack.
int Call(lua_State* lua, Slot library, const char* function, int arguments) {
  lua_getfield(lua, library, function);
  for (int i = 0; i < arguments; ++i) lua_pushvalue(lua, kSubject + i);
  return lua_pcall(lua, arguments, LUA_MULTRET, 0);
}

void Compare(lua_State* lua, const char* function, int arguments) {
  lua_settop(lua, kLast);
  const int expected_status = Call(lua, kOriginal, function, arguments);
  const int expected = lua_gettop(lua) - kLast;
  const int status = Call(lua, kOwn, function, arguments);
  CHECK(status == expected_status && lua_gettop(lua) == kLast + 2 * expected);
  for (int i = 1; i <= expected; ++i) CHECK(lua_rawequal(lua, kLast + i, kLast + expected + i) != 0);
}

void Find(lua_State* lua, const Input& input) {
  lua_settop(lua, kLast);
  if (Call(lua, kOwn, "find", 2) != 0 || lua_isnil(lua, kLast + 1)) return;
  const lua_Integer begin = lua_tointeger(lua, kLast + 1);
  const lua_Integer end = lua_tointeger(lua, kLast + 2);
  CHECK(begin >= 1 && begin <= end + 1 && static_cast<size_t>(end) <= input.subject_size);
}

void FindAll(lua_State* lua, const Input& input) {
  lua_settop(lua, kLast);
  if (Call(lua, kOwn, "gmatch", 2) != 0) return;
  for (size_t matches = 0;; ++matches) {
    CHECK(matches <= input.subject_size + 1);
    lua_settop(lua, kLast + 1);
    lua_pushvalue(lua, -1);
    if (lua_pcall(lua, 0, LUA_MULTRET, 0) != 0 || lua_gettop(lua) == kLast + 1) return;
  }
}

int Try(lua_State* lua) {
  const Input& input = *static_cast<const Input*>(lua_touserdata(lua, 1));
  Prepare(lua, input);
  Find(lua, input);
  FindAll(lua, input);
  lua_settop(lua, kLast);
  Call(lua, kOwn, "gsub", 3);
  if (input.pattern_size > 12 || input.subject_size > 16) return 0;
  Compare(lua, "find", 2);
  Compare(lua, "match", 2);
  Compare(lua, "gsub", 3);
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  Input input{};
  input.pattern = reinterpret_cast<const char*>(data) + 2;
  input.pattern_size = std::min<size_t>(data[0], size - 2);
  input.replacement = input.pattern + input.pattern_size;
  input.replacement_size = std::min<size_t>(data[1] % 16, size - 2 - input.pattern_size);
  input.subject = input.replacement + input.replacement_size;
  input.subject_size = size - 2 - input.pattern_size - input.replacement_size;
  Limits limits;
  lua_State* lua = lua_newstate(Allocate, &limits);
  const int status = lua_cpcall(lua, Try, &input);
  CHECK(status == 0 || status == LUA_ERRMEM);
  lua_close(lua);
  CHECK(limits.memory_used == 0);
  return 0;
}
