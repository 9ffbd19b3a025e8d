#include "security/password.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace cinnabar::security {
namespace {

// FIPS 180-2.
TEST(PasswordTest, Hash) {
  EXPECT_EQ(HashPassword("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HashPassword(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(PasswordTest, IsHash) {
  EXPECT_TRUE(IsPasswordHash(HashPassword("x")));
  EXPECT_FALSE(IsPasswordHash(""));
  EXPECT_FALSE(IsPasswordHash(std::string(63, 'a')));
  EXPECT_FALSE(IsPasswordHash(std::string(65, 'a')));
  EXPECT_FALSE(IsPasswordHash(std::string(64, 'A')));
  EXPECT_FALSE(IsPasswordHash(std::string(64, 'g')));
  EXPECT_FALSE(IsPasswordHash(std::string(64, '\0')));
}

TEST(PasswordTest, Matches) {
  const std::vector<std::string> hashes{HashPassword("a"), HashPassword("b"), HashPassword("c")};
  for (std::string_view password : {"a", "b", "c"}) EXPECT_TRUE(MatchesAnyHash(password, hashes));
  EXPECT_FALSE(MatchesAnyHash("d", hashes));
  EXPECT_FALSE(MatchesAnyHash(hashes[0], hashes));
  EXPECT_FALSE(MatchesAnyHash("a", {}));
}

TEST(PasswordTest, Generate) {
  for (const auto& [bits, digits] :
       {std::pair{1, 1}, {3, 1}, {4, 1}, {5, 2}, {8, 2}, {9, 3}, {256, 64}, {4095, 1024}, {4096, 1024}}) {
    const auto password = GeneratePassword(bits);
    ASSERT_TRUE(password);
    EXPECT_EQ(password->size(), digits);
    EXPECT_EQ(password->find_first_not_of("0123456789abcdef"), std::string::npos);
  }
  for (int64_t bits : {int64_t{0}, int64_t{-1}, int64_t{4097}, INT64_MAX, INT64_MIN})
    EXPECT_FALSE(GeneratePassword(bits));
  std::set<std::string> distinct;
  for (int i = 0; i < 100; ++i) distinct.insert(*GeneratePassword(kPasswordBitsDefault));
  EXPECT_EQ(distinct.size(), 100);
}

}  // namespace
}  // namespace cinnabar::security
