#include "commands/server/value_digest.h"

#include <fmt/format.h>

#include <cstring>

#include "keyspace/string_value.h"
#include "keyspace/value_view.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/stream.h"

namespace cinnabar::commands {
namespace {

// Redis's numbers of the types.
uint32_t TypeNumber(types::Type type) {
  switch (type) {
    case types::Type::kString:
      return 0;
    case types::Type::kList:
      return 1;
    case types::Type::kSet:
      return 2;
    case types::Type::kSortedSet:
      return 3;
    case types::Type::kHash:
      return 4;
    case types::Type::kStream:
      return 6;
  }
  return 5;
}

void MixNumber(Digest& digest, uint32_t number) {
  const uint32_t big_endian = __builtin_bswap32(number);
  char bytes[sizeof big_endian];
  std::memcpy(bytes, &big_endian, sizeof bytes);
  digest.Mix({bytes, sizeof bytes});
}

void AppendList(Digest& digest, types::Holder& holder) {
  types::List(holder, {}).ForEach([&](const listpack::Element& element) {
    listpack::Digits digits;
    digest.Mix(element.Text(digits));
  });
}

void AppendSet(Digest& digest, types::Holder& holder) {
  types::Set(holder).ForEach([&](std::string_view member) { digest.Add(member); });
}

void AppendSortedSet(Digest& digest, types::Holder& holder) {
  types::SortedSet(holder).ForEach([&](std::string_view member, double score) {
    Digest element;
    element.Mix(member);
    element.Mix(fmt::format("{:.17g}", score));
    digest.Add(element);
  });
}

void AppendHash(Digest& digest, types::Holder& holder) {
  types::Hash(holder).ForEach(
      [&](const listpack::Element& field, const listpack::Element& value, Millis expiry) {
        listpack::Digits field_digits, value_digits;
        Digest element;
        element.Mix(field.Text(field_digits));
        element.Mix(value.Text(value_digits));
        if (expiry != types::kNeverExpires) element.Add("!!hexpire!!");
        digest.Add(element);
      });
}

void AppendStream(Digest& digest, const types::Stream& stream) {
  types::StreamCursor cursor(stream, types::kStreamIdMin, types::kStreamIdMax);
  types::StreamEntry entry;
  while (cursor.Next(entry)) {
    digest.Mix(fmt::format("{}.{}", entry.id.millis, entry.id.sequence));
    entry.ForEachPair([&](std::string_view field, std::string_view value) {
      digest.Mix(field);
      digest.Mix(value);
    });
  }
}

void AppendCollection(Digest& digest, const keyspace::Entry& entry) {
  keyspace::ValueView view(entry);
  switch (entry.type()) {
    case types::Type::kList:
      return AppendList(digest, view);
    case types::Type::kSet:
      return AppendSet(digest, view);
    case types::Type::kSortedSet:
      return AppendSortedSet(digest, view);
    case types::Type::kHash:
      return AppendHash(digest, view);
    default:
      return AppendStream(digest, static_cast<const types::Stream&>(*entry.object()));
  }
}

void AppendValue(Digest& digest, const keyspace::Entry& entry) {
  MixNumber(digest, TypeNumber(entry.type()));
  if (entry.type() == types::Type::kString) {
    keyspace::DigitScratch scratch;
    digest.Mix(keyspace::StringBytes(entry, scratch));
  } else {
    AppendCollection(digest, entry);
  }
  if (entry.has_expiry()) digest.Add("!!expire!!");
}

std::string_view BytesOf(const Sha1Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

void Digest::Add(std::string_view part) {
  const Sha1Digest other = Sha1(part);
  for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] ^= other[i];
}

void Digest::Mix(std::string_view part) {
  Add(part);
  bytes_ = Sha1(BytesOf(bytes_));
}

void Digest::Add(const Digest& part) {
  Add(BytesOf(part.bytes_));
}

std::string Digest::Hex() const {
  std::string text;
  for (const uint8_t byte : bytes_) text += fmt::format("{:02x}", byte);
  return text;
}

Digest DigestOfValue(const keyspace::Entry& entry) {
  Digest digest;
  AppendValue(digest, entry);
  return digest;
}

void DataSetDigest::BeginDatabase(int database) {
  MixNumber(digest_, static_cast<uint32_t>(database));
}

void DataSetDigest::AddEntry(const keyspace::Entry& entry) {
  Digest digest;
  digest.Mix(entry.key());
  AppendValue(digest, entry);
  digest_.Add(digest);
}

}  // namespace cinnabar::commands
