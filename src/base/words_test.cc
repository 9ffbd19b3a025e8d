#include "base/words.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "base/ascii.h"
#include "base/quote.h"
#include "base/random.h"

namespace cinnabar {
namespace {

std::optional<std::vector<std::string>> WordsOf(std::string_view line) {
  WordReader reader(line);
  std::vector<std::string> words;
  while (!reader.AtEnd()) {
    if (!reader.ReadWord(words.emplace_back())) return std::nullopt;
  }
  return words;
}

using Words = std::vector<std::string>;

TEST(WordReader, QuotesAndEscapes) {
  EXPECT_EQ(WordsOf(" \t\v a  b\r\n"), (Words{"a", "b"}));
  EXPECT_EQ(WordsOf(R"("a b\x01\n\q\x0" 'c\'d\n' e"f")"), (Words{"a b\x01\nqx0", "c'd\\n", "ef"}));
  EXPECT_EQ(WordsOf("''"), Words{""});
  EXPECT_EQ(WordsOf(""), Words{});
  for (const char* line : {"\"", "'a", "\"a\"b", "'a'b", "\"a\\", "\"a\\\""})
    EXPECT_FALSE(WordsOf(line)) << line;
}

TEST(WordReader, ReadsWhatQuotedWrites) {
  Random random(7);
  for (int round = 0; round < 1000; ++round) {
    std::string text;
    for (size_t left = random.Next() % 20; left > 0; --left) text += static_cast<char>(random.Next() % 256);
    EXPECT_EQ(WordsOf(Quoted(text) + " x"), (Words{text, "x"})) << Quoted(text);
  }
}

TEST(Ascii, LettersOnly) {
  EXPECT_TRUE(SameWord("aZ[0", "Az[0"));
  EXPECT_FALSE(SameWord("@", "`"));
  EXPECT_FALSE(SameWord("[", "{"));
  EXPECT_FALSE(SameWord("a", "ab"));
  EXPECT_EQ(LowerCase("\xc4"
                      "AbC@["),
            "\xc4"
            "abc@[");
  EXPECT_EQ(HexDigit('f'), 15);
  EXPECT_EQ(HexDigit('A'), 10);
  EXPECT_EQ(HexDigit('g'), -1);
  EXPECT_EQ(HexDigit('G'), -1);
}

}  // namespace
}  // namespace cinnabar
