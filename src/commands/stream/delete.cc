// XDEL and XTRIM.
#include "commands/stream/stream_arguments.h"
#include "commands/stream/stream_key.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyStream;
using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Key;
using types::Stream;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void XDel(Call& call) {
  const Key key = call.key(1);
  Stream* stream;
  if (!OpenStreamToWrite(call, key, stream)) return;
  if (stream == nullptr) return call.reply().Integer(0);
  const auto ids = AllStreamIds(call, 2);
  if (!ids) return;
  uint64_t deleted = 0;
  for (types::StreamId id : *ids) deleted += stream->Erase(id) ? 1 : 0;
  if (deleted > 0) {
    call.Changed(kNotifyStream, "xdel", key);
    call.MarkDirty(deleted - 1);
  }
  call.reply().Integer(static_cast<int64_t>(deleted));
}

void XTrim(Call& call) {
  Args args(call, 2);
  TrimOption option;
  while (args.more() && !args.failed()) {
    if (!option.Take(args)) args.FailSyntax();
  }
  option.Check(args, call.settings().encoding);
  if (!option.given())
    args.Fail("ERR syntax error, XTRIM must be called with a MAXLEN or MINID trimming strategy");
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  Stream* stream;
  if (!OpenStreamToWrite(call, key, stream)) return;
  const uint64_t deleted = stream == nullptr ? 0 : stream->Trim(option.trim());
  if (deleted > 0) {
    call.Changed(kNotifyStream, "xtrim", key);
    call.MarkDirty(deleted - 1);
    if (option.approximate()) {
      const ExactTrim exact = ExactTrimOf(*stream, option.trim());
      call.Propagate({"XTRIM", key.bytes, exact.option, "=", exact.threshold});
    }
  }
  call.reply().Integer(static_cast<int64_t>(deleted));
}

constexpr CommandSpec kTable[] = {
    {
        .name = "xdel",
        .synopsis = "key id...",
        .summary = "Removes entries from a stream and says how many there were.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(log(N)) for each entry, with N nodes of the stream.",
        .arity = -3,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kDelete)},
        .run = XDel,
    },
    {
        .name = "xtrim",
        .synopsis = "key trim:(strategy:(MAXLEN|MINID@6.2.0) operator:[=|~:pure-token approximately] "
                    "threshold [LIMIT:integer count]@6.2.0)",
        .summary = "Removes the oldest entries of a stream, down to a length or up to an id.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(N) for N entries removed; whole nodes go at once, so the constant is small.",
        .arity = -4,
        .flags = Flag::kWrite,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kDelete)},
        .tips = "nondeterministic_output",
        .history = "6.2.0: Added the `MINID` trimming strategy and the `LIMIT` option.",
        .run = XTrim,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStreamDeleteCommands{kTable};

}  // namespace cinnabar::commands
