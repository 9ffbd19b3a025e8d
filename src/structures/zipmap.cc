#include "structures/zipmap.h"

#include <cstdint>
#include <cstring>

#include "structures/listpack.h"

namespace cinnabar::zipmap {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

constexpr uint8_t kLongLength = 254, kTerminator = 255;
constexpr uint8_t kUncounted = 254;

uint8_t ByteAt(std::string_view bytes, size_t index) {
  return static_cast<uint8_t>(bytes[index]);
}

}  // namespace

bool Reader::ReadLength(size_t& length) {
  if (left() < 1) return false;
  length = ByteAt(bytes_, position_++);
  if (length < kLongLength) return true;
  if (length == kTerminator || left() < 4) return false;
  uint32_t long_length;
  std::memcpy(&long_length, bytes_.data() + position_, 4);
  position_ += 4;
  length = long_length;
  return length >= kLongLength;  // one that fits a byte is never written in five
}

bool Reader::ReadBytes(size_t length, std::string_view& bytes) {
  if (left() < length) return false;
  bytes = bytes_.substr(position_, length);
  position_ += length;
  return true;
}

bool Reader::ReadPair(std::string_view& field, std::string_view& value) {
  size_t length;
  std::string_view unused;
  if (!ReadLength(length) || !ReadBytes(length, field)) return false;
  if (!ReadLength(length) || left() < 1) return false;
  const size_t unused_bytes = ByteAt(bytes_, position_++);
  return ReadBytes(length, value) && ReadBytes(unused_bytes, unused);
}

bool Reader::Next(std::string_view& field, std::string_view& value) {
  if (!valid_) return false;
  if (left() == 1 && ByteAt(bytes_, position_) == kTerminator) {
    const uint8_t told = ByteAt(bytes_, 0);
    valid_ = told >= kUncounted || told == count_;
    return false;
  }
  valid_ = ReadPair(field, value);
  ++count_;
  return valid_;
}

bool AppendTo(PackedBytes& pack, std::string_view zipmap) {
  Reader reader(zipmap);
  std::string_view field, value;
  while (reader.Next(field, value)) listpack::InsertPair(pack, listpack::kEnd, field, value);
  return reader.valid();
}

}  // namespace cinnabar::zipmap
