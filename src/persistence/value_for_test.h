// A value of a key for tests and fuzz targets: an entry without a keyspace, and what it holds as texts.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/numbers.h"
#include "keyspace/string_value.h"
#include "keyspace/value_view.h"
#include "persistence/rdb_value.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"

namespace cinnabar::persistence {

class EntryForTest {
 public:
  explicit EntryForTest(RdbValue& value)
      : entry_(keyspace::Entry::Create("key", PayloadOf(value), keyspace::kNever)) {}
  EntryForTest(const EntryForTest&) = delete;
  EntryForTest& operator=(const EntryForTest&) = delete;
  ~EntryForTest() { keyspace::Entry::Destroy(entry_); }

  const keyspace::Entry& operator*() const { return *entry_; }

  // The value as WriteValue writes it, behind its type.
  std::string Written(uint16_t version = kRdbVersion70) const {
    std::string bytes;
    RdbWriter out(bytes, Compression::kLzf);
    const RdbType type = TypeFor(*entry_, version);
    out.Type(type);
    WriteValue(out, *entry_, type);
    return bytes;
  }

  // Everything in it; sorted where order has no meaning. Streams as bytes (of 7.0, which do not know when a
  // consumer was active).
  std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    if (entry_->type() == types::Type::kString) {
      keyspace::DigitScratch scratch;
      return {std::string(keyspace::StringBytes(*entry_, scratch))};
    }
    if (entry_->type() == types::Type::kStream) return {Written()};
    keyspace::ValueView view(*entry_);
    CollectTexts(view, texts);
    return texts;
  }

 private:
  void CollectTexts(types::Holder& view, std::vector<std::string>& texts) const {
    switch (entry_->type()) {
      case types::Type::kList:
        return types::List(view, {}).ForEach([&](const listpack::Element& element) {
          listpack::Digits digits;
          texts.emplace_back(element.Text(digits));
        });
      case types::Type::kSortedSet:
        return types::SortedSet(view).ForEach([&](std::string_view member, double score) {
          texts.push_back(DoubleToString(score) + " " + std::string(member));
        });
      case types::Type::kHash:
        types::Hash(view).ForEach(
            [&](const listpack::Element& field, const listpack::Element& value, Millis expiry) {
              listpack::Digits one, two;
              const auto name = std::string(field.Text(one));
              texts.push_back(std::to_string(name.size()) + name + std::string(value.Text(two)) + " " +
                              std::to_string(expiry));
            });
        break;
      default:
        types::Set(view).ForEach([&](std::string_view member) { texts.emplace_back(member); });
    }
    std::sort(texts.begin(), texts.end());
  }

  keyspace::Entry* entry_;
};

}  // namespace cinnabar::persistence
