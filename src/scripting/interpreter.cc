#include "scripting/interpreter.h"

#include <fmt/format.h>
#include <lua5.1/lua.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/check.h"
#include "base/clock.h"
#include "dispatch/script_run.h"
#include "scripting/bytecode.h"
#include "scripting/conversion.h"
#include "scripting/redis_api.h"
#include "scripting/sandbox.h"

namespace cinnabar::scripting {
namespace {

using dispatch::ScriptRun;

// So many instructions run between two looks at the clock.
constexpr int kHookInstructions = 1000;
constexpr Nanos kLoadTimeMax = 500 * kNanosPerMilli;
// Room for a number as text.
constexpr size_t kNumberBytes = 32;
// Buffers that a large request has left behind are given back.
constexpr size_t kSpillKept = 64 * 1024;

void PushWords(lua_State* lua, std::span<const std::string_view> words) {
  lua_createtable(lua, static_cast<int>(words.size()), 0);
  for (size_t i = 0; i < words.size(); ++i) {
    lua_pushlstring(lua, words[i].data(), words[i].size());
    lua_rawseti(lua, -2, static_cast<int>(i + 1));
  }
}

int WriteDump(lua_State*, const void* bytes, size_t size, void* to) {
  static_cast<std::string*>(to)->append(static_cast<const char*>(bytes), size);
  return 0;
}

}  // namespace

// What the protected functions work on.
struct Interpreter::CallFrame {
  Interpreter& self;
  std::string_view text;
  const char* chunk = nullptr;
  int reference = LUA_NOREF;
  const char* error = nullptr;  // in the state, on the stack
  size_t error_size = 0;
  bool failed = false;
  protocol::ReplyWriter* reply = nullptr;
  bool* counted = nullptr;
};

Interpreter& Interpreter::Of(lua_State* lua) {
  void* self = nullptr;
  lua_getallocf(lua, &self);
  return *static_cast<Interpreter*>(self);
}

void* Interpreter::Allocate(void* self, void* block, size_t old_size, size_t new_size) {
  auto& interpreter = *static_cast<Interpreter*>(self);
  if (new_size == 0) {
    interpreter.memory_ -= old_size;
    std::free(block);
    return nullptr;
  }
  if (new_size > old_size && interpreter.memory_ + (new_size - old_size) > kMemoryMax) return nullptr;
  void* moved = std::realloc(block, new_size);
  if (moved != nullptr) interpreter.memory_ += new_size - old_size;
  return moved;
}

int Interpreter::OpenProtected(lua_State* lua) {
  FillSandbox(lua, Of(lua).kind_);
  lua_pushboolean(lua, 0);
  Of(lua).result_ = luaL_ref(lua, LUA_REGISTRYINDEX);
  // The list of free references has its place from now on.
  lua_pushboolean(lua, 0);
  luaL_unref(lua, LUA_REGISTRYINDEX, luaL_ref(lua, LUA_REGISTRYINDEX));
  return 0;
}

Interpreter::Interpreter(Kind kind, Logger& log, uint64_t seed)
    : kind_(kind), log_(log), session_(0, OutputBuffer(OutputBuffer::kFixedBytesMax)) {
  SeedDraws(static_cast<uint32_t>(seed));
  lua_ = lua_newstate(&Interpreter::Allocate, this);
  CHECK(lua_ != nullptr);
  const int opened = lua_cpcall(lua_, &Interpreter::OpenProtected, nullptr);
  CHECK(opened == 0);
  lua_gc(lua_, LUA_GCCOLLECT, 0);
}

Interpreter::~Interpreter() {
  lua_close(lua_);
}

// --- compiling

int Interpreter::CompileProtected(lua_State* lua) {
  auto& frame = *static_cast<CallFrame*>(lua_touserdata(lua, 1));
  if (LoadText(lua, frame.text.data(), frame.text.size(), frame.chunk) != 0) return lua_error(lua);
  frame.reference = luaL_ref(lua, LUA_REGISTRYINDEX);
  return 0;
}

Result<int> Interpreter::Compile(std::string_view text, const char* chunk) {
  CallFrame frame{.self = *this, .text = text, .chunk = chunk};
  if (lua_cpcall(lua_, &Interpreter::CompileProtected, &frame) == 0) return frame.reference;
  const char* message = lua_tostring(lua_, -1);
  Error error{message == nullptr ? "not enough memory" : message};
  lua_settop(lua_, 0);
  return std::unexpected(std::move(error));
}

void Interpreter::Release(int reference) {
  luaL_unref(lua_, LUA_REGISTRYINDEX, reference);
}

// --- libraries

int Interpreter::LoadProtected(lua_State* lua) {
  auto& frame = *static_cast<CallFrame*>(lua_touserdata(lua, 1));
  lua_pushcfunction(lua, LocateError);
  if (LoadText(lua, frame.text.data(), frame.text.size(), frame.chunk) != 0) {
    frame.failed = true;
    return lua_error(lua);
  }
  lua_newtable(lua);
  PushLoadingTable(lua);
  ShieldStrictly(lua);
  lua_setfield(lua, -2, "redis");
  ShieldStrictly(lua);
  LookUpGlobalsIn(lua);
  if (lua_pcall(lua, 0, 0, -2) != 0) {
    const ErrorFacts facts = ErrorOnTop(lua);
    lua_pushlstring(lua, facts.text.data(), facts.text.size());
    return lua_error(lua);
  }
  return 0;
}

int Interpreter::RestoreProtected(lua_State* lua) {
  LookUpGlobalsAsUsual(lua);
  return 0;
}

Result<std::vector<RegisteredFunction>> Interpreter::LoadLibrary(std::string_view text) {
  std::vector<RegisteredFunction> registered;
  CallFrame frame{.self = *this, .text = text, .chunk = "@user_function"};
  registered_ = &registered;
  load_deadline_ = SystemMonotonicNanos() + kLoadTimeMax;
  ending_ = false;
  lua_sethook(lua_, &Interpreter::Hook, LUA_MASKCOUNT, kHookInstructions);
  const int failed = lua_cpcall(lua_, &Interpreter::LoadProtected, &frame);
  lua_sethook(lua_, nullptr, 0, 0);
  const int restored = lua_cpcall(lua_, &Interpreter::RestoreProtected, nullptr);
  CHECK(restored == 0);
  registered_ = nullptr;
  load_deadline_ = 0;
  ending_ = false;
  if (failed == 0) return registered;
  for (const RegisteredFunction& each : registered) Release(each.reference);
  const char* message = lua_tostring(lua_, -1);
  Error error{fmt::format("{}{}",
                          frame.failed ? "Error compiling function: " : "Error registering functions: ",
                          message == nullptr ? "not enough memory" : message)};
  lua_settop(lua_, 0);
  return std::unexpected(std::move(error));
}

// A function keeps state when it, or a function that it uses, assigns to an outer variable, or has one that
// can be changed in itself.
bool Interpreter::KeepsState(int reference) {
  std::vector<const void*> seen;
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, reference);
  const bool keeps = ValueKeepsState(seen);
  lua_settop(lua_, 0);
  return keeps;
}

