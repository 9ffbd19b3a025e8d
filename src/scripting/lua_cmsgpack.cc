// MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) as scripts know it.
//
// Writing. A whole number within int64 takes the shortest integer form, any other number a float if that
// loses nothing, else a double. A table whose keys are exactly 1..n is an array (an empty one too), any other
// a map. Tables inside more than 16 others become nil, which also ends circular references; so do functions
// and all else that MessagePack has no form for. Strings take the `str` forms; the `bin` and `ext` forms are
// neither written nor read.
//
// Reading. Input is hostile. A container is a table that grows as its elements arrive, so an announced size
// costs nothing. Nesting is followed without recursion: the open containers lie on the Lua stack,
//
//   ... [table][key] [table][key] [value just read]
//
// with an index as the key of arrays, and what is left of each in an array of levels, first on the C stack,
// then in a userdata. Lua refuses more than 8000 slots, which limits nesting and results alike. Unsigned
// 64-bit integers from 2^63 on come out negative, as they always have.
//
// Lua errors are longjmps. So nothing with a destructor lives in these functions while a call into Lua can
// raise; memory that must outlive a call is a userdata on the Lua stack.
#include "scripting/lua_cmsgpack.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <lua5.1/lua.hpp>

namespace cinnabar::scripting {
namespace {

constexpr int kNestingMax = 16;

enum Code : uint8_t {
  kMapFew = 0x80,
  kArrayFew = 0x90,
  kStringFew = 0xa0,
  kNil = 0xc0,
  kFalse = 0xc2,
  kTrue = 0xc3,
  kFloat = 0xca,
  kDouble = 0xcb,
  kUnsigned8 = 0xcc,
  kUnsigned16 = 0xcd,
  kUnsigned32 = 0xce,
  kUnsigned64 = 0xcf,
  kSigned8 = 0xd0,
  kSigned16 = 0xd1,
  kSigned32 = 0xd2,
  kSigned64 = 0xd3,
  kString8 = 0xd9,
  kString16 = 0xda,
  kString32 = 0xdb,
  kArray16 = 0xdc,
  kArray32 = 0xdd,
  kMap16 = 0xde,
  kMap32 = 0xdf,
  kNegativeFew = 0xe0,
};

// ---- Writing

// The bytes so far, in a userdata at `slot` of the Lua stack. A luaL_Buffer would not do: it owns the top of
// the stack, where the traversed tables are.
struct Output {
  lua_State* lua;
  int slot;
  char* bytes;
  size_t size;
  size_t capacity;
};

// REQUIRES: two free slots on the Lua stack.
char* Extend(Output& out, size_t more) {
  if (more > out.capacity - out.size) {
    const size_t capacity = std::max(out.capacity * 2, out.size + more);
    auto* moved = static_cast<char*>(lua_newuserdata(out.lua, capacity));
    std::memcpy(moved, out.bytes, out.size);
    lua_replace(out.lua, out.slot);
    out.bytes = moved;
    out.capacity = capacity;
  }
  char* const room = out.bytes + out.size;
  out.size += more;
  return room;
}

void AddCode(Output& out, uint8_t code) {
  *Extend(out, 1) = static_cast<char>(code);
}

// The code, then the lowest `width` bytes of the number, highest first.
void AddNumber(Output& out, uint8_t code, uint64_t number, size_t width) {
  char* const room = Extend(out, 1 + width);
  room[0] = static_cast<char>(code);
  for (size_t i = 0; i < width; ++i) room[width - i] = static_cast<char>(number >> (8 * i));
}

void AddInteger(Output& out, int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  if (value >= 0) {
    if (value <= 127) return AddCode(out, static_cast<uint8_t>(value));
    if (value <= UINT8_MAX) return AddNumber(out, kUnsigned8, bits, 1);
    if (value <= UINT16_MAX) return AddNumber(out, kUnsigned16, bits, 2);
    if (value <= UINT32_MAX) return AddNumber(out, kUnsigned32, bits, 4);
    return AddNumber(out, kUnsigned64, bits, 8);
  }
  if (value >= -32) return AddCode(out, static_cast<uint8_t>(value));
  if (value >= INT8_MIN) return AddNumber(out, kSigned8, bits, 1);
  if (value >= INT16_MIN) return AddNumber(out, kSigned16, bits, 2);
  if (value >= INT32_MIN) return AddNumber(out, kSigned32, bits, 4);
  AddNumber(out, kSigned64, bits, 8);
}

bool IsInt64(double number) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  return number >= -kTwoTo63 && number < kTwoTo63 && std::trunc(number) == number;
}

bool IsFloat(double number) {
  if (std::isinf(number)) return true;
  constexpr double kFloatMax = 3.4028234663852886e38;
  if (std::fabs(number) > kFloatMax) return false;
  return static_cast<double>(static_cast<float>(number)) == number;
}

void AddLuaNumber(Output& out, double number) {
  if (IsInt64(number)) return AddInteger(out, static_cast<int64_t>(number));
  if (IsFloat(number)) {
    return AddNumber(out, kFloat, std::bit_cast<uint32_t>(static_cast<float>(number)), 4);
  }
  AddNumber(out, kDouble, std::bit_cast<uint64_t>(number), 8);
}

void AddString(Output& out, int index) {
  size_t size = 0;
  const char* bytes = lua_tolstring(out.lua, index, &size);
  if (size < 32) {
    AddCode(out, static_cast<uint8_t>(kStringFew | size));
  } else if (size <= UINT8_MAX) {
    AddNumber(out, kString8, size, 1);
  } else if (size <= UINT16_MAX) {
    AddNumber(out, kString16, size, 2);
  } else {
    AddNumber(out, kString32, size, 4);
  }
  if (size > 0) std::memcpy(Extend(out, size), bytes, size);
}

void AddSizeOfContainer(Output& out, size_t size, uint8_t few, uint8_t code16, uint8_t code32) {
  if (size < 16) return AddCode(out, static_cast<uint8_t>(few | size));
  if (size <= UINT16_MAX) return AddNumber(out, code16, size, 2);
  AddNumber(out, code32, size, 4);
}

struct Shape {
  size_t size = 0;
  bool is_array = false;
};

// Of the table on top of the stack. Array: as many keys as the largest, all of them positive whole numbers.
Shape ShapeOfTable(lua_State* lua) {
  Shape shape;
  bool only_indexes = true;
  double largest = 0;
  for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
    ++shape.size;
    if (!only_indexes) continue;
    const double key = lua_type(lua, -2) == LUA_TNUMBER ? lua_tonumber(lua, -2) : 0;
    only_indexes = key > 0 && IsInt64(key);
    largest = std::max(largest, key);
  }
  shape.is_array = only_indexes && largest == static_cast<double>(shape.size);
  return shape;
}

