// SLOWLOG: the last commands that took long.
#include "base/numbers.h"
#include "commands/help_reply.h"
#include "dispatch/call.h"
#include "telemetry/slow_log.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

constexpr int64_t kDefaultCount = 10;
constexpr int64_t kAll = -1;

void Get(Call& call) {
  int64_t count = kDefaultCount;
  if (call.argc() > 3) {
    return call.reply().Error("ERR wrong number of arguments for 'slowlog|get' command");
  }
  if (call.argc() == 3) {
    const auto wanted = ParseInt64(call.arg(2));
    if (!wanted || *wanted < kAll)
      return call.reply().Error("ERR count should be greater than or equal to -1");
    count = *wanted;
  }
  const auto entries = call.services().slow_log.Newest(count == kAll ? SIZE_MAX : static_cast<size_t>(count));
  auto& reply = call.reply();
  reply.Array(entries.size());
  for (const telemetry::SlowLogEntry& entry : entries) {
    reply.Array(6);
    reply.Integer(static_cast<int64_t>(entry.id));
    reply.Integer(entry.unix_seconds);
    reply.Integer(entry.duration);
    reply.BulkArray(entry.arguments);
    reply.Bulk(entry.client_address);
    reply.Bulk(entry.client_name);
  }
}

void Length(Call& call) {
  call.reply().Integer(static_cast<int64_t>(call.services().slow_log.Size()));
}

void Reset(Call& call) {
  call.services().slow_log.Reset();
  call.reply().Ok();
}

void Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "GET [<count>]",
      "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
      "    Entries are made of:",
      "    id, timestamp, time in microseconds, arguments array, client IP and port,",
      "    client name",
      "LEN",
      "    Return the length of the slowlog.",
      "RESET",
      "    Reset the slowlog.",
  };
  ReplyHelp(call, kLines);
}

constexpr uint64_t kOperatorFlags = Flag::kAdmin | Flag::kLoading | Flag::kStale;

constexpr CommandSpec kTable[] = {
    {
        .name = "slowlog",
        .synopsis = "",
        .summary = "A container for commands about the log of slow commands.",
        .since = "2.2.12",
        .group = "server",
        .complexity = "Depends on subcommand.",
        .arity = -2,
    },
    {
        .name = "slowlog|get",
        .synopsis = "[count:integer]",
        .summary = "Returns the newest entries of the slow log.",
        .since = "2.2.12",
        .group = "server",
        .complexity = "O(N) where N is the number of entries returned",
        .arity = -2,
        .flags = kOperatorFlags,
        .tips = "request_policy:all_nodes,nondeterministic_output",
        .history = "4.0.0: Added client IP address, port and name to the reply.",
        .run = Get,
    },
    {
        .name = "slowlog|help",
        .synopsis = "",
        .summary = "Returns helpful text about the subcommands.",
        .since = "6.2.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .run = Help,
    },
    {
        .name = "slowlog|len",
        .synopsis = "",
        .summary = "Returns the number of entries in the slow log.",
        .since = "2.2.12",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kOperatorFlags,
        .tips = "request_policy:all_nodes,response_policy:agg_sum,nondeterministic_output",
        .run = Length,
    },
    {
        .name = "slowlog|reset",
        .synopsis = "",
        .summary = "Removes all entries from the slow log.",
        .since = "2.2.12",
        .group = "server",
        .complexity = "O(N) where N is the number of entries in the slowlog",
        .arity = 2,
        .flags = kOperatorFlags,
        .tips = "request_policy:all_nodes,response_policy:all_succeeded",
        .run = Reset,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerSlowlogCommands{kTable};

}  // namespace cinnabar::commands
