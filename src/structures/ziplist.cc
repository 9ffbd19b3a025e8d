#include "structures/ziplist.h"

#include <cstring>

#include "base/unaligned.h"

namespace cinnabar::ziplist {
namespace {

constexpr size_t kHeaderBytes = 10;
constexpr size_t kLastOffset = 4, kCountOffset = 8;
constexpr size_t kUncounted = 65535;
constexpr uint8_t kTerminator = 0xff;
constexpr uint8_t kLongBack = 254;

// Encodings. Those below kInt16 are strings whose two high bits tell how the length is written.
constexpr uint8_t kString14 = 0x40, kString32 = 0x80;
constexpr uint8_t kInt16 = 0xc0, kInt32 = 0xd0, kInt64 = 0xe0, kInt24 = 0xf0, kInt8 = 0xfe;
constexpr uint8_t kSmallFirst = 0xf1, kSmallLast = 0xfd;  // 0 ... 12

uint8_t ByteAt(std::string_view bytes, size_t index) {
  return static_cast<uint8_t>(bytes[index]);
}

// Bytes of an integer's data; 0 when there are none.
size_t IntegerBytes(uint8_t encoding) {
  switch (encoding) {
    case kInt8:
      return 1;
    case kInt16:
      return 2;
    case kInt24:
      return 3;
    case kInt32:
      return 4;
    case kInt64:
      return 8;
    default:
      return 0;
  }
}

// A little-endian number of so many bytes, with its sign.
int64_t LoadInteger(const char* from, size_t bytes) {
  uint64_t raw = 0;
  std::memcpy(&raw, from, bytes);
  const unsigned shift = static_cast<unsigned>(8 * (8 - bytes));
  return static_cast<int64_t>(raw << shift) >> shift;
}

}  // namespace

Reader::Reader(std::string_view bytes) : bytes_(bytes), position_(kHeaderBytes), end_(kHeaderBytes) {
  valid_ = bytes.size() > kHeaderBytes && LoadAs<uint32_t>(bytes.data()) == bytes.size() &&
           ByteAt(bytes, bytes.size() - 1) == kTerminator;
  if (valid_) end_ = bytes.size() - 1;
}

bool Reader::ReadBackLength() {
  if (left() < 1) return false;
  size_t told = ByteAt(bytes_, position_++);
  if (told == kTerminator) return false;
  if (told == kLongBack) {
    if (left() < 4) return false;
    told = LoadAs<uint32_t>(bytes_.data() + position_);
    position_ += 4;
  }
  return told == previous_;
}

bool Reader::ReadElement(listpack::Element& element) {
  if (left() < 1) return false;
  const uint8_t first = ByteAt(bytes_, position_++);
  if (first >= kInt16) {
    if (first >= kSmallFirst && first <= kSmallLast) {
      element = {.is_integer = true, .integer = first - kSmallFirst};
      return true;
    }
    const size_t bytes = IntegerBytes(first);
    if (bytes == 0 || left() < bytes) return false;
    element = {.is_integer = true, .integer = LoadInteger(bytes_.data() + position_, bytes)};
    position_ += bytes;
    return true;
  }
  size_t length = first & 63u;
  if (first >= kString32) {
    if (first != kString32 || left() < 4) return false;
    length = __builtin_bswap32(LoadAs<uint32_t>(bytes_.data() + position_));
    position_ += 4;
  } else if (first >= kString14) {
    if (left() < 1) return false;
    length = length << 8 | ByteAt(bytes_, position_++);
  }
  if (left() < length) return false;
  element = {.bytes = bytes_.substr(position_, length)};
  position_ += length;
  return true;
}

bool Reader::Next(listpack::Element& element) {
  if (!valid_) return false;
  if (position_ == end_) {
    const size_t told = LoadAs<uint16_t>(bytes_.data() + kCountOffset);
    const size_t last = count_ == 0 ? kHeaderBytes : last_;
    valid_ = (told == kUncounted || told == count_) && LoadAs<uint32_t>(bytes_.data() + kLastOffset) == last;
    return false;
  }
  last_ = position_;
  if (!ReadBackLength() || !ReadElement(element)) return Fail();
  previous_ = position_ - last_;
  ++count_;
  return true;
}

bool AppendTo(PackedBytes& pack, std::string_view ziplist) {
  Reader reader(ziplist);
  listpack::Element element;
  while (reader.Next(element)) {
    if (element.is_integer) {
      listpack::AppendInteger(pack, element.integer);
    } else {
      listpack::Append(pack, element.bytes);
    }
  }
  return reader.valid();
}

}  // namespace cinnabar::ziplist
