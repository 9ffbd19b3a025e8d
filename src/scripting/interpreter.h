// Interpreter: one Lua 5.1 state in which scripts, or functions, run (https://www.lua.org/manual/5.1/).
//
// It compiles texts, calls what it has compiled for one request at a time, and turns the result into a reply.
// What a script may use is in sandbox.h; the `redis` table is in redis_api.h.
//
// Errors. Lua is a C library: an error in it is a longjmp. So no frame from which a Lua function is called
// that may raise an error has an object with a destructor; whatever such a function needs is a member here,
// or trivially destructible.
//
// An end by force. A script that must end at once (it was killed, or is to start over) must not catch that:
// pcall, xpcall and coroutine.resume raise the error again while `ending` says so.
//
// Memory comes from malloc and is counted. Beyond kMemoryMax an allocation fails, which is an error in the
// script.
//
// Used by one thread at a time.
// Size: what functions of Lua need while an error may jump out of them has to live here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "dispatch/scripts.h"
#include "dispatch/session.h"
#include "protocol/reply_writer.h"
#include "scripting/lua_cjson.h"

struct lua_State;
struct lua_Debug;

namespace cinnabar::dispatch {
class ScriptRun;
}

namespace cinnabar::scripting {

// What a library has registered.
struct RegisteredFunction {
  dispatch::Scripts::FunctionFacts facts;
  int reference = 0;
};

class Interpreter {
 public:
  enum class Kind : uint8_t { kScripts, kFunctions };
  static constexpr size_t kMemoryMax = size_t{512} << 20;

  Interpreter(Kind kind, Logger& log, uint64_t seed);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  Kind kind() const { return kind_; }
  // Bytes of the state.
  size_t memory() const { return memory_; }

  // A reference to the compiled text, for Call; or the compiler's message. `chunk` is what the text is called
  // in messages, with '@' before it.
  Result<int> Compile(std::string_view text, const char* chunk);
  void Release(int reference);
  // Runs the text of a library, and collects what it registers. The error is the message without a code.
  Result<std::vector<RegisteredFunction>> LoadLibrary(std::string_view text);
  // Whether runs of a registered function could leave something behind in the state that later ones see.
  bool KeepsState(int reference);

  struct Request {
    dispatch::ScriptRun* run = nullptr;
    int reference = 0;
    std::string_view name;  // in error messages: a digest, or a function's name
    std::span<const std::string_view> keys;
    std::span<const std::string_view> arguments;
  };
  // Calls it. The reply waits in the state for Answer.
  enum class Called : uint8_t { kDone, kFailed, kEnded };
  Called Call(const Request& request);
  // Writes the result of the last call and forgets it. `counted` becomes true when the answer is an error
  // that statistics have counted already.
  void Answer(protocol::ReplyWriter& reply, bool& counted, Called how);
  // Forgets the result.
  void Discard();

  // The session in whose name its commands run.
  dispatch::Session& session() { return session_; }

  // For the parts of the interpreter: the `redis` table, the sandbox, the hook.
  static Interpreter& Of(lua_State* lua);
  dispatch::ScriptRun* run() const { return request_.run; }
  bool ending() const { return ending_; }
  Logger& log() { return log_; }
  int RunCommand(lua_State* lua);
  // For redis.acl_check_cmd: whether the arguments on the stack name a command, and whether the caller may
  // run it. What is wrong with them, or null.
  const char* FindCommand(lua_State* lua, bool& known, bool& allowed);
  void SetResp(int version);
  // The generator of POSIX's lrand48 and srand48.
  uint32_t Draw() {
    drawn_ = (drawn_ * 0x5DEECE66D + 0xB) & ((uint64_t{1} << 48) - 1);
    return static_cast<uint32_t>(drawn_ >> 17);
  }
  void SeedDraws(uint32_t seed) { drawn_ = (uint64_t{seed} << 16) | 0x330E; }
  // While a library is loaded.
  std::vector<RegisteredFunction>* registered() { return registered_; }
  // Of cjson. What a script changes in them counts for itself only.
  CjsonSettings& cjson_settings() { return cjson_settings_; }
  // Raises the error that puts an end to a script.
  int RaiseEnd(lua_State* lua);
  // Asked now and then by whatever takes long. Raises an error when the script has to end.
  void Tick(lua_State* lua);

 private:
  struct CallFrame;
  static void* Allocate(void* self, void* block, size_t old_size, size_t new_size);
  static void Hook(lua_State* lua, lua_Debug* activation);
  static int CompileProtected(lua_State* lua);
  static int CallProtected(lua_State* lua);
  static int AnswerProtected(lua_State* lua);
  static int LoadProtected(lua_State* lua);
  static int OpenProtected(lua_State* lua);
  static int RestoreProtected(lua_State* lua);
  bool ValueKeepsState(std::vector<const void*>& seen);
  void WriteError(protocol::ReplyWriter& reply, std::string_view text, std::string_view source, int line);
  bool GatherArguments(lua_State* lua);
  void End(lua_State* lua);
  std::string_view ReplyText();

  const Kind kind_;
  Logger& log_;
  uint64_t drawn_ = 0;
  size_t memory_ = 0;
  lua_State* lua_ = nullptr;
  dispatch::Session session_;
  Request request_;
  int result_ = 0;  // where the result waits to be written: a reference
  bool ending_ = false;
  bool out_of_memory_ = false;
  CjsonSettings cjson_settings_;
  std::vector<RegisteredFunction>* registered_ = nullptr;
  int64_t load_deadline_ = 0;  // of a library; 0: none is loaded
  // Of the command that is called.
  std::vector<std::string_view> argv_;
  std::vector<char> numbers_;
  std::string spill_;
};

}  // namespace cinnabar::scripting
