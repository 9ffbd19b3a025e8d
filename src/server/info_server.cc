// The sections of INFO about the process and its place among others.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "cluster/cluster.h"
#include "config/config.h"
#include "keyspace/access_clock.h"
#include "os/memory_info.h"
#include "server/info.h"

namespace cinnabar::server {
namespace {

std::string Seconds(Micros micros) {
  return fmt::format("{}.{:06}", micros / 1'000'000, micros % 1'000'000);
}

std::string_view SupervisedName(config::Supervised supervised) {
  switch (supervised) {
    case config::Supervised::kSystemd:
      return "systemd";
    case config::Supervised::kUpstart:
      return "upstart";
    default:
      return "no";
  }
}

}  // namespace

void InfoReport::ServerSection() {
  const config::Settings& settings = sources_.services.settings;
  utsname system{};
  uname(&system);
  const Millis now = sources_.services.dispatchers[0]->core().now;
  const Millis uptime =
      std::max<Millis>(SystemWallNanos() / kNanosPerMilli - sources_.identity.started_at, 0);
  Field("redis_version", config::RedisVersion(settings.general.compat_version));
  Field("server_name", "cinnabar");
  Field("cinnabar_version", sources_.identity.version);
  Field("redis_git_sha1", "00000000");
  Field("redis_git_dirty", 0);
  Field("redis_build_id", "c1aabac1aabac1aa");
  const bool node = sources_.services.cluster != nullptr;
  Field("redis_mode", sentinel() ? "sentinel" : node ? "cluster" : "standalone");
  Field("os", fmt::format("{} {} {}", system.sysname, system.release, system.machine));
  Field("arch_bits", sizeof(void*) * 8);
  Field("monotonic_clock",
        sources_.services.dispatchers[0]->clock().uses_tsc() ? "X86 TSC" : "POSIX clock_gettime");
  Field("multiplexing_api", "epoll");
  Field("atomicvar_api", "c++20-atomic");
  Field("gcc_version", fmt::format("{}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__));
  Field("process_id", getpid());
  Field("process_supervised", SupervisedName(sources_.identity.supervised));
  Field("run_id", sources_.identity.run_id);
  Field("tcp_port", settings.network.port != 0 ? settings.network.port : settings.tls.port);
  Field("server_time_usec", SystemWallNanos() / kNanosPerMicro);
  Field("uptime_in_seconds", uptime / 1000);
  Field("uptime_in_days", uptime / (1000 * 60 * 60 * 24));
  Field("hz", settings.general.hz);
  Field("configured_hz", settings.general.hz);
  Field("lru_clock", keyspace::LruClockSeconds(now));
  Field("executable", sources_.identity.executable);
  if (sources_.shutdown.waiting()) Field("shutdown_in_milliseconds", sources_.shutdown.millis_left());
  Field("config_file", sources_.services.config.path());
  Field("io_threads_active", sources_.cores.size() > 1 ? 1 : 0);
  Field("threads", sources_.cores.size());
  ListenerFields();
}

// One line for each kind, with all its addresses.
void InfoReport::ListenerFields() {
  using Kind = Listeners::Kind;
  const std::vector<Listeners::Description> all = sources_.listeners.Describe();
  int index = 0;
  for (const Kind kind : {Kind::kTcp, Kind::kUnix, Kind::kTls}) {
    std::string line;
    int port = 0;
    for (const Listeners::Description& each : all) {
      if (each.kind != kind) continue;
      line += ",bind=" + each.address;
      port = each.port;
    }
    if (line.empty()) continue;
    if (port != 0) line += fmt::format(",port={}", port);
    Field(fmt::format("listener{}", index++), fmt::format("name={}{}", Listeners::NameOf(kind), line));
  }
}

void InfoReport::ClientsSection() {
  size_t input_max = 0, output_max = 0, held_back = 0;
  uint64_t watching = 0, watched_keys = 0, listening = 0, tracking = 0;
  for (auto& core : sources_.cores) {
    held_back += core->postponed_count();
    core->ForEachConnection([&](Connection& connection) {
      held_back += connection.session.blocked != nullptr ? 1 : 0;
      const auto& watched = connection.session.transaction.watched;
      input_max = std::max(input_max, connection.input.capacity());
      output_max = std::max(output_max, connection.session.output.chunk_memory());
      listening += connection.session.subscribed() ? 1 : 0;
      watching += watched.empty() ? 0 : 1;
      tracking += connection.session.tracking != nullptr && !connection.doomed ? 1 : 0;
      watched_keys += watched.size();
    });
  }
  Field("connected_clients", sources_.services.clients.Count() - sources_.replicas.Facts().size());
  const cluster::Cluster* cluster = sources_.services.cluster;
  Field("cluster_connections", cluster == nullptr ? 0 : cluster->Links().size());
  Field("maxclients", sources_.services.settings.clients.maxclients);
  Field("client_recent_max_input_buffer", input_max);
  Field("client_recent_max_output_buffer", output_max);
  Field("blocked_clients", held_back);
  Field("tracking_clients", tracking);
  Field("pubsub_clients", listening);
  Field("watching_clients", watching);
  Zeros({"clients_in_timeout_table"});
  Field("total_watched_keys", watched_keys);
  Zeros({"total_blocking_keys", "total_blocking_keys_on_nokey"});
}

void InfoReport::ReplicationSection() {
  const bool follows = sources_.role.follows();
  const config::Replication& settings = sources_.services.settings.replication;
  Field("role", follows ? "slave" : "master");
  if (follows) PrimaryFigures();
  const std::vector<dispatch::ReplicaFacts> replicas = sources_.replicas.Facts();
  Field("connected_slaves", replicas.size());
  if (settings.min_replicas_to_write > 0 && settings.min_replicas_max_lag_seconds > 0) {
    Field("min_slaves_good_slaves", std::ranges::count_if(replicas, [&](const dispatch::ReplicaFacts& facts) {
            return facts.online && facts.lag_seconds <= settings.min_replicas_max_lag_seconds;
          }));
  }
  for (size_t i = 0; i < replicas.size(); ++i) {
    const dispatch::ReplicaFacts& facts = replicas[i];
    Field(fmt::format("slave{}", i), fmt::format("ip={},port={},state={},offset={},lag={}", facts.address,
                                                 facts.port, facts.state, facts.offset, facts.lag_seconds));
  }
  Field("master_failover_state", sources_.role.failover_state());
  const replication::History& history = sources_.replicas.history();
  const replication::Backlog& backlog = sources_.replicas.backlog();
  Field("master_replid", history.id().text());
  Field("master_replid2", history.second_id().text());
  Field("master_repl_offset", sources_.services.journal.offset());
  Field("second_repl_offset", history.second_offset_for_info());
  Field("repl_backlog_active", backlog.active() ? 1 : 0);
  Field("repl_backlog_size", settings.repl_backlog_size_bytes);
  Field("repl_backlog_first_byte_offset", backlog.active() ? backlog.begin() + 1 : 0);
  Field("repl_backlog_histlen", backlog.active() ? backlog.kept_bytes() : 0);
}

void InfoReport::PrimaryFigures() {
  const dispatch::PrimaryFacts facts = sources_.following.Facts();
  const config::Replication& settings = sources_.services.settings.replication;
  Field("master_host", facts.host);
  Field("master_port", facts.port);
  Field("master_link_status", facts.up ? "up" : "down");
  Field("master_last_io_seconds_ago", facts.last_io_seconds);
  Field("master_sync_in_progress", facts.syncing ? 1 : 0);
  Field("slave_read_repl_offset", facts.read_offset);
  Field("slave_repl_offset", facts.offset);
  if (facts.syncing) {
    const uint64_t total = facts.sync_total_bytes.value_or(0);
    Field("master_sync_total_bytes", total);
    Field("master_sync_read_bytes", facts.sync_read_bytes);
    Field("master_sync_left_bytes",
          static_cast<int64_t>(total) - static_cast<int64_t>(facts.sync_read_bytes));
    Ratio("master_sync_perc", total == 0 ? 0.0 : 100.0 * double(facts.sync_read_bytes) / double(total));
    Field("master_sync_last_io_seconds_ago", facts.sync_last_io_seconds);
  }
  if (!facts.up) Field("master_link_down_since_seconds", facts.down_seconds);
  Field("slave_priority", settings.replica_priority);
  Field("slave_read_only", settings.replica_read_only ? 1 : 0);
  Field("replica_announced", settings.replica_announced ? 1 : 0);
}

void InfoReport::CpuSection() {
  const os::CpuTimes process = os::ReadCpuTimes(os::CpuTimesOf::kProcess);
  const os::CpuTimes children = os::ReadCpuTimes(os::CpuTimesOf::kChildren);
  const os::CpuTimes thread = os::ReadCpuTimes(os::CpuTimesOf::kThread);
  Field("used_cpu_sys", Seconds(process.system));
  Field("used_cpu_user", Seconds(process.user));
  Field("used_cpu_sys_children", Seconds(children.system));
  Field("used_cpu_user_children", Seconds(children.user));
  Field("used_cpu_sys_main_thread", Seconds(thread.system));
  Field("used_cpu_user_main_thread", Seconds(thread.user));
}

void InfoReport::ClusterSection() {
  Field("cluster_enabled", sources_.services.cluster == nullptr ? 0 : 1);
}

}  // namespace cinnabar::server
