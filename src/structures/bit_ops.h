// Strings as arrays of bits, the way SETBIT, BITCOUNT, BITPOS, BITOP and BITFIELD see them: bit 0 is the most
// significant bit of byte 0. Pure functions on bytes; every one may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cinnabar {

enum class Bit { kZero, kOne };

// A closed range of bits. REQUIRES wherever it is taken: first <= last, and last lies within the bytes.
struct BitRange {
  uint64_t first;
  uint64_t last;
};

// A bit beyond the end is zero.
Bit GetBit(std::string_view bytes, uint64_t offset);
// Returns the bit that was there. REQUIRES: the bit lies within the bytes.
Bit SetBit(std::span<char> bytes, uint64_t offset, Bit bit);

// The number of ones. More than ten bytes per nanosecond.
uint64_t CountOnes(std::string_view bytes);
uint64_t CountOnes(std::string_view bytes, BitRange range);

// The offset, from the start of the bytes, of the first such bit of the range.
std::optional<uint64_t> FindBit(std::string_view bytes, Bit bit, BitRange range);

// With x the first source and y1.. the others:
enum class BitOperation {
  kAnd,
  kOr,
  kXor,
  kNot,         // ~x. REQUIRES: exactly one source.
  kDifference,  // x & ~(y1 | y2 | ...)       BITOP DIFF
  kOtherwise,   // ~x & (y1 | y2 | ...)       BITOP DIFF1
  kAndAny,      // x & (y1 | y2 | ...)        BITOP ANDOR
  kExactlyOne,  // set in one source only     BITOP ONE
};

// As long as the longest source; shorter ones go on with zeros. REQUIRES: at least one source, at least two
// for kDifference, kOtherwise and kAndAny.
std::string CombineBits(BitOperation operation, std::span<const std::string_view> sources);

// Integers of any width inside a string: BITFIELD.
enum class Signedness { kUnsigned, kSigned };
struct BitFieldType {
  Signedness signedness;
  unsigned bits;  // 1 to 64 if signed, 1 to 63 if unsigned

  // "i8", "u63"; nothing if it is not a type.
  static std::optional<BitFieldType> Parse(std::string_view text);
};

// What lies beyond the end is zero.
int64_t GetBitField(std::string_view bytes, uint64_t offset, BitFieldType type);
// Stores the low bits of `value`. REQUIRES: the whole field lies within the bytes.
void SetBitField(std::span<char> bytes, uint64_t offset, BitFieldType type, int64_t value);

enum class BitFieldOverflow { kWrap, kSaturate, kFail };

// value + increment as a value of the type; nothing if it does not fit and the policy is kFail. The value of
// an unsigned type is taken as 64 unsigned bits, so that -1 is too large, not too small. BITFIELD SET is this
// with an increment of 0.
std::optional<int64_t> AddToBitField(BitFieldType type, int64_t value, int64_t increment,
                                     BitFieldOverflow policy);

}  // namespace cinnabar
