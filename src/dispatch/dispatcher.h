// Dispatcher: executes requests on one core. It asks whether a request may run, takes the locks that the
// command's keys ask for, runs the handler, and appends the effects to the journal (DESIGN §4, §5).
//
//   Preparer       what is done for requests before their turn: look-up, keys, prefetching
//   Admission      what may stop a request
//   Dispatcher     locks, handler, effects, and the end of the run
//   LongCommands   the turns that a command which takes long gives to others
//   BlockedCalls   commands that wait for keys, and their service
//   Evictor, ExpirySweep   changes that no client asked for
//   KeyspaceListener       what follows when the keyspace does something by itself
//   CommandTelemetry       statistics, slow log, MONITOR
//
// They share a CoreContext. One per core, used by that core's thread only; its statistics may be read by
// others while the world is stopped.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dispatch/admission.h"
#include "dispatch/batch.h"
#include "dispatch/blocked_calls.h"
#include "dispatch/call.h"
#include "dispatch/command_telemetry.h"
#include "dispatch/core_context.h"
#include "dispatch/evictor.h"
#include "dispatch/expiry_sweep.h"
#include "dispatch/keyspace_listener.h"
#include "dispatch/long_commands.h"
#include "dispatch/preparer.h"
#include "dispatch/services.h"
#include "dispatch/session.h"

namespace cinnabar::dispatch {

class Dispatcher {
 public:
  enum class Outcome : uint8_t {
    kDone,
    kSuspended,  // the session's continuation must be stepped before its next request
    kBlocked,    // waits for keys: Clients::Resume brings the reply
    kPostponed,  // not executed: try the same request again when the pause or the long command is over
  };

  Dispatcher(Services& services, int core, uint64_t random_seed);

  Outcome Execute(Session& session, const Batch& batch, const Request& request);
  // Runs a command of a file or of a master: no gate, nobody to refuse it. REQUIRES: it is known, and the
  // number of its arguments is right. Inside a command, a NestedRun must be alive.
  void Replay(Session& session, const Batch& batch, const Request& request);
  // A slice of the session's suspended command; true when it is done.
  bool Step(Session& session);
  // For EXEC: runs the queued commands of the session, whose locks are all held.
  void RunQueued(Session& session);

  // For ScriptRun: runs a command of a script under the locks that the run holds.
  void RunInner(Session& inner, const Command& command, std::span<const std::string_view> argv,
                std::span<const PlacedKey> keys);

  // Removes the session's watches. Takes the shards itself: REQUIRES none held, unless `held`.
  enum class Held : uint8_t { kNo, kYes };
  void Unwatch(Session& session, Held held);

  // Runs `work` with the world stopped. REQUIRES: inside a batch, no shard held.
  template <typename Work>
  void WithWorldStopped(Work&& work) {
    keyspace::WorldGate& gate = context_.core.keyspace.gate();
    const bool nested = gate.HeldByCaller();
    if (!nested) long_commands_.CloseGate();
    work();
    if (!nested) gate.Open(context_.index);
  }

  // Reads the clocks: at the start of a batch, and after work that may have taken long.
  void UpdateTime() { context_.UpdateTime(); }
  // Recomputes what is derived from settings. With the world stopped.
  void SettingsChanged();
  // While a forked child lives uses of keys leave no trace. With the world stopped.
  enum class Clocks : uint8_t { kRun, kRest };
  void SetClocks(Clocks clocks) {
    context_.clocks_rest = clocks == Clocks::kRest;
    context_.ApplyModes();
  }
  // Whether a primary decides when keys expire. With the world stopped.
  void SetFollows(bool follows) {
    context_.follows = follows;
    context_.ApplyModes();
  }
  // CLIENT PAUSE: the data set stands still, expired keys are hidden and not removed. With the world stopped.
  void SetPaused(bool paused) {
    context_.paused = paused;
    context_.ApplyModes();
  }

  // Of doubles in replies.
  protocol::Digits digits() const;

  CoreContext& context() { return context_; }
  Services& services() { return context_.services; }
  keyspace::CoreState& core() { return context_.core; }
  TickClock& clock() { return context_.clock; }
  Preparer& preparer() { return preparer_; }
  Admission& admission() { return admission_; }
  LongCommands& long_commands() { return long_commands_; }
  BlockedCalls& blocked() { return blocked_; }
  Evictor& evictor() { return evictor_; }
  ExpirySweep& expiry() { return expiry_; }
  CommandTelemetry& telemetry() { return telemetry_; }

