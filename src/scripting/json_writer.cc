// JSON (https://www.rfc-editor.org/rfc/rfc8259) of Lua values, as scripts expect it.
//
// A table whose keys are all positive whole numbers is an array, with null where an element is missing; an
// empty one and any other is an object, in the order of lua_next. Metatables have no say.
//
// Nesting is followed without recursion: the open tables lie on the Lua stack, objects with the key that was
// written last, and what is left of arrays in an array of levels. Lua refuses more than 8000 slots, which
// limits nesting even where the settings do not. Shared tables can make a small value a text without end, so
// the hook is called on the way, and the text grows within the memory of the interpreter: first on the C
// stack, then in a userdata.
//
// Lua errors are longjmps. So nothing with a destructor lives in these functions.
#include "scripting/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <lua5.1/lua.hpp>
#include <string_view>

#include "scripting/lua_cjson.h"

namespace cinnabar::scripting {
namespace {

using InvalidNumbers = CjsonSettings::InvalidNumbers;

constexpr size_t kCapacityAtFirst = 1024;
// Buffers that were outgrown count until they are collected. From here on they are collected at once, for
// Lua would rather fail than collect.
constexpr size_t kCollectFrom = size_t{32} << 20;
// Where the userdata is, below the value.
constexpr int kBufferSlot = 1;

struct Level {
  int written;  // elements of an array
  int length;   // of an array; 0: this is an object
};

struct Writer {
  lua_State* lua;
  const CjsonSettings* settings;
  Pace pace;
  char* bytes;
  size_t size;
  size_t capacity;
  int depth;
  bool first_field;  // of the innermost object
  Level levels[LUAI_MAXCSTACK];
};

// ---- The text so far

void Grow(Writer& out, size_t more) {
  const size_t capacity = std::max(out.capacity * 2, out.size + more);
  if (capacity >= kCollectFrom) lua_gc(out.lua, LUA_GCCOLLECT, 0);
  auto* moved = static_cast<char*>(lua_newuserdata(out.lua, capacity));
  std::memcpy(moved, out.bytes, out.size);
  lua_replace(out.lua, kBufferSlot);
  out.bytes = moved;
  out.capacity = capacity;
}

// Where the next bytes go; there is room for so many.
char* Room(Writer& out, size_t more) {
  if (more > out.capacity - out.size) [[unlikely]] {
    Grow(out, more);
  }
  return out.bytes + out.size;
}

void AddByte(Writer& out, char byte) {
  *Room(out, 1) = byte;
  ++out.size;
}

void AddText(Writer& out, std::string_view text) {
  std::memcpy(Room(out, text.size()), text.data(), text.size());
  out.size += text.size();
}

// ---- Values that are no tables

int Refuse(Writer& out, int index, const char* why) {
  return luaL_error(out.lua, "Cannot serialise %s: %s", luaL_typename(out.lua, index), why);
}

// For each byte: 0, the letter of its escape, or 'u' for the form \u00xx.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> escapes{};
  for (size_t i = 0; i < 32; ++i) escapes[i] = 'u';
  escapes[127] = 'u';
  escapes['\b'] = 'b';
  escapes['\t'] = 't';
  escapes['\n'] = 'n';
  escapes['\f'] = 'f';
  escapes['\r'] = 'r';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  escapes['/'] = '/';
  return escapes;
}();
constexpr size_t kEscapeBytesMax = 6;

char* PutEscape(char* to, char byte) {
  const auto code = static_cast<uint8_t>(byte);
  *to++ = '\\';
  *to++ = kEscapes[code];
  if (kEscapes[code] != 'u') return to;
  *to++ = '0';
  *to++ = '0';
  *to++ = "0123456789abcdef"[code >> 4];
  *to++ = "0123456789abcdef"[code & 15];
  return to;
}

// Of the string at the index.
void AddString(Writer& out, int index) {
  size_t size = 0;
  const char* from = lua_tolstring(out.lua, index, &size);
  const char* const end = from + size;
  char* to = Room(out, size + 2);
  *to++ = '"';
  for (; from != end; ++from) {
    if (kEscapes[static_cast<uint8_t>(*from)] == 0) [[likely]] {
      *to++ = *from;
      continue;
    }
    out.size = static_cast<size_t>(to - out.bytes);
    to = Room(out, kEscapeBytesMax + static_cast<size_t>(end - from));
    to = PutEscape(to, *from);
  }
  *to++ = '"';
  out.size = static_cast<size_t>(to - out.bytes);
  out.pace.Spend(out.lua, size);
}

// What a whole number must be below to be written with all its digits.
constexpr double kPowersOfTen[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};

// As %.14g of printf.
void AddFinite(Writer& out, double number) {
  constexpr size_t kNumberBytesMax = 32;
  const int digits = out.settings->number_digits;
  char* const to = Room(out, kNumberBytesMax);
  char* end;
  const bool negative_zero = number == 0 && std::signbit(number);
  if (std::fabs(number) < kPowersOfTen[digits] && std::trunc(number) == number && !negative_zero) {
    end = std::to_chars(to, to + kNumberBytesMax, static_cast<int64_t>(number)).ptr;
  } else {
    end = std::to_chars(to, to + kNumberBytesMax, number, std::chars_format::general, digits).ptr;
  }
  out.size += static_cast<size_t>(end - to);
}

// Of the number at the index.
void AddNumber(Writer& out, int index) {
  const double number = lua_tonumber(out.lua, index);
  if (std::isfinite(number)) [[likely]] {
    return AddFinite(out, number);
  }
  switch (out.settings->encode_invalid_numbers) {
    case InvalidNumbers::kRefuse:
      Refuse(out, index, "must not be NaN or Inf");
      break;
    case InvalidNumbers::kTake:
      if (std::isnan(number)) return AddText(out, "nan");
      return AddText(out, number > 0 ? "inf" : "-inf");
    case InvalidNumbers::kNull:
      return AddText(out, "null");
  }
}

// ---- Tables

// As a conversion from double to int has always been here: beyond the range of int it gives the least one.
int IndexOf(double key) {
  constexpr double kEnd = 2147483648.0;
  return key < kEnd ? static_cast<int>(key) : std::numeric_limits<int>::min();
}

// Of the table on top: its length as an array, or 0 if it becomes an object.
int LengthAsArray(Writer& out) {
  int largest = 0;
  int elements = 0;
  for (lua_pushnil(out.lua); lua_next(out.lua, -2) != 0; lua_pop(out.lua, 1)) {
    const double key = lua_type(out.lua, -2) == LUA_TNUMBER ? lua_tonumber(out.lua, -2) : 0;
    if (!(key >= 1 && std::floor(key) == key)) {
      lua_pop(out.lua, 2);
      return 0;
    }
    // A key that is out of range hides the larger ones before it. So it has always been.
    if (key > largest) largest = IndexOf(key);
    ++elements;
    out.pace.Spend(out.lua, 0);
  }
  const CjsonSettings& settings = *out.settings;
  if (settings.sparse_ratio <= 0 || largest <= settings.sparse_safe) return std::max(largest, 0);
  const auto dense = static_cast<uint32_t>(elements) * static_cast<uint32_t>(settings.sparse_ratio);
  if (largest <= static_cast<int>(dense)) return largest;
  if (settings.sparse_as_object == 0) Refuse(out, -1, "excessively sparse array");
  return 0;
}

// Begins with the table on top.
void OpenTable(Writer& out) {
  ++out.depth;
  if (out.depth > out.settings->encode_depth_max || lua_checkstack(out.lua, LUA_MINSTACK) == 0) {
    luaL_error(out.lua, "Cannot serialise, excessive nesting (%d)", out.depth);
  }
  const int length = LengthAsArray(out);
  out.levels[out.depth - 1] = {.written = 0, .length = length};
  AddByte(out, length > 0 ? '[' : '{');
  if (length > 0) return;
  out.first_field = true;
  lua_pushnil(out.lua);
}

// Writes a scalar and pops it, or begins with a table.
void AddValue(Writer& out) {
  switch (lua_type(out.lua, -1)) {
    case LUA_TSTRING:
      AddString(out, -1);
      break;
    case LUA_TNUMBER:
      AddNumber(out, -1);
      break;
    case LUA_TBOOLEAN:
      AddText(out, lua_toboolean(out.lua, -1) != 0 ? "true" : "false");
      break;
    case LUA_TTABLE:
      return OpenTable(out);
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(out.lua, -1) != nullptr) Refuse(out, -1, "type not supported");
      [[fallthrough]];
    case LUA_TNIL:
      AddText(out, "null");
      break;
    default:
      Refuse(out, -1, "type not supported");
  }
  lua_pop(out.lua, 1);
}

