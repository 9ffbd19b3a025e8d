// Commands as facts: what a command is called, what it takes, which keys it names, and who runs it.
//
// Each command file states its CommandSpec next to its handler; COMMAND, COMMAND DOCS, ACL categories, locks,
// routing and the reference pages all follow from it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace cinnabar::config {
struct Settings;
}

namespace cinnabar::dispatch {

class Call;
struct KeyPosition;
using Handler = void (*)(Call&);

// The names that COMMAND INFO shows are in registry.cc; those marked "ours" are not shown.
namespace Flag {
enum : uint64_t {
  kNone = 0,
  kWrite = 1 << 0,
  kReadOnly = 1 << 1,
  kDenyOom = 1 << 2,
  kAdmin = 1 << 3,
  kPubsub = 1 << 4,
  kNoScript = 1 << 5,
  kBlocking = 1 << 6,
  kLoading = 1 << 7,
  kStale = 1 << 8,
  kSkipMonitor = 1 << 9,
  kSkipSlowlog = 1 << 10,
  kAsking = 1 << 11,
  kFast = 1 << 12,
  kNoAuth = 1 << 13,
  kMayReplicate = 1 << 14,
  kMovableKeys = 1 << 15,
  kNoMulti = 1 << 16,
  kAllowBusy = 1 << 17,
  kNoAsyncLoading = 1 << 18,
  kTouchesArbitraryKeys = 1 << 19,
  kNoMandatoryKeys = 1 << 20,
  kProtected = 1 << 21,
  kSentinel = 1 << 22,      // a sentinel has it, too
  kOnlySentinel = 1 << 23,  // nobody else has it
  // Ours: runs with the world stopped (DESIGN §5), because it reads or changes more than its keys.
  kWorld = uint64_t{1} << 32,
  // Ours: sweeps over the keyspace, taking shards one by one; needs the world only inside a transaction.
  kSweep = uint64_t{1} << 33,
  // Ours: executed at once inside MULTI instead of being queued (EXEC, DISCARD, WATCH ...).
  kControlsTransaction = uint64_t{1} << 34,
  // Ours: takes the locks of everything that is queued (EXEC).
  kRunsTransaction = uint64_t{1} << 35,
  // Ours: open to RESP2 clients that have subscriptions.
  kListening = uint64_t{1} << 36,
  // Ours: tells what other connections have done; what has arrived from them is executed first. Not inside a
  // transaction.
  kAfterOthers = uint64_t{1} << 37,
  // Ours: runs a script, which may do what its text says (EVAL, FCALL).
  kRunsScript = uint64_t{1} << 38,
  // Ours: waits for the answers of another server (MIGRATE), with its keys locked.
  kAwaitsPeer = uint64_t{1} << 39,
};
}  // namespace Flag

// What a command does to the keys of one key specification, with Redis's vocabulary.
namespace KeyUse {
enum : uint16_t {
  kRo = 1 << 0,
  kRw = 1 << 1,
  kOw = 1 << 2,
  kRm = 1 << 3,
  kAccess = 1 << 4,
  kInsert = 1 << 5,
  kUpdate = 1 << 6,
  kDelete = 1 << 7,
  kNotKey = 1 << 8,
  kIncomplete = 1 << 9,
  kVariableFlags = 1 << 10,
};
}  // namespace KeyUse

// Where the keys of one group stand in the arguments (argument 0 is the command name; for subcommands the
// container's name still is argument 0).
struct KeySpec {
  uint16_t use = 0;  // 0: no such specification
  // The first key's position, or where to look for it: after `keyword`, searched from `first` (from the end
  // if < 0).
  int8_t first = 0;
  std::string_view keyword = {};
  enum class Find : uint8_t { kRange, kKeyNumber, kUnknown } find = Find::kRange;
  // kRange: the last key relative to the first (-1: the last argument, -2: the one before it ...), the step
  // between keys, and the divisor of what is left (0: none).
  int8_t last = 0;
  int8_t step = 1;
  int8_t limit = 0;
  // kKeyNumber: position of the number of keys and of the first key, relative to the first position.
  int8_t number_at = 0;
  int8_t first_key = 0;
  std::string_view notes = {};
};

inline constexpr int kKeySpecsMax = 4;

// Which arguments are channels, or patterns of channels, that a user must be allowed to use.
struct ChannelSpec {
  int8_t first = 0;      // 0: none
  bool repeats = false;  // all from the first one on
  bool patterns = false;
};

struct CommandSpec {
  std::string_view name;      // lower case; a subcommand is "container|sub"
  std::string_view synopsis;  // arguments in the notation of docs/design/synopsis.md
  std::string_view summary;
  std::string_view since;
  std::string_view group;  // as COMMAND DOCS groups it: "string", "generic", "connection", "server", ...
  std::string_view complexity;
  int arity = 0;  // exact number of arguments with the name, or minus the least number
  uint64_t flags = 0;
  // ACL categories beyond those that follow from flags and group: "dangerous"; "=connection": instead of the
  // group's.
  std::string_view categories = {};
  KeySpec keys[kKeySpecsMax] = {};
  ChannelSpec channels = {};
  std::string_view tips = {};         // comma-separated
  std::string_view history = {};      // "6.2.0: text|7.0.0: text"
  std::string_view replaced_by = {};  // for deprecated commands
  std::string_view deprecated_since = {};
  bool for_system_only = false;  // COMMAND DOCS flags it "syscmd": not meant for applications
  // What is done to the keys of a specification with kVariableFlags, given the arguments.
  uint16_t (*actual_use)(std::span<const std::string_view> argv) = nullptr;
  // The position of a key that no specification finds, with the use that the last one states; 0: none.
  size_t (*hidden_key)(std::span<const std::string_view> argv) = nullptr;
  // Appends the positions of all keys, where the specifications alone would find too much; false as FindKeys.
  bool (*find_keys)(std::span<const std::string_view> argv, std::vector<KeyPosition>& keys) = nullptr;
  // Whether with these arguments and settings the command touches more than its keys, so that it runs with
  // the world stopped, as if it had kWorld.
  bool (*needs_world)(std::span<const std::string_view> argv, const config::Settings& settings) = nullptr;
  Handler run = nullptr;  // null for a pure container
};

// Common shapes of key specifications.
constexpr KeySpec OneKey(int use, int first = 1) {
  return {.use = static_cast<uint16_t>(use), .first = static_cast<int8_t>(first)};
}
constexpr KeySpec KeyRange(int use, int first, int last, int step = 1) {
  return {.use = static_cast<uint16_t>(use),
          .first = static_cast<int8_t>(first),
          .last = static_cast<int8_t>(last),
          .step = static_cast<int8_t>(step)};
}

// What every specification must satisfy; checked at compile time next to each table.
constexpr bool Valid(std::span<const CommandSpec> specs) {
  for (const CommandSpec& spec : specs) {
    if (spec.name.empty() || spec.summary.empty() || spec.since.empty() || spec.group.empty()) return false;
    if (spec.arity == 0) return false;
    for (char c : spec.name) {
      if (c >= 'A' && c <= 'Z') return false;
    }
    if ((spec.flags & Flag::kWrite) != 0 && (spec.flags & Flag::kReadOnly) != 0) return false;
  }
  return true;
}

}  // namespace cinnabar::dispatch
