// PING and ECHO.
#include <fmt/format.h>

#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void Ping(Call& call) {
  if (call.argc() > 2) {
    return call.reply().Error(
        fmt::format("ERR wrong number of arguments for '{}' command", call.command().name));
  }
  if (call.session().only_listens()) {
    // Looks like a message: that is what such a client waits for.
    call.reply().Array(2);
    call.reply().Bulk("pong");
    return call.reply().Bulk(call.argc() == 2 ? call.arg(1) : std::string_view());
  }
  if (call.argc() == 2) return call.reply().Bulk(call.arg(1));
  call.reply().Simple("PONG");
}

void Echo(Call& call) {
  call.reply().Bulk(call.arg(1));
}

constexpr CommandSpec kTable[] = {
    {
        .name = "ping",
        .synopsis = "[message]",
        .summary = "Returns PONG, or the message that was given: the server is alive.",
        .since = "1.0.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = -1,
        .flags = Flag::kFast | Flag::kSentinel | Flag::kListening,
        .tips = "request_policy:all_shards,response_policy:all_succeeded",
        .run = Ping,
    },
    {
        .name = "echo",
        .synopsis = "message",
        .summary = "Returns the given string.",
        .since = "1.0.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale | Flag::kFast,
        .run = Echo,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kConnectionPingCommands{kTable};

}  // namespace cinnabar::commands
