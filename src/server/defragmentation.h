// Defragmentation: active defragmentation of the whole server, as the `active-defrag-*` directives say.
//
// Core 0 looks at the allocator's figures four times a second and decides how much of their time the cores
// spend: nothing, or from cycle-min percent at threshold-lower to cycle-max percent at threshold-upper. Each
// core then sweeps its share of the shards in slices of a quarter of a millisecond between its batches, so
// that clients are served between any two slices.
//
// A run ends when the waste is clearly below the threshold, or when a sweep of every core has found next to
// nothing to move: what is wasted then is not in the keyspace, and the next run waits longer and longer.
// Nothing moves while a child writes a file, which would make the kernel copy what both share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "dispatch/services.h"
#include "keyspace/defragmentation.h"
#include "os/slab_compaction.h"
#include "telemetry/counter.h"

namespace cinnabar::server {

class Defragmentation {
 public:
  Defragmentation(dispatch::Services& services, int cores);

  // A slice if one is due, by the core's own thread, inside the gate. Returns in how many milliseconds the
  // next one is due.
  Millis Work(int core);
  // Core 0, some times a second: decides anew. Nothing runs while `held_up`.
  enum class HeldUp : uint8_t { kNo, kYes };
  void Cron(HeldUp held_up);
  // A share of the time for all cores, while core 0 loads data with the world stopped: to be called about
  // every `passed`.
  void WhileLoading(Nanos passed);

  // Percentage of time that is spent; 0: not at work. Any thread.
  int percent() const { return percent_.load(std::memory_order_relaxed); }

  struct Figures {
    uint64_t hits = 0;  // blocks
    uint64_t misses = 0;
    uint64_t key_hits = 0;
    uint64_t key_misses = 0;
    Millis total_time = 0;    // of all runs
    Millis current_time = 0;  // of this one
  };
  // With the world stopped.
  Figures figures() const;
  void ResetFigures();

 private:
  struct alignas(64) Share {
    Share(keyspace::Keyspace& keyspace, size_t first, size_t stride) : sweep(keyspace, first, stride) {}

    os::SlabCompaction compaction;
    keyspace::DefragmentationSweep sweep;
    Nanos next_slice = 0;
    uint64_t offers_before_sweep = 0;
    uint64_t moved_before_sweep = 0;
    uint64_t run = 0;                // the last one it took part in
    std::atomic<uint64_t> spent{0};  // the last run in which a sweep found next to nothing
    telemetry::Counter hits, misses, key_hits, key_misses;
  };

  void RunSlice(Share& share, const TickClock& clock);
  void EndSweep(Share& share);
  void Decide(Nanos now);
  void Begin(Nanos now, int percent);
  void End(Nanos now);
  bool Spent() const;

  dispatch::Services& services_;
  std::vector<std::unique_ptr<Share>> shares_;
  std::atomic<int> percent_{0};
  std::atomic<uint64_t> run_{0};  // the number of the run, from 1 on
  // Core 0's:
  Nanos next_decision_ = 0;
  Nanos began_ = 0;
  double waste_at_begin_ = 0;  // in percent
  Nanos not_before_ = 0;
  Nanos rest_ = 0;  // how long to leave it after a run that found nothing
  Millis total_time_ = 0;
  size_t loading_turn_ = 0;
};

}  // namespace cinnabar::server