void AddTable(Output& out, int nesting);

// Pops the value on top.
void AddValue(Output& out, int nesting) {
  switch (lua_type(out.lua, -1)) {
    case LUA_TSTRING:
      AddString(out, -1);
      break;
    case LUA_TBOOLEAN:
      AddCode(out, lua_toboolean(out.lua, -1) != 0 ? kTrue : kFalse);
      break;
    case LUA_TNUMBER:
      AddLuaNumber(out, lua_tonumber(out.lua, -1));
      break;
    case LUA_TTABLE:
      if (nesting < kNestingMax) {
        AddTable(out, nesting + 1);
        break;
      }
      [[fallthrough]];
    default:
      AddCode(out, kNil);
  }
  lua_pop(out.lua, 1);
}

void AddTable(Output& out, int nesting) {
  luaL_checkstack(out.lua, 6, "while packing a table");
  const Shape shape = ShapeOfTable(out.lua);
  if (shape.is_array) {
    AddSizeOfContainer(out, shape.size, kArrayFew, kArray16, kArray32);
    for (size_t i = 1; i <= shape.size; ++i) {
      lua_pushnumber(out.lua, static_cast<lua_Number>(i));
      lua_rawget(out.lua, -2);
      AddValue(out, nesting);
    }
    return;
  }
  AddSizeOfContainer(out, shape.size, kMapFew, kMap16, kMap32);
  for (lua_pushnil(out.lua); lua_next(out.lua, -2) != 0;) {
    lua_pushvalue(out.lua, -2);
    AddValue(out, nesting);
    AddValue(out, nesting);
  }
}

int Pack(lua_State* lua) {
  const int arguments = lua_gettop(lua);
  if (arguments == 0) return luaL_argerror(lua, 0, "MessagePack pack needs input.");
  if (lua_checkstack(lua, arguments) == 0) {
    return luaL_argerror(lua, 0, "Too many arguments for MessagePack pack.");
  }
  luaL_checkstack(lua, 6, "while packing");
  constexpr size_t kCapacityAtFirst = 256;
  auto* bytes = static_cast<char*>(lua_newuserdata(lua, kCapacityAtFirst));
  Output out{lua, lua_gettop(lua), bytes, 0, kCapacityAtFirst};
  for (int i = 1; i <= arguments; ++i) {
    lua_pushvalue(lua, i);
    AddValue(out, 0);
  }
  lua_pushlstring(lua, out.bytes, out.size);
  return 1;
}

