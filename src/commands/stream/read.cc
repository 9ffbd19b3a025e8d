// XREAD and XREADGROUP.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/errors.h"
#include "commands/stream/group_access.h"
#include "commands/stream/read_waiting.h"
#include "commands/stream/stream_arguments.h"
#include "commands/stream/stream_reply.h"
#include "dispatch/blocking.h"
#include "dispatch/output_limits.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Key;
using types::Stream;
using types::StreamId;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

struct ReadOptions {
  uint64_t limit = 0;
  std::optional<Millis> deadline;  // when BLOCK was given
  std::optional<std::string_view> group;
  std::string_view consumer;
  GroupRead::Pending pending = GroupRead::Pending::kKept;
  size_t streams = 0;    // how many
  size_t first_key = 0;  // argument positions
  size_t first_id = 0;
};

enum class Reader : uint8_t { kAlone, kGroup };

constexpr std::string_view kOnlyForGroups =
    "ERR The {} option is only supported by XREADGROUP. You called XREAD instead.";

std::string Unbalanced(const Call& call) {
  constexpr std::string_view kFormat =
      "ERR Unbalanced {} list of streams: for each stream key an ID or '{}' must be specified.";
  if (call.settings().general.compat_version == config::CompatVersion::k70)
    return fmt::format(kFormat, "XREAD", '$');
  const bool group = call.command().name == "xreadgroup";
  return fmt::format(kFormat, group ? "'xreadgroup'" : "'xread'", group ? '>' : '$');
}

// Finds the keys and the ids, half of what is left each.
void TakeStreams(const Call& call, Args& args, ReadOptions& options) {
  if (args.left() % 2 != 0) args.Fail(Unbalanced(call));
  options.streams = args.left() / 2;
  options.first_key = args.position();
  options.first_id = options.first_key + options.streams;
}

ReadOptions ParseOptions(Call& call, Args& args, Reader reader) {
  ReadOptions options;
  while (options.streams == 0 && !args.failed()) {
    if (args.TakeWith("BLOCK")) {
      if (call.script() != nullptr)
        args.Fail(fmt::format("ERR {} command is not allowed with BLOCK option from scripts", call.arg(0)));
      options.deadline = dispatch::TakeTimeoutMillis(args, call.now());
    } else if (args.TakeWith("COUNT")) {
      const int64_t count = args.Int();
      options.limit = count > 0 ? static_cast<uint64_t>(count) : 0;
    } else if (args.TakeWith("STREAMS")) {
      TakeStreams(call, args, options);
    } else if (args.TakeWith("GROUP", 2)) {
      if (reader == Reader::kAlone) args.Fail(fmt::format(kOnlyForGroups, "GROUP"));
      options.group = args.Next();
      options.consumer = args.Next();
    } else if (args.Take("NOACK")) {
      if (reader == Reader::kAlone) args.Fail(fmt::format(kOnlyForGroups, "NOACK"));
      options.pending = GroupRead::Pending::kNone;
    } else {
      args.FailSyntax();
    }
  }
  if (reader == Reader::kGroup && !options.group) args.Fail("ERR Missing GROUP option for XREADGROUP");
  return options;
}

// One stream of the command.
struct Wanted {
  Key key;
  Stream* stream = nullptr;
  types::StreamGroup* group = nullptr;
  enum class What : uint8_t { kAfter, kNew, kPending } what = What::kAfter;
  StreamId after;

  NamedGroup named(const ReadOptions& options) const { return {key, *options.group, stream, group}; }
  bool Ready() const {
    if (what == What::kPending) return true;
    if (stream == nullptr) return false;
    return what == What::kNew ? HasNew(*stream, *group) : HasEntriesAfter(*stream, after);
  }
};

constexpr std::string_view kLastForGroup =
    "ERR The {0} ID is meaningless in the context of XREADGROUP: you want to read the history of this "
    "consumer "
    "by specifying a proper ID, or use the > ID to get new messages. The {0} ID would just return an empty "
    "result set.";

// Reads the id of one stream. Returns the error, if any.
std::string ReadId(std::string_view text, Wanted& wanted) {
  if (text == "$" || text == "+") {
    if (wanted.group != nullptr) return fmt::format(kLastForGroup, text);
    wanted.after = wanted.stream == nullptr ? StreamId{} : wanted.stream->last_id;
    if (text == "+" && wanted.stream != nullptr && !wanted.stream->empty())
      wanted.after = wanted.stream->LastId().Previous();
    return {};
  }
  if (text == ">") {
    wanted.what = Wanted::What::kNew;
    if (wanted.group != nullptr) return {};
    return "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> "
           "option.";
  }
  const auto id = types::ParseStreamId(text, 0);
  if (!id) return std::string(errors::kInvalidStreamId);
  wanted.after = *id;
  if (wanted.group != nullptr) wanted.what = Wanted::What::kPending;
  return {};
}

