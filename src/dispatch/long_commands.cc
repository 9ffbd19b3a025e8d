#include "dispatch/long_commands.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "net/socket.h"

namespace cinnabar::dispatch {
namespace {

using keyspace::Keyspace;

constexpr Nanos kSlice = 500 * kNanosPerMicro;
// A long command in a turn that another one gave, and so on.
constexpr int kDepthMax = 8;
// No script begins deeper than this: it may run for ever, and must be able to give others a turn, or nobody
// could end it.
constexpr int kScriptDepthMax = kDepthMax / 2;
// A request that has been postponed so often for long commands waits for the next one as for any other.
constexpr uint8_t kPostponementsMax = 8;
// Who waits for a script looks so often whether it has ended.
constexpr std::chrono::microseconds kWaitingStep(200);
// So long work that needs the world waits for one long command after another.
constexpr Nanos kWorldPatience = 5 * kNanosPerSecond;

// The turn that a long command gives to others. Time goes on in it; the command keeps its instant.
class Turn {
 public:
  explicit Turn(CoreContext& context) : context_(context), instant_(context.core.now), run_(context) {
    context_.UpdateTime();
  }
  ~Turn() {
    context_.core.SetNow(instant_);
    context_.time_read_at = 0;  // what comes after the command reads the clock
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  CoreContext& context_;
  const Millis instant_;
  const NestedRun run_;
};

}  // namespace

LongCommands::LongCommands(CoreContext& context, const Admission& admission, telemetry::Counter& yields)
    : context_(context), admission_(admission), yields_(yields), slice_(context.clock.ToTicks(kSlice)) {}

void LongCommands::YieldAlways() {
  context_.core.steps_between_looks = 1;
  slice_ = 0;
}

bool LongCommands::MayYield(const Call& call) const {
  const Execution& run = context_.run;
  return bystanders_ != nullptr && !call.keys().empty() && !run.in_transaction && !context_.core.replaying &&
         run.serving == nullptr && depth_ < kDepthMax && call.session().reply_mode == ReplyMode::kOn &&
         !context_.core.keyspace.gate().HeldByCaller();
}

void LongCommands::NoteLong() {
  if (std::exchange(context_.run.yielded, true)) return;
  context_.services.long_commands.fetch_add(1, std::memory_order_relaxed);
}

void LongCommands::ServeOthers(const TurnWait& wait) {
  const bool outer_yielding = std::exchange(yielding_, true);
  ++depth_;
  yields_.Add();
  {
    const Turn turn(context_);
    bystanders_->Serve(wait);
  }
  --depth_;
  yielding_ = outer_yielding;
}

// Whatever is in the shards of a script is its own until it ends: nobody sees half of what it does. One that
// runs alone has lent the gate, and what others would need is refused by Admission.
void LongCommands::GiveTurn(Call& script) {
  if (bystanders_ == nullptr || depth_ >= kDepthMax || script.session().reply_mode != ReplyMode::kOn ||
      context_.core.replaying)
    return;
  Keyspace& keyspace = context_.core.keyspace;
  const auto outer_shards = held_;
  const auto outer_scripts = of_scripts_;
  if (!keyspace.gate().HeldByCaller()) {
    for (uint32_t shard : context_.run.plan.shards) {
      held_.set(shard);
      of_scripts_.set(shard);
      if (!context_.run.yielded) keyspace.MarkLong(shard);
    }
  }
  NoteLong();
  ServeOthers();
  held_ = outer_shards;
  of_scripts_ = outer_scripts;
}

// A script may run for ever, and it may be a client of this core who ends it.
void LongCommands::WaitServing() {
  if (bystanders_ != nullptr && depth_ < kDepthMax) ServeOthers();
  std::this_thread::sleep_for(kWaitingStep);
}

void LongCommands::CloseGate() {
  while (!context_.core.keyspace.gate().Close(context_.index)) WaitServing();
}

void LongCommands::LockServing(size_t shard) {
  while (!context_.core.keyspace.LockUnlessLong(shard)) WaitServing();
}

// What the command holds is noted for as long as the turn lasts, and what an outer one holds stays noted.
class LongCommands::Held {
 public:
  Held(LongCommands& owner, const Call& call)
      : owner_(owner), outer_shards_(owner.held_), outer_changes_(owner.changed_.size()) {
    Keyspace& keyspace = owner.context_.core.keyspace;
    for (const PlacedKey& placed : call.keys()) {
      const size_t shard = Keyspace::ShardOf(placed.key.hash);
      if (!call.command().Is(Flag::kReadOnly)) owner.changed_.push_back(placed.key.hash);
      owner.held_.set(shard);
      if (!owner.context_.run.yielded) keyspace.MarkLong(shard);
    }
    owner.NoteLong();
  }
  ~Held() {
    owner_.held_ = outer_shards_;
    owner_.changed_.resize(outer_changes_);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  LongCommands& owner_;
  const std::bitset<Keyspace::kShards> outer_shards_;
  const size_t outer_changes_;
};

void LongCommands::YieldIfLong(Call& call) {
  const Ticks began = context_.clock.Now();
  if (began < call.next_yield || began - call.started < slice_ || !MayYield(call)) return;
  {
    const Held held(*this, call);
    ServeOthers();
  }
  // Half of the time at least is the command's own.
  const Ticks ended = context_.clock.Now();
  call.started += ended - began;
  call.next_yield = ended + std::max(slice_, ended - began);
}

// While it lives nobody waits in vain for what the command holds: neither for its shards nor, at the gate,
// for its core.
class LongCommands::PeerWait {
 public:
  PeerWait(LongCommands& owner, const Call& call) : context_(owner.context_) {
    Keyspace& keyspace = context_.core.keyspace;
    alone_ = keyspace.gate().HeldByCaller() || context_.core.replaying || owner.bystanders_ == nullptr;
    if (alone_) return;
    context_.services.peer_waits.fetch_add(1, std::memory_order_relaxed);
    if (!context_.run.yielded && context_.run.in_transaction) {
      for (uint32_t shard : context_.run.plan.shards) keyspace.MarkLong(shard);
    } else if (!context_.run.yielded) {
      for (const PlacedKey& placed : call.keys()) keyspace.MarkLong(Keyspace::ShardOf(placed.key.hash));
    }
    owner.NoteLong();
    Stay();
  }
  ~PeerWait() {
    if (alone_) return;
    context_.core.keyspace.gate().StayNoLonger(context_.index);
    context_.services.peer_waits.fetch_sub(1, std::memory_order_relaxed);
  }
  PeerWait(const PeerWait&) = delete;
  PeerWait& operator=(const PeerWait&) = delete;

