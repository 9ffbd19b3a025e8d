// SENTINEL itself, and its subcommands about the sentinel as a whole: HELP, MYID, PENDING-SCRIPTS, DEBUG and
// SIMULATE-FAILURE.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/ascii.h"
#include "base/numbers.h"
#include "commands/help_reply.h"
#include "commands/sentinel/machine.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::SameWord;
using sentinel::Scripts;
using sentinel::Sentinel;
using sentinel::Timing;
namespace Flag = dispatch::Flag;

void MyId(Call& call) {
  call.reply().Bulk(Machine(call).options().id);
}

// ---- scripts ----

void WriteJob(Call& call, const Scripts::Job& job) {
  const Millis now = Machine(call).now();
  auto& reply = call.reply();
  reply.Map(5);
  reply.Bulk("argv");
  reply.Array(job.arguments.size() + 1);
  reply.Bulk(job.path);
  for (const std::string& argument : job.arguments) reply.Bulk(argument);
  reply.Bulk("flags");
  reply.Bulk(job.running ? "running" : "scheduled");
  reply.Bulk("pid");
  reply.BulkInteger(job.process);
  reply.Bulk(job.running ? "run-time" : "run-delay");
  reply.BulkInteger(std::max<Millis>(job.running ? now - job.start_at : job.start_at - now, 0));
  reply.Bulk("retry-num");
  reply.BulkInteger(job.attempts);
}

void PendingScripts(Call& call) {
  const auto& jobs = Machine(call).scripts().jobs();
  call.reply().Array(jobs.size());
  for (const Scripts::Job& job : jobs) WriteJob(call, job);
}

// ---- DEBUG ----

struct Period {
  std::string_view name;
  Millis Timing::*place;
};

constexpr Period kPeriods[] = {
    {"INFO-PERIOD", &Timing::info_period},
    {"PING-PERIOD", &Timing::ping_period},
    {"ASK-PERIOD", &Timing::ask_period},
    {"PUBLISH-PERIOD", &Timing::publish_period},
    {"DEFAULT-DOWN-AFTER", &Timing::default_down_after},
    {"DEFAULT-FAILOVER-TIMEOUT", &Timing::default_failover_timeout},
    {"TILT-TRIGGER", &Timing::tilt_trigger},
    {"TILT-PERIOD", &Timing::tilt_period},
    {"SLAVE-RECONF-TIMEOUT", &Timing::replica_reconfiguration_timeout},
    {"MIN-LINK-RECONNECT-PERIOD", &Timing::min_link_reconnect_period},
    {"ELECTION-TIMEOUT", &Timing::election_timeout},
    {"SCRIPT-MAX-RUNTIME", &Timing::script_max_runtime},
    {"SCRIPT-RETRY-DELAY", &Timing::script_retry_delay},
};

void WritePeriods(Call& call) {
  call.reply().Map(std::size(kPeriods));
  for (const Period& period : kPeriods) {
    call.reply().Bulk(period.name);
    call.reply().BulkInteger(Machine(call).timing().*period.place);
  }
}

void Debug(Call& call) {
  if (call.argc() == 2) return WritePeriods(call);
  for (size_t i = 2; i < call.argc(); i += 2) {
    const auto* period =
        std::ranges::find_if(kPeriods, [&](const Period& row) { return SameWord(call.arg(i), row.name); });
    if (period == std::end(kPeriods) || i + 1 == call.argc()) {
      return call.reply().Error(
          fmt::format("ERR Unknown option or number of arguments for SENTINEL DEBUG '{}'", call.arg(i)));
    }
    const auto millis = ParseInt64(call.arg(i + 1));
    if (!millis || *millis <= 0) {
      return call.reply().Error(
          fmt::format("ERR Invalid argument '{}' for SENTINEL DEBUG '{}'", call.arg(i + 1), call.arg(i)));
    }
    Machine(call).timing().*period->place = *millis;
  }
  call.reply().Ok();
}

// ---- SIMULATE-FAILURE ----

struct Failure {
  std::string_view name;
  uint32_t bit;
  std::string_view when;
};

constexpr Failure kFailures[] = {
    {"crash-after-election", sentinel::kCrashAfterElection, "once it is elected to fail over a master"},
    {"crash-after-promotion", sentinel::kCrashAfterPromotion, "once it has made a replica the master"},
};

