// SHUTDOWN.
#include <memory>

#include "catalog/errors.h"
#include "dispatch/args.h"
#include "dispatch/blocking.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

constexpr std::string_view kFailed = "ERR Errors trying to SHUTDOWN. Check logs.";

// Replicas lack something. The client hears only when nothing comes of it.
class WaitingForShutdown final : public dispatch::Waiting {
 public:
  WaitingForShutdown(const dispatch::ServerControl& control, uint64_t failed_before)
      : control_(control), failed_before_(failed_before) {}

  bool Serve(Call&, const keyspace::Key&) override { return false; }
  bool ServeCopies(protocol::ReplyWriter& reply) override {
    if (control_.FailedShutdowns() == failed_before_) return false;
    reply.Error(kFailed);
    return true;
  }

 private:
  const dispatch::ServerControl& control_;
  const uint64_t failed_before_;
};

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
  const uint64_t failed_before = call.services().control.FailedShutdowns();
  const auto begun = call.services().control.Shutdown(request);
  if (!begun) return call.reply().Error(kFailed);
  if (*begun == dispatch::ServerControl::Shutting::kWaits)
    return call.Block(std::make_unique<WaitingForShutdown>(call.services().control, failed_before), {},
                      keyspace::kNever);
  // Success has no reply: the connection closes.
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