// Looks at all streams in their order. The error, if any, has been answered.
std::optional<std::vector<Wanted>> OpenStreams(Call& call, const ReadOptions& options) {
  std::vector<Wanted> all(options.streams);
  for (size_t i = 0; i < options.streams; ++i) {
    Wanted& wanted = all[i];
    wanted.key = call.key(options.first_key + i);
    if (!OpenStreamToRead(call, wanted.key, wanted.stream)) return std::nullopt;
    if (options.group) {
      if (wanted.stream != nullptr) wanted.group = wanted.stream->FindGroup(*options.group);
      if (wanted.group == nullptr) {
        call.reply().Error(
            NoGroupError(wanted.key.bytes, *options.group, " in XREADGROUP with GROUP option"));
        return std::nullopt;
      }
    }
    const std::string error = ReadId(call.arg(options.first_id + i), wanted);
    if (error.empty()) continue;
    call.reply().Error(error);
    return std::nullopt;
  }
  return all;
}

void ReplyOne(Call& call, const ReadOptions& options, const Wanted& wanted) {
  StreamsReply::Name(call.reply(), wanted.key.bytes);
  const GroupRead read = {options.consumer, options.limit, options.pending};
  if (wanted.what == Wanted::What::kNew) {
    DeliverNew(call, wanted.named(options), read);
  } else if (wanted.what == Wanted::What::kPending) {
    DeliverPending(call, wanted.named(options), read, wanted.after);
  } else {
    ReplyEntriesAfter(call.reply(), *wanted.stream, wanted.after, options.limit);
  }
}

// Answers with all streams that have something. False when there is none.
bool ReplyAll(Call& call, const ReadOptions& options, const std::vector<Wanted>& all) {
  size_t first = 0;
  while (first < all.size() && !all[first].Ready()) ++first;
  if (first == all.size()) return false;
  // A group's new entries are handed out once, though the stream be named twice; else the number is known.
  const bool known = std::none_of(all.begin(), all.end(),
                                  [](const Wanted& wanted) { return wanted.what == Wanted::What::kNew; });
  const auto ready = static_cast<size_t>(
      std::count_if(all.begin(), all.end(), [](const Wanted& wanted) { return wanted.Ready(); }));
  using Size = StreamsReply::Size;
  StreamsReply reply(call.reply(), ready, known || ready == 1 ? Size::kExact : Size::kAtMost);
  size_t count = 0;
  for (size_t i = first; i < all.size(); ++i) {
    if (!all[i].Ready()) continue;  // asked again: the same stream may be named twice
    if (!options.group && !dispatch::TakesReply(call)) break;
    ReplyOne(call, options, all[i]);
    ++count;
  }
  reply.End(count);
  return true;
}

void Wait(Call& call, const ReadOptions& options, const std::vector<Wanted>& all) {
  std::vector<Key> keys;
  auto waiting = std::make_unique<ReadWaiting>(options.limit);
  if (options.group) waiting->ForGroup(*options.group, options.consumer, options.pending);
  for (const Wanted& wanted : all) {
    keys.push_back(wanted.key);
    waiting->Add(wanted.key.bytes, wanted.after);
  }
  call.Block(std::move(waiting), keys, *options.deadline);
}

void Read(Call& call, Reader reader) {
  Args args(call, 1);
  const ReadOptions options = ParseOptions(call, args, reader);
  if (args.failed()) return args.Reply(call);
  const auto all = OpenStreams(call, options);
  if (!all) return;
  if (reader == Reader::kGroup) {
    call.PropagateNothing();
    if (StreamRulesOf(call).consumer_seen == catalog::StreamRules::Seen::kAlways) {
      for (const Wanted& wanted : *all) SeeConsumer(call, wanted.named(options), options.consumer);
    }
  }
  if (ReplyAll(call, options, *all)) return;
  if (options.deadline && call.may_block()) return Wait(call, options, *all);
  call.reply().NullArray();
}

void XRead(Call& call) {
  Read(call, Reader::kAlone);
}
void XReadGroup(Call& call) {
  Read(call, Reader::kGroup);
}

constexpr dispatch::KeySpec KeysAfterStreams(int8_t first) {
  return {.use = KeyUse::kRo | KeyUse::kAccess,
          .first = first,
          .keyword = "STREAMS",
          .last = -1,
          .step = 1,
          .limit = 2};
}

constexpr CommandSpec kTable[] = {
    {
        .name = "xread",
        .synopsis = "[COUNT:integer count] [BLOCK:integer milliseconds] streams:(STREAMS key... id...)",
        .summary = "Returns the entries of one or more streams that come after given ids. Can wait for them.",
        .since = "5.0.0",
        .group = "stream",
        .complexity =
            "O(N) for each stream, with N entries returned. Waking M waiting clients costs XADD O(M).",
        .arity = -4,
        .flags = Flag::kReadOnly | Flag::kBlocking,
        .keys = {KeysAfterStreams(1)},
        .run = XRead,
    },
    {
        .name = "xreadgroup",
        .synopsis =
            "group_consumer:(GROUP group consumer) [COUNT:integer count] [BLOCK:integer milliseconds] "
            "[NOACK] streams:(STREAMS key... id...)",
        .summary =
            "Hands out entries to a consumer of a group: new ones, or those it has not acknowledged. Can "
            "wait for new ones.",
        .since = "5.0.0",
        .group = "stream",
        .complexity =
            "O(M) for each stream, with M entries returned. Waking N waiting clients costs XADD O(N).",
        .arity = -7,
        .flags = Flag::kWrite | Flag::kBlocking,
        .keys = {KeysAfterStreams(4)},
        .run = XReadGroup,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStreamReadCommands{kTable};

}  // namespace cinnabar::commands
