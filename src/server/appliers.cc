// What a CONFIG SET has to put into effect beyond changing a value that is read every time.
#include "os/allocator.h"
#include "os/process_title.h"
#include "os/slab_compaction.h"
#include "server/server.h"
#include "server/users.h"

namespace cinnabar::server {

using config::Settings;

void Server::RegisterNetworkAppliers() {
  config_.RegisterApplier({"tls-port"},
                          [this](const Settings& old, Settings& now) { return tls_.Begin(old, now); });
  config_.RegisterApplier(
      {"tls-cert-file", "tls-key-file", "tls-key-file-pass", "tls-client-cert-file", "tls-client-key-file",
       "tls-client-key-file-pass", "tls-dh-params-file", "tls-ca-cert-file", "tls-ca-cert-dir",
       "tls-auth-clients", "tls-replication", "tls-cluster", "tls-protocols", "tls-ciphers",
       "tls-ciphersuites", "tls-prefer-server-ciphers", "tls-session-caching", "tls-session-cache-size",
       "tls-session-cache-timeout"},
      [this](const Settings&, Settings& now) { return tls_.Apply(now); });
  config_.RegisterApplier({"port", "tls-port", "bind"}, [this](const Settings& old, Settings& now) -> Status {
    TRY_STATUS(listeners_.Apply(old, now));
    UpdateTitle();
    return {};
  });
}

void Server::RegisterAppliers() {
  config_.RegisterApplier(
      {"slowlog-log-slower-than", "slowlog-max-len", "latency-monitor-threshold", "latency-tracking",
       "maxmemory", "maxmemory-policy", "lfu-log-factor", "lfu-decay-time", "min-replicas-to-write",
       "notify-keyspace-events", "lazyfree-lazy-expire", "lazyfree-lazy-server-del"},
      [this](const Settings&, Settings& now) -> Status {
        shared_.slow_log.SetThreshold(now.observation.slowlog_log_slower_than_micros);
        shared_.slow_log.SetEntriesMax(static_cast<size_t>(now.observation.slowlog_max_len));
        shared_.latency.SetThreshold(now.observation.latency_monitor_threshold_millis);
        for (dispatch::Dispatcher* dispatcher : shared_.dispatchers) dispatcher->SettingsChanged();
        return {};
      });
  config_.RegisterApplier(
      {"appendonly", "appendfsync", "no-appendfsync-on-rewrite", "stop-writes-on-bgsave-error", "save",
       "aof-disable-auto-gc"},
      [this](const Settings& old, Settings& now) { return files_.SettingsChanged(old, now); });
  config_.RegisterApplier(
      {"maxmemory-clients", "maxmemory"}, [this](const Settings&, Settings& now) -> Status {
        client_memory_.ApplyLimit(now);
        for (auto& core : cores_) {
          core->WeighAll();
          core->Post([&dispatcher = core->dispatcher()] { dispatcher.evictor().EvictSoon(); });
        }
        return {};
      });
  config_.RegisterApplier({"repl-backlog-size", "replica-serve-stale-data", "min-replicas-to-acknowledge"},
                          [this](const Settings&, Settings&) -> Status {
                            role_.SettingsChanged();
                            return {};
                          });
  RegisterAccessAppliers(config_, services_);
  config_.RegisterApplier(
      {"cluster-node-timeout", "cluster-replica-validity-factor", "cluster-migration-barrier",
       "cluster-allow-replica-migration", "cluster-require-full-coverage", "cluster-replica-no-failover",
       "cluster-announce-ip", "cluster-announce-hostname", "cluster-announce-human-nodename",
       "cluster-announce-port", "cluster-announce-tls-port", "cluster-announce-bus-port",
       "cluster-preferred-endpoint-type", "cluster-allow-reads-when-down",
       "cluster-allow-pubsubshard-when-down", "repl-ping-replica-period", "port", "tls-port", "tls-cluster"},
      [this](const Settings&, Settings&) -> Status {
        if (cluster_ != nullptr) cluster_->SettingsChanged();
        return {};
      });
  // What is more than can be forgotten at once goes with the server's cron.
  config_.RegisterApplier({"tracking-table-max-keys"}, [this](const Settings&, Settings&) -> Status {
    constexpr size_t kAtOnce = 10'000;
    tracking_.LimitKeys(-1, shared_.dispatchers[0]->core().random, kAtOnce);
    return {};
  });
  config_.RegisterApplier({"loglevel"}, [this](const Settings&, Settings& now) -> Status {
    log_.SetLevel(now.logging.loglevel);
    return {};
  });
  config_.RegisterApplier({"proc-title-template"}, [this](const Settings&, Settings& now) -> Status {
    TRY_STATUS(os::ValidateTitleTemplate(now.general.proc_title_template));
    UpdateTitle();
    return {};
  });
  config_.RegisterApplier({"activedefrag"}, [](const Settings&, Settings& now) -> Status {
    if (!now.memory.activedefrag || os::SlabCompaction::Possible()) return {};
    return Fail(
        "Active defragmentation cannot be enabled: it needs jemalloc, and this program was built without");
  });
  config_.RegisterApplier({"jemalloc-bg-thread"}, [](const Settings&, Settings& now) -> Status {
    os::SetBackgroundPurging(now.general.jemalloc_bg_thread);
    return {};
  });
}

}  // namespace cinnabar::server
