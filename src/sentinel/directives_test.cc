#include <gtest/gtest.h>

#include "sentinel/world_for_test.h"

namespace cinnabar::sentinel {
namespace {

const std::string kId(40, '5');

TEST(Directives, GoRound) {
  const std::vector<std::string> lines{
      "myid " + kId,
      "deny-scripts-reconfig no",
      "resolve-hostnames yes",
      "announce-hostnames yes",
      "monitor a 10.0.0.1 6379 2",
      "down-after-milliseconds a 5000",
      "failover-timeout a 10000",
      "parallel-syncs a 3",
      "notification-script a /bin/notify",
      "client-reconfig-script a /bin/reconfigure",
      "auth-pass a secret",
      "auth-user a somebody",
      "master-reboot-down-after-period a 7",
      "config-epoch a 4",
      "leader-epoch a 6",
      "rename-command a config x-config",
      "known-replica a 10.0.0.2 6379",
      "known-sentinel a 10.0.1.1 26379 " + std::string(40, 'a'),
      "current-epoch 6",
      "announce-ip 10.0.1.9",
      "announce-port 7000",
      "sentinel-user su",
      "sentinel-pass sp",
  };
  World world(lines);
  ASSERT_FALSE(world.load_error) << world.load_error->reason;
  EXPECT_EQ(world.sentinel->Lines(), lines);
  EXPECT_EQ(world.sentinel->current_epoch(), 6u);
}

TEST(Directives, LinesAboutAPrimaryMayStandBeforeIt) {
  World world({"down-after-milliseconds a 5000", "monitor a 10.0.0.1 6379 2", "config-epoch a 9"});
  ASSERT_FALSE(world.load_error);
  EXPECT_EQ(world.sentinel->Find("a")->down_after, 5000);
  EXPECT_EQ(world.sentinel->current_epoch(), 9u);
}

TEST(Directives, WhatIsWrongIsSaid) {
  const std::pair<const char*, const char*> cases[] = {
      {"nonsense", "Unrecognized sentinel configuration statement."},
      {"monitor a 10.0.0.1 6379", "Unrecognized sentinel configuration statement."},
      {"monitor a 10.0.0.1 6379 0", "Quorum must be 1 or greater."},
      {"monitor a 10.0.0.1 70000 1", "Invalid port number."},
      {"monitor a nobody.example 6379 1", "Can't resolve instance hostname."},
      {"monitor m 10.0.0.1 6379 1", "Duplicate master name."},
      {"down-after-milliseconds x 5", "No such master with specified name."},
      {"down-after-milliseconds m 0", "negative or zero time parameter."},
      {"failover-timeout m -1", "negative or zero time parameter."},
      {"master-reboot-down-after-period m -1", "negative time parameter."},
      {"parallel-syncs m none", "parallel-syncs must be 1 or greater."},
      {"notification-script m /nowhere", "Notification script seems non existing or non executable."},
      {"client-reconfig-script m /nowhere",
       "Client reconfiguration script seems non existing or non executable."},
      {"known-replica m 10.0.0.2 -1", "Invalid port number."},
      {"known-sentinel m nobody.example 1 y", "Wrong hostname or port for sentinel."},
      {"known-replica m nobody.example 1", "Wrong hostname or port for replica."},
      {"myid short", "Malformed Sentinel id in myid option."},
      {"announce-port x", "Invalid announce-port."},
      {"current-epoch -1", "Invalid epoch."},
      {"deny-scripts-reconfig maybe", "Please specify yes or no for the deny-scripts-reconfig option."},
  };
  for (const auto& [line, reason] : cases) {
    World world({"monitor m 10.0.0.9 6379 2", line});
    ASSERT_TRUE(world.load_error) << line;
    EXPECT_EQ(world.load_error->reason, reason);
    EXPECT_EQ(world.load_error->number, 1u);
  }
}

TEST(Directives, AHostNameInTheFileIsLookedUp) {
  World world;
  world.names["primary.example"] = "10.0.0.7";
  world.Make({"monitor m primary.example 6379 2"});
  ASSERT_FALSE(world.load_error);
  EXPECT_EQ(world.primary().address, (Address{"primary.example", "10.0.0.7", 6379}));
  ASSERT_TRUE(world.sentinel->Start().has_value());
  EXPECT_TRUE(std::ranges::count(world.saved, "monitor m primary.example 6379 2"));
  // At run time names need permission.
  EXPECT_FALSE(world.sentinel->Monitor("n", "primary.example", 6379, 2).has_value());
  ASSERT_TRUE(world.sentinel->SetOption("resolve-hostnames", "yes").has_value());
  EXPECT_TRUE(world.sentinel->Monitor("n", "primary.example", 6379, 2).has_value());
}

TEST(Directives, WithPermissionANameMayBeKnownLater) {
  World world({"resolve-hostnames yes", "monitor m later.example 6379 2"});
  ASSERT_FALSE(world.load_error);
  EXPECT_EQ(world.primary().address.ip, "later.example");
}

TEST(Directives, InTheMiddleOfAFailoverTheNewPrimaryIsWritten) {
  World world;
  ASSERT_TRUE(world.sentinel->Start().has_value());
  Primary& primary = world.primary();
  world.Tick();
  world.Establish();
  world.Tick();
  world.Answer("10.0.0.1", 6379, "role:master\r\nslave0:ip=10.0.0.2,port=6379\r\n");
  Replica& replica = *primary.replicas.at("10.0.0.2:6379");
  primary.failing_over = true;
  primary.failover_state = FailoverState::kReconfigureReplicas;
  primary.promoted = replica.id;
  const auto lines = world.sentinel->Lines();
  EXPECT_TRUE(std::ranges::count(lines, "monitor m 10.0.0.2 6379 2")) << testing::PrintToString(lines);
  EXPECT_TRUE(std::ranges::count(lines, "known-replica m 10.0.0.1 6379")) << testing::PrintToString(lines);
}

TEST(Changes, SetSaysWhatItDoesNotUnderstand) {
  World world;
  const auto set = [&](std::vector<std::string_view> words) {
    const Status status = world.sentinel->Set(world.primary(), words);
    return status ? std::string("OK") : status.error().message;
  };
  EXPECT_EQ(set({"quorum", "3"}), "OK");
  EXPECT_EQ(set({"quorum", "0"}), "ERR Invalid argument '0' for SENTINEL SET 'quorum'");
  EXPECT_EQ(set({"down-after-milliseconds", "abc"}),
            "ERR Invalid argument 'abc' for SENTINEL SET 'down-after-milliseconds'");
  EXPECT_TRUE(
      set({"notification-script", "/bin/x"}).starts_with("ERR Reconfiguration of scripts path is denied"));
  EXPECT_EQ(set({"rename-command", "CONFIG", "secret"}), "OK");
  EXPECT_EQ(world.primary().renamed_commands.at("config"), "secret");
  EXPECT_EQ(set({"rename-command", "CONFIG", "config"}), "OK");
  EXPECT_TRUE(world.primary().renamed_commands.empty());
  EXPECT_EQ(Sentinel::SetWords("Rename-Command"), 3u);
  EXPECT_EQ(Sentinel::SetWords("nothing"), 0u);
  EXPECT_TRUE(world.Happened("+set master m 10.0.0.1 6379 quorum 3"));
  EXPECT_EQ(set({"auth-pass", "top secret"}), "OK");
  EXPECT_FALSE(world.Happened("top secret"));
}

}  // namespace
}  // namespace cinnabar::sentinel
