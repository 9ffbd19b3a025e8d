#include "base/key_slot.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace cinnabar {
namespace {

TEST(KeySlot, KnownValues) {
  EXPECT_EQ(KeySlot(""), 0);
  EXPECT_EQ(KeySlot("123456789"), 0x31c3);
  EXPECT_EQ(KeySlot("foo"), 12182);
}

TEST(KeySlot, TheFirstBracesDecideUnlessTheyAreEmpty) {
  EXPECT_EQ(HashTagOf("{user1000}.following"), "user1000");
  EXPECT_EQ(HashTagOf("a{b}c{d}"), "b");
  EXPECT_EQ(HashTagOf("foo{{bar}}zap"), "{bar");
  EXPECT_EQ(HashTagOf("}a{b}"), "b");
  for (const char* whole : {"", "foo", "foo{}{bar}", "foo{bar", "foo}bar{", "{}", "{", "}"})
    EXPECT_EQ(HashTagOf(whole), whole);
}

// The specification, byte by byte.
int SlowKeySlot(const std::string& key) {
  std::string decides = key;
  for (size_t open = 0; open < key.size(); ++open) {
    if (key[open] != '{') continue;
    for (size_t close = open + 1; close < key.size(); ++close) {
      if (key[close] != '}') continue;
      if (close > open + 1) decides = key.substr(open + 1, close - open - 1);
      break;
    }
    break;
  }
  unsigned crc = 0;
  for (const char c : decides) {
    crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = ((crc << 1) ^ ((crc & 0x8000) ? 0x1021 : 0)) & 0xffff;
  }
  return static_cast<int>(crc & (kKeySlots - 1));
}

TEST(KeySlot, AgreesWithTheSpecification) {
  const uint64_t seed = 7;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string key;
    for (uint64_t left = random.Uniform(30); left > 0; --left)
      key += random.OneIn(5) ? "{}"[random.Uniform(2)] : static_cast<char>(random.Uniform(256));
    ASSERT_EQ(KeySlot(key), SlowKeySlot(key)) << key;
  }
}

}  // namespace
}  // namespace cinnabar
