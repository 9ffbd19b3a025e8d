// Dispatcher: executes requests on one core. It walks the gates in one order, takes the locks that the
// command's keys ask for, runs the handler, appends the effects to the journal, and keeps the statistics
// (DESIGN §4, §5).
//
// One per core, used by that core's thread only; its statistics may be read by others while the world is
// stopped.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/flat_vector.h"
#include "config/settings.h"
#include "dispatch/call.h"
#include "dispatch/execution.h"
#include "dispatch/keys.h"
#include "dispatch/ready_keys.h"
#include "dispatch/registry.h"
#include "dispatch/services.h"
#include "dispatch/session.h"
#include "journal/journal.h"
#include "keyspace/database.h"
#include "keyspace/eviction.h"
#include "structures/latency_histogram.h"
#include "telemetry/command_stats.h"
#include "telemetry/error_stats.h"

namespace cinnabar::dispatch {

// One parsed request, as ranges of a Batch.
struct Request {
  const Command* command = nullptr;  // null: unknown
  uint32_t first_argument = 0;
  uint32_t argument_count = 0;
  uint32_t first_key = 0;
  uint32_t key_count = 0;
  const char* text = nullptr;  // where a canonical request begins (RequestParser::canonical); null: nowhere
};

// The requests that are prepared together, so that their cache misses overlap. Arguments point into the input
// buffers of their connections.
struct Batch {
  FlatVector<std::string_view> arguments;
  std::deque<std::string> storage;
  FlatVector<Request> requests;
  FlatVector<PlacedKey> keys;

  void Clear() {
    arguments.clear();
    if (!storage.empty()) storage.clear();
    requests.clear();
    keys.clear();
    arguments.ShrinkTo(kUsual);
    keys.ShrinkTo(kUsual);
  }
  static constexpr size_t kUsual = 16 * 1024;
  std::span<const std::string_view> argv(const Request& request) const {
    return {arguments.data() + request.first_argument, request.argument_count};
  }
  std::span<const PlacedKey> keys_of(const Request& request) const {
    return {keys.data() + request.first_key, request.key_count};
  }
};

// Totals of one core; any thread may read them.
struct CoreCounters {
  telemetry::Counter commands;
  telemetry::Counter changes;  // what rdb_changes_since_last_save counts
  telemetry::Counter evicted;  // keys
  telemetry::Counter millis_over_memory;
  telemetry::Counter expiry_micros;     // time spent on looking for expired keys
  telemetry::Counter expiry_cut_short;  // sweeps that the budget of time has ended
  telemetry::Counter yields;            // turns that commands have given to others
};

// The core, as a command that takes long sees it.
class Bystanders {
 public:
  virtual ~Bystanders() = default;
  // Gives the other clients a turn. Calls Execute.
  virtual void Serve() = 0;
  // A command that had yielded has ended: those who waited for it, on any core, may go on.
  virtual void LongCommandEnded() = 0;
};

class Dispatcher final : public keyspace::KeyspaceEvents {
 public:
  enum class Outcome : uint8_t {
    kDone,
    kSuspended,  // the session's continuation must be stepped before its next request
    kBlocked,    // waits for keys: Clients::Resume brings the reply
    kPostponed,  // not executed: try the same request again when the pause or the long command is over
  };

  Dispatcher(Services& services, int core, uint64_t random_seed);

  // Looks up the command of a request whose arguments were just appended to the batch, finds its keys, and
  // starts fetching their buckets.
  void Prepare(Batch& batch, Session& session, uint32_t first_argument, const char* text = nullptr);
  // Once buckets have arrived: starts fetching the entries of the batch's keys.
  void PrefetchEntries(const Batch& batch, const Session& session, size_t first_request, size_t end_request);

