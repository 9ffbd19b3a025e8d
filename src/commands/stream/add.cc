// XADD.
#include <fmt/format.h>

#include "catalog/errors.h"
#include "commands/stream/stream_arguments.h"
#include "commands/stream/stream_key.h"
#include "commands/stream/stream_reply.h"
#include "journal/journal.h"

namespace cinnabar::commands {
namespace {

using config::kNotifyStream;
using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Key;
using types::Stream;
using types::StreamId;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

struct AddOptions {
  // How much of the id the server chooses.
  enum class Choose : uint8_t { kAll, kSequence, kNothing } choose = Choose::kNothing;
  StreamId id;
  enum class Missing : uint8_t { kMakeStream, kDoNothing } missing = Missing::kMakeStream;
  TrimOption trim;
};

// `*`, `millis-*`, or an id.
void TakeNewId(Args& args, AddOptions& options) {
  using Choose = AddOptions::Choose;
  const std::string_view text = args.Peek();
  if (text == "*") {
    options.choose = Choose::kAll;
    args.Skip(1);
  } else if (text.ends_with("-*")) {
    const auto millis = types::ParseStreamNumber(text.substr(0, text.size() - 2));
    if (!millis) return args.Fail(errors::kInvalidStreamId);
    options.choose = Choose::kSequence;
    options.id = {*millis, 0};
    args.Skip(1);
  } else {
    options.id = TakeStreamId(args);
  }
}

// Leaves the cursor at the first field.
AddOptions ParseOptions(Args& args, Call& call) {
  AddOptions options;
  while (args.more() && !args.failed()) {
    if (args.Peek() != "*" && options.trim.Take(args)) continue;
    if (args.Take("NOMKSTREAM")) {
      options.missing = AddOptions::Missing::kDoNothing;
      continue;
    }
    TakeNewId(args, options);
    break;
  }
  options.trim.Check(args, call.settings().encoding);
  if (args.left() < 2 || args.left() % 2 != 0)
    args.Fail(fmt::format("ERR wrong number of arguments for '{}' command", args.command_name()));
  if (options.choose == AddOptions::Choose::kNothing && options.id.IsZero())
    args.Fail("ERR The ID specified in XADD must be greater than 0-0");
  return options;
}

constexpr std::string_view kNotAboveLast =
    "ERR The ID specified in XADD is equal or smaller than the target stream top item";

// The id of the new entry, or an error.
std::string_view ChooseId(AddOptions& options, StreamId last, Millis now) {
  using Choose = AddOptions::Choose;
  if (last == types::kStreamIdMax)
    return "ERR The stream has exhausted the last possible ID, unable to add more items";
  StreamId& id = options.id;
  if (options.choose == Choose::kAll) {
    id = {static_cast<uint64_t>(now), 0};
    if (id <= last) id = last.Next();
  } else if (options.choose == Choose::kSequence && id.millis == last.millis) {
    if (last.Next().millis != id.millis) return kNotAboveLast;
    id = last.Next();
  }
  return id > last ? std::string_view() : kNotAboveLast;
}

// The journal gets the id that was chosen and exactly what was trimmed.
void PropagateAdd(Call& call, const Key& key, const Stream& stream, const AddOptions& options,
                  std::span<const std::string_view> pairs) {
  const bool trimmed_roughly = options.trim.given() && options.trim.approximate();
  if (options.choose == AddOptions::Choose::kNothing && !trimmed_roughly) return;
  if (!call.services().journal.active()) return call.PropagateNothing();
  std::vector<std::string_view> argv = {"XADD", key.bytes};
  ExactTrim exact;
  if (options.trim.given()) {
    exact = ExactTrimOf(stream, options.trim.trim());
    argv.insert(argv.end(), {exact.option, "=", exact.threshold});
  }
  const types::StreamIdText id(options.id);
  argv.push_back(id);
  argv.insert(argv.end(), pairs.begin(), pairs.end());
  call.Propagate(argv);
}

void XAdd(Call& call) {
  Args args(call, 2);
  AddOptions options = ParseOptions(args, call);
  if (args.failed()) return args.Reply(call);
  const std::span<const std::string_view> pairs = call.argv().subspan(args.position());

  const Key key = call.key(1);
  Stream* stream;
  if (!OpenStreamToWrite(call, key, stream)) return;
  if (stream == nullptr && options.missing == AddOptions::Missing::kDoNothing) return call.reply().Null();
  const std::string_view error =
      ChooseId(options, stream == nullptr ? StreamId{} : stream->last_id, call.now());
  if (!error.empty()) return call.reply().Error(error);
  if (!types::stream_node::Fits(pairs)) return call.reply().Error("ERR Elements are too large to be stored");

  if (stream == nullptr) stream = &MakeStream(call, key);
  const config::Encoding& limits = call.settings().encoding;
  stream->Append(options.id, pairs,
                 {.bytes = limits.stream_node_max_bytes, .entries = limits.stream_node_max_entries});
  call.Changed(kNotifyStream, "xadd", key);
  if (options.trim.given() && stream->Trim(options.trim.trim()) > 0)
    call.Notify(kNotifyStream, "xtrim", key.bytes);
  PropagateAdd(call, key, *stream, options, pairs);
  ReplyId(call.reply(), options.id);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "xadd",
        .synopsis = "key [NOMKSTREAM]@6.2.0 "
                    "trim:[strategy:(MAXLEN|MINID@6.2.0) operator:[=:pure-token equal|~:pure-token "
                    "approximately] threshold "
                    "[LIMIT:integer count]@6.2.0] id_or_auto:(*:pure-token auto_id|id) (field value)...",
        .summary = "Appends an entry to a stream, which is made if there is none.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(1) to append; O(N) for N entries that are trimmed.",
        .arity = -5,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
        .keys = {{.use = KeyUse::kRw | KeyUse::kUpdate,
                  .first = 1,
                  .notes = "UPDATE instead of INSERT because of the optional trimming feature"}},
        .tips = "nondeterministic_output",
        .history = "6.2.0: Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.|"
                   "7.0.0: Added support for the `<ms>-*` explicit ID form.",
        .run = XAdd,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStreamAddCommands{kTable};

}  // namespace cinnabar::commands