// What was asked for before takes effect no more; the words before a wrong one do.
void SimulateFailure(Call& call) {
  Sentinel& machine = Machine(call);
  machine.SimulateFailures(0);
  for (size_t i = 2; i < call.argc(); ++i) {
    if (SameWord(call.arg(i), "HELP")) {
      call.reply().Array(std::size(kFailures));
      for (const Failure& failure : kFailures) call.reply().Bulk(failure.name);
      return;
    }
    const auto* failure = std::ranges::find_if(
        kFailures, [&](const Failure& row) { return cinnabar::SameWord(call.arg(i), row.name); });
    if (failure == std::end(kFailures)) return call.reply().Error("ERR Unknown failure simulation specified");
    machine.SimulateFailures(machine.simulated_failures() | failure->bit);
    call.services().log.Warning("Failure simulation: this Sentinel will crash {}.", failure->when);
  }
  call.reply().Ok();
}

// ---- HELP ----

constexpr std::string_view kHelp[] = {
    "CKQUORUM <master-name>",
    "    Check if the current Sentinel configuration is able to reach the quorum",
    "    needed to failover a master and the majority needed to authorize the",
    "    failover.",
    "CONFIG SET <param> <value>",
    "    Set a global Sentinel configuration parameter.",
    "CONFIG GET <param>",
    "    Get global Sentinel configuration parameter.",
    "DEBUG [<param> <value> ...]",
    "    Show a list of configurable time parameters and their values (milliseconds).",
    "    Or update current configurable parameters values (one or more).",
    "GET-MASTER-ADDR-BY-NAME <master-name>",
    "    Return the ip and port number of the master with that name.",
    "FAILOVER <master-name>",
    "    Manually failover a master node without asking for agreement from other",
    "    Sentinels",
    "FAILOVERS <master-name>",
    "    Tell what was decided in the last failovers of a master, and why.",
    "FLUSHCONFIG",
    "    Force Sentinel to rewrite its configuration on disk, including the current",
    "    Sentinel state.",
    "INFO-CACHE <master-name>",
    "    Return last cached INFO output from masters and all its replicas.",
    "IS-MASTER-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
    "    Check if the master specified by ip:port is down from current Sentinel's",
    "    point of view.",
    "MASTER <master-name>",
    "    Show the state and info of the specified master.",
    "MASTERS",
    "    Show a list of monitored masters and their state.",
    "MONITOR <name> <ip> <port> <quorum>",
    "    Start monitoring a new master with the specified name, ip, port and quorum.",
    "MYID",
    "    Return the ID of the Sentinel instance.",
    "PENDING-SCRIPTS",
    "    Get pending scripts information.",
    "REMOVE <master-name>",
    "    Remove master from Sentinel's monitor list.",
    "REPLICAS <master-name>",
    "    Show a list of replicas for this master and their state.",
    "RESET <pattern>",
    "    Reset masters for specific master name matching this pattern.",
    "SENTINELS <master-name>",
    "    Show a list of Sentinel instances for this master and their state.",
    "SET <master-name> <option> <value> [<option> <value> ...]",
    "    Set configuration parameters for certain masters.",
    "SIMULATE-FAILURE [CRASH-AFTER-ELECTION] [CRASH-AFTER-PROMOTION] [HELP]",
    "    Simulate a Sentinel crash.",
};

void Help(Call& call) {
  ReplyHelp(call, kHelp);
}

// ---- facts ----

constexpr CommandSpec With(CommandSpec spec, uint64_t flags) {
  spec.flags = flags;
  return spec;
}

constexpr CommandSpec kTable[] = {
    Costing(With(SentinelCommand("sentinel", "", "A container for the commands of a sentinel.", -2, nullptr),
                 Flag::kAdmin | Flag::kOnlySentinel),
            "Depends on subcommand."),
    Since(With(SentinelCommand("sentinel|help", "", "Returns helpful text about the subcommands.", 2, Help),
               Flag::kLoading | Flag::kStale | Flag::kOnlySentinel),
          "6.2.0"),
    Since(SentinelCommand("sentinel|myid", "", "Returns the id of this sentinel.", 2, MyId), "6.2.0"),
    Costing(SentinelCommand("sentinel|pending-scripts", "", "Lists the scripts that run, or are going to.", 2,
                            PendingScripts),
            ""),
    Since(Costing(SentinelCommand("sentinel|debug", "parameter_value:(parameter value)...",
                                  "Shows or changes the times that this sentinel goes by.", -2, Debug),
                  "O(N) where N is the number of configurable parameters"),
          "7.0.0"),
    Since(Costing(SentinelCommand("sentinel|simulate-failure",
                                  "mode:[crash-after-election:pure-token|crash-after-promotion:pure-token|"
                                  "help:pure-token]...",
                                  "Makes this sentinel crash in the middle of a failover to come.", -3,
                                  SimulateFailure),
                  ""),
          "3.2.0"),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSentinelSentinelCommands{kTable};

}  // namespace cinnabar::commands
