#include "security/name_pattern.h"

#include <gtest/gtest.h>

#include "base/glob.h"
#include "base/random.h"

namespace cinnabar::security {
namespace {

bool Matches(std::string_view pattern, std::string_view name) {
  return NamePattern(pattern).Matches(PreparedName(name));
}

TEST(NamePatternTest, Kinds) {
  EXPECT_TRUE(Matches("orders", "orders"));
  EXPECT_FALSE(Matches("orders", "orders1"));
  EXPECT_TRUE(Matches("user:*", "user:"));
  EXPECT_TRUE(Matches("user:**", "user:1"));
  EXPECT_FALSE(Matches("user:*", "use"));
  EXPECT_TRUE(Matches("a[bc]*d", "acxd"));
  EXPECT_TRUE(Matches("", ""));
  EXPECT_FALSE(Matches("*", ""));
  EXPECT_FALSE(Matches("**", ""));
  EXPECT_TRUE(NamePattern("*").MatchesAll());
  EXPECT_TRUE(Matches("\\*", "*"));
  EXPECT_FALSE(Matches("\\*", "x"));
  EXPECT_TRUE(Matches("12345678", "12345678"));
  EXPECT_FALSE(Matches("12345678", "123456789"));
  EXPECT_FALSE(Matches("123456789*", "12345678"));
  EXPECT_FALSE(Matches("12345678x*", "12345678y"));
  EXPECT_TRUE(Matches("12345678x*", "12345678xy"));
  EXPECT_FALSE(Matches("a", std::string_view("a\0", 2)));
}

TEST(NamePatternTest, MatchesLikeGlobMatch) {
  Random random(7);
  const auto text = [&](std::string_view letters) {
    std::string result;
    for (uint64_t i = random.Uniform(12); i > 0; --i) result += letters[random.Uniform(letters.size())];
    return result;
  };
  for (int i = 0; i < 200'000; ++i) {
    const std::string pattern = text("aab*?[]^\\-"), name = text("aab*\\");
    ASSERT_EQ(Matches(pattern, name), GlobMatch(pattern, name)) << pattern << " on " << name;
  }
}

}  // namespace
}  // namespace cinnabar::security
