// The server as a process: signals, watchdogs, the kernel's out-of-memory score, and what a crash report
// says.
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "os/cpus.h"
#include "server/cpu_lists.h"
#include "server/server.h"

namespace cinnabar::server {
namespace {

os::OomScoreMode ModeOf(config::OomScoreAdj mode) {
  switch (mode) {
    case config::OomScoreAdj::kNo:
      return os::OomScoreMode::kNo;
    case config::OomScoreAdj::kRelative:
      return os::OomScoreMode::kRelative;
    case config::OomScoreAdj::kAbsolute:
      return os::OomScoreMode::kAbsolute;
  }
  return os::OomScoreMode::kNo;
}

}  // namespace

void Server::OnSignalAgain(void* context, int signal, int unanswered) {
  const Server& server = *static_cast<const Server*>(context);
  if (signal != SIGINT || (unanswered < 2 && !server.stopping_.load() && !server.shutting_down_.load()))
    return;
  if (server.files_ != nullptr) server.files_->snapshots().RemoveUnfinished();
  RawWriter(server.log_.fd()).Prefix().Text("You insist... exiting now.").EndLine();
  _exit(1);
}

void Server::RunCore(size_t index) {
  ThreadGuards guards(log_);
  guards_[index] = &guards;
  // Another core may be changing the settings already.
  keyspace_->gate().Enter(static_cast<int>(index));
  ApplyWatchdog(index);
  BindThisThread(settings_.general.server_cpulist, "server-cpulist", log_);
  keyspace_->gate().Leave(static_cast<int>(index));
  // Several cores are each woken more often for less. Where CPUs are short, a core that interrupted its
  // clients for every single request would pay a wake-up for each; one that waits its turn finds several
  // (bench/README.md).
  if (cores_.size() > 1) {
    if (Status batch = os::UseBatchScheduling(); !batch) log_.Verbose("{}", batch.error().message);
  }
  cores_[index]->Run();
  guards_[index] = nullptr;
}

void Server::ApplyWatchdog(size_t index) {
  Millis period = settings_.testing.watchdog_period_millis;
  // It is wound up once per cron tick.
  if (period > 0) period = std::max<Millis>(period, 2 * 1000 / std::max<int64_t>(settings_.general.hz, 1));
  guards_[index]->watchdog.SetPeriod(period);
}

Status Server::ApplyOomScore(const config::Settings& settings) {
  const auto& wanted = settings.general.oom_score_adj_values;
  const os::OomScore::Values values = {static_cast<int>(wanted[0]), static_cast<int>(wanted[1]),
                                       static_cast<int>(wanted[2])};
  Status applied =
      oom_score_.Apply(ModeOf(settings.general.oom_score_adj), values, os::OomScoreRole::kMaster);
  if (applied) return {};
  log_.Warning("{}", applied.error().message);
  return Fail("Failed to set current oom_score_adj. Check server logs.");
}

void Server::RegisterProcessAppliers() {
  config_.RegisterApplier(
      {"oom-score-adj", "oom-score-adj-values"},
      [this](const config::Settings&, config::Settings& now) { return ApplyOomScore(now); });
  // Each thread arms its own timer, before it takes further requests.
  config_.RegisterApplier({"watchdog-period"}, [this](const config::Settings&, config::Settings&) -> Status {
    for (size_t i = 0; i < cores_.size(); ++i) {
      cores_[i]->Post([this, i] { ApplyWatchdog(i); });
    }
    return {};
  });
}

void Server::WriteCrashSections(RawWriter& out) const {
  out.Text("\n------ INFO OUTPUT ------").EndLine();
  out.Text("redis_version:").Text(config::RedisVersion(settings_.general.compat_version)).EndLine();
  out.Text("cinnabar_version:").Text(options_.version).EndLine();
  out.Text("run_id:").Text(run_id_).EndLine();
  out.Text("tcp_port:").Number(settings_.network.port).EndLine();
  out.Text("uptime_in_seconds:").Number((SystemWallNanos() / kNanosPerMilli - started_at_) / 1000).EndLine();
  out.Text("used_memory_peak:").Number(static_cast<int64_t>(peak_memory_)).EndLine();
  out.Text("total_connections_received:").Number(static_cast<int64_t>(connections_received_)).EndLine();
  for (size_t i = 0; i < cores_.size(); ++i) {
    out.Text("core").Number(static_cast<int64_t>(i));
    out.Text(":connections=").Number(static_cast<int64_t>(cores_[i]->connection_count()));
    out.Text(",commands=")
        .Number(static_cast<int64_t>(dispatchers_[i]->telemetry().counters().commands.Get()))
        .EndLine();
  }
}

}  // namespace cinnabar::server
