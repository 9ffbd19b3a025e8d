// Settings: the value of every directive, as plain members grouped by area.
//
// The initialisers below are the built-in defaults, and the only place where they are written: the parameter
// table (internal/param.h), CONFIG REWRITE, the generated cinnabar.conf and the reference page all ask a
// default-constructed Settings.
//
// Any thread may read members while commands run. They change only while all cores are stopped, which is why
// nothing here is atomic.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"

namespace cinnabar::config {

// Which Redis answers where Redis's own versions disagree.
enum class CompatVersion { k70, k72 };

// The version that INFO and HELLO report for it.
constexpr std::string_view RedisVersion(CompatVersion version) {
  return version == CompatVersion::k70 ? "7.0.15" : "7.2.7";
}

enum class Permission { kNo, kYes, kLocal };
enum class Supervised { kNo, kAuto, kSystemd, kUpstart };
enum class SyslogFacility { kUser, kLocal0, kLocal1, kLocal2, kLocal3, kLocal4, kLocal5, kLocal6, kLocal7 };
enum class EvictionPolicy {
  kVolatileLru,
  kVolatileLfu,
  kVolatileRandom,
  kVolatileTtl,
  kAllKeysLru,
  kAllKeysLfu,
  kAllKeysRandom,
  kNoEviction
};
enum class AppendFsync { kNo, kAlways, kEverySecond };
enum class SanitizeDump { kNo, kYes, kClients };
enum class DisklessLoad { kDisabled, kOnEmptyDb, kSwapDb };
enum class OomScoreAdj { kNo, kRelative, kAbsolute };
enum class TlsAuthClients { kNo, kYes, kOptional };
enum class PubsubDefault { kAllChannels, kResetChannels };
enum class EndpointType { kIp, kHostname, kUnknown };
enum class PropagationError { kIgnore, kPanic, kPanicOnReplicas };
enum class RdbVersionCheck { kStrict, kRelaxed };

// Bits of notify-keyspace-events.
enum NotifyClass : uint32_t {
  kNotifyKeyspace = 1 << 0,   // K
  kNotifyKeyevent = 1 << 1,   // E
  kNotifyGeneric = 1 << 2,    // g
  kNotifyString = 1 << 3,     // $
  kNotifyList = 1 << 4,       // l
  kNotifySet = 1 << 5,        // s
  kNotifyHash = 1 << 6,       // h
  kNotifySortedSet = 1 << 7,  // z
  kNotifyExpired = 1 << 8,    // x
  kNotifyEvicted = 1 << 9,    // e
  kNotifyStream = 1 << 10,    // t
  kNotifyMiss = 1 << 11,      // m, not part of A
  kNotifyModule = 1 << 12,    // d
  kNotifyNew = 1 << 13,       // n, not part of A
  kNotifyAll = kNotifyGeneric | kNotifyString | kNotifyList | kNotifySet | kNotifyHash | kNotifySortedSet |
               kNotifyExpired | kNotifyEvicted | kNotifyStream | kNotifyModule,  // A
};

// One save point: save when `changes` happened within `seconds`.
struct SavePoint {
  int64_t seconds = 0;
  int64_t changes = 0;
  bool operator==(const SavePoint&) const = default;
};

// An output buffer limit; 0 means none.
struct BufferLimit {
  int64_t hard_bytes = 0;
  int64_t soft_bytes = 0;
  int64_t soft_seconds = 0;
  bool operator==(const BufferLimit&) const = default;
};

// Indexes of client-output-buffer-limit.
enum ClientClass : size_t { kNormalClient, kReplicaClient, kPubsubClient, kClientClasses };

// An absolute amount of memory, or a share of maxmemory.
struct MemoryShare {
  int64_t amount = 0;  // bytes, or percent
  bool is_percent = false;
};

// What a signal asks of the shutdown. None set: decide as SHUTDOWN without arguments does.
struct ShutdownChoices {
  bool save = false;
  bool nosave = false;
  bool now = false;
  bool force = false;
};

// The master to follow; no host: this server is a master.
struct MasterAddress {
  std::string host;
  int64_t port = 0;
};

struct General {
  CompatVersion compat_version = CompatVersion::k72;
  int64_t threads = 0;  // 0: as many as there are CPUs for this process
  bool io_threads_do_reads = false;
  bool daemonize = false;
  Supervised supervised = Supervised::kNo;
  std::string pidfile;
  int64_t databases = 16;
  bool always_show_logo = false;
  bool set_proc_title = true;
  std::string proc_title_template = "{title} {listen-addr} {server-mode}";
  std::string locale_collate;
  int64_t hz = 10;
  bool dynamic_hz = true;
  bool activerehashing = true;
  bool jemalloc_bg_thread = true;
  bool disable_thp = true;
  std::string ignore_warnings;
  std::string server_cpulist;
  std::string bio_cpulist;
  std::string aof_rewrite_cpulist;
  std::string bgsave_cpulist;
  OomScoreAdj oom_score_adj = OomScoreAdj::kNo;
  std::array<int64_t, 3> oom_score_adj_values = {0, 200, 800};  // master, replica, background child
  int64_t shutdown_timeout_seconds = 10;
  ShutdownChoices shutdown_on_sigint;
  ShutdownChoices shutdown_on_sigterm;
};

struct Logging {
  LogLevel loglevel = LogLevel::kNotice;
  std::string logfile;
  bool syslog_enabled = false;
  std::string syslog_ident = "redis";
  SyslogFacility syslog_facility = SyslogFacility::kLocal0;
  bool crash_log_enabled = true;
  bool crash_memcheck_enabled = true;
  bool hide_user_data_from_log = false;
};

struct Network {
  std::vector<std::string> bind = {"*", "-::*"};
  std::string bind_source_addr;
  int64_t port = 6379;
  int64_t tcp_backlog = 511;
  std::string unixsocket;
  int64_t unixsocketperm = 0;
  int64_t timeout_seconds = 0;
  int64_t tcp_keepalive_seconds = 300;
  bool protected_mode = true;
  int64_t socket_mark_id = 0;
  int64_t max_new_connections_per_cycle = 10;
  int64_t max_new_tls_connections_per_cycle = 1;
};

struct Tls {
  int64_t port = 0;
  std::string cert_file;
  std::string key_file;
  std::string key_file_pass;
  std::string client_cert_file;
  std::string client_key_file;
  std::string client_key_file_pass;
  std::string dh_params_file;
  std::string ca_cert_file;
  std::string ca_cert_dir;
  TlsAuthClients auth_clients = TlsAuthClients::kYes;
  bool replication = false;
  bool cluster = false;
  std::string protocols;
  std::string ciphers;
  std::string ciphersuites;
  bool prefer_server_ciphers = false;
  bool session_caching = true;
  int64_t session_cache_size = 20480;
  int64_t session_cache_timeout_seconds = 300;
};

struct Clients {
  int64_t maxclients = 10000;
  MemoryShare maxmemory_clients;
  int64_t query_buffer_limit_bytes = 1024LL * 1024 * 1024;
  int64_t proto_max_bulk_len_bytes = 512LL * 1024 * 1024;
  std::array<BufferLimit, kClientClasses> output_buffer_limit = {
      BufferLimit{},
      BufferLimit{256LL * 1024 * 1024, 64LL * 1024 * 1024, 60},
      BufferLimit{32LL * 1024 * 1024, 8LL * 1024 * 1024, 60},
  };
  int64_t tracking_table_max_keys = 1000000;
};

struct Security {
  std::string requirepass;
  std::string aclfile;
  int64_t acllog_max_len = 128;
  PubsubDefault acl_pubsub_default = PubsubDefault::kResetChannels;
  Permission enable_protected_configs = Permission::kNo;
  Permission enable_debug_command = Permission::kNo;
  Permission enable_module_command = Permission::kNo;
  bool enable_debug_assert = false;
};

struct Memory {
  int64_t maxmemory_bytes = 0;
  EvictionPolicy maxmemory_policy = EvictionPolicy::kNoEviction;
  int64_t maxmemory_samples = 5;
  int64_t maxmemory_eviction_tenacity = 10;
  int64_t lfu_log_factor = 10;
  int64_t lfu_decay_time_minutes = 1;
  int64_t active_expire_effort = 1;
  bool lazyfree_lazy_eviction = false;
  bool lazyfree_lazy_expire = false;
  bool lazyfree_lazy_server_del = false;
  bool lazyfree_lazy_user_del = false;
  bool lazyfree_lazy_user_flush = false;
  bool activedefrag = false;
  int64_t active_defrag_ignore_bytes = 100LL * 1024 * 1024;
  int64_t active_defrag_threshold_lower = 10;
  int64_t active_defrag_threshold_upper = 100;
  int64_t active_defrag_cycle_min = 1;
  int64_t active_defrag_cycle_max = 25;
  int64_t active_defrag_max_scan_fields = 1000;
};

struct Encoding {
  int64_t hash_max_listpack_entries = 512;
  int64_t hash_max_listpack_value_bytes = 64;
  int64_t list_max_listpack_size = -2;
  int64_t list_compress_depth = 0;
  int64_t set_max_intset_entries = 512;
  int64_t set_max_listpack_entries = 128;
  int64_t set_max_listpack_value_bytes = 64;
  int64_t zset_max_listpack_entries = 128;
  int64_t zset_max_listpack_value_bytes = 64;
  int64_t hll_sparse_max_bytes = 3000;
  int64_t stream_node_max_bytes = 4096;
  int64_t stream_node_max_entries = 100;
};

struct Persistence {
  std::string dir;  // the working directory, absolute
  std::vector<SavePoint> save = {{3600, 1}, {300, 100}, {60, 10000}};
  bool stop_writes_on_bgsave_error = true;
  bool rdbcompression = true;
  bool rdbchecksum = true;
  RdbVersionCheck rdb_version_check = RdbVersionCheck::kStrict;
  std::string dbfilename = "dump.rdb";
  bool rdb_del_sync_files = false;
  bool rdb_save_incremental_fsync = true;
  SanitizeDump sanitize_dump_payload = SanitizeDump::kNo;
  bool appendonly = false;
  std::string appendfilename = "appendonly.aof";
  std::string appenddirname = "appendonlydir";
  AppendFsync appendfsync = AppendFsync::kEverySecond;
  bool no_appendfsync_on_rewrite = false;
  int64_t auto_aof_rewrite_percentage = 100;
  int64_t auto_aof_rewrite_min_size_bytes = 64LL * 1024 * 1024;
  bool aof_load_truncated = true;
  bool aof_use_rdb_preamble = true;
  bool aof_timestamp_enabled = false;
  bool aof_rewrite_incremental_fsync = true;
  bool aof_disable_auto_gc = false;
};

struct Replication {
  MasterAddress replicaof;
  std::string masterauth;
  std::string masteruser;
  bool replica_serve_stale_data = true;
  bool replica_read_only = true;
  bool replica_lazy_flush = false;
  bool replica_ignore_maxmemory = true;
  bool replica_ignore_disk_write_errors = false;
  bool replica_announced = true;
  std::string replica_announce_ip;
  int64_t replica_announce_port = 0;
  int64_t replica_priority = 100;
  bool repl_diskless_sync = true;
  int64_t repl_diskless_sync_delay_seconds = 5;
  int64_t repl_diskless_sync_max_replicas = 0;
  DisklessLoad repl_diskless_load = DisklessLoad::kDisabled;
  bool repl_disable_tcp_nodelay = false;
  int64_t repl_ping_replica_period_seconds = 10;
  int64_t repl_timeout_seconds = 60;
  int64_t repl_backlog_size_bytes = 1024LL * 1024;
  int64_t repl_backlog_ttl_seconds = 3600;
  int64_t min_replicas_to_write = 0;
  int64_t min_replicas_max_lag_seconds = 10;
  int64_t min_replicas_to_acknowledge = 0;
  int64_t min_replicas_acknowledge_timeout_millis = 10'000;
  PropagationError propagation_error_behavior = PropagationError::kIgnore;
  bool repl_rdb_channel = false;
  int64_t replica_full_sync_buffer_limit_bytes = 0;
};

struct Cluster {
  bool enabled = false;
  std::string config_file = "nodes.conf";
  int64_t port = 0;
  int64_t node_timeout_millis = 15000;
  int64_t replica_validity_factor = 10;
  int64_t migration_barrier = 1;
  bool allow_replica_migration = true;
  bool require_full_coverage = true;
  bool replica_no_failover = false;
  bool allow_reads_when_down = false;
  bool allow_pubsubshard_when_down = true;
  int64_t link_sendbuf_limit_bytes = 0;
  std::string announce_ip;
  std::string announce_hostname;
  std::string announce_human_nodename;
  int64_t announce_port = 0;
  int64_t announce_tls_port = 0;
  int64_t announce_bus_port = 0;
  EndpointType preferred_endpoint_type = EndpointType::kIp;
  int64_t compatibility_sample_ratio = 0;
};

struct Scripting {
  int64_t busy_reply_threshold_millis = 5000;
  bool lua_enable_deprecated_api = false;
};

struct Observation {
  int64_t slowlog_log_slower_than_micros = 10000;
  int64_t slowlog_max_len = 128;
  int64_t latency_monitor_threshold_millis = 0;
  bool latency_tracking = true;
  std::vector<double> latency_tracking_info_percentiles = {50, 99, 99.9};
  uint32_t notify_keyspace_events = 0;  // NotifyClass bits
};

struct Testing {
  int64_t key_load_delay_micros = 0;  // negative: sleep one microsecond every so many keys
  int64_t rdb_key_save_delay_micros = 0;
  int64_t loading_process_events_interval_bytes = 2LL * 1024 * 1024;
  bool use_exit_on_panic = false;
  int64_t watchdog_period_millis = 0;
};

struct Settings {
  General general;
  Logging logging;
  Network network;
  Tls tls;
  Clients clients;
  Security security;
  Memory memory;
  Encoding encoding;
  Persistence persistence;
  Replication replication;
  Cluster cluster;
  Scripting scripting;
  Observation observation;
  Testing testing;
};

}  // namespace cinnabar::config
