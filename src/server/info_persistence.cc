// INFO persistence: snapshots, the append-only file, and loading.
#include "dispatch/dispatcher.h"
#include "server/info.h"

namespace cinnabar::server {
namespace {

std::string_view OkOrErr(bool ok) {
  return ok ? "ok" : "err";
}

}  // namespace

void InfoReport::LoadingFigures() {
  const DataLoader::Figures* figures = sources_.files.load_figures();
  const bool apart = sources_.files.serves_while_loading();
  Field("loading", figures != nullptr && !apart ? 1 : 0);
  Field("async_loading", apart ? 1 : 0);
}

void InfoReport::LoadingProgress() {
  const DataLoader::Figures* figures = sources_.files.load_figures();
  if (figures == nullptr) return;
  const int64_t now = SystemWallNanos() / kNanosPerSecond;
  const auto elapsed = static_cast<double>(std::max<int64_t>(now - figures->started_seconds, 0));
  const double done = figures->bytes_total == 0 ? 1.0 : double(figures->bytes) / double(figures->bytes_total);
  const double left = done > 0 ? elapsed / done * (1 - done) : 1;
  Field("loading_start_time", figures->started_seconds);
  Field("loading_total_bytes", figures->bytes_total);
  Field("loading_rdb_used_mem", figures->used_memory_in_snapshot);
  Field("loading_loaded_bytes", figures->bytes);
  Ratio("loading_loaded_perc", done * 100);
  Field("loading_eta_seconds", static_cast<int64_t>(left));
}

void InfoReport::ChildFigures() {
  BackgroundChild& child = sources_.files.child();
  const bool running = child.running();
  const uint64_t copied = running ? child.progress().copied_bytes.load() : 0;
  const uint64_t keys = running ? child.progress().keys.load() : 0;
  const uint64_t total = running ? sources_.files.snapshots().figures().keys_total : 0;
  Field("current_cow_peak", copied);
  Field("current_cow_size", copied);
  const Millis at = child.progress().copied_at;
  Field("current_cow_size_age",
        running && at != 0 ? (SystemMonotonicNanos() / kNanosPerMilli - at) / 1000 : 0);
  Ratio("current_fork_perc", total == 0 ? 0.0 : 100.0 * double(keys) / double(total));
  Field("current_save_keys_processed", keys);
  Field("current_save_keys_total", total);
}

void InfoReport::PersistenceSection() {
  ServerDataFiles& files = sources_.files;
  Snapshots& snapshots = files.snapshots();
  AppendOnly& log = files.append_only();
  const Snapshots::Figures& snapshot = snapshots.figures();
  const AppendOnly::Figures& append = log.figures();
  const auto child_seconds = [&](bool ours) -> int64_t {
    return ours ? files.child().running_for() / 1000 : -1;
  };
  LoadingFigures();
  ChildFigures();
  Field("rdb_changes_since_last_save", snapshots.changes_since_save());
  Field("rdb_bgsave_in_progress", snapshots.in_progress() ? 1 : 0);
  Field("rdb_last_save_time", snapshot.last_save_seconds);
  Field("rdb_last_bgsave_status", OkOrErr(snapshot.last_ok));
  Field("rdb_last_bgsave_time_sec", snapshot.last_took_seconds);
  Field("rdb_current_bgsave_time_sec", child_seconds(snapshots.in_progress()));
  Field("rdb_saves", snapshot.saves);
  Field("rdb_last_cow_size", snapshot.last_copied_bytes);
  Field("rdb_last_load_keys_expired", files.last_load().keys_expired);
  Field("rdb_last_load_keys_loaded", files.last_load().keys_loaded);
  Field("aof_enabled", log.on() ? 1 : 0);
  Field("aof_rewrite_in_progress", log.rewriting() ? 1 : 0);
  Field("aof_rewrite_scheduled", log.rewrite_scheduled() ? 1 : 0);
  Field("aof_last_rewrite_time_sec", append.last_rewrite_seconds);
  Field("aof_current_rewrite_time_sec", child_seconds(log.rewriting()));
  Field("aof_last_bgrewrite_status", OkOrErr(append.last_rewrite_ok));
  Field("aof_rewrites", append.rewrites);
  Field("aof_rewrites_consecutive_failures", append.rewrite_failures_in_a_row);
  Field("aof_last_write_status", OkOrErr(append.last_write_ok));
  Field("aof_last_cow_size", append.last_copied_bytes);
  Zeros({"module_fork_in_progress", "module_fork_last_cow_size"});
  if (log.on()) {
    Field("aof_current_size", append.current_bytes);
    Field("aof_base_size", append.base_bytes);
    Field("aof_pending_rewrite", log.rewrite_scheduled() ? 1 : 0);
    Field("aof_buffer_length", log.log() == nullptr ? 0 : log.log()->pending_bytes());
    Field("aof_pending_bio_fsync", 0);
    Field("aof_delayed_fsync", log.log() == nullptr ? 0 : log.log()->delayed_syncs());
  }
  LoadingProgress();
}

}  // namespace cinnabar::server
