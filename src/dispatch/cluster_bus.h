// ClusterBus: the port through which commands reach the other nodes of the cluster.
#pragma once

#include <string_view>

namespace cinnabar::dispatch {

class ClusterBus {
 public:
  virtual ~ClusterBus() = default;

  // PUBLISH goes to all nodes, SPUBLISH to those of the shard. Any core; messages of one core arrive in the
  // order in which they were given.
  virtual void Publish(bool sharded, std::string_view channel, std::string_view message) = 0;
};

}  // namespace cinnabar::dispatch
