// CoreScripts: the interpreters of one core, and what they have compiled.
//
// A script that takes long lets other clients of its core run theirs, in a state of its own: there is one
// level for each depth, made when it is first needed. Used on the core's thread, or with the world stopped.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "scripting/interpreter.h"
#include "scripting/libraries.h"
#include "scripting/texts.h"

namespace cinnabar::scripting {

// A state for scripts and one for functions, each made when it is first needed.
class Level {
 public:
  Level(Logger& log, uint64_t seed) : log_(log), seed_(seed) {}

  Interpreter& scripts();
  Interpreter& functions();
  // A reference for Interpreter::Call. The error is the compiler's message.
  Result<int> Compiled(const std::shared_ptr<Text>& text);
  Result<int> Compiled(const Libraries& libraries, const Libraries::Found& function);
  // Loads a library that is new, and finds out what it registers. The error is a text without a code.
  Result<std::shared_ptr<Library>> Load(std::string_view code);

  size_t script_memory() const { return scripts_ == nullptr ? 0 : scripts_->memory(); }
  size_t function_memory() const { return functions_ == nullptr ? 0 : functions_->memory(); }
  // The states, which may be freed anywhere; the level is as new then.
  std::unique_ptr<Interpreter> TakeScripts();
  std::unique_ptr<Interpreter> TakeFunctions();

 private:
  struct CompiledText {
    std::shared_ptr<Text> text;
    int reference;
  };
  void DropForgotten();

  Logger& log_;
  const uint64_t seed_;
  std::unique_ptr<Interpreter> scripts_, functions_;
  std::unordered_map<const Text*, CompiledText> compiled_;
  size_t look_for_forgotten_at_ = 600;
  std::unordered_map<std::shared_ptr<const Library>, std::vector<int>> loaded_;
};

class CoreScripts {
 public:
  CoreScripts(Logger& log, Texts& texts, uint64_t seed) : log_(log), texts_(texts), seed_(seed) {}

  // The text with the digest, or null. The core remembers what it has found.
  const std::shared_ptr<Text>* FindDigest(std::string_view digest);
  // The text, if it is known.
  const std::shared_ptr<Text>* FindText(std::string_view text);
  void Remember(const std::shared_ptr<Text>& text);

  // The level for the next run, while the object lives.
  class InUse {
   public:
    explicit InUse(CoreScripts& scripts) : scripts_(scripts), level_(scripts.LevelAt(scripts.depth_++)) {}
    ~InUse() { --scripts_.depth_; }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;
    Level& level() { return level_; }

   private:
    CoreScripts& scripts_;
    Level& level_;
  };
  std::vector<std::unique_ptr<Level>>& levels() { return levels_; }
  const std::vector<std::unique_ptr<Level>>& levels() const { return levels_; }
  void ForgetTexts();

  // Read with the world stopped.
  struct Counts {
    uint64_t under_keys = 0, alone_new = 0, alone_strayed = 0, alone_other = 0;
    uint64_t strays = 0, restarts = 0, undone = 0;
  };
  Counts counts;

 private:
  Level& LevelAt(size_t depth);
  void DropForgotten();

  Logger& log_;
  Texts& texts_;
  const uint64_t seed_;
  size_t depth_ = 0;
  std::vector<std::unique_ptr<Level>> levels_;
  // By digest and by text; both keys are in the text itself.
  std::unordered_map<std::string_view, std::shared_ptr<Text>, HashOfName, std::equal_to<>> digests_, bodies_;
  std::shared_ptr<Text> last_;  // most requests come in rows
};

}  // namespace cinnabar::scripting
