// Arbitrary bytes taken for JSON, in a Lua that may use little memory: what is read can be written, and what
// was written is read and written again as it is. The first byte chooses settings.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <lua5.1/lua.hpp>

#include "base/check.h"
#include "scripting/lua_cjson.h"

namespace {

using cinnabar::scripting::CjsonSettings;

struct Limits {
  size_t memory_used = 0;
  static constexpr size_t kMemoryMax = size_t{64} << 20;
};

void* Allocate(void* data, void* block, size_t old_size, size_t new_size) {
  auto* limits = static_cast<Limits*>(data);
  if (new_size > old_size && limits->memory_used + (new_size - old_size) > Limits::kMemoryMax) return nullptr;
  limits->memory_used += new_size - old_size;
  if (new_size != 0) return std::realloc(block, new_size);
  std::free(block);
  return nullptr;
}

struct Input {
  const char* bytes;
  size_t size;
  CjsonSettings settings;
};

// Replaces the value on top by what the library's function makes of it. Returns the status.
int CallWithTop(lua_State* lua, const char* function) {
  lua_getfield(lua, 1, function);
  lua_insert(lua, -2);
  return lua_pcall(lua, 1, 1, 0);
}

// Numbers have lost digits once they are written: from then on each text has the same bytes, but perhaps in
// another order, for fields come in an order that depends on how a table was built.
void WriteAndReadAgain(lua_State* lua) {
  size_t size = 0;
  for (int round = 0; round < 3; ++round) {
    const int written = CallWithTop(lua, "encode");
    if (written == LUA_ERRMEM) return;
    CHECK(written == 0);
    const size_t size_now = lua_objlen(lua, -1);
    CHECK(round < 2 || size_now == size);
    size = size_now;
    const int read = CallWithTop(lua, "decode");
    if (read == LUA_ERRMEM) return;
    CHECK(read == 0);
  }
}

int Try(lua_State* lua) {
  auto& input = *static_cast<Input*>(lua_touserdata(lua, 1));
  lua_settop(lua, 0);
  cinnabar::scripting::OpenCjson(lua, &input.settings);
  lua_pushlstring(lua, input.bytes, input.size);
  if (CallWithTop(lua, "decode") != 0) return 0;
  WriteAndReadAgain(lua);
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 100'000) return 0;
  Limits limits;
  lua_State* lua = lua_newstate(Allocate, &limits);
  Input input{reinterpret_cast<const char*>(data + 1), size - 1, {}};
  const uint8_t choice = data[0];
  using InvalidNumbers = CjsonSettings::InvalidNumbers;
  const bool strict = (choice & 1) != 0;  // then what is written must not have them either
  input.settings.decode_invalid_numbers = strict ? InvalidNumbers::kRefuse : InvalidNumbers::kTake;
  input.settings.encode_invalid_numbers =
      strict || (choice & 2) != 0 ? InvalidNumbers::kNull : InvalidNumbers::kTake;
  if ((choice & 4) != 0) input.settings.encode_depth_max = input.settings.decode_depth_max = 3900;
  input.settings.number_digits = 14 - (choice >> 4) % 14;
  const int status = lua_cpcall(lua, Try, &input);
  CHECK(status == 0 || status == LUA_ERRMEM);
  lua_close(lua);
  CHECK(limits.memory_used == 0);
  return 0;
}
