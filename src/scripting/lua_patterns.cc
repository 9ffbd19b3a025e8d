// The pattern is interpreted as it stands, so that a mistake in it is an error only when the match gets
// there, as in Lua. An item of a pattern is an atom (one character of the subject: `a`, `.`, `%a`, `[set]`),
// which may carry one of * + - ?, or a capture's parenthesis, `%bxy`, `%f[set]`, `%1` or a `$` at the end.
//
// Nothing recurses. Where there is more than one way on, the matcher takes the first and notes the other as a
// choice; captures note how they are undone. When an item fails, the last note is consulted:
//
//   pattern  a*(b-)c      subject  aabbc
//   choices  [shrink: a* may end anywhere in "aa"] [opened: drop capture 1] [grow: b- may take one more]
//
// A `*` or `+` is one choice however long its run, so the choices are as many as the items that ask for them,
// not as the characters of the subject. kChoicesMax of them lie on the C stack, and that is all a match uses.
//
// Time is still exponential in the worst case. Every character looked at is a step, and the hook is called
// every kStepsBetweenHooks steps. Plain searches are linear and call no hook.
//
// A pattern ends at its first zero byte; classes are those of the C locale, so bytes from 128 on are in none.
//
// Lua errors are longjmps. So nothing with a destructor lives in these functions while a call into Lua can
// raise, and the hook is such a call; buffers are luaL_Buffer.
#include "scripting/lua_patterns.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <lua5.1/lua.hpp>

