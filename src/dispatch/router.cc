#include "dispatch/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/settings.h"
#include "keyspace/database.h"

namespace cinnabar::dispatch {
namespace {

using keyspace::Key;
using keyspace::Keyspace;
using Course = Route::Course;

bool ReadsAsReplica(const Routing& routing, const Session& session, int slot, bool writes) {
  return session.reads_replica && !writes && routing.follows_owner(slot);
}

// While it lives keys whose time is over are not found, and stay where they are.
class ExpiredHidden {
 public:
  explicit ExpiredHidden(CoreContext& context)
      : context_(context), before_(std::exchange(context.run.hides_expired, true)) {
    context_.ApplyModes();
  }
  ~ExpiredHidden() {
    context_.run.hides_expired = before_;
    context_.ApplyModes();
  }
  ExpiredHidden(const ExpiredHidden&) = delete;
  ExpiredHidden& operator=(const ExpiredHidden&) = delete;

 private:
  CoreContext& context_;
  const bool before_;
};

}  // namespace

bool Router::ServesAll(const Routing& routing, const Session& session, const Command& command,
                       std::span<const PlacedKey> keys) {
  if (session.upstream) return true;
  if (keys.empty() || session.asking) return false;
  const int slot = Keyspace::SlotOf(keys[0].key.hash);
  const bool one_slot = std::all_of(keys.begin() + 1, keys.end(), [slot](const PlacedKey& placed) {
    return Keyspace::SlotOf(placed.key.hash) == slot;
  });
  if (!one_slot || !routing.healthy) return false;
  const auto index = static_cast<size_t>(slot);
  return routing.served.test(index) ||
         (!routing.importing.test(index) &&
          ReadsAsReplica(routing, session, slot, command.Is(Flag::kWrite | Flag::kRunsScript)));
}

template <typename Visit>
void Router::ForEachNameOf(const Command& command, std::span<const std::string_view> argv, Visit&& visit) {
  if (command.key_specs == 0) return;
  positions_.clear();
  FindKeys(command, argv, positions_);
  for (const KeyPosition& position : positions_) {
    const bool channel = (position.use & KeyUse::kNotKey) != 0;
    visit(context_.core.keyspace.KeyOf(argv[position.index]), channel);
  }
}

// EXEC names what its queue names.
template <typename Visit>
void Router::ForEachName(const Request& request, Visit&& visit) {
  if (request.command.Is(Flag::kRunsTransaction)) {
    for (const QueuedCommand& queued : request.session.transaction.queue) {
      views_.assign(queued.argv.begin(), queued.argv.end());
      ForEachNameOf(*queued.command, views_, visit);
    }
  } else if (request.keys.empty()) {
    ForEachNameOf(request.command, request.argv, visit);
  } else {
    for (const PlacedKey& placed : request.keys) visit(placed.key, false);
  }
}

Router::Named Router::Collect(const Request& request) {
  Named named;
  ForEachName(request, [&](const Key& key, bool channel) {
    const int slot = Keyspace::SlotOf(key.hash);
    if (named.slot < 0) {
      named.slot = slot;
      named.first = key.bytes;
    }
    named.crosses |= slot != named.slot;
    named.several |= key.bytes != named.first;
    named.keys |= !channel;
  });
  return named;
}

// What may be done in a cluster that does not work.
Course Router::WhileDown(const Named& named, bool writes) const {
  const config::Cluster& settings = context_.services.settings.cluster;
  if (!named.keys) return settings.allow_pubsubshard_when_down ? Course::kHere : Course::kDown;
  if (!settings.allow_reads_when_down) return Course::kDown;
  return writes ? Course::kDownForWrites : Course::kHere;
}

Route Router::Find(const Request& request) {
  const Routing& routing = *context_.services.routing;
  const Named named = Collect(request);
  if (named.slot < 0) return {};
  const auto slot = static_cast<size_t>(named.slot);
  Route route{.slot = named.slot, .node = routing.owner[slot]};
  const auto takes = [&route](Course course) {
    route.course = course;
    return route;
  };
  if (route.node == Routing::kNobody) return takes(Course::kUnserved);
  if (named.crosses) return takes(Course::kCrossSlot);
  if (!routing.healthy) {
    if (const Course course = WhileDown(named, request.writes); course != Course::kHere) return takes(course);
  }
  const bool owned = route.node == routing.myself;
  const bool leaves = owned && routing.migrating_to[slot] != Routing::kNobody;
  const bool comes = !leaves && routing.importing.test(slot);
  // MIGRATE works with what is here.
  if ((leaves || comes) && request.command.Is(Flag::kAwaitsPeer)) return route;
  if (leaves && named.keys) return takes(Course::kByKeys);
  if (comes && (request.session.asking || request.command.Is(Flag::kAsking)))
    return takes(named.keys && named.several ? Course::kByKeys : Course::kHere);
  if (owned || ReadsAsReplica(routing, request.session, named.slot, request.writes)) return route;
  // The subscribers of a replica get the messages of its primary.
  if (!named.keys && routing.follows_owner(named.slot)) return route;
  return takes(Course::kMoved);
}

Route Router::FindHeld(const Request& request) {
  Route route = Find(request);
  if (route.course != Course::kByKeys) return route;
  bool here = false, missing = false;
  {
    const ExpiredHidden hidden(context_);
    keyspace::Database database(context_.core, request.session.database);
    ForEachName(request, [&](const Key& key, bool channel) {
      if (channel) return;
      (database.Peek(key) ? here : missing) = true;
    });
  }
  const Routing& routing = *context_.services.routing;
  const uint16_t next = routing.migrating_to[static_cast<size_t>(route.slot)];
  route.course = Course::kHere;
  if (!missing) return route;
  if (route.node != routing.myself || next == Routing::kNobody || here) {
    route.course = Course::kTryAgain;
  } else {
    route.course = Course::kAsk;
    route.node = next;
  }
  return route;
}

std::string Router::ErrorOf(const Routing& routing, const Route& route, const Session& session) {
  switch (route.course) {
    case Course::kHere:
    case Course::kByKeys:
      break;
    case Course::kMoved:
    case Course::kAsk: {
      const Routing::Node& node = routing.nodes[route.node];
      return fmt::format("{} {} {}:{}", route.course == Course::kMoved ? "MOVED" : "ASK", route.slot,
                         node.endpoint, session.facts.tls && node.tls_port != 0 ? node.tls_port : node.port);
    }
    case Course::kTryAgain:
      return "TRYAGAIN Multiple keys request during rehashing of slot";
    case Course::kCrossSlot:
      return "CROSSSLOT Keys in request don't hash to the same slot";
    case Course::kUnserved:
      return "CLUSTERDOWN Hash slot not served";
    case Course::kDown:
      return "CLUSTERDOWN The cluster is down";
    case Course::kDownForWrites:
      return "CLUSTERDOWN The cluster is down and only accepts read commands";
  }
  return {};
}

}  // namespace cinnabar::dispatch
