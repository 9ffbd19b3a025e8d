#include "commands/generic/sort_elements.h"

#include "catalog/errors.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"

namespace cinnabar::commands {

using types::Type;

bool SortSource::Open(dispatch::Call& call, const keyspace::Key& key) {
  keyspace::EntryRef entry = call.db().FindRead(key);
  if (!entry) return true;
  type_ = entry->type();
  if (type_ != Type::kList && type_ != Type::kSet && type_ != Type::kSortedSet) {
    call.reply().Error(errors::kWrongType);
    return false;
  }
  holder_.Open(entry);
  return true;
}

size_t SortSource::size() {
  if (!holder_.exists()) return 0;
  switch (type_) {
    case Type::kList:
      return types::List(holder_, {}).size();
    case Type::kSet:
      return types::Set(holder_).size();
    default:
      return types::SortedSet(holder_).size();
  }
}

std::vector<std::string_view> SortSource::Elements(dispatch::Call& call, size_t first, size_t count,
                                                   Order order, TextStore& texts) {
  std::vector<std::string_view> elements;
  if (count == 0) return elements;
  elements.reserve(count);
  auto keep = [&](std::string_view text) {
    elements.push_back(texts.Keep(text));
    call.Yield();
  };
  switch (type_) {
    case Type::kList: {
      const types::List list(holder_, {});
      const bool up = order == Order::kAscending;
      list.VisitRange(up ? first : list.size() - 1 - first, count,
                      up ? types::ListEnd::kTail : types::ListEnd::kHead,
                      [&](const listpack::Element& element) {
                        listpack::Digits digits;
                        keep(element.Text(digits));
                      });
      break;
    }
    case Type::kSet:
      types::Set(holder_).ForEach([&](std::string_view member) {
        if (first > 0) return --first, true;
        keep(member);
        return elements.size() < count;
      });
      break;
    default: {
      const bool up = order == Order::kAscending;
      types::SortedSet members(holder_);
      const types::RankRange ranks{up ? first : members.size() - first - count, count};
      members.ForEachInRanks(ranks, up ? types::Direction::kUp : types::Direction::kDown,
                             [&](std::string_view member, double) { keep(member); });
    }
  }
  return elements;
}

bool PatternValues::FindField(keyspace::EntryRef entry, std::string_view field, std::string_view& value) {
  keyspace::EntryHolder holder(entry);
  const types::Hash::Spot spot = types::Hash(holder, call_->core().expiry_clock).Find(field);
  if (!spot.found) return false;
  value = spot.value.Text(digits_);
  return true;
}

}  // namespace cinnabar::commands
