// What CLUSTER changes, and what it refuses to.
#include "commands/cluster/node_for_test.h"

namespace cinnabar::commands {
namespace {

class ClusterChangesTest : public ClusterCommandTest {};

class ClusterFollowingTest : public ClusterCommandTest {
 protected:
  ClusterFollowingTest() : ClusterCommandTest(4) {}
};

TEST_F(ClusterChangesTest, WithoutAMachineAllAreRefused) {
  services_.cluster = nullptr;
  for (const std::string line : {"INFO", "HELP", "KEYSLOT a", "MYID", "SLOTS", "ADDSLOTS x", "MEET a b"})
    EXPECT_EQ(Cluster(line), "-ERR This instance has cluster support disabled");
}

TEST_F(ClusterChangesTest, SlotsAreAddedAndDeleted) {
  EXPECT_EQ(Cluster("ADDSLOTS 1 x"), "-ERR Invalid or out of range slot");
  EXPECT_EQ(Cluster("ADDSLOTS 16384"), "-ERR Invalid or out of range slot");
  EXPECT_EQ(Cluster("ADDSLOTS -1"), "-ERR Invalid or out of range slot");
  EXPECT_EQ(Cluster("ADDSLOTS 1 1"), "-ERR Slot 1 specified multiple times");
  EXPECT_EQ(Cluster("DELSLOTS 3"), "-ERR Slot 3 is already unassigned");
  EXPECT_EQ(Cluster("ADDSLOTS 1 2"), "+OK");
  EXPECT_EQ(Cluster("ADDSLOTS 3 2"), "-ERR Slot 2 is already busy");
  EXPECT_EQ(Cluster("DELSLOTS 1 1"), "-ERR Slot 1 specified multiple times");
  EXPECT_EQ(machine().myself().slot_count, 2);
  EXPECT_EQ(Cluster("DELSLOTS 1"), "+OK");
  EXPECT_EQ(machine().myself().slot_count, 1);
}

TEST_F(ClusterChangesTest, RangesAreAddedAndDeleted) {
  EXPECT_EQ(Cluster("ADDSLOTSRANGE 1 2 3"),
            "-ERR wrong number of arguments for 'cluster|addslotsrange' command");
  EXPECT_EQ(Cluster("ADDSLOTSRANGE 5 2"), "-ERR start slot number 5 is greater than end slot number 2");
  EXPECT_EQ(Cluster("ADDSLOTSRANGE 1 5 4 6"), "-ERR Slot 4 specified multiple times");
  EXPECT_EQ(Cluster("ADDSLOTSRANGE 1 5 16000 16384"), "-ERR Invalid or out of range slot");
  EXPECT_EQ(Cluster("ADDSLOTSRANGE 1 5 10 12"), "+OK");
  EXPECT_EQ(machine().myself().slot_count, 8);
  EXPECT_EQ(Cluster("DELSLOTSRANGE 2 6"), "-ERR Slot 6 is already unassigned");
  EXPECT_EQ(Cluster("DELSLOTSRANGE 2 4 11 11"), "+OK");
  EXPECT_EQ(machine().myself().slot_count, 4);
  world_[0].keys[1] = 1;
  EXPECT_EQ(Cluster("FLUSHSLOTS"), "-ERR DB must be empty to perform CLUSTER FLUSHSLOTS.");
  world_[0].keys.clear();
  EXPECT_EQ(Cluster("FLUSHSLOTS"), "+OK");
  EXPECT_EQ(machine().myself().slot_count, 0);
}

TEST_F(ClusterChangesTest, EpochsAreSetOnceAndBumped) {
  EXPECT_EQ(Cluster("SET-CONFIG-EPOCH x"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(Cluster("SET-CONFIG-EPOCH -1"), "-ERR Invalid config epoch specified: -1");
  EXPECT_EQ(Cluster("BUMPEPOCH"), "+BUMPED 1");
  EXPECT_EQ(Cluster("BUMPEPOCH"), "+STILL 1");
  EXPECT_EQ(Cluster("SET-CONFIG-EPOCH 5"), "-ERR Node config epoch is already non-zero");
  EXPECT_EQ(Cluster("RESET HARD"), "+OK");
  EXPECT_EQ(Cluster("SET-CONFIG-EPOCH 5"), "+OK");
  EXPECT_EQ(machine().myself().config_epoch, 5U);
}

TEST_F(ClusterChangesTest, AResetSaysHowHard) {
  const std::string before = id();
  EXPECT_EQ(Cluster("RESET FOO"), "-ERR syntax error");
  EXPECT_EQ(Cluster("RESET HARD x"),
            "-ERR unknown subcommand or wrong number of arguments for 'RESET'. Try CLUSTER HELP.");
  EXPECT_EQ(Cluster("RESET"), "+OK");
  EXPECT_EQ(Cluster("RESET SOFT"), "+OK");
  EXPECT_EQ(Cluster("MYID"), "$40 " + before);
  EXPECT_EQ(Cluster("RESET hard"), "+OK");
  EXPECT_NE(id(), before);
  EXPECT_EQ(Cluster("MYID"), "$40 " + id());
  EXPECT_EQ(Cluster("MYSHARDID"), "$40 " + machine().myself().shard.str());
}

TEST_F(ClusterChangesTest, WhatCannotBeSavedIsAnError) {
  world_[0].disk_full = true;
  const std::string problem = "-ERR error saving the cluster node config: No space left on device";
  EXPECT_EQ(Cluster("ADDSLOTS 1"), problem);
  EXPECT_EQ(Cluster("SAVECONFIG"), problem);
  EXPECT_EQ(Cluster("BUMPEPOCH"), problem);
  world_[0].disk_full = false;
  EXPECT_EQ(Cluster("SAVECONFIG"), "+OK");
}

TEST_F(ClusterChangesTest, ANodeIsMetAtAnAddress) {
  EXPECT_EQ(Cluster("MEET 1.2.3.4 x"), "-ERR Invalid base port specified: x");
  EXPECT_EQ(Cluster("MEET 1.2.3.4 6379 y"), "-ERR Invalid bus port specified: y");
  config_.Mutable().general.compat_version = config::CompatVersion::k70;
  EXPECT_EQ(Cluster("MEET 1.2.3.4 x"), "-ERR Invalid TCP base port specified: x");
  EXPECT_EQ(Cluster("MEET 1.2.3.4 6379 y"), "-ERR Invalid TCP bus port specified: y");
  EXPECT_EQ(Cluster("MEET 1.2.3.4 99999"), "-ERR Invalid node address specified: 1.2.3.4:99999");
  EXPECT_EQ(Cluster("MEET foo 6379"), "-ERR Invalid node address specified: foo:6379");
  EXPECT_EQ(Cluster("MEET 1.2.3.4 60000"), "-ERR Invalid node address specified: 1.2.3.4:60000");
  EXPECT_EQ(Cluster("MEET 1.2.3.4 6379 7 8"),
            "-ERR unknown subcommand or wrong number of arguments for 'MEET'. Try CLUSTER HELP.");
  EXPECT_EQ(Cluster("MEET 1.2.3.4 60000 7000"), "+OK");
  EXPECT_EQ(machine().nodes().size(), 2U);
}

TEST_F(ClusterChangesTest, NodesThatNobodyKnowsAreNamed) {
  for (const std::string command :
       {"REPLICATE", "REPLICAS", "SLAVES", "COUNT-FAILURE-REPORTS", "FORGET", "SETSLOT 9 NODE"})
    EXPECT_EQ(Cluster(command + " abc"), "-ERR Unknown node abc") << command;
  EXPECT_EQ(Cluster("FORGET " + id()), "-ERR I tried hard but I can't forget myself...");
  EXPECT_EQ(Cluster("REPLICATE " + id()), "-ERR Can't replicate myself");
}

TEST_F(ClusterChangesTest, ASlotIsSet) {
  ASSERT_EQ(Cluster("ADDSLOTS 1"), "+OK");
  EXPECT_EQ(Cluster("SETSLOT x STABLE"), "-ERR Invalid or out of range slot");
  EXPECT_EQ(Cluster("SETSLOT 1 MIGRATING abc"), "-ERR I don't know about node abc");
  EXPECT_EQ(Cluster("SETSLOT 9 MIGRATING abc"), "-ERR I'm not the owner of hash slot 9");
  EXPECT_EQ(Cluster("SETSLOT 1 IMPORTING abc"), "-ERR I'm already the owner of hash slot 1");
  EXPECT_EQ(Cluster("SETSLOT 9 IMPORTING abc"), "-ERR I don't know about node abc");
  const std::string wrong = "-ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP";
  EXPECT_EQ(Cluster("SETSLOT 9 FOO abc"), wrong);
  EXPECT_EQ(Cluster("SETSLOT 9 STABLE abc"), wrong);
  EXPECT_EQ(Cluster("SETSLOT 9 NODE"), wrong);
  EXPECT_EQ(Cluster("SETSLOT 1 MIGRATING " + id()), "+OK");
  EXPECT_NE(machine().MigratingTo(1), nullptr);
  EXPECT_EQ(Cluster("SETSLOT 9 IMPORTING " + id()), "+OK");
  EXPECT_NE(machine().ImportingFrom(9), nullptr);
  EXPECT_EQ(Cluster("SETSLOT 9 STABLE"), "+OK");
  EXPECT_EQ(machine().ImportingFrom(9), nullptr);
  EXPECT_EQ(Cluster("SETSLOT 9 NODE " + id()), "+OK");
  EXPECT_EQ(machine().Owner(9), &machine().myself());
}

TEST_F(ClusterFollowingTest, ReplicasAndTheirPrimaries) {
  world_.Create(2);
  EXPECT_EQ(Cluster("FAILOVER"), "-ERR You should send CLUSTER FAILOVER to a replica");
  EXPECT_EQ(Cluster("FAILOVER x"), "-ERR syntax error");
  EXPECT_EQ(Cluster("FAILOVER FORCE y"),
            "-ERR unknown subcommand or wrong number of arguments for 'FAILOVER'. Try CLUSTER HELP.");
  EXPECT_EQ(Cluster("REPLICATE " + id(2)), "-ERR I can only replicate a master, not a replica.");
  EXPECT_EQ(Cluster("REPLICATE " + id(1)),
            "-ERR To set a master the node must be empty and without assigned slots.");
  EXPECT_EQ(Cluster("REPLICAS " + id(2)), "-ERR The specified node is not a master");
  EXPECT_EQ(Cluster("SETSLOT 0 MIGRATING " + id(2)), "-ERR Target node is not a master");

  services_.cluster = &machine(2);
  EXPECT_EQ(Cluster("SETSLOT x STABLE"), "-ERR Please use SETSLOT only with masters.");
  EXPECT_EQ(Cluster("FORGET " + id(0)), "-ERR Can't forget my master!");
  EXPECT_EQ(Cluster("REPLICATE " + id(1)), "+OK");
  EXPECT_EQ(world_[2].follows, world_[1].ip() + ":6379");
  EXPECT_EQ(Cluster("FAILOVER TAKEOVER"), "+OK");
  EXPECT_TRUE(machine(2).myself().is_primary());
}

TEST_F(ClusterFollowingTest, DebugBreaksLinksAndLosesPackets) {
  world_.Create(4);
  const auto debug = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "DEBUG");
    return Run(words);
  };
  EXPECT_EQ(debug({"CLUSTERLINK", "KILL", "all", "abc"}), "-ERR Unknown node abc\r\n");
  EXPECT_EQ(debug({"CLUSTERLINK", "KILL", "around", id(1)}), "-ERR Unknown direction around\r\n");
  EXPECT_EQ(debug({"CLUSTERLINK", "MEND", "all", id(1)}),
            "-ERR unknown subcommand or wrong number of arguments for 'clusterlink'. Try DEBUG HELP.\r\n");
  EXPECT_EQ(debug({"CLUSTERLINK", "KILL", "to", id(1)}), "+OK\r\n");
  const cluster::Node& other = *machine().Find(id(1));
  EXPECT_EQ(other.out.id, 0U);
  EXPECT_NE(other.in.id, 0U);
  EXPECT_EQ(debug({"CLUSTERLINK", "KILL", "from", id(1)}), "+OK\r\n");
  EXPECT_EQ(other.in.id, 0U);

  EXPECT_EQ(debug({"DROP-CLUSTER-PACKET-FILTER", "x"}), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(debug({"DROP-CLUSTER-PACKET-FILTER", "1"}), "+OK\r\n");
  EXPECT_EQ(machine().faults().dropped_type, 1);
  EXPECT_EQ(debug({"CLOSE-CLUSTER-LINK-ON-PACKET-DROP", "1"}), "+OK\r\n");
  EXPECT_TRUE(machine().faults().drop_closes);

  services_.cluster = nullptr;
  EXPECT_EQ(debug({"CLUSTERLINK", "KILL", "to", "abc"}),
            "-ERR Debug option only available for cluster mode enabled setup!\r\n");
  EXPECT_EQ(debug({"DROP-CLUSTER-PACKET-FILTER", "1"}), "+OK\r\n");
}

}  // namespace
}  // namespace cinnabar::commands
