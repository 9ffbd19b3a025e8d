// Lua values of JSON texts (https://www.rfc-editor.org/rfc/rfc8259), and of some that are not quite JSON:
// what strtod takes for a number is one, unless the settings are strict, and strings may have any bytes but
// NUL.
//
// Input is hostile. Nesting is followed without recursion: the open tables lie on the Lua stack, objects with
// the key whose value is being read, and the lengths of arrays in an array of levels. Lua refuses more than
// 8000 slots, which limits nesting even where the settings do not.
//
// A message tells which kind of token is where another was expected; that token is looked at in full, so what
// is wrong within it goes first.
//
// Lua ends each string with a NUL, so what looks ahead stops there. A NUL within the text ends it, too.
//
// Lua errors are longjmps. So nothing with a destructor lives in these functions.
#include "scripting/json_reader.h"

#include <strings.h>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <lua5.1/lua.hpp>
#include <system_error>

#include "scripting/lua_cjson.h"

namespace cinnabar::scripting {
namespace {

constexpr int kObject = -1;

struct Reader {
  lua_State* lua;
  const CjsonSettings* settings;
  Pace pace;
  const char* begin;
  const char* next;
  const char* end;
  int depth;
  int levels[LUAI_MAXCSTACK];  // elements of arrays so far, or kObject
};

// ---- Errors

int Raise(Reader& in, const char* expected, const char* found, const char* where) {
  return luaL_error(in.lua, "Expected %s but found %s at character %d", expected, found,
                    static_cast<int>(where - in.begin) + 1);
}

// ---- Strings

// What ends a run of characters that stand for themselves: the quote, the backslash and NUL.
constexpr std::array<bool, 256> kStops = [] {
  std::array<bool, 256> stops{};
  stops[0] = stops['"'] = stops['\\'] = true;
  return stops;
}();

const char* NextStop(const char* at) {
  while (!kStops[static_cast<uint8_t>(*at)]) ++at;
  return at;
}

constexpr std::array<char, 256> kUnescaped = [] {
  std::array<char, 256> characters{};
  characters['"'] = '"';
  characters['\\'] = '\\';
  characters['/'] = '/';
  characters['b'] = '\b';
  characters['f'] = '\f';
  characters['n'] = '\n';
  characters['r'] = '\r';
  characters['t'] = '\t';
  return characters;
}();

// For each byte: what it is worth as a hex digit, or -1.
constexpr std::array<int8_t, 256> kHexDigits = [] {
  std::array<int8_t, 256> digits{};
  digits.fill(-1);
  for (int i = 0; i < 10; ++i) digits['0' + i] = static_cast<int8_t>(i);
  for (int i = 0; i < 6; ++i) digits['a' + i] = digits['A' + i] = static_cast<int8_t>(10 + i);
  return digits;
}();

// The 16 bits of \uxxxx at `at`, or -1.
int UnitAt(const char* at) {
  if (at[0] != '\\' || at[1] != 'u') return -1;
  int unit = 0;
  for (int i = 2; i < 6; ++i) {
    const int digit = kHexDigits[static_cast<uint8_t>(at[i])];
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

char* PutUtf8(char* to, int code) {
  if (code < 0x80) {
    *to++ = static_cast<char>(code);
    return to;
  }
  if (code < 0x800) {
    *to++ = static_cast<char>(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    *to++ = static_cast<char>(0xe0 | code >> 12);
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
  } else {
    *to++ = static_cast<char>(0xf0 | code >> 18);
    *to++ = static_cast<char>(0x80 | (code >> 12 & 0x3f));
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
  }
  *to++ = static_cast<char>(0x80 | (code & 0x3f));
  return to;
}

// Moves both past an escape with \u, or past two that are a pair of surrogates. False: it is none.
bool UnescapeUnicode(const char*& at, char*& to) {
  int code = UnitAt(at);
  if (code < 0 || (code & 0xfc00) == 0xdc00) return false;
  if ((code & 0xfc00) == 0xd800) {
    const int low = UnitAt(at + 6);
    if ((low & ~0x3ff) != 0xdc00) return false;
    code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
    at += 6;
  }
  at += 6;
  to = PutUtf8(to, code);
  return true;
}

// Moves `at` to the closing quote. What is wrong, with `at` there, or null. The result is no longer than what
// it is made of.
const char* Unescape(const char*& at, char*& to) {
  for (;;) {
    while (!kStops[static_cast<uint8_t>(*at)]) *to++ = *at++;
    if (*at == '"') return nullptr;
    if (*at == '\0') return "unexpected end of string";
    if (at[1] == 'u') {
      if (!UnescapeUnicode(at, to)) return "invalid unicode escape code";
      continue;
    }
    const char character = kUnescaped[static_cast<uint8_t>(at[1])];
    if (character == 0) return "invalid escape code";
    *to++ = character;
    at += 2;
  }
}

// An upper bound of how long the string is that goes on at a stop.
size_t BytesToQuote(const char* at) {
  const char* const begin = at;
  for (at = NextStop(at); *at == '\\' && at[1] != '\0'; at = NextStop(at + 2)) {
  }
  return static_cast<size_t>(at - begin);
}

// Pushes a string with escapes.
[[gnu::noinline]] void ReadEscapedString(Reader& in, const char* expected) {
  const char* at = in.next + 1;
  char few[1024];
  auto size_max = static_cast<size_t>(in.end - at);
  if (size_max > sizeof(few)) size_max = BytesToQuote(at);
  const bool is_long = size_max > sizeof(few);
  char* const text = is_long ? static_cast<char*>(lua_newuserdata(in.lua, size_max)) : few;
  char* to = text;
  const char* const problem = Unescape(at, to);
  if (problem != nullptr) Raise(in, expected, problem, at);
  lua_pushlstring(in.lua, text, static_cast<size_t>(to - text));
  if (is_long) lua_remove(in.lua, -2);
  in.next = at + 1;
}

// Pushes the string whose quote is next. `expected` is what stands in its place otherwise, for a message.
void ReadString(Reader& in, const char* expected) {
  const char* const begin = in.next + 1;
  const char* const stop = NextStop(begin);
  if (*stop == '\\') return ReadEscapedString(in, expected);
  if (*stop == '\0') Raise(in, expected, "unexpected end of string", stop);
  lua_pushlstring(in.lua, begin, static_cast<size_t>(stop - begin));
  in.next = stop + 1;
}

// ---- Numbers and words

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsHexMark(char c) {
  return c == 'x' || c == 'X';
}

// Whether strtod would take what is not JSON: a plus, hex digits, more digits behind a zero, inf and nan.
bool StartsInvalidNumber(const char* at) {
  if (*at == '+') return true;
  if (*at == '-') ++at;
  if (*at == '0') return IsHexMark(at[1]) || IsDigit(at[1]);
  return strncasecmp(at, "inf", 3) == 0 || strncasecmp(at, "nan", 3) == 0;
}

// Moves `at` past a whole number that a double holds, if there is one. False: it is another kind.
bool TakeSmallInteger(const char*& at, double& number) {
  constexpr int kDigitsMax = 15;
  const bool negative = *at == '-';
  const char* const first = at + (negative ? 1 : 0);
  const char* digit = first;
  int64_t value = 0;
  for (; IsDigit(*digit); ++digit) {
    if (digit - first == kDigitsMax) return false;
    value = value * 10 + (*digit - '0');
  }
  if (digit == first || *digit == '.' || *digit == 'e' || *digit == 'E' || IsHexMark(*digit)) return false;
  number = static_cast<double>(value);
  if (negative) number = -number;
  at = digit;
  return true;
}

// The same for any number that strtod knows.
bool TakeNumber(const char*& at, const char* end, double& number) {
  if (TakeSmallInteger(at, number)) return true;
  // The standard library is faster, and knows decimal numbers within the range of a double.
  const char* const digits = *at == '-' ? at + 1 : at;
  if (IsDigit(digits[0]) && !IsHexMark(digits[1])) {
    const auto [past, problem] = std::from_chars(at, end, number);
    if (problem == std::errc()) {
      at = past;
      return true;
    }
  }
  char* past = nullptr;
  number = std::strtod(at, &past);
  const bool taken = past != at;
  at = past;
  return taken;
}

void ReadNumber(Reader& in, const char* expected) {
  double number = 0;
  const char* past = in.next;
  const bool strict = in.settings->decode_invalid_numbers == CjsonSettings::InvalidNumbers::kRefuse;
  if ((strict && StartsInvalidNumber(past)) || !TakeNumber(past, in.end, number)) {
    Raise(in, expected, "invalid number", in.next);
  }
  lua_pushnumber(in.lua, number);
  in.next = past;
}

enum class Token : uint8_t {
  kObjectBegin,
  kObjectEnd,
  kArrayBegin,
  kArrayEnd,
  kString,
  kNumber,
  kBoolean,
  kNull,
  kColon,
  kComma,
  kEnd,
  kInvalid,
};

constexpr const char* kTokenNames[] = {"T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END",
                                       "T_STRING",    "T_NUMBER",  "T_BOOLEAN",   "T_NULL",
                                       "T_COLON",     "T_COMMA",   "T_END",       "invalid token"};

Token TokenAt(const Reader& in) {
  const char* const at = in.next;
  switch (*at) {
    case '{':
      return Token::kObjectBegin;
    case '}':
      return Token::kObjectEnd;
    case '[':
      return Token::kArrayBegin;
    case ']':
      return Token::kArrayEnd;
    case '"':
      return Token::kString;
    case ':':
      return Token::kColon;
    case ',':
      return Token::kComma;
    case '\0':
      return Token::kEnd;
    default:
      break;
  }
  if (*at == '-' || IsDigit(*at)) return Token::kNumber;
  if (std::strncmp(at, "true", 4) == 0 || std::strncmp(at, "false", 5) == 0) return Token::kBoolean;
  if (std::strncmp(at, "null", 4) == 0) return Token::kNull;
  const bool strict = in.settings->decode_invalid_numbers == CjsonSettings::InvalidNumbers::kRefuse;
  return !strict && StartsInvalidNumber(at) ? Token::kNumber : Token::kInvalid;
}

int RaiseUnexpected(Reader& in, const char* expected) {
  const char* const where = in.next;
  const Token token = TokenAt(in);
  if (token == Token::kString) ReadString(in, expected);
  if (token == Token::kNumber) ReadNumber(in, expected);
  return Raise(in, expected, kTokenNames[static_cast<size_t>(token)], where);
}

// ---- Structure

void SkipBlanks(Reader& in) {
  while (*in.next == ' ' || *in.next == '\n' || *in.next == '\t' || *in.next == '\r') ++in.next;
}

// Pushes a table for the bracket that is next. False: it is complete already.
bool OpenTable(Reader& in, int level, char closing) {
  ++in.next;
  ++in.depth;
  if (in.depth > in.settings->decode_depth_max || lua_checkstack(in.lua, LUA_MINSTACK) == 0) {
    luaL_error(in.lua, "Found too many nested data structures (%d) at character %d", in.depth,
               static_cast<int>(in.next - in.begin));
  }
  lua_newtable(in.lua);
  SkipBlanks(in);
  if (*in.next == closing) {
    ++in.next;
    --in.depth;
    return false;
  }
  in.levels[in.depth - 1] = level;
  return true;
}

void ReadKey(Reader& in) {
  SkipBlanks(in);
  if (*in.next != '"') RaiseUnexpected(in, "object key string");
  ReadString(in, "object key string");
  SkipBlanks(in);
  if (*in.next != ':') RaiseUnexpected(in, "colon");
  ++in.next;
}

// Pushes the value that is next, or an open table. False: there is such a table.
bool ReadValue(Reader& in) {
  SkipBlanks(in);
  switch (TokenAt(in)) {
    case Token::kString:
      ReadString(in, "value");
      return true;
    case Token::kNumber:
      ReadNumber(in, "value");
      return true;
    case Token::kBoolean: {
      const bool is_true = *in.next == 't';
      in.next += is_true ? 4 : 5;
      lua_pushboolean(in.lua, is_true ? 1 : 0);
      return true;
    }
    case Token::kNull:
      in.next += 4;
      lua_pushlightuserdata(in.lua, nullptr);
      return true;
    case Token::kArrayBegin:
      return !OpenTable(in, 0, ']');
    case Token::kObjectBegin:
      if (!OpenTable(in, kObject, '}')) return true;
      ReadKey(in);
      return false;
    default:
      RaiseUnexpected(in, "value");
      return true;
  }
}

// Puts the value on top into the innermost open table, and likewise each table that is thereby complete.
void Settle(Reader& in) {
  while (in.depth > 0) {
    int& level = in.levels[in.depth - 1];
    const bool in_object = level == kObject;
    if (in_object) {
      lua_rawset(in.lua, -3);
    } else {
      lua_rawseti(in.lua, -2, ++level);
    }
    SkipBlanks(in);
    if (*in.next == ',') {
      ++in.next;
      if (in_object) ReadKey(in);
      return;
    }
    if (*in.next != (in_object ? '}' : ']')) {
      RaiseUnexpected(in, in_object ? "comma or object end" : "comma or array end");
    }
    ++in.next;
    --in.depth;
  }
}

}  // namespace

int DecodeJson(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  size_t size = 0;
  const char* const text = luaL_checklstring(lua, 1, &size);
  if (size >= 2 && (text[0] == '\0' || text[1] == '\0')) {
    return luaL_error(lua, "JSON parser does not support UTF-16 or UTF-32");
  }
  Reader in;
  in.lua = lua;
  in.settings = static_cast<const CjsonSettings*>(lua_touserdata(lua, lua_upvalueindex(1)));
  in.pace = Pace{reinterpret_cast<StepHook>(lua_touserdata(lua, lua_upvalueindex(2)))};
  in.begin = in.next = text;
  in.end = text + size;
  in.depth = 0;
  do {
    const char* const before = in.next;
    if (ReadValue(in)) Settle(in);
    in.pace.Spend(lua, static_cast<size_t>(in.next - before));
  } while (in.depth > 0);
  SkipBlanks(in);
  if (*in.next != '\0') RaiseUnexpected(in, "the end");
  return 1;
}

}  // namespace cinnabar::scripting
