#include "structures/listpack.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/numbers.h"
#include "base/same_bytes.h"
#include "structures/internal/listpack_element.h"
#include "structures/listpack_checker.h"

namespace cinnabar::listpack {
namespace {

using internal::BackBytes;
using internal::ByteAt;
using internal::DataBytes;
using internal::Decode;
using internal::Encode;
using internal::Encoded;
using internal::EncodeInteger;
using internal::kCountOffset;
using internal::kHeaderBytes;
using internal::kInt64;
using internal::kString12;
using internal::kString32;
using internal::kTerminator;
using internal::kUncounted;
using internal::ParseInteger;
using internal::WriteBack;

// Bytes of an element with the field behind it.
inline size_t TotalBytes(const Encoded& element) {
  return element.data_bytes + BackBytes(element.data_bytes);
}

// Returns the end of what it wrote.
inline char* Write(char* out, const Encoded& element) {
  return WriteBack(element.WriteTo(out), element.data_bytes);
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

inline const char* Skip(const char* p) {
  const uint64_t bytes = DataBytes(p);
  return p + bytes + BackBytes(bytes);
}

// The count that the header tells.
inline size_t ToldCount(const char* data) {
  return LoadAs<uint16_t>(data + kCountOffset);
}

inline void AddToCount(char* data, size_t added) {
  const size_t told = ToldCount(data);
  if (told == kUncounted) return;
  StoreAs(data + kCountOffset, static_cast<uint16_t>(std::min(told + added, kUncounted)));
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
  StoreAs(pack.data(), static_cast<uint32_t>(new_size));
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
  Write(Splice(pack, position, 0, TotalBytes(element)), element);
  AddToCount(pack.data(), 1);
  return position;
}

size_t ReplaceEncoded(PackedBytes& pack, size_t position, const Encoded& element) {
  const char* const old = pack.data() + position;
  Write(Splice(pack, position, static_cast<size_t>(Skip(old) - old), TotalBytes(element)), element);
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
  return TotalBytes(Encode(value));
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
  Write(Write(Splice(pack, position, 0, TotalBytes(one) + TotalBytes(two)), one), two);
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
    StoreAs(pack.data() + kCountOffset, static_cast<uint16_t>(told - erased));
  }
  return PositionOf(pack.view(), pack.data() + position);
}

void AppendAll(PackedBytes& pack, std::string_view other) {
  const size_t bytes = other.size() - kHeaderBytes - 1;
  std::memcpy(Splice(pack, pack.size() - 1, 0, bytes), other.data() + kHeaderBytes, bytes);
  AddToCount(pack.data(), ToldCount(other.data()));
}

Checker::Checker(std::string_view bytes) : bytes_(bytes), next_(bytes.size()) {
  if (bytes.size() <= kHeaderBytes || LoadAs<uint32_t>(bytes.data()) != bytes.size()) return;
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
  if (bytes.size() <= kHeaderBytes || LoadAs<uint32_t>(bytes.data()) != bytes.size()) return false;
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
