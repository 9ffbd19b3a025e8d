#include "security/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.h"

namespace cinnabar::security {
namespace {

constexpr size_t kDigestBytes = kPasswordHashDigits / 2;

std::string Hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

void FillRandom(std::span<unsigned char> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    CHECK(got > 0 || errno == EINTR);
    if (got > 0) bytes = bytes.subspan(static_cast<size_t>(got));
  }
}

}  // namespace

std::string HashPassword(std::string_view password) {
  std::array<unsigned char, kDigestBytes> digest;
  const int hashed =
      EVP_Digest(password.data(), password.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  CHECK(hashed == 1);
  std::string text = Hex(digest);
  OPENSSL_cleanse(digest.data(), digest.size());
  return text;
}

bool IsPasswordHash(std::string_view text) {
  return text.size() == kPasswordHashDigits &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool MatchesAnyHash(std::string_view password, std::span<const std::string> hashes) {
  const std::string given = HashPassword(password);
  unsigned matches = 0;
  for (const std::string& hash : hashes) {
    CHECK(hash.size() == kPasswordHashDigits);
    matches |= static_cast<unsigned>(CRYPTO_memcmp(hash.data(), given.data(), kPasswordHashDigits) == 0);
  }
  return matches != 0;
}

std::optional<std::string> GeneratePassword(int64_t bits) {
  if (bits < 1 || bits > kPasswordBitsMax) return std::nullopt;
  const auto digits = static_cast<size_t>((bits + 3) / 4);
  std::array<unsigned char, kPasswordBitsMax / 8> bytes;
  const std::span<unsigned char> used(bytes.data(), (digits + 1) / 2);
  FillRandom(used);
  std::string text = Hex(used);
  text.resize(digits);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return text;
}

}  // namespace cinnabar::security
