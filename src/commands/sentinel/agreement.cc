// SENTINEL CKQUORUM, IS-MASTER-DOWN-BY-ADDR and FAILOVERS: what sentinels agree on, and what came of it.
#include <fmt/format.h>

#include <string>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/sentinel/machine.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using sentinel::FailoverRecord;
using sentinel::Primary;
using sentinel::Sentinel;

void CheckQuorum(Call& call) {
  const Primary* primary = NamedPrimary(call, 2);
  if (primary == nullptr) return;
  const Sentinel::QuorumCheck check = Machine(call).CheckQuorum(*primary);
  if (check.quorum && check.majority) {
    return call.reply().Simple(fmt::format(
        "OK {} usable Sentinels. Quorum and failover authorization can be reached", check.usable));
  }
  std::string problem = fmt::format("NOQUORUM {} usable Sentinels", check.usable);
  if (!check.quorum)
    problem += ". Not enough available Sentinels to reach the specified quorum for this master";
  if (!check.majority)
    problem += ". Not enough available Sentinels to reach the majority and authorize a failover";
  call.reply().Error(problem);
}

// Other sentinels ask this. Who names a candidate asks for a vote.
void IsPrimaryDown(Call& call) {
  const auto port = ParseInt64(call.arg(3));
  const auto epoch = ParseInt64(call.arg(4));
  // No sentinel has a negative epoch; taken for a large one, it would end all elections for good.
  if (!port || !epoch || *epoch < 0) return call.reply().Error(errors::kNotInteger);
  const bool possible = *port >= 0 && *port <= 65535;
  const Sentinel::Opinion opinion =
      possible ? Machine(call).OpinionOf(call.arg(2), static_cast<int>(*port),
                                         static_cast<sentinel::Epoch>(*epoch), call.arg(5))
               : Sentinel::Opinion{.leader = "*"};
  call.reply().Array(3);
  call.reply().Integer(opinion.down ? 1 : 0);
  call.reply().Bulk(opinion.leader);
  call.reply().Integer(static_cast<int64_t>(opinion.leader_epoch));
}

void WriteFailover(Call& call, const FailoverRecord& record) {
  call.reply().Map(5);
  call.reply().Bulk("time");
  call.reply().Integer(record.wall_at);
  call.reply().Bulk("epoch");
  call.reply().Integer(static_cast<int64_t>(record.epoch));
  call.reply().Bulk("forced");
  call.reply().Integer(record.forced ? 1 : 0);
  call.reply().Bulk("outcome");
  call.reply().Bulk(record.outcome.empty() ? "in progress" : std::string_view(record.outcome));
  call.reply().Bulk("notes");
  call.reply().BulkArray(record.notes);
}

void Failovers(Call& call) {
  const Primary* primary = NamedPrimary(call, 2);
  if (primary == nullptr) return;
  call.reply().Array(primary->history.size());
  for (const FailoverRecord& record : primary->history) WriteFailover(call, record);
}

constexpr CommandSpec kTable[] = {
    Costing(SentinelCommand("sentinel|ckquorum", "master-name",
                            "Checks whether enough sentinels can be reached to fail over a master.", 3,
                            CheckQuorum),
            ""),
    SentinelCommand("sentinel|is-master-down-by-addr", "ip port:integer current-epoch:integer runid",
                    "Asks whether a master is down, and for a vote.", 6, IsPrimaryDown),
    Costing(Since(SentinelCommand("sentinel|failovers", "master-name",
                                  "Tells of the last failovers of a master: when, in which epoch, what was "
                                  "decided and why. Of Cinnabar alone.",
                                  3, Failovers),
                  "7.2.0"),
            "O(N) where N is the number of failovers that are remembered"),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSentinelAgreementCommands{kTable};

}  // namespace cinnabar::commands
