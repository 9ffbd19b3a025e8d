// Arbitrary bytes taken for MessagePack, in a Lua that may use little memory: what is read can be written,
// and what was written can be read unless deep nesting has turned a key into nil.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <lua5.1/lua.hpp>

#include "base/check.h"
#include "scripting/lua_cmsgpack.h"

namespace {

struct Memory {
  size_t used = 0;
  static constexpr size_t kMax = size_t{64} << 20;
};

void* Allocate(void* data, void* block, size_t old_size, size_t new_size) {
  auto* memory = static_cast<Memory*>(data);
  if (new_size > old_size && memory->used + (new_size - old_size) > Memory::kMax) return nullptr;
  memory->used += new_size - old_size;
  if (new_size != 0) return std::realloc(block, new_size);
  std::free(block);
  return nullptr;
}

struct Input {
  const char* bytes;
  size_t size;
};

// Pushes the results of the library's function for the string on top, which it replaces. Returns the status.
int CallWithTop(lua_State* lua, const char* function) {
  lua_getfield(lua, 1, function);
  lua_insert(lua, -2);
  return lua_pcall(lua, 1, LUA_MULTRET, 0);
}

void WriteAndReadAgain(lua_State* lua) {
  const int status = CallWithTop(lua, "pack");
  CHECK(status == 0 || status == LUA_ERRMEM);
  if (status != 0) return;
  const int again = CallWithTop(lua, "unpack");
  if (again != LUA_ERRRUN) return;
  const char* const problem = lua_tostring(lua, -1);
  CHECK(std::strcmp(problem, "table index is nil") == 0);
}

int Try(lua_State* lua) {
  const Input& input = *static_cast<const Input*>(lua_touserdata(lua, 1));
  lua_settop(lua, 0);
  cinnabar::scripting::OpenCmsgpack(lua);
  lua_pushlstring(lua, input.bytes, input.size);
  if (CallWithTop(lua, "unpack") == 0) {
    const int values = lua_gettop(lua);
    for (int i = 2; i <= values && i < 20; ++i) {
      lua_pushvalue(lua, i);
      WriteAndReadAgain(lua);
      lua_settop(lua, values);
    }
  }
  lua_settop(lua, 1);
  lua_Integer offset = 0;
  for (size_t steps = 0; offset >= 0; ++steps) {
    CHECK(steps <= input.size && static_cast<size_t>(offset) <= input.size);
    lua_getfield(lua, 1, "unpack_one");
    lua_pushlstring(lua, input.bytes, input.size);
    lua_pushinteger(lua, offset);
    if (lua_pcall(lua, 2, 2, 0) != 0) break;
    const lua_Integer next = lua_tointeger(lua, -2);
    CHECK(next == -1 || next > offset);
    offset = next;
    lua_settop(lua, 1);
  }
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 20'000) return 0;  // unpack_one copies the input for every value
  Memory memory;
  lua_State* lua = lua_newstate(Allocate, &memory);
  Input input{reinterpret_cast<const char*>(data), size};
  const int status = lua_cpcall(lua, Try, &input);
  CHECK(status == 0 || status == LUA_ERRMEM);
  lua_close(lua);
  CHECK(memory.used == 0);
  return 0;
}
