// XLEN, XRANGE, XREVRANGE.
#include "commands/stream/stream_arguments.h"
#include "commands/stream/stream_key.h"
#include "commands/stream/stream_reply.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using types::Stream;
using types::StreamCursor;
using types::StreamId;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

void XLen(Call& call) {
  Stream* stream;
  if (!OpenStreamToRead(call, call.key(1), stream)) return;
  call.reply().Integer(stream == nullptr ? 0 : static_cast<int64_t>(stream->length()));
}

void ReplyRange(Call& call, StreamCursor::Direction direction) {
  Args args(call, 2);
  StreamId from;
  StreamId to;
  if (direction == StreamCursor::Direction::kForward) {
    from = TakeRangeStart(args);
    to = TakeRangeEnd(args);
  } else {
    to = TakeRangeEnd(args);
    from = TakeRangeStart(args);
  }
  int64_t limit = -1;
  while (args.more() && !args.failed()) {
    if (args.TakeWith("COUNT")) {
      limit = std::max<int64_t>(args.Int(), 0);
    } else {
      args.FailSyntax();
    }
  }
  if (args.failed()) return args.Reply(call);
  Stream* stream;
  if (!OpenStreamToRead(call, call.key(1), stream)) return;
  if (stream == nullptr) return call.reply().Array(0);
  if (limit == 0) return call.reply().NullArray();
  StreamCursor cursor(*stream, from, to, direction);
  ReplyEntries(call.reply(), cursor, limit < 0 ? 0 : static_cast<uint64_t>(limit),
               [&call](StreamId) { call.Yield(); });
}

void XRange(Call& call) {
  ReplyRange(call, StreamCursor::Direction::kForward);
}
void XRevRange(Call& call) {
  ReplyRange(call, StreamCursor::Direction::kBackward);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "xlen",
        .synopsis = "key",
        .summary = "Returns the number of entries in a stream.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kReadOnly | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRo)},
        .run = XLen,
    },
    {
        .name = "xrange",
        .synopsis = "key start end [COUNT:integer count]",
        .summary = "Returns the entries of a stream between two ids.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(log(N)+M) with N nodes of the stream and M entries returned.",
        .arity = -4,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .history = "6.2.0: Added exclusive ranges.",
        .run = XRange,
    },
    {
        .name = "xrevrange",
        .synopsis = "key end start [COUNT:integer count]",
        .summary = "Returns the entries of a stream between two ids, the newest first.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(log(N)+M) with N nodes of the stream and M entries returned.",
        .arity = -4,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
        .history = "6.2.0: Added exclusive ranges.",
        .run = XRevRange,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStreamRangeCommands{kTable};

}  // namespace cinnabar::commands
