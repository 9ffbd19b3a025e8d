// Intset: a sorted set of integers in one run of bytes, in the layout of RDB files and Redis.
//
//   [bytes per number: u32, 2 | 4 | 8][count: u32][numbers, ascending, little-endian]
//
// Numbers take the width that the widest one that was ever added needs. Functions that take a string_view
// only read and trust the bytes; what came from outside is passed to Valid first. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "structures/packed_bytes.h"

namespace cinnabar::intset {

inline constexpr std::string_view kEmpty{"\2\0\0\0\0\0\0\0", 8};

size_t Count(std::string_view set);
int64_t At(std::string_view set, size_t index);
bool Contains(std::string_view set, int64_t number);
// False when the number was there already.
bool Insert(PackedBytes& set, int64_t number);
// False when the number was not there.
bool Erase(PackedBytes& set, int64_t number);
// Removes the numbers [from, from + count).
void EraseRange(PackedBytes& set, size_t from, size_t count);

// Whether the bytes are a complete intset in ascending order without duplicates.
bool Valid(std::string_view bytes);

}  // namespace cinnabar::intset
