// A format is read letter by letter; every letter is either a field or changes how later fields are laid out.
//
//   fields    x padding byte   b B 1   h H 2   i I 4 or the number that follows   l L T 8   f 4   d 8
//             cN N bytes (1 without a number; c0: all of the string when packing, as many as the number
//             unpacked before says when unpacking)   s bytes up to a zero byte
//   controls  < little-endian   > big-endian   !N align to at most N (8 without a number)   blank: nothing
//
// A field is aligned to its own size, but to no more than the maximum in force, which is 1 at first. The
// formula for the padding presumes sizes that are powers of two; for `i3` and its like it yields what
// scripts have always got, and so it stays.
//
// Numbers are doubles. What does not fit into 64 bits becomes what x86-64 processors make of it (zero from
// 2^64 on, the sign bit alone for what is too small or not a number), spelled out here because C++ leaves it
// open. Integers of more than 8 bytes are not sign-extended, and their sign is sought at bit (8 * size - 1)
// modulo 64. Both are quirks that scripts can see.
//
// Limits: an integer has at most 32 bytes, a number in a format fits into an int. A format ends at its first
// zero byte.
//
// Lua errors are longjmps. So nothing with a destructor lives in these functions while a call into Lua can
// raise; buffers are luaL_Buffer.
#include "scripting/lua_struct.h"

#include <algorithm>
#include <cctype>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <lua5.1/lua.hpp>

