// Router: whether this node of a cluster runs a request, or where its client is sent instead (DESIGN §15).
// The rules are those that clients of Redis Cluster know:
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#redirection-and-resharding
//
//   names of the request -> one slot -> the table (routing.h) -> here | an error
//                                         \-> the slot is on its way: which of the keys are there?
//
// The table stays as it is while a core is inside a batch, so that what it has decided holds to the end of
// the request. Which keys are there is asked under the locks under which the request then runs: a key that
// another core moves to the slot's next owner is found on one side, and never made on both.
//
// One per core, used on its thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/core_context.h"
#include "dispatch/keys.h"
#include "dispatch/registry.h"
#include "dispatch/routing.h"
#include "dispatch/session.h"

namespace cinnabar::dispatch {

struct Route {
  enum class Course : uint8_t {
    kHere,
    kByKeys,         // the slot is on its way: FindHeld decides
    kMoved,          // to its owner
    kAsk,            // to its next owner, this once
    kTryAgain,       // some keys are here, some are there
    kCrossSlot,      // the keys are of several slots
    kUnserved,       // the slot has no owner
    kDown,           // the cluster does not work
    kDownForWrites,  // it does not, and may be read
  };
  Course course = Course::kHere;
  int slot = -1;  // -1: no key is named
  uint16_t node = Routing::kNobody;
};

class Router {
 public:
  explicit Router(CoreContext& context) : context_(context) {}

  struct Request {
    const Session& session;  // whose client asks
    const Command& command;
    std::span<const std::string_view> argv;
    std::span<const PlacedKey> keys;  // as far as they are known
    bool writes = false;              // of EXEC, whether one of its commands does
  };

  // Whether requests of the session are routed at all: those of a primary and of files are not.
  bool Routes(const Session& session) const {
    return context_.services.routing != nullptr && !session.upstream && !context_.core.replaying;
  }
  // Whether the table alone says, at a glance, that a command with these keys runs here. False: ask Find.
  // Commands without keys may have channels.
  bool Serves(const Session& session, const Command& command, std::span<const PlacedKey> keys) const {
    const Routing* routing = context_.services.routing;
    if (routing == nullptr) [[likely]]
      return true;
    if (keys.size() == 1 && !session.asking &&
        routing->served.test(static_cast<size_t>(keyspace::Keyspace::SlotOf(keys[0].key.hash)))) [[likely]]
      return true;
    return ServesAll(*routing, session, command, keys);
  }

  // Where the request is to run. REQUIRES: Routes(request.session).
  Route Find(const Request& request);
  // The same, and never kByKeys. REQUIRES: also that the shards of its keys are held.
  Route FindHeld(const Request& request);
  // What the client is told. REQUIRES: the course is neither kHere nor kByKeys.
  static std::string ErrorOf(const Routing& routing, const Route& route, const Session& session);

 private:
  // What a request names.
  struct Named {
    std::string_view first;
    int slot = -1;
    bool crosses = false;  // slots
    bool keys = false;     // not only channels of shards
    bool several = false;  // different names
  };

  static bool ServesAll(const Routing& routing, const Session& session, const Command& command,
                        std::span<const PlacedKey> keys);
  template <typename Visit>
  void ForEachName(const Request& request, Visit&& visit);
  template <typename Visit>
  void ForEachNameOf(const Command& command, std::span<const std::string_view> argv, Visit&& visit);
  Named Collect(const Request& request);
  Route::Course WhileDown(const Named& named, bool writes) const;

  CoreContext& context_;
  std::vector<KeyPosition> positions_;
  std::vector<std::string_view> views_;  // of a queued command
};

}  // namespace cinnabar::dispatch
