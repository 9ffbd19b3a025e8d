// What CLUSTER shows of the nodes and their slots.
#include <fmt/format.h>

#include "commands/cluster/node_for_test.h"

namespace cinnabar::commands {
namespace {

using config::EndpointType;
using protocol::Resp;

class ClusterViewsTest : public ClusterCommandTest {
 protected:
  ClusterViewsTest() : ClusterCommandTest(4) {
    world_[2].view.offset = 7;  // those that will be replicas have data
    world_[3].view.offset = 7;
    world_.Create(2);
    world_.Run(3000);
  }
  // `text` in the reply.
  bool Shows(const std::string& line, std::string_view text) {
    return Cluster(line).find(text) != std::string::npos;
  }
  std::string Address(int node, std::string_view metadata = "*0") {
    return fmt::format("*4 $8 10.0.0.{} :6379 $40 {} {}", node + 1, id(node), metadata);
  }
};

class ClusterFailuresTest : public ClusterCommandTest {
 protected:
  ClusterFailuresTest() : ClusterCommandTest(6) { world_.Create(3); }
};

TEST_F(ClusterViewsTest, SlotsListsRangesWithPrimariesAndReplicas) {
  EXPECT_EQ(Cluster("SLOTS"), fmt::format("*2 *4 :0 :8191 {} {} *4 :8192 :16383 {} {}", Address(0),
                                          Address(2), Address(1), Address(3)));
  session_.reply.set_version(Resp::k3);
  EXPECT_TRUE(Shows("SLOTS", Address(0, "%0")));
}

TEST_F(ClusterViewsTest, SlotsLeavesOutReplicasWithoutDataAndDeadOnes) {
  world_[2].view.offset = 0;
  world_.Run(3000);
  EXPECT_FALSE(Shows("SLOTS", id(2)));
  EXPECT_TRUE(Shows("SHARDS", "$4 role $7 replica $18 replication-offset :0 $6 health $7 loading"));
  world_.Stop(3);
  ASSERT_TRUE(world_.Until([&] { return machine().Find(id(3))->failed(); }));
  EXPECT_FALSE(Shows("SLOTS", id(3)));
  EXPECT_TRUE(Shows("SHARDS", "$6 health $4 fail"));
}

TEST_F(ClusterViewsTest, EndpointsAreWhatThePreferenceSays) {
  machine().options().hostname = "me.com";
  machine().OptionsChanged();
  const std::string port_and_id = ":6379 $40 " + id();
  EXPECT_TRUE(Shows("SLOTS", "$8 10.0.0.1 " + port_and_id + " *2 $8 hostname $6 me.com"));
  config_.Mutable().cluster.preferred_endpoint_type = EndpointType::kHostname;
  EXPECT_TRUE(Shows("SLOTS", "*4 $6 me.com " + port_and_id + " *2 $2 ip $8 10.0.0.1"));
  EXPECT_TRUE(Shows("SLOTS", "*4 $1 ? :6379 $40 " + id(1)));
  EXPECT_TRUE(Shows("SHARDS", "$2 ip $8 10.0.0.1 $8 endpoint $6 me.com $8 hostname $6 me.com $4 role"));
  config_.Mutable().cluster.preferred_endpoint_type = EndpointType::kUnknown;
  EXPECT_TRUE(Shows("SLOTS", "*4 $-1 " + port_and_id + " *4 $2 ip $8 10.0.0.1 $8 hostname $6 me.com"));
  EXPECT_TRUE(Shows("SHARDS", "$8 endpoint $-1 $8 hostname $6 me.com"));
}

TEST_F(ClusterViewsTest, PortsAreThoseOfTheClientsKind) {
  config_.Mutable().tls.cluster = true;
  machine().options().port = 6380;
  machine().options().plain_port = 6381;
  machine().OptionsChanged();
  EXPECT_TRUE(Shows("SLOTS", "10.0.0.1 :6381 "));
  EXPECT_TRUE(Shows("NODES", "10.0.0.1:6381@16379 myself,master"));
  EXPECT_TRUE(Shows("SHARDS", "$4 port :6381 $8 tls-port :6380 $2 ip"));
  session_.facts.tls = true;
  EXPECT_TRUE(Shows("SLOTS", "10.0.0.1 :6380 "));
  EXPECT_TRUE(Shows("NODES", "10.0.0.1:6380@16379 myself,master"));
}

TEST_F(ClusterViewsTest, ShardsListsSlotsAndNodes) {
  session_.reply.set_version(Resp::k3);
  const auto member = [&](int node, std::string_view role, int offset) {
    return fmt::format(
        "%7 $2 id $40 {} $4 port :6379 $2 ip $8 10.0.0.{} $8 endpoint $8 10.0.0.{} $4 role {} "
        "$18 replication-offset :{} $6 health $6 online",
        id(node), node + 1, node + 1, role, offset);
  };
  const std::string reply = Cluster("SHARDS");
  for (const int shard : {0, 1}) {
    EXPECT_NE(
        reply.find(fmt::format("%2 $5 slots *2 :{} :{} $5 nodes *2 {} {}", shard * 8192, shard * 8192 + 8191,
                               member(shard, "$6 master", 0), member(shard + 2, "$7 replica", 7))),
        std::string::npos)
        << reply;
  }
}

TEST_F(ClusterFailuresTest, AFailedPrimaryIsAShardOfItsOwnOnlyForOldClients) {
  world_.Stop(1);
  ASSERT_TRUE(world_.Until([&] { return world_[4].machine().myself().is_primary() && world_.Settled(); }));
  EXPECT_EQ(Cluster("SHARDS").substr(0, 2), "*4");
  EXPECT_NE(Cluster("SHARDS").find("$5 slots *0 $5 nodes *1 *14 $2 id $40 " + id(1)), std::string::npos);
  machine().options().form = cluster::NodesForm::kNew;
  machine().Find(id(4))->shard = machine().Find(id(1))->shard = world_[4].machine().myself().shard;
  EXPECT_EQ(Cluster("SHARDS").substr(0, 2), "*3");
  EXPECT_EQ(Cluster("SHARDS").find("$5 slots *0"), std::string::npos);
}

TEST_F(ClusterFailuresTest, InfoCountsSlotsOfDeadNodes) {
  world_.Stop(1);
  world_.Stop(4);
  ASSERT_TRUE(world_.Until([&] { return machine().Find(id(1))->failed(); }));
  const std::string info = Cluster("INFO");
  EXPECT_NE(info.find("cluster_state:fail "), std::string::npos) << info;
  EXPECT_NE(info.find("cluster_slots_ok:10923 cluster_slots_pfail:0 cluster_slots_fail:5461 "),
            std::string::npos)
      << info;
  machine().Find(id(1))->flags = static_cast<uint16_t>(
      (machine().Find(id(1))->flags & ~cluster::kFailedFlag) | cluster::kMaybeFailedFlag);
  EXPECT_NE(Cluster("INFO").find("cluster_slots_pfail:5461 cluster_slots_fail:0 "), std::string::npos);
}

TEST_F(ClusterViewsTest, NodesAndReplicasAreLines) {
  const std::string nodes = Cluster("NODES");
  EXPECT_NE(nodes.find(id(0) + " 10.0.0.1:6379@16379 myself,master - 0 "), std::string::npos) << nodes;
  EXPECT_NE(nodes.find(id(2) + " 10.0.0.3:6379@16379 slave " + id(0) + " "), std::string::npos) << nodes;
  EXPECT_EQ(Cluster("REPLICAS " + id(0)).substr(0, 2), "*1");
  EXPECT_TRUE(Shows("SLAVES " + id(0), id(2) + " 10.0.0.3:6379@16379 slave "));
  EXPECT_EQ(Cluster("COUNT-FAILURE-REPORTS " + id(1)), ":0");
}

TEST_F(ClusterViewsTest, InfoCountsSlotsAndPackets) {
  world_[0].link_totals.over_limit = 3;
  const std::string info = Cluster("INFO");
  for (const std::string field :
       {"cluster_state:ok", "cluster_slots_assigned:16384", "cluster_slots_ok:16384", "cluster_slots_pfail:0",
        "cluster_slots_fail:0", "cluster_known_nodes:4", "cluster_size:2", "cluster_my_epoch:1",
        "total_cluster_links_buffer_limit_exceeded:3"})
    EXPECT_NE(info.find(field + " "), std::string::npos) << field;
  for (const std::string field :
       {"cluster_stats_messages_ping_sent:", "cluster_stats_messages_pong_received:",
        "cluster_stats_messages_sent:", "cluster_stats_messages_received:", "cluster_current_epoch:"})
    EXPECT_NE(info.find(field), std::string::npos) << field;
  EXPECT_EQ(info.find("module_sent"), std::string::npos);
  services_.cluster = &machine(2);
  EXPECT_TRUE(Shows("INFO", "cluster_my_epoch:1 "));
}

TEST_F(ClusterViewsTest, LinksAreShownInBothDirections) {
  const std::string links = Cluster("LINKS");
  EXPECT_EQ(links.substr(0, 2), "*6");
  for (const int node : {1, 2, 3}) {
    for (const std::string_view way : {"$2 to", "$4 from"})
      EXPECT_NE(links.find(fmt::format("$9 direction {} $4 node $40 {} $11 create-time :", way, id(node))),
                std::string::npos);
  }
  EXPECT_NE(links.find("$6 events $1 r $21 send-buffer-allocated :0 $16 send-buffer-used :0"),
            std::string::npos);
}

TEST_F(ClusterViewsTest, KeysAreCountedAndListedBySlot) {
  Run({"SET", "{foo}a", "1"});
  Run({"SET", "{foo}b", "1"});
  Run({"SET", "bar", "1"});
  EXPECT_EQ(Cluster("COUNTKEYSINSLOT 12182"), ":2");
  EXPECT_EQ(Cluster("COUNTKEYSINSLOT 5061"), ":1");
  EXPECT_EQ(Cluster("COUNTKEYSINSLOT 0"), ":0");
  EXPECT_EQ(Cluster("GETKEYSINSLOT 5061 10"), "*1 $3 bar");
  EXPECT_EQ(Cluster("GETKEYSINSLOT 12182 0"), "*0");
  EXPECT_EQ(Cluster("GETKEYSINSLOT 12182 1").substr(0, 2), "*1");
  const std::string both = Cluster("GETKEYSINSLOT 12182 10");
  EXPECT_TRUE(both == "*2 $6 {foo}a $6 {foo}b" || both == "*2 $6 {foo}b $6 {foo}a") << both;
}

TEST_F(ClusterViewsTest, KeysHaveSlots) {
  EXPECT_EQ(Cluster("KEYSLOT foo"), ":12182");
  EXPECT_EQ(Cluster("KEYSLOT a{foo}b{c}"), ":12182");
  EXPECT_EQ(Cluster("KEYSLOT foo{}{bar}"), ":8363");
  EXPECT_EQ(Cluster("COUNTKEYSINSLOT x"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(Cluster("COUNTKEYSINSLOT 16384"), "-ERR Invalid slot");
  EXPECT_EQ(Cluster("GETKEYSINSLOT x y"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(Cluster("GETKEYSINSLOT 1 -1"), "-ERR Invalid slot or number of keys");
  EXPECT_EQ(Cluster("GETKEYSINSLOT 16384 1"), "-ERR Invalid slot or number of keys");
}

}  // namespace
}  // namespace cinnabar::commands
