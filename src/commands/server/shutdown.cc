// SHUTDOWN.
#include "catalog/errors.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void Shutdown(Call& call) {
  dispatch::ShutdownRequest request;
  bool abort = false;
  Args args(call);
  while (args.more()) {
    if (args.Take("NOSAVE")) {
      request.nosave = true;
    } else if (args.Take("SAVE")) {
      request.save = true;
    } else if (args.Take("NOW")) {
      request.now = true;
    } else if (args.Take("FORCE")) {
      request.force = true;
    } else if (args.Take("ABORT")) {
      abort = true;
    } else {
      return call.reply().Error(errors::kSyntax);
    }
  }
  if ((request.save && request.nosave) || (abort && call.argc() > 2))
    return call.reply().Error(errors::kSyntax);
  if (abort) {
    if (!call.services().control.AbortShutdown()) return call.reply().Error("ERR No shutdown in progress.");
    return call.reply().Ok();
  }
  // Success has no reply: the connection closes.
  if (!call.services().control.Shutdown(request)) {
    return call.reply().Error("ERR Errors trying to SHUTDOWN. Check logs.");
  }
  call.session().closing = dispatch::Closing::kNow;
}

constexpr CommandSpec kTable[] = {{
    .name = "shutdown",
    .synopsis = "[NOSAVE|SAVE] [NOW]@7.0.0 [FORCE]@7.0.0 [ABORT]@7.0.0",
    .summary = "Saves what is to be saved, and ends the server.",
    .since = "1.0.0",
    .group = "server",
    .complexity = "O(N) when saving, where N is the total number of keys in all databases when saving data, "
                  "otherwise O(1)",
    .arity = -1,
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kNoMulti |
             Flag::kAllowBusy | Flag::kSentinel | Flag::kWorld,
    .history = "7.0.0: Added the `NOW`, `FORCE` and `ABORT` modifiers.",
    .run = Shutdown,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerShutdownCommands{kTable};

}  // namespace cinnabar::commands
