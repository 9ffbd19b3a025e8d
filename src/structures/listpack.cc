#include "structures/listpack.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/numbers.h"
#include "base/same_bytes.h"
#include "structures/listpack_checker.h"

namespace cinnabar::listpack {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

constexpr size_t kHeaderBytes = 6;
constexpr size_t kCountOffset = 4;
constexpr size_t kUncounted = 65535;
constexpr uint8_t kTerminator = 0xff;

// First bytes. Those below carry data in their low bits.
constexpr uint8_t kString6 = 0x80;   // 10xxxxxx
constexpr uint8_t kInt13 = 0xc0;     // 110xxxxx and a byte
constexpr uint8_t kString12 = 0xe0;  // 1110xxxx and a byte
constexpr uint8_t kString32 = 0xf0;
constexpr uint8_t kInt16 = 0xf1;
constexpr uint8_t kInt24 = 0xf2;
constexpr uint8_t kInt32 = 0xf3;
constexpr uint8_t kInt64 = 0xf4;

constexpr size_t kString6Bytes = 64;  // strings shorter than this
constexpr size_t kString12Bytes = 4096;
constexpr size_t kIntegerDigitsMax = 20;  // with the sign

template <typename T>
T Load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
void Store(char* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

uint8_t ByteAt(const char* p) {
  return static_cast<uint8_t>(*p);
}

// Most strings are turned down by their first character, without a call.
inline bool ParseInteger(std::string_view text, int64_t& number) {
  if (text.empty() || text.size() > kIntegerDigitsMax) return false;
  if (static_cast<uint8_t>(text[0] - '0') > 9 && text[0] != '-') return false;
  return internal::ParseInt64(text, number);
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

// What the field that ends before `end` tells.
inline uint64_t ReadBack(const char* end) {
  uint64_t size = 0;
  for (unsigned shift = 0;; shift += 7) {
    const uint8_t byte = ByteAt(--end);
    size |= uint64_t{byte & 127u} << shift;
    if (byte < 128) return size;
  }
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
      return uint64_t{5} + Load<uint32_t>(p + 1);
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

inline const char* Skip(const char* p) {
  const uint64_t bytes = DataBytes(p);
  return p + bytes + BackBytes(bytes);
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
      return {.bytes = {p + 5, Load<uint32_t>(p + 1)}};
    case kInt16:
      return integer(Load<int16_t>(p + 1));
    case kInt24:
      return integer(static_cast<int32_t>(Load<uint16_t>(p + 1) | ByteAt(p + 3) << 16) << 8 >> 8);
    case kInt32:
      return integer(Load<int32_t>(p + 1));
    default:
      return integer(Load<int64_t>(p + 1));
  }
}

// An element that is about to be written.
struct Encoded {
  char head[9];
  size_t head_bytes;
  std::string_view tail;
  size_t data_bytes;
  size_t total_bytes;

  void Finish() {
    data_bytes = head_bytes + tail.size();
    total_bytes = data_bytes + BackBytes(data_bytes);
  }
  char* WriteTo(char* out) const {
    out[0] = head[0];
    for (size_t i = 1; i < head_bytes; ++i) out[i] = head[i];
    if (!tail.empty()) std::memcpy(out + head_bytes, tail.data(), tail.size());
    return WriteBack(out + data_bytes, data_bytes);
  }
};

inline void SetHead(Encoded& out, uint8_t first, uint64_t rest, size_t rest_bytes) {
  out.head[0] = static_cast<char>(first);
  Store(out.head + 1, rest);
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
  out.Finish();
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
  out.Finish();
  return out;
}

// The count that the header tells.
inline size_t ToldCount(const char* data) {
  return Load<uint16_t>(data + kCountOffset);
}

inline void AddToCount(char* data, size_t added) {
  const size_t told = ToldCount(data);
  if (told == kUncounted) return;
  Store(data + kCountOffset, static_cast<uint16_t>(std::min(told + added, kUncounted)));
}

// Makes `new_bytes` of room in the place of the `old_bytes` at `position`. Returns where the room is.
char* Splice(PackedBytes& pack, size_t position, size_t old_bytes, size_t new_bytes) {
  if (old_bytes == new_bytes) return pack.data() + position;
  const size_t size = pack.size();
  const size_t new_size = size - old_bytes + new_bytes;
  const size_t behind = size - position - old_bytes;
  if (new_size > size) {
    CHECK(new_size <= std::numeric_limits<uint32_t>::max());
    pack.Resize(new_size);
  }
  char* const room = pack.data() + position;
  if (behind == 1) {
    room[new_bytes] = static_cast<char>(kTerminator);
  } else {
    std::memmove(room + new_bytes, room + old_bytes, behind);
  }
  Store(pack.data(), static_cast<uint32_t>(new_size));
  if (new_size > size) return room;
  pack.Resize(new_size);
  return pack.data() + position;
}

// Where an element goes that is inserted before `position`.
size_t InsertionPoint(const PackedBytes& pack, size_t position) {
  return position == kEnd ? pack.size() - 1 : position;
}

size_t InsertEncoded(PackedBytes& pack, size_t position, const Encoded& element) {
  position = InsertionPoint(pack, position);
  element.WriteTo(Splice(pack, position, 0, element.total_bytes));
  AddToCount(pack.data(), 1);
  return position;
}

size_t ReplaceEncoded(PackedBytes& pack, size_t position, const Encoded& element) {
  const char* const old = pack.data() + position;
  element.WriteTo(Splice(pack, position, static_cast<size_t>(Skip(old) - old), element.total_bytes));
  return position;
}

// The position of p, kEnd if the terminator stands there.
inline size_t PositionOf(std::string_view pack, const char* p) {
  return ByteAt(p) == kTerminator ? kEnd : static_cast<size_t>(p - pack.data());
}

// Bytes of the element that starts `bytes`, all fields checked; 0 when it is broken or not all there.
size_t CheckedBytes(std::string_view bytes) {
  const uint8_t first = ByteAt(bytes.data());
  if (first > kInt64) return 0;
  // Reading the length of a string reads behind the first byte.
  if (first >= kString12 && bytes.size() < (first == kString32 ? 5 : 2)) return 0;
  const uint64_t data_bytes = DataBytes(bytes.data());
  const size_t back_bytes = BackBytes(data_bytes);
  if (data_bytes + back_bytes > bytes.size()) return 0;
  if (back_bytes == 1) return ByteAt(bytes.data() + data_bytes) == data_bytes ? data_bytes + 1 : 0;
  char expected[5];
  WriteBack(expected, data_bytes);
  if (std::memcmp(bytes.data() + data_bytes, expected, back_bytes) != 0) return 0;
  return data_bytes + back_bytes;
}

}  // namespace

std::string_view Element::Text(Digits& scratch) const {
  static_assert(sizeof(scratch.bytes) >= kInt64TextBytes);
  if (!is_integer) return bytes;
  return {scratch.bytes, FormatInt64(integer, scratch.bytes)};
}

size_t Count(std::string_view pack) {
  const size_t told = ToldCount(pack.data());
  if (told != kUncounted) return told;
  size_t count = 0;
  for (const char* p = pack.data() + kHeaderBytes; ByteAt(p) != kTerminator; p = Skip(p)) ++count;
  return count;
}

size_t EncodedSize(std::string_view value) {
  return Encode(value).total_bytes;
}

size_t First(std::string_view pack) {
  return PositionOf(pack, pack.data() + kHeaderBytes);
}

size_t Last(std::string_view pack) {
  return Previous(pack, pack.size() - 1);
}

size_t Next(std::string_view pack, size_t position) {
  return PositionOf(pack, Skip(pack.data() + position));
}

size_t Previous(std::string_view pack, size_t position) {
  if (position == kHeaderBytes) return kEnd;
  const uint64_t bytes = ReadBack(pack.data() + position);
  return position - bytes - BackBytes(bytes);
}

size_t At(std::string_view pack, int64_t index) {
  if (const size_t told = ToldCount(pack.data()); told != kUncounted) {
    const auto count = static_cast<int64_t>(told);
    if (index >= count || index < -count) return kEnd;
    if (index < 0) index += count;
    if (index > count / 2) index -= count;
  }
  if (index >= 0) {
    const char* p = pack.data() + kHeaderBytes;
    for (; index > 0 && ByteAt(p) != kTerminator; --index) p = Skip(p);
    return PositionOf(pack, p);
  }
  size_t position = Last(pack);
  for (; index < -1 && position != kEnd; ++index) position = Previous(pack, position);
  return position;
}

Element Get(std::string_view pack, size_t position) {
  return Decode(pack.data() + position);
}

bool Equals(std::string_view pack, size_t position, std::string_view value) {
  const Element element = Decode(pack.data() + position);
  if (!element.is_integer) return SameBytes(element.bytes, value);
  int64_t number;
  return ParseInteger(value, number) && number == element.integer;
}

size_t Find(std::string_view pack, size_t position, std::string_view value, size_t skip) {
  if (position == kEnd) return kEnd;
  int64_t number = 0;
  const bool is_number = ParseInteger(value, number);
  const char* p = pack.data() + position;
  while (ByteAt(p) != kTerminator) {
    const Element element = Decode(p);
    if (element.is_integer ? is_number && element.integer == number : SameBytes(element.bytes, value)) {
      return static_cast<size_t>(p - pack.data());
    }
    p = Skip(p);
    for (size_t i = 0; i < skip && ByteAt(p) != kTerminator; ++i) p = Skip(p);
  }
  return kEnd;
}

size_t Insert(PackedBytes& pack, size_t position, std::string_view value) {
  return InsertEncoded(pack, position, Encode(value));
}

size_t InsertInteger(PackedBytes& pack, size_t position, int64_t value) {
  return InsertEncoded(pack, position, EncodeInteger(value));
}

size_t InsertPair(PackedBytes& pack, size_t position, std::string_view first, std::string_view second) {
  position = InsertionPoint(pack, position);
  const Encoded one = Encode(first);
  const Encoded two = Encode(second);
  two.WriteTo(one.WriteTo(Splice(pack, position, 0, one.total_bytes + two.total_bytes)));
  AddToCount(pack.data(), 2);
  return position;
}

size_t Replace(PackedBytes& pack, size_t position, std::string_view value) {
  return ReplaceEncoded(pack, position, Encode(value));
}

size_t ReplaceInteger(PackedBytes& pack, size_t position, int64_t value) {
  return ReplaceEncoded(pack, position, EncodeInteger(value));
}

size_t Erase(PackedBytes& pack, size_t position, size_t count) {
  const char* const begin = pack.data() + position;
  const char* end = begin;
  size_t erased = 0;
  for (; erased < count && ByteAt(end) != kTerminator; ++erased) end = Skip(end);
  Splice(pack, position, static_cast<size_t>(end - begin), 0);
  if (const size_t told = ToldCount(pack.data()); told != kUncounted) {
    Store(pack.data() + kCountOffset, static_cast<uint16_t>(told - erased));
  }
  return PositionOf(pack.view(), pack.data() + position);
}

void AppendAll(PackedBytes& pack, std::string_view other) {
  const size_t bytes = other.size() - kHeaderBytes - 1;
  std::memcpy(Splice(pack, pack.size() - 1, 0, bytes), other.data() + kHeaderBytes, bytes);
  AddToCount(pack.data(), ToldCount(other.data()));
}

Checker::Checker(std::string_view bytes) : bytes_(bytes), next_(bytes.size()) {
  if (bytes.size() <= kHeaderBytes || Load<uint32_t>(bytes.data()) != bytes.size()) return;
  told_count_ = ToldCount(bytes.data());
  next_ = kHeaderBytes;
}

bool Checker::Next(Element& element) {
  if (next_ >= bytes_.size()) return false;
  const char* const begin = bytes_.data() + next_;
  if (ByteAt(begin) == kTerminator) {
    intact_ = next_ + 1 == bytes_.size() && (told_count_ == kUncounted || told_count_ == count_);
    return false;
  }
  const size_t size = CheckedBytes(bytes_.substr(next_));
  if (size == 0) {
    next_ = bytes_.size();
    return false;
  }
  element = Decode(begin);
  position_ = next_;
  next_ += size;
  ++count_;
  return true;
}

bool Valid(std::string_view bytes) {
  if (bytes.size() <= kHeaderBytes || Load<uint32_t>(bytes.data()) != bytes.size()) return false;
  size_t count = 0;
  size_t position = kHeaderBytes;
  while (position < bytes.size() && ByteAt(bytes.data() + position) != kTerminator) {
    const size_t element = CheckedBytes(bytes.substr(position));
    if (element == 0) return false;
    position += element;
    ++count;
  }
  if (position + 1 != bytes.size()) return false;
  const size_t told = ToldCount(bytes.data());
  return told == kUncounted || told == count;
}

}  // namespace cinnabar::listpack
