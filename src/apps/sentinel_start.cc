#include "apps/sentinel_start.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cinnabar::apps {
namespace {

constexpr int64_t kSentinelPort = 26379;

}  // namespace

// Sentinels talk to each other, and to clients anywhere.
void TakeSentinelDefaults(config::Config& config) {
  config.Mutable().network.port = kSentinelPort;
  config.Mutable().network.protected_mode = false;
}

void LeaveDataAside(config::Config& config) {
  config::Settings& settings = config.Mutable();
  settings.persistence.save.clear();
  settings.persistence.appendonly = false;
  settings.replication.replicaof = {};
  settings.general.threads = 1;
  config.LeaveInFile({"save", "appendonly", "replicaof", "threads"});
}

Status CheckSentinelFile(const config::Config& config) {
  const std::string& path = config.path();
  if (path.empty()) return Fail("Sentinel needs config file on disk to save state. Exiting...");
  if (access(path.c_str(), W_OK) == 0) return {};
  return Fail(fmt::format("Sentinel config file {} is not writable: {}. Exiting...", path, strerror(errno)));
}

}  // namespace cinnabar::apps
