#include "dispatch/command_telemetry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/quote.h"
#include "config/settings.h"
#include "dispatch/script_run.h"
#include "telemetry/latency_monitor.h"
#include "telemetry/slow_log.h"

namespace cinnabar::dispatch {

CommandTelemetry::CommandTelemetry(CoreContext& context)
    : context_(context),
      command_stats_(context.services.registry.all().size()),
      histograms_(context.services.registry.all().size()) {}

void CommandTelemetry::SettingsChanged() {
  const config::Observation& observation = context_.services.settings.observation;
  const TickClock& clock = context_.clock;
  latency_tracking_ = observation.latency_tracking;
  slow_ticks_ = ~Ticks{0};
  if (observation.slowlog_log_slower_than_micros >= 0)
    slow_ticks_ = clock.ToTicks(observation.slowlog_log_slower_than_micros * kNanosPerMicro);
  if (observation.latency_monitor_threshold_millis > 0) {
    slow_ticks_ =
        std::min(slow_ticks_, clock.ToTicks(observation.latency_monitor_threshold_millis * kNanosPerMilli));
  }
}

// An error of a queued command is that command's alone: EXEC, whose reply holds it, did not fail.
void CommandTelemetry::AccountError(const Caller& caller, const Command& command) {
  Execution& run = context_.run;
  if (command.Is(Flag::kRunsTransaction) && std::exchange(run.queued_failed, false)) return;
  run.queued_failed = run.in_transaction;
  command_stats_.AddFailed(command.id);
  if (std::exchange(run.error_counted, false)) return;
  error_stats_.Add(telemetry::ErrorCodeOf(caller.reply.last_error()));
}

void CommandTelemetry::AccountRefusal(const Caller& caller, const Command* command) {
  error_stats_.Add(telemetry::ErrorCodeOf(caller.reply.last_error()));
  if (command != nullptr) command_stats_.AddRejected(command->id);
}

void CommandTelemetry::AccountWait(const Session& session, const Command& command,
                                   std::span<const std::string> argv, Ticks began) {
  const Ticks spent = context_.clock.Now() - began;
  if (spent < slow_ticks_) return;
  const std::vector<std::string_view> shown(argv.begin(), argv.end());
  NoteSlow(session, command, shown, context_.clock.ToMicros(spent));
}

void CommandTelemetry::ReportSlow(Session& session, const Command& command, const Call& call,
                                  Micros duration) {
  const int64_t seconds = context_.core.now / 1000;
  context_.services.latency.AddIfSlow(command.Is(Flag::kFast) ? "fast-command" : "command", duration / 1000,
                                      seconds);
  if (session.blocked != nullptr) return;  // it counts with its wait, once that is over
  std::vector<std::string_view> shown(call.argv().begin(), call.argv().end());
  for (size_t i = 0; i < shown.size(); ++i) {
    if (call.redacted(i)) shown[i] = "(redacted)";
  }
  NoteSlow(session, command, shown, duration);
}

void CommandTelemetry::NoteSlow(const Session& session, const Command& command,
                                std::span<const std::string_view> shown, Micros duration) {
  telemetry::SlowLog& slow_log = context_.services.slow_log;
  if (command.Is(Flag::kSkipSlowlog) || !slow_log.ShouldLog(duration)) return;
  const Session& client = session.behalf != nullptr ? *session.behalf : session;
  slow_log.Add(context_.core.now / 1000, duration, shown, client.facts.peer, client.name);
}

void CommandTelemetry::ShowScript(const Call& call) {
  if (context_.services.monitors.load(std::memory_order_relaxed) == 0 || context_.run.restarted) return;
  FeedMonitors(call.session(), call);
}

// The line that MONITOR shows for a command: time, database, client, and the arguments in quotes.
void CommandTelemetry::FeedMonitors(const Session& session, const Call& call) {
  const Micros now = context_.clock.WallMicros(context_.last_tick);
  const std::string& peer = session.facts.peer;
  const std::string client = session.behalf != nullptr   ? "lua"
                             : session.facts.unix_socket ? "unix:" + peer.substr(0, peer.rfind(':'))
                                                         : peer;
  std::string line = fmt::format("+{}.{:06} [{} {}]", now / kMicrosPerSecond, now % kMicrosPerSecond,
                                 session.database, client);
  for (size_t i = 0; i < call.argc(); ++i) {
    line += ' ';
    if (call.redacted(i)) {
      line += "\"(redacted)\"";
    } else {
      AppendQuoted(call.arg(i), line);
    }
  }
  line += "\r\n";
  Clients& clients = context_.services.clients;
  if (ScriptRun* script = context_.run.script; script != nullptr && script->undoable())
    return script->AtEnd([&clients, line = std::move(line)] { clients.FeedMonitors(line); });
  clients.FeedMonitors(std::move(line));
}

void CommandTelemetry::Reset() {
  command_stats_.Reset();
  error_stats_.Reset();
  for (auto& histogram : histograms_) histogram.reset();
  counters_.commands.Set(0);
  counters_.evicted.Set(0);
  counters_.millis_over_memory.Set(0);
  counters_.expiry_micros.Set(0);
  counters_.expiry_cut_short.Set(0);
  keyspace::CoreState& core = context_.core;
  core.hits = core.misses = core.expired = core.expired_fields = 0;
}

}  // namespace cinnabar::dispatch
