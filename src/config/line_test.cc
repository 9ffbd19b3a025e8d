#include "config/line.h"
#include "base/quote.h"

#include <gtest/gtest.h>

#include <random>

namespace cinnabar::config {
namespace {

using Words = std::vector<std::string>;

TEST(SplitLine, SeparatesWordsAtWhiteSpace) {
  EXPECT_EQ(SplitLine("save 900 1"), Words({"save", "900", "1"}));
  EXPECT_EQ(SplitLine("  \t a\tb \r"), Words({"a", "b"}));
  EXPECT_EQ(SplitLine(""), Words());
  EXPECT_EQ(SplitLine("   "), Words());
}

TEST(SplitLine, UnderstandsQuotes) {
  EXPECT_EQ(SplitLine(R"(a "b c" 'd e')"), Words({"a", "b c", "d e"}));
  EXPECT_EQ(SplitLine(R"("\x41\x00\n\t\"\\\q")"), Words({std::string("A\0\n\t\"\\q", 7)}));
  EXPECT_EQ(SplitLine(R"("\xg1")"), Words({"xg1"}));
  EXPECT_EQ(SplitLine(R"('\n\'')"), Words({R"(\n')"}));
  EXPECT_EQ(SplitLine(R"(ab"cd")"), Words({"abcd"}));
  EXPECT_EQ(SplitLine("''"), Words({""}));
}

TEST(SplitLine, RefusesUnbalancedQuotes) {
  for (const char* line : {"\"a", "'a", "\"a\"b", "'a'b", "\"a\\", "a\"b 1", "\"", "\"\\"}) {
    EXPECT_FALSE(SplitLine(line)) << line;
  }
}

TEST(SplitLine, StopsAtAZeroByte) {
  EXPECT_EQ(SplitLine(std::string_view("a b\0\"", 5)), Words({"a", "b"}));
}

TEST(TextBeforeComment, FindsABareWord) {
  EXPECT_EQ(TextBeforeComment("save 900 1 # if >= 1 key"), "save 900 1 ");
  EXPECT_EQ(TextBeforeComment("a b\t#\tdon't"), "a b\t");
  EXPECT_EQ(TextBeforeComment("a b #"), "a b ");
  EXPECT_EQ(TextBeforeComment("a \"b # c\" # d # e"), "a \"b # c\" ");
  EXPECT_EQ(TextBeforeComment(" # a"), " ");
}

TEST(TextBeforeComment, NothingElseIsAComment) {
  for (const char* line : {"", "a b", "requirepass #secret", "a #b c", "a b# c", "a \"# b\"", "a '#' \"#\"",
                           "a ## b", "a \"b # c", "a 'b'c # d", "a don't # do"}) {
    EXPECT_FALSE(TextBeforeComment(line)) << line;
  }
  EXPECT_FALSE(TextBeforeComment(std::string_view("a b\0 # c", 8)));
}

TEST(QuoteArgument, Examples) {
  EXPECT_EQ(Quoted("a b"), "\"a b\"");
  EXPECT_EQ(Quoted("\x01\"\\\n\x7f\xff"), R"("\x01\"\\\n\x7f\xff")");
  EXPECT_EQ(QuoteArgumentIfNeeded("abc"), "abc");
  EXPECT_EQ(QuoteArgumentIfNeeded(""), "\"\"");
  EXPECT_EQ(QuoteArgumentIfNeeded("a'b"), "\"a'b\"");
}

TEST(QuoteArgument, RoundTripsAnyBytes) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    Words words(1 + random() % 4);
    std::string line;
    for (std::string& word : words) {
      word.resize(random() % 20);
      for (char& c : word) c = static_cast<char>(random());
      line += (random() % 2 ? Quoted(word) : QuoteArgumentIfNeeded(word)) + " ";
    }
    ASSERT_EQ(SplitLine(line), words) << line;
  }
}

}  // namespace
}  // namespace cinnabar::config
