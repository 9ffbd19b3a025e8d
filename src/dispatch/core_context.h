// CoreContext: what the parts that execute commands on one core share: the keyspace as this core sees it, the
// run that is on its way, the clock, and the way from effects to the journal.
//
// Owned by the core's Dispatcher and used on its thread; others look at it with the world stopped.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <utility>

#include "base/clock.h"
#include "dispatch/caller.h"
#include "dispatch/execution.h"
#include "dispatch/services.h"
#include "journal/journal.h"
#include "keyspace/database.h"

namespace cinnabar::dispatch {

class Dispatcher;

struct CoreContext {
  CoreContext(Dispatcher& dispatcher, Services& services, int index, uint64_t random_seed);
  CoreContext(const CoreContext&) = delete;
  CoreContext& operator=(const CoreContext&) = delete;

  // Reads the clocks: at the start of a batch, and after work that may have taken long.
  void UpdateTime() {
    last_tick = clock.Now();
    time_read_at = last_tick;
    core.SetNow(clock.WallMillis(last_tick));
  }
  // After a command, which ended at this tick: reads the clocks again when it is time.
  void PassTime(Ticks ended) {
    last_tick = ended;
    if (ended - time_read_at > time_step && !run.time_frozen) [[unlikely]]
      UpdateTime();
  }

  // Lets the keyspace see what the run that is on its way may do: the modes are always derived, never set.
  void ApplyModes() {
    core.may_expire = ((!paused && !follows) || run.outruns_pause) && !run.hides_expired;
    core.access.SetQuiet(clocks_rest || run.spares_clocks);
    core.held_news = run.held_news;
  }

  // Whether replies wait until what they tell is safe (DESIGN §6).
  bool holds_replies() const {
    return (services.alarms.load(std::memory_order_relaxed) & Alarm::kHoldReplies) != 0;
  }
  // Tells subscribers of keyspace events; those of a script that may be taken back wait for its end.
  void NotifyEvent(uint32_t event_class, std::string_view event, int database, std::string_view key);

  // Appends what the run has collected to the journal; on a replica to this server's own files alone. What is
  // replayed is in the journal already, or put there by who replays it. REQUIRES: the shards are held.
  void FlushEffects();
  // A run over these shards ends: they have been told what it appended, and the caller's replies wait for
  // that and for what the shards had been told before. REQUIRES: the shards are held.
  void NoteHold(Caller& caller, std::span<const uint32_t> shards);
  // The same for a command that had the world, which may have read or changed any shard (FLUSHALL, SWAPDB).
  void NoteHoldEverywhere(Caller& caller);
  // The same for changes that no caller made.
  void NoteShards(std::span<const uint32_t> shards);

  Dispatcher& dispatcher;
  Services& services;
  const int index;
  keyspace::CoreState core;
  Execution run;  // the run that is on its way, or the next one; see NestedRun
  TickClock clock;
  Ticks last_tick = 0;
  Ticks time_step = 0;  // the wall time is read anew when this much has passed
  Ticks time_read_at = 0;
  bool paused = false;   // CLIENT PAUSE: the data set stands still, expired keys are hidden and not removed
  bool follows = false;  // a replica: what has expired is hidden, and stays until the primary removes it
  bool memory_full = false;  // the last command that was looked at came with memory over the limit
  bool clocks_rest = false;  // uses of keys leave no trace: each would cost a page that a child shares
};

// While it lives another Execution stands in the place of the one that is on its way, which comes back as it
// was: what runs inside finds nothing of the outer run and leaves nothing to it.
class NestedRun {
 public:
  explicit NestedRun(CoreContext& context) : context_(context), outer_(std::exchange(context.run, {})) {
    context_.ApplyModes();
  }
  ~NestedRun() {
    context_.run = std::move(outer_);
    context_.ApplyModes();
  }
  NestedRun(const NestedRun&) = delete;
  NestedRun& operator=(const NestedRun&) = delete;

 private:
  CoreContext& context_;
  Execution outer_;
};

}  // namespace cinnabar::dispatch
