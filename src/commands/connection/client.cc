// CLIENT: the subcommands that tell or change something about the caller's own connection.
#include <fmt/format.h>

#include <optional>

#include "catalog/errors.h"
#include "commands/connection/client_name.h"
#include "commands/help_reply.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::ReplyMode;
using dispatch::SameWord;
namespace Flag = dispatch::Flag;

void ClientId(Call& call) {
  call.reply().Integer(static_cast<int64_t>(call.session().id));
}

void ClientGetName(Call& call) {
  if (call.session().name.empty()) return call.reply().Null();
  call.reply().Bulk(call.session().name);
}

void ClientSetName(Call& call) {
  if (!ValidClientName(call.arg(2))) return call.reply().Error(kBadClientName);
  call.session().name = call.arg(2);
  call.reply().Ok();
}

void ClientSetInfo(Call& call) {
  std::string* target = nullptr;
  std::string_view attribute;
  if (SameWord(call.arg(2), "LIB-NAME")) {
    target = &call.session().library_name;
    attribute = "lib-name";
  } else if (SameWord(call.arg(2), "LIB-VER")) {
    target = &call.session().library_version;
    attribute = "lib-ver";
  } else {
    return call.reply().Error(fmt::format("ERR Unrecognized option '{}'", call.arg(2)));
  }
  if (!ValidClientName(call.arg(3))) {
    return call.reply().Error(
        fmt::format("ERR {} cannot contain spaces, newlines or special characters.", attribute));
  }
  *target = call.arg(3);
  call.reply().Ok();
}

std::optional<bool> OnOrOff(std::string_view word) {
  if (SameWord(word, "ON")) return true;
  if (SameWord(word, "OFF")) return false;
  return std::nullopt;
}

void Switch(Call& call, bool& what) {
  const auto on = OnOrOff(call.arg(2));
  if (!on) return call.reply().Error(errors::kSyntax);
  what = *on;
  call.reply().Ok();
}

void ClientNoEvict(Call& call) {
  Switch(call, call.session().no_evict);
}
void ClientNoTouch(Call& call) {
  Switch(call, call.session().no_touch);
}

void ClientReply(Call& call) {
  dispatch::Session& session = call.session();
  if (SameWord(call.arg(2), "ON")) {
    session.reply_mode = ReplyMode::kOn;
    call.reply().Redirect(session.output);
    return call.reply().Ok();
  }
  if (SameWord(call.arg(2), "OFF")) {
    session.reply_mode = ReplyMode::kOff;
  } else if (SameWord(call.arg(2), "SKIP")) {
    if (session.reply_mode != ReplyMode::kOff) session.reply_mode = ReplyMode::kSkipNext;
  } else {
    call.reply().Error(errors::kSyntax);
  }
}

void ClientHelp(Call& call) {
  constexpr std::string_view kLines[] = {
      "CACHING (YES|NO)",
      "    Say whether the keys that the next command reads are cached (OPTIN and OPTOUT).",
      "GETREDIR",
      "    Tell to which client tracking notifications are sent.",
      "GETNAME",
      "    Tell the name of this connection.",
      "ID",
      "    Tell the ID of this connection.",
      "INFO",
      "    Describe this connection.",
      "KILL <ip:port>",
      "    Close the connection from this address.",
      "KILL <option> <value> [<option> <value> [...]]",
      "    Close the connections for which all options hold:",
      "    * ADDR <ip:port>, LADDR <ip:port>: their own, or the server's, address.",
      "    * ID <client-id>, USER <username>.",
      "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB).",
      "    * MAXAGE <seconds>: open for at least so long.",
      "    * SKIPME (YES|NO): spare this connection (the default).",
      "LIST [options ...]",
      "    Describe the connections, all or:",
      "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
      "    * ID <client-id> [<client-id> [...]]",
      "UNPAUSE",
      "    End a pause.",
      "PAUSE <timeout> [WRITE|ALL]",
      "    Hold the commands of all clients, or those that write, for <timeout> milliseconds.",
      "REPLY (ON|OFF|SKIP)",
      "    Say whether this connection gets replies.",
      "SETNAME <name>",
      "    Name this connection.",
      "SETINFO <option> <value>",
      "    Describe this connection's client library:",
      "    * LIB-NAME: its name.",
      "    * LIB-VER: its version.",
      "UNBLOCK <clientid> [TIMEOUT|ERROR]",
      "    Unblock a client that waits in a blocking command.",
      "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
      "         [OPTIN] [OPTOUT] [NOLOOP]",
      "    Have this connection, or another one, told which of the keys that it has read change.",
      "TRACKINGINFO",
      "    Describe the state of tracking for this connection.",
      "NO-EVICT (ON|OFF)",
      "    Protect this connection from client eviction.",
      "NO-TOUCH (ON|OFF)",
      "    Say whether this connection's commands leave the access times of keys alone.",
  };
  ReplyHelp(call, kLines);
}

constexpr uint64_t kClientFlags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kSentinel;

constexpr CommandSpec kTable[] = {
    {
        .name = "client",
        .summary = "A container for the commands about client connections.",
        .since = "2.4.0",
        .group = "connection",
        .complexity = "Depends on subcommand.",
        .arity = -2,
        .flags = Flag::kSentinel,
    },
    {
        .name = "client|id",
        .summary = "Returns the ID of this connection.",
        .since = "5.0.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kClientFlags,
        .run = ClientId,
    },
    {
        .name = "client|getname",
        .summary = "Returns the name of this connection.",
        .since = "2.6.9",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kClientFlags,
        .run = ClientGetName,
    },
    {
        .name = "client|setname",
        .synopsis = "connection-name",
        .summary = "Names this connection.",
        .since = "2.6.9",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kClientFlags,
        .run = ClientSetName,
    },
    {
        .name = "client|setinfo",
        .synopsis = "attr:(LIB-NAME:string libname|LIB-VER:string libver)",
        .summary = "Tells name or version of the client library that uses this connection.",
        .since = "7.2.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 4,
        .flags = kClientFlags,
        .tips = "request_policy:all_nodes,response_policy:all_succeeded",
        .run = ClientSetInfo,
    },
    {
        .name = "client|no-evict",
        .synopsis = "enabled:(ON|OFF)",
        .summary = "Protects this connection from client eviction, or ends that.",
        .since = "7.0.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kClientFlags | Flag::kAdmin,
        .run = ClientNoEvict,
    },
    {
        .name = "client|no-touch",
        .synopsis = "enabled:(ON|OFF)",
        .summary = "Says whether commands of this connection leave the access times of keys alone.",
        .since = "7.2.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kClientFlags,
        .run = ClientNoTouch,
    },
    {
        .name = "client|reply",
        .synopsis = "(ON|OFF|SKIP)",
        .summary = "Says whether this connection gets replies.",
        .since = "3.2.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kClientFlags,
        .run = ClientReply,
    },
    {
        .name = "client|help",
        .summary = "Lists the subcommands.",
        .since = "5.0.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale | Flag::kSentinel,
        .run = ClientHelp,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kConnectionClientCommands{kTable};

}  // namespace cinnabar::commands
