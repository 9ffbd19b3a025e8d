#include "scripting/conversion.h"

#include <lua5.1/lua.hpp>

#include <charconv>
#include <cmath>
#include <cstring>
#include <string>

namespace cinnabar::scripting {
namespace {

// Lua's own limit of its stack is reached long before this.
constexpr int kDepthMax = 8000;

// A cursor over a reply. No destructor: a Lua function may jump out of the middle.
struct Cursor {
  const char* at;
  const char* end;

  // The rest of the line, without its end; what follows is next.
  std::string_view Line() {
    const auto* stop = static_cast<const char*>(std::memchr(at, '\r', static_cast<size_t>(end - at)));
    if (stop == nullptr || end - stop < 2) {
      const std::string_view rest(at, static_cast<size_t>(end - at));
      at = end;
      return rest;
    }
    const std::string_view line(at, static_cast<size_t>(stop - at));
    at = stop + 2;
    return line;
  }
  int64_t Number() {
    const std::string_view line = Line();
    int64_t number = 0;
    std::from_chars(line.data(), line.data() + line.size(), number);
    return number;
  }
  // So many bytes and the end of line behind them.
  std::string_view Bytes(int64_t count) {
    const auto left = static_cast<int64_t>(end - at);
    const int64_t taken = count < left ? count : left;
    const std::string_view bytes(at, static_cast<size_t>(taken));
    at += taken + 2 <= left ? taken + 2 : left;
    return bytes;
  }
};

void PushText(lua_State* lua, std::string_view text) {
  lua_pushlstring(lua, text.data(), text.size());
}

void PushIn(lua_State* lua, const char* field, std::string_view text) {
  lua_createtable(lua, 0, 1);
  PushText(lua, text);
  lua_setfield(lua, -2, field);
}

void PushValue(lua_State* lua, Cursor& cursor, int depth);

void PushArray(lua_State* lua, Cursor& cursor, int depth) {
  const int64_t count = cursor.Number();
  if (count < 0) return lua_pushboolean(lua, 0);
  // No more room is taken at once than elements could be there.
  const auto possible = static_cast<int64_t>(cursor.end - cursor.at) / 3 + 1;
  lua_createtable(lua, static_cast<int>(count < possible ? count : possible), 0);
  for (int64_t i = 1; i <= count && cursor.at < cursor.end; ++i) {
    PushValue(lua, cursor, depth + 1);
    lua_rawseti(lua, -2, static_cast<int>(i));
  }
}

void PushMap(lua_State* lua, Cursor& cursor, int depth) {
  const int64_t count = cursor.Number();
  lua_createtable(lua, 0, 1);
  lua_newtable(lua);
  for (int64_t i = 0; i < count && cursor.at < cursor.end; ++i) {
    PushValue(lua, cursor, depth + 1);
    PushValue(lua, cursor, depth + 1);
    if (lua_isnil(lua, -2)) {
      lua_pop(lua, 2);  // no key of a table
    } else {
      lua_rawset(lua, -3);
    }
  }
  lua_setfield(lua, -2, "map");
}

void PushSet(lua_State* lua, Cursor& cursor, int depth) {
  const int64_t count = cursor.Number();
  lua_createtable(lua, 0, 1);
  lua_newtable(lua);
  for (int64_t i = 0; i < count && cursor.at < cursor.end; ++i) {
    PushValue(lua, cursor, depth + 1);
    if (lua_isnil(lua, -1)) {
      lua_pop(lua, 1);
      continue;
    }
    lua_pushboolean(lua, 1);
    lua_rawset(lua, -3);
  }
  lua_setfield(lua, -2, "set");
}

void PushDouble(lua_State* lua, std::string_view text) {
  double value = 0;
  if (text == "inf" || text == "-inf") {
    value = text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
  } else if (text == "nan") {
    value = std::nan("");
  } else {
    std::from_chars(text.data(), text.data() + text.size(), value);
  }
  lua_createtable(lua, 0, 1);
  lua_pushnumber(lua, value);
  lua_setfield(lua, -2, "double");
}

void PushVerbatim(lua_State* lua, std::string_view bytes) {
  lua_createtable(lua, 0, 1);
  lua_createtable(lua, 0, 2);
  PushText(lua, bytes.size() > 4 ? bytes.substr(4) : std::string_view());
  lua_setfield(lua, -2, "string");
  PushText(lua, bytes.substr(0, bytes.size() < 3 ? bytes.size() : 3));
  lua_setfield(lua, -2, "format");
  lua_setfield(lua, -2, "verbatim_string");
}

void PushErrorReply(lua_State* lua, std::string_view text) {
  lua_createtable(lua, 0, 2);
  PushText(lua, text);
  lua_setfield(lua, -2, "err");
  lua_pushboolean(lua, 1);
  lua_setfield(lua, -2, "ignore_error_stats_update");
}

void PushAggregate(lua_State* lua, char type, Cursor& cursor, int depth) {
  switch (type) {
    case '%':
      return PushMap(lua, cursor, depth);
    case '~':
      return PushSet(lua, cursor, depth);
    case '|':
      PushMap(lua, cursor, depth);
      lua_pop(lua, 1);
      return PushValue(lua, cursor, depth);
    default:
      return PushArray(lua, cursor, depth);
  }
}

void PushValue(lua_State* lua, Cursor& cursor, int depth) {
  if (depth > kDepthMax) luaL_error(lua, "reply is nested too deeply");
  luaL_checkstack(lua, 6, "reply is nested too deeply");
  if (cursor.at >= cursor.end) return lua_pushnil(lua);
  const char type = *cursor.at++;
  switch (type) {
    case ':':
      return lua_pushnumber(lua, static_cast<lua_Number>(cursor.Number()));
    case '$': {
      const int64_t size = cursor.Number();
      return size < 0 ? lua_pushboolean(lua, 0) : PushText(lua, cursor.Bytes(size));
    }
    case '+':
      return PushIn(lua, "ok", cursor.Line());
    case '-':
      return PushErrorReply(lua, cursor.Line());
    case '_':
      cursor.Line();
      return lua_pushnil(lua);
    case '#':
      return lua_pushboolean(lua, cursor.Line() == "t" ? 1 : 0);
    case ',':
      return PushDouble(lua, cursor.Line());
    case '(':
      return PushIn(lua, "big_number", cursor.Line());
    case '=':
      return PushVerbatim(lua, cursor.Bytes(cursor.Number()));
    case '*':
    case '%':
    case '~':
    case '|':
      return PushAggregate(lua, type, cursor, depth);
    default:
      cursor.at = cursor.end;
      return lua_pushnil(lua);
  }
}

// The raw field of the table on top; pushes its value. Metatables of scripts have no say in replies.
int PushField(lua_State* lua, const char* name) {
  lua_pushstring(lua, name);
  lua_rawget(lua, -2);
  return lua_type(lua, -1);
}

std::string_view TextOnTop(lua_State* lua) {
  size_t size;
  const char* text = lua_tolstring(lua, -1, &size);
  return {text, size};
}

std::string_view UpToNul(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

// What has a line of the protocol to itself has no line breaks. No Lua function is called from here.
std::string OneLine(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  return line;
}
void WriteBigNumber(protocol::ReplyWriter& reply, std::string_view digits) {
  reply.BigNumber(OneLine(digits));
}
void WriteStatus(protocol::ReplyWriter& reply, std::string_view text) {
  reply.Simple(OneLine(UpToNul(text)));
}

// The format has three letters, whatever the script says.
void WriteVerbatim(protocol::ReplyWriter& reply, std::string_view format, std::string_view text) {
  std::string letters(format.substr(0, 3));
  letters.resize(3, ' ');
  reply.Verbatim(letters, text);
}

struct Writer {
  lua_State* lua;
  protocol::ReplyWriter& reply;
  int script_resp;
  bool& counted;

  void Value(int depth);
  void Table(int depth);
  bool Error();
  bool Verbatim();
  void Map(int depth);
  void Set(int depth);
  void Array(int depth);
};

bool Writer::Error() {
  if (PushField(lua, "err") != LUA_TSTRING) {
    lua_pop(lua, 1);
    return false;
  }
  lua_pop(lua, 1);
  const int top = lua_gettop(lua);
  const ErrorFacts facts = ErrorOnTop(lua);
  counted |= facts.counted;
  reply.Error(facts.text);
  lua_settop(lua, top);
  return true;
}

bool Writer::Verbatim() {
  if (PushField(lua, "verbatim_string") != LUA_TTABLE) {
    lua_pop(lua, 1);
    return false;
  }
  const int top = lua_gettop(lua);
  const bool has_format = PushField(lua, "format") == LUA_TSTRING;
  const std::string_view format = has_format ? TextOnTop(lua) : "";
  lua_pushvalue(lua, top);
  const bool has_text = PushField(lua, "string") == LUA_TSTRING;
  const std::string_view text = has_text ? TextOnTop(lua) : "";
  const bool good = has_format && has_text;
  if (good) WriteVerbatim(reply, format, text);
  lua_settop(lua, top - 1);
  return good;
}

void Writer::Map(int depth) {
  size_t pairs = 0;
  for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) ++pairs;
  reply.Map(pairs);
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    lua_pushvalue(lua, -2);  // a copy: a number must not become a string under lua_next
    Value(depth + 1);
    Value(depth + 1);
  }
  lua_pop(lua, 1);
}

void Writer::Set(int depth) {
  size_t members = 0;
  for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) ++members;
  reply.Set(members);
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    lua_pop(lua, 1);
    lua_pushvalue(lua, -1);
    Value(depth + 1);
  }
  lua_pop(lua, 1);
}

