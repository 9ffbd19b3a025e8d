// Scripts: the port through which dispatch and the commands reach the interpreter of scripts and functions
// (DESIGN §13), and what all cores know of those that run for long.
//
// Any core may call everything here.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace cinnabar::dispatch {

class Call;
struct Command;

// What a script says of itself in its first line, or a function when it is registered. Bits.
namespace ScriptFlag {
enum : uint32_t {
  kNoWrites = 1,
  kAllowOom = 2,
  kAllowStale = 4,
  kNoCluster = 8,
  kAllowCrossSlotKeys = 16,
  kSaysNothing = 32,  // a script without such a line: what may stop it is asked for each of its commands
};
}  // namespace ScriptFlag

// A script or function that has run for long. Its core makes it; others ask it to end.
struct RunningScript {
  std::string name;  // of a function; empty: a script
  std::vector<std::string> argv;
  bool from_primary = false;
  Ticks began = 0;                // on the clock of all cores
  std::atomic<bool> busy{false};  // beyond busy-reply-threshold
  std::atomic<bool> wrote{false};
  std::atomic<bool> killed{false};

  bool function() const { return !name.empty(); }
};

class RunningScripts {
 public:
  void Add(std::shared_ptr<RunningScript> script);
  void Remove(const RunningScript& script);
  void MakeBusy(RunningScript& script);
  // Before its first write: false when it has been killed, and must not write. From now on it cannot be.
  bool BeginWriting(RunningScript& script);
  // How many run beyond the threshold. Costs one load.
  uint32_t busy() const { return busy_.load(std::memory_order_acquire); }
  // How many run for long.
  uint32_t long_ones() const { return long_ones_.load(std::memory_order_relaxed); }
  std::vector<std::shared_ptr<RunningScript>> All() const;

  // SCRIPT KILL and FUNCTION KILL: ends those that have run beyond the threshold and may be ended. The error
  // text, or nothing.
  enum class What : uint8_t { kScripts, kFunctions };
  std::string Kill(What what);
  // Ends all of them, whatever they have done: the server is about to end.
  void KillAll();
  // What others are told while such a script runs.
  std::string_view BusyError() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<RunningScript>> scripts_;
  std::atomic<uint32_t> busy_{0}, long_ones_{0};
};

class Scripts {
 public:
  virtual ~Scripts() = default;

  // Where the script of a request may run. `core` is the caller's.
  enum class Place : uint8_t { kAlone, kUnderKeys };
  virtual Place PlaceOf(const Command& command, std::span<const std::string_view> argv, int core) = 0;
  // The flags of the command with this script: what that may do (Flag bits).
  virtual uint64_t FlagsOf(const Command& command, std::span<const std::string_view> argv, int core) = 0;

  // The commands. They write the reply.
  enum class By : uint8_t { kText, kDigest, kFunction };
  enum class Writes : uint8_t { kMay, kMayNot };
  virtual void Run(Call& call, By by, Writes writes) = 0;
  // SCRIPT LOAD: the digest, or the error.
  virtual Result<std::string> Load(Call& call, std::string_view text) = 0;
  virtual bool Knows(std::string_view digest) = 0;
  enum class Freeing : uint8_t { kAtOnce, kInBackground };
  // With the world stopped.
  virtual void FlushScripts(Freeing freeing) = 0;
  virtual void FlushFunctions(Freeing freeing) = 0;

  // FUNCTION LOAD: the library's name, or the error. With the world stopped, as the others below.
  enum class IfThere : uint8_t { kFail, kReplace };
  virtual Result<std::string> LoadLibrary(int core, std::string_view code, IfThere if_there) = 0;
  virtual bool DeleteLibrary(std::string_view name) = 0;
  struct FunctionFacts {
    std::string name;
    std::string description;
    bool described = false;
    uint32_t flags = 0;
  };
  struct LibraryFacts {
    std::string name;
    std::string code;
    std::vector<FunctionFacts> functions;  // by name
  };
  virtual std::vector<LibraryFacts> Libraries() const = 0;
  // Takes over libraries as they were saved. kFlush: they replace all that are there.
  enum class Restore : uint8_t { kAppend, kReplace, kFlush };
  virtual Status RestoreLibraries(int core, std::span<const std::string> codes, Restore how) = 0;

  struct Figures {
    size_t scripts = 0, libraries = 0, functions = 0;
    size_t vm_eval_bytes = 0, vm_function_bytes = 0;  // of the interpreters
    size_t text_bytes = 0, library_bytes = 0;         // kept beside them
    uint64_t evicted_scripts = 0;
    uint64_t runs_under_keys = 0;     // in parallel with whatever needs other shards
    uint64_t runs_alone_new = 0;      // texts that had to prove themselves
    uint64_t runs_alone_strayed = 0;  // texts that have used keys they had not declared
    uint64_t runs_alone_other = 0;    // in EXEC, or with state that all cores share
    uint64_t strays = 0;              // runs that needed a shard they had not asked for
    uint64_t restarts = 0;            // runs that were begun again alone
    uint64_t undone = 0;              // of those, how many had written
  };
  // With the world stopped.
  virtual Figures figures() const = 0;
  struct LibraryCounts {
    size_t libraries = 0, functions = 0;
  };
  virtual LibraryCounts LibraryFigures() const = 0;
};

}  // namespace cinnabar::dispatch