 private:
  Outcome ExecuteGated(Session& session, const Command* command, std::span<const std::string_view> argv,
                       std::span<const PlacedKey> keys);
  // What is left to do after a run, with no shard held.
  Outcome Finish(Session& session);
  void Queue(Session& session, const Command& command, std::span<const std::string_view> argv);
  // Where a slot is on its way. False when its shard cannot be had now.
  bool QueueIfHere(Session& session, const Command& command, std::span<const std::string_view> argv,
                   std::span<const PlacedKey> keys);
  // Takes the locks that the command needs, runs it, and lets go. False, without having run it, when a long
  // command is in the way. `text` as in Request.
  bool RunLocked(Session& session, const Command& command, std::span<const std::string_view> argv,
                 std::span<const PlacedKey> keys, const char* text);
  // kOnItsWay: to another node of the cluster or to this one; which keys are here is asked under the locks,
  // and the client may be sent away.
  enum class Slot : uint8_t { kStays, kOnItsWay };
  bool RunWithPlan(Session& session, const Command& command, std::span<const std::string_view> argv,
                   std::span<const PlacedKey> keys, Slot slot);
  bool RunAdmitted(Session& session, const Command& command, std::span<const std::string_view> argv,
                   std::span<const PlacedKey> keys, Slot slot);
  bool AdmittedHeld(Session& session, const Command& command, std::span<const std::string_view> argv,
                    std::span<const PlacedKey> keys);
  void NoteRefused(Session& session, std::span<const std::string_view> argv);
  // A script runs under its keys, if it may; if that turns out not to be enough, it starts again alone.
  bool RunScript(Session& session, const Command& command, std::span<const std::string_view> argv,
                 std::span<const PlacedKey> keys, Slot slot);
  // With the locks that were planned: the run, if the slot lets it, and the end of both.
  void RunPlanned(Session& session, const Command& command, std::span<const std::string_view> argv,
                  std::span<const PlacedKey> keys, Slot slot);
  void PlanKeys(std::span<const PlacedKey> keys);
  void EndPlanned(Session& session, const Command& command);
  // Whether the request puts an end to the server, and waits until the scripts that keep it from that have
  // ended; or it is refused because they run.
  enum class Ending : uint8_t { kNo, kWaits, kRefused };
  Ending EndScripts(Session& session, const Command& command, std::span<const std::string_view> argv);
  // The request could not have its locks.
  Outcome PutOff(Session& session, const Command& command);
  // WATCH while a script holds the locks that it needs.
  bool WatchesLater(const Session& session, const Command& command) const;
  void WatchLater(Session& session, std::span<const std::string_view> argv);
  void SettleWatches(Session& session);
  void PlanTransaction(const Session& session);
  bool MayStillRun(Session& session, const Command& command, std::span<const std::string_view> argv);
  void AddShards(const Command& command, std::span<const std::string_view> argv);
  bool LockPlanned(Session& session);
  void UnlockPlanned();
  void RunBeside(Session& session, const Command& command, std::span<const std::string_view> argv,
                 std::span<const PlacedKey> keys);
  // Runs the handler under the locks and does everything that belongs under them.
  void RunHeld(Session& session, const Command& command, std::span<const std::string_view> argv,
               std::span<const PlacedKey> keys);
  void CallObserved(Session& session, const Command& command, std::span<const std::string_view> argv,
                    std::span<const PlacedKey> keys);
  void CallHandler(Session& session, const Command& command, std::span<const std::string_view> argv,
                   std::span<const PlacedKey> keys);
  // Whether the request is to be postponed before it runs.
  bool MustWait(Session& session, const Command& command, std::span<const std::string_view> argv);
  void AfterReply(Session& session);
  void DropReplica(Session& session, std::string_view command);
  void OutrunPause(bool outruns);
  void SpareClocks(const Session& session, const Command& command);
  void ReleaseClocks();

  CoreContext context_;
  CommandTelemetry telemetry_{context_};
  Evictor evictor_{context_, telemetry_.counters(), blocked_};
  Admission admission_{context_, telemetry_, evictor_};
  LongCommands long_commands_{context_, admission_, telemetry_.counters().yields};
  BlockedCalls blocked_{context_, telemetry_, long_commands_};
  ExpirySweep expiry_{context_, telemetry_.counters(), blocked_};
  KeyspaceListener listener_{context_, blocked_};
  Preparer preparer_;
  std::vector<KeyPosition> positions_;  // of AddShards
  OutputBuffer discarded_;              // replies that nobody gets
};

}  // namespace cinnabar::dispatch
