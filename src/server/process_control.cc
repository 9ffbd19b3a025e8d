#include "server/process_control.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <utility>

#include "base/random.h"
#include "server/info.h"

namespace cinnabar::server {

std::string MakeRunId() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = static_cast<uint64_t>(SystemWallNanos());
  Random random(seed);
  std::string id;
  for (int i = 0; i < 5; ++i) id += fmt::format("{:08x}", static_cast<uint32_t>(random.Next()));
  return id;
}

void ProcessControl::PauseChanged() {
  const bool paused = figures_.services.pause.mode != dispatch::PauseMode::kNone;
  for (auto& core : figures_.cores) {
    Core* target = core.get();
    target->dispatcher().SetPaused(paused);
    if (paused) continue;
    target->Post([target] {
      target->ResumePostponed();
      target->dispatcher().evictor().EvictSoon();
    });
  }
}

std::string ProcessControl::Info(const std::vector<std::string>& sections) {
  return InfoReport(figures_).Text(sections);
}

void ProcessControl::ResetStatistics() {
  for (auto& core : figures_.cores) {
    core->dispatcher().telemetry().Reset();
    core->figures().Reset();
  }
  figures_.listeners.ResetFigures();
  figures_.statistics.Reset();
  figures_.services.access->ResetFigures();
  figures_.client_memory.ResetStatistics();
  figures_.replicas.ResetFigures();
  figures_.following.ResetFigures();
  figures_.defragmentation.ResetFigures();
}

void ProcessControl::Defer(std::function<void()> work) {
  ServerStatistics& statistics = figures_.statistics;
  statistics.lazyfree_pending.fetch_add(1, std::memory_order_relaxed);
  worker_.Defer([&statistics, work = std::move(work)] {
    work();
    statistics.lazyfree_pending.fetch_sub(1, std::memory_order_relaxed);
    statistics.lazyfreed.fetch_add(1, std::memory_order_relaxed);
  });
}

}  // namespace cinnabar::server
