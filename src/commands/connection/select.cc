// SELECT, QUIT and RESET: the state of one connection.
#include <fmt/format.h>

#include <limits>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/connection/monitor.h"
#include "commands/pubsub/leave.h"
#include "dispatch/access_control.h"
#include "dispatch/call.h"
#include "dispatch/dispatcher.h"
#include "dispatch/tracking.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void Select(Call& call) {
  constexpr int64_t kLeast = std::numeric_limits<int32_t>::min();
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const auto index = ParseInt64(call.arg(1));
  if (!index) return call.reply().Error(errors::kNotInteger);
  if (*index < kLeast || *index > kMost) {
    return call.reply().Error(
        fmt::format("ERR value is out of range, value must between {} and {}", kLeast, kMost));
  }
  if (*index != 0 && call.settings().cluster.enabled)
    return call.reply().Error("ERR SELECT is not allowed in cluster mode");
  if (*index < 0 || *index >= call.settings().general.databases) {
    return call.reply().Error(errors::kDbIndexOutOfRange);
  }
  call.session().database = static_cast<int>(*index);
  call.reply().Ok();
}

void Quit(Call& call) {
  call.reply().Ok();
  call.session().closing = dispatch::Closing::kAfterReply;
}

// The name of the client library stays: it still is what speaks at the other end.
void Reset(Call& call) {
  dispatch::Session& session = call.session();
  session.transaction.Reset();
  call.dispatcher().Unwatch(session, dispatch::Dispatcher::Held::kNo);
  LeaveMonitor(call);
  LeaveChannels(call);
  if (session.tracking != nullptr) call.services().tracking->Leave(session);
  session.database = 0;
  session.name.clear();
  session.no_evict = session.no_touch = false;
  session.asking = session.reads_replica = false;
  session.reply_mode = dispatch::ReplyMode::kOn;
  call.services().access->Connect(session);
  call.reply().Redirect(session.output);
  call.reply().set_version(protocol::Resp::k2);
  call.reply().Simple("RESET");
}

constexpr uint64_t kStateFlags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast |
                                 Flag::kNoAuth | Flag::kAllowBusy | Flag::kControlsTransaction |
                                 Flag::kListening;

constexpr CommandSpec kTable[] = {
    {
        .name = "select",
        .synopsis = "index:integer",
        .summary = "Changes the database that the connection uses.",
        .since = "1.0.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale | Flag::kFast,
        .run = Select,
    },
    {
        .name = "quit",
        .summary = "Closes the connection.",
        .since = "1.0.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = -1,
        .flags = kStateFlags,
        .run = Quit,
    },
    {
        .name = "reset",
        .summary = "Brings the connection back to the state of a new one.",
        .since = "6.2.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 1,
        .flags = kStateFlags,
        .run = Reset,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kConnectionSelectCommands{kTable};

}  // namespace cinnabar::commands
