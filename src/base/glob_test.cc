#include "base/glob.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace cinnabar {
namespace {

TEST(Glob, PlainBytesStarsAndQuestionMarks) {
  EXPECT_TRUE(GlobMatch("", ""));
  EXPECT_FALSE(GlobMatch("", "a"));
  EXPECT_FALSE(GlobMatch("a", ""));
  EXPECT_FALSE(GlobMatch("*", ""));
  EXPECT_FALSE(GlobMatch("**", ""));
  EXPECT_TRUE(GlobMatch("foo", "foo"));
  EXPECT_FALSE(GlobMatch("foo", "fooo"));
  EXPECT_FALSE(GlobMatch("foo", "Foo"));
  EXPECT_TRUE(GlobMatch("*", "anything"));
  EXPECT_TRUE(GlobMatch("foo*", "foo"));
  EXPECT_TRUE(GlobMatch("*bar", "foobar"));
  EXPECT_TRUE(GlobMatch("f*b*r", "foobazbar"));
  EXPECT_FALSE(GlobMatch("f*b*z", "foobazbar"));
  EXPECT_TRUE(GlobMatch("f?o", "fzo"));
  EXPECT_FALSE(GlobMatch("f?o", "fo"));
  EXPECT_TRUE(GlobMatch("**a**", "xay"));
  EXPECT_TRUE(GlobMatch("*ab", "aab"));
}

TEST(Glob, Brackets) {
  EXPECT_TRUE(GlobMatch("h[ae]llo", "hello"));
  EXPECT_FALSE(GlobMatch("h[ae]llo", "hillo"));
  EXPECT_TRUE(GlobMatch("h[^e]llo", "hallo"));
  EXPECT_FALSE(GlobMatch("h[^e]llo", "hello"));
  EXPECT_TRUE(GlobMatch("[a-c][c-a]", "bb"));
  EXPECT_FALSE(GlobMatch("[a-c]", "d"));
  EXPECT_TRUE(GlobMatch("[\\]]", "]"));
  EXPECT_TRUE(GlobMatch("[a\\-c]", "-"));
  EXPECT_FALSE(GlobMatch("[a\\-c]", "b"));
  EXPECT_FALSE(GlobMatch("[]", "]"));
  EXPECT_TRUE(GlobMatch("[^]", "x"));
  EXPECT_TRUE(GlobMatch("[abc", "b"));
  EXPECT_FALSE(GlobMatch("[abc", "bc"));
  EXPECT_TRUE(GlobMatch("[-a]", "-"));
  EXPECT_TRUE(GlobMatch("*[0-9]", "key7"));
  EXPECT_TRUE(GlobMatch("[\x80-\xff]", "\xc3"));
}

TEST(Glob, Backslash) {
  EXPECT_TRUE(GlobMatch("\\*", "*"));
  EXPECT_FALSE(GlobMatch("\\*", "a"));
  EXPECT_TRUE(GlobMatch("a\\", "a\\"));
  EXPECT_TRUE(GlobMatch("*\\?", "why?"));
  EXPECT_TRUE(GlobMatch("\\\\", "\\"));
}

TEST(Glob, CaseCanBeIgnored) {
  EXPECT_TRUE(GlobMatch("FoO*", "fOobar", CaseMode::kInsensitive));
  EXPECT_TRUE(GlobMatch("[A-C]x\\Y", "bXy", CaseMode::kInsensitive));
  EXPECT_TRUE(GlobMatch("*B", "aaab", CaseMode::kInsensitive));
}

TEST(Glob, LongPatternsStayCheap) {
  const std::string text(50'000, 'a');
  std::string pattern;
  for (int i = 0; i < 20; ++i) pattern += "a*";
  EXPECT_FALSE(GlobMatch(pattern + "b", text));
  pattern.clear();
  for (int i = 0; i < 50'000; ++i) pattern += "*?";
  EXPECT_FALSE(GlobMatch(pattern, text));
}

// The definition of the language, one recursion per element; exponential, so only for small inputs.
bool Definition(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    for (size_t skip = 0; skip <= text.size(); ++skip) {
      if (Definition(pattern.substr(1), text.substr(skip))) return true;
    }
    return false;
  }
  if (text.empty()) return false;
  if (pattern[0] == '?') return Definition(pattern.substr(1), text.substr(1));
  if (pattern.starts_with("[ab]")) {
    return (text[0] == 'a' || text[0] == 'b') && Definition(pattern.substr(4), text.substr(1));
  }
  return pattern[0] == text[0] && Definition(pattern.substr(1), text.substr(1));
}

TEST(Glob, AgreesWithItsDefinition) {
  const uint64_t seed = 20240501;
  SCOPED_TRACE(seed);
  Random random(seed);
  static constexpr std::string_view kElements[] = {"a", "b", "c", "*", "?", "[ab]"};
  int matches = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string pattern;
    std::string text;
    for (uint64_t n = random.Uniform(7); n > 0; --n) pattern += kElements[random.Uniform(6)];
    for (uint64_t n = random.Uniform(9); n > 0; --n) text += static_cast<char>('a' + random.Uniform(3));
    const bool expected = text.empty() ? pattern.empty() : Definition(pattern, text);
    ASSERT_EQ(GlobMatch(pattern, text), expected) << pattern << " against " << text;
    ASSERT_EQ(GlobMatch(pattern, text, CaseMode::kInsensitive), expected) << pattern << " against " << text;
    matches += expected;
  }
  EXPECT_GT(matches, 1000);
}

}  // namespace
}  // namespace cinnabar