  Outcome Execute(Session& session, const Batch& batch, const Request& request);
  // Runs a command of a file or of a master: no gate, nobody to refuse it. REQUIRES: it is known, and the
  // number of its arguments is right.
  void Replay(Session& session, const Batch& batch, const Request& request);
  // While a forked child lives uses of keys leave no trace: each would cost a copied page. With the world
  // stopped.
  enum class Clocks : uint8_t { kRun, kRest };
  void SetClocks(Clocks clocks) {
    clocks_ = clocks;
    ApplyModes();
  }
  // CLIENT PAUSE: the data set stands still, expired keys are hidden and not removed. With the world stopped.
  void SetPaused(bool paused) {
    paused_ = paused;
    ApplyModes();
  }
  // A slice of the session's suspended command; true when it is done.
  bool Step(Session& session);
  // For EXEC: runs the queued commands of the session, whose locks are all held.
  void RunQueued(Session& session);

  // Removes the session's watches. Takes the shards itself: REQUIRES none held, unless `held`.
  enum class Held : uint8_t { kNo, kYes };
  void Unwatch(Session& session, Held held);

  // Reads the clocks: at the start of a batch, and after whatever may have taken long.
  void UpdateTime();
  // Recomputes what is derived from settings. With the world stopped.
  void SettingsChanged();

  // Runs `work` with the world stopped. REQUIRES: inside a batch, no shard held.
  template <typename Work>
  void WithWorldStopped(Work&& work) {
    keyspace::WorldGate& gate = core_.keyspace.gate();
    const bool nested = gate.HeldByCaller();
    if (!nested) gate.Close(core_index_);
    work();
    if (!nested) gate.Open(core_index_);
  }

  // Whether work that nobody waits for may stop the world now. False while a long command would keep
  // everybody waiting with it: ask again soon. After some seconds it is true all the same. See yielding.cc.
  bool WorldIsFree();

  // Long commands; see yielding.cc.
  void SetBystanders(Bystanders& bystanders) { bystanders_ = &bystanders; }
  // For tests: commands yield at every opportunity.
  void YieldAlways() {
    core_.steps_between_looks = 1;
    yield_slice_ = 0;
  }
  void YieldIfLong(Call& call);
  // Whether a command of this core has yielded, and what runs now does so in between.
  bool yielding() const { return yielding_; }
  // Whether the last request was postponed for a lock that another core had just then: worth another try
  // soon.
  bool missed_lock() const { return missed_lock_; }

  // Eviction; see eviction.cc.
  enum class Room : uint8_t {
    kEnough,
    kSoon,  // more keys have to go, between the next commands
    kNone,  // over the limit, and no key may go
  };
  // REQUIRES: no shard is held.
  Room MakeRoom();
  // Whether MakeRoom should be called again soon.
  bool evicting() const { return evicting_; }
  // The limit has changed: what is over it goes without waiting for the next command. This core's thread.
  void EvictSoon() { evicting_ = true; }

  // Removes expired keys of this core's shards until the time is over; see expiry.cc.
  uint64_t ExpireSome(Micros budget);
  // No key of this core's shards expires before this moment, as far as is known.
  Millis NextExpiry() const;

  // Appends what was collected outside of a command (expiry). REQUIRES: the shards are held.
  void FlushEffects(journal::Grouping grouping = journal::Grouping::kAsNeeded);

  // KeyspaceEvents:
  void OnExpired(int database, std::string_view key) override;
  void OnNew(int database, std::string_view key) override;
  void OnMissed(int database, std::string_view key) override;
  void OnFieldsExpired(int database, std::string_view key, std::span<const std::string> fields) override;
  void OnLastFieldExpired(int database, std::string_view key) override;
  void OnAwaited(int database, const keyspace::Key& key) override;
  void OnSlowToFree(keyspace::Entry* gone) override;

  // Blocking; see blocking.cc.
  void Block(Session& session, std::shared_ptr<BlockedCall> call);
  // The moment when the next blocked session of this core runs out of time.
  Millis NextTimeout() const { return timeouts_.empty() ? keyspace::kNever : timeouts_.begin()->first; }
  void TimeOutBlocked();
  // Gives the session its reply. REQUIRES: the call is done; the session's core, no shard held.
  void CompleteBlocked(Session& session);
  // The session goes away. REQUIRES: the session's core, no shard held.
  void AbandonBlocked(Session& session);
  // For CLIENT UNBLOCK, with the world stopped: false when the session is not blocked.
  bool Unblock(Session& session, UnblockWith with);
  // Completes the calls that have the copies of the journal they waited for. The core's own thread, or with
  // the world stopped.
  void ServeCopyWaiters();
  // Every key of the database may have changed. With the world stopped.
  void SignalAllAwaited(int database);
  // Ends changes of one shard that were made outside of a command: effects, waiters, and what the shard has
  // been told. REQUIRES: the shard is held.
  void EndChanges(size_t shard) {
    FinishChanges();
    const auto held = static_cast<uint32_t>(shard);
    NoteShards({&held, 1});
  }