// Writes the key below the top as the name of a field.
void AddKey(Writer& out) {
  switch (lua_type(out.lua, -2)) {
    case LUA_TSTRING:
      AddString(out, -2);
      break;
    case LUA_TNUMBER:
      AddByte(out, '"');
      AddNumber(out, -2);
      AddByte(out, '"');
      break;
    default:
      Refuse(out, -2, "table key must be a number or string");
  }
  AddByte(out, ':');
}

// Pushes the next value of the innermost table. False: there was none left, and the table is popped.
bool NextValue(Writer& out) {
  Level& level = out.levels[out.depth - 1];
  out.pace.Spend(out.lua, 0);
  if (level.length > 0) {
    if (level.written < level.length) {
      if (level.written > 0) AddByte(out, ',');
      lua_rawgeti(out.lua, -1, ++level.written);
      return true;
    }
    AddByte(out, ']');
  } else {
    if (lua_next(out.lua, -2) != 0) {
      if (!out.first_field) AddByte(out, ',');
      out.first_field = false;
      AddKey(out);
      return true;
    }
    AddByte(out, '}');
    out.first_field = false;
  }
  lua_pop(out.lua, 1);
  --out.depth;
  return false;
}

}  // namespace

int EncodeJson(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  char first[kCapacityAtFirst];
  Writer out;
  out.lua = lua;
  out.settings = static_cast<const CjsonSettings*>(lua_touserdata(lua, lua_upvalueindex(1)));
  out.pace = Pace{reinterpret_cast<StepHook>(lua_touserdata(lua, lua_upvalueindex(2)))};
  out.bytes = first;
  out.size = 0;
  out.capacity = sizeof(first);
  out.depth = 0;
  out.first_field = false;
  lua_pushnil(lua);
  lua_insert(lua, kBufferSlot);
  AddValue(out);
  while (out.depth > 0) {
    if (NextValue(out)) AddValue(out);
  }
  lua_pushlstring(lua, out.bytes, out.size);
  return 1;
}

}  // namespace cinnabar::scripting
