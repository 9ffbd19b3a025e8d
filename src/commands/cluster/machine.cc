#include "commands/cluster/machine.h"

#include <fmt/format.h>

#include <string>

#include "base/numbers.h"

namespace cinnabar::commands {

using cluster::Cluster;
using cluster::Node;
using dispatch::Call;

Cluster* NodeMachine(Call& call) {
  Cluster* machine = call.services().cluster;
  if (machine == nullptr) call.reply().Error("ERR This instance has cluster support disabled");
  return machine;
}

Node* NamedNode(Call& call, const Cluster& machine, size_t index) {
  Node* node = machine.Find(call.arg(index));
  if (node == nullptr) call.reply().Error(fmt::format("ERR Unknown node {}", call.arg(index)));
  return node;
}

std::optional<int> SlotArgument(Call& call, size_t index) {
  const auto slot = ParseInt64(call.arg(index));
  if (slot && *slot >= 0 && *slot < cluster::kSlots) return static_cast<int>(*slot);
  call.reply().Error("ERR Invalid or out of range slot");
  return std::nullopt;
}

void ReplyDone(Call& call, const Status& status) {
  if (!status) return call.reply().Error(status.error().message);
  call.reply().Ok();
}

void ReplyWrongForm(Call& call) {
  call.reply().Error(
      fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try CLUSTER HELP.",
                  call.arg(1).substr(0, 128)));
}

int PortFor(const Call& call, const Node& node) {
  const dispatch::Session& session = call.session();
  const dispatch::Session& client = session.behalf != nullptr ? *session.behalf : session;
  const bool plain = call.settings().tls.cluster && !client.facts.tls;
  return plain && node.plain_port != 0 ? node.plain_port : node.port;
}

}  // namespace cinnabar::commands
