// An arbitrary format and arbitrary bytes for it: a length, the format, the offset, the bytes. What was
// unpacked is packed by the same format.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <lua5.1/lua.hpp>

#include "base/check.h"
#include "scripting/lua_struct.h"

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
  const char* format;
  size_t format_size;
  const char* bytes;
  size_t size;
  int8_t offset;
};

// Packs what lies on the stack from 3 on, without the position that ends it, and reads the size.
void PackAgain(lua_State* lua) {
  lua_settop(lua, -2);
  const int values = lua_gettop(lua) - 2;
  lua_getfield(lua, 1, "pack");
  lua_insert(lua, 3);
  lua_pushvalue(lua, 2);
  lua_insert(lua, 4);
  if (lua_pcall(lua, values + 1, 1, 0) != 0) return;
  const size_t packed = lua_objlen(lua, -1);
  lua_getfield(lua, 1, "size");
  lua_pushvalue(lua, 2);
  if (lua_pcall(lua, 1, 1, 0) == 0) CHECK(static_cast<size_t>(lua_tointeger(lua, -1)) == packed);
}

int Try(lua_State* lua) {
  const Input& input = *static_cast<const Input*>(lua_touserdata(lua, 1));
  lua_settop(lua, 0);
  cinnabar::scripting::OpenStruct(lua);
  lua_pushlstring(lua, input.format, input.format_size);
  lua_getfield(lua, 1, "size");
  lua_pushvalue(lua, 2);
  lua_pcall(lua, 1, 1, 0);
  lua_settop(lua, 2);
  lua_getfield(lua, 1, "unpack");
  lua_pushvalue(lua, 2);
  lua_pushlstring(lua, input.bytes, input.size);
  lua_pushinteger(lua, input.offset);
  if (lua_pcall(lua, 3, LUA_MULTRET, 0) == 0 && lua_checkstack(lua, 8) != 0) PackAgain(lua);
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto* bytes = reinterpret_cast<const char*>(data);
  Input input{};
  input.format_size = std::min<size_t>(data[0], size - 2);
  input.offset = static_cast<int8_t>(data[1] < 200 ? 1 : bytes[1]);
  input.format = bytes + 2;
  input.bytes = input.format + input.format_size;
  input.size = size - 2 - input.format_size;
  Memory memory;
  lua_State* lua = lua_newstate(Allocate, &memory);
  const int status = lua_cpcall(lua, Try, &input);
  CHECK(status == 0 || status == LUA_ERRMEM);
  lua_close(lua);
  CHECK(memory.used == 0);
  return 0;
}
