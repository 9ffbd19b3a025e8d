#include "base/sha1.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace cinnabar {
namespace {

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const uint8_t byte : Sha1(bytes)) text += fmt::format("{:02x}", byte);
  return text;
}

// The examples of FIPS 180 and RFC 3174.
TEST(Sha1, KnownValues) {
  EXPECT_EQ(Hex(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(Hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(Hex(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

// Around the ends of blocks, where the padding changes its form: digests of digests, as another program
// computed them.
TEST(Sha1, EveryLength) {
  std::string all;
  for (size_t size = 0; size < 200; ++size) all += Hex(std::string(size, static_cast<char>('a' + size % 26)));
  EXPECT_EQ(Hex(all), "d0b738fe7e36304e250752bf33d8e617f3409653");
}

}  // namespace
}  // namespace cinnabar
