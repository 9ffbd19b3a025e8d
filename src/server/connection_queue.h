// ConnectionQueue: connections that their core takes up later, each at most once, in the order in which they
// came. It holds their ids: a connection may go while it stands here.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "server/connection.h"

namespace cinnabar::server {

class ConnectionQueue {
 public:
  // `place` is how a connection knows that it stands here; one queue for each of them.
  explicit ConnectionQueue(Place place) : place_(place) {}

  bool empty() const { return ids_.empty(); }
  void Add(Connection& connection) {
    if (connection.Enter(place_)) ids_.push_back(connection.session.id);
  }
  // Takes all out and visits those that are still there; each leaves its place just before its visit, so
  // that it may be added again. What is added meanwhile comes the next time. `find` gives the connection of
  // an id, or null.
  template <typename Find, typename Visit>
  void TakeAll(Find&& find, Visit&& visit) {
    for (uint64_t id : std::exchange(ids_, {})) {
      Connection* connection = find(id);
      if (connection == nullptr) continue;
      connection->Leave(place_);
      visit(*connection);
    }
  }

 private:
  const Place place_;
  std::vector<uint64_t> ids_;
};

}  // namespace cinnabar::server
