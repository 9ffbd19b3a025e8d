// AUTH and HELLO: who the client is, and which protocol it speaks.
#include <fmt/format.h>

#include <optional>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/connection/authentication.h"
#include "commands/connection/client_name.h"
#include "dispatch/access_control.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::SameWord;
using protocol::Resp;
namespace Flag = dispatch::Flag;

void Auth(Call& call) {
  for (size_t i = 1; i < call.argc(); ++i) call.Redact(i);
  if (call.argc() > 3) return call.reply().Error(errors::kSyntax);
  dispatch::AccessControl& access = *call.services().access;
  if (call.argc() == 2 && access.users().default_user()->needs_no_password()) {
    return call.reply().Error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
  }
  const std::string_view user = call.argc() == 2 ? security::kDefaultUser : call.arg(1);
  if (Authenticate(call, user, call.arg(call.argc() - 1)) == Verdict::kRefused) {
    return call.reply().Error(errors::kWrongPassword);
  }
  call.reply().Ok();
}

struct Greeting {
  std::optional<Resp> version;
  bool authenticate = false;
  std::string_view user;
  std::string_view password;
  std::optional<std::string_view> name;
};

// Also where the rest of the request is wrong.
void RedactPasswords(Call& call) {
  for (size_t i = 1; i < call.argc(); ++i) {
    if (!SameWord(call.arg(i), "AUTH")) continue;
    call.Redact(i + 1);
    call.Redact(i + 2);
  }
}

std::optional<Greeting> ParseHello(Call& call) {
  Greeting greeting;
  if (call.argc() == 1) return greeting;
  RedactPasswords(call);
  const auto version = ParseInt64(call.arg(1));
  if (!version) {
    call.reply().Error("ERR Protocol version is not an integer or out of range");
    return std::nullopt;
  }
  if (*version < 2 || *version > 3) {
    call.reply().Error(errors::kNoProto);
    return std::nullopt;
  }
  greeting.version = *version == 3 ? Resp::k3 : Resp::k2;
  Args args(call, 2);
  while (args.more()) {
    if (args.TakeWith("AUTH", 2)) {
      greeting.authenticate = true;
      greeting.user = args.Next();
      greeting.password = args.Next();
    } else if (args.TakeWith("SETNAME")) {
      greeting.name = args.Next();
    } else {
      call.reply().Error(fmt::format("ERR Syntax error in HELLO option '{}'", args.Peek()));
      return std::nullopt;
    }
  }
  return greeting;
}

void DescribeServer(Call& call) {
  auto& reply = call.reply();
  const bool sentinel = call.services().sentinel != nullptr;
  reply.Map(sentinel ? 6 : 7);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(config::RedisVersion(call.settings().general.compat_version));
  reply.Bulk("proto");
  reply.Integer(static_cast<int64_t>(reply.version()));
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(call.session().id));
  reply.Bulk("mode");
  const bool node = call.services().cluster != nullptr;
  reply.Bulk(sentinel ? "sentinel" : node ? "cluster" : "standalone");
  if (!sentinel) {
    reply.Bulk("role");
    const dispatch::Replication* replication = call.services().replication;
    reply.Bulk(replication != nullptr && replication->follows() ? "replica" : "master");
  }
  reply.Bulk("modules");
  reply.Array(0);
}

void Hello(Call& call) {
  const std::optional<Greeting> greeting = ParseHello(call);
  if (!greeting) return;
  dispatch::Session& session = call.session();
  if (greeting->authenticate && Authenticate(call, greeting->user, greeting->password) == Verdict::kRefused) {
    return call.reply().Error(errors::kWrongPassword);
  }
  if (!session.authenticated) {
    const bool newer = call.settings().general.compat_version != config::CompatVersion::k70;
    return call.reply().Error(fmt::format(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO {}AUTH "
        "<user> <pass> option can be used to authenticate the client and select the RESP protocol "
        "version at the same time",
        newer ? "<proto> " : ""));
  }
  if (greeting->name) {
    if (!ValidClientName(*greeting->name)) return call.reply().Error(kBadClientName);
    session.name = *greeting->name;
  }
  if (greeting->version) call.reply().set_version(*greeting->version);
  DescribeServer(call);
}

constexpr uint64_t kGateFlags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kFast |
                                Flag::kNoAuth | Flag::kAllowBusy | Flag::kSentinel;

constexpr CommandSpec kTable[] = {
    {
        .name = "auth",
        .synopsis = "[username]@6.0.0 password",
        .summary = "Authenticates the connection.",
        .since = "1.0.0",
        .group = "connection",
        .complexity = "O(N) where N is the number of passwords defined for the user",
        .arity = -2,
        .flags = kGateFlags,
        .history = "6.0.0: Added ACL style (username and password).",
        .run = Auth,
    },
    {
        .name = "hello",
        .synopsis = "arguments:[protover:integer [AUTH username password] [SETNAME clientname]]",
        .summary =
            "Chooses the protocol version, optionally authenticates and names the connection, and describes "
            "the server.",
        .since = "6.0.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = -1,
        .flags = kGateFlags,
        .history =
            "6.2.0: `protover` made optional; when called without arguments the command reports the current "
            "connection's context.",
        .run = Hello,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kConnectionAuthCommands{kTable};

}  // namespace cinnabar::commands
