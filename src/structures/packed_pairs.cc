#include "structures/packed_pairs.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/same_bytes.h"
#include "structures/internal/listpack_element.h"

namespace cinnabar::packed_pairs {
namespace {

using listpack::Element;
using listpack::internal::BackBytes;
using listpack::internal::ByteAt;
using listpack::internal::DataBytes;
using listpack::internal::Decode;
using listpack::internal::Encode;
using listpack::internal::Encoded;
using listpack::internal::EncodeInteger;
using listpack::internal::kCountOffset;
using listpack::internal::kHeaderBytes;
using listpack::internal::kString6;
using listpack::internal::kTerminator;
using listpack::internal::kUncounted;
using listpack::internal::WriteBack;

constexpr size_t kUntold = 255;  // as many pairs or more
constexpr unsigned kAsInListpack = 15;

inline unsigned FieldBits(const char* pair) {
  return ByteAt(pair) >> 4;
}
inline unsigned ValueBits(const char* pair) {
  return ByteAt(pair) & 15u;
}

// Bytes of a field or value at `p`, given its bits of the head.
inline size_t BytesOf(const char* p, unsigned bits) {
  return bits < kAsInListpack ? bits : DataBytes(p);
}
inline Element ElementOf(const char* p, unsigned bits) {
  return bits < kAsInListpack ? Element{.bytes = {p, bits}} : Decode(p);
}
inline const char* ValueIn(const char* pair) {
  return pair + 1 + BytesOf(pair + 1, FieldBits(pair));
}
inline const char* Skip(const char* pair) {
  const char* const value = ValueIn(pair);
  return value + BytesOf(value, ValueBits(pair));
}

// A field or value that is about to be written: a short string goes without the first byte that it would
// have in a listpack, which is kString6 and its length.
class Half {
 public:
  explicit Half(std::string_view text) : element_(Encode(text)) { Shorten(); }
  explicit Half(const Element& element)
      : element_(element.is_integer ? EncodeInteger(element.integer) : Encode(element.bytes)) {
    Shorten();
  }

  unsigned bits() const { return bits_; }
  size_t size() const { return element_.data_bytes; }
  // Returns the end of what it wrote, which may overlap what was read.
  char* WriteTo(char* out) const {
    for (size_t i = 0; i < element_.head_bytes; ++i) out[i] = element_.head[i];
    const std::string_view tail = element_.tail;
    if (!tail.empty()) std::memmove(out + element_.head_bytes, tail.data(), tail.size());
    return out + element_.data_bytes;
  }
  // Whether it stands at `p`. REQUIRES: what stands there has the same bits.
  bool IsAt(const char* p) const {
    const std::string_view tail = element_.tail;
    if (bits_ < kAsInListpack) return SameBytes(p, tail.data(), tail.size());
    return DataBytes(p) == element_.data_bytes && std::memcmp(p, element_.head, element_.head_bytes) == 0 &&
           SameBytes(p + element_.head_bytes, tail.data(), tail.size());
  }

 private:
  void Shorten() {
    const auto length = static_cast<uint8_t>(ByteAt(element_.head) - kString6);
    if (length >= kAsInListpack) return;
    bits_ = length;
    element_.head_bytes = 0;
    element_.data_bytes = length;
  }

