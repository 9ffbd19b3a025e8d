// Passwords: kept as SHA-256 in hexadecimal, compared in constant time, made from the system's randomness.
//
// Everything here is pure but for GeneratePassword, and safe on any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cinnabar::security {

inline constexpr size_t kPasswordHashDigits = 64;
inline constexpr int kPasswordBitsMax = 4096;
inline constexpr int kPasswordBitsDefault = 256;

// 64 lower-case hexadecimal digits.
std::string HashPassword(std::string_view password);
// Whether the text could be a result of HashPassword.
bool IsPasswordHash(std::string_view text);

// Whether one of the hashes is the password's. The time depends on the password's length and on the number
// of hashes, not on what they contain. REQUIRES: each has 64 digits.
bool MatchesAnyHash(std::string_view password, std::span<const std::string> hashes);

// `bits` random bits as hexadecimal digits, rounded up to whole digits. Empty when `bits` is not in 1..4096.
std::optional<std::string> GeneratePassword(int64_t bits);

// What ACL GENPASS answers to a bad number of bits.
inline constexpr std::string_view kBadPasswordBits =
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to "
    "4096";

}  // namespace cinnabar::security
