#include "dispatch/script_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/settings.h"
#include "dispatch/dispatcher.h"
#include "dispatch/tracking.h"

namespace cinnabar::dispatch {
namespace {

using keyspace::Database;
using keyspace::Entry;
using keyspace::EntryRef;
using keyspace::Keyspace;

// So long a script runs before others are given a turn, or somebody may ask it to end.
constexpr Nanos kSlice = 500 * kNanosPerMicro;
// A copy of such a value costs less than the script around it.
constexpr size_t kImageBytesMax = 64 * 1024;
constexpr size_t kImageEffortMax = 16;

bool CheapToCopy(const Entry& entry) {
  switch (entry.place()) {
    case keyspace::Place::kInline:
    case keyspace::Place::kInteger:
      return true;
    case keyspace::Place::kShared:
      return entry.block()->size <= kImageBytesMax;
    case keyspace::Place::kObject:
      return entry.object()->free_effort() <= kImageEffortMax;
  }
  return false;
}

}  // namespace

ScriptRun::ScriptRun(Call& outer, Session& inner, const Nature& nature)
    : outer_(outer),
      inner_(inner),
      dispatcher_(outer.dispatcher()),
      context_(dispatcher_.context()),
      nature_(nature),
      alone_(context_.core.keyspace.gate().HeldByCaller() || context_.core.replaying),
      undoable_(!alone_ && nature.may_write &&
                (context_.core.keyspace.locking() || dispatcher_.long_commands().yielding())),
      began_(context_.clock.Now()),
      next_look_(began_ + context_.clock.ToTicks(kSlice)),
      outer_in_transaction_(context_.run.in_transaction),
      outer_time_frozen_(context_.run.time_frozen),
      outer_queued_failed_(context_.run.queued_failed) {
  for (const PlacedKey& placed : outer.keys())
    asked_.push_back(static_cast<uint32_t>(Keyspace::ShardOf(placed.key.hash)));
  Session& caller = outer.session();
  inner_.database = caller.database;
  inner_.unrestricted = caller.unrestricted;
  if (!caller.unrestricted) inner_.user = caller.user;
  inner_.behalf = &caller;
  inner_.reply.set_digits(dispatcher_.digits());
  context_.run.in_transaction = context_.run.time_frozen = true;
  context_.run.script = this;
  if (undoable_) context_.run.held_news = &news_;
  context_.ApplyModes();
}

ScriptRun::~ScriptRun() {
  CHECK(ended_);
  inner_.behalf = nullptr;
  inner_.user.reset();
  inner_.unrestricted = true;
}

std::string ScriptRun::Refusal(bool by_writing_command) const {
  const uint32_t alarms = context_.services.alarms.load(std::memory_order_relaxed);
  const bool obeys = outer_.session().upstream || context_.core.replaying;
  if ((nature_.flags & ScriptFlag::kNoCluster) != 0 && context_.services.settings.cluster.enabled)
    return "ERR Can not run script on cluster, 'no-cluster' flag is set.";
  if ((nature_.flags & ScriptFlag::kSaysNothing) != 0 && (alarms & Alarm::kStale) == 0) return {};
  if ((alarms & Alarm::kStale) != 0 && (nature_.flags & ScriptFlag::kAllowStale) == 0)
    return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
  const bool writes = (nature_.flags & ScriptFlag::kNoWrites) == 0;
  if (writes && !by_writing_command)
    return "ERR Can not execute a script with write flag using *_ro command.";
  if (obeys) return {};
  if (writes) {
    const config::Replication& settings = context_.services.settings.replication;
    if ((alarms & Alarm::kFollows) != 0 && settings.replica_read_only)
      return "READONLY You can not run script with write flag on readonly replica.";
    if ((alarms & Alarm::kDiskTrouble) != 0) {
      if (std::string refusal = context_.services.files->WriteRefusal(); !refusal.empty()) return refusal;
    }
    if (!dispatcher_.admission().EnoughReplicas()) return "NOREPLICAS Not enough good replicas to write.";
    if (context_.memory_full && (nature_.flags & ScriptFlag::kAllowOom) == 0)
      return "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
  }
  return {};
}

// What Redis asks before each command of a script, in its order.
std::string ScriptRun::Objection(const Command* command, std::span<const std::string_view> argv) const {
  if (command == nullptr) return "ERR Unknown Redis command called from script";
  if (!command->AcceptsArgumentCount(argv.size()) || command->run == nullptr)
    return "ERR Wrong number of args calling Redis command from script";
  if (command->Is(Flag::kNoScript) && !context_.services.debug.deny_scripts_disabled)
    return "ERR This Redis command is not allowed from script";
  if (!inner_.unrestricted) {
    if (std::string denial = Denial(*command, argv); !denial.empty()) return denial;
  }
  const uint32_t alarms = context_.services.alarms.load(std::memory_order_relaxed);
  if ((alarms & Alarm::kStale) != 0 && !command->Is(Flag::kStale))
    return "ERR Can not execute the command on a stale replica";
  if (command->Is(Flag::kWrite | Flag::kMayReplicate)) {
    if (std::string objection = WriteObjection(*command); !objection.empty()) return objection;
  }
  if (command->Is(Flag::kDenyOom) && context_.memory_full && !wrote_ && !outer_.session().upstream &&
      !context_.core.replaying && (nature_.flags & ScriptFlag::kAllowOom) == 0)
    return "OOM command not allowed when used memory > 'maxmemory'.";
  return {};
}

// What the rules of the caller's user say.
std::string ScriptRun::Denial(const Command& command, std::span<const std::string_view> argv) const {
  const security::Verdict verdict = dispatcher_.admission().access().Check(*inner_.user, command, argv);
  if (verdict.allowed()) return {};
  context_.services.access->NoteDenial(outer_.session(), command, argv, verdict,
                                       security::DenialContext::kLua);
  return fmt::format("ERR The user executing the script {}", security::ScriptDenial(verdict.reason));
}

bool ScriptRun::MayRun(std::span<const std::string_view> argv) const {
  if (inner_.unrestricted) return true;
  const Command* command = context_.services.registry.Resolve(argv);
  return dispatcher_.admission().access().Check(*inner_.user, *command, argv).allowed();
}

std::string ScriptRun::WriteObjection(const Command& command) const {
  if (!nature_.may_write) return "ERR Write commands are not allowed from read-only scripts.";
  if (!command.Is(Flag::kWrite) || outer_.session().upstream || context_.core.replaying) return {};
  const uint32_t alarms = context_.services.alarms.load(std::memory_order_relaxed);
  if ((alarms & Alarm::kFollows) != 0 && context_.services.settings.replication.replica_read_only)
    return "READONLY You can't write against a read only replica.";
  if ((alarms & Alarm::kDiskTrouble) != 0) {
    if (std::string refusal = context_.services.files->WriteRefusal(); !refusal.empty()) return refusal;
  }
  if (!dispatcher_.admission().EnoughReplicas()) return "NOREPLICAS Not enough good replicas to write.";
  return {};
}

// The script's client is who asks.
Router::Request ScriptRun::Asked(const Command& command, std::span<const std::string_view> argv) const {
  return {.session = outer_.session(),
          .command = command,
          .argv = argv,
          .keys = keys_,
          .writes = command.Is(Flag::kWrite)};
}

// A text without a first line may use the keys of all slots that are here; others keep to one slot, if they
// do not say that they will not. A command of either may not mix slots.
std::string ScriptRun::RouteObjection(const Command& command, const Route& route) {
  using Course = Route::Course;
  switch (route.course) {
    case Course::kHere:
    case Course::kByKeys:
      break;
    case Course::kDownForWrites:
      return "ERR Script attempted to execute a write command while the cluster is down and readonly";
    case Course::kDown:
      return "ERR Script attempted to execute a command while the cluster is down";
    case Course::kCrossSlot:
      return fmt::format(
          "ERR Command '{}' in script attempted to access keys that don't hash to the same slot",
          command.name);
    case Course::kMoved:
    case Course::kAsk:
    case Course::kTryAgain:
    case Course::kUnserved:
      return "ERR Script attempted to access a non local key in a cluster node";
  }
  if (route.slot < 0 || (nature_.flags & (ScriptFlag::kSaysNothing | ScriptFlag::kAllowCrossSlotKeys)) != 0)
    return {};
  if (slot_ < 0) slot_ = NamedSlot().value_or(route.slot);
  if (slot_ == route.slot) return {};
  return "ERR Script attempted to access keys that do not hash to the same slot";
}

// Of the keys that the request names.
std::optional<int> ScriptRun::NamedSlot() {
  positions_.clear();
  FindKeys(outer_.command(), outer_.argv(), positions_);
  if (positions_.empty()) return std::nullopt;
  return Keyspace::SlotOf(context_.core.keyspace.HashOf(outer_.arg(positions_[0].index)));
}

ScriptRun::Ran ScriptRun::Refuse(const Command* command, std::string_view error) {
  inner_.reply.Error(error);
  dispatcher_.telemetry().AccountRefusal(inner_, command);
  return Ran::kDone;
}

ScriptRun::Ran ScriptRun::Run(std::span<const std::string_view> argv) {
  if (abandoned_ || killed_) return Ran::kAbandoned;
  inner_.output.Clear();
  const Command* command = dispatcher_.preparer().Lookup(argv);
  if (const std::string objection = Objection(command, argv); !objection.empty())
    return Refuse(command, objection);
  PlaceKeys(*command, argv);
  Route route;
  if (dispatcher_.admission().router().Routes(outer_.session())) [[unlikely]] {
    route = dispatcher_.admission().router().Find(Asked(*command, argv));
    if (const std::string objection = RouteObjection(*command, route); !objection.empty())
      return Refuse(command, objection);
  }
  if (!Reach(*command, argv)) return Abandon();
  if (route.course == Route::Course::kByKeys) [[unlikely]] {
    route = dispatcher_.admission().router().FindHeld(Asked(*command, argv));
    if (const std::string objection = RouteObjection(*command, route); !objection.empty())
      return Refuse(command, objection);
  }
  if (command->Is(Flag::kWrite)) {
    if (undoable_ && !KeepImages(*command, argv)) return Abandon();
    if (!wrote_ && !BeginWriting()) return Abandon();
  }
  const size_t mark = context_.run.effects.mark();
  dispatcher_.RunInner(inner_, *command, argv, keys_);
  if (outer_.session().tracking != nullptr && command->Is(Flag::kReadOnly)) [[unlikely]]
    NoteReads(*command, argv);
  if (copies_ != ScriptCopies::kAll) [[unlikely]]
    ApplyCopies(mark);
  return Ran::kDone;
}

// A script that reads may have read all that it has named: so Redis sees it. What it reads beyond that is
// noted as well.
void ScriptRun::NoteReads(const Command& command, std::span<const std::string_view> argv) {
  Tracker& tracker = *outer_.session().tracking;
  if (!tracker.notes_reads()) return;
  Tracking& tracking = *context_.services.tracking;
  if (!std::exchange(noted_named_, true))
    tracking.NoteRead(context_, tracker, outer_.command(), outer_.argv(), outer_.keys());
  tracking.NoteRead(context_, tracker, command, argv, keys_);
}

void ScriptRun::PlaceKeys(const Command& command, std::span<const std::string_view> argv) {
  keys_.clear();
  const Keyspace& keyspace = context_.core.keyspace;
  if (command.only_key != 0) {
    const auto index = static_cast<uint32_t>(command.only_key);
    if (index < argv.size()) keys_.push_back({index, command.only_key_use, keyspace.KeyOf(argv[index])});
    return;
  }
  if (command.key_specs == 0) return;
  positions_.clear();
  FindKeys(command, argv, positions_);
  for (const KeyPosition& position : positions_) {
    if ((position.use & KeyUse::kNotKey) == 0)
      keys_.push_back({position.index, position.use, keyspace.KeyOf(argv[position.index])});
  }
}

bool ScriptRun::Holds(size_t shard) const {
  return std::find(asked_.begin(), asked_.end(), static_cast<uint32_t>(shard)) != asked_.end();
}

// A shard that is taken late is held to the end, with the others.
bool ScriptRun::TakeShard(size_t shard) {
  const LongCommands& long_commands = dispatcher_.long_commands();
  if (long_commands.yielding() && long_commands.Holds(shard)) return false;
  if (!context_.core.keyspace.TryLock(shard)) return false;
  context_.run.plan.shards.push_back(static_cast<uint32_t>(shard));
  if (running_ != nullptr) context_.core.keyspace.MarkLong(shard);
  return true;
}

// With one core there is nobody to wait for, unless this run is in the middle of another command.
bool ScriptRun::TakeWorld() {
  keyspace::Keyspace& keyspace = context_.core.keyspace;
  if (keyspace.locking() || dispatcher_.long_commands().yielding()) return false;
  alone_ = keyspace.gate().Close(context_.index);
  if (alone_) context_.run.plan = {.world = true, .shards = {}};
  return alone_;
}

// Whether the command stays inside what the run holds, or what it could have at once.
bool ScriptRun::Reach(const Command& command, std::span<const std::string_view> argv) {
  // What another server has been told cannot be taken back.
  if (command.Is(Flag::kSweep | Flag::kAwaitsPeer) ||
      (command.planned && command.NeedsWorld(argv, context_.services.settings))) {
    strayed_ = true;
    return alone_ || TakeWorld();
  }
  for (const PlacedKey& placed : keys_) {
    const size_t shard = Keyspace::ShardOf(placed.key.hash);
    if (Holds(shard)) continue;
    strayed_ = true;
    if (alone_) continue;
    if (!TakeShard(shard)) return false;
    asked_.push_back(static_cast<uint32_t>(shard));
  }
  return true;
}

bool ScriptRun::KeepImages(const Command& command, std::span<const std::string_view> /*argv*/) {
  for (const PlacedKey& placed : keys_) {
    if ((placed.use & KeyUse::kRo) != 0 && (placed.use & KeyUse::kVariableFlags) == 0) continue;
    if (!KeepImage(inner_.database, placed.key)) return false;
    // MOVE and COPY name another database in their arguments: the key's shard there is the same.
    if (command.name == "move" || command.name == "copy") return false;
  }
  return true;
}

bool ScriptRun::KeepImage(int database, const keyspace::Key& key) {
  for (const Image& image : images_) {
    if (image.database == database && image.hash == key.hash && image.name == key.bytes) return true;
  }
  const EntryRef entry = Database(context_.core, database).Peek(key);
  if (entry && !CheapToCopy(*entry)) return false;
  images_.push_back(
      {database, key.hash, entry ? Entry::Clone(*entry, key.bytes) : nullptr, std::string(key.bytes)});
  return true;
}

bool ScriptRun::BeginWriting() {
  if (running_ != nullptr && !context_.services.running_scripts.BeginWriting(*running_)) {
    killed_ = true;
    return false;
  }
  wrote_ = true;
  return true;
}

ScriptRun::Ran ScriptRun::Abandon() {
  if (!killed_) abandoned_ = true;
  return Ran::kAbandoned;
}

void ScriptRun::ApplyCopies(size_t mark) {
  journal::Effects& effects = context_.run.effects;
  if (copies_ == ScriptCopies::kNone) return effects.DropSince(mark);
  if (copies_ == ScriptCopies::kReplicas) return effects.OnlyForReplicasSince(mark);
  effects.OnlyForFilesSince(mark);
}

void ScriptRun::KeepEffect(int database, std::span<const std::string_view> argv) {
  if (undoable_) kept_.push_back({database, {argv.begin(), argv.end()}});
}

void ScriptRun::Undo() {
  Execution& run = context_.run;
  const bool tells_new = std::exchange(context_.core.tells_new, false);
  for (auto image = images_.rbegin(); image != images_.rend(); ++image) {
    Database database(context_.core, image->database);
    const keyspace::Key key{image->name, image->hash};
    if (const EntryRef now = database.Peek(key)) database.Erase(key, now);
    if (Entry* before = std::exchange(image->before, nullptr); before != nullptr)
      database.Insert(key, before);
  }
  context_.core.tells_new = tells_new;
  run.effects.Clear();
  run.ready = {};
  run.held_news = nullptr;
  context_.ApplyModes();
  for (const KeptEffect& kept : kept_) {
    const std::vector<std::string_view> argv(kept.argv.begin(), kept.argv.end());
    if (context_.services.journal.active()) run.effects.Add(kept.database, argv);
    Database(context_.core, kept.database).MarkChanged(context_.core.keyspace.KeyOf(argv[1]));
  }
}

// What was held back from others.
void ScriptRun::Publish() {
  context_.run.held_news = nullptr;
  context_.ApplyModes();
  for (const keyspace::HeldNews& news : news_)
    Database(context_.core, news.database).TellWaiting({news.key, news.hash});
  undoable_ = false;
  for (const std::function<void()>& work : at_end_) work();
}

bool ScriptRun::End() {
  CHECK(!std::exchange(ended_, true));
  if (running_ != nullptr) EndBusy();
  // A run that was ended by force before the server ends leaves nothing in the journal.
  const bool undone = abandoned_ || (killed_ && undoable_);
  if (undone) {
    if (undoable_) Undo();
  } else {
    if (killed_) context_.run.effects.Clear();
    Publish();
  }
  for (const Image& image : images_) {
    if (image.before != nullptr) Entry::Destroy(image.before);
  }
  Execution& run = context_.run;
  run.in_transaction = outer_in_transaction_;
  run.time_frozen = outer_time_frozen_;
  run.queued_failed = outer_queued_failed_;
  run.script = nullptr;
  run.start_over = abandoned_;
  return !abandoned_;
}

void ScriptRun::Register(Ticks now) {
  running_ = std::make_shared<RunningScript>();
  running_->name = nature_.function;
  running_->argv.assign(outer_.argv().begin(), outer_.argv().end());
  running_->from_primary = outer_.session().upstream;
  running_->began = now;
  running_->wrote = wrote_;
  context_.services.running_scripts.Add(running_);
}

void ScriptRun::BecomeBusy() {
  keyspace::Keyspace& keyspace = context_.core.keyspace;
  const Millis millis = context_.clock.ToMicros(context_.clock.Now() - began_) / 1000;
  context_.services.log.Warning(
      "Slow script detected: still in execution after {} milliseconds. You can try killing the script using "
      "the {} command. Script name is: {}.",
      millis, running_->function() ? "FUNCTION KILL" : "SCRIPT KILL",
      running_->function() ? std::string_view(running_->name) : outer_.arg(1).substr(0, 64));
  // Before anybody is told that it is busy: who hears that may want to kill it.
  context_.services.running_scripts.MakeBusy(*running_);
  if (alone_) {
    keyspace.LockAll();
    context_.services.alarms.fetch_or(Alarm::kBusy, std::memory_order_release);
    keyspace.gate().Lend();
    lent_ = true;
  } else {
    keyspace.gate().Stay(context_.index);
  }
  dispatcher_.long_commands().WakeWaiting();
}

void ScriptRun::EndBusy() {
  keyspace::Keyspace& keyspace = context_.core.keyspace;
  if (lent_) {
    keyspace.gate().TakeBack(context_.index);
    if (!context_.services.ending.load(std::memory_order_relaxed))
      context_.services.alarms.fetch_and(~uint32_t{Alarm::kBusy}, std::memory_order_release);
    keyspace.UnlockAll();
  } else if (running_->busy.load(std::memory_order_relaxed)) {
    keyspace.gate().StayNoLonger(context_.index);
  }
  if (wrote_) context_.services.script_writes.fetch_add(1, std::memory_order_release);
  context_.services.running_scripts.Remove(*running_);
}

bool ScriptRun::Tick() {
  if (abandoned_ || killed_) return false;
  const Ticks now = context_.clock.Now();
  if (now < next_look_) return true;
  if (context_.core.replaying) {
    next_look_ = now + context_.clock.ToTicks(kSlice);
    return true;
  }
  if (running_ == nullptr) Register(began_);
  const Millis threshold = context_.services.settings.scripting.busy_reply_threshold_millis;
  bool busy = running_->busy.load(std::memory_order_relaxed);
  if (!busy && threshold > 0 && now - began_ >= context_.clock.ToTicks(threshold * kNanosPerMilli)) {
    BecomeBusy();
    busy = true;
  }
  if (busy || !alone_) dispatcher_.long_commands().GiveTurn(outer_);
  const Ticks after = context_.clock.Now();
  next_look_ = after + std::max(context_.clock.ToTicks(kSlice), after - now);
  killed_ = running_->killed.load(std::memory_order_acquire);
  return !killed_;
}

}  // namespace cinnabar::dispatch