  Encoded element_;
  unsigned bits_ = kAsInListpack;
};

inline char* WritePair(char* out, const Half& field, const Half& value) {
  *out = static_cast<char>(field.bits() << 4 | value.bits());
  return value.WriteTo(field.WriteTo(out + 1));
}

size_t CountByWalk(std::string_view pairs) {
  size_t count = 0;
  const char* const end = pairs.data() + pairs.size();
  for (const char* p = pairs.data() + kEmpty.size(); p < end; p = Skip(p)) ++count;
  return count;
}

inline size_t ToldCount(const char* data) {
  return ByteAt(data);
}
inline void TellCount(char* data, size_t count) {
  *data = static_cast<char>(std::min(count, kUntold));
}

// Makes `new_bytes` of room in the place of the `old_bytes` at `position`. Returns where the room is.
inline char* Splice(PackedBytes& pairs, size_t position, size_t old_bytes, size_t new_bytes) {
  if (old_bytes == new_bytes) return pairs.data() + position;
  const size_t size = pairs.size();
  const size_t new_size = size - old_bytes + new_bytes;
  const size_t behind = size - position - old_bytes;
  if (new_bytes > old_bytes) pairs.Resize(new_size);
  char* const room = pairs.data() + position;
  if (behind != 0) std::memmove(room + new_bytes, room + old_bytes, behind);
  if (new_bytes > old_bytes) return room;
  pairs.Resize(new_size);
  return pairs.data() + position;
}

// Bytes that a field or value takes in a listpack, with the length behind it.
inline size_t ListpackBytes(const char* p, unsigned bits) {
  const size_t bytes = bits < kAsInListpack ? 1 + bits : DataBytes(p);
  return bytes + BackBytes(bytes);
}

// Copies a field or value at `p` into a listpack. Returns the end of what it wrote.
inline char* CopyToListpack(char* out, const char* p, unsigned bits) {
  const size_t bytes = BytesOf(p, bits);
  if (bits == kAsInListpack) {
    std::memcpy(out, p, bytes);
    return WriteBack(out + bytes, bytes);
  }
  *out = static_cast<char>(kString6 | bits);
  std::memcpy(out + 1, p, bytes);
  return WriteBack(out + 1 + bytes, 1 + bytes);
}

}  // namespace

size_t Count(std::string_view pairs) {
  const size_t told = ToldCount(pairs.data());
  return told == kUntold ? CountByWalk(pairs) : told;
}

Pair Get(std::string_view pairs, size_t position) {
  const char* const pair = pairs.data() + position;
  const char* const value = ValueIn(pair);
  const auto next = static_cast<size_t>(value + BytesOf(value, ValueBits(pair)) - pairs.data());
  return {.field = ElementOf(pair + 1, FieldBits(pair)),
          .value = ElementOf(value, ValueBits(pair)),
          .next = next == pairs.size() ? kEnd : next};
}

Pair At(std::string_view pairs, size_t index) {
  const char* pair = pairs.data() + kEmpty.size();
  for (; index > 0; --index) pair = Skip(pair);
  return Get(pairs, static_cast<size_t>(pair - pairs.data()));
}

Found Find(std::string_view pairs, std::string_view field) {
  const Half wanted(field);
  const char* const end = pairs.data() + pairs.size();
  for (const char* pair = pairs.data() + kEmpty.size(); pair < end; pair = Skip(pair)) {
    if (FieldBits(pair) != wanted.bits() || !wanted.IsAt(pair + 1)) continue;
    return {.position = static_cast<size_t>(pair - pairs.data()),
            .value = ElementOf(pair + 1 + wanted.size(), ValueBits(pair))};
  }
  return {};
}

void Append(PackedBytes& pairs, std::string_view field, std::string_view value) {
  const Half one(field);
  const Half two(value);
  WritePair(Splice(pairs, pairs.size(), 0, 1 + one.size() + two.size()), one, two);
  const size_t told = ToldCount(pairs.data());
  if (told != kUntold) TellCount(pairs.data(), told + 1);
}

void SetValue(PackedBytes& pairs, size_t position, std::string_view value) {
  const char* const pair = pairs.data() + position;
  const char* const old = ValueIn(pair);
  const Half half(value);
  const auto offset = static_cast<size_t>(old - pairs.data());
  const auto head = static_cast<char>(FieldBits(pair) << 4 | half.bits());
  half.WriteTo(Splice(pairs, offset, BytesOf(old, ValueBits(pair)), half.size()));
  pairs.data()[position] = head;
}

void Erase(PackedBytes& pairs, size_t position) {
  const char* const pair = pairs.data() + position;
  Splice(pairs, position, static_cast<size_t>(Skip(pair) - pair), 0);
  const size_t told = ToldCount(pairs.data());
  TellCount(pairs.data(), told == kUntold ? CountByWalk(pairs.view()) : told - 1);
}

AsListpack::AsListpack(std::string_view pairs) {
  const char* const begin = pairs.data() + kEmpty.size();
  const char* const end = pairs.data() + pairs.size();
  size_t count = 0;
  size_t size = kHeaderBytes + 1;
  for (const char* pair = begin; pair < end; pair = Skip(pair)) {
    const char* const value = ValueIn(pair);
    size += ListpackBytes(pair + 1, FieldBits(pair)) + ListpackBytes(value, ValueBits(pair));
    ++count;
  }
  CHECK(size <= std::numeric_limits<uint32_t>::max());
  if (size > sizeof near_) far_ = std::make_unique_for_overwrite<char[]>(size);
  char* const data = size > sizeof near_ ? far_.get() : near_;
  StoreAs(data, static_cast<uint32_t>(size));
  StoreAs(data + kCountOffset, static_cast<uint16_t>(std::min(2 * count, kUncounted)));
  char* out = data + kHeaderBytes;
  for (const char* pair = begin; pair < end; pair = Skip(pair)) {
    out = CopyToListpack(out, pair + 1, FieldBits(pair));
    out = CopyToListpack(out, ValueIn(pair), ValueBits(pair));
  }
  *out = static_cast<char>(kTerminator);
  view_ = {data, size};
}

// What is written stays behind what is read: pairs begin five bytes before their listpack, and neither half
// of one is longer here than there.
void FromListpack(std::string& listpack) {
  char* const data = listpack.data();
  const char* in = data + kHeaderBytes;
  char* out = data + kEmpty.size();
  size_t count = 0;
  const auto take = [&in] {
    const Element element = Decode(in);
    const size_t bytes = DataBytes(in);
    in += bytes + BackBytes(bytes);
    return element;
  };
  for (; ByteAt(in) != kTerminator; ++count) {
    const Half field(take());
    const Half value(take());
    out = WritePair(out, field, value);
  }
  TellCount(data, count);
  listpack.resize(static_cast<size_t>(out - data));
}

}  // namespace cinnabar::packed_pairs
