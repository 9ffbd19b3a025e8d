// ROLE, REPLICAOF (SLAVEOF) and FAILOVER: the server's role, and how it changes.
#include <fmt/format.h>

#include <string>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "dispatch/args.h"
#include "dispatch/call.h"
#include "journal/journal.h"
#include "sentinel/sentinel.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::SameWord;
namespace Flag = dispatch::Flag;

void RoleOfReplica(Call& call) {
  const dispatch::PrimaryFacts facts = call.services().replication->Primary();
  call.reply().Array(5);
  call.reply().Bulk("slave");
  call.reply().Bulk(facts.host);
  call.reply().Integer(facts.port);
  call.reply().Bulk(facts.state);
  call.reply().Integer(facts.up ? static_cast<int64_t>(facts.offset) : -1);
}

void RoleOfSentinel(Call& call) {
  const auto& primaries = call.services().sentinel->primaries();
  call.reply().Array(2);
  call.reply().Bulk("sentinel");
  call.reply().Array(primaries.size());
  for (const auto& [name, primary] : primaries) call.reply().Bulk(name);
}

void Role(Call& call) {
  if (call.services().sentinel != nullptr) return RoleOfSentinel(call);
  const dispatch::Replication& replication = *call.services().replication;
  if (replication.follows()) return RoleOfReplica(call);
  std::vector<dispatch::ReplicaFacts> replicas = replication.ReplicaList();
  std::erase_if(replicas, [](const dispatch::ReplicaFacts& facts) { return !facts.online; });
  call.reply().Array(3);
  call.reply().Bulk("master");
  call.reply().Integer(static_cast<int64_t>(call.services().journal.offset()));
  call.reply().Array(replicas.size());
  for (const dispatch::ReplicaFacts& facts : replicas) {
    call.reply().Array(3);
    call.reply().Bulk(facts.address);
    call.reply().Bulk(Int64ToString(facts.port));
    call.reply().Bulk(Int64ToString(static_cast<int64_t>(facts.offset)));
  }
}

std::string Caller(const Call& call) {
  const dispatch::Session& session = call.session();
  return fmt::format("id={} addr={} name={}", session.id, session.facts.peer, session.name);
}

void ReplicaOf(Call& call) {
  if (call.settings().cluster.enabled)
    return call.reply().Error("ERR REPLICAOF not allowed in cluster mode.");
  dispatch::Replication& replication = *call.services().replication;
  Logger& log = call.services().log;
  if (replication.failing_over()) return call.reply().Error("ERR REPLICAOF not allowed while failing over.");
  if (SameWord(call.arg(1), "NO") && SameWord(call.arg(2), "ONE")) {
    if (replication.FollowNobody()) log.Notice("MASTER MODE enabled (user request from '{}')", Caller(call));
    return call.reply().Ok();
  }
  if (call.session().replica()) {
    return call.reply().Error("ERR Command is not valid when client is a replica.");
  }
  const auto port = ParseInt64(call.arg(2));
  if (!port || *port < 0 || *port > 65535) return call.reply().Error("ERR Invalid master port");
  if (!replication.Follow(std::string(call.arg(1)), *port)) {
    log.Notice("REPLICAOF would result into synchronization with the master we are already connected with.");
    return call.reply().Simple("OK Already connected to specified master");
  }
  log.Notice("REPLICAOF {}:{} enabled (user request from '{}')", call.arg(1), *port, Caller(call));
  call.reply().Ok();
}

void Failover(Call& call) {
  if (call.settings().cluster.enabled) return call.reply().Error("ERR FAILOVER not allowed in cluster mode.");
  dispatch::Replication::FailoverRequest request;
  bool abort = false;
  dispatch::Args args(call);
  while (args.more()) {
    if (args.Take("TO")) {
      request.host = args.Next();
      request.port = args.Int(0, 65535, "ERR value is out of range, value must between 0 and 65535");
    } else if (args.Take("FORCE")) {
      request.force = true;
    } else if (args.Take("ABORT")) {
      abort = true;
    } else if (args.TakeWith("TIMEOUT")) {
      request.timeout = args.Int();
      if (!args.failed() && request.timeout <= 0) args.Fail("ERR FAILOVER timeout must be greater than 0");
    } else {
      args.FailSyntax();
    }
    if (args.failed()) return args.Reply(call);
  }
  if (abort && call.argc() > 2) return call.reply().Error(errors::kSyntax);
  dispatch::Replication& replication = *call.services().replication;
  const Status status = abort ? replication.AbortFailover() : replication.BeginFailover(request);
  if (!status) return call.reply().Error(status.error().message);
  call.reply().Ok();
}

constexpr uint64_t kReplicaOfFlags =
    Flag::kAdmin | Flag::kNoScript | Flag::kStale | Flag::kNoAsyncLoading | Flag::kWorld;
constexpr std::string_view kTarget = "args:(host-port:(host port:integer)|no-one:(NO ONE))";

constexpr CommandSpec kTable[] = {
    {
        .name = "role",
        .synopsis = "",
        .summary = "Returns the server's role in replication.",
        .since = "2.8.12",
        .group = "server",
        .complexity = "O(1)",
        .arity = 1,
        .flags =
            Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kSentinel | Flag::kWorld,
        .categories = "admin,dangerous",
        .run = Role,
    },
    {
        .name = "replicaof",
        .synopsis = kTarget,
        .summary = "Makes the server follow a master, or makes it a master.",
        .since = "5.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kReplicaOfFlags,
        .run = ReplicaOf,
    },
    {
        .name = "slaveof",
        .synopsis = kTarget,
        .summary = "The old name of REPLICAOF.",
        .since = "1.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kReplicaOfFlags,
        .replaced_by = "`REPLICAOF`",
        .deprecated_since = "5.0.0",
        .run = ReplicaOf,
    },
    {
        .name = "failover",
        .synopsis = "[target:(TO host port:integer [FORCE])] [ABORT] [TIMEOUT milliseconds:integer]",
        .summary = "Hands the role of the master over to a replica, once it has everything.",
        .since = "6.2.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = -1,
        .flags = Flag::kAdmin | Flag::kNoScript | Flag::kStale | Flag::kWorld,
        .run = Failover,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerRoleCommands{kTable};

}  // namespace cinnabar::commands
