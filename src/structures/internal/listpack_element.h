// The elements of a listpack, one by one: how each kind of string and integer is written and read. Also what
// packed_pairs.h writes where its own form does not reach.
//
//   [encoding and data][length of that, written so that it can be read backwards]
//
// The second part belongs to listpacks alone: Encoded and DataBytes are about the first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/numbers.h"
#include "base/unaligned.h"
#include "structures/listpack.h"

namespace cinnabar::listpack::internal {

// What stands around the elements.
inline constexpr size_t kHeaderBytes = 6;
inline constexpr size_t kCountOffset = 4;
inline constexpr size_t kUncounted = 65535;
inline constexpr uint8_t kTerminator = 0xff;

// First bytes of elements. Those below carry data in their low bits.
inline constexpr uint8_t kString6 = 0x80;   // 10xxxxxx
inline constexpr uint8_t kInt13 = 0xc0;     // 110xxxxx and a byte
inline constexpr uint8_t kString12 = 0xe0;  // 1110xxxx and a byte
inline constexpr uint8_t kString32 = 0xf0;
inline constexpr uint8_t kInt16 = 0xf1;
inline constexpr uint8_t kInt24 = 0xf2;
inline constexpr uint8_t kInt32 = 0xf3;
inline constexpr uint8_t kInt64 = 0xf4;

inline constexpr size_t kString6Bytes = 64;  // strings shorter than this
inline constexpr size_t kString12Bytes = 4096;
inline constexpr size_t kIntegerDigitsMax = 20;  // with the sign

inline uint8_t ByteAt(const char* p) {
  return static_cast<uint8_t>(*p);
}

// Most strings are turned down by their first character, without a call.
inline bool ParseInteger(std::string_view text, int64_t& number) {
  if (text.empty() || text.size() > kIntegerDigitsMax) return false;
  if (static_cast<uint8_t>(text[0] - '0') > 9 && text[0] != '-') return false;
  return cinnabar::internal::ParseInt64(text, number);
}

// Bytes of the field that tells `size` backwards. From two bytes on, the greatest number of a width already
// takes the next one: so does redis-server, and who reads forwards must know it.
inline size_t BackBytes(uint64_t size) {
  if (size <= 127) return 1;
  if (size < 16383) return 2;
  if (size < 2097151) return 3;
  if (size < 268435455) return 4;
  return 5;
}

// Returns the end of what it wrote.
inline char* WriteBack(char* out, uint64_t size) {
  if (size <= 127) {
    *out = static_cast<char>(size);
    return out + 1;
  }
  const size_t bytes = BackBytes(size);
  for (size_t i = bytes; i-- > 0; size >>= 7) {
    out[i] = static_cast<char>((size & 127) | (i > 0 ? 128 : 0));
  }
  return out + bytes;
}

// Bytes of encoding and data, without the field behind them.
inline uint64_t DataBytes(const char* p) {
  const uint8_t first = ByteAt(p);
  if (first < kString6) return 1;
  if (first < kInt13) return 1 + (first & 63u);
  if (first < kString12) return 2;
  if (first < kString32) return 2 + ((first & 15u) << 8 | ByteAt(p + 1));
  switch (first) {
    case kString32:
      return uint64_t{5} + LoadAs<uint32_t>(p + 1);
    case kInt16:
      return 3;
    case kInt24:
      return 4;
    case kInt32:
      return 5;
    default:
      return 9;
  }
}

inline Element Decode(const char* p) {
  const auto integer = [](int64_t value) { return Element{.is_integer = true, .integer = value}; };
  const uint8_t first = ByteAt(p);
  if (first < kString6) return integer(first);
  if (first < kInt13) return {.bytes = {p + 1, first & 63u}};
  if (first < kString12) {
    const int value = (first & 31) << 8 | ByteAt(p + 1);
    return integer(value >= 4096 ? value - 8192 : value);
  }
  if (first < kString32) return {.bytes = {p + 2, (first & 15u) << 8 | ByteAt(p + 1)}};
  switch (first) {
    case kString32:
      return {.bytes = {p + 5, LoadAs<uint32_t>(p + 1)}};
    case kInt16:
      return integer(LoadAs<int16_t>(p + 1));
    case kInt24:
      return integer(static_cast<int32_t>(LoadAs<uint16_t>(p + 1) | ByteAt(p + 3) << 16) << 8 >> 8);
    case kInt32:
      return integer(LoadAs<int32_t>(p + 1));
    default:
      return integer(LoadAs<int64_t>(p + 1));
  }
}

// An element that is about to be written.
struct Encoded {
  char head[9];
  size_t head_bytes;
  std::string_view tail;
  size_t data_bytes;

  // Returns the end of what it wrote.
  char* WriteTo(char* out) const {
    out[0] = head[0];
    for (size_t i = 1; i < head_bytes; ++i) out[i] = head[i];
    if (!tail.empty()) std::memcpy(out + head_bytes, tail.data(), tail.size());
    return out + data_bytes;
  }
};

inline void SetHead(Encoded& out, uint8_t first, uint64_t rest, size_t rest_bytes) {
  out.head[0] = static_cast<char>(first);
  StoreAs(out.head + 1, rest);
  out.head_bytes = 1 + rest_bytes;
}

inline Encoded EncodeInteger(int64_t value) {
  const auto fits = [value](int bits) {
    return value >= -(int64_t{1} << (bits - 1)) && value < int64_t{1} << (bits - 1);
  };
  const auto raw = static_cast<uint64_t>(value);
  Encoded out;
  if (raw < 128) {
    SetHead(out, static_cast<uint8_t>(raw), 0, 0);
  } else if (fits(13)) {
    SetHead(out, static_cast<uint8_t>(kInt13 | (raw >> 8 & 31)), raw & 255, 1);
  } else if (fits(16)) {
    SetHead(out, kInt16, raw, 2);
  } else if (fits(24)) {
    SetHead(out, kInt24, raw, 3);
  } else if (fits(32)) {
    SetHead(out, kInt32, raw, 4);
  } else {
    SetHead(out, kInt64, raw, 8);
  }
  out.data_bytes = out.head_bytes;
  return out;
}

inline Encoded Encode(std::string_view value) {
  int64_t number;
  if (ParseInteger(value, number)) return EncodeInteger(number);
  const size_t size = value.size();
  Encoded out;
  if (size < kString6Bytes) {
    SetHead(out, static_cast<uint8_t>(kString6 | size), 0, 0);
  } else if (size < kString12Bytes) {
    SetHead(out, static_cast<uint8_t>(kString12 | size >> 8), size & 255, 1);
  } else {
    SetHead(out, kString32, size, 4);
  }
  out.tail = value;
  out.data_bytes = out.head_bytes + size;
  return out;
}

}  // namespace cinnabar::listpack::internal
