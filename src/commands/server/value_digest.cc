#include "commands/server/value_digest.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "commands/stream/stream_digest.h"
#include "keyspace/string_value.h"
#include "keyspace/value_view.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"

namespace cinnabar::commands {
namespace {

constexpr uint64_t kSeeds[3] = {0x6b8b4567327b23c6ull, 0x643c986966334873ull, 0x74b0dc5119495cffull};

template <typename... Parts>
Digest DigestOf(const Parts&... parts) {
  Digest digest;
  (digest.Append(parts), ...);
  return digest;
}

void AppendList(Digest& digest, types::Holder& holder) {
  types::List(holder, {}).ForEach([&](const listpack::Element& element) {
    listpack::Digits digits;
    digest.Append(element.Text(digits));
  });
}

Digest SumOfSet(types::Holder& holder) {
  Digest sum;
  types::Set(holder).ForEach([&](std::string_view member) { sum.Add(DigestOf(member)); });
  return sum;
}

Digest SumOfSortedSet(types::Holder& holder) {
  Digest sum;
  types::SortedSet(holder).ForEach([&](std::string_view member, double score) {
    char text[kDoubleTextBytes];
    sum.Add(DigestOf(member, std::string_view(text, FormatDouble(score, text))));
  });
  return sum;
}

Digest SumOfHash(types::Holder& holder) {
  Digest sum;
  types::Hash(holder).ForEach(
      [&](const listpack::Element& field, const listpack::Element& value, Millis expiry) {
        listpack::Digits field_digits, value_digits;
        Digest pair = DigestOf(field.Text(field_digits), value.Text(value_digits));
        if (expiry != types::kNeverExpires) pair.Append("expires");
        sum.Add(pair);
      });
  return sum;
}

void AppendCollection(Digest& digest, const keyspace::Entry& entry) {
  keyspace::ValueView view(entry);
  switch (entry.type()) {
    case types::Type::kList:
      return AppendList(digest, view);
    case types::Type::kSet:
      return digest.Append(SumOfSet(view));
    case types::Type::kSortedSet:
      return digest.Append(SumOfSortedSet(view));
    case types::Type::kHash:
      return digest.Append(SumOfHash(view));
    default:
      return AppendStream(digest, static_cast<const types::Stream&>(*entry.object()));
  }
}

}  // namespace

void Digest::Append(std::string_view bytes) {
  for (size_t i = 0; i < words_.size(); ++i) words_[i] = HashBytes(bytes, kSeeds[i] ^ words_[i]);
}

void Digest::Append(const Digest& part) {
  char bytes[sizeof part.words_];
  std::memcpy(bytes, part.words_.data(), sizeof bytes);
  Append(std::string_view(bytes, sizeof bytes));
}

void Digest::Add(const Digest& part) {
  for (size_t i = 0; i < words_.size(); ++i) words_[i] += part.words_[i];
}

std::string Digest::Hex() const {
  return fmt::format("{:016x}{:016x}{:08x}", words_[0], words_[1], static_cast<uint32_t>(words_[2]));
}

Digest DigestOfValue(const keyspace::Entry& entry) {
  Digest digest;
  digest.Append(types::TypeName(entry.type()));
  if (entry.type() == types::Type::kString) {
    keyspace::DigitScratch scratch;
    digest.Append(keyspace::StringBytes(entry, scratch));
  } else {
    AppendCollection(digest, entry);
  }
  if (entry.has_expiry()) digest.Append("expires");
  return digest;
}

Digest DigestOfEntry(int database, const keyspace::Entry& entry) {
  Digest digest;
  digest.Append(std::to_string(database));
  digest.Append(entry.key());
  digest.Append(DigestOfValue(entry));
  return digest;
}

}  // namespace cinnabar::commands
