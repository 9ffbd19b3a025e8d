// A node of a small cluster (cluster/world_for_test.h) whose machine the commands of CLUSTER are run on.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/world_for_test.h"
#include "dispatch/services_for_test.h"

namespace cinnabar::commands {

extern const std::span<const dispatch::CommandSpec> kClusterClusterCommands;
extern const std::span<const dispatch::CommandSpec> kClusterMembershipCommands;
extern const std::span<const dispatch::CommandSpec> kClusterNodesCommands;
extern const std::span<const dispatch::CommandSpec> kClusterSlotsCommands;
extern const std::span<const dispatch::CommandSpec> kClusterTopologyCommands;
extern const std::span<const dispatch::CommandSpec> kServerDebugCommands;
extern const std::span<const dispatch::CommandSpec> kStringSetCommands;

inline std::span<const dispatch::CommandSpec> ClusterCommands() {
  static const std::vector<dispatch::CommandSpec> commands = [] {
    std::vector<dispatch::CommandSpec> all;
    for (const auto& table :
         {kClusterClusterCommands, kClusterMembershipCommands, kClusterNodesCommands, kClusterSlotsCommands,
          kClusterTopologyCommands, kServerDebugCommands, kStringSetCommands})
      all.insert(all.end(), table.begin(), table.end());
    return all;
  }();
  return commands;
}

// The client is connected to the first node.
class ClusterCommandTest : public dispatch::DispatchTest {
 protected:
  explicit ClusterCommandTest(int nodes = 1)
      : DispatchTest(ClusterCommands(), keyspace::Layout::kBySlot), world_(nodes) {
    config_.Mutable().security.enable_debug_command = config::Permission::kYes;
    services_.cluster = &machine();
  }
  cluster::Cluster& machine(int node = 0) { return world_[node].machine(); }
  std::string id(int node = 0) { return world_[node].id(); }
  // The words of a line, behind CLUSTER, and the reply without its line ends.
  std::string Cluster(const std::string& line) {
    std::vector<std::string> words{"CLUSTER"};
    for (size_t at = 0; at < line.size();) {
      const size_t end = std::min(line.find(' ', at), line.size());
      words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    std::string reply = Run(words);
    for (size_t at = 0; (at = reply.find("\r\n", at)) != std::string::npos;) reply.replace(at, 2, " ");
    if (!reply.empty()) reply.pop_back();
    return reply;
  }

  cluster::World world_;
};

}  // namespace cinnabar::commands
