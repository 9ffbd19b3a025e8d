#include "security/acl_users.h"

#include <gtest/gtest.h>

#include "security/stock_catalog_for_test.h"

namespace cinnabar::security {
namespace {

using Words = std::vector<std::string_view>;

class AclUsersTest : public testing::Test {
 protected:
  void Set(std::string_view name, const Words& rules) { ASSERT_TRUE(users_.Set(name, rules)); }
  UserPtr Make(std::string_view name, const Words& rules) {
    const User empty(std::string(name), catalog_, ChannelDefault::kNone);
    return *ApplyRules(empty, rules, users_.context());
  }

  const CommandCatalog catalog_ = StockCatalog();
  Users users_{catalog_};
};

TEST_F(AclUsersTest, DefaultUserIsThere) {
  EXPECT_EQ(users_.Lines(), std::vector<std::string>{"user default on nopass ~* &* +@all"});
  EXPECT_NE(users_.Authenticate("default", "anything"), nullptr);
}

TEST_F(AclUsersTest, NewAndChanged) {
  const Words on{"on", "nopass"};
  const auto made = users_.Set("app", on);
  EXPECT_EQ(made->before, nullptr);
  EXPECT_EQ(made->after, users_.Find("app"));
  const auto changed = users_.Set("app", Words{"off"});
  EXPECT_EQ(changed->before, made->after);
  EXPECT_TRUE(changed->after->needs_no_password());
  EXPECT_EQ(users_.Names(), (std::vector<std::string>{"app", "default"}));
  EXPECT_EQ(users_.Remove("app"), changed->after);
  EXPECT_EQ(users_.Remove("app"), nullptr);
}

TEST_F(AclUsersTest, Names) {
  using std::string_view_literals::operator""sv;
  for (std::string_view name : {"a b"sv, "a\0b"sv, "a\tb"sv, "\n"sv}) {
    EXPECT_EQ(users_.Set(name, {}).error().reply, kBadUserName);
  }
  for (std::string_view name : {""sv, "(x"sv, "%"sv, "\xff"sv, "a'b"sv}) EXPECT_TRUE(users_.Set(name, {}));
  EXPECT_EQ(users_.Names(), (std::vector<std::string>{"", "%", "(x", "a'b", "default", "\xff"}));
}

TEST_F(AclUsersTest, Authenticate) {
  Set("app", {">one", ">two"});
  EXPECT_EQ(users_.Authenticate("app", "one"), nullptr);  // disabled
  Set("app", {"on"});
  EXPECT_EQ(users_.Authenticate("app", "one"), users_.Find("app"));
  EXPECT_EQ(users_.Authenticate("app", "two"), users_.Find("app"));
  EXPECT_EQ(users_.Authenticate("app", "three"), nullptr);
  EXPECT_EQ(users_.Authenticate("app", ""), nullptr);
  EXPECT_EQ(users_.Authenticate("other", "one"), nullptr);
  Set("app", {"<one"});
  EXPECT_EQ(users_.Authenticate("app", "one"), nullptr);
  Set("app", {"resetpass"});
  EXPECT_EQ(users_.Authenticate("app", "two"), nullptr);
  Set("app", {"nopass"});
  EXPECT_NE(users_.Authenticate("app", "whatever"), nullptr);
}

TEST_F(AclUsersTest, DefaultPassword) {
  const UserChange change = users_.SetDefaultPassword("secret");
  EXPECT_EQ(change.after, users_.default_user());
  EXPECT_EQ(users_.Authenticate("default", "other"), nullptr);
  EXPECT_NE(users_.Authenticate("default", "secret"), nullptr);
  Set("default", {">more"});
  users_.SetDefaultPassword("new");
  EXPECT_EQ(users_.default_user()->password_hashes().size(), 1);
  EXPECT_TRUE(users_.default_user()->unrestricted());
  users_.SetDefaultPassword("");
  EXPECT_TRUE(users_.default_user()->needs_no_password());
}

TEST_F(AclUsersTest, Replace) {
  Set("gone", {});
  Set("kept", {});
  Set("default", {"-get"});
  const UserPtr gone = users_.Find("gone"), kept = users_.Find("kept"), old_default = users_.default_user();
  const std::vector<UserChange> changes = users_.Replace({Make("kept", {"on"}), Make("new", {"on"})});
  EXPECT_EQ(users_.Names(), (std::vector<std::string>{"default", "kept", "new"}));
  EXPECT_TRUE(users_.default_user()->unrestricted());  // as at the beginning
  ASSERT_EQ(changes.size(), 4);
  EXPECT_EQ(changes[0].before, old_default);
  EXPECT_EQ(changes[1].before, kept);
  EXPECT_EQ(changes[1].after, users_.Find("kept"));
  EXPECT_EQ(changes[2].before, nullptr);
  EXPECT_EQ(changes[3].before, gone);
  EXPECT_EQ(changes[3].after, nullptr);
  users_.Replace({Make("default", {"on"})});
  EXPECT_FALSE(users_.default_user()->unrestricted());
}

}  // namespace
}  // namespace cinnabar::security
