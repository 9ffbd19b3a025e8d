// ScriptRun: one run of a script as dispatch sees it: the commands that it calls, the shards that it holds,
// what is needed to take it back, and what happens while it takes long (DESIGN §13).
//
// Where. A run is alone (the world is stopped), or it holds the shards of the keys that its request names. In
// the second case a command may need a shard that is not held: the run strays. Waiting for that shard could
// end in a deadlock, so it is tried. If it cannot be had, the run is given up and the script starts again,
// alone (Execution::start_over).
//
// Undo. Before a run that may be given up changes a key for the first time, it keeps an image of it. Small
// values are copied; a value whose copy would cost more than the script is not changed at all: the run is
// given up and starts again alone. What others would notice waits for the end: the journal's records,
// keyspace events, messages, WATCH, blocked clients. So a run that was given up was never seen by anybody.
//
// Long runs. The interpreter calls Tick every some thousand steps. A run under its keys gives the other
// clients of its core their turns, as every long command does. A run alone keeps everybody waiting until
// busy-reply-threshold; then it locks all shards, lends the gate, and the others learn that it is busy
// (Alarm::kBusy).
//
// On the stack of the handler of EVAL or FCALL; the core's thread.
// Size: what a run holds, what it needs to be taken back, and how long it takes decide about each other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/call.h"
#include "dispatch/core_context.h"
#include "dispatch/keys.h"
#include "dispatch/router.h"
#include "dispatch/scripts.h"

namespace cinnabar::dispatch {

// Which copies of the journal a script's writes go to.
namespace ScriptCopies {
enum : uint32_t { kNone = 0, kFiles = 1, kReplicas = 2, kAll = 3 };
}

class ScriptRun {
 public:
  struct Nature {
    uint32_t flags = 0;  // ScriptFlag bits
    bool may_write = true;
    std::string_view function;  // its name; empty: a script
  };
  // `inner` is who the commands are run for: it gets the caller's database and rights, and its replies.
  ScriptRun(Call& outer, Session& inner, const Nature& nature);
  ~ScriptRun();
  ScriptRun(const ScriptRun&) = delete;
  ScriptRun& operator=(const ScriptRun&) = delete;

  // Why the script cannot begin now; empty if it can. `by_writing_command`: it was not called by a command
  // that only reads (EVAL_RO).
  std::string Refusal(bool by_writing_command) const;

  enum class Ran : uint8_t {
    kDone,       // the reply is in the inner session's output, perhaps an error
    kAbandoned,  // the script must end at once, without a result
  };
  Ran Run(std::span<const std::string_view> argv);
  // False when the script must end at once.
  bool Tick();

  // Ends the run: what it has done becomes visible, or is taken back. To be called once, when the script has
  // ended, before the reply is written. False when there is no reply: it starts over.
  bool End();
  bool killed() const { return killed_; }

  // Whether there is a command of this name.
  bool KnowsCommand(std::span<const std::string_view> argv) const {
    return context_.services.registry.Resolve(argv) != nullptr;
  }
  // Whether the caller has the right to run it. REQUIRES: there is such a command.
  bool MayRun(std::span<const std::string_view> argv) const;
  Session& inner() { return inner_; }

  void SetCopies(uint32_t copies) { copies_ = copies; }
  // Whether a command may still be taken back.
  bool undoable() const { return undoable_; }
  // For what others would notice: done at the end, or never.
  void AtEnd(std::function<void()> work) { at_end_.push_back(std::move(work)); }
  // The keyspace has removed something by itself, which stays so whatever becomes of the run.
  void KeepEffect(int database, std::span<const std::string_view> argv);

  // What the text has shown. It stayed inside: it has used no key whose shard was not asked for.
  bool stayed_inside() const { return !strayed_; }
  // It was given up after it had written.
  bool undone() const { return abandoned_ && wrote_; }
  bool alone() const { return alone_; }

 private:
  struct Image {
    int database;
    uint64_t hash;
    keyspace::Entry* before;  // null: there was no such key, whose name is `name` then
    std::string name;
  };
  struct KeptEffect {
    int database;
    std::vector<std::string> argv;
  };

  std::string Objection(const Command* command, std::span<const std::string_view> argv) const;
  std::string Denial(const Command& command, std::span<const std::string_view> argv) const;
  std::string WriteObjection(const Command& command) const;
  // What a node of a cluster says against the command whose keys are in keys_.
  Router::Request Asked(const Command& command, std::span<const std::string_view> argv) const;
  std::string RouteObjection(const Command& command, const Route& route);
  std::optional<int> NamedSlot();
  Ran Refuse(const Command* command, std::string_view error);
  void NoteReads(const Command& command, std::span<const std::string_view> argv);
  void PlaceKeys(const Command& command, std::span<const std::string_view> argv);
  bool Reach(const Command& command, std::span<const std::string_view> argv);
  bool TakeShard(size_t shard);
  bool TakeWorld();
  bool Holds(size_t shard) const;
  bool KeepImages(const Command& command, std::span<const std::string_view> argv);
  bool KeepImage(int database, const keyspace::Key& key);
  bool BeginWriting();
  Ran Abandon();
  void ApplyCopies(size_t mark);
  void Undo();
  void Publish();
  void Register(Ticks now);
  void BecomeBusy();
  void EndBusy();

  Call& outer_;
  Session& inner_;
  Dispatcher& dispatcher_;
  CoreContext& context_;
  const Nature nature_;
  bool alone_;
  bool undoable_;
  bool wrote_ = false;
  bool strayed_ = false;
  bool abandoned_ = false;
  bool killed_ = false;
  bool ended_ = false;
  bool lent_ = false;
  bool noted_named_ = false;  // the keys of the request, for the client's cache
  uint32_t copies_ = ScriptCopies::kAll;
  int slot_ = -1;                // of the keys that it has named or used; -1: none yet
  std::vector<uint32_t> asked_;  // shards of the keys that the request names
  std::vector<KeyPosition> positions_;
  std::vector<PlacedKey> keys_;  // of the command that is run
  std::vector<Image> images_;
  std::vector<KeptEffect> kept_;
  std::vector<keyspace::HeldNews> news_;
  std::vector<std::function<void()>> at_end_;
  Ticks began_;
  Ticks next_look_;
  std::shared_ptr<RunningScript> running_;  // once it takes long
  // The outer run's, put back at the end.
  bool outer_in_transaction_, outer_time_frozen_, outer_queued_failed_;
};

}  // namespace cinnabar::dispatch
