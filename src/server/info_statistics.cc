// The sections of INFO about what was done: totals of all cores, per command, per error, per database.
#include <algorithm>
#include <memory>

#include "dispatch/tracking.h"
#include "server/info.h"
#include "telemetry/error_stats.h"
#include "types/large_hash.h"

namespace cinnabar::server {
namespace {

using dispatch::Command;
using dispatch::Dispatcher;
using keyspace::Entry;

// How many entries, and buckets, are looked at to estimate the mean time to live of a database.
constexpr size_t kTtlSamples = 128;
constexpr size_t kTtlBuckets = 4096;

Millis MeanTimeToLive(keyspace::Keyspace& keyspace, int database, Millis now) {
  keyspace::ShardTable* first = keyspace.tables_if_any(database);
  size_t samples = 0, buckets = 0;
  Millis sum = 0;
  for (size_t table = 0; table < keyspace.tables(); ++table) {
    auto& entries = first[table].entries;
    if (entries.marked() == 0) continue;
    for (size_t bucket = 0; bucket < entries.bucket_count(); ++bucket) {
      entries.VisitBucket(bucket, [&](TableSlot& slot) {
        if (!slot.marked() || !slot.entry<Entry>()->has_expiry()) return;
        sum += std::max<Millis>(slot.entry<Entry>()->expiry() - now, 0);
        ++samples;
      });
      if (samples >= kTtlSamples || ++buckets >= kTtlBuckets) break;
    }
    if (samples >= kTtlSamples || buckets >= kTtlBuckets) break;
  }
  return samples == 0 ? 0 : sum / static_cast<Millis>(samples);
}

// How many hashes have fields that expire. Beyond kTimedHashesMost of them it is an estimate: those that were
// looked at stand for the rest.
constexpr size_t kTimedHashesMost = 16384;

size_t CountTimedHashes(keyspace::Keyspace& keyspace, int database) {
  size_t noted = 0, seen = 0, timed = 0;
  for (size_t shard = 0; shard < keyspace::Keyspace::kShards; ++shard) {
    const keyspace::TimedHashes* hashes = keyspace.timed_hashes(database, shard);
    if (hashes == nullptr) break;
    noted += hashes->size();
    hashes->ForEach([&](std::string_view name) {
      if (seen == kTimedHashesMost) return false;
      ++seen;
      const uint64_t hash = keyspace.HashOf(name);
      const TableSlot* slot =
          keyspace.table(database, keyspace.TableOf(hash)).entries.Find(hash, [&](const Entry& entry) {
            return entry.key() == name;
          });
      if (slot == nullptr || slot->entry<Entry>()->type() != types::Type::kHash) return true;
      const Entry& entry = *slot->entry<Entry>();
      if (entry.place() == keyspace::Place::kObject)
        timed += static_cast<const types::LargeHash*>(entry.object())->timed() != 0;
      return true;
    });
  }
  return seen == 0 ? 0 : timed * noted / seen;
}

}  // namespace

void InfoReport::StatisticsOfScripts() {
  const dispatch::Scripts::Figures scripts = sources_.services.scripts->figures();
  Field("evicted_scripts", scripts.evicted_scripts);
  Field("script_runs_under_keys", scripts.runs_under_keys);
  Field("script_runs_alone_new", scripts.runs_alone_new);
  Field("script_runs_alone_strayed", scripts.runs_alone_strayed);
  Field("script_runs_alone_other", scripts.runs_alone_other);
  Field("script_strays", scripts.strays);
  Field("script_restarts", scripts.restarts);
  Field("script_undone", scripts.undone);
}

void InfoReport::StatsSection() {
  uint64_t fields = 0;
  uint64_t commands = 0, hits = 0, misses = 0, expired = 0, evicted = 0, errors = 0;
  uint64_t expiry_micros = 0, expiry_cut_short = 0, millis_over = 0;
  for (Dispatcher* dispatcher : sources_.services.dispatchers) {
    commands += dispatcher->telemetry().counters().commands.Get();
    hits += dispatcher->core().hits;
    misses += dispatcher->core().misses;
    expired += dispatcher->core().expired;
    fields += dispatcher->core().expired_fields;
    evicted += dispatcher->telemetry().counters().evicted.Get();
    expiry_micros += dispatcher->telemetry().counters().expiry_micros.Get();
    expiry_cut_short += dispatcher->telemetry().counters().expiry_cut_short.Get();
    millis_over += dispatcher->telemetry().counters().millis_over_memory.Get();
    errors += dispatcher->telemetry().error_stats().Total();
  }
  Field("total_connections_received", sources_.listeners.figures().received);
  Field("total_commands_processed", commands);
  Field("instantaneous_ops_per_sec", sources_.statistics.rates().commands.PerSecond());
  StatsOfNetwork();
  Field("rejected_connections", sources_.listeners.figures().rejected);
  const Replicas::Figures& synchronised = sources_.replicas.figures();
  Field("sync_full", synchronised.full);
  Field("sync_partial_ok", synchronised.partial);
  Field("sync_partial_err", synchronised.partial_refused);
  Field("expired_subkeys", fields);
  Field("expired_keys", expired);
  Field("expired_stale_perc", "0.00");
  Field("expired_time_cap_reached_count", expiry_cut_short);
  Field("expire_cycle_cpu_milliseconds", expiry_micros / 1000);
  Field("evicted_keys", evicted);
  Field("evicted_clients", sources_.client_memory.evicted());
  StatisticsOfScripts();
  const Millis since = sources_.services.memory_pressure.exceeded_since.load(std::memory_order_relaxed);
  const Millis over =
      since == 0 ? 0 : std::max<Millis>(sources_.services.dispatchers[0]->core().now - since, 0);
  Field("total_eviction_exceeded_time", millis_over + static_cast<uint64_t>(over));
  Field("current_eviction_exceeded_time", over);
  Field("keyspace_hits", hits);
  Field("keyspace_misses", misses);
  Field("pubsub_channels", sources_.services.channels->CountNames(pubsub::Kind::kChannel));
  Field("pubsub_patterns", sources_.services.channels->CountNames(pubsub::Kind::kPattern));
  Field("pubsubshard_channels", sources_.services.channels->CountNames(pubsub::Kind::kShardChannel));
  Field("latest_fork_usec", sources_.files.child().last_fork_micros());
  Field("total_forks", sources_.files.child().forks());
  Field("migrate_cached_sockets", sources_.services.peers->kept());
  size_t own_keys = 0;
  for (Dispatcher* dispatcher : sources_.services.dispatchers) own_keys += dispatcher->expiry().own_keys();
  Field("slave_expires_tracked_keys", own_keys);
  StatsOfDefragmentation();
  const dispatch::Tracking::Totals tracked = sources_.services.tracking->totals();
  Field("tracking_total_keys", tracked.keys);
  Field("tracking_total_items", tracked.items);
  Field("tracking_total_prefixes", tracked.prefixes);
  Field("unexpected_error_replies", sources_.following.error_replies());
  Field("total_error_replies", errors);
  uint64_t reads = 0, writes = 0;
  for (auto& core : sources_.cores) {
    reads += core->figures().reads.Get();
    writes += core->figures().writes.Get();
  }
  Zeros({"dump_payload_sanitizations"});
  Field("total_reads_processed", reads);
  Field("total_writes_processed", writes);
  Zeros({"io_threaded_reads_processed", "io_threaded_writes_processed", "reply_buffer_shrinks",
         "reply_buffer_expands"});
  StatsOfTurns();
  StatisticsOfAccess();
}

void InfoReport::StatisticsOfAccess() {
  const dispatch::AccessControl::Denials& denials = sources_.services.access->denials();
  Field("acl_access_denied_auth", denials.logins.load());
  Field("acl_access_denied_cmd", denials.commands.load());
  Field("acl_access_denied_key", denials.keys.load());
  Field("acl_access_denied_channel", denials.channels.load());
}

// Redis has one event loop; here the cores' are taken together.
void InfoReport::StatsOfTurns() {
  const TickClock& clock = sources_.services.dispatchers[0]->clock();
  uint64_t turns = 0;
  Ticks spent = 0, in_commands = 0;
  for (auto& core : sources_.cores) {
    turns += core->figures().turns.Get();
    spent += core->figures().turn_ticks.Get();
  }
  for (const Command* command : sources_.services.registry.all()) {
    // The time of a transaction is counted with its commands.
    if (command->Is(dispatch::Flag::kRunsTransaction)) continue;
    for (Dispatcher* dispatcher : sources_.services.dispatchers)
      in_commands += dispatcher->telemetry().command_stats().Read(command->id).ticks;
  }
  const uint64_t per_second = sources_.statistics.rates().turns.PerSecond();
  Field("eventloop_cycles", turns);
  Field("eventloop_duration_sum", clock.ToMicros(spent));
  Field("eventloop_duration_cmd_sum", clock.ToMicros(in_commands));
  Field("instantaneous_eventloop_cycles_per_sec", per_second);
  Field("instantaneous_eventloop_duration_usec",
        per_second == 0 ? 0 : sources_.statistics.rates().turn_micros.PerSecond() / per_second);
}

void InfoReport::DebugSection() {
  const TickClock& clock = sources_.services.dispatchers[0]->clock();
  Ticks journal = 0, cron = 0, longest = 0;
  uint64_t commands_max = 0;
  for (auto& core : sources_.cores) {
    const CoreFigures& figures = core->figures();
    journal += figures.journal_ticks.Get();
    cron += figures.cron_ticks.Get();
    longest = std::max(longest, figures.turn_ticks_max.Get());
    commands_max = std::max(commands_max, figures.turn_commands_max.Get());
  }
  Field("eventloop_duration_aof_sum", clock.ToMicros(journal));
  Field("eventloop_duration_cron_sum", clock.ToMicros(cron));
  Field("eventloop_duration_max", clock.ToMicros(longest));
  Field("eventloop_cmd_per_cycle_max", commands_max);
}

void InfoReport::StatsOfDefragmentation() {
  const Defragmentation::Figures figures = sources_.defragmentation.figures();
  Field("active_defrag_hits", figures.hits);
  Field("active_defrag_misses", figures.misses);
  Field("active_defrag_key_hits", figures.key_hits);
  Field("active_defrag_key_misses", figures.key_misses);
  Field("total_active_defrag_time", figures.total_time);
  Field("current_active_defrag_time", figures.current_time);
}

void InfoReport::StatsOfNetwork() {
  uint64_t in = 0, out = 0;
  for (auto& core : sources_.cores) {
    in += core->figures().bytes_in.Get();
    out += core->figures().bytes_out.Get();
  }
  Field("total_net_input_bytes", in);
  Field("total_net_output_bytes", out);
  Zeros({"total_net_repl_input_bytes", "total_net_repl_output_bytes"});
  Ratio("instantaneous_input_kbps",
        static_cast<double>(sources_.statistics.rates().bytes_in.PerSecond()) / 1024);
  Ratio("instantaneous_output_kbps",
        static_cast<double>(sources_.statistics.rates().bytes_out.PerSecond()) / 1024);
  Field("instantaneous_input_repl_kbps", "0.00");
  Field("instantaneous_output_repl_kbps", "0.00");
}

void InfoReport::CommandStatsSection() {
  const TickClock& clock = sources_.services.dispatchers[0]->clock();
  for (const Command* command : sources_.services.registry.all()) {
    telemetry::CommandTotals totals;
    for (Dispatcher* dispatcher : sources_.services.dispatchers)
      totals += dispatcher->telemetry().command_stats().Read(command->id);
    if (totals.Untouched()) continue;
    const Micros micros = clock.ToMicros(totals.ticks);
    const double mean =
        totals.calls == 0 ? 0.0 : static_cast<double>(micros) / static_cast<double>(totals.calls);
    Field(fmt::format("cmdstat_{}", command->name),
          fmt::format("calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}", totals.calls,
                      micros, mean, totals.rejected, totals.failed));
  }
}

void InfoReport::ErrorStatsSection() {
  std::vector<const telemetry::ErrorStats*> cores;
  for (Dispatcher* dispatcher : sources_.services.dispatchers)
    cores.push_back(&dispatcher->telemetry().error_stats());
  for (const auto& [code, count] : telemetry::MergeErrorStats(cores)) {
    Field(fmt::format("errorstat_{}", code), fmt::format("count={}", count));
  }
}

void InfoReport::LatencyStatsSection() {
  const std::vector<double>& percentiles =
      sources_.services.settings.observation.latency_tracking_info_percentiles;
  for (const Command* command : sources_.services.registry.all()) {
    LatencyHistogram merged;
    for (Dispatcher* dispatcher : sources_.services.dispatchers) {
      if (const LatencyHistogram* histogram = dispatcher->telemetry().histogram(command->id))
        merged.Merge(*histogram);
    }
    if (merged.TotalCount() == 0) continue;
    std::string figures;
    for (double percentile : percentiles) {
      if (!figures.empty()) figures += ',';
      figures += fmt::format("p{:g}={:.3f}", percentile,
                             static_cast<double>(merged.NanosAtPercentile(percentile)) / 1000);
    }
    Field(fmt::format("latency_percentiles_usec_{}", command->name), figures);
  }
}

void InfoReport::KeyspaceSection() {
  keyspace::Keyspace& keyspace = sources_.services.keyspace;
  const Millis now = sources_.services.dispatchers[0]->core().now;
  for (int database = 0; database < keyspace.databases(); ++database) {
    if (keyspace.tables_if_any(database) == nullptr) continue;
    const size_t keys = keyspace.Size(database);
    if (keys == 0) continue;
    std::string figures = fmt::format("keys={},expires={},avg_ttl={}", keys, keyspace.VolatileSize(database),
                                      MeanTimeToLive(keyspace, database, now));
    if (sources_.services.settings.general.compat_version != config::CompatVersion::k70)
      figures += fmt::format(",subexpiry={}", CountTimedHashes(keyspace, database));
    Field(fmt::format("db{}", database), figures);
  }
}

}  // namespace cinnabar::server
