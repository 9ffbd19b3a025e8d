#include "commands/server/value_digest.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/hash.h"
#include "keyspace/string_value.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"

namespace cinnabar::commands {
namespace {

constexpr uint64_t kSeeds[3] = {0x6b8b4567327b23c6ull, 0x643c986966334873ull, 0x74b0dc5119495cffull};

void AddMembers(const keyspace::Entry& set, Digest& digest) {
  auto add = [&](std::string_view member) {
    Digest part;
    part.Append(member);
    digest.Add(part);
  };
  if (set.place() == keyspace::Place::kInline) {
    types::OwnHolder copy(set.inline_bytes());
    types::Set(copy).ForEach(add);
  } else {
    static_cast<types::LargeSet*>(set.object())->members.ForEach([&](std::string_view member) {
      add(member);
      return true;
    });
  }
}

void AddElements(const keyspace::Entry& list, Digest& digest) {
  const auto add = [&](const listpack::Element& element) {
    listpack::Digits digits;
    digest.Append(element.Text(digits));
    return true;
  };
  if (list.place() == keyspace::Place::kInline) {
    types::OwnHolder copy(list.inline_bytes());
    types::List(copy, {}).ForEach(add);
  } else {
    static_cast<const types::LargeList*>(list.object())->Walk(0, types::ListEnd::kTail, add);
  }
}

void AddField(std::string_view field, std::string_view value, Millis expiry, Digest& digest) {
  Digest part;
  part.Append(field);
  part.Append(value);
  if (expiry != types::kNeverExpires) part.Append("expires");
  digest.Add(part);
}

void AddFields(const keyspace::Entry& hash, Digest& digest) {
  if (hash.place() == keyspace::Place::kInline) {
    types::OwnHolder copy(hash.inline_bytes());
    types::Hash(copy).ForEach(
        [&](const listpack::Element& field, const listpack::Element& value, Millis expiry) {
          listpack::Digits field_digits, value_digits;
          AddField(field.Text(field_digits), value.Text(value_digits), expiry, digest);
        });
  } else {
    static_cast<types::LargeHash*>(hash.object())->ForEach([&](const types::HashField& field) {
      AddField(field.name(), field.value(), field.expiry(), digest);
    });
  }
}

void AddScores(const keyspace::Entry& sorted_set, Digest& digest) {
  auto add = [&](std::string_view member, double score) {
    char text[kDoubleTextBytes];
    Digest part;
    part.Append(member);
    part.Append(std::string_view(text, FormatDouble(score, text)));
    digest.Add(part);
  };
  if (sorted_set.place() == keyspace::Place::kInline) {
    types::OwnHolder copy(sorted_set.inline_bytes());
    types::SortedSet(copy).ForEach(add);
  } else {
    static_cast<types::LargeSortedSet*>(sorted_set.object())
        ->ForEachUnordered([&](const types::ScoredMember& member) { add(member.member(), member.score()); });
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
  switch (entry.type()) {
    case types::Type::kString: {
      keyspace::DigitScratch scratch;
      digest.Append(keyspace::StringBytes(entry, scratch));
      break;
    }
    case types::Type::kSet:
      AddMembers(entry, digest);
      break;
    case types::Type::kList:
      AddElements(entry, digest);
      break;
    case types::Type::kHash:
      AddFields(entry, digest);
      break;
    case types::Type::kSortedSet:
      AddScores(entry, digest);
      break;
    default:
      CHECK(false);  // a type adds the digests of its parts here
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
