#include "dispatch/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "config/settings.h"
#include "dispatch/args.h"
#include "dispatch/tracking.h"

namespace cinnabar::dispatch {
namespace {

// With the world stopped: the reply may tell of any shard.
constexpr uint64_t kTellsOfData = Flag::kWrite | Flag::kReadOnly | Flag::kMayReplicate | Flag::kSweep;
// What is replayed looks so often whether it can have its locks.
constexpr std::chrono::microseconds kReplayStep(200);

}  // namespace

Dispatcher::Dispatcher(Services& services, int core, uint64_t random_seed)
    : context_(*this, services, core, random_seed),
      preparer_(services.registry, services.keyspace),
      discarded_(OutputBuffer::kFixedBytesMin) {
  context_.core.events = &listener_;
  SettingsChanged();
  UpdateTime();
}

void Dispatcher::SettingsChanged() {
  const config::Settings& settings = context_.services.settings;
  telemetry_.SettingsChanged();
  admission_.SettingsChanged();
  keyspace::CoreState& core = context_.core;
  const auto policy = settings.memory.maxmemory_policy;
  core.access.SetLfu(policy == config::EvictionPolicy::kAllKeysLfu ||
                     policy == config::EvictionPolicy::kVolatileLfu);
  const uint32_t events =
      context_.services.notifier == nullptr ? 0 : settings.observation.notify_keyspace_events;
  core.tells_new = (events & config::kNotifyNew) != 0;
  core.tells_missed = (events & config::kNotifyMiss) != 0;
  core.hands_over_expired = settings.memory.lazyfree_lazy_expire;
  core.hands_over_replaced = settings.memory.lazyfree_lazy_server_del;
  core.access.lfu_log_factor = settings.memory.lfu_log_factor;
  core.access.lfu_decay_minutes = settings.memory.lfu_decay_time_minutes;
}

protocol::Digits Dispatcher::digits() const {
  return context_.services.settings.general.compat_version == config::CompatVersion::k70
             ? protocol::Digits::kSeventeen
             : protocol::Digits::kShortest;
}

// The stream is all that a replica understands: a reply in it would be taken for a part of it.
void Dispatcher::DropReplica(Session& session, std::string_view command) {
  Logger& log = context_.services.log;
  log.Warning("Replica generated a reply to command '{}', disconnecting it: {}", command, session.facts.peer);
  if (std::string_view(discarded_.TakeText()).starts_with('-')) {
    log.Warning(
        "== CRITICAL == This master is sending an error to its replica: '{}' after processing the command "
        "'{}'",
        session.reply.last_error(), command);
  }
  session.closing = Closing::kNow;
}

void Dispatcher::AfterReply(Session& session) {
  if (session.reply_mode == ReplyMode::kOn) return;
  discarded_.Clear();
  session.PassReply();
}

// The handler, and what it leaves behind: the command itself becomes the effect, as it was sent, unless the
// handler has said otherwise.
[[gnu::always_inline]] inline void Dispatcher::CallHandler(Session& session, const Command& command,
                                                           std::span<const std::string_view> argv,
                                                           std::span<const PlacedKey> keys) {
  const char* const text = std::exchange(context_.run.text, nullptr);
  Call call(*this, context_.core, session, command, argv, keys);
  call.started = context_.last_tick;
  const uint64_t errors_before = session.reply.errors();
  command.run(call);
  if (context_.run.put_off || context_.run.start_over) [[unlikely]] {
    context_.last_tick = context_.clock.Now();
    return;
  }
  if (session.tracking != nullptr &&
      !context_.services.tracking->NotedAlready(*session.tracking, command, keys)) [[unlikely]]
    context_.services.tracking->AfterCommand(context_, session, command, argv, keys);
  if (call.dirty() != 0) {
    telemetry_.counters().changes.Add(call.dirty());
    if (context_.services.journal.active() && call.propagates_itself() && !context_.core.replaying &&
        !command.Is(Flag::kRunsTransaction)) {
      if (text != nullptr) {
        const char* const end = argv.back().data() + argv.back().size() + 2;
        context_.run.effects.AddEncoded(session.database, {text, static_cast<size_t>(end - text)});
      } else {
        context_.run.effects.Add(session.database, argv);
      }
    }
  }
  telemetry_.Account(session, command, call, call.started, errors_before);
}

// Gives the observer what the command answered, while the shards are still held. The effects go to the
// journal before, so that the observer sees both in one order.
void Dispatcher::CallObserved(Session& session, const Command& command,
                              std::span<const std::string_view> argv, std::span<const PlacedKey> keys) {
  OutputBuffer capture(OutputBuffer::kFixedBytesMin);
  OutputBuffer& target = session.reply.Redirect(capture);
  CallHandler(session, command, argv, keys);
  if (!context_.run.effects.empty()) {
    context_.FlushEffects();
    session.written = context_.run.appended;
  }
  session.reply.Redirect(target);
  if (context_.run.put_off || context_.run.start_over) return;
  const std::string text = capture.TakeText();
  target.Append(text);
  const bool waits = session.blocked != nullptr;
  using Ran = HistoryObserver::Ran;
  context_.services.history->OnCommand(session, argv, waits ? "" : text, waits ? Ran::kWaits : Ran::kAtOnce);
}

[[gnu::always_inline]] inline void Dispatcher::RunHeld(Session& session, const Command& command,
                                                       std::span<const std::string_view> argv,
                                                       std::span<const PlacedKey> keys) {
  // What the last one appended may be noted nowhere: a message has no shard, and nobody notes while replies
  // are not held. It is no business of this one.
  context_.run.appended = 0;
  if (context_.services.history != nullptr) [[unlikely]] {
    CallObserved(session, command, argv, keys);
  } else {
    CallHandler(session, command, argv, keys);
  }
  if (!context_.run.effects.empty()) {
    if (context_.follows && !context_.core.replaying) [[unlikely]]
      expiry_.NoteOwn(session.database, keys);
    context_.FlushEffects();
    session.written = context_.run.appended;
  }
  blocked_.ServeChanged();
}

Dispatcher::Outcome Dispatcher::Finish(Session& session) {
  blocked_.ServeDeferred();
  if (context_.run.yielded) [[unlikely]]
    long_commands_.End();
  if (!session.suspended) [[likely]]
    return Outcome::kDone;
  return session.blocked != nullptr ? Outcome::kBlocked : Outcome::kSuspended;
}

// Three ways: beside a long command, past all gates at once, and gate by gate.
Dispatcher::Outcome Dispatcher::Execute(Session& session, const Batch& batch, const Request& request) {
  const auto argv = batch.argv(request);
  const auto keys = batch.keys_of(request);
  const Command* command = request.command;
  session.last_command = command;  // also of what is refused or queued
  if (long_commands_.yielding()) [[unlikely]] {
    const LongCommands::Between what = long_commands_.WhatMayRun(session, command, argv, keys);
    if (what == LongCommands::Between::kNothing) return PutOff(session, *command);
    const bool beside = what == LongCommands::Between::kReads;
    if (beside && !admission_.Serves(session, *command, keys)) return PutOff(session, *command);
    if (beside && admission_.HasRight(session, *command, argv, keys)) {
      RunBeside(session, *command, argv, keys);
      return Finish(session);
    }
  }
  if (command != nullptr && command->ungated && admission_.Open(session, *command) &&
      command->AcceptsArgumentCount(argv.size()) && admission_.HasRight(session, *command, argv, keys) &&
      admission_.Serves(session, *command, keys)) [[likely]] {
    if (!RunLocked(session, *command, argv, keys, request.text)) return PutOff(session, *command);
    return Finish(session);
  }
  return ExecuteGated(session, command, argv, keys);
}

// A script that has run for longer than clients should wait may run for ever: they are told.
Dispatcher::Outcome Dispatcher::PutOff(Session& session, const Command& command) {
  if (context_.services.running_scripts.busy() == 0 || command.Is(Flag::kAllowBusy) || session.upstream)
      [[likely]]
    return Outcome::kPostponed;
  admission_.RefuseBusy(session, command);
  return Outcome::kDone;
}

// SHUTDOWN is the one command that needs the world and is let through. Scripts end by force, and until it has
// run nobody sees what they have left behind.
Dispatcher::Ending Dispatcher::EndScripts(Session& session, const Command& command,
                                          std::span<const std::string_view> argv) {
  Services& services = context_.services;
  if (!command.Is(Flag::kWorld) || !command.Is(Flag::kAllowBusy)) return Ending::kNo;
  if (services.running_scripts.busy() == 0) {
    if (services.ending.exchange(false))
      services.alarms.fetch_and(~uint32_t{Alarm::kBusy}, std::memory_order_release);
    return Ending::kNo;
  }
  const bool without_saving =
      std::any_of(argv.begin(), argv.end(), [](std::string_view word) { return SameWord(word, "NOSAVE"); });
  if (!without_saving) {
    admission_.RefuseBusy(session, command);
    return Ending::kRefused;
  }
  services.ending = true;
  services.alarms.fetch_or(Alarm::kBusy, std::memory_order_release);
  services.running_scripts.KillAll();
  return Ending::kWaits;
}

bool Dispatcher::MustWait(Session& session, const Command& command, std::span<const std::string_view> argv) {
  if (context_.services.pause.mode != PauseMode::kNone && admission_.Paused(session, command, argv))
    return true;
  if (session.upstream && (context_.services.alarms.load(std::memory_order_relaxed) & Alarm::kBusy) != 0)
    return true;
  if (command.Is(Flag::kRunsTransaction) && !session.transaction.watch_due.empty()) return true;
  return command.Is(Flag::kAfterOthers) && !session.in_transaction() &&
         !long_commands_.OthersCaughtUp(session);
}

Dispatcher::Outcome Dispatcher::ExecuteGated(Session& session, const Command* command,
                                             std::span<const std::string_view> argv,
                                             std::span<const PlacedKey> keys) {
  const bool muted = session.reply_mode != ReplyMode::kOn;
  if (muted) session.reply.Redirect(discarded_);
  if (session.transaction.watches_due()) [[unlikely]]
    SettleWatches(session);
  if (admission_.Admit(session, command, argv, keys)) {
    const Slot slot = admission_.slot_on_its_way() ? Slot::kOnItsWay : Slot::kStays;
    // What was evicted for it is told before its own reply.
    if (context_.services.tracking != nullptr) context_.services.tracking->WriteArrived(context_.index);
    const Ending ending = EndScripts(session, *command, argv);
    if (ending == Ending::kWaits || (ending == Ending::kNo && MustWait(session, *command, argv))) {
      session.reply.Redirect(session.output);
      return Outcome::kPostponed;
    }
    if (ending == Ending::kRefused) {
      session.reply.Redirect(session.output);
      return Outcome::kDone;
    }
    // On a replica only what writes removes expired keys, where it may write at all.
    OutrunPause(context_.follows ? admission_.Writes(session, *command, argv)
                                 : admission_.MayWrite(session, *command, argv));
    if (session.no_touch) SpareClocks(session, *command);
    if (!RunAdmitted(session, *command, argv, keys, slot)) {
      ReleaseClocks();
      OutrunPause(false);
      session.reply.Redirect(session.output);
      return PutOff(session, *command);
    }
    ReleaseClocks();
  } else {
    NoteRefused(session, argv);
  }
  if (muted || session.reply_mode != ReplyMode::kOn) {
    session.reply.Redirect(session.output);
    if (muted && session.replica() && !discarded_.empty())
      DropReplica(session, command == nullptr ? argv[0] : command->name);
    if (!session.suspended) AfterReply(session);
  }
  if (session.asking && !session.in_transaction()) [[unlikely]]
    session.asking = command != nullptr && command->spec->name == "asking";
  const Outcome outcome = Finish(session);
  OutrunPause(false);
  return outcome;
}

// A transaction keeps it for EXEC; else it runs. False, without a trace, when a long command is in the way.
bool Dispatcher::RunAdmitted(Session& session, const Command& command, std::span<const std::string_view> argv,
                             std::span<const PlacedKey> keys, Slot slot) {
  if (session.in_transaction() && !command.Is(Flag::kControlsTransaction)) {
    if (slot == Slot::kOnItsWay) return QueueIfHere(session, command, argv, keys);
    Queue(session, command, argv);
    return true;
  }
  if (WatchesLater(session, command)) {
    WatchLater(session, argv);
    return true;
  }
  if (slot == Slot::kOnItsWay) return RunWithPlan(session, command, argv, keys, slot);
  return RunLocked(session, command, argv, keys, nullptr);
}

// Reads a key whose shard the command that has yielded holds, and which that one does not change. What has
// expired is hidden and stays.
void Dispatcher::RunBeside(Session& session, const Command& command, std::span<const std::string_view> argv,
                           std::span<const PlacedKey> keys) {
  context_.run.hides_expired = true;
  context_.ApplyModes();
  RunHeld(session, command, argv, keys);
  context_.run.hides_expired = false;
  context_.ApplyModes();
  if (!context_.holds_replies()) return;
  const auto shard = static_cast<uint32_t>(keyspace::Keyspace::ShardOf(keys[0].key.hash));
  context_.NoteHold(session, {&shard, 1});
}

void Dispatcher::Replay(Session& session, const Batch& batch, const Request& request) {
  const Command& command = *request.command;
  const std::span<const std::string_view> argv = batch.argv(request);
  session.last_command = &command;
  if (session.in_transaction() && !command.Is(Flag::kControlsTransaction))
    return Queue(session, command, argv);
  // A run of another core that lasts may be in the way. Nothing that comes behind this record may go first.
  while (!RunLocked(session, command, argv, batch.keys_of(request), nullptr)) {
    std::this_thread::sleep_for(kReplayStep);
  }
}

// The usual case, one key, takes its shard's lock and nothing else.
[[gnu::always_inline]] inline bool Dispatcher::RunLocked(Session& session, const Command& command,
                                                         std::span<const std::string_view> argv,
                                                         std::span<const PlacedKey> keys, const char* text) {
  keyspace::Keyspace& keyspace = context_.core.keyspace;
  if (keys.size() == 1 && !command.planned) [[likely]] {
    const size_t shard = keyspace::Keyspace::ShardOf(keys[0].key.hash);
    if (!keyspace.TryLock(shard) && !long_commands_.LockOrPostpone(session, shard)) [[unlikely]]
      return false;
    context_.run.text = text;
    RunHeld(session, command, argv, keys);
    if (context_.holds_replies()) {
      const auto held = static_cast<uint32_t>(shard);
      context_.NoteHold(session, {&held, 1});
    }
    keyspace.Unlock(shard);
    return true;
  }
  return RunWithPlan(session, command, argv, keys, Slot::kStays);
}

// Commands without keys, with several, and those that need the world.
bool Dispatcher::RunWithPlan(Session& session, const Command& command, std::span<const std::string_view> argv,
                             std::span<const PlacedKey> keys, Slot slot) {
  if (keys.empty() && !command.planned) {
    RunHeld(session, command, argv, keys);
    if (std::exchange(context_.run.put_off, false)) [[unlikely]]
      return false;
    // A sweep over the keyspace: what it saw may be as new as the journal.
    if (context_.holds_replies() && command.Is(Flag::kSweep))
      session.hold_until = std::max(session.hold_until, context_.services.journal.offset());
    return true;
  }
  if (command.Is(Flag::kRunsScript)) return RunScript(session, command, argv, keys, slot);
  context_.run.plan.world = command.NeedsWorld(argv, context_.services.settings);
  PlanKeys(keys);
  if (command.Is(Flag::kRunsTransaction)) PlanTransaction(session);
  if (!LockPlanned(session)) return false;
  RunPlanned(session, command, argv, keys, slot);
  return true;
}

void Dispatcher::RunPlanned(Session& session, const Command& command, std::span<const std::string_view> argv,
                            std::span<const PlacedKey> keys, Slot slot) {
  if (slot == Slot::kStays || AdmittedHeld(session, command, argv, keys))
    RunHeld(session, command, argv, keys);
  EndPlanned(session, command);
}

// Where a slot is on its way: whether the keys that are here let the request run. Nothing was appended.
bool Dispatcher::AdmittedHeld(Session& session, const Command& command,
                              std::span<const std::string_view> argv, std::span<const PlacedKey> keys) {
  context_.run.appended = 0;
  if (admission_.AdmitHeld(session, command, argv, keys)) return true;
  NoteRefused(session, argv);
  return false;
}

void Dispatcher::NoteRefused(Session& session, std::span<const std::string_view> argv) {
  if (context_.services.history == nullptr) return;
  context_.services.history->OnCommand(session, argv, "-" + session.reply.last_error() + "\r\n",
                                       HistoryObserver::Ran::kAtOnce);
}

void Dispatcher::PlanKeys(std::span<const PlacedKey> keys) {
  LockPlan& plan = context_.run.plan;
  plan.shards.clear();
  for (const PlacedKey& placed : keys) {
    plan.shards.push_back(static_cast<uint32_t>(keyspace::Keyspace::ShardOf(placed.key.hash)));
  }
}

// What was written and read is noted, and the locks are let go.
void Dispatcher::EndPlanned(Session& session, const Command& command) {
  const LockPlan& plan = context_.run.plan;
  if (context_.holds_replies()) {
    // An operator's question about the server does not wait for what clients wrote. Nor does a sentinel's
    // transaction that makes this server a primary: nobody follows it before the sentinel has its answer.
    const bool tells = command.Is(Flag::kRunsTransaction) ? plan.tells_of_data : command.Is(kTellsOfData);
    if (plan.world && (tells || context_.run.appended != 0)) context_.NoteHoldEverywhere(session);
    context_.NoteHold(session, plan.shards);
  }
  UnlockPlanned();
}

bool Dispatcher::RunScript(Session& session, const Command& command, std::span<const std::string_view> argv,
                           std::span<const PlacedKey> keys, Slot slot) {
  bool alone = context_.services.scripts->PlaceOf(command, argv, context_.index) == Scripts::Place::kAlone;
  while (true) {
    context_.run.plan.world = alone;
    PlanKeys(keys);
    if (!LockPlanned(session)) {
      context_.run.restarted = false;
      return false;
    }
    RunPlanned(session, command, argv, keys, slot);
    context_.run.restarted = false;
    if (!std::exchange(context_.run.start_over, false)) [[likely]]
      return true;
    if (context_.run.yielded) long_commands_.End();
    alone = context_.run.restarted = true;
  }
}

void Dispatcher::RunInner(Session& inner, const Command& command, std::span<const std::string_view> argv,
                          std::span<const PlacedKey> keys) {
  context_.last_tick = context_.clock.Now();
  CallHandler(inner, command, argv, keys);
}

void Dispatcher::AddShards(const Command& command, std::span<const std::string_view> argv) {
  positions_.clear();
  FindKeys(command, argv, positions_);
  for (const KeyPosition& position : positions_) {
    if ((position.use & KeyUse::kNotKey) != 0) continue;
    const uint64_t hash = context_.core.keyspace.HashOf(argv[position.index]);
    context_.run.plan.shards.push_back(static_cast<uint32_t>(keyspace::Keyspace::ShardOf(hash)));
  }
}

// The union of what the queued commands and the watched keys need, for the whole block.
void Dispatcher::PlanTransaction(const Session& session) {
  LockPlan& plan = context_.run.plan;
  // That nothing ran tells of the keys that were watched.
  plan.tells_of_data = !session.transaction.watched.empty();
  std::vector<std::string_view> views;
  for (const QueuedCommand& queued : session.transaction.queue) {
    plan.tells_of_data |= queued.command->Is(kTellsOfData);
    views.assign(queued.argv.begin(), queued.argv.end());
    if (queued.command->Is(Flag::kSweep | Flag::kRunsScript) ||
        queued.command->NeedsWorld(views, context_.services.settings)) {
      plan.world = true;
    }
    AddShards(*queued.command, views);
  }
  for (const WatchedKey& watched : session.transaction.watched) {
    plan.shards.push_back(static_cast<uint32_t>(keyspace::Keyspace::ShardOf(watched.hash)));
  }
}

// Shards are locked in ascending order, everywhere: no two commands can wait for each other.
bool Dispatcher::LockPlanned(Session& session) {
  keyspace::Keyspace& keyspace = context_.core.keyspace;
  LockPlan& plan = context_.run.plan;
  if (keyspace.gate().HeldByCaller()) {
    plan = {};  // there is nobody to lock out
    return true;
  }
  if (plan.world) {
    const bool long_commands = context_.services.long_commands.load(std::memory_order_relaxed) != 0;
    if (long_commands && !long_commands_.Patient(session)) return false;
    return keyspace.gate().Close(context_.index);
  }
  if (!keyspace.locking()) return true;
  std::sort(plan.shards.begin(), plan.shards.end());
  plan.shards.erase(std::unique(plan.shards.begin(), plan.shards.end()), plan.shards.end());
  for (size_t i = 0; i < plan.shards.size(); ++i) {
    if (long_commands_.LockOrPostpone(session, plan.shards[i])) continue;
    while (i > 0) keyspace.Unlock(plan.shards[--i]);
    return false;
  }
  return true;
}

void Dispatcher::UnlockPlanned() {
  keyspace::Keyspace& keyspace = context_.core.keyspace;
  if (context_.run.plan.world) {
    keyspace.gate().Open(context_.index);
    UpdateTime();
    return;
  }
  if (!keyspace.locking()) return;
  for (uint32_t shard : context_.run.plan.shards) keyspace.Unlock(shard);
}

// The user may have lost rights since the command was queued.
bool Dispatcher::MayStillRun(Session& session, const Command& command,
                             std::span<const std::string_view> argv) {
  if (session.user == nullptr) return true;
  const security::Verdict verdict = admission_.access().Check(*session.user, command, argv);
  if (verdict.allowed()) return true;
  context_.services.access->NoteDenial(session, command, argv, verdict, security::DenialContext::kMulti);
  session.reply.Error(fmt::format(
      "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This "
      "command is no longer allowed for the following reason: {}",
      security::QueueDenial(verdict.reason)));
  telemetry_.AccountRefusal(session, &command);
  return false;
}

// EXEC's work. It stands here, not with the rest of transactions, to share the inlined handler call.
void Dispatcher::RunQueued(Session& session) {
  std::vector<QueuedCommand> queue = std::move(session.transaction.queue);
  session.transaction.Reset();
  session.reply.Array(queue.size());
  session.transaction.running = queue.size();
  context_.run.in_transaction = true;
  context_.run.time_frozen = true;
  std::vector<std::string_view> views;
  for (const QueuedCommand& queued : queue) {
    views.assign(queued.argv.begin(), queued.argv.end());
    if (!session.unrestricted && !MayStillRun(session, *queued.command, views)) continue;
    context_.last_tick = context_.clock.Now();
    if (session.no_touch) SpareClocks(session, *queued.command);
    CallHandler(session, *queued.command, views, {});
  }
  context_.run.in_transaction = false;
  context_.run.time_frozen = false;
  session.transaction.running = 0;
  if (context_.run.effects.empty()) return;
  context_.FlushEffects();
  session.written = context_.run.appended;
}

// A write that comes past a pause: either the time of the pause is over, although it counts until all cores
// have heard of that, or the pause begins in the write's own transaction. If expired keys were only hidden
// from it, it would make a second key beside the old one.
void Dispatcher::OutrunPause(bool outruns) {
  if (context_.run.outruns_pause == outruns) return;
  context_.run.outruns_pause = outruns;
  context_.ApplyModes();
}

// CLIENT NO-TOUCH: the commands of this session leave access clocks alone, except the one whose purpose they
// are.
void Dispatcher::SpareClocks(const Session& session, const Command& command) {
  context_.run.spares_clocks = session.no_touch && command.name != "touch";
  context_.ApplyModes();
}

void Dispatcher::ReleaseClocks() {
  if (!context_.run.spares_clocks) return;
  context_.run.spares_clocks = false;
  context_.ApplyModes();
}

bool Dispatcher::Step(Session& session) {
  const bool muted = session.reply_mode != ReplyMode::kOn;
  if (muted) session.reply.Redirect(discarded_);
  context_.last_tick = context_.clock.Now();
  Call call(*this, context_.core, session, *session.last_command, {}, {});
  const bool done = session.continuation->Step(call) == Continuation::Progress::kDone;
  // This slice may have seen more than the one before it.
  if (context_.holds_replies())
    session.hold_until = std::max(session.hold_until, context_.services.journal.offset());
  if (done) {
    session.continuation.reset();
    session.suspended = false;
  }
  blocked_.ServeDeferred();
  if (muted) {
    session.reply.Redirect(session.output);
    if (done) AfterReply(session);
  }
  return done;
}

}  // namespace cinnabar::dispatch