// Of the value on top, which it pops. None of the functions called here can raise an error.
bool Interpreter::ValueKeepsState(std::vector<const void*>& seen) {
  const void* const identity = lua_topointer(lua_, -1);
  bool keeps = false;
  switch (lua_type(lua_, -1)) {
    case LUA_TTABLE:
      keeps = !IsShield(lua_, lua_gettop(lua_));
      break;
    case LUA_TUSERDATA:
    case LUA_TTHREAD:
      keeps = true;
      break;
    case LUA_TFUNCTION: {
      for (const void* each : seen) {
        if (each == identity) {
          lua_pop(lua_, 1);
          return false;
        }
      }
      seen.push_back(identity);
      if (lua_iscfunction(lua_, -1) != 0) break;
      std::string dump;
      lua_dump(lua_, WriteDump, &dump);
      keeps = AssignsOuterVariables(dump) || lua_checkstack(lua_, 4) == 0;
      for (int i = 1; !keeps && lua_getupvalue(lua_, -1, i) != nullptr; ++i) keeps = ValueKeepsState(seen);
      break;
    }
    default:
      break;
  }
  lua_pop(lua_, 1);
  return keeps;
}

// --- calling

int Interpreter::CallProtected(lua_State* lua) {
  auto& frame = *static_cast<CallFrame*>(lua_touserdata(lua, 1));
  const Request& request = frame.self.request_;
  lua_settop(lua, 0);
  lua_pushcfunction(lua, LocateError);
  lua_rawgeti(lua, LUA_REGISTRYINDEX, request.reference);
  const bool function = frame.self.kind_ == Kind::kFunctions;
  PushWords(lua, request.keys);
  if (!function) SetGlobal(lua, "KEYS");
  PushWords(lua, request.arguments);
  if (!function) SetGlobal(lua, "ARGV");
  frame.failed = lua_pcall(lua, function ? 2 : 0, 1, 1) != 0;
  lua_rawseti(lua, LUA_REGISTRYINDEX, frame.self.result_);
  return 0;
}

