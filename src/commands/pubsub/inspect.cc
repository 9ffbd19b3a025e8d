// PUBSUB: who listens to what.
#include <fmt/format.h>

#include <algorithm>

#include "commands/help_reply.h"
#include "dispatch/call.h"
#include "pubsub/channels.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using pubsub::Kind;
namespace Flag = dispatch::Flag;

void ListNames(Call& call, Kind kind) {
  if (call.argc() > 3) {
    return call.reply().Error(fmt::format(
        "ERR unknown subcommand or wrong number of arguments for '{}'. Try PUBSUB HELP.", call.arg(1)));
  }
  std::vector<std::string> names =
      call.services().channels->Names(kind, call.argc() == 3 ? call.arg(2) : std::string_view("*"));
  std::sort(names.begin(), names.end());
  call.reply().BulkArray(names);
}

void CountSubscribers(Call& call, Kind kind) {
  auto& reply = call.reply();
  reply.Array((call.argc() - 2) * 2);
  for (size_t i = 2; i < call.argc(); ++i) {
    reply.Bulk(call.arg(i));
    reply.Integer(static_cast<int64_t>(call.services().channels->CountSubscribers(kind, call.arg(i))));
  }
}

void ChannelNames(Call& call) {
  ListNames(call, Kind::kChannel);
}

void ShardChannelNames(Call& call) {
  ListNames(call, Kind::kShardChannel);
}

void SubscribersOf(Call& call) {
  CountSubscribers(call, Kind::kChannel);
}

void ShardSubscribersOf(Call& call) {
  CountSubscribers(call, Kind::kShardChannel);
}

void CountPatterns(Call& call) {
  call.reply().Integer(static_cast<int64_t>(call.services().channels->CountNames(Kind::kPattern)));
}

void Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "CHANNELS [<pattern>]",
      "    Return the currently active channels matching a <pattern> (default: '*').",
      "NUMPAT",
      "    Return number of subscriptions to patterns.",
      "NUMSUB [<channel> ...]",
      "    Return the number of subscribers for the specified channels, excluding",
      "    pattern subscriptions(default: no channels).",
      "SHARDCHANNELS [<pattern>]",
      "    Return the currently active shard level channels matching a <pattern> (default: '*').",
      "SHARDNUMSUB [<shardchannel> ...]",
      "    Return the number of subscribers for the specified shard level channel(s)",
  };
  ReplyHelp(call, kLines);
}

constexpr uint64_t kFlags = Flag::kPubsub | Flag::kLoading | Flag::kStale | Flag::kAfterOthers;

constexpr CommandSpec kTable[] = {
    {
        .name = "pubsub",
        .synopsis = "",
        .summary = "A container for commands about Pub/Sub.",
        .since = "2.8.0",
        .group = "pubsub",
        .complexity = "Depends on subcommand.",
        .arity = -2,
    },
    {
        .name = "pubsub|channels",
        .synopsis = "[pattern:pattern]",
        .summary = "Lists the channels that have subscribers.",
        .since = "2.8.0",
        .group = "pubsub",
        .complexity =
            "O(N) where N is the number of active channels, and assuming constant time pattern matching "
            "(relatively short channels and patterns)",
        .arity = -2,
        .flags = kFlags,
        .run = ChannelNames,
    },
    {
        .name = "pubsub|help",
        .synopsis = "",
        .summary = "Returns helpful text about the subcommands.",
        .since = "6.2.0",
        .group = "pubsub",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .categories = "=",
        .run = Help,
    },
    {
        .name = "pubsub|numpat",
        .synopsis = "",
        .summary = "Counts the different patterns that have subscribers.",
        .since = "2.8.0",
        .group = "pubsub",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kFlags,
        .run = CountPatterns,
    },
    {
        .name = "pubsub|numsub",
        .synopsis = "[channel...]",
        .summary = "Counts the subscribers of channels, without those of patterns.",
        .since = "2.8.0",
        .group = "pubsub",
        .complexity = "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        .arity = -2,
        .flags = kFlags,
        .run = SubscribersOf,
    },
    {
        .name = "pubsub|shardchannels",
        .synopsis = "[pattern:pattern]",
        .summary = "Lists the shard channels that have subscribers.",
        .since = "7.0.0",
        .group = "pubsub",
        .complexity =
            "O(N) where N is the number of active shard channels, and assuming constant time pattern "
            "matching (relatively short shard channels).",
        .arity = -2,
        .flags = kFlags,
        .run = ShardChannelNames,
    },
    {
        .name = "pubsub|shardnumsub",
        .synopsis = "[shardchannel:string...]",
        .summary = "Counts the subscribers of shard channels.",
        .since = "7.0.0",
        .group = "pubsub",
        .complexity =
            "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        .arity = -2,
        .flags = kFlags,
        .run = ShardSubscribersOf,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kPubsubInspectCommands{kTable};

}  // namespace cinnabar::commands
