// Long commands: one that visits millions of elements lets the other clients of its core have their turn
// every half a millisecond. They run in between, on its stack, while it keeps its shards.
//
// What runs in between may not wait for a lock, since the command that has yielded holds some and would wait
// with it, against their order: it tries, and is postponed if that fails. It is postponed as well when it
// needs a shard of the command that has yielded, or the world, or several shards one after another (a sweep,
// EXEC, UNWATCH). A client of another core that needs such a shard is postponed by its core, which goes on
// with its other clients (ShardLock::MarkLong).
#include <algorithm>
#include <utility>

#include "dispatch/dispatcher.h"

namespace cinnabar::dispatch {
namespace {

using keyspace::Keyspace;

// A long command in a turn that another one gave, and so on.
constexpr int kDepthMax = 8;
// A request that long commands were in the way of so often waits for the next one as for any other.
constexpr uint8_t kPostponementsMax = 8;
// So long work that needs the world waits for one long command after another.
constexpr Nanos kWorldPatience = 5 * kNanosPerSecond;

}  // namespace

// While it lives another Execution stands in the place of the command's own, which comes back as it was: what
// runs in the turn finds nothing of that command and leaves nothing to it. Time goes on in the turn; the
// command keeps its instant.
class Dispatcher::NestedTurn {
 public:
  explicit NestedTurn(Dispatcher& dispatcher)
      : dispatcher_(dispatcher), outer_(std::exchange(dispatcher.run_, {})), instant_(dispatcher.core_.now) {
    dispatcher_.ApplyModes();
    dispatcher_.UpdateTime();
  }
  ~NestedTurn() {
    dispatcher_.run_ = std::move(outer_);
    dispatcher_.ApplyModes();
    dispatcher_.core_.SetNow(instant_);
    dispatcher_.time_read_at_ = 0;  // who comes after the command reads the clock
  }
  NestedTurn(const NestedTurn&) = delete;
  NestedTurn& operator=(const NestedTurn&) = delete;

 private:
  Dispatcher& dispatcher_;
  Execution outer_;
  const Millis instant_;
};

bool Dispatcher::MayYield(const Call& call) const {
  return bystanders_ != nullptr && !call.keys().empty() && !run_.in_transaction && !core_.replaying &&
         run_.serving == nullptr && yield_depth_ < kDepthMax && call.session().reply_mode == ReplyMode::kOn &&
         !core_.keyspace.gate().HeldByCaller();
}

void Dispatcher::YieldIfLong(Call& call) {
  const Ticks began = clock_.Now();
  if (began < call.next_yield || began - call.started < yield_slice_ || !MayYield(call)) return;
  const auto outer_shards = held_for_long_;
  const size_t outer_changes = changed_for_long_.size();
  if (!call.command().Is(Flag::kReadOnly)) {
    for (const PlacedKey& placed : call.keys()) changed_for_long_.push_back(placed.key.hash);
  }
  for (const PlacedKey& placed : call.keys()) held_for_long_.set(Keyspace::ShardOf(placed.key.hash));
  if (!run_.yielded) {
    for (const PlacedKey& placed : call.keys()) core_.keyspace.MarkLong(Keyspace::ShardOf(placed.key.hash));
    services_.long_commands.fetch_add(1, std::memory_order_relaxed);
  }
  const bool outer_yielding = std::exchange(yielding_, true);
  ++yield_depth_;
  counters_.yields.Add();
  {
    const NestedTurn turn(*this);
    bystanders_->Serve();
  }
  --yield_depth_;
  run_.yielded = true;
  yielding_ = outer_yielding;
  held_for_long_ = outer_shards;
  changed_for_long_.resize(outer_changes);
  // Half of the time at least is the command's own.
  const Ticks ended = clock_.Now();
  call.started += ended - began;
  call.next_yield = ended + std::max(yield_slice_, ended - began);
}

bool Dispatcher::WorldIsFree() {
  const Ticks now = clock_.Now();
  if (services_.long_commands.load(std::memory_order_relaxed) != 0) {
    if (world_wanted_since_ == 0) world_wanted_since_ = now;
    if (now - world_wanted_since_ < clock_.ToTicks(kWorldPatience)) return false;
  }
  world_wanted_since_ = 0;
  return true;
}

void Dispatcher::EndLongCommand() {
  run_.yielded = false;
  services_.long_commands.fetch_sub(1, std::memory_order_relaxed);
  bystanders_->LongCommandEnded();
}

Dispatcher::Between Dispatcher::WhatMayRun(const Session& session, const Command* command,
                                           std::span<const std::string_view> argv,
                                           std::span<const PlacedKey> keys) const {
  if (command == nullptr) return Between::kAnything;  // an error
  constexpr uint64_t kUnbounded = Flag::kControlsTransaction | Flag::kSweep | Flag::kAdmin;
  if (command->Is(kUnbounded)) return Between::kNothing;
  if (session.in_transaction() || !command->AcceptsArgumentCount(argv.size())) return Between::kAnything;
  // UNWATCH takes the shards of what was watched.
  if (keys.empty() && !session.transaction.watched.empty()) return Between::kNothing;
  if (command->NeedsWorld(argv)) return Between::kNothing;
  const bool apart = std::none_of(keys.begin(), keys.end(), [this](const PlacedKey& placed) {
    return held_for_long_.test(Keyspace::ShardOf(placed.key.hash));
  });
  if (apart) return Between::kAnything;
  // A shard of the command that has yielded: what it holds of its tables must stay where it is.
  constexpr uint64_t kMayChange = Flag::kWrite | Flag::kMayReplicate | Flag::kBlocking;
  const bool plain = session.authenticated && session.reply_mode == ReplyMode::kOn && !session.no_touch &&
                     services_.pause.mode == PauseMode::kNone && !session.only_listens() &&
                     !writes_guarded_ &&
                     (services_.alarms.load(std::memory_order_relaxed) & ~Alarm::kGatedReplies) == 0;
  const bool reads = keys.size() == 1 && command->ungated && !command->Is(kMayChange) &&
                     std::count(changed_for_long_.begin(), changed_for_long_.end(), keys[0].key.hash) == 0;
  return plain && reads ? Between::kReads : Between::kNothing;
}

bool Dispatcher::Patient(Session& session) {
  missed_lock_ = false;
  return session.postponements++ >= kPostponementsMax;
}

bool Dispatcher::LockOrPostpone(Session& session, size_t shard) {
  Keyspace& keyspace = core_.keyspace;
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
