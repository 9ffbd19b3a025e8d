// CommandTelemetry: what one core knows of the commands that it has run: calls, times, errors, the slow log,
// and the lines of MONITOR.
//
// Used by the core's thread; the totals may be read by any thread, the rest with the world stopped.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dispatch/call.h"
#include "dispatch/core_context.h"
#include "structures/latency_histogram.h"
#include "telemetry/command_stats.h"
#include "telemetry/counter.h"
#include "telemetry/error_stats.h"

namespace cinnabar::dispatch {

// Totals of one core; any thread may read them.
struct CoreCounters {
  telemetry::Counter commands;
  telemetry::Counter changes;  // what rdb_changes_since_last_save counts
  telemetry::Counter evicted;  // keys
  telemetry::Counter millis_over_memory;
  telemetry::Counter expiry_micros;     // time spent on looking for expired keys
  telemetry::Counter expiry_cut_short;  // sweeps that the budget of time has ended
  telemetry::Counter yields;            // turns that commands have given to others
};

class CommandTelemetry {
 public:
  // The context must outlive it.
  explicit CommandTelemetry(CoreContext& context);

  // Recomputes what is derived from settings.
  void SettingsChanged();

  // A command has run: counts it, and tells the slow log and MONITOR. `errors_before` are those of the reply
  // writer before it ran.
  void Account(Session& session, const Command& command, const Call& call, Ticks started,
               uint64_t errors_before);
  // Tells MONITOR of a script before its commands.
  void ShowScript(const Call& call);
  // A command answered with an error, which is the last one of the caller's reply.
  void AccountError(const Caller& caller, const Command& command);
  // A request was refused before it ran. Null: its command is unknown.
  void AccountRefusal(const Caller& caller, const Command* command);
  // A blocked command has ended, which began at this tick.
  void AccountWait(const Session& session, const Command& command, std::span<const std::string> argv,
                   Ticks began);

  CoreCounters& counters() { return counters_; }
  telemetry::CommandStats& command_stats() { return command_stats_; }
  telemetry::ErrorStats& error_stats() { return error_stats_; }
  // Null when the command was never called here.
  const LatencyHistogram* histogram(uint32_t command) const { return histograms_[command].get(); }
  void ResetHistogram(uint32_t command) { histograms_[command].reset(); }
  void Reset();

 private:
  void ReportSlow(Session& session, const Command& command, const Call& call, Micros duration);
  void NoteSlow(const Session& session, const Command& command, std::span<const std::string_view> shown,
                Micros duration);
  void FeedMonitors(const Session& session, const Call& call);

  CoreContext& context_;
  Ticks slow_ticks_ = ~Ticks{0};  // commands slower than this are looked at closely
  bool latency_tracking_ = true;
  telemetry::CommandStats command_stats_;
  telemetry::ErrorStats error_stats_;
  std::vector<std::unique_ptr<LatencyHistogram>> histograms_;
  CoreCounters counters_;
};

[[gnu::always_inline]] inline void CommandTelemetry::Account(Session& session, const Command& command,
                                                             const Call& call, Ticks started,
                                                             uint64_t errors_before) {
  const Ticks ended = context_.clock.Now();
  const Ticks spent = ended - started;
  context_.PassTime(ended);
  counters_.commands.Add();
  ++session.commands;
  command_stats_.AddCall(command.id, spent);
  if (session.reply.errors() != errors_before) [[unlikely]]
    AccountError(session, command);
  if (latency_tracking_) {
    auto& histogram = histograms_[command.id];
    if (histogram == nullptr) [[unlikely]]
      histogram = std::make_unique<LatencyHistogram>();
    histogram->Record(static_cast<uint64_t>(context_.clock.ToNanos(spent)));
  }
  if (spent >= slow_ticks_) [[unlikely]]
    ReportSlow(session, command, call, context_.clock.ToMicros(spent));
  if (context_.services.monitors.load(std::memory_order_relaxed) != 0 &&
      !command.Is(Flag::kSkipMonitor | Flag::kAdmin)) [[unlikely]]
    FeedMonitors(session, call);
}

}  // namespace cinnabar::dispatch
