#include "dispatch/dispatcher.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/same_bytes.h"
#include "catalog/errors.h"
#include "config/config.h"
#include "telemetry/latency_monitor.h"
#include "telemetry/slow_log.h"

namespace cinnabar::dispatch {
namespace {

constexpr Nanos kTimeStep = 100 * kNanosPerMicro;
constexpr Nanos kYieldSlice = 500 * kNanosPerMicro;

}  // namespace

Dispatcher::Dispatcher(Services& services, int core, uint64_t random_seed)
    : services_(services),
      core_index_(core),
      core_{.keyspace = services.keyspace, .events = this, .random = Random(random_seed)},
      discarded_(OutputBuffer::kFixedBytesMin),
      command_stats_(services.registry.all().size()),
      histograms_(services.registry.all().size()),
      eviction_pool_(std::make_unique<keyspace::EvictionPool>()) {
  time_step_ = clock_.ToTicks(kTimeStep);
  yield_slice_ = clock_.ToTicks(kYieldSlice);
  SettingsChanged();
  UpdateTime();
}

void Dispatcher::UpdateTime() {
  last_tick_ = clock_.Now();
  time_read_at_ = last_tick_;
  core_.SetNow(clock_.WallMillis(last_tick_));
}

void Dispatcher::SettingsChanged() {
  const config::Settings& settings = services_.settings;
  const int64_t slow_micros = settings.observation.slowlog_log_slower_than_micros;
  const int64_t latency_millis = settings.observation.latency_monitor_threshold_millis;
  slow_ticks_ = ~Ticks{0};
  latency_tracking_ = settings.observation.latency_tracking;
  writes_guarded_ = settings.memory.maxmemory_bytes > 0 || settings.replication.min_replicas_to_write > 0;
  if (slow_micros >= 0) slow_ticks_ = clock_.ToTicks(slow_micros * kNanosPerMicro);
  if (latency_millis > 0)
    slow_ticks_ = std::min(slow_ticks_, clock_.ToTicks(latency_millis * kNanosPerMilli));
  const auto policy = settings.memory.maxmemory_policy;
  core_.access.SetLfu(policy == config::EvictionPolicy::kAllKeysLfu ||
                      policy == config::EvictionPolicy::kVolatileLfu);
  const uint32_t events = services_.notifier == nullptr ? 0 : settings.observation.notify_keyspace_events;
  core_.tells_new = (events & config::kNotifyNew) != 0;
  core_.tells_missed = (events & config::kNotifyMiss) != 0;
  core_.hands_over_expired = settings.memory.lazyfree_lazy_expire;
  core_.hands_over_replaced = settings.memory.lazyfree_lazy_server_del;
  core_.access.lfu_log_factor = settings.memory.lfu_log_factor;
  core_.access.lfu_decay_minutes = settings.memory.lfu_decay_time_minutes;
}

// The registry's answer, remembered for the names that come again and again.
[[gnu::always_inline]] inline const Command* Dispatcher::Lookup(std::span<const std::string_view> argv) {
  const std::string_view name = argv[0];
  if (name.size() > sizeof(NamedCommand::name) || name.empty()) return services_.registry.Resolve(argv);
  NamedCommand& recent =
      recent_[(static_cast<size_t>(name[0]) * 5 + name.size() + static_cast<size_t>(name.back())) %
              kNamedCommands];
  if (recent.size == name.size() && SameBytes(recent.name, name.data(), name.size())) [[likely]]
    return recent.command;
  const Command* command = services_.registry.Resolve(argv);
  if (command != nullptr && command->parent == nullptr && command->subcommands.empty()) {
    recent.size = name.size();
    std::memcpy(recent.name, name.data(), name.size());
    recent.command = command;
  }
  return command;
}

[[gnu::always_inline]] inline void Dispatcher::AddKey(Batch& batch, const Session& session, uint32_t index,
                                                      std::string_view bytes) {
  const keyspace::Key key = core_.keyspace.KeyOf(bytes);
  batch.keys.push_back({index, key});
  const size_t shard = keyspace::Keyspace::ShardOf(key.hash);
  // Other cores may be changing the table: only its holder can tell where a bucket is.
  if (!core_.keyspace.TryLock(shard)) return;
  core_.keyspace.table(session.database, shard).entries.PrefetchBucket(key.hash);
  core_.keyspace.Unlock(shard);
}

void Dispatcher::Prepare(Batch& batch, Session& session, uint32_t first_argument, const char* text) {
  const auto argument_count = static_cast<uint32_t>(batch.arguments.size()) - first_argument;
  const std::span<const std::string_view> argv(batch.arguments.data() + first_argument, argument_count);
  const auto first_key = static_cast<uint32_t>(batch.keys.size());
  const Command* command = Lookup(argv);
  if (command != nullptr) {
    if (command->only_key != 0) [[likely]] {
      const auto index = static_cast<uint32_t>(command->only_key);
      if (index < argument_count) AddKey(batch, session, index, argv[index]);
    } else if (command->key_specs != 0 && command->AcceptsArgumentCount(argument_count)) {
      positions_.clear();
      FindKeys(*command, argv, positions_);
      for (const KeyPosition& position : positions_) {
        if ((position.use & KeyUse::kNotKey) == 0)
          AddKey(batch, session, position.index, argv[position.index]);
      }
    }
  }
  batch.requests.push_back({.command = command,
                            .first_argument = first_argument,
                            .argument_count = argument_count,
                            .first_key = first_key,
                            .key_count = static_cast<uint32_t>(batch.keys.size()) - first_key,
                            .text = text});
}

void Dispatcher::PrefetchEntries(const Batch& batch, const Session& session, size_t first_request,
                                 size_t end_request) {
  if (first_request == end_request) return;
  const size_t end = batch.requests[end_request - 1].first_key + batch.requests[end_request - 1].key_count;
  for (size_t i = batch.requests[first_request].first_key; i < end; ++i) {
    const uint64_t hash = batch.keys[i].key.hash;
    const size_t shard = keyspace::Keyspace::ShardOf(hash);
    if (!core_.keyspace.TryLock(shard)) continue;
    core_.keyspace.table(session.database, shard).entries.PrefetchEntry(hash);
    core_.keyspace.Unlock(shard);
  }
}

void Dispatcher::AfterReply(Session& session) {
  if (session.reply_mode == ReplyMode::kOn) return;
  discarded_.Clear();
  if (session.reply_mode == ReplyMode::kSkipping) session.reply_mode = ReplyMode::kOn;
  if (session.reply_mode == ReplyMode::kSkipNext) session.reply_mode = ReplyMode::kSkipping;
}

[[gnu::always_inline]] inline void Dispatcher::Account(Session& session, const Command& command,
                                                       const Call& call, Ticks started,
                                                       uint64_t errors_before) {
  const Ticks ended = clock_.Now();
  const Ticks spent = ended - started;
  last_tick_ = ended;
  if (ended - time_read_at_ > time_step_ && !run_.time_frozen) [[unlikely]]
    UpdateTime();
  counters_.commands.Add();
  ++session.commands;
  command_stats_.AddCall(command.id, spent);
  if (session.reply.errors() != errors_before) [[unlikely]]
    AccountError(session, command);
  if (latency_tracking_) {
    auto& histogram = histograms_[command.id];
    if (histogram == nullptr) [[unlikely]]
      histogram = std::make_unique<LatencyHistogram>();
    histogram->Record(static_cast<uint64_t>(clock_.ToNanos(spent)));
  }
  if (spent >= slow_ticks_) [[unlikely]]
    ReportSlow(session, command, call, clock_.ToMicros(spent));
  if (services_.monitors.load(std::memory_order_relaxed) != 0) [[unlikely]]
    FeedMonitors(session, call);
}

[[gnu::always_inline]] inline void Dispatcher::CallHandler(Session& session, const Command& command,
                                                           std::span<const std::string_view> argv,
                                                           std::span<const PlacedKey> keys) {
  const char* const text = std::exchange(run_.text, nullptr);
  Call call(*this, core_, session, command, argv, keys);
  call.started = last_tick_;
  const uint64_t errors_before = session.reply.errors();
  session.last_command = &command;
  command.run(call);
  if (call.dirty() != 0) {
    counters_.changes.Add(call.dirty());
    if (services_.journal.active() && call.propagates_itself() && !command.Is(Flag::kRunsTransaction)) {
      if (text != nullptr) {
        const char* const end = argv.back().data() + argv.back().size() + 2;
        run_.effects.AddEncoded(session.database, {text, static_cast<size_t>(end - text)});
      } else {
        run_.effects.Add(session.database, argv);
      }
    }
  }
  Account(session, command, call, call.started, errors_before);
}

[[gnu::always_inline]] inline void Dispatcher::RunHeld(Session& session, const Command& command,
                                                       std::span<const std::string_view> argv,
                                                       std::span<const PlacedKey> keys) {
  if (services_.history != nullptr) [[unlikely]]
    return RunObserved(session, command, argv, keys);
  CallHandler(session, command, argv, keys);
  if (!run_.effects.empty()) {
    FlushEffects();
    session.written = run_.appended;
  }
  ServeChanged();
}

namespace {

// Effects larger than this do not leave their buffer behind.
constexpr size_t kEffectsKeptBytes = 256 * 1024;

Dispatcher::Outcome OutcomeFor(const Session& session) {
  if (!session.suspended) [[likely]]
    return Dispatcher::Outcome::kDone;
  return session.blocked != nullptr ? Dispatcher::Outcome::kBlocked : Dispatcher::Outcome::kSuspended;
}

}  // namespace

Dispatcher::Outcome Dispatcher::Execute(Session& session, const Batch& batch, const Request& request) {
  const auto argv = batch.argv(request);
  const Command* command = request.command;
  if (yielding_) [[unlikely]] {
    missed_lock_ = false;
    const Between what = WhatMayRun(session, command, argv, batch.keys_of(request));
    if (what == Between::kNothing) return Outcome::kPostponed;
    if (what == Between::kReads) {
      RunBeside(session, *command, argv, batch.keys_of(request));
      if (run_.yielded) EndLongCommand();
      return OutcomeFor(session);
    }
  }
  const uint32_t alarms = services_.alarms.load(std::memory_order_relaxed);
  const bool plain = session.authenticated && !session.transaction.open &&
                     session.reply_mode == ReplyMode::kOn && !session.no_touch &&
                     services_.pause.mode == PauseMode::kNone && !writes_guarded_ &&
                     !session.only_listens() && (alarms & ~Alarm::kGatedReplies) == 0;
  // What no gate can stop.
  if (plain && command != nullptr && command->ungated && command->AcceptsArgumentCount(argv.size()))
      [[likely]] {
    if (request.key_count == 1) [[likely]] {
      const PlacedKey& placed = batch.keys[request.first_key];
      const size_t shard = keyspace::Keyspace::ShardOf(placed.key.hash);
      if (!core_.keyspace.TryLock(shard) && !LockOrPostpone(session, shard)) [[unlikely]]
        return Outcome::kPostponed;
      run_.text = request.text;
      RunHeld(session, *command, argv, {&placed, 1});
      if (alarms != 0) {
        const auto held = static_cast<uint32_t>(shard);
        NoteGate(session, {&held, 1});
      }
      core_.keyspace.Unlock(shard);
    } else if (!RunLocked(session, *command, argv, batch.keys_of(request))) {
      return Outcome::kPostponed;
    }
    if (!deferred_.empty()) [[unlikely]]
      ServeDeferred();
    if (run_.yielded) [[unlikely]]
      EndLongCommand();
    return OutcomeFor(session);
  }
  return ExecuteGated(session, command, argv, batch.keys_of(request));
}

Dispatcher::Outcome Dispatcher::ExecuteGated(Session& session, const Command* command,
                                             std::span<const std::string_view> argv,
                                             std::span<const PlacedKey> keys) {
  const bool muted = session.reply_mode != ReplyMode::kOn;
  if (muted) session.reply.Redirect(discarded_);
  if (Admit(session, command, argv)) {
    if (services_.pause.mode != PauseMode::kNone && Paused(session, *command)) {
      session.reply.Redirect(session.output);
      return Outcome::kPostponed;
    }
    // Either the time of a pause is over, although it still counts until all cores have heard of it, or one
    // begins in the transaction itself. A write that saw only that a key is hidden would make a second one.
    run_.outruns_pause = MayWrite(session, *command);
    if (paused_) ApplyModes();
    if (session.no_touch) KeepClocks(session, *command);
    if (session.in_transaction() && !command->Is(Flag::kControlsTransaction)) {
      Queue(session, *command, argv);
    } else if (!RunLocked(session, *command, argv, keys)) {
      ReleaseClocks();
      if (std::exchange(run_.outruns_pause, false) && paused_) ApplyModes();
      session.reply.Redirect(session.output);
      return Outcome::kPostponed;
    }
    ReleaseClocks();
  } else if (services_.history != nullptr) {
    services_.history->OnCommand(session, argv, "-" + session.reply.last_error() + "\r\n");
  }
  if (muted || session.reply_mode != ReplyMode::kOn) {
    session.reply.Redirect(session.output);
    if (!session.suspended) AfterReply(session);
  }
  if (!deferred_.empty()) ServeDeferred();
  if (run_.yielded) EndLongCommand();
  if (std::exchange(run_.outruns_pause, false) && paused_) ApplyModes();
  return OutcomeFor(session);
}

// Reads a key whose shard the command that has yielded holds, and which that one does not change. What has
// expired is hidden and stays.
void Dispatcher::RunBeside(Session& session, const Command& command, std::span<const std::string_view> argv,
                           std::span<const PlacedKey> keys) {
  run_.hides_expired = true;
  ApplyModes();
  RunHeld(session, command, argv, keys);
  run_.hides_expired = false;
  ApplyModes();
  if (!gated()) return;
  const auto shard = static_cast<uint32_t>(keyspace::Keyspace::ShardOf(keys[0].key.hash));
  NoteGate(session, {&shard, 1});
}

void Dispatcher::Replay(Session& session, const Batch& batch, const Request& request) {
  const Command& command = *request.command;
  const std::span<const std::string_view> argv = batch.argv(request);
  if (session.in_transaction() && !command.Is(Flag::kControlsTransaction))
    return Queue(session, command, argv);
  // DEBUG LOADAOF replays within a command that has a plan of its own.
  LockPlan outer = std::exchange(run_.plan, {});
  const bool ran = RunLocked(session, command, argv, batch.keys_of(request));
  CHECK(ran);  // nothing else runs that could be in the way
  run_.plan = std::move(outer);
}

bool Dispatcher::RunLocked(Session& session, const Command& command, std::span<const std::string_view> argv,
                           std::span<const PlacedKey> keys) {
  constexpr uint64_t kPlanned = Flag::kWorld | Flag::kRunsTransaction;
  if (keys.size() > 1 || command.Is(kPlanned) || command.spec->needs_world != nullptr)
    return RunWithPlan(session, command, argv, keys);
  keyspace::Keyspace& keyspace = core_.keyspace;
  if (keys.empty()) {
    RunHeld(session, command, argv, keys);
    // A sweep over the keyspace: what it saw may be as new as the journal.
    if (gated() && command.Is(Flag::kSweep))
      session.gate = std::max(session.gate, services_.journal.offset());
    return true;
  }
  const size_t shard = keyspace::Keyspace::ShardOf(keys[0].key.hash);
  if (!LockOrPostpone(session, shard)) return false;
  RunHeld(session, command, argv, keys);
  if (gated()) [[unlikely]] {
    const auto held = static_cast<uint32_t>(shard);
    NoteGate(session, {&held, 1});
  }
  keyspace.Unlock(shard);
  return true;
}

bool Dispatcher::RunWithPlan(Session& session, const Command& command, std::span<const std::string_view> argv,
                             std::span<const PlacedKey> keys) {
  run_.plan.world = command.NeedsWorld(argv);
  run_.plan.shards.clear();
  for (const PlacedKey& placed : keys) {
    run_.plan.shards.push_back(static_cast<uint32_t>(keyspace::Keyspace::ShardOf(placed.key.hash)));
  }
  if (command.Is(Flag::kRunsTransaction)) PlanTransaction(session);
  if (!LockPlanned(session)) return false;
  RunHeld(session, command, argv, keys);
  if (gated()) {
    if (run_.plan.world) NoteGateEverywhere(session);
    NoteGate(session, run_.plan.shards);
  }
  UnlockPlanned();
  return true;
}

void Dispatcher::AddShards(const Command& command, std::span<const std::string_view> argv) {
  positions_.clear();
  FindKeys(command, argv, positions_);
  for (const KeyPosition& position : positions_) {
    if ((position.use & KeyUse::kNotKey) != 0) continue;
    const uint64_t hash = core_.keyspace.HashOf(argv[position.index]);
    run_.plan.shards.push_back(static_cast<uint32_t>(keyspace::Keyspace::ShardOf(hash)));
  }
}

// The union of what the queued commands and the watched keys need, for the whole block.
void Dispatcher::PlanTransaction(const Session& session) {
  std::vector<std::string_view> views;
  for (const QueuedCommand& queued : session.transaction.queue) {
    views.assign(queued.argv.begin(), queued.argv.end());
    if (queued.command->Is(Flag::kSweep) || queued.command->NeedsWorld(views)) run_.plan.world = true;
    AddShards(*queued.command, views);
  }
  for (const WatchedKey& watched : session.transaction.watched) {
    run_.plan.shards.push_back(static_cast<uint32_t>(keyspace::Keyspace::ShardOf(watched.hash)));
  }
}

bool Dispatcher::LockPlanned(Session& session) {
  if (core_.keyspace.gate().HeldByCaller()) {
    run_.plan = {};  // there is nobody to lock out
    return true;
  }
  if (run_.plan.world) {
    if (services_.long_commands.load(std::memory_order_relaxed) != 0 && !Patient(session)) return false;
    core_.keyspace.gate().Close(core_index_);
    return true;
  }
  if (!core_.keyspace.locking()) return true;
  std::sort(run_.plan.shards.begin(), run_.plan.shards.end());
  run_.plan.shards.erase(std::unique(run_.plan.shards.begin(), run_.plan.shards.end()),
                         run_.plan.shards.end());
  for (size_t i = 0; i < run_.plan.shards.size(); ++i) {
    if (LockOrPostpone(session, run_.plan.shards[i])) continue;
    while (i > 0) core_.keyspace.Unlock(run_.plan.shards[--i]);
    return false;
  }
  return true;
}

void Dispatcher::UnlockPlanned() {
  if (run_.plan.world) {
    core_.keyspace.gate().Open(core_index_);
    UpdateTime();
    return;
  }
  if (!core_.keyspace.locking()) return;
  for (uint32_t shard : run_.plan.shards) core_.keyspace.Unlock(shard);
}

// EXEC's work. It stands here, not with the rest of transactions, to share the inlined handler call.
void Dispatcher::RunQueued(Session& session) {
  std::vector<QueuedCommand> queue = std::move(session.transaction.queue);
  session.transaction.Reset();
  session.reply.Array(queue.size());
  run_.in_transaction = true;
  run_.time_frozen = true;
  std::vector<std::string_view> views;
  for (const QueuedCommand& queued : queue) {
    views.assign(queued.argv.begin(), queued.argv.end());
    last_tick_ = clock_.Now();
    if (session.no_touch) KeepClocks(session, *queued.command);
    CallHandler(session, *queued.command, views, {});
  }
  run_.in_transaction = false;
  run_.time_frozen = false;
  if (run_.effects.empty()) return;
  FlushEffects(journal::Grouping::kTransaction);
  session.written = run_.appended;
}

// Gives the observer what the command answered, while the shards are still held.
void Dispatcher::RunObserved(Session& session, const Command& command, std::span<const std::string_view> argv,
                             std::span<const PlacedKey> keys) {
  OutputBuffer capture(OutputBuffer::kFixedBytesMin);
  OutputBuffer& target = session.reply.Redirect(capture);
  CallHandler(session, command, argv, keys);
  if (!run_.effects.empty()) {
    FlushEffects();
    session.written = run_.appended;
  }
  session.reply.Redirect(target);
  const std::string text = capture.TakeText();
  target.Append(text);
  services_.history->OnCommand(session, argv, session.blocked == nullptr ? text : HistoryObserver::kWaits);
  FinishChanges();
}

void Dispatcher::NoteGate(Session& session, std::span<const uint32_t> shards) {
  const uint64_t appended = std::exchange(run_.appended, 0);
  for (uint32_t shard : shards) {
    const uint64_t offset = std::max(appended, core_.keyspace.journal_offset(shard));
    core_.keyspace.set_journal_offset(shard, offset);
    session.gate = std::max(session.gate, offset);
  }
  session.gate = std::max(session.gate, appended);
}

void Dispatcher::NoteShards(std::span<const uint32_t> shards) {
  const uint64_t appended = std::exchange(run_.appended, 0);
  if (appended == 0 || !gated()) return;
  for (uint32_t shard : shards) {
    core_.keyspace.set_journal_offset(shard, std::max(appended, core_.keyspace.journal_offset(shard)));
  }
}

void Dispatcher::ApplyModes() {
  core_.may_expire = (!paused_ || run_.outruns_pause) && !run_.hides_expired;
  core_.access.SetQuiet(clocks_ == Clocks::kRest || run_.spares_clocks);
}

// A command that had the world may have read or changed any shard (FLUSHALL, SWAPDB).
void Dispatcher::NoteGateEverywhere(Session& session) {
  const uint64_t offset = services_.journal.offset();
  if (run_.appended != 0) {
    for (size_t shard = 0; shard < keyspace::Keyspace::kShards; ++shard) {
      core_.keyspace.set_journal_offset(shard, offset);
    }
  }
  session.gate = std::max(session.gate, offset);
}

void Dispatcher::FlushEffects(journal::Grouping grouping) {
  run_.appended = services_.journal.Append(run_.effects, grouping);
  if (run_.effects.held_bytes() <= kEffectsKeptBytes) return run_.effects.Clear();
  journal::Effects fresh;
  std::swap(run_.effects, fresh);  // an assignment would keep the buffer
}

// An error of a queued command is that command's alone: EXEC, whose reply holds it, did not fail.
void Dispatcher::AccountError(const Session& session, const Command& command) {
  if (command.Is(Flag::kRunsTransaction) && std::exchange(run_.queued_failed, false)) return;
  run_.queued_failed = run_.in_transaction;
  command_stats_.AddFailed(command.id);
  error_stats_.Add(telemetry::ErrorCodeOf(session.reply.last_error()));
}

void Dispatcher::ReportSlow(Session& session, const Command& command, const Call& call, Micros duration) {
  const int64_t seconds = core_.now / 1000;
  services_.latency.AddIfSlow(command.Is(Flag::kFast) ? "fast-command" : "command", duration / 1000, seconds);
  if (session.blocked != nullptr) return;  // it counts with its wait, once that is over
  std::vector<std::string_view> shown(call.argv().begin(), call.argv().end());
  for (size_t i = 0; i < shown.size(); ++i) {
    if (call.redacted(i)) shown[i] = "(redacted)";
  }
  NoteSlow(session, command, shown, duration);
}

void Dispatcher::NoteSlow(const Session& session, const Command& command,
                          std::vector<std::string_view>& shown, Micros duration) {
  if (command.Is(Flag::kSkipSlowlog) || !services_.slow_log.ShouldLog(duration)) return;
  services_.slow_log.Add(core_.now / 1000, duration, shown, session.facts.peer, session.name);
}

void Dispatcher::OnExpired(int database, std::string_view key) {
  const bool lazy = services_.settings.memory.lazyfree_lazy_expire;
  if (services_.journal.active()) run_.effects.Add(database, {lazy ? "UNLINK" : "DEL", key});
  if ((services_.settings.observation.notify_keyspace_events & config::kNotifyExpired) != 0 &&
      services_.notifier != nullptr) {
    services_.notifier->OnKeyspaceEvent(config::kNotifyExpired, "expired", database, key);
  }
}

void Dispatcher::OnSlowToFree(keyspace::Entry* gone) {
  services_.control.Defer([gone] { keyspace::Entry::Destroy(gone); });
}

void Dispatcher::OnNew(int database, std::string_view key) {
  services_.notifier->OnKeyspaceEvent(config::kNotifyNew, "new", database, key);
}

void Dispatcher::OnMissed(int database, std::string_view key) {
  services_.notifier->OnKeyspaceEvent(config::kNotifyMiss, "keymiss", database, key);
}

void Dispatcher::OnFieldsExpired(int database, std::string_view key, std::span<const std::string> fields) {
  if (services_.journal.active()) {
    std::vector<std::string_view> argv = {"HDEL", key};
    argv.insert(argv.end(), fields.begin(), fields.end());
    run_.effects.Add(database, argv);
  }
  if ((services_.settings.observation.notify_keyspace_events & config::kNotifyHash) != 0 &&
      services_.notifier != nullptr) {
    services_.notifier->OnKeyspaceEvent(config::kNotifyHash, "hexpired", database, key);
  }
}

// Replicas see the last field go, and with it the key.
void Dispatcher::OnLastFieldExpired(int database, std::string_view key) {
  if ((services_.settings.observation.notify_keyspace_events & config::kNotifyGeneric) != 0 &&
      services_.notifier != nullptr) {
    services_.notifier->OnKeyspaceEvent(config::kNotifyGeneric, "del", database, key);
  }
}

void Dispatcher::ResetStatistics() {
  command_stats_.Reset();
  error_stats_.Reset();
  for (auto& histogram : histograms_) histogram.reset();
  counters_.commands.Set(0);
  counters_.evicted.Set(0);
  counters_.millis_over_memory.Set(0);
  counters_.expiry_micros.Set(0);
  counters_.expiry_cut_short.Set(0);
  core_.hits = core_.misses = core_.expired = core_.expired_fields = 0;
}

bool Dispatcher::Step(Session& session) {
  const bool muted = session.reply_mode != ReplyMode::kOn;
  if (muted) session.reply.Redirect(discarded_);
  last_tick_ = clock_.Now();
  Call call(*this, core_, session, *session.last_command, {}, {});
  const bool done = session.continuation->Step(call) == Continuation::Progress::kDone;
  // This slice may have seen more than the one before it.
  if (gated()) session.gate = std::max(session.gate, services_.journal.offset());
  if (done) {
    session.continuation.reset();
    session.suspended = false;
  }
  if (!deferred_.empty()) ServeDeferred();
  if (muted) {
    session.reply.Redirect(session.output);
    if (done) AfterReply(session);
  }
  return done;
}

}  // namespace cinnabar::dispatch
