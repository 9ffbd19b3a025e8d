#include "security/acl_check.h"

#include <gtest/gtest.h>

#include "security/acl_users.h"
#include "security/stock_catalog_for_test.h"
#include "security/stock_checks_for_test.h"

namespace cinnabar::security {
namespace {

using Reason = Verdict::Reason;
using Words = std::vector<std::string_view>;

class AclCheckTest : public testing::Test {
 protected:
  const User& Make(const Words& rules) {
    users_.Remove("u");
    const auto change = users_.Set("u", rules);
    EXPECT_TRUE(change) << change.error().reply;
    return *(user_ = users_.Find("u"));
  }
  Verdict Try(std::string_view command, const Words& argv, const std::vector<KeyArgument>& keys = {},
              const std::vector<ChannelArgument>& channels = {}) {
    return Check(*user_, {catalog_.Find(command), argv, keys, channels});
  }
  Verdict Get(std::string_view key) { return Try("get", {"GET", key}, {{1, Access::kRead}}); }
  bool Sorts(std::string_view key) {
    const Words argv{"SORT", key};
    const std::vector<KeyArgument> keys{{1, Access::kRead}};
    return MayReachAllKeys(*user_, {catalog_.Find("sort"), argv, keys, {}}, Access::kRead);
  }

  const CommandCatalog catalog_ = StockCatalog();
  Users users_{catalog_};
  UserPtr user_;
};

TEST_F(AclCheckTest, AsStockSays) {
  for (const StockCheck& stock : kStockChecks) {
    Make(stock.rules);
    const Verdict verdict = Try(stock.command, stock.argv, stock.keys, stock.channels);
    std::string shown;
    for (std::string_view rule : stock.rules) (shown += rule) += ' ';
    EXPECT_EQ(DryRunReply(verdict, stock.command, stock.argv), stock.reply) << shown;
  }
}

TEST_F(AclCheckTest, DefaultUserMayDoEverything) {
  user_ = users_.default_user();
  EXPECT_TRUE(user_->unrestricted());
  EXPECT_FALSE(user_->minds_keys());
  EXPECT_FALSE(user_->minds_channels());
  EXPECT_TRUE(Get("x").allowed());
  EXPECT_TRUE(Sorts("x"));
}

TEST_F(AclCheckTest, OneSelectorIsEnoughForEverything) {
  EXPECT_TRUE(Make({"(+@all ~* &*)"}).unrestricted());
  EXPECT_TRUE(Make({"(+@all ~*)"}).minds_keys());  // the root allows none
  EXPECT_FALSE(Make({"~*", "(+@all ~*)"}).minds_keys());
  EXPECT_FALSE(Make({"+@all", "~*", "&*", "-get"}).unrestricted());
  EXPECT_TRUE(Make({"+@all", "~*", "&*", "-get", "+@all"}).unrestricted());
}

TEST_F(AclCheckTest, ReadAndWrite) {
  Make({"+@all", "%R~r*", "%W~w*", "~rw*"});
  const auto copy = [&](std::string_view from, std::string_view to) {
    return Try("copy", {"COPY", from, to}, {{1, Access::kRead}, {2, Access::kWrite}});
  };
  EXPECT_TRUE(copy("r", "w").allowed());
  EXPECT_EQ(copy("w", "r"), (Verdict{Reason::kKey, 1}));
  EXPECT_EQ(copy("r", "r"), (Verdict{Reason::kKey, 2}));
  EXPECT_TRUE(copy("rw", "rw").allowed());
  // Both at once must come from one pattern.
  Make({"+@all", "%R~a*", "%W~ab*"});
  EXPECT_EQ(Try("incr", {"INCR", "ab"}, {{1, Access::kReadWrite}}), (Verdict{Reason::kKey, 1}));
  // Neither reading nor writing: any pattern will do, but one must.
  EXPECT_TRUE(Try("exists", {"EXISTS", "a"}, {{1, Access::kNone}}).allowed());
  EXPECT_EQ(Try("exists", {"EXISTS", "b"}, {{1, Access::kNone}}), (Verdict{Reason::kKey, 1}));
}

TEST_F(AclCheckTest, SelectorsDoNotAddUp) {
  Make({"(%R~r* +@all)", "(%W~w* +@all)"});
  EXPECT_TRUE(Get("r").allowed());
  EXPECT_EQ(Try("copy", {"COPY", "r", "w"}, {{1, Access::kRead}, {2, Access::kWrite}}),
            (Verdict{Reason::kKey, 2}));
}

TEST_F(AclCheckTest, ReportsWhoGotFurthest) {
  Make({"+mget", "~key", "(+mget ~key ~otherkey)"});
  EXPECT_EQ(Get("key"), (Verdict{Reason::kCommand, 0}));
  const auto mget = [&](const Words& keys) {
    Words argv{"MGET"};
    std::vector<KeyArgument> positions;
    for (std::string_view key : keys) {
      positions.push_back({static_cast<uint32_t>(argv.size()), Access::kRead});
      argv.push_back(key);
    }
    return Try("mget", argv, positions);
  };
  EXPECT_EQ(mget({"otherkey", "third"}), (Verdict{Reason::kKey, 2}));
  EXPECT_EQ(mget({"key", "otherkey", "third"}), (Verdict{Reason::kKey, 3}));
  // A channel is further than any key.
  Make({"+publish", "&a", "(+publish)", "()"});
  EXPECT_EQ(Try("publish", {"PUBLISH", "b", "x"}, {}, {{1, ChannelUse::kName}}),
            (Verdict{Reason::kChannel, 1}));
}

TEST_F(AclCheckTest, OpenCommandsAreEverybodys) {
  Make({});
  EXPECT_TRUE(Try("auth", {"AUTH", "x"}).allowed());
  EXPECT_TRUE(Try("reset", {"RESET"}).allowed());
  EXPECT_FALSE(Try("ping", {"PING"}).allowed());
  Make({"-auth", "-@all"});
  EXPECT_TRUE(Try("auth", {"AUTH", "x"}).allowed());
}

TEST_F(AclCheckTest, FirstArguments) {
  Make({"+select|0", "+select|1", "~*"});
  EXPECT_TRUE(Try("select", {"SELECT", "1"}).allowed());
  EXPECT_FALSE(Try("select", {"SELECT", "2"}).allowed());
  EXPECT_FALSE(Try("select", {"SELECT"}).allowed());
  EXPECT_TRUE(MayRunEver(*user_, catalog_.Find("select")));
  EXPECT_FALSE(MayRunEver(*user_, catalog_.Find("get")));
  EXPECT_TRUE(MayRunEver(*user_, catalog_.Find("auth")));
  Make({"+debug|object"});
  EXPECT_TRUE(Try("debug", {"DEBUG", "OBJECT", "k"}).allowed());
  EXPECT_FALSE(Try("debug", {"DEBUG", "SEGFAULT"}).allowed());
}

TEST_F(AclCheckTest, ChannelPatternsAreComparedAsTheyAre) {
  Make({"+@all", "&a", "&b*"});
  const auto psubscribe = [&](std::string_view pattern) {
    return Try("psubscribe", {"PSUBSCRIBE", pattern}, {}, {{1, ChannelUse::kPattern}}).allowed();
  };
  EXPECT_TRUE(psubscribe("a"));
  EXPECT_TRUE(psubscribe("b*"));
  EXPECT_FALSE(psubscribe("bc"));
  EXPECT_FALSE(psubscribe("bc*"));
  EXPECT_TRUE(MayUseChannel(*user_, "bc", ChannelUse::kName));
}

TEST_F(AclCheckTest, AllKeysForSort) {
  Make({"(+sort ~mylist)"});
  EXPECT_FALSE(Sorts("mylist"));
  Make({"(+sort ~mylist)", "(+sort ~mylist ~v*)", "(+sort ~mylist %W~*)"});
  EXPECT_FALSE(Sorts("mylist"));
  Make({"(+sort ~mylist %R~*)"});
  EXPECT_TRUE(Sorts("mylist"));
  Make({"+sort", "~mylist", "(~*)"});  // who sorts may not read all
  EXPECT_FALSE(Sorts("mylist"));
}

TEST_F(AclCheckTest, KeepsChannels) {
  const auto keeps = [&](const Words& before, const Words& after) {
    const UserPtr old = (Make(before), user_);
    return KeepsChannels(*old, Make(after));
  };
  EXPECT_TRUE(keeps({"&a"}, {"&a", "&b"}));
  EXPECT_TRUE(keeps({"&a", "(&b)"}, {"&b", "(&a)"}));
  EXPECT_TRUE(keeps({"&*"}, {"(&*)"}));
  EXPECT_TRUE(keeps({}, {}));
  EXPECT_FALSE(keeps({"&a"}, {}));
  EXPECT_FALSE(keeps({"&a"}, {"&a*"}));  // tells only that each subscription has to be looked at
  EXPECT_FALSE(keeps({"&*"}, {"&a"}));
}

TEST_F(AclCheckTest, Texts) {
  EXPECT_EQ(DenialReply({Reason::kCommand}, "config|set"),
            "NOPERM this user has no permissions to run the 'config|set' command");
  EXPECT_EQ(DenialReply({Reason::kKey}, "get"),
            "NOPERM this user has no permissions to access one of the keys used as arguments");
  EXPECT_EQ(DenialReply({Reason::kChannel}, "publish"),
            "NOPERM this user has no permissions to access one of the channels used as arguments");
  EXPECT_EQ(DenialReply({}, "get"), "");
}

}  // namespace
}  // namespace cinnabar::security
