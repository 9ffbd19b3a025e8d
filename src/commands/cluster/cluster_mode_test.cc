// What commands say and do on a node of a cluster that they do not elsewhere.
#include <vector>

#include "commands/connection/client_line.h"
#include "dispatch/services_for_test.h"

namespace cinnabar::commands {

using dispatch::CommandSpec;

extern const std::span<const CommandSpec> kClusterRoutingCommands;
extern const std::span<const CommandSpec> kConnectionSelectCommands;
extern const std::span<const CommandSpec> kGenericCopyCommands;
extern const std::span<const CommandSpec> kGenericSwapDatabaseCommands;
extern const std::span<const CommandSpec> kServerRoleCommands;
extern const std::span<const CommandSpec> kStringSetCommands;

namespace {

std::span<const CommandSpec> Commands() {
  static const std::vector<CommandSpec> all = [] {
    std::vector<CommandSpec> specs;
    for (const auto& table : {kClusterRoutingCommands, kConnectionSelectCommands, kGenericCopyCommands,
                              kGenericSwapDatabaseCommands, kServerRoleCommands, kStringSetCommands})
      specs.insert(specs.end(), table.begin(), table.end());
    return specs;
  }();
  return all;
}

class ClusterModeTest : public dispatch::DispatchTest {
 protected:
  ClusterModeTest() : DispatchTest(Commands(), keyspace::Layout::kBySlot) {
    config_.Mutable().cluster.enabled = true;
  }
  bool ShownAsReader() {
    const std::string line = ClientLine(session_, {});
    return line.find(" flags=r ") != std::string::npos;
  }
};

TEST_F(ClusterModeTest, ConnectionsSayHowTheyWantToBeRouted) {
  EXPECT_EQ(Run({"ASKING"}), "+OK\r\n");
  EXPECT_TRUE(session_.asking);
  EXPECT_FALSE(ShownAsReader());
  EXPECT_EQ(Run({"READONLY"}), "+OK\r\n");
  EXPECT_TRUE(session_.reads_replica);
  EXPECT_TRUE(ShownAsReader());
  EXPECT_EQ(Run({"READWRITE"}), "+OK\r\n");
  EXPECT_FALSE(session_.reads_replica);
  Run({"READONLY"});
  Run({"ASKING"});
  EXPECT_EQ(Run({"RESET"}), "+RESET\r\n");
  EXPECT_FALSE(session_.asking);
  EXPECT_FALSE(session_.reads_replica);
}

TEST_F(ClusterModeTest, ElsewhereThereIsNothingToRoute) {
  config_.Mutable().cluster.enabled = false;
  for (const char* name : {"ASKING", "READONLY", "READWRITE"})
    EXPECT_EQ(Run({name}), "-ERR This instance has cluster support disabled\r\n");
  EXPECT_FALSE(session_.asking || session_.reads_replica);
}

TEST_F(ClusterModeTest, ThereIsOneDatabase) {
  Run({"SET", "{k}", "v"});
  EXPECT_EQ(Run({"SELECT", "0"}), "+OK\r\n");
  EXPECT_EQ(Run({"SELECT", "1"}), "-ERR SELECT is not allowed in cluster mode\r\n");
  EXPECT_EQ(Run({"MOVE", "{k}", "1"}), "-ERR MOVE is not allowed in cluster mode\r\n");
  EXPECT_EQ(Run({"SWAPDB", "0", "1"}), "-ERR SWAPDB is not allowed in cluster mode\r\n");
  EXPECT_EQ(Run({"COPY", "{k}", "{k}2", "DB", "1"}),
            "-ERR Copying to another database is not allowed in cluster mode\r\n");
  EXPECT_EQ(Run({"COPY", "{k}", "{k}2", "DB", "0"}), ":1\r\n");
}

TEST_F(ClusterModeTest, TheClusterDecidesWhoFollowsWhom) {
  const std::string refusal = "-ERR REPLICAOF not allowed in cluster mode.\r\n";
  EXPECT_EQ(Run({"REPLICAOF", "NO", "ONE"}), refusal);
  EXPECT_EQ(Run({"SLAVEOF", "127.0.0.1", "1"}), refusal);
  EXPECT_EQ(Run({"FAILOVER"}), "-ERR FAILOVER not allowed in cluster mode.\r\n");
}

}  // namespace
}  // namespace cinnabar::commands