namespace cinnabar::scripting {
namespace {

// ---- Classes of characters

constexpr char kClassLetters[] = "acdlpsuwxz";

constexpr int ClassBit(char letter) {
  for (int i = 0; kClassLetters[i] != '\0'; ++i) {
    if (kClassLetters[i] == letter) return 1 << i;
  }
  return 0;
}

constexpr bool IsLower(int c) {
  return c >= 'a' && c <= 'z';
}
constexpr bool IsUpper(int c) {
  return c >= 'A' && c <= 'Z';
}
constexpr bool IsDigit(int c) {
  return c >= '0' && c <= '9';
}
constexpr char ToLower(char c) {
  return static_cast<char>(IsUpper(c) ? c - 'A' + 'a' : c);
}

constexpr uint16_t ClassesOf(int c) {
  const bool letter = IsLower(c) || IsUpper(c);
  const bool visible = c > ' ' && c < 127;
  int bits = 0;
  if (letter) bits |= ClassBit('a');
  if (c < ' ' || c == 127) bits |= ClassBit('c');
  if (IsDigit(c)) bits |= ClassBit('d');
  if (IsLower(c)) bits |= ClassBit('l');
  if (visible && !letter && !IsDigit(c)) bits |= ClassBit('p');
  if (c == ' ' || (c >= '\t' && c <= '\r')) bits |= ClassBit('s');
  if (IsUpper(c)) bits |= ClassBit('u');
  if (letter || IsDigit(c)) bits |= ClassBit('w');
  if (IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) bits |= ClassBit('x');
  if (c == 0) bits |= ClassBit('z');
  return static_cast<uint16_t>(bits);
}

constexpr auto kClassesOf = [] {
  std::array<uint16_t, 256> table{};
  for (int c = 0; c < 256; ++c) table[c] = ClassesOf(c);
  return table;
}();

constexpr auto kBitOfLetter = [] {
  std::array<uint16_t, 256> table{};
  for (int c = 0; c < 256; ++c) table[c] = static_cast<uint16_t>(ClassBit(ToLower(static_cast<char>(c))));
  table[0] = 0;
  return table;
}();

using Byte = unsigned char;

// `letter` after a %: a class, its complement in upper case, or a character that stands for itself.
bool InClass(Byte c, Byte letter) {
  const uint16_t bit = kBitOfLetter[letter];
  if (bit == 0) return c == letter;
  return ((kClassesOf[c] & bit) != 0) != IsUpper(letter);
}

// The set is [open, close], brackets included.
bool InSet(Byte c, const char* open, const char* close) {
  const bool negated = open[1] == '^';
  const char* p = negated ? open + 2 : open + 1;
  while (p < close) {
    if (*p == '%') {
      if (InClass(c, static_cast<Byte>(p[1]))) return !negated;
      p += 2;
    } else if (p[1] == '-' && p + 2 < close) {
      if (static_cast<Byte>(p[0]) <= c && c <= static_cast<Byte>(p[2])) return !negated;
      p += 3;
    } else {
      if (static_cast<Byte>(*p) == c) return !negated;
      ++p;
    }
  }
  return negated;
}

// ---- The matcher

// Lengths of captures that have none.
constexpr ptrdiff_t kStillOpen = -1;
constexpr ptrdiff_t kPosition = -2;

struct Capture {
  const char* begin;
  ptrdiff_t length;
};

struct Choice {
  enum Kind : uint8_t {
    kOpened,  // undo: the last capture was begun
    kClosed,  // undo: capture `index` was ended
    kSkip,    // go on at `subject` instead
    kShrink,  // end a run one character earlier, not before `limit`
    kGrow,    // take one more character that fits the atom at `limit`
  };
  Kind kind;
  uint8_t index;
  const char* subject;
  const char* resume;  // in the pattern
  const char* limit;
};

// How far the match has come. A null subject means that it failed.
struct Spot {
  const char* subject;
  const char* pattern;
};

constexpr Spot kFailed = {nullptr, nullptr};

struct Matcher {
  lua_State* lua;
  StepHook hook;
  const char* begin;  // of the subject
  const char* end;
  int steps_left;
  int capture_count;
  int choice_count;
  Capture captures[LUA_MAXCAPTURES];
  Choice choices[kChoicesMax];
};

void Prepare(Matcher& m, lua_State* lua, StepHook hook, const char* subject, size_t length) {
  m.lua = lua;
  m.hook = hook;
  m.begin = subject;
  m.end = subject + length;
  m.steps_left = kStepsBetweenHooks;
  m.capture_count = 0;
  m.choice_count = 0;
}

void Tick(Matcher& m, ptrdiff_t steps) {
  if (steps < m.steps_left) {
    m.steps_left -= static_cast<int>(steps);
    return;
  }
  m.steps_left = kStepsBetweenHooks;
  if (m.hook != nullptr) m.hook(m.lua);
}

void Note(Matcher& m, const Choice& choice) {
  if (m.choice_count == kChoicesMax) luaL_error(m.lua, "pattern too complex");
  m.choices[m.choice_count++] = choice;
}

const char* EndOfSet(Matcher& m, const char* open) {
  const char* p = open + 1;
  if (*p == '^') ++p;
  // The first character belongs to the set even if it is a bracket.
  do {
    if (*p == '\0') luaL_error(m.lua, "malformed pattern (missing ']')");
    p += *p == '%' && p[1] != '\0' ? 2 : 1;
  } while (*p != ']');
  Tick(m, p - open);
  return p + 1;
}

const char* EndOfAtom(Matcher& m, const char* atom) {
  if (*atom == '[') return EndOfSet(m, atom);
  if (*atom != '%') return atom + 1;
  if (atom[1] == '\0') luaL_error(m.lua, "malformed pattern (ends with '%%')");
  return atom + 2;
}

bool Fits(Matcher& m, const char* subject, const char* atom, const char* end_of_atom) {
  if (subject >= m.end) return false;
  Tick(m, end_of_atom - atom);
  const auto c = static_cast<Byte>(*subject);
  switch (*atom) {
    case '.':
      return true;
    case '%':
      return InClass(c, static_cast<Byte>(atom[1]));
    case '[':
      return InSet(c, atom, end_of_atom - 1);
    default:
      return static_cast<Byte>(*atom) == c;
  }
}

Spot OpenCapture(Matcher& m, Spot after, ptrdiff_t length) {
  if (m.capture_count == LUA_MAXCAPTURES) luaL_error(m.lua, "too many captures");
  Note(m, {.kind = Choice::kOpened});
  m.captures[m.capture_count++] = {after.subject, length};
  return after;
}

Spot CloseCapture(Matcher& m, Spot after) {
  int index = m.capture_count - 1;
  while (index >= 0 && m.captures[index].length != kStillOpen) --index;
  if (index < 0) luaL_error(m.lua, "invalid pattern capture");
  Note(m, {.kind = Choice::kClosed, .index = static_cast<uint8_t>(index)});
  m.captures[index].length = after.subject - m.captures[index].begin;
  return after;
}

// %bxy
Spot StepBalanced(Matcher& m, Spot at) {
  const char opening = at.pattern[2];
  if (opening == '\0' || at.pattern[3] == '\0') luaL_error(m.lua, "unbalanced pattern");
  const char closing = at.pattern[3];
  if (at.subject >= m.end || *at.subject != opening) return kFailed;
  size_t depth = 1;
  for (const char* s = at.subject + 1; s < m.end; ++s) {
    Tick(m, 1);
    if (*s == closing) {
      if (--depth == 0) return {s + 1, at.pattern + 4};
    } else if (*s == opening) {
      ++depth;
    }
  }
  return kFailed;
}

// %f[set]. Beyond either end of the subject there is a zero byte.
Spot StepFrontier(Matcher& m, Spot at) {
  const char* const set = at.pattern + 2;
  if (*set != '[') luaL_error(m.lua, "missing '[' after '%%f' in pattern");
  const char* const after = EndOfSet(m, set);
  const auto before = static_cast<Byte>(at.subject == m.begin ? '\0' : at.subject[-1]);
  const auto here = static_cast<Byte>(at.subject == m.end ? '\0' : *at.subject);
  if (InSet(before, set, after - 1) || !InSet(here, set, after - 1)) return kFailed;
  return {at.subject, after};
}

// %1
Spot StepRepeated(Matcher& m, Spot at) {
  const int index = at.pattern[1] - '1';
  if (index < 0 || index >= m.capture_count || m.captures[index].length == kStillOpen) {
    luaL_error(m.lua, "invalid capture index");
  }
  const Capture& capture = m.captures[index];
  if (capture.length == kPosition || m.end - at.subject < capture.length) return kFailed;
  Tick(m, capture.length);
  if (std::memcmp(capture.begin, at.subject, static_cast<size_t>(capture.length)) != 0) return kFailed;
  return {at.subject + capture.length, at.pattern + 2};
}

// As many as there are; `least` is where the run ends at the earliest.
Spot StepGreedy(Matcher& m, Spot at, const char* end_of_atom, const char* least) {
  const char* s = least;
  while (Fits(m, s, at.pattern, end_of_atom)) ++s;
  const char* const resume = end_of_atom + 1;
  if (s > least) Note(m, {Choice::kShrink, 0, s, resume, least});
  return {s, resume};
}

Spot StepAtom(Matcher& m, Spot at) {
  const char* const after = EndOfAtom(m, at.pattern);
  switch (*after) {
    case '?':
      if (!Fits(m, at.subject, at.pattern, after)) return {at.subject, after + 1};
      Note(m, {Choice::kSkip, 0, at.subject, after + 1, nullptr});
      return {at.subject + 1, after + 1};
    case '*':
      return StepGreedy(m, at, after, at.subject);
    case '+':
      if (!Fits(m, at.subject, at.pattern, after)) return kFailed;
      return StepGreedy(m, at, after, at.subject + 1);
    case '-':
      Note(m, {Choice::kGrow, 0, at.subject, after + 1, at.pattern});
      return {at.subject, after + 1};
    default:
      if (!Fits(m, at.subject, at.pattern, after)) return kFailed;
      return {at.subject + 1, after};
  }
}

// One item of the pattern.
Spot Step(Matcher& m, Spot at) {
  const char* const p = at.pattern;
  switch (*p) {
    case '(':
      if (p[1] == ')') return OpenCapture(m, {at.subject, p + 2}, kPosition);
      return OpenCapture(m, {at.subject, p + 1}, kStillOpen);
    case ')':
      return CloseCapture(m, {at.subject, p + 1});
    case '$':
      if (p[1] != '\0') break;
      return at.subject == m.end ? Spot{at.subject, p + 1} : kFailed;
    case '%':
      if (p[1] == 'b') return StepBalanced(m, at);
      if (p[1] == 'f') return StepFrontier(m, at);
      if (IsDigit(p[1])) return StepRepeated(m, at);
      break;
    default:
      break;
  }
  return StepAtom(m, at);
}

// To the last choice that has another way left.
Spot Retreat(Matcher& m) {
  while (m.choice_count > 0) {
    Choice& choice = m.choices[m.choice_count - 1];
    switch (choice.kind) {
      case Choice::kOpened:
        --m.capture_count;
        break;
      case Choice::kClosed:
        m.captures[choice.index].length = kStillOpen;
        break;
      case Choice::kSkip:
        --m.choice_count;
        return {choice.subject, choice.resume};
      case Choice::kShrink:
        --choice.subject;
        if (choice.subject == choice.limit) --m.choice_count;
        return {choice.subject, choice.resume};
      case Choice::kGrow:
        if (!Fits(m, choice.subject, choice.limit, choice.resume - 1)) break;
        ++choice.subject;
        return {choice.subject, choice.resume};
    }
    --m.choice_count;
  }
  return kFailed;
}

// Returns the end of the match that begins at `subject`, or null. The captures are then in the matcher.
const char* Match(Matcher& m, const char* subject, const char* pattern) {
  m.capture_count = 0;
  m.choice_count = 0;
  Spot at = {subject, pattern};
  while (true) {
    Tick(m, 1);
    if (*at.pattern == '\0') return at.subject;
    at = Step(m, at);
    if (at.subject == nullptr) at = Retreat(m);
    if (at.subject == nullptr) return nullptr;
  }
}

// ---- What Lua sees

// Capture 0 of a pattern without captures is the whole match [begin, end).
void PushCapture(const Matcher& m, int index, const char* begin, const char* end) {
  if (index >= m.capture_count) {
    if (index != 0) luaL_error(m.lua, "invalid capture index");
    lua_pushlstring(m.lua, begin, static_cast<size_t>(end - begin));
    return;
  }
  const Capture& capture = m.captures[index];
  if (capture.length == kStillOpen) luaL_error(m.lua, "unfinished capture");
  if (capture.length == kPosition) {
    lua_pushinteger(m.lua, capture.begin - m.begin + 1);
  } else {
    lua_pushlstring(m.lua, capture.begin, static_cast<size_t>(capture.length));
  }
}

int PushCaptures(const Matcher& m, int count, const char* begin, const char* end) {
  luaL_checkstack(m.lua, count, "too many captures");
  for (int i = 0; i < count; ++i) PushCapture(m, i, begin, end);
  return count;
}

int PushCapturesOrWhole(const Matcher& m, const char* begin, const char* end) {
  return PushCaptures(m, std::max(m.capture_count, 1), begin, end);
}

StepHook HookOf(lua_State* lua, int upvalue) {
  return reinterpret_cast<StepHook>(lua_touserdata(lua, lua_upvalueindex(upvalue)));
}

// The third argument as an offset within the subject.
size_t OffsetOfSearch(lua_State* lua, size_t length) {
  lua_Integer init = luaL_optinteger(lua, 3, 1);
  const auto limit = static_cast<lua_Integer>(length);
  if (init < 0) init = init < -limit ? 0 : init + limit + 1;
  return static_cast<size_t>(std::clamp<lua_Integer>(init - (init > 0 ? 1 : 0), 0, limit));
}

int FindPlain(lua_State* lua, const char* subject, size_t length, size_t offset) {
  size_t needle_length = 0;
  const char* needle = lua_tolstring(lua, 2, &needle_length);
  const void* found = memmem(subject + offset, length - offset, needle, needle_length);
  if (found == nullptr) {
    lua_pushnil(lua);
    return 1;
  }
  const ptrdiff_t at = static_cast<const char*>(found) - subject;
  lua_pushinteger(lua, at + 1);
  lua_pushinteger(lua, at + static_cast<ptrdiff_t>(needle_length));
  return 2;
}

enum class Wanted { kPlace, kText };

int Search(lua_State* lua, Wanted wanted) {
  size_t length = 0;
  const char* subject = luaL_checklstring(lua, 1, &length);
  const char* pattern = luaL_checkstring(lua, 2);
  const size_t offset = OffsetOfSearch(lua, length);
  if (wanted == Wanted::kPlace &&
      (lua_toboolean(lua, 4) != 0 || std::strpbrk(pattern, "^$*+?.([%-") == nullptr)) {
    return FindPlain(lua, subject, length, offset);
  }
  const bool anchored = *pattern == '^';
  if (anchored) ++pattern;
  Matcher m;
  Prepare(m, lua, HookOf(lua, 1), subject, length);
  for (const char* s = subject + offset; s <= m.end; ++s) {
    const char* const end = Match(m, s, pattern);
    if (end != nullptr) {
      if (wanted == Wanted::kText) return PushCapturesOrWhole(m, s, end);
      lua_pushinteger(lua, s - subject + 1);
      lua_pushinteger(lua, end - subject);
      return 2 + PushCaptures(m, m.capture_count, s, end);
    }
    if (anchored) break;
  }
  lua_pushnil(lua);
  return 1;
}

int Find(lua_State* lua) {
  return Search(lua, Wanted::kPlace);
}

int MatchOnce(lua_State* lua) {
  return Search(lua, Wanted::kText);
}

// Upvalues: hook, subject, pattern, offset of the next search.
int NextMatch(lua_State* lua) {
  size_t length = 0;
  const char* subject = lua_tolstring(lua, lua_upvalueindex(2), &length);
  const char* pattern = lua_tostring(lua, lua_upvalueindex(3));
  const auto offset = static_cast<size_t>(lua_tointeger(lua, lua_upvalueindex(4)));
  Matcher m;
  Prepare(m, lua, HookOf(lua, 1), subject, length);
  for (size_t at = offset; at <= length; ++at) {
    const char* const s = subject + at;
    const char* const end = Match(m, s, pattern);
    if (end == nullptr) continue;
    // Behind an empty match the search goes on one character later.
    lua_pushinteger(lua, end - subject + (end == s ? 1 : 0));
    lua_replace(lua, lua_upvalueindex(4));
    return PushCapturesOrWhole(m, s, end);
  }
  return 0;
}

int MatchAll(lua_State* lua) {
  luaL_checkstring(lua, 1);
  luaL_checkstring(lua, 2);
  lua_settop(lua, 2);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_pushinteger(lua, 0);
  lua_pushcclosure(lua, NextMatch, 4);
  return 1;
}

// The replacement with its %0 to %9 filled in.
void AddTemplate(const Matcher& m, luaL_Buffer* out, const char* begin, const char* end) {
  size_t length = 0;
  const char* text = lua_tolstring(m.lua, 3, &length);
  for (size_t i = 0; i < length; ++i) {
    if (text[i] != '%') {
      luaL_addchar(out, text[i]);
      continue;
    }
    ++i;  // at most to the zero byte behind the text
    if (!IsDigit(text[i])) {
      luaL_addchar(out, text[i]);
    } else if (text[i] == '0') {
      luaL_addlstring(out, begin, static_cast<size_t>(end - begin));
    } else {
      PushCapture(m, text[i] - '1', begin, end);
      luaL_addvalue(out);
    }
  }
}

// What replaces the match [begin, end), by the third argument.
void AddReplacement(const Matcher& m, luaL_Buffer* out, const char* begin, const char* end) {
  switch (lua_type(m.lua, 3)) {
    case LUA_TFUNCTION:
      lua_pushvalue(m.lua, 3);
      lua_call(m.lua, PushCapturesOrWhole(m, begin, end), 1);
      break;
    case LUA_TTABLE:
      PushCapture(m, 0, begin, end);
      lua_gettable(m.lua, 3);
      break;
    default:
      AddTemplate(m, out, begin, end);
      return;
  }
  if (lua_toboolean(m.lua, -1) == 0) {
    lua_pop(m.lua, 1);
    lua_pushlstring(m.lua, begin, static_cast<size_t>(end - begin));
  } else if (lua_isstring(m.lua, -1) == 0) {
    luaL_error(m.lua, "invalid replacement value (a %s)", luaL_typename(m.lua, -1));
  }
  luaL_addvalue(out);
}

int Substitute(lua_State* lua) {
  size_t length = 0;
  const char* subject = luaL_checklstring(lua, 1, &length);
  const char* pattern = luaL_checkstring(lua, 2);
  const int type = lua_type(lua, 3);
  // As int, so that counts beyond wrap around as they do in Lua.
  const int count_max = luaL_optint(lua, 4, static_cast<lua_Integer>(length) + 1);
  luaL_argcheck(lua,
                type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                "string/function/table expected");
  const bool anchored = *pattern == '^';
  if (anchored) ++pattern;
  Matcher m;
  Prepare(m, lua, HookOf(lua, 1), subject, length);
  luaL_Buffer out;
  luaL_buffinit(lua, &out);
  int count = 0;
  const char* s = subject;
  while (count < count_max) {
    const char* const end = Match(m, s, pattern);
    if (end != nullptr) {
      ++count;
      AddReplacement(m, &out, s, end);
    }
    if (end != nullptr && end > s) {
      s = end;
    } else if (s < m.end) {
      luaL_addchar(&out, *s++);
    } else {
      break;
    }
    if (anchored) break;
  }
  luaL_addlstring(&out, s, static_cast<size_t>(m.end - s));
  luaL_pushresult(&out);
  lua_pushinteger(lua, count);
  return 2;
}

void Install(lua_State* lua, const char* name, lua_CFunction function, StepHook hook) {
  lua_pushlightuserdata(lua, reinterpret_cast<void*>(hook));
  lua_pushcclosure(lua, function, 1);
  lua_setfield(lua, -2, name);
}

}  // namespace

void ReplacePatterns(lua_State* lua, StepHook hook) {
  lua_getglobal(lua, "string");
  Install(lua, "find", Find, hook);
  Install(lua, "match", MatchOnce, hook);
  Install(lua, "gsub", Substitute, hook);
  Install(lua, "gmatch", MatchAll, hook);
  lua_getfield(lua, -1, "gfind");
  const bool has_gfind = !lua_isnil(lua, -1);
  lua_pop(lua, 1);
  if (has_gfind) Install(lua, "gfind", MatchAll, hook);
  lua_pop(lua, 1);
}

}  // namespace cinnabar::scripting
