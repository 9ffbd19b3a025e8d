// LATENCY: the worst delays by event, and the histogram of every command's run time.
#include <fmt/format.h>

#include <memory>

#include "commands/help_reply.h"
#include "dispatch/call.h"
#include "dispatch/dispatcher.h"
#include "structures/latency_histogram.h"
#include "telemetry/latency_monitor.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::Command;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void Doctor(Call& call) {
  call.reply().Verbatim("txt", call.services().latency.Doctor());
}

void Graph(Call& call) {
  const auto graph = call.services().latency.Graph(call.arg(2), call.now() / 1000);
  if (!graph) return call.reply().Error(fmt::format("ERR No samples available for event '{}'", call.arg(2)));
  call.reply().Verbatim("txt", *graph);
}

void History(Call& call) {
  const auto samples = call.services().latency.History(call.arg(2));
  call.reply().Array(samples.size());
  for (const telemetry::LatencySample& sample : samples) {
    call.reply().Array(2);
    call.reply().Integer(sample.unix_seconds);
    call.reply().Integer(sample.latency);
  }
}

void Latest(Call& call) {
  const auto events = call.services().latency.Latest();
  call.reply().Array(events.size());
  for (const telemetry::LatencyLatest& event : events) {
    call.reply().Array(4);
    call.reply().Bulk(event.event);
    call.reply().Integer(event.latest.unix_seconds);
    call.reply().Integer(event.latest.latency);
    call.reply().Integer(event.all_time_max);
  }
}

void Reset(Call& call) {
  size_t forgotten = 0;
  if (call.argc() == 2) forgotten = call.services().latency.Reset();
  for (size_t i = 2; i < call.argc(); ++i) forgotten += call.services().latency.Reset(call.arg(i));
  call.reply().Integer(static_cast<int64_t>(forgotten));
}

// Writes the command's histogram over all cores; false when it was never called.
bool ReplyHistogram(Call& call, const Command& command) {
  LatencyHistogram merged;
  for (dispatch::Dispatcher* dispatcher : call.services().dispatchers) {
    if (const LatencyHistogram* histogram = dispatcher->telemetry().histogram(command.id))
      merged.Merge(*histogram);
  }
  const uint64_t calls = merged.TotalCount();
  if (calls == 0) return false;
  auto& reply = call.reply();
  reply.Bulk(command.name);
  reply.Map(2);
  reply.Bulk("calls");
  reply.Integer(static_cast<int64_t>(calls));
  reply.Bulk("histogram_usec");
  const auto steps = merged.CumulativePowersOfTwo();
  reply.Map(steps.size());
  for (const LatencyHistogram::CumulativeCount& step : steps) {
    reply.Integer(static_cast<int64_t>(step.nanos / 1000));
    reply.Integer(static_cast<int64_t>(step.count));
  }
  return true;
}

void Histogram(Call& call) {
  const dispatch::Registry& registry = call.services().registry;
  call.reply().Begin(protocol::ReplyWriter::Aggregate::kMap);
  size_t shown = 0;
  if (call.argc() == 2) {
    for (const Command* command : registry.all()) shown += ReplyHistogram(call, *command) ? 1 : 0;
  }
  for (size_t i = 2; i < call.argc(); ++i) {
    const Command* command = registry.FindByFullName(call.arg(i));
    if (command == nullptr) continue;
    shown += ReplyHistogram(call, *command) ? 1 : 0;
    // A container stands for its subcommands.
    for (const Command* subcommand : command->subcommands) shown += ReplyHistogram(call, *subcommand) ? 1 : 0;
  }
  call.reply().End(shown);
}

void Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Return a human readable latency analysis report.",
      "GRAPH <event>",
      "    Return an ASCII latency graph for the <event> class.",
      "HISTORY <event>",
      "    Return time-latency samples for the <event> class.",
      "LATEST",
      "    Return the latest latency samples for all events.",
      "RESET [<event> ...]",
      "    Reset latency data of one or more <event> classes.",
      "    (default: reset all data for all event classes)",
      "HISTOGRAM [COMMAND ...]",
      "    Return a cumulative distribution of latencies in the format of a histogram for the specified "
      "command "
      "names.",
      "    If no commands are specified then all histograms are replied.",
  };
  ReplyHelp(call, kLines);
}

constexpr uint64_t kOperatorFlags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale;
constexpr std::string_view kReportTips =
    "nondeterministic_output,request_policy:all_nodes,response_policy:special";

constexpr CommandSpec kTable[] = {
    {
        .name = "latency",
        .synopsis = "",
        .summary = "A container for commands that look at delays.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "Depends on subcommand.",
        .arity = -2,
    },
    {
        .name = "latency|doctor",
        .synopsis = "",
        .summary = "Explains the recorded delays in words, with advice.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kOperatorFlags,
        .tips = kReportTips,
        .run = Doctor,
    },
    {
        .name = "latency|graph",
        .synopsis = "event",
        .summary = "Draws the delays of one event.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kOperatorFlags,
        .tips = kReportTips,
        .run = Graph,
    },
    {
        .name = "latency|help",
        .synopsis = "",
        .summary = "Returns helpful text about the subcommands.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .run = Help,
    },
    {
        .name = "latency|histogram",
        .synopsis = "[command...]",
        .summary = "Returns the distribution of run times of some commands, or of all.",
        .since = "7.0.0",
        .group = "server",
        .complexity = "O(N) where N is the number of commands with latency information being retrieved.",
        .arity = -2,
        .flags = kOperatorFlags | Flag::kWorld,
        .tips = kReportTips,
        .run = Histogram,
    },
    {
        .name = "latency|history",
        .synopsis = "event",
        .summary = "Returns the recorded delays of one event.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kOperatorFlags,
        .tips = kReportTips,
        .run = History,
    },
    {
        .name = "latency|latest",
        .synopsis = "",
        .summary = "Returns the last delay of every event.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kOperatorFlags,
        .tips = kReportTips,
        .run = Latest,
    },
    {
        .name = "latency|reset",
        .synopsis = "[event...]",
        .summary = "Forgets the delays of some events, or of all.",
        .since = "2.8.13",
        .group = "server",
        .complexity = "O(1)",
        .arity = -2,
        .flags = kOperatorFlags,
        .tips = "request_policy:all_nodes,response_policy:all_succeeded",
        .run = Reset,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerLatencyCommands{kTable};

}  // namespace cinnabar::commands
