#include "cluster/nodes_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "cluster/corpus_for_test.h"

namespace cinnabar::cluster {
namespace {

constexpr std::string_view kCorpus = "nodes_file_fuzz";

NodeId Id(char digit) {
  return *NodeId::Parse(std::string(NodeId::kSize, digit));
}

NodeRecord NodeA() {
  return {.id = Id('a'), .flags = kMyselfFlag | kPrimaryFlag, .connected = true};
}

const std::string kVars = "vars currentEpoch 4 lastVoteEpoch 3\n";
const std::string kA = Id('a').str();
const std::string kB = Id('b').str();
const std::string kLineA = kA + " 10.0.0.1:1@2 myself,master - 0 0 1 connected";

std::string ErrorOf(std::string_view text) {
  const auto cluster = ParseNodes(text);
  return cluster ? "none" : cluster.error().message;
}

// Of a file whose only node has this line.
std::string ErrorOfLine(const std::string& line) {
  return ErrorOf(line + "\n" + kVars);
}

NodeRecord Read(const std::string& line) {
  const auto cluster = ParseNodes(line + "\n" + kVars);
  EXPECT_TRUE(cluster) << cluster.error().message;
  return cluster ? cluster->nodes[0] : NodeRecord{};
}

// ---- files of real nodes

TEST(RecordedFiles, ComeOutAsTheyWere) {
  for (const char* name :
       {"fresh", "formed", "migrating", "importing", "gap", "failed", "lost_address", "reset", "six"}) {
    SCOPED_TRACE(name);
    const std::string text = CorpusFile(kCorpus, name);
    const auto cluster = ParseNodes(text);
    ASSERT_TRUE(cluster) << cluster.error().message;
    EXPECT_EQ(NodesText(*cluster, NodesForm::kOld), text);
    // Without names and shards the forms are the same.
    EXPECT_EQ(NodesText(*cluster, NodesForm::kNew), text);
  }
}

TEST(RecordedFiles, SayWhatTheNodesKnew) {
  const auto failed = ParseNodes(CorpusFile(kCorpus, "failed")).value();
  EXPECT_EQ(failed.current_epoch, 6u);
  EXPECT_EQ(failed.last_vote_epoch, 6u);
  const auto down = std::ranges::find(failed.nodes, kPrimaryFlag | kFailedFlag, &NodeRecord::flags);
  ASSERT_NE(down, failed.nodes.end());
  EXPECT_FALSE(down->connected);
  EXPECT_GT(down->ping_sent, down->pong_received);

  const auto lost = ParseNodes(CorpusFile(kCorpus, "lost_address")).value();
  const auto nowhere =
      std::ranges::find_if(lost.nodes, [](const NodeRecord& node) { return node.flags & kNoAddressFlag; });
  ASSERT_NE(nowhere, lost.nodes.end());
  EXPECT_EQ(nowhere->ip, "");
  EXPECT_EQ(nowhere->port, 0);
  EXPECT_EQ(nowhere->flags, kReplicaFlag | kNoAddressFlag | kNoFailoverFlag);

  const auto six = ParseNodes(CorpusFile(kCorpus, "six")).value();
  EXPECT_EQ(six.nodes[0].ip, "::1");
  EXPECT_EQ(six.nodes[0].port, 7001);
  EXPECT_EQ(six.nodes[0].bus_port, 17001);
  EXPECT_EQ(six.nodes[0].hostname, "seven77");
  EXPECT_EQ(six.nodes[0].slots.Ranges(), (std::vector<SlotRange>{{5461, 10922}}));

  const auto gap = ParseNodes(CorpusFile(kCorpus, "gap")).value();
  EXPECT_EQ(gap.nodes[0].slots.Ranges(), (std::vector<SlotRange>{{10923, 11999}, {12001, 16383}}));
}

TEST(RecordedFiles, OfRedis72SayMore) {
  const auto cluster = ParseNodes(CorpusFile(kCorpus, "of_7.2")).value();
  ASSERT_EQ(cluster.nodes.size(), 2u);
  const NodeRecord& self = cluster.nodes[0];
  EXPECT_EQ(self.hostname, "seven77");
  EXPECT_EQ(self.human_name, "blue");
  EXPECT_FALSE(self.shard.empty());
  EXPECT_EQ(self.shard, cluster.nodes[1].shard);
  EXPECT_EQ(cluster.nodes[1].hostname, "");
  EXPECT_EQ(cluster.nodes[1].primary, self.id);
  ASSERT_EQ(self.importing.size(), 1u);
  EXPECT_EQ(self.importing[0], std::make_pair(7, cluster.nodes[1].id));
  EXPECT_EQ(ParseNodes(NodesText(cluster, NodesForm::kNew)).value(), cluster);
}

// ---- lines

TEST(NodeLine, HasWhatIsKnown) {
  NodeRecord node = NodeA();
  EXPECT_EQ(NodeLine(node, NodesForm::kOld), kA + " :0@0 myself,master - 0 0 0 connected");
  node.ip = "10.0.0.1";
  node.port = 6379;
  node.bus_port = 16379;
  node.ping_sent = 5;
  node.pong_received = 1'700'000'000'123;
  node.config_epoch = 18'446'744'073'709'551'615u;
  node.flags = kReplicaFlag;
  node.primary = Id('b');
  node.connected = false;
  EXPECT_EQ(NodeLine(node, NodesForm::kNew),
            kA + " 10.0.0.1:6379@16379 slave " + kB + " 5 1700000000123 18446744073709551615 disconnected");
  node.shard = Id('c');
  EXPECT_EQ(Read(NodeLine(node, NodesForm::kNew) + "\n" + kB + " :0@0 myself - 0 0 0 connected"), node);
}

TEST(NodeLine, NamesStandBehindTheAddress) {
  const auto address = [](const NodeRecord& node, NodesForm form) {
    const std::string line = NodeLine(node, form);
    return line.substr(41, line.find(' ', 41) - 41);
  };
  NodeRecord node = NodeA();
  node.human_name = "blue";
  EXPECT_EQ(address(node, NodesForm::kOld), ":0@0");
  EXPECT_EQ(address(node, NodesForm::kNew), ":0@0,,nodename=blue");
  node.hostname = "host";
  EXPECT_EQ(address(node, NodesForm::kOld), ":0@0,host");
  EXPECT_EQ(address(node, NodesForm::kNew), ":0@0,host,nodename=blue");
  node.shard = Id('c');
  EXPECT_EQ(address(node, NodesForm::kNew), ":0@0,host,nodename=blue,shard-id=" + Id('c').str());
}

TEST(NodeLine, SlotsAreRangesThenThoseOnTheirWay) {
  NodeRecord node = NodeA();
  for (const int slot : {0, 1, 2, 7, 100, 101, kSlots - 1}) node.slots.Add(slot);
  node.migrating = {{1, Id('b')}, {100, Id('c')}};
  node.importing = {{50, Id('b')}, {300, Id('b')}};
  const std::string line = NodeLine(node, NodesForm::kOld);
  EXPECT_EQ(line, kA + " :0@0 myself,master - 0 0 0 connected 0-2 7 100-101 16383 [1->-" + kB + "] [50-<-" +
                      kB + "] [100->-" + Id('c').str() + "] [300-<-" + kB + "]");
  EXPECT_EQ(Read(line), node);
}

TEST(FlagNames, StandInTheirOrder) {
  EXPECT_EQ(FlagNames(0), "noflags");
  EXPECT_EQ(FlagNames(kMigrateToFlag | kMeetFlag | kExtensionsFlag), "noflags");
  EXPECT_EQ(FlagNames(0xffff), "myself,master,slave,fail?,fail,handshake,noaddr,nofailover");
  EXPECT_EQ(FlagNames(kReplicaFlag | kMaybeFailedFlag), "slave,fail?");
  EXPECT_EQ(
      Read(kA + " :0@0 myself,master,slave,fail?,fail,handshake,noaddr,nofailover - 0 0 0 connected").flags,
      kMyselfFlag | kPrimaryFlag | kReplicaFlag | kMaybeFailedFlag | kFailedFlag | kHandshakeFlag |
          kNoAddressFlag | kNoFailoverFlag);
}

TEST(Addresses, InAllForms) {
  const auto read = [](const std::string& address) {
    return Read(kA + " " + address + " myself - 0 0 0 connected");
  };
  EXPECT_EQ(read("2001:db8::7:6379@16379").ip, "2001:db8::7");
  EXPECT_EQ(read("2001:db8::7:6379@16379").port, 6379);
  EXPECT_EQ(read("10.0.0.1:6379").bus_port, 16379);  // Redis 3
  EXPECT_EQ(read(":0@0").ip, "");
  EXPECT_EQ(read("10.0.0.1:1@2,").hostname, "");
  EXPECT_EQ(read("10.0.0.1:1@2,h,unknown=1,,x").hostname, "h");
  EXPECT_EQ(read("10.0.0.1:1@2,nodename=n,tls-port=0").human_name, "n");
  EXPECT_EQ(read("10.0.0.1:1@2,h,nodename=n").hostname, "h");
  for (const char* address :
       {"", "10.0.0.1", "10.0.0.1@1", ":@", "a:b@c", "10.0.0.1:65536@1", "10.0.0.1:1@65536", "10.0.0.1:-1@1",
        "10.0.0.1:60000", "10.0.0.1:1@2@3", "a/b:1@2", "10.0.0.1:1@2,h_/", "10.0.0.1:1@2,h,shard-id=x",
        "10.0.0.1:1@2,h,nodename=a'b"}) {
    EXPECT_NE(ErrorOfLine(kA + " " + address + " myself - 0 0 0 connected"), "none") << address;
  }
}

// ---- files

TEST(NodesFile, VariablesMayStandAnywhereAndBeUnknown) {
  const auto cluster =
      ParseNodes("vars lastVoteEpoch 3 newer 9 currentEpoch 4\n\n" + kLineA + "\n\n\n").value();
  EXPECT_EQ(cluster.current_epoch, 4u);
  EXPECT_EQ(cluster.last_vote_epoch, 3u);
  EXPECT_EQ(cluster.nodes.size(), 1u);
  EXPECT_EQ(ParseNodes(kLineA + "\n").value().current_epoch, 0u);  // as CLUSTER NODES prints it
}

TEST(NodesFile, ThatSaysNothingSensibleIsRefused) {
  EXPECT_EQ(ErrorOf(""), "0 nodes are \"myself\", not one");
  EXPECT_EQ(ErrorOf(kVars), "0 nodes are \"myself\", not one");
  EXPECT_EQ(ErrorOf(kLineA + "\n" + kVars), "none");
  EXPECT_EQ(ErrorOf(kLineA + "\nvars currentEpoch 4 lastVoteEpoch 3"), "the last line is cut");
  EXPECT_EQ(ErrorOf(kLineA), "the last line is cut");
  EXPECT_EQ(ErrorOf(kLineA + "\nvars currentEpoch\n"), "line 2: a variable without a value");
  EXPECT_EQ(ErrorOf(kLineA + "\nvars currentEpoch -1\n"), "line 2: -1 is no epoch");
  EXPECT_EQ(ErrorOf(kLineA + "\n\n" + kLineA + "\n"), "line 3: a node that was there already");
  EXPECT_EQ(ErrorOf(kLineA + "\n" + kB + " :0@0 myself - 0 0 0 connected\n"),
            "2 nodes are \"myself\", not one");
  EXPECT_EQ(ErrorOf(kLineA + " 0-9\n" + kB + " :0@0 master - 0 0 0 connected 9\n"),
            "line 2: slot 9 has two owners");
  EXPECT_EQ(ErrorOf(kLineA + "\n" + kB + " :0@0 slave " + Id('c').str() + " 0 0 0 connected\n"),
            "node " + kB + " follows " + Id('c').str() + ", which is not there");
  EXPECT_EQ(ErrorOf(kLineA + "\n" + kB + " :0@0 master - 0 0 0 connected [9->-" + kA + "]\n"),
            "line 2: slots on their way at another node");
}

TEST(NodesFile, WithAWrongLineIsRefused) {
  EXPECT_EQ(ErrorOfLine("x"), "line 1: too few words for a node");
  EXPECT_EQ(ErrorOfLine(kA.substr(1) + " :0@0 myself - 0 0 0 connected"), "line 1: a node id that is none");
  EXPECT_EQ(ErrorOfLine(kA + " x myself - 0 0 0 connected"), "line 1: an address that is none");
  EXPECT_EQ(ErrorOfLine(kA + " :0@0 myself,x - 0 0 0 connected"), "line 1: a flag that is not known");
  EXPECT_EQ(ErrorOfLine(kA + " :0@0 myself x 0 0 0 connected"), "line 1: a primary's id that is none");
  EXPECT_EQ(ErrorOfLine(kA + " :0@0 myself - -1 0 0 connected"), "line 1: a time or an epoch that is none");
  EXPECT_EQ(ErrorOfLine(kA + " :0@0 myself - 0 x 0 connected"), "line 1: a time or an epoch that is none");
  EXPECT_EQ(ErrorOfLine(kA + " :0@0 myself - 0 0 -1 connected"), "line 1: a time or an epoch that is none");
  EXPECT_EQ(ErrorOfLine(kA + " :0@0 myself - 0 0 0 x"), "line 1: neither connected nor disconnected");
  for (const std::string slots : {"x", "-1", "16384", "0-16384", "9-8", "1-2-3", "1-", "-", "01"})
    EXPECT_EQ(ErrorOfLine(kLineA + " " + slots), "line 1: " + slots + " is no range of slots");
  EXPECT_EQ(ErrorOfLine(kLineA + " 1 1"), "line 1: slot 1 has two owners");
  for (const std::string& slots : std::vector<std::string>{
           "[", "[]", "[-]", "[1]", "[1-]", "[1->-]", "[1-=-" + kB + "]", "[1->-" + kB,
           "[16384->-" + kB + "]", "[->-" + kB + "]", "[1->-" + kB + "x]", "[1->" + kB + "]"})
    EXPECT_EQ(ErrorOfLine(kLineA + " " + slots), "line 1: " + slots + " is no slot on its way");
  EXPECT_EQ(ErrorOfLine(kLineA + " [1->-" + kB + "] [1-<-" + kB + "]"), "line 1: slot 1 is on two ways");
}

// ---- any clusters

class ClusterMaker {
 public:
  explicit ClusterMaker(uint64_t seed) : random_(seed) {}

