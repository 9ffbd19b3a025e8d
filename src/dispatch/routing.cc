#include "dispatch/routing.h"

#include <string>
#include <vector>

#include "dispatch/dispatcher.h"
#include "pubsub/channels.h"

namespace cinnabar::dispatch {
namespace {

using keyspace::Keyspace;
using Course = Route::Course;

// Whether a command that waits for the key still waits at the right place. Those that wait for a key of a
// slot that comes have asked for it (ASKING).
Route RouteOfWaiting(const Routing& routing, const Session& session) {
  Route route;
  const std::vector<BlockedCall::AwaitedKey>& keys = session.blocked->keys;
  if (keys.empty()) return route;  // it waits for copies of the journal
  if (!routing.healthy) {
    // Even if the cluster may be read: who would write what it waits for?
    route.course = Course::kDown;
    return route;
  }
  route.slot = Keyspace::SlotOf(keys[0].hash);
  const auto slot = static_cast<size_t>(route.slot);
  route.node = routing.owner[slot];
  const bool reads = session.reads_replica && !session.blocked->command->Is(Flag::kWrite);
  if (route.node == routing.myself || routing.importing.test(slot)) return route;
  if (reads && routing.follows_owner(route.slot)) return route;
  route.course = route.node == Routing::kNobody ? Course::kUnserved : Course::kMoved;
  return route;
}

void RedirectBlocked(Services& services, Session& session) {
  if (session.blocked == nullptr || session.upstream) return;
  const Route route = RouteOfWaiting(*services.routing, session);
  if (route.course == Course::kHere) return;
  services.dispatchers[static_cast<size_t>(session.facts.core)]->blocked().UnblockWithError(
      session, Router::ErrorOf(*services.routing, route, session));
}

// A replica of the owner has the messages, too.
bool HasMessagesOf(const Routing& routing, int slot) {
  const auto index = static_cast<size_t>(slot);
  return (routing.owner[index] == routing.myself && routing.myself != Routing::kNobody) ||
         routing.follows_owner(slot) || routing.importing.test(index);
}

void EndShardSubscriptions(Services& services, Session& session) {
  constexpr pubsub::Kind kKind = pubsub::Kind::kShardChannel;
  if (session.subscriptions(kKind) == 0) return;
  std::vector<std::string> gone;
  for (const auto& [channel, ticket] : session.subscriber->names(kKind)) {
    if (!HasMessagesOf(*services.routing, Keyspace::SlotOf(services.keyspace.HashOf(channel))))
      gone.push_back(channel);
  }
  for (const std::string& channel : gone) {
    services.channels->Unsubscribe(*session.subscriber, kKind, channel);
    session.reply.Push(3);
    session.reply.Bulk("sunsubscribe");
    session.reply.Bulk(channel);
    session.reply.Integer(static_cast<int64_t>(session.subscriptions(kKind)));
  }
  if (gone.empty()) return;
  if (session.subscriber->empty()) session.subscriber.reset();
  services.clients.Wake(session);
}

}  // namespace

void PublishRouting(Services& services, const Routing* fresh) {
  services.routing = fresh;
  if (fresh == nullptr) return;
  services.clients.ForEach([&services](Session& session) {
    RedirectBlocked(services, session);
    EndShardSubscriptions(services, session);
  });
}

}  // namespace cinnabar::dispatch
