// CLIENT LIST and CLIENT INFO.
#include <fmt/format.h>

#include <functional>
#include <vector>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/connection/client_class.h"
#include "commands/connection/client_line.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::Session;
namespace Flag = dispatch::Flag;

void AppendLine(Call& call, const Session& session, std::string& lines) {
  ClientLineOptions options{.compat = call.settings().general.compat_version, .now = call.now()};
  if (&session == &call.session()) {
    for (std::string_view argument : call.argv()) options.argument_bytes += argument.size();
  }
  lines += ClientLine(session, options);
  lines += '\n';
}

void ReplyWith(Call& call, const std::function<bool(const Session&)>& wanted) {
  std::string lines;
  call.services().clients.ForEach([&](Session& session) {
    if (wanted(session)) AppendLine(call, session, lines);
  });
  call.reply().Verbatim("txt", lines);
}

void ListWithIds(Call& call) {
  std::vector<uint64_t> ids;
  for (size_t i = 3; i < call.argc(); ++i) {
    const auto id = ParseInt64(call.arg(i));
    if (!id) return call.reply().Error("ERR Invalid client ID");
    ids.push_back(static_cast<uint64_t>(*id));
  }
  // In the order in which they were asked for.
  std::vector<std::string> found(ids.size());
  call.services().clients.ForEach([&](Session& session) {
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == session.id) AppendLine(call, session, found[i]);
    }
  });
  std::string lines;
  for (const std::string& line : found) lines += line;
  call.reply().Verbatim("txt", lines);
}

void ClientList(Call& call) {
  if (call.argc() == 2) {
    return ReplyWith(call, [](const Session&) { return true; });
  }
  if (call.argc() == 4 && dispatch::SameWord(call.arg(2), "TYPE")) {
    const auto type = ClientTypeNamed(call.arg(3));
    if (!type) return call.reply().Error(fmt::format("ERR Unknown client type '{}'", call.arg(3)));
    return ReplyWith(call, [&](const Session& session) { return TypeOf(session) == *type; });
  }
  if (call.argc() > 3 && dispatch::SameWord(call.arg(2), "ID")) return ListWithIds(call);
  call.reply().Error(errors::kSyntax);
}

void ClientInfo(Call& call) {
  ReplyWith(call, [&](const Session& session) { return &session == &call.session(); });
}

constexpr uint64_t kListFlags =
    Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kSentinel | Flag::kWorld;

constexpr CommandSpec kTable[] = {
    {
        .name = "client|list",
        .synopsis = "[TYPE (NORMAL|MASTER|REPLICA|PUBSUB)]@5.0.0 [ID id:(client-id:integer...)]@6.2.0",
        .summary = "Lists the open connections.",
        .since = "2.4.0",
        .group = "connection",
        .complexity = "O(N) where N is the number of client connections",
        .arity = -2,
        .flags = kListFlags | Flag::kAdmin | Flag::kAfterOthers,
        .tips = "nondeterministic_output",
        .history =
            "2.8.12: Added unique client `id` field.|5.0.0: Added optional `TYPE` filter.|6.0.0: Added "
            "`user` field.|6.2.0: Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional "
            "`ID` filter.|7.0.0: Added `resp`, `multi-mem`, `rbs` and `rbp` fields.|7.0.3: Added `ssub` "
            "field.",
        .run = ClientList,
    },
    {
        .name = "client|info",
        .summary = "Describes this connection.",
        .since = "6.2.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kListFlags,
        .tips = "nondeterministic_output",
        .run = ClientInfo,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kConnectionClientListCommands{kTable};

}  // namespace cinnabar::commands