Interpreter::Called Interpreter::Call(const Request& request) {
  request_ = request;
  ending_ = false;
  session_.reply.set_version(protocol::Resp::k2);
  CallFrame frame{.self = *this};
  lua_sethook(lua_, &Interpreter::Hook, LUA_MASKCOUNT, kHookInstructions);
  const int broken = lua_cpcall(lua_, &Interpreter::CallProtected, &frame);
  lua_sethook(lua_, nullptr, 0, 0);
  if (broken != 0) {
    // There was no memory even for the arguments, or for the result.
    lua_settop(lua_, 0);
    frame.failed = out_of_memory_ = true;
  }
  request_.run = nullptr;
  if (spill_.capacity() > kSpillKept) std::string().swap(spill_);
  if (ending_) return Called::kEnded;
  return frame.failed ? Called::kFailed : Called::kDone;
}

int Interpreter::AnswerProtected(lua_State* lua) {
  auto& frame = *static_cast<CallFrame*>(lua_touserdata(lua, 1));
  Interpreter& self = frame.self;
  lua_rawgeti(lua, LUA_REGISTRYINDEX, self.result_);
  if (!frame.failed) {
    const int script_resp = self.session_.reply.version() == protocol::Resp::k3 ? 3 : 2;
    WriteValue(lua, *frame.reply, script_resp, *frame.counted);
    return 0;
  }
  const ErrorFacts facts = ErrorOnTop(lua);
  *frame.counted |= facts.counted;
  self.WriteError(*frame.reply, facts.text, facts.source, facts.line);
  return 0;
}

void Interpreter::WriteError(protocol::ReplyWriter& reply, std::string_view text, std::string_view source,
                             int line) {
  if (line == 0 || source.empty()) return reply.Error(text);
  reply.Error(fmt::format("{} script: {}, on {}:{}.", text, request_.name, source, line));
}

void Interpreter::Answer(protocol::ReplyWriter& reply, bool& counted, Called how) {
  if (out_of_memory_) {
    reply.Error("ERR not enough memory");
    return Discard();
  }
  CallFrame frame{.self = *this, .failed = how != Called::kDone, .reply = &reply, .counted = &counted};
  // An error in the middle, for want of memory, cannot take back what is written.
  if (lua_cpcall(lua_, &Interpreter::AnswerProtected, &frame) != 0) reply.Error("ERR not enough memory");
  Discard();
}

void Interpreter::Discard() {
  out_of_memory_ = false;
  // The place is there already: nothing is allocated, and no error can be raised.
  lua_pushboolean(lua_, 0);
  lua_rawseti(lua_, LUA_REGISTRYINDEX, result_);
  lua_settop(lua_, 0);
  // Near the limit an allocation would fail before the collector has got round to what is left of this run.
  if (memory_ > kMemoryMax / 4) lua_gc(lua_, LUA_GCCOLLECT, 0);
  cjson_settings_ = {};
}