  ClusterRecord Make() {
    ClusterRecord cluster{.current_epoch = random_.Next(), .last_vote_epoch = random_.Next()};
    for (uint64_t count = 1 + random_.Uniform(6); count > 0; --count) cluster.nodes.push_back(Node());
    NodeRecord& self = cluster.nodes[random_.Uniform(cluster.nodes.size())];
    self.flags |= kMyselfFlag;
    std::set<int> moving;
    for (uint64_t count = random_.Uniform(4); count > 0; --count) {
      const int slot = static_cast<int>(random_.Uniform(kSlots));
      if (moving.insert(slot).second)
        (random_.OneIn(2) ? self.migrating : self.importing).emplace_back(slot, NodeId::Make(random_));
    }
    std::ranges::sort(self.migrating);
    std::ranges::sort(self.importing);
    for (NodeRecord& node : cluster.nodes) {
      if (random_.OneIn(2)) node.primary = cluster.nodes[random_.Uniform(cluster.nodes.size())].id;
    }
    return cluster;
  }

  Random& random() { return random_; }

 private:
  NodeRecord Node() {
    constexpr std::string_view kIps[] = {"", "127.0.0.1", "::1", "fe80::1%eth0", "name.example"};
    constexpr uint16_t kWritten = kPrimaryFlag | kReplicaFlag | kMaybeFailedFlag | kFailedFlag |
                                  kHandshakeFlag | kNoAddressFlag | kNoFailoverFlag;
    NodeRecord node{.id = NodeId::Make(random_),
                    .ip = std::string(kIps[random_.Uniform(std::size(kIps))]),
                    .port = static_cast<int>(random_.Uniform(65536)),
                    .bus_port = static_cast<int>(random_.Uniform(65536)),
                    .hostname = std::string(random_.OneIn(2) ? random_.Uniform(256) : 0, 'h'),
                    .human_name = std::string(random_.OneIn(2) ? random_.Uniform(256) : 0, '!'),
                    .flags = static_cast<uint16_t>(random_.Next() & kWritten),
                    .ping_sent = static_cast<Millis>(random_.Next() >> 1),
                    .pong_received = static_cast<Millis>(random_.Next() >> 1),
                    .config_epoch = random_.Next(),
                    .connected = random_.OneIn(2)};
    if (random_.OneIn(2)) node.shard = NodeId::Make(random_);
    for (uint64_t count = random_.Uniform(100); count > 0; --count) {
      const int slot = static_cast<int>(random_.Uniform(kSlots));
      if (owned_.Has(slot)) continue;
      owned_.Add(slot);
      node.slots.Add(slot);
    }
    return node;
  }

