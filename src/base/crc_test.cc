#include <gtest/gtest.h>

#include <string>

#include "base/crc16.h"
#include "base/crc64.h"
#include "base/random.h"

namespace cinnabar {
namespace {

uint64_t SlowCrc64(std::string_view bytes) {
  uint64_t crc = 0;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x95ac9329ac4bc9b5 : 0);
  }
  return crc;
}

unsigned SlowCrc16(std::string_view bytes) {
  unsigned crc = 0;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = ((crc << 1) ^ ((crc & 0x8000) ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

TEST(Crc, KnownValues) {
  EXPECT_EQ(Crc64(0, ""), 0u);
  EXPECT_EQ(Crc64(0, "123456789"), 0xe9c6d914c4b8d9ca);
  EXPECT_EQ(Crc16(""), 0);
  EXPECT_EQ(Crc16("123456789"), 0x31c3);
}

TEST(Crc, AgreeWithTheBitwiseDefinition) {
  const uint64_t seed = 99;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random.Uniform(400), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Next());
    const uint64_t expected = SlowCrc64(bytes);
    ASSERT_EQ(Crc64(0, bytes), expected);
    const size_t cut = random.Uniform(bytes.size() + 1);
    ASSERT_EQ(Crc64(Crc64(0, std::string_view(bytes).substr(0, cut)), std::string_view(bytes).substr(cut)),
              expected);
    ASSERT_EQ(Crc16(bytes), SlowCrc16(bytes));
  }
}

}  // namespace
}  // namespace cinnabar
