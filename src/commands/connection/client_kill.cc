// CLIENT KILL and CLIENT UNBLOCK: what one client does to others.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/connection/client_class.h"
#include "dispatch/access_control.h"
#include "dispatch/args.h"
#include "dispatch/call.h"
#include "dispatch/dispatcher.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::SameWord;
using dispatch::Session;
namespace Flag = dispatch::Flag;

// All conditions must hold.
struct Filter {
  uint64_t id = 0;
  std::optional<ClientType> type;
  std::string_view address;
  std::string_view local_address;
  security::UserPtr user;
  int64_t age_seconds_min = 0;
  bool skip_caller = true;

  bool Matches(const Session& session, const Call& call) const {
    if (!address.empty() && session.facts.peer != address) return false;
    if (!local_address.empty() && session.facts.local != local_address) return false;
    if (type && TypeOf(session) != *type) return false;
    if (id != 0 && session.id != id) return false;
    if (user != nullptr && session.user != user) return false;
    if (skip_caller && &session == &call.session()) return false;
    return age_seconds_min == 0 || (call.now() - session.created) / kMillisPerSecond >= age_seconds_min;
  }
};

void ReadNumber(Args& args, int64_t& number, std::string_view what) {
  const auto parsed = ParseInt64(args.Next());
  if (!parsed || *parsed < 1) return args.Fail(fmt::format("ERR {} should be greater than 0", what));
  number = *parsed;
}

void ReadOption(Args& args, const security::Users& users, Filter& filter) {
  if (args.TakeWith("ID")) {
    int64_t id = 0;
    ReadNumber(args, id, "client-id");
    filter.id = static_cast<uint64_t>(id);
  } else if (args.TakeWith("TYPE")) {
    const std::string_view name = args.Next();
    filter.type = ClientTypeNamed(name);
    if (!filter.type) args.Fail(fmt::format("ERR Unknown client type '{}'", name));
  } else if (args.TakeWith("ADDR")) {
    filter.address = args.Next();
  } else if (args.TakeWith("LADDR")) {
    filter.local_address = args.Next();
  } else if (args.TakeWith("USER")) {
    const std::string_view name = args.Next();
    filter.user = users.Find(name);
    if (filter.user == nullptr) args.Fail(fmt::format("ERR No such user '{}'", name));
  } else if (args.TakeWith("SKIPME")) {
    filter.skip_caller = args.Take("YES");
    if (!filter.skip_caller && !args.Take("NO")) args.FailSyntax();
  } else if (args.TakeWith("MAXAGE")) {
    ReadNumber(args, filter.age_seconds_min, "maxage");
  } else {
    args.FailSyntax();
  }
}

int64_t Kill(Call& call, const Filter& filter) {
  std::vector<Session*> doomed;
  call.services().clients.ForEach([&](Session& session) {
    if (filter.Matches(session, call)) doomed.push_back(&session);
  });
  for (Session* session : doomed) call.services().clients.Close(*session, &call.session());
  return static_cast<int64_t>(doomed.size());
}

void ClientKill(Call& call) {
  Filter filter;
  if (call.argc() == 3) {
    filter.address = call.arg(2);
    filter.skip_caller = false;
    if (filter.address.empty() || Kill(call, filter) == 0) return call.reply().Error("ERR No such client");
    return call.reply().Ok();
  }
  Args args(call, 2);
  const security::Users& users = call.services().access->users();
  while (args.more() && !args.failed()) ReadOption(args, users, filter);
  if (args.failed()) return args.Reply(call);
  call.reply().Integer(Kill(call, filter));
}

void ClientUnblock(Call& call) {
  if (call.argc() > 4) return call.reply().Error(errors::kSyntax);
  if (call.argc() == 4 && !SameWord(call.arg(3), "TIMEOUT") && !SameWord(call.arg(3), "ERROR")) {
    return call.reply().Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  const auto id = ParseInt64(call.arg(2));
  if (!id) return call.reply().Error(errors::kNotInteger);
  dispatch::Session* session = *id > 0 ? call.services().clients.Find(static_cast<uint64_t>(*id)) : nullptr;
  const bool error = call.argc() == 4 && SameWord(call.arg(3), "ERROR");
  const auto with = error ? dispatch::UnblockWith::kError : dispatch::UnblockWith::kTimeout;
  call.reply().Integer(session != nullptr && call.dispatcher().blocked().Unblock(*session, with) ? 1 : 0);
}

constexpr uint64_t kOperatorFlags =
    Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kSentinel;

constexpr CommandSpec kTable[] = {
    {
        .name = "client|kill",
        .synopsis =
            "filter:(ip:port|new-format:([ID:integer client-id]@2.8.12|"
            "[TYPE normal_master_slave_pubsub:(NORMAL|MASTER@3.2.0|SLAVE|REPLICA@5.0.0|PUBSUB)]@2.8.12|"
            "[USER:string username]|[ADDR:string ip:port]|[LADDR:string ip:port]@6.2.0|"
            "[SKIPME:string yes/no]|[MAXAGE:integer maxage]@7.4.0)...)",
        .summary = "Closes the connections that match.",
        .since = "2.4.0",
        .group = "connection",
        .complexity = "O(N) where N is the number of client connections",
        .arity = -3,
        .flags = kOperatorFlags | Flag::kWorld,
        .history =
            "2.8.12: Added new filter format.|2.8.12: `ID` option.|3.2.0: Added `master` type in for `TYPE` "
            "option.|5.0.0: Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward "
            "compatibility.|6.2.0: `LADDR` option.",
        .run = ClientKill,
    },
    {
        .name = "client|unblock",
        .synopsis = "client-id:integer [TIMEOUT|ERROR]",
        .summary = "Unblocks a client that waits in a blocking command.",
        .since = "5.0.0",
        .group = "connection",
        .complexity = "O(log N) where N is the number of client connections",
        .arity = -3,
        .flags = kOperatorFlags | Flag::kWorld,
        .run = ClientUnblock,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kConnectionClientKillCommands{kTable};

}  // namespace cinnabar::commands