  Random random_;
  SlotSet owned_;
};

TEST(AnyCluster, GoesRound) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(seed);
    ClusterRecord cluster = ClusterMaker(seed).Make();
    const auto read = ParseNodes(NodesText(cluster, NodesForm::kNew));
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(*read, cluster);
    const auto old = ParseNodes(NodesText(cluster, NodesForm::kOld));
    for (NodeRecord& node : cluster.nodes) {
      node.human_name.clear();
      node.shard = {};
    }
    ASSERT_TRUE(old) << old.error().message;
    ASSERT_EQ(*old, cluster);
  }
}

TEST(AnyCluster, CutOrChangedAnywhereIsRefusedOrRead) {
  const auto expect_sane = [](std::string_view text) {
    const auto cluster = ParseNodes(text);
    if (!cluster) return;
    const auto again = ParseNodes(NodesText(*cluster, NodesForm::kNew));
    ASSERT_TRUE(again) << again.error().message;
    ASSERT_EQ(*again, *cluster);
  };
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE(seed);
    ClusterMaker maker(seed);
    std::string text = NodesText(maker.Make(), NodesForm::kNew);
    for (size_t at = 0; at < text.size(); ++at) {
      expect_sane(std::string_view(text).substr(0, at));
      const char before = text[at];
      for (const char after : {'\0', ' ', '\n', ',', '-', '9', static_cast<char>(maker.random().Next())}) {
        text[at] = after;
        expect_sane(text);
      }
      text[at] = before;
    }
  }
}

}  // namespace
}  // namespace cinnabar::cluster
