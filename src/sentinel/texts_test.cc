#include <gtest/gtest.h>

#include "sentinel/hello.h"
#include "sentinel/info_report.h"
#include "sentinel/world_for_test.h"

namespace cinnabar::sentinel {
namespace {

TEST(Hello, GoesRound) {
  const Hello hello{.host = "::1",
                    .port = 26379,
                    .run_id = std::string(40, 'a'),
                    .current_epoch = 7,
                    .primary_name = "m",
                    .primary_host = "host.example",
                    .primary_port = 6379,
                    .config_epoch = 5};
  EXPECT_EQ(ParseHello(EncodeHello(hello)), hello);
}

TEST(Hello, IsRefusedWhenItIsNone) {
  for (const char* text :
       {"", ",", "1.1.1.1,1,id,0,m,1.1.1.1,1", "1.1.1.1,1,id,0,m,1.1.1.1,1,0,9",
        "1.1.1.1,x,id,0,m,1.1.1.1,1,0", "1.1.1.1,70000,id,0,m,1.1.1.1,1,0", "1.1.1.1,1,id,-1,m,1.1.1.1,1,0",
        "1.1.1.1,1,,0,m,1.1.1.1,1,0", "1.1.1.1,1,id,0,,1.1.1.1,1,0",
        "1.1.1.1,1,id,99999999999999999999,m,1.1.1.1,1,0"}) {
    EXPECT_FALSE(ParseHello(text)) << text;
  }
}

TEST(InfoReport, OfAPrimary) {
  const auto report = ParseInfo(
      "# Server\r\nrun_id:" + std::string(40, 'f') +
      "\r\nrole:master\r\nconnected_slaves:2\r\nslave0:ip=10.0.0.2,port=6380,state=online,offset=1,lag=0\r\n"
      "slave1:10.0.0.3,6381,online\r\nslave2:ip=,port=1\r\nslave3:ip=a,port=70000\r\nmaster_repl_offset:"
      "77\r\n");
  EXPECT_EQ(report.run_id, std::string(40, 'f'));
  EXPECT_EQ(report.is_primary, true);
  ASSERT_EQ(report.replicas.size(), 2u);
  EXPECT_EQ(report.replicas[0].host, "10.0.0.2");
  EXPECT_EQ(report.replicas[1].host, "10.0.0.3");
  EXPECT_EQ(report.replicas[1].port, 6381);
  EXPECT_EQ(report.primary_offset, 77u);
}

TEST(InfoReport, OfAReplica) {
  const auto report = ParseInfo(
      "role:slave\nmaster_host:h\nmaster_port:1\nmaster_link_status:down\nmaster_link_down_since_seconds:-1\n"
      "slave_priority:10\nslave_repl_offset:55\nreplica_announced:0\nslave_read_repl_offset:56\n");
  EXPECT_EQ(report.is_primary, false);
  EXPECT_EQ(report.followed_host, "h");
  EXPECT_EQ(report.followed_port, 1);
  EXPECT_EQ(report.link_is_up, false);
  EXPECT_EQ(report.link_down_seconds, -1);
  EXPECT_EQ(report.priority, 10);
  EXPECT_EQ(report.replication_offset, 55u);
  EXPECT_EQ(report.announced, false);
  EXPECT_TRUE(report.replicas.empty());
}

class ScriptsTest : public testing::Test {
 protected:
  World world;
  Scripts scripts{world};
};

TEST_F(ScriptsTest, RunInOrderAndEnd) {
  scripts.Add("/bin/a", {"1", "2"});
  scripts.OnTick(1000, 60'000);
  ASSERT_EQ(world.started.size(), 1u);
  EXPECT_EQ(world.started[0].second, "/bin/a 1 2");
  EXPECT_EQ(scripts.running(), 1u);
  scripts.Ended(world.started[0].first, 0, 0, 1100, 30'000);
  EXPECT_TRUE(scripts.jobs().empty());
}

TEST_F(ScriptsTest, ExitCodeOneMeansLater) {
  scripts.Add("/bin/a", {});
  scripts.OnTick(1000, 60'000);
  scripts.Ended(1, 1, 0, 1000, 30'000);
  scripts.OnTick(30'000, 60'000);
  EXPECT_EQ(world.started.size(), 1u);
  scripts.OnTick(31'000, 60'000);
  EXPECT_EQ(world.started.size(), 2u);
  scripts.Ended(1, std::nullopt, 9, 31'000, 30'000);
  scripts.OnTick(90'000, 60'000);
  EXPECT_EQ(world.started.size(), 2u);
  scripts.OnTick(91'000, 60'000);
  EXPECT_EQ(world.started.size(), 3u);
  scripts.Ended(1, 2, 0, 91'000, 30'000);
  EXPECT_TRUE(scripts.jobs().empty());
  EXPECT_TRUE(world.Happened("-script-error /bin/a 0 2"));
}

TEST_F(ScriptsTest, TheSlowIsKilledOnce) {
  scripts.Add("/bin/a", {});
  scripts.OnTick(1000, 60'000);
  scripts.OnTick(61'001, 60'000);
  scripts.OnTick(61'101, 60'000);
  EXPECT_EQ(world.killed.size(), 1u);
}

TEST_F(ScriptsTest, LimitsHold) {
  for (int i = 0; i < 300; ++i) scripts.Add("/bin/a", {std::to_string(i)});
  EXPECT_EQ(scripts.jobs().size(), 256u);
  EXPECT_EQ(scripts.jobs().front().arguments[0], "44");
  scripts.OnTick(1000, 60'000);
  EXPECT_EQ(world.started.size(), 16u);
}

TEST_F(ScriptsTest, OneThatCannotBeStartedIsTriedAgain) {
  world.no_processes = true;
  scripts.Add("/bin/a", {});
  scripts.OnTick(1000, 60'000);
  EXPECT_EQ(scripts.running(), 0u);
  world.no_processes = false;
  scripts.OnTick(2000, 60'000);
  EXPECT_EQ(scripts.running(), 1u);
}

}  // namespace
}  // namespace cinnabar::sentinel