// Up to the first nil.
void Writer::Array(int depth) {
  int count = 0;
  while (true) {
    lua_rawgeti(lua, -1, count + 1);
    const bool end = lua_isnil(lua, -1);
    lua_pop(lua, 1);
    if (end) break;
    ++count;
  }
  reply.Array(static_cast<size_t>(count));
  for (int i = 1; i <= count; ++i) {
    lua_rawgeti(lua, -1, i);
    Value(depth + 1);
  }
}

void Writer::Table(int depth) {
  if (Error()) return;
  if (PushField(lua, "ok") == LUA_TSTRING) {
    WriteStatus(reply, TextOnTop(lua));
    return lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
  if (PushField(lua, "double") == LUA_TNUMBER) {
    reply.Double(lua_tonumber(lua, -1));
    return lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
  if (PushField(lua, "map") == LUA_TTABLE) return Map(depth);
  lua_pop(lua, 1);
  if (PushField(lua, "set") == LUA_TTABLE) return Set(depth);
  lua_pop(lua, 1);
  if (PushField(lua, "big_number") == LUA_TSTRING) {
    WriteBigNumber(reply, TextOnTop(lua));
    return lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
  if (Verbatim()) return;
  Array(depth);
}

void Writer::Value(int depth) {
  if (depth > kDepthMax || lua_checkstack(lua, 8) == 0) {
    reply.Error("ERR reached lua stack limit");
    return lua_pop(lua, 1);
  }
  switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
      reply.Bulk(TextOnTop(lua));
      break;
    case LUA_TNUMBER: {
      const lua_Number number = lua_tonumber(lua, -1);
      // What does not fit is what the conversion instruction makes of it: the least number.
      const bool fits = number >= -9223372036854775808.0 && number < 9223372036854775808.0;
      reply.Integer(fits ? static_cast<int64_t>(number) : INT64_MIN);
      break;
    }
    case LUA_TBOOLEAN: {
      const bool value = lua_toboolean(lua, -1) != 0;
      if (script_resp == 3) {
        reply.Boolean(value);
      } else if (value) {
        reply.Integer(1);
      } else {
        reply.Null();
      }
      break;
    }
    case LUA_TTABLE:
      Table(depth);
      break;
    default:
      reply.Null();
      break;
  }
  lua_pop(lua, 1);
}

}  // namespace

std::string_view PushReply(lua_State* lua, std::string_view reply) {
  Cursor cursor{reply.data(), reply.data() + reply.size()};
  PushValue(lua, cursor, 0);
  return {cursor.at, static_cast<size_t>(cursor.end - cursor.at)};
}

ErrorFacts ErrorOnTop(lua_State* lua) {
  ErrorFacts facts{.text = "ERR unknown error"};
  if (lua_type(lua, -1) == LUA_TSTRING) {
    lua_pushliteral(lua, "ERR ");
    lua_pushvalue(lua, -2);
    lua_concat(lua, 2);
    facts.text = UpToNul(TextOnTop(lua));
    return facts;
  }
  if (!lua_istable(lua, -1)) return facts;
  const int table = lua_gettop(lua);
  PushField(lua, "err");
  // A number counts as a text, and a text ends at its first NUL: so they do in Redis.
  if (lua_isstring(lua, -1) != 0) facts.text = UpToNul(TextOnTop(lua));
  lua_pushvalue(lua, table);
  if (PushField(lua, "source") == LUA_TSTRING) facts.source = TextOnTop(lua);
  lua_pushvalue(lua, table);
  if (PushField(lua, "line") == LUA_TNUMBER) facts.line = static_cast<int>(lua_tonumber(lua, -1));
  lua_pushvalue(lua, table);
  PushField(lua, "ignore_error_stats_update");
  facts.counted = lua_toboolean(lua, -1) != 0;
  return facts;
}

void WriteValue(lua_State* lua, protocol::ReplyWriter& reply, int script_resp, bool& counted) {
  Writer writer{lua, reply, script_resp, counted};
  writer.Value(0);
}

}  // namespace cinnabar::scripting
