// The arithmetic below HyperLogLog values: hashing, dense registers, and the estimate. No headers, no checks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "structures/hyperloglog.h"

namespace cinnabar::hyperloglog::internal {

inline constexpr int kIndexBits = 14;
inline constexpr int kHashBits = 64 - kIndexBits;
inline constexpr int kRegisterBits = 6;
inline constexpr int kRegisterLimit = 1 << kRegisterBits;

// Where an element belongs, and what it proposes there.
struct Proposal {
  uint32_t index;
  uint8_t value;
};
Proposal Propose(std::string_view element);

// How many registers have each value. Values above kHashBits + 1 cannot come from Propose(), but from
// clients.
using Histogram = std::array<uint32_t, kRegisterLimit>;
uint64_t Estimate(const Histogram& histogram);

// `packed` are the 12288 bytes of dense registers.
uint8_t GetPacked(const char* packed, size_t index);
void SetPacked(char* packed, size_t index, uint8_t value);
Histogram CountPacked(const char* packed);
void MergePacked(Registers& registers, const char* packed);
void Pack(const Registers& registers, char* packed);

}  // namespace cinnabar::hyperloglog::internal