namespace cinnabar::scripting {
namespace {

constexpr int kIntegerBytesMax = 32;
constexpr int kAlignmentOfMachine = 8;

enum class Order { kLittle, kBig };

struct Format {
  lua_State* lua;
  const char* next;
  Order order = Order::kLittle;
  size_t alignment_max = 1;
};

struct Field {
  char letter;
  size_t size;
  size_t padding;  // before it
};

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

int ReadNumber(Format& format, int otherwise) {
  if (!IsDigit(*format.next)) return otherwise;
  int number = 0;
  while (IsDigit(*format.next)) {
    const int digit = *format.next++ - '0';
    if (number > (INT_MAX - digit) / 10) luaL_error(format.lua, "integral size overflow");
    number = number * 10 + digit;
  }
  return number;
}

size_t ReadSize(Format& format, char letter) {
  switch (letter) {
    case 'x':
    case 'b':
    case 'B':
      return 1;
    case 'h':
    case 'H':
      return 2;
    case 'f':
      return sizeof(float);
    case 'l':
    case 'L':
    case 'T':
    case 'd':
      return 8;
    case 'c':
      return static_cast<size_t>(ReadNumber(format, 1));
    case 'i':
    case 'I': {
      const int size = ReadNumber(format, sizeof(int));
      if (size > kIntegerBytesMax) {
        luaL_error(format.lua, "integral size %d is larger than limit of %d", size, kIntegerBytesMax);
      }
      return static_cast<size_t>(size);
    }
    default:
      return 0;  // strings, whose size the value tells, and controls
  }
}

size_t PaddingBefore(const Format& format, char letter, size_t size, size_t position) {
  if (size == 0 || letter == 'c') return 0;
  const size_t alignment = std::min(size, format.alignment_max);
  const size_t mask = alignment - 1;
  return (alignment - (position & mask)) & mask;
}

Field ReadField(Format& format, size_t position) {
  const char letter = *format.next++;
  const size_t size = ReadSize(format, letter);
  return {letter, size, PaddingBefore(format, letter, size, position)};
}

void ApplyControl(Format& format, char letter) {
  switch (letter) {
    case ' ':
      return;
    case '<':
      format.order = Order::kLittle;
      return;
    case '>':
      format.order = Order::kBig;
      return;
    case '!': {
      const int alignment = ReadNumber(format, kAlignmentOfMachine);
      if (alignment <= 0 || (alignment & (alignment - 1)) != 0) {
        luaL_error(format.lua, "alignment %d is not a power of 2", alignment);
      }
      format.alignment_max = static_cast<size_t>(alignment);
      return;
    }
    default:
      luaL_argerror(format.lua, 1, lua_pushfstring(format.lua, "invalid format option '%c'", letter));
  }
}

uint64_t BitsOfInteger(double number) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  if (number >= 2 * kTwoTo63) return 0;
  if (number >= kTwoTo63) return static_cast<uint64_t>(number);
  if (number >= -kTwoTo63) return static_cast<uint64_t>(static_cast<int64_t>(number));
  return uint64_t{1} << 63;
}

// To and from the order of this machine, which is little-endian.
void Arrange(char* bytes, size_t size, Order order) {
  if (order == Order::kBig) std::reverse(bytes, bytes + size);
}

void AddInteger(luaL_Buffer* out, double number, size_t size, Order order) {
  char bytes[kIntegerBytesMax] = {};
  const uint64_t bits = BitsOfInteger(number);
  std::memcpy(bytes, &bits, std::min(size, sizeof bits));
  Arrange(bytes, size, order);
  luaL_addlstring(out, bytes, size);
}

template <typename Real>
void AddReal(luaL_Buffer* out, double number, Order order) {
  const auto real = static_cast<Real>(number);
  char bytes[sizeof real];
  std::memcpy(bytes, &real, sizeof real);
  Arrange(bytes, sizeof real, order);
  luaL_addlstring(out, bytes, sizeof real);
}

double IntegerFrom(const char* data, const Field& field, Order order) {
  char bytes[kIntegerBytesMax];
  std::memcpy(bytes, data, field.size);
  Arrange(bytes, field.size, order);
  uint64_t bits = 0;
  std::memcpy(&bits, bytes, std::min(field.size, sizeof bits));
  if (std::isupper(static_cast<unsigned char>(field.letter)) != 0) return static_cast<double>(bits);
  const uint64_t sign_and_above = ~uint64_t{0} << ((field.size * 8 - 1) % 64);
  if ((bits & sign_and_above) != 0) bits |= sign_and_above;
  return static_cast<double>(static_cast<int64_t>(bits));
}

template <typename Real>
double RealFrom(const char* data, Order order) {
  char bytes[sizeof(Real)];
  std::memcpy(bytes, data, sizeof bytes);
  Arrange(bytes, sizeof bytes, order);
  Real real;
  std::memcpy(&real, bytes, sizeof real);
  return static_cast<double>(real);
}

void AddZeros(luaL_Buffer* out, size_t count) {
  for (; count > 0; --count) luaL_addchar(out, '\0');
}

// Returns the bytes added.
size_t AddString(luaL_Buffer* out, int argument, const Field& field) {
  size_t length = 0;
  const char* bytes = luaL_checklstring(out->L, argument, &length);
  const size_t size = field.size == 0 ? length : field.size;
  // The argument after the string is blamed, as it has always been.
  luaL_argcheck(out->L, length >= size, argument + 1, "string too short");
  luaL_addlstring(out, bytes, size);
  if (field.letter != 's') return size;
  luaL_addchar(out, '\0');
  return size + 1;
}

int Pack(lua_State* lua) {
  Format format{lua, luaL_checkstring(lua, 1)};
  int argument = 2;
  size_t total = 0;
  // Keeps what the buffer puts on the stack from being taken for arguments.
  lua_pushnil(lua);
  luaL_Buffer out;
  luaL_buffinit(lua, &out);
  while (*format.next != '\0') {
    Field field = ReadField(format, total);
    AddZeros(&out, field.padding);
    switch (field.letter) {
      case 'x':
        AddZeros(&out, 1);
        break;
      case 'b':
      case 'B':
      case 'h':
      case 'H':
      case 'i':
      case 'I':
      case 'l':
      case 'L':
      case 'T':
        AddInteger(&out, luaL_checknumber(lua, argument++), field.size, format.order);
        break;
      case 'f':
        AddReal<float>(&out, luaL_checknumber(lua, argument++), format.order);
        break;
      case 'd':
        AddReal<double>(&out, luaL_checknumber(lua, argument++), format.order);
        break;
      case 'c':
      case 's':
        field.size = AddString(&out, argument++, field);
        break;
      default:
        ApplyControl(format, field.letter);
    }
    total += field.padding + field.size;
  }
  luaL_pushresult(&out);
  return 1;
}

struct Input {
  const char* data;
  size_t size;
  size_t position;  // may lie far beyond the end
  int values;       // pushed so far
};

void Require(lua_State* lua, const Input& input, size_t size) {
  luaL_argcheck(lua, size <= input.size && input.position <= input.size - size, 2, "data string too short");
}

void PushBytes(lua_State* lua, Input& input, Field& field) {
  if (field.size == 0) {
    if (input.values == 0 || lua_isnumber(lua, -1) == 0) {
      luaL_error(lua, "format 'c0' needs a previous size");
    }
    field.size = BitsOfInteger(lua_tonumber(lua, -1));
    lua_pop(lua, 1);
    --input.values;
    Require(lua, input, field.size);
  }
  lua_pushlstring(lua, input.data + input.position, field.size);
}

void PushUpToZero(lua_State* lua, const Input& input, Field& field) {
  const char* begin = input.data + input.position;
  const void* zero = std::memchr(begin, '\0', input.size - input.position);
  if (zero == nullptr) luaL_error(lua, "unfinished string in data");
  const auto length = static_cast<size_t>(static_cast<const char*>(zero) - begin);
  lua_pushlstring(lua, begin, length);
  field.size = length + 1;
}

// Pushes the value of the field, if it has one, and notes the true size of strings.
void Extract(Format& format, Input& input, Field& field) {
  lua_State* lua = format.lua;
  const char* data = input.data + input.position;
  switch (field.letter) {
    case 'x':
      return;
    case 'b':
    case 'B':
    case 'h':
    case 'H':
    case 'i':
    case 'I':
    case 'l':
    case 'L':
    case 'T':
      lua_pushnumber(lua, IntegerFrom(data, field, format.order));
      break;
    case 'f':
      lua_pushnumber(lua, RealFrom<float>(data, format.order));
      break;
    case 'd':
      lua_pushnumber(lua, RealFrom<double>(data, format.order));
      break;
    case 'c':
      PushBytes(lua, input, field);
      break;
    case 's':
      PushUpToZero(lua, input, field);
      break;
    default:
      ApplyControl(format, field.letter);
      return;
  }
  ++input.values;
}

int Unpack(lua_State* lua) {
  Format format{lua, luaL_checkstring(lua, 1)};
  Input input{};
  input.data = luaL_checklstring(lua, 2, &input.size);
  // A negative offset counts as a huge one.
  const auto offset = static_cast<size_t>(luaL_optinteger(lua, 3, 1));
  luaL_argcheck(lua, offset > 0, 3, "offset must be 1 or greater");
  input.position = offset - 1;
  while (*format.next != '\0') {
    Field field = ReadField(format, input.position);
    input.position += field.padding;
    Require(lua, input, field.size);
    luaL_checkstack(lua, 2, "too many results");
    Extract(format, input, field);
    input.position += field.size;
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(input.position + 1));
  return input.values + 1;
}

int Size(lua_State* lua) {
  Format format{lua, luaL_checkstring(lua, 1)};
  size_t total = 0;
  while (*format.next != '\0') {
    const Field field = ReadField(format, total);
    luaL_argcheck(lua, field.letter != 's', 1, "option 's' has no fixed size");
    luaL_argcheck(lua, field.letter != 'c' || field.size != 0, 1, "option 'c0' has no fixed size");
    total += field.padding + field.size;
    // Unknown letters and digits pass.
    if (std::isalnum(static_cast<unsigned char>(field.letter)) == 0) ApplyControl(format, field.letter);
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(total));
  return 1;
}

}  // namespace

int OpenStruct(lua_State* lua) {
  lua_createtable(lua, 0, 3);
  lua_pushcfunction(lua, Pack);
  lua_setfield(lua, -2, "pack");
  lua_pushcfunction(lua, Unpack);
  lua_setfield(lua, -2, "unpack");
  lua_pushcfunction(lua, Size);
  lua_setfield(lua, -2, "size");
  return 1;
}

}  // namespace cinnabar::scripting
