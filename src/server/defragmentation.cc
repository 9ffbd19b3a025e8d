#include "server/defragmentation.h"

#include <algorithm>

#include "config/settings.h"
#include "dispatch/dispatcher.h"
#include "os/allocator.h"
#include "server/core.h"
#include "telemetry/latency_monitor.h"

namespace cinnabar::server {
namespace {

using Rule = os::SlabCompaction::Rule;

constexpr Nanos kSlice = 250 * kNanosPerMicro;
// A core that comes late, because clients kept it busy, makes up for no more than this.
constexpr Nanos kLagMax = 5 * kNanosPerMilli;
constexpr Nanos kDecisionInterval = 250 * kNanosPerMilli;
// Waste below this part of the limits ends a run: it shall not begin again at once.
constexpr double kEnough = 0.8;
// A sweep that moves fewer blocks in a thousand has found next to nothing.
constexpr uint64_t kGainMinPerThousand = 2;
// What makes a run useful: that no more than this part of the waste is left.
constexpr double kUseful = 0.9;
constexpr Nanos kRestMin = kNanosPerSecond;
constexpr Nanos kRestMax = 300 * kNanosPerSecond;

int Effort(const config::Memory& settings, double waste_percent) {
  const auto lower = static_cast<double>(settings.active_defrag_threshold_lower);
  const auto upper = static_cast<double>(settings.active_defrag_threshold_upper);
  const auto least = static_cast<double>(settings.active_defrag_cycle_min);
  const auto most = static_cast<double>(settings.active_defrag_cycle_max);
  const double part = upper > lower ? std::clamp((waste_percent - lower) / (upper - lower), 0.0, 1.0) : 1.0;
  return static_cast<int>(std::min(least + part * (most - least), std::max(least, most)));
}

}  // namespace

Defragmentation::Defragmentation(dispatch::Services& services, int cores) : services_(services) {
  for (int core = 0; core < cores; ++core) {
    shares_.push_back(
        std::make_unique<Share>(services.keyspace, static_cast<size_t>(core), static_cast<size_t>(cores)));
  }
}

Millis Defragmentation::Work(int core) {
  const int percent = this->percent();
  if (percent == 0) return CoreWork::kNoWork;
  Share& share = *shares_[static_cast<size_t>(core)];
  if (share.spent.load(std::memory_order_relaxed) == run_.load(std::memory_order_relaxed))
    return CoreWork::kNoWork;
  Nanos now = SystemMonotonicNanos();
  if (now >= share.next_slice) {
    RunSlice(share, services_.dispatchers[static_cast<size_t>(core)]->clock());
    const Nanos began = now;
    now = SystemMonotonicNanos();
    services_.latency.AddIfSlow("active-defrag-cycle", (now - began) / kNanosPerMilli,
                                SystemWallNanos() / kNanosPerSecond);
    share.next_slice = std::max(share.next_slice, began - kLagMax) + (now - began) * 100 / percent;
  }
  const Nanos left = share.next_slice - now;
  return left <= 0 ? 0 : std::min<Millis>((left + kNanosPerMilli - 1) / kNanosPerMilli, CoreWork::kNoWork);
}

void Defragmentation::RunSlice(Share& share, const TickClock& clock) {
  const uint64_t run = run_.load(std::memory_order_relaxed);
  const uint64_t offers = share.compaction.offers();
  const uint64_t moved = share.compaction.moved();
  if (share.run != run) {
    share.run = run;
    share.compaction.set_rule(Rule::kBelowTheMean);
    share.offers_before_sweep = offers;
    share.moved_before_sweep = moved;
    os::SlabCompaction::FlushThreadCache();
  }
  const uint64_t keys_moved = share.sweep.keys_moved();
  const uint64_t keys_left = share.sweep.keys_left();
  const auto elements = static_cast<size_t>(services_.settings.memory.active_defrag_max_scan_fields);
  const auto progress =
      share.sweep.Run(share.compaction, elements, clock, clock.Now() + clock.ToTicks(kSlice));
  const uint64_t moved_now = share.compaction.moved() - moved;
  share.hits.Add(moved_now);
  share.misses.Add(share.compaction.offers() - offers - moved_now);
  share.key_hits.Add(share.sweep.keys_moved() - keys_moved);
  share.key_misses.Add(share.sweep.keys_left() - keys_left);
  if (progress == keyspace::DefragmentationSweep::Progress::kThrough) EndSweep(share);
}

void Defragmentation::EndSweep(Share& share) {
  const uint64_t offers = share.compaction.offers() - share.offers_before_sweep;
  const uint64_t moved = share.compaction.moved() - share.moved_before_sweep;
  share.offers_before_sweep += offers;
  share.moved_before_sweep += moved;
  os::SlabCompaction::FlushThreadCache();
  if (moved * 1000 > offers * kGainMinPerThousand) return;
  if (share.compaction.rule() == Rule::kBelowTheMean) {
    share.compaction.set_rule(Rule::kThorough);
  } else {
    share.spent.store(share.run, std::memory_order_relaxed);
  }
}

bool Defragmentation::Spent() const {
  return std::ranges::all_of(shares_, [this](const auto& share) {
    return share->spent.load(std::memory_order_relaxed) == run_.load(std::memory_order_relaxed);
  });
}

void Defragmentation::Cron(HeldUp held_up) {
  const Nanos now = SystemMonotonicNanos();
  if (held_up == HeldUp::kYes || !services_.settings.memory.activedefrag) {
    if (percent() != 0) End(now);
    rest_ = not_before_ = 0;
    return;
  }
  Decide(now);
}

void Defragmentation::Decide(Nanos now) {
  if (now < next_decision_) return;
  next_decision_ = now + kDecisionInterval;
  const config::Memory& settings = services_.settings.memory;
  const os::AllocatorStats stats = os::ReadAllocatorStats();
  const double percent = (stats.FragmentationRatio() - 1) * 100;
  const auto bytes = static_cast<double>(stats.FragmentationBytes());
  const auto lower = static_cast<double>(settings.active_defrag_threshold_lower);
  const auto ignored = static_cast<double>(settings.active_defrag_ignore_bytes);
  if (this->percent() == 0) {
    if (percent >= lower && bytes >= ignored && now >= not_before_) {
      waste_at_begin_ = percent;
      Begin(now, Effort(settings, percent));
    }
    return;
  }
  if (percent < lower * kEnough || bytes < ignored * kEnough) {
    rest_ = 0;
    return End(now);
  }
  if (Spent()) {
    // A run that was of use is worth trying again soon.
    const bool useful = percent < waste_at_begin_ * kUseful;
    rest_ = useful ? kRestMin : std::clamp(rest_ * 2, kRestMin, kRestMax);
    not_before_ = now + rest_;
    return End(now);
  }
  // Once begun, the effort does not fall with the waste, or the end would take longest.
  const int most =
      static_cast<int>(std::max(settings.active_defrag_cycle_min, settings.active_defrag_cycle_max));
  percent_.store(std::min(std::max(this->percent(), Effort(settings, percent)), most),
                 std::memory_order_relaxed);
}

void Defragmentation::Begin(Nanos now, int percent) {
  began_ = now;
  run_.fetch_add(1, std::memory_order_relaxed);
  percent_.store(percent, std::memory_order_relaxed);
  services_.log.Verbose("Starting active defrag at {}% of the cores' time", percent);
}

void Defragmentation::End(Nanos now) {
  total_time_ += (now - began_) / kNanosPerMilli;
  percent_.store(0, std::memory_order_relaxed);
  services_.log.Verbose("Active defrag done in {} ms", (now - began_) / kNanosPerMilli);
}

void Defragmentation::WhileLoading(Nanos passed) {
  if (!services_.settings.memory.activedefrag) return;
  Decide(SystemMonotonicNanos());
  const int percent = this->percent();
  if (percent == 0) return;
  const TickClock& clock = services_.dispatchers[0]->clock();
  for (Nanos left = passed * percent / (100 - percent); left > 0 && !Spent(); left -= kSlice) {
    Share& share = *shares_[loading_turn_++ % shares_.size()];
    if (share.spent.load(std::memory_order_relaxed) != run_.load(std::memory_order_relaxed)) {
      RunSlice(share, clock);
    }
  }
}

Defragmentation::Figures Defragmentation::figures() const {
  Figures sum;
  for (const auto& share : shares_) {
    sum.hits += share->hits.Get();
    sum.misses += share->misses.Get();
    sum.key_hits += share->key_hits.Get();
    sum.key_misses += share->key_misses.Get();
  }
  if (percent() != 0) sum.current_time = (SystemMonotonicNanos() - began_) / kNanosPerMilli;
  sum.total_time = total_time_ + sum.current_time;
  return sum;
}

void Defragmentation::ResetFigures() {
  for (const auto& share : shares_) {
    for (telemetry::Counter* counter : {&share->hits, &share->misses, &share->key_hits, &share->key_misses}) {
      counter->Set(0);
    }
  }
  total_time_ = 0;
  began_ = SystemMonotonicNanos();
}

}  // namespace cinnabar::server