// --- while it runs

void Interpreter::SetResp(int version) {
  session_.reply.set_version(version == 3 ? protocol::Resp::k3 : protocol::Resp::k2);
}

// From here on every instruction and every pcall raises an error.
void Interpreter::End(lua_State* lua) {
  ending_ = true;
  lua_sethook(lua, &Interpreter::Hook, LUA_MASKCOUNT, 1);
}

void Interpreter::Tick(lua_State* lua) {
  if (!ending_) {
    const bool in_time = load_deadline_ == 0 || SystemMonotonicNanos() <= load_deadline_;
    if (in_time && (request_.run == nullptr || request_.run->Tick())) return;
  }
  End(lua);
  RaiseEnd(lua);
}

int Interpreter::RaiseEnd(lua_State* lua) {
  if (load_deadline_ != 0) return RaiseError(lua, "FUNCTION LOAD timeout");
  return RaiseError(lua, "Script killed by user with SCRIPT KILL...");
}

void Interpreter::Hook(lua_State* lua, lua_Debug* /*activation*/) {
  Of(lua).Tick(lua);
}

// The arguments of the command as texts. No error is raised here.
bool Interpreter::GatherArguments(lua_State* lua) {
  const int count = lua_gettop(lua);
  argv_.clear();
  if (numbers_.size() < static_cast<size_t>(count) * kNumberBytes)
    numbers_.resize(static_cast<size_t>(count) * kNumberBytes);
  for (int i = 1; i <= count; ++i) {
    if (lua_type(lua, i) == LUA_TNUMBER) {
      // As lua_Number to text in Redis: whole numbers without a point, others with 17 digits.
      char* const text = numbers_.data() + static_cast<size_t>(i - 1) * kNumberBytes;
      const double number = lua_tonumber(lua, i);
      const int size = std::snprintf(text, kNumberBytes, "%.17g", number);
      argv_.emplace_back(text, static_cast<size_t>(size));
    } else if (lua_type(lua, i) == LUA_TSTRING) {
      size_t size;
      const char* text = lua_tolstring(lua, i, &size);
      argv_.emplace_back(text, size);
    } else {
      return false;
    }
  }
  return true;
}

std::string_view Interpreter::ReplyText() {
  OutputBuffer& output = session_.output;
  iovec parts[2];
  if (output.Gather(parts, 2) == 1) return {static_cast<const char*>(parts[0].iov_base), parts[0].iov_len};
  spill_ = output.TakeText();
  return spill_;
}

const char* Interpreter::FindCommand(lua_State* lua, bool& known, bool& allowed) {
  if (lua_gettop(lua) == 0) return "Please specify at least one argument for this redis lib call";
  if (!GatherArguments(lua)) return "Lua redis lib command arguments must be strings or integers";
  known = request_.run != nullptr && request_.run->KnowsCommand(argv_);
  allowed = known && request_.run->MayRun(argv_);
  return nullptr;
}

int Interpreter::RunCommand(lua_State* lua) {
  if (request_.run == nullptr) {
    PushError(lua, "redis.call/pcall can only be called inside a script invocation");
    return 1;
  }
  if (lua_gettop(lua) == 0) {
    PushError(lua, "Please specify at least one argument for this redis lib call");
    return 1;
  }
  if (!GatherArguments(lua)) {
    PushError(lua, "Lua redis lib command arguments must be strings or integers");
    return 1;
  }
  if (request_.run->Run(argv_) == ScriptRun::Ran::kAbandoned) {
    End(lua);
    return RaiseEnd(lua);
  }
  lua_settop(lua, 0);  // unpack may have filled the whole stack
  PushReply(lua, ReplyText());
  return 1;
}

}  // namespace cinnabar::scripting