  void ServeChanged() {
    if (!run_.ready.empty()) [[unlikely]]
      ServeReady();
  }

  Services& services() { return services_; }
  keyspace::CoreState& core() { return core_; }
  int core_index() const { return core_index_; }
  journal::Effects& effects() { return run_.effects; }
  bool running_transaction() const { return run_.in_transaction; }
  TickClock& clock() { return clock_; }
  telemetry::CommandStats& command_stats() { return command_stats_; }
  telemetry::ErrorStats& error_stats() { return error_stats_; }
  CoreCounters& counters() { return counters_; }
  // Of doubles in replies.
  protocol::Digits digits() const {
    return services_.settings.general.compat_version == config::CompatVersion::k70
               ? protocol::Digits::kSeventeen
               : protocol::Digits::kShortest;
  }
  // Null when the command was never called here.
  const LatencyHistogram* histogram(uint32_t command) const { return histograms_[command].get(); }
  void ResetStatistics();
  void ResetHistogram(uint32_t command) { histograms_[command].reset(); }

 private:
  // The turn that a long command gives to others.
  class NestedTurn;

  Outcome ExecuteGated(Session& session, const Command* command, std::span<const std::string_view> argv,
                       std::span<const PlacedKey> keys);
  bool Admit(Session& session, const Command* command, std::span<const std::string_view> argv);
  bool Reject(Session& session, const Command* command, std::string_view error);
  std::string WriteRefusal(const Session& session, const Command& command);
  bool OverMemory() const;
  void NoteOverMemory(bool over);
  Room EvictSome();
  bool Evict(const keyspace::EvictionCandidate& candidate);
  bool MayFreeLater();
  bool Paused(const Session& session, const Command& command) const;
  static bool MayWrite(const Session& session, const Command& command);
  void Queue(Session& session, const Command& command, std::span<const std::string_view> argv);
  // False when a long command is in the way.
  bool RunLocked(Session& session, const Command& command, std::span<const std::string_view> argv,
                 std::span<const PlacedKey> keys);
  bool RunWithPlan(Session& session, const Command& command, std::span<const std::string_view> argv,
                   std::span<const PlacedKey> keys);
  void PlanTransaction(const Session& session);
  void AddShards(const Command& command, std::span<const std::string_view> argv);
  bool LockPlanned(Session& session);
  void UnlockPlanned();
  bool LockOrPostpone(Session& session, size_t shard);
  bool Patient(Session& session);
  enum class Between : uint8_t { kAnything, kReads, kNothing };
  Between WhatMayRun(const Session& session, const Command* command, std::span<const std::string_view> argv,
                     std::span<const PlacedKey> keys) const;
  void RunBeside(Session& session, const Command& command, std::span<const std::string_view> argv,
                 std::span<const PlacedKey> keys);
  bool MayYield(const Call& call) const;
  void EndLongCommand();
  // Runs the handler under the locks and does everything that belongs under them.
  void RunHeld(Session& session, const Command& command, std::span<const std::string_view> argv,
               std::span<const PlacedKey> keys);
  void RunObserved(Session& session, const Command& command, std::span<const std::string_view> argv,
                   std::span<const PlacedKey> keys);
  void CallHandler(Session& session, const Command& command, std::span<const std::string_view> argv,
                   std::span<const PlacedKey> keys);
  void Account(Session& session, const Command& command, const Call& call, Ticks started,
               uint64_t errors_before);
  void AccountError(const Session& session, const Command& command);
  void ReportSlow(Session& session, const Command& command, const Call& call, Micros duration);
  void NoteSlow(const Session& session, const Command& command, std::vector<std::string_view>& shown,
                Micros duration);
  void FeedMonitors(Session& session, const Call& call);
  void AfterReply(Session& session);
  void KeepClocks(const Session& session, const Command& command);
  const Command* Lookup(std::span<const std::string_view> argv);
  void AddKey(Batch& batch, const Session& session, uint32_t index, std::string_view bytes);
  uint64_t SweepDatabases(Ticks deadline);
  uint64_t SweepShards(Ticks deadline);
  // The session's replies wait for what its command wrote and for what the shards that it touched had been
  // told.
  void NoteGate(Session& session, std::span<const uint32_t> shards);
  void NoteGateEverywhere(Session& session);
  // What was appended since the last run ended was of these shards.
  void NoteShards(std::span<const uint32_t> shards);
  void FinishChanges() {
    if (!run_.effects.empty()) FlushEffects();
    ServeChanged();
  }
  // Lets the keyspace see what the run that is on its way may do.
  void ApplyModes();
  void ReleaseClocks() {
    if (!run_.spares_clocks) return;
    run_.spares_clocks = false;
    ApplyModes();
  }
  bool gated() const {
    return (services_.alarms.load(std::memory_order_relaxed) & Alarm::kGatedReplies) != 0;
  }
  void ServeReady();
  void ServeKey(const ReadyKey& ready);
  enum class Service : uint8_t { kServed, kNothing, kTaken, kMustWait };
  Service ServeWaiter(BlockedCall& waiter, const ReadyKey& ready);
  bool RunWaiting(BlockedCall& waiter, const keyspace::Key& key);
  void ServeDeferred();
  void LeaveQueues(const BlockedCall& call);