// ---- Reading

struct Level {
  uint32_t left;   // elements or pairs still to come, with the one being read
  uint32_t index;  // of the element being read; arrays only
  bool is_map;
  bool key_is_next;  // maps only
};

// Data of scripts seldom nest deeper, for packing does not.
constexpr uint32_t kLevelsAtFirst = 16;

constexpr char kTooManySlots[] = "too many return values at once; use unpack_one or unpack_limit instead.";

struct Decoder {
  lua_State* lua;
  int slot;  // of the userdata with the levels, once there is one
  const char* next;
  size_t left;
  Level* levels;
  uint32_t depth;
  uint32_t capacity;
};

const char* Take(Decoder& in, size_t size) {
  if (size > in.left) luaL_error(in.lua, "Missing bytes in input.");
  const char* const taken = in.next;
  in.next += size;
  in.left -= size;
  return taken;
}

uint64_t TakeNumber(Decoder& in, size_t width) {
  const char* const bytes = Take(in, width);
  uint64_t number = 0;
  for (size_t i = 0; i < width; ++i) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

int64_t TakeSigned(Decoder& in, size_t width) {
  const size_t spare_bits = 64 - 8 * width;
  return static_cast<int64_t>(TakeNumber(in, width) << spare_bits) >> spare_bits;
}

void PushInteger(Decoder& in, int64_t value) {
  lua_pushnumber(in.lua, static_cast<lua_Number>(value));
}

void TakeString(Decoder& in, size_t size) {
  const char* const bytes = Take(in, size);
  lua_pushlstring(in.lua, bytes, size);
}

void GrowLevels(Decoder& in) {
  auto* moved = static_cast<Level*>(lua_newuserdata(in.lua, sizeof(Level) * in.capacity * 2));
  std::memcpy(moved, in.levels, sizeof(Level) * in.depth);
  lua_replace(in.lua, in.slot);
  in.levels = moved;
  in.capacity *= 2;
}

void OpenArray(Decoder& in, uint64_t size) {
  lua_newtable(in.lua);
  if (size == 0) return;
  luaL_checkstack(in.lua, 2, "in function mp_decode_to_lua_array");
  if (in.depth == in.capacity) GrowLevels(in);
  in.levels[in.depth++] = {
      .left = static_cast<uint32_t>(size), .index = 1, .is_map = false, .key_is_next = false};
  lua_pushnumber(in.lua, 1);
}

void OpenMap(Decoder& in, uint64_t size) {
  lua_newtable(in.lua);
  if (size == 0) return;
  luaL_checkstack(in.lua, 2, kTooManySlots);
  if (in.depth == in.capacity) GrowLevels(in);
  in.levels[in.depth++] = {
      .left = static_cast<uint32_t>(size), .index = 0, .is_map = true, .key_is_next = true};
}

void ReadLongForm(Decoder& in, uint8_t code) {
  switch (code) {
    case kNil:
      return lua_pushnil(in.lua);
    case kFalse:
    case kTrue:
      return lua_pushboolean(in.lua, code == kTrue ? 1 : 0);
    case kFloat:
      return lua_pushnumber(in.lua, std::bit_cast<float>(static_cast<uint32_t>(TakeNumber(in, 4))));
    case kDouble:
      return lua_pushnumber(in.lua, std::bit_cast<double>(TakeNumber(in, 8)));
    case kUnsigned8:
    case kUnsigned16:
    case kUnsigned32:
    case kUnsigned64:
      return PushInteger(in, static_cast<int64_t>(TakeNumber(in, size_t{1} << (code - kUnsigned8))));
    case kSigned8:
    case kSigned16:
    case kSigned32:
    case kSigned64:
      return PushInteger(in, TakeSigned(in, size_t{1} << (code - kSigned8)));
    case kString8:
    case kString16:
    case kString32:
      return TakeString(in, TakeNumber(in, size_t{1} << (code - kString8)));
    case kArray16:
    case kArray32:
      return OpenArray(in, TakeNumber(in, code == kArray16 ? 2 : 4));
    case kMap16:
    case kMap32:
      return OpenMap(in, TakeNumber(in, code == kMap16 ? 2 : 4));
    default:
      luaL_error(in.lua, "Bad data format in input.");
  }
}

// Pushes a value, or opens a container.
void ReadItem(Decoder& in) {
  luaL_checkstack(in.lua, 1, kTooManySlots);
  const auto code = static_cast<uint8_t>(*Take(in, 1));
  if (code < kMapFew) return PushInteger(in, code);
  if (code < kArrayFew) return OpenMap(in, code & 15);
  if (code < kStringFew) return OpenArray(in, code & 15);
  if (code < kNil) return TakeString(in, code & 31);
  if (code >= kNegativeFew) return PushInteger(in, static_cast<int8_t>(code));
  ReadLongForm(in, code);
}

// Puts the value on top where it belongs in the innermost open container, and likewise each container that is
// thereby complete.
void Settle(Decoder& in) {
  while (in.depth > 0) {
    Level& level = in.levels[in.depth - 1];
    if (level.key_is_next) {
      level.key_is_next = false;
      return;
    }
    lua_rawset(in.lua, -3);
    if (--level.left > 0) {
      level.key_is_next = level.is_map;
      if (!level.is_map) lua_pushnumber(in.lua, ++level.index);
      return;
    }
    --in.depth;
  }
}

// Pushes one complete value.
void ReadValue(Decoder& in) {
  do {
    const uint32_t depth = in.depth;
    ReadItem(in);
    if (in.depth == depth) Settle(in);
  } while (in.depth > 0);
}

// At most `limit` values from `offset` on, after the offset of the rest (-1: there is none). With both 0: all
// values, and no offset before them.
int UnpackFrom(lua_State* lua, lua_Integer limit, lua_Integer offset) {
  size_t size = 0;
  const char* bytes = luaL_checklstring(lua, 1, &size);
  if (offset < 0 || limit < 0) {
    // The size stands where a limit is promised, as it has always done.
    return luaL_error(lua, "Invalid request to unpack with offset of %d and limit of %d.",
                      static_cast<int>(offset), static_cast<int>(size));
  }
  if (static_cast<size_t>(offset) > size) {
    return luaL_error(lua, "Start offset %d greater than input length %d.", static_cast<int>(offset),
                      static_cast<int>(size));
  }
  const bool all = limit == 0 && offset == 0;
  // Below the results: the slot of the levels, then the offset, which is known in the end.
  lua_pushnil(lua);
  const int slot = lua_gettop(lua);
  if (!all) lua_pushinteger(lua, -1);
  Level levels[kLevelsAtFirst];
  Decoder in{lua, slot, bytes + offset, size - static_cast<size_t>(offset), levels, 0, kLevelsAtFirst};
  int values = 0;
  for (; in.left > 0 && (all || values < limit); ++values) ReadValue(in);
  if (all) return values;
  if (in.left > 0) {
    luaL_checkstack(lua, 1, kTooManySlots);
    lua_pushinteger(lua, in.next - bytes);
    lua_replace(lua, slot + 1);
  }
  return values + 1;
}

int Unpack(lua_State* lua) {
  return UnpackFrom(lua, 0, 0);
}

int UnpackOne(lua_State* lua) {
  return UnpackFrom(lua, 1, luaL_optinteger(lua, 2, 0));
}

int UnpackLimit(lua_State* lua) {
  const lua_Integer limit = luaL_checkinteger(lua, 2);
  return UnpackFrom(lua, limit, luaL_optinteger(lua, 3, 0));
}

}  // namespace

int OpenCmsgpack(lua_State* lua) {
  static constexpr struct {
    const char* name;
    lua_CFunction function;
  } kFunctions[] = {
      {"pack", Pack}, {"unpack", Unpack}, {"unpack_one", UnpackOne}, {"unpack_limit", UnpackLimit}};
  static constexpr struct {
    const char* name;
    const char* text;
  } kFacts[] = {{"_NAME", "cmsgpack"},
                {"_VERSION", "lua-cmsgpack 0.4.0"},
                {"_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"},
                {"_DESCRIPTION", "MessagePack C implementation for Lua"}};
  lua_createtable(lua, 0, 8);
  for (const auto& entry : kFunctions) {
    lua_pushcfunction(lua, entry.function);
    lua_setfield(lua, -2, entry.name);
  }
  for (const auto& fact : kFacts) {
    lua_pushstring(lua, fact.text);
    lua_setfield(lua, -2, fact.name);
  }
  return 1;
}

}  // namespace cinnabar::scripting