  // What has run in a turn may have said that the core stays no longer.
  void Stay() { context_.core.keyspace.gate().Stay(context_.index); }

 private:
  CoreContext& context_;
  bool alone_;
};

// Most answers come sooner than a turn would be worth it.
bool LongCommands::WaitForPeer(Call& call, int fd, uint32_t interest, Nanos until) {
  const Nanos slice = slice_ == 0 ? 0 : kSlice;
  if (net::WaitReady(fd, interest, std::clamp<Nanos>(until - SystemMonotonicNanos(), 0, slice))) return true;
  if (SystemMonotonicNanos() >= until) return false;
  PeerWait waiting(*this, call);
  if (!MayYield(call)) return net::WaitReady(fd, interest, until - SystemMonotonicNanos());
  const Held held(*this, call);
  while (true) {
    // The answer counts that came while others had their turn, however long that was.
    if (net::WaitReady(fd, interest, 0)) return true;
    const Nanos left = until - SystemMonotonicNanos();
    if (left <= 0) return false;
    waiting.Stay();
    ServeOthers({.fd = fd, .interest = interest, .at_most = left});
  }
}

bool LongCommands::OthersCaughtUp(Session& session) {
  return bystanders_ == nullptr || context_.run.in_transaction || context_.core.replaying ||
         context_.core.keyspace.gate().HeldByCaller() || bystanders_->OthersCaughtUp(session);
}

bool LongCommands::WorldIsFree() {
  const Ticks now = context_.clock.Now();
  if (context_.services.running_scripts.busy() != 0 || peers_are_awaited()) return false;
  if (context_.services.long_commands.load(std::memory_order_relaxed) != 0) {
    if (world_wanted_since_ == 0) world_wanted_since_ = now;
    if (now - world_wanted_since_ < context_.clock.ToTicks(kWorldPatience)) return false;
  }
  world_wanted_since_ = 0;
  return true;
}

void LongCommands::End() {
  context_.run.yielded = false;
  context_.services.long_commands.fetch_sub(1, std::memory_order_relaxed);
  bystanders_->LongCommandEnded();
}

LongCommands::Between LongCommands::WhatMayRun(const Session& session, const Command* command,
                                               std::span<const std::string_view> argv,
                                               std::span<const PlacedKey> keys) {
  missed_lock_ = false;
  if (command == nullptr) return Between::kAnything;  // an error
  if ((context_.services.alarms.load(std::memory_order_relaxed) & Alarm::kBusy) != 0) {
    // Admission refuses all the rest.
    return session.upstream ? Between::kNothing : Between::kAnything;
  }
  constexpr uint64_t kUnbounded =
      Flag::kControlsTransaction | Flag::kSweep | Flag::kAdmin | Flag::kAwaitsPeer;
  if (command->Is(kUnbounded)) return Between::kNothing;
  if (command->Is(Flag::kRunsScript) && depth_ >= kScriptDepthMax) return Between::kNothing;
  if (session.in_transaction() || !command->AcceptsArgumentCount(argv.size())) return Between::kAnything;
  // UNWATCH takes the shards of what was watched.
  if (keys.empty() && !session.transaction.watched.empty()) return Between::kNothing;
  if (command->NeedsWorld(argv, context_.services.settings)) return Between::kNothing;
  const bool apart = std::none_of(keys.begin(), keys.end(), [this](const PlacedKey& placed) {
    return held_.test(Keyspace::ShardOf(placed.key.hash));
  });
  if (apart) return Between::kAnything;
  if (std::any_of(keys.begin(), keys.end(), [this](const PlacedKey& placed) {
        return of_scripts_.test(Keyspace::ShardOf(placed.key.hash));
      }))
    return Between::kNothing;
  // A shard of the command that has yielded: what it holds of its tables must stay where it is.
  constexpr uint64_t kMayChange = Flag::kWrite | Flag::kMayReplicate | Flag::kBlocking;
  const bool reads = keys.size() == 1 && command->ungated && !command->Is(kMayChange) &&
                     std::count(changed_.begin(), changed_.end(), keys[0].key.hash) == 0;
  return reads && admission_.Open(session, *command) ? Between::kReads : Between::kNothing;
}

bool LongCommands::Patient(Session& session) {
  missed_lock_ = false;
  if (yielding_) return false;  // what runs in a turn never waits
  // A script may run for ever, and another server may not answer.
  if (context_.services.running_scripts.long_ones() != 0 || peers_are_awaited()) return false;
  return session.postponements++ >= kPostponementsMax;
}

bool LongCommands::LockOrPostpone(Session& session, size_t shard) {
  Keyspace& keyspace = context_.core.keyspace;
  if (yielding_) {
    missed_lock_ = !keyspace.TryBriefly(shard);
    return !missed_lock_;
  }
  if (keyspace.LockUnlessLong(shard)) return true;
  if (!Patient(session)) return false;
  keyspace.Lock(shard);
  return true;
}

}  // namespace cinnabar::dispatch