  Services& services_;
  const int core_index_;
  keyspace::CoreState core_;
  TickClock clock_;
  Ticks last_tick_ = 0;
  Ticks time_step_ = 0;  // refresh the wall time when this much has passed
  Ticks time_read_at_ = 0;
  Ticks slow_ticks_ = ~Ticks{0};  // commands slower than this are looked at closely
  Execution run_;                 // the run that is on its way, or the next one; see NestedTurn
  Clocks clocks_ = Clocks::kRun;
  bool paused_ = false;
  std::vector<KeyPosition> positions_;
  // The commands that were looked up last, by the exact bytes of their names.
  struct NamedCommand {
    size_t size = 0;
    char name[16] = {};
    const Command* command = nullptr;
  };
  static constexpr size_t kNamedCommands = 16;
  std::array<NamedCommand, kNamedCommands> recent_{};
  bool latency_tracking_ = true;
  bool writes_guarded_ = false;  // settings may refuse writes for want of memory or of replicas
  OutputBuffer discarded_;
  telemetry::CommandStats command_stats_;
  telemetry::ErrorStats error_stats_;
  std::vector<std::unique_ptr<LatencyHistogram>> histograms_;
  CoreCounters counters_;
  std::unique_ptr<keyspace::EvictionPool> eviction_pool_;
  bool evicting_ = false;
  std::vector<ReadyKey> deferred_;  // whose waiters need a shard that could not be had at once
  std::multimap<Millis, std::shared_ptr<BlockedCall>> timeouts_;
  Bystanders* bystanders_ = nullptr;
  Ticks yield_slice_ = 0;  // how long a command runs before the others get a turn
  bool yielding_ = false;
  bool missed_lock_ = false;
  int yield_depth_ = 0;
  Ticks world_wanted_since_ = 0;  // WorldIsFree has said no since then; 0: it has not
  // The shards of this core's commands that have yielded, and the hashes of the keys that those may change.
  std::bitset<keyspace::Keyspace::kShards> held_for_long_;
  std::vector<uint64_t> changed_for_long_;
  std::vector<std::shared_ptr<BlockedCall>> copy_waiters_;
  // How far the sweep for expired keys has come.
  struct Sweep {
    bool running = false;
    int database = 0;
    size_t shard = 0;
    Millis earliest = keyspace::kNever;  // of what it has left behind
  };
  Sweep sweep_;
};

}  // namespace cinnabar::dispatch
