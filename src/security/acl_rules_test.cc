#include "security/acl_rules.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "security/acl_describe.h"
#include "security/acl_users.h"
#include "security/stock_cases_for_test.h"
#include "security/stock_catalog_for_test.h"

namespace cinnabar::security {
namespace {

class AclRulesTest : public testing::Test {
 protected:
  // The error, or the user's line behind its name.
  std::string Set(const std::vector<std::string_view>& rules) {
    const auto change = users_.Set("u", rules);
    return change ? UserLine(*change->after).substr(7) : change.error().reply;
  }
  std::string SetNew(const std::vector<std::string_view>& rules) {
    users_.Remove("u");
    return Set(rules);
  }

  const CommandCatalog catalog_ = StockCatalog();
  Users users_{catalog_};
};

TEST_F(AclRulesTest, AsStockSays) {
  for (const StockCase& stock : kStockCases) {
    std::string shown;
    for (std::string_view rule : stock.rules) (shown += rule) += ' ';
    EXPECT_EQ(SetNew(stock.rules), stock.result) << shown;
  }
}

TEST_F(AclRulesTest, ItsOwnLineMakesTheSameUser) {
  for (const StockCase& stock : kStockCases) {
    const std::string line = SetNew(stock.rules);
    if (line.starts_with("ERR")) continue;
    const std::vector<std::string> rules = UserRules(*users_.Find("u"));
    EXPECT_EQ(SetNew({rules.begin(), rules.end()}), line);
  }
}

TEST_F(AclRulesTest, AllOrNothing) {
  Set({"on", "+get"});
  const UserPtr before = users_.Find("u");
  EXPECT_TRUE(Set({"off", "+set", "nonsense"}).starts_with("ERR"));
  EXPECT_EQ(users_.Find("u"), before);
  EXPECT_TRUE(Set({"off", "(+set", "~x"}).starts_with("ERR"));
  EXPECT_EQ(users_.Find("u"), before);
  Set({"off"});
  EXPECT_NE(users_.Find("u"), before);
  EXPECT_TRUE(before->enabled());  // what was handed out does not change
}

TEST_F(AclRulesTest, ChangesAddUp) {
  EXPECT_EQ(Set({"+@all", "-@dangerous"}), "off resetchannels +@all -@dangerous");
  EXPECT_EQ(Set({"+config"}),
            "off resetchannels +@all -@dangerous +config|get +config|resetstat +config|rewrite +config|set");
  EXPECT_EQ(
      Set({"on", "&a"}),
      "on resetchannels &a +@all -@dangerous +config|get +config|resetstat +config|rewrite +config|set");
  EXPECT_EQ(Set({"-@all"}), "on resetchannels &a -@all");
}

TEST_F(AclRulesTest, ZeroBytes) {
  using std::string_view_literals::operator""sv;
  EXPECT_TRUE(SetNew({">a\0b"sv}).starts_with("off #59b271ae"));
  for (std::string_view rule :
       {"on\0"sv, "\0"sv, "+get\0x"sv, "+@read\0"sv, "~a\0b"sv, "&a\0"sv, "(+get\0)"sv, "(~\"a\\x00\")"sv}) {
    EXPECT_TRUE(SetNew({rule}).ends_with(": Syntax error")) << rule;
  }
  EXPECT_EQ(SetNew({"~a\0b"sv}), "ERR Error in ACL SETUSER modifier '~a': Syntax error");
  EXPECT_TRUE(SetNew({"#0000\0"sv}).find("must be exactly 64") != std::string::npos);
}

// What could not be read back from an ACL file.
TEST_F(AclRulesTest, FirstArgumentsHaveNoSpaces) {
  EXPECT_TRUE(SetNew({"+get|a b"}).ends_with(": Syntax error"));
  EXPECT_TRUE(SetNew({"(+get|\"a b\")"}).ends_with(": Syntax error"));
}

TEST_F(AclRulesTest, ASelectorInsideAnother) {
  EXPECT_EQ(SetNew({"(", "~a", "(", ")"}), "ERR Unmatched parenthesis in acl selector starting at '('.");
  EXPECT_EQ(SetNew({"(+get", "(+set", "~x)"}),
            "ERR Unmatched parenthesis in acl selector starting at '(+get'.");
}

// Words of selectors are split with regard to quotes, and end at a parenthesis.
TEST_F(AclRulesTest, SelectorsAreQuotedWhereNeeded) {
  EXPECT_EQ(SetNew({R"((~"a\"b" &"it's" +get))"}),
            R"(off resetchannels -@all ("~a\"b" resetchannels "&it's" -@all +get))");
  EXPECT_EQ(SetNew({"(~a) +get)"}), "off resetchannels -@all (\"~a)\" resetchannels -@all +get)");
  const UserDetails details = DescribeUser(*users_.Find("u"));
  EXPECT_EQ(details.selectors[0].keys, "~a)");
  for (const UserPtr& user : {users_.Find("u")}) {
    const std::string line = UserLine(*user);
    const std::vector<std::string> rules = UserRules(*user);
    SetNew({rules.begin(), rules.end()});
    EXPECT_EQ(UserLine(*users_.Find("u")), line);
  }
}

// All keys by pattern, not by flag: other patterns may stand behind it.
TEST_F(AclRulesTest, FullPatternBeforeOthers) {
  const std::string line = SetNew({"%RW~*", "%R~a"});
  EXPECT_EQ(line, "off %RW~* %R~a resetchannels -@all");
  EXPECT_EQ(SetNew({"%RW~*"}), "off ~* resetchannels -@all");
}

TEST_F(AclRulesTest, ChannelDefault) {
  users_.set_channel_default(ChannelDefault::kAll);
  EXPECT_EQ(SetNew({}), "off &* -@all");
  EXPECT_EQ(SetNew({"()"}), "off &* -@all (&* -@all)");
  EXPECT_EQ(SetNew({"reset", "resetchannels", "&a"}), "off sanitize-payload resetchannels &a -@all");
  EXPECT_EQ(SetNew({"resetchannels", "reset"}), "off sanitize-payload &* -@all");
  EXPECT_TRUE(SetNew({"&a"}).find("Adding a pattern after the * pattern") != std::string::npos);
  EXPECT_TRUE(SetNew({"(&a)"}).find("Adding a pattern after the * pattern") != std::string::npos);
}

TEST_F(AclRulesTest, Details) {
  SetNew({"on", ">p", "~a*", "%R~r", "%W~w", "&c", "&d*", "+get", "+select|0", "(+set ~k &z)", "()"});
  const UserDetails details = DescribeUser(*users_.Find("u"));
  EXPECT_EQ(details.flags, std::vector<std::string>{"on"});
  EXPECT_EQ(details.passwords.size(), 1);
  EXPECT_EQ(details.root.commands, "-@all +get +select|0");
  EXPECT_EQ(details.root.keys, "~a* %R~r %W~w");
  EXPECT_EQ(details.root.channels, "&c &d*");
  ASSERT_EQ(details.selectors.size(), 2);
  EXPECT_EQ(details.selectors[0].commands, "-@all +set");
  EXPECT_EQ(details.selectors[0].keys, "~k");
  EXPECT_EQ(details.selectors[0].channels, "&z");
  EXPECT_EQ(details.selectors[1].commands, "-@all");
  EXPECT_EQ(details.selectors[1].keys, "");
}

TEST_F(AclRulesTest, EveryCategoryIsPrintedAsItself) {
  for (const CategoryName& category : catalog_.category_names()) {
    Selector selector(catalog_, ChannelDefault::kNone);
    selector.SetCategory(category.bit, Grant::kAllow);
    const std::vector<std::string> rules = CommandRules(selector);
    EXPECT_TRUE(std::ranges::count(rules, "+@" + std::string(category.name)) == 1) << category.name;
  }
}

}  // namespace
}  // namespace cinnabar::security
