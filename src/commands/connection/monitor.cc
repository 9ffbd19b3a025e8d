// MONITOR: from here on the client is shown every command that the server executes.
#include "commands/connection/monitor.h"

namespace cinnabar::commands {

void LeaveMonitor(dispatch::Call& call) {
  if (!call.session().monitor) return;
  call.session().monitor = false;
  call.services().monitors.fetch_sub(1);
}

namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void Monitor(Call& call) {
  if (call.in_transaction()) {
    return call.reply().Error("ERR MONITOR isn't allowed for DENY BLOCKING client");
  }
  dispatch::Session& session = call.session();
  if (!session.monitor) {
    session.monitor = true;
    call.services().monitors.fetch_add(1);
  }
  call.reply().Ok();
}

constexpr CommandSpec kTable[] = {
    {
        .name = "monitor",
        .summary = "Shows every command that the server executes, as it happens.",
        .since = "1.0.0",
        .group = "server",
        .arity = 1,
        .flags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kWorld,
        .run = Monitor,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kConnectionMonitorCommands{kTable};

}  // namespace cinnabar::commands
