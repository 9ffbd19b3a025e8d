// The server as a process: the kernel's out-of-memory score, and what a crash report says.
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

Status Server::ApplyOomScore(const config::Settings& settings) {
  const auto& wanted = settings.general.oom_score_adj_values;
  const os::OomScore::Values values = {static_cast<int>(wanted[0]), static_cast<int>(wanted[1]),
                                       static_cast<int>(wanted[2])};
  Status applied = oom_score_.Apply(ModeOf(settings.general.oom_score_adj), values,
                                    role_.follows() ? os::OomScoreRole::kReplica : os::OomScoreRole::kMaster);
  if (applied) return {};
  log_.Warning("{}", applied.error().message);
  return Fail("Failed to set current oom_score_adj. Check server logs.");
}

void Server::RegisterProcessAppliers() {
  config_.RegisterApplier(
      {"oom-score-adj", "oom-score-adj-values"},
      [this](const config::Settings&, config::Settings& now) { return ApplyOomScore(now); });
  config_.RegisterApplier({"watchdog-period"}, [this](const config::Settings&, config::Settings&) -> Status {
    threads_.ApplyWatchdogs();
    return {};
  });
}

void Server::WriteCrashSections(RawWriter& out) const {
  out.Text("\n------ INFO OUTPUT ------").EndLine();
  out.Text("redis_version:").Text(config::RedisVersion(settings_.general.compat_version)).EndLine();
  out.Text("cinnabar_version:").Text(options_.version).EndLine();
  out.Text("run_id:").Text(identity_.run_id).EndLine();
  out.Text("tcp_port:")
      .Number(settings_.network.port != 0 ? settings_.network.port : settings_.tls.port)
      .EndLine();
  out.Text("uptime_in_seconds:")
      .Number((SystemWallNanos() / kNanosPerMilli - identity_.started_at) / 1000)
      .EndLine();
  out.Text("used_memory_peak:").Number(static_cast<int64_t>(statistics_.peak_memory())).EndLine();
  out.Text("total_connections_received:")
      .Number(static_cast<int64_t>(listeners_.figures().received))
      .EndLine();
  for (size_t i = 0; i < cores_.size(); ++i) {
    out.Text("core").Number(static_cast<int64_t>(i));
    out.Text(":connections=").Number(static_cast<int64_t>(cores_[i]->connection_count()));
    out.Text(",commands=")
        .Number(static_cast<int64_t>(cores_[i]->dispatcher().telemetry().counters().commands.Get()))
        .EndLine();
  }
}

}  // namespace cinnabar::server
