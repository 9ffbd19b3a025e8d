// ASKING, READONLY and READWRITE: what a client of a cluster says of its own connection. What follows from it
// is decided where requests are routed (dispatch/router.h).
#include "config/settings.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

// False, with the reply written, where there is no cluster.
bool ExpectCluster(Call& call) {
  if (call.settings().cluster.enabled) return true;
  call.reply().Error("ERR This instance has cluster support disabled");
  return false;
}

void Asking(Call& call) {
  if (!ExpectCluster(call)) return;
  call.session().asking = true;
  call.reply().Ok();
}

void ReadOnly(Call& call) {
  if (!ExpectCluster(call)) return;
  call.session().reads_replica = true;
  call.reply().Ok();
}

void ReadWrite(Call& call) {
  if (!ExpectCluster(call)) return;
  call.session().reads_replica = false;
  call.reply().Ok();
}

constexpr CommandSpec OfConnection(std::string_view name, std::string_view summary, uint64_t flags,
                                   dispatch::Handler run) {
  CommandSpec spec{.name = name, .synopsis = "", .summary = summary, .since = "3.0.0", .group = "cluster"};
  spec.complexity = "O(1)";
  spec.arity = 1;
  spec.flags = flags | Flag::kFast;
  spec.categories = "=connection";
  spec.run = run;
  return spec;
}

constexpr CommandSpec kTable[] = {
    OfConnection("asking", "Lets the next command reach a slot that this node is importing.", 0, Asking),
    OfConnection("readonly", "Lets the client read from a replica of a cluster.",
                 Flag::kLoading | Flag::kStale, ReadOnly),
    OfConnection("readwrite", "Ends READONLY.", Flag::kLoading | Flag::kStale, ReadWrite),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kClusterRoutingCommands{kTable};

}  // namespace cinnabar::commands
