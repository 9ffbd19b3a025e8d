// PUBLISH and SPUBLISH.
#include <string>

#include "dispatch/call.h"
#include "dispatch/cluster_bus.h"
#include "dispatch/script_run.h"
#include "pubsub/channels.h"
#include "sentinel/sentinel.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using pubsub::Kind;
namespace Flag = dispatch::Flag;

// To those who listen at other servers: at the other nodes of a cluster, or at our replicas.
void TellOthers(Call& call, Kind kind) {
  dispatch::ClusterBus* bus = call.services().cluster_bus;
  if (bus == nullptr) return call.PropagateToReplicas(call.argv());
  bus->Publish(kind == Kind::kShardChannel, call.arg(1), call.arg(2));
}

void PublishTo(Call& call, Kind kind) {
  pubsub::Channels& channels = *call.services().channels;
  if (dispatch::ScriptRun* script = call.script(); script != nullptr && script->undoable()) {
    // The script may be given up: the message waits for its end.
    dispatch::ClusterBus* bus = call.services().cluster_bus;
    script->AtEnd(
        [&channels, bus, kind, channel = std::string(call.arg(1)), message = std::string(call.arg(2))] {
          channels.Publish(kind, channel, message);
          if (bus != nullptr) bus->Publish(kind == Kind::kShardChannel, channel, message);
        });
    if (bus == nullptr) call.PropagateToReplicas(call.argv());
    return call.reply().Integer(static_cast<int64_t>(channels.CountReceivers(kind, call.arg(1))));
  }
  size_t receivers = channels.Publish(kind, call.arg(1), call.arg(2));
  if (receivers == 0) {
    // A SUBSCRIBE that was sent before it may wait on another core
    // (docs/design/order-between-connections.md), or may have been executed there since this one looked.
    if (!call.AfterOthers()) return;
    receivers = channels.Publish(kind, call.arg(1), call.arg(2));
  }
  TellOthers(call, kind);
  call.reply().Integer(static_cast<int64_t>(receivers));
}

// Other sentinels tell of themselves. A sentinel has one core: nobody else uses the machine.
void TakeHello(Call& call) {
  if (call.arg(1) != sentinel::kHelloChannel)
    return call.reply().Error("ERR Only HELLO messages are accepted by Sentinel instances.");
  call.services().sentinel->TakeHello(call.arg(2));
  call.reply().Integer(1);
}

void Publish(Call& call) {
  if (call.services().sentinel != nullptr) return TakeHello(call);
  PublishTo(call, Kind::kChannel);
}

void ShardPublish(Call& call) {
  PublishTo(call, Kind::kShardChannel);
}

constexpr uint64_t kFlags = Flag::kPubsub | Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kMayReplicate;

constexpr CommandSpec kTable[] = {
    {
        .name = "publish",
        .synopsis = "channel message",
        .summary = "Sends a message to the subscribers of a channel.",
        .since = "2.0.0",
        .group = "pubsub",
        .complexity =
            "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total "
            "number of subscribed patterns (by any client).",
        .arity = 3,
        .flags = kFlags | Flag::kSentinel,
        .channels = {.first = 1},
        .run = Publish,
    },
    {
        .name = "spublish",
        .synopsis = "shardchannel:string message",
        .summary = "Sends a message to the subscribers of a shard channel.",
        .since = "7.0.0",
        .group = "pubsub",
        .complexity = "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        .arity = 3,
        .flags = kFlags,
        .keys = {dispatch::OneKey(dispatch::KeyUse::kNotKey)},
        .channels = {.first = 1},
        .run = ShardPublish,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kPubsubPublishCommands{kTable};

}  // namespace cinnabar::commands
