// SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and their opposites.
#include <fmt/format.h>

#include "commands/pubsub/leave.h"
#include "dispatch/call.h"
#include "pubsub/channels.h"

namespace cinnabar::commands {

void LeaveChannels(dispatch::Call& call) {
  dispatch::Session& session = call.session();
  if (!session.subscribed()) return;
  call.services().channels->UnsubscribeAll(*session.subscriber);
  session.subscriber.reset();
}

namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::KeyUse::kNotKey;
using pubsub::Kind;
namespace Flag = dispatch::Flag;

// Confirmations are messages like those that follow them: CLIENT REPLY does not silence them.
class Unsilenced {
 public:
  explicit Unsilenced(dispatch::Session& session) : session_(session) {
    if (session.reply_mode != dispatch::ReplyMode::kOn) silence_ = &session.reply.Redirect(session.output);
  }
  ~Unsilenced() {
    if (silence_ != nullptr) session_.reply.Redirect(*silence_);
  }
  Unsilenced(const Unsilenced&) = delete;
  Unsilenced& operator=(const Unsilenced&) = delete;

 private:
  dispatch::Session& session_;
  OutputBuffer* silence_ = nullptr;
};

// Shard channels are counted apart from channels and patterns.
int64_t CountFor(const dispatch::Session& session, Kind kind) {
  if (kind == Kind::kShardChannel) return static_cast<int64_t>(session.subscriptions(kind));
  return static_cast<int64_t>(session.subscriptions(Kind::kChannel) + session.subscriptions(Kind::kPattern));
}

void BeginConfirmation(Call& call) {
  call.reply().Push(3);
  call.reply().Bulk(call.command().name);
}

void SubscribeTo(Call& call, Kind kind) {
  dispatch::Session& session = call.session();
  const Unsilenced unsilenced(session);
  if (!session.subscribed()) {
    session.subscriber = std::make_unique<pubsub::Subscriber>(session.id, session.facts.core);
  }
  for (size_t i = 1; i < call.argc(); ++i) {
    call.services().channels->Subscribe(*session.subscriber, kind, call.arg(i));
    BeginConfirmation(call);
    call.reply().Bulk(call.arg(i));
    call.reply().Integer(CountFor(session, kind));
  }
}

void LeaveOne(Call& call, Kind kind, std::string_view name) {
  dispatch::Session& session = call.session();
  if (session.subscribed()) call.services().channels->Unsubscribe(*session.subscriber, kind, name);
  BeginConfirmation(call);
  call.reply().Bulk(name);
  call.reply().Integer(CountFor(session, kind));
}

void UnsubscribeFrom(Call& call, Kind kind) {
  dispatch::Session& session = call.session();
  const Unsilenced unsilenced(session);
  for (size_t i = 1; i < call.argc(); ++i) LeaveOne(call, kind, call.arg(i));
  if (call.argc() == 1) {
    if (session.subscriptions(kind) == 0) {
      BeginConfirmation(call);
      call.reply().Null();
      call.reply().Integer(CountFor(session, kind));
    }
    while (session.subscriptions(kind) != 0) {
      const std::string name = session.subscriber->names(kind).begin()->first;
      LeaveOne(call, kind, name);
    }
  }
  if (session.subscribed() && session.subscriber->empty()) session.subscriber.reset();
}

void Subscribe(Call& call) {
  SubscribeTo(call, Kind::kChannel);
}

void PatternSubscribe(Call& call) {
  SubscribeTo(call, Kind::kPattern);
}

void ShardSubscribe(Call& call) {
  if (call.in_transaction()) {
    return call.reply().Error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
  }
  SubscribeTo(call, Kind::kShardChannel);
}

void Unsubscribe(Call& call) {
  UnsubscribeFrom(call, Kind::kChannel);
}

void PatternUnsubscribe(Call& call) {
  UnsubscribeFrom(call, Kind::kPattern);
}

void ShardUnsubscribe(Call& call) {
  UnsubscribeFrom(call, Kind::kShardChannel);
}

constexpr uint64_t kFlags =
    Flag::kPubsub | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kListening;

constexpr CommandSpec kTable[] = {
    {
        .name = "subscribe",
        .synopsis = "channel...",
        .summary = "Has the messages of channels sent to this connection.",
        .since = "2.0.0",
        .group = "pubsub",
        .complexity = "O(N) where N is the number of channels to subscribe to.",
        .arity = -2,
        .flags = kFlags | Flag::kSentinel,
        .channels = {.first = 1, .repeats = true},
        .run = Subscribe,
    },
    {
        .name = "unsubscribe",
        .synopsis = "[channel...]",
        .summary = "Ends the subscription to some channels, or to all.",
        .since = "2.0.0",
        .group = "pubsub",
        .complexity = "O(N) where N is the number of clients already subscribed to a channel.",
        .arity = -1,
        .flags = kFlags | Flag::kSentinel,
        .run = Unsubscribe,
    },
    {
        .name = "psubscribe",
        .synopsis = "pattern:(pattern:pattern)...",
        .summary = "Has the messages of all channels that match a pattern sent to this connection.",
        .since = "2.0.0",
        .group = "pubsub",
        .complexity = "O(N) where N is the number of patterns the client is already subscribed to.",
        .arity = -2,
        .flags = kFlags | Flag::kSentinel,
        .channels = {.first = 1, .repeats = true, .patterns = true},
        .run = PatternSubscribe,
    },
    {
        .name = "punsubscribe",
        .synopsis = "[pattern:pattern...]",
        .summary = "Ends the subscription to some patterns, or to all.",
        .since = "2.0.0",
        .group = "pubsub",
        .complexity =
            "O(N+M) where N is the number of patterns the client is already subscribed and M is the number "
            "of total patterns subscribed in the system (by any client).",
        .arity = -1,
        .flags = kFlags | Flag::kSentinel,
        .run = PatternUnsubscribe,
    },
    {
        .name = "ssubscribe",
        .synopsis = "shardchannel:string...",
        .summary = "Has the messages of shard channels sent to this connection.",
        .since = "7.0.0",
        .group = "pubsub",
        .complexity = "O(N) where N is the number of shard channels to subscribe to.",
        .arity = -2,
        .flags = kFlags,
        .keys = {dispatch::KeyRange(kNotKey, 1, -1)},
        .channels = {.first = 1, .repeats = true},
        .run = ShardSubscribe,
    },
    {
        .name = "sunsubscribe",
        .synopsis = "[shardchannel:string...]",
        .summary = "Ends the subscription to some shard channels, or to all.",
        .since = "7.0.0",
        .group = "pubsub",
        .complexity = "O(N) where N is the number of clients already subscribed to a shard channel.",
        .arity = -1,
        .flags = kFlags,
        .keys = {dispatch::KeyRange(kNotKey, 1, -1)},
        .run = ShardUnsubscribe,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kPubsubSubscribeCommands{kTable};

}  // namespace cinnabar::commands
