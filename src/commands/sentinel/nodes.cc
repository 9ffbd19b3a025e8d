// SENTINEL MASTERS, MASTER, REPLICAS, SENTINELS, GET-MASTER-ADDR-BY-NAME and INFO-CACHE: what a sentinel
// knows.
#include <vector>

#include "base/numbers.h"
#include "commands/sentinel/description.h"
#include "commands/sentinel/machine.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using sentinel::Instance;
using sentinel::Primary;
using sentinel::Replica;
using sentinel::Sentinel;

void WriteAll(Call& call, const auto& instances) {
  call.reply().Array(instances.size());
  for (const auto& [name, instance] : instances) WriteDescription(Machine(call), *instance, call.reply());
}

void Primaries(Call& call) {
  WriteAll(call, Machine(call).primaries());
}

void OnePrimary(Call& call) {
  const Primary* primary = NamedPrimary(call, 2);
  if (primary != nullptr) WriteDescription(Machine(call), *primary, call.reply());
}

// Those that do not want to be known to clients (replica-announced no) are left out.
void Replicas(Call& call) {
  const Primary* primary = NamedPrimary(call, 2);
  if (primary == nullptr) return;
  std::vector<const Replica*> announced;
  for (const auto& [name, replica] : primary->replicas) {
    if (replica->announced) announced.push_back(replica.get());
  }
  call.reply().Array(announced.size());
  for (const Replica* replica : announced) WriteDescription(Machine(call), *replica, call.reply());
}

void Peers(Call& call) {
  const Primary* primary = NamedPrimary(call, 2);
  if (primary != nullptr) WriteAll(call, primary->peers);
}

void AddressByName(Call& call) {
  Sentinel& machine = Machine(call);
  const Primary* primary = machine.Find(call.arg(2));
  if (primary == nullptr) return call.reply().NullArray();
  const sentinel::Address& address = machine.CurrentAddress(*primary);
  call.reply().Array(2);
  call.reply().Bulk(machine.Shown(address));
  call.reply().Bulk(Int64ToString(address.port));
}

void WriteInfo(Call& call, const Instance& instance) {
  call.reply().Array(2);
  call.reply().Integer(instance.info_at == 0 ? 0 : Machine(call).now() - instance.info_at);
  if (instance.info.empty()) return call.reply().Null();
  call.reply().Bulk(instance.info);
}

// Of the primaries that are named and known, each once, and their replicas.
void InfoCache(Call& call) {
  Sentinel& machine = Machine(call);
  std::vector<const Primary*> wanted;
  for (const auto& [name, primary] : machine.primaries()) {
    bool named = false;
    for (size_t i = 2; i < call.argc(); ++i) named |= call.arg(i) == name;
    if (named) wanted.push_back(primary.get());
  }
  call.reply().Array(wanted.size() * 2);
  for (const Primary* primary : wanted) {
    call.reply().Bulk(primary->name);
    call.reply().Array(primary->replicas.size() + 1);
    WriteInfo(call, *primary);
    for (const auto& [name, replica] : primary->replicas) WriteInfo(call, *replica);
  }
}

constexpr CommandSpec OldName(CommandSpec spec, std::string_view replaced_by) {
  spec.deprecated_since = "5.0.0";
  spec.replaced_by = replaced_by;
  return spec;
}

constexpr std::string_view kName = "master-name";
constexpr std::string_view kPerReplica = "O(N) where N is the number of replicas";

constexpr CommandSpec kTable[] = {
    Costing(SentinelCommand("sentinel|masters", "", "Describes all monitored masters.", 2, Primaries),
            "O(N) where N is the number of masters"),
    SentinelCommand("sentinel|master", kName, "Describes a monitored master.", 3, OnePrimary),
    Since(Costing(
              SentinelCommand("sentinel|replicas", kName, "Describes the replicas of a master.", 3, Replicas),
              kPerReplica),
          "5.0.0"),
    OldName(Since(Costing(SentinelCommand("sentinel|slaves", kName, "The old name of SENTINEL REPLICAS.", 3,
                                          Replicas),
                          "O(N) where N is the number of slaves"),
                  "2.8.0"),
            "`SENTINEL REPLICAS`"),
    Costing(SentinelCommand("sentinel|sentinels", kName,
                            "Describes the other sentinels that monitor a master.", 3, Peers),
            "O(N) where N is the number of Sentinels"),
    SentinelCommand("sentinel|get-master-addr-by-name", kName, "Returns where a master is at the moment.", 3,
                    AddressByName),
    Since(Costing(SentinelCommand("sentinel|info-cache", "nodename...",
                                  "Returns the last INFO of masters and their replicas, each with its age.",
                                  -3, InfoCache),
                  "O(N) where N is the number of instances"),
          "3.2.0"),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSentinelNodesCommands{kTable};

}  // namespace cinnabar::commands
