#include "commands/stream/stream_arguments.h"

#include <algorithm>
#include <limits>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "dispatch/call.h"

namespace cinnabar::commands {

using dispatch::Args;
using types::StreamId;
using types::StreamTrim;

namespace {

constexpr uint64_t kSequenceMax = std::numeric_limits<uint64_t>::max();

StreamId IdOrFail(Args& args, std::string_view text, uint64_t missing_sequence) {
  if (args.failed()) return {};
  const auto id = types::ParseStreamId(text, missing_sequence);
  if (!id) args.Fail(errors::kInvalidStreamId);
  return id.value_or(StreamId{});
}

}  // namespace

StreamId TakeStreamId(Args& args, uint64_t missing_sequence) {
  const std::string_view text = args.Next();
  return IdOrFail(args, text, missing_sequence);
}

StreamId TakeRangeStart(Args& args) {
  const std::string_view text = args.Next();
  if (text == "-") return types::kStreamIdMin;
  if (text == "+") return types::kStreamIdMax;
  if (!text.starts_with('(')) return IdOrFail(args, text, 0);
  const StreamId id = IdOrFail(args, text.substr(1), 0);
  if (id == types::kStreamIdMax) {
    args.Fail("ERR invalid start ID for the interval");
    return id;
  }
  return id.Next();
}

StreamId TakeRangeEnd(Args& args) {
  const std::string_view text = args.Next();
  if (text == "-") return types::kStreamIdMin;
  if (text == "+") return types::kStreamIdMax;
  if (!text.starts_with('(')) return IdOrFail(args, text, kSequenceMax);
  const StreamId id = IdOrFail(args, text.substr(1), kSequenceMax);
  if (args.failed() || id.IsZero()) {
    args.Fail("ERR invalid end ID for the interval");
    return id;
  }
  return id.Previous();
}

std::optional<std::vector<StreamId>> AllStreamIds(dispatch::Call& call, size_t first) {
  Args args(call, first);
  std::vector<StreamId> ids;
  ids.reserve(args.left());
  while (args.more() && !args.failed()) ids.push_back(TakeStreamId(args));
  if (!args.failed()) return ids;
  args.Reply(call);
  return std::nullopt;
}

void TrimOption::TakePrecision(Args& args) {
  trim_.precision = StreamTrim::Precision::kExact;
  if (args.left() < 2) return;
  if (args.Peek() == "~") {
    trim_.precision = StreamTrim::Precision::kNodes;
    args.Skip(1);
  } else if (args.Peek() == "=") {
    args.Skip(1);
  }
}

void TrimOption::TakeStrategy(StreamTrim::By by, Args& args) {
  if (given_) {
    args.Fail("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
    return;
  }
  given_ = true;
  trim_.by = by;
  TakePrecision(args);
  if (by == StreamTrim::By::kLength) {
    const int64_t most =
        args.Int(0, std::numeric_limits<int64_t>::max(), "ERR The MAXLEN argument must be >= 0.");
    trim_.max_length = static_cast<uint64_t>(most);
  } else {
    trim_.min_id = TakeStreamId(args);
  }
}

bool TrimOption::Take(Args& args) {
  if (args.TakeWith("MAXLEN")) {
    TakeStrategy(StreamTrim::By::kLength, args);
  } else if (args.TakeWith("MINID")) {
    TakeStrategy(StreamTrim::By::kId, args);
  } else if (args.TakeWith("LIMIT")) {
    trim_.limit = args.Int(0, std::numeric_limits<int64_t>::max(), "ERR The LIMIT argument must be >= 0.");
    limit_given_ = true;
  } else {
    return false;
  }
  return true;
}

void TrimOption::Check(Args& args, const config::Encoding& settings) {
  // Without a limit a trim stops after so many entries: one command must not take long.
  constexpr int64_t kNodesAtOnce = 100;
  constexpr int64_t kLimitWithoutNodes = 10000;
  constexpr int64_t kLimitMost = 1000000;
  if (args.failed()) return;
  if (limit_given_ && trim_.limit > 0 && !given_)
    return args.Fail("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
  if (limit_given_ && !approximate())
    return args.Fail("ERR syntax error, LIMIT cannot be used without the special ~ option");
  if (limit_given_ || !approximate()) return;
  const int64_t entries = settings.stream_node_max_entries;
  trim_.limit = entries <= 0                          ? kLimitWithoutNodes
                : entries > kLimitMost / kNodesAtOnce ? kLimitMost
                                                      : entries * kNodesAtOnce;
}

ExactTrim ExactTrimOf(const types::Stream& stream, const StreamTrim& trim) {
  if (trim.by == StreamTrim::By::kLength)
    return {"MAXLEN", Int64ToString(static_cast<int64_t>(stream.length()))};
  const StreamId first = stream.empty() ? trim.min_id : stream.FirstId();
  return {"MINID", std::string(types::StreamIdText(first).view())};
}

}  // namespace cinnabar::commands
