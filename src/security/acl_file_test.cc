#include "security/acl_file.h"

#include <gtest/gtest.h>

#include "security/acl_describe.h"
#include "security/stock_catalog_for_test.h"

namespace cinnabar::security {
namespace {

constexpr std::string_view kUnchanged =
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

class AclFileTest : public testing::Test {
 protected:
  // The errors without their end, or the lines of the users.
  std::string Load(std::string_view text) {
    const auto users = ParseAclFile(text, "/u.acl", users_.context());
    if (!users) {
      std::string report = users.error().Report();
      EXPECT_TRUE(report.ends_with(kUnchanged));
      return report.substr(0, report.size() - kUnchanged.size());
    }
    std::string lines;
    for (const UserPtr& user : *users) lines += UserLine(*user) + "\n";
    return lines;
  }
  std::string Directives(const std::vector<UserDirective>& directives) {
    const auto users = ParseUserDirectives(directives, users_.context());
    if (!users) return std::to_string(users.error().directive) + ": " + users.error().text;
    std::string lines;
    for (const UserPtr& user : *users) lines += UserLine(*user) + "\n";
    return lines;
  }

  const CommandCatalog catalog_ = StockCatalog();
  Users users_{catalog_};
};

TEST_F(AclFileTest, Users) {
  EXPECT_EQ(Load(""), "");
  EXPECT_EQ(Load("\n \t\n\r\n"), "");
  EXPECT_EQ(Load("user a"), "user a off resetchannels -@all\n");
  EXPECT_EQ(Load("  user a  \t\r\nuser b on\r"),
            "user a off resetchannels -@all\nuser b on resetchannels -@all\n");
  EXPECT_EQ(Load("user a on  nopass"), "user a on nopass resetchannels -@all\n");
  EXPECT_EQ(Load("user \"a\" on"), "user \"a\" on resetchannels -@all\n");
  EXPECT_EQ(Load("user  on"), "user  on resetchannels -@all\n");  // the empty name
  EXPECT_EQ(Load("user a (+get  ~x   ) (+set)"),
            "user a off resetchannels -@all (~x resetchannels -@all +get) (resetchannels -@all +set)\n");
  EXPECT_EQ(Load("user default on"), "user default on resetchannels -@all\n");
  EXPECT_EQ(Load("user a ~\xff\xfe"), "user a off ~\xff\xfe resetchannels -@all\n");
}

TEST_F(AclFileTest, LinesThatAreNone) {
  for (std::string_view text : {"# hi", "user", "USER a", "users a", "foo bar"}) {
    EXPECT_EQ(Load(text), "/u.acl:1 should start with user keyword followed by the username. ") << text;
  }
  EXPECT_EQ(Load("\n\nuser a\ton"), "'/u.acl:3: username 'a\ton' contains invalid characters. ");
}

TEST_F(AclFileTest, ErrorsOfRules) {
  EXPECT_EQ(Load("user a foo bar"), "/u.acl:1: Syntax error. ");
  EXPECT_EQ(Load("user a ~\"x y\""), "/u.acl:1: Syntax error. ");
  EXPECT_EQ(Load("user a +nope -nada"),
            "/u.acl:1: Error in applying operation '+nope': Unknown command or category name in ACL. "
            "/u.acl:1: Error in applying operation '-nada': Unknown command or category name in ACL. ");
  EXPECT_EQ(Load("user a (foo) +nope (+bar)"),
            "/u.acl:1: Syntax error. /u.acl:1: Error in applying operation '+nope': Unknown command or "
            "category name in ACL. /u.acl:1: Error in applying operation '(+bar)': Unknown command or "
            "category name in ACL. ");
  EXPECT_EQ(Load("user a >p <q"),
            "/u.acl:1: The password you are trying to remove from the user does not exist. ");
  EXPECT_EQ(Load("user a (+get ~x"), "/u.acl:1: Unmatched parenthesis in selector definition.");
}

TEST_F(AclFileTest, ErrorsOfManyLines) {
  EXPECT_EQ(Load("user a foo\nuser b +nope\nuser b on\nfoo\n user c (+get\nuser d (foo)"),
            "/u.acl:1: Syntax error. /u.acl:2: Error in applying operation '+nope': Unknown command or "
            "category name in ACL. WARNING: Duplicate user 'b' found on line 3. /u.acl:4 should start with "
            "user keyword followed by the username. /u.acl:5: Unmatched parenthesis in selector "
            "definition./u.acl:6: Syntax error. ");
  EXPECT_EQ(Load("user a on\nuser a off"), "WARNING: Duplicate user 'a' found on line 2. ");
  EXPECT_EQ(Load("user default on\nuser default on"), "WARNING: Duplicate user 'default' found on line 2. ");
}

TEST_F(AclFileTest, WhatIsWrittenIsRead) {
  for (const std::vector<std::string_view>& rules :
       {std::vector<std::string_view>{"on", ">p", "+@all", "-@dangerous", "~a", "%R~b"},
        {R"((~"a\"b" &"it's" +get))", "(~a) +get)", "+select|0"},
        {"~a\"b", "&'", "%RW~*", "~c"}}) {
    ASSERT_TRUE(users_.Set("u" + std::to_string(users_.size()), rules));
  }
  const std::string text = WriteAclFile(users_);
  const auto read = ParseAclFile(text, "/u.acl", users_.context());
  ASSERT_TRUE(read) << read.error().Report();
  Users again(catalog_);
  again.Replace(*read);
  EXPECT_EQ(WriteAclFile(again), text);
  EXPECT_TRUE(text.starts_with("user default on nopass ~* &* +@all\nuser u1 on #148de9c5"));
}

TEST_F(AclFileTest, Directives) {
  EXPECT_EQ(
      Directives({{"a", {"on", "+get"}}, {"default", {"on", "nopass", "~*"}}}),
      "user a on resetchannels -@all +get\nuser default on nopass sanitize-payload ~* resetchannels -@all\n");
  EXPECT_EQ(Directives({{"a", {"(+get", "~x)"}}}),
            "user a off resetchannels -@all (~x resetchannels -@all +get)\n");
  EXPECT_EQ(Directives({{"a", {"on"}}, {"a", {"on"}}}),
            "1: Error in user declaration 'a': Duplicate user found. A user can only be defined once in "
            "config files");
  EXPECT_EQ(Directives({{"a b", {}}}), "0: Spaces not allowed in ACL usernames");
  EXPECT_EQ(Directives({{"a", {"on", "foo"}}}), "0: Error in user declaration 'foo': Syntax error");
  EXPECT_EQ(Directives({{"a", {"<secret"}}}),
            "0: Error in user declaration '<...': The password you are trying to remove from the user does "
            "not exist");
  EXPECT_EQ(Directives({{"a", {"+nope"}}}),
            "0: Error loading ACL rule '+nope' for the user named 'a': Unknown command or category name in "
            "ACL");
  EXPECT_TRUE(Directives({{"a", {"(+get"}}}).find("Unmatched parenthesis") != std::string::npos);
}

TEST_F(AclFileTest, DirectivesOfUsers) {
  ASSERT_TRUE(users_.Set("a", std::vector<std::string_view>{"(+get", "~x)"}));
  const std::vector<UserDirective> directives = UserDirectives(users_);
  ASSERT_EQ(directives.size(), 2);
  EXPECT_EQ(directives[0].name, "a");
  EXPECT_EQ(directives[0].rules,
            (std::vector<std::string>{"off", "resetchannels", "-@all", "(~x resetchannels -@all +get)"}));
}

}  // namespace
}  // namespace cinnabar::security
