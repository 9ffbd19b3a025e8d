// The sets that a command reads, and what becomes of a result.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "commands/collection.h"
#include "types/set.h"

namespace cinnabar::commands {

inline types::SetLimits SetLimitsOf(const dispatch::Call& call) {
  const config::Encoding& encoding = call.settings().encoding;
  return {encoding.set_max_intset_entries,
          {encoding.set_max_listpack_entries, encoding.set_max_listpack_value_bytes}};
}

class SourceSets {
 public:
  // The keys of the arguments [first, first + count). False when one holds another type: that has been
  // answered.
  bool Open(dispatch::Call& call, size_t first, size_t count) {
    holders_ = std::make_unique<keyspace::EntryHolder[]>(count);
    sets.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      keyspace::EntryHolder& holder = holders_[i];
      if (!OpenToRead(call, call.key(first + i), types::Type::kSet, holder)) return false;
      if (holder.exists()) {
        sets.emplace_back(holder);
      } else {
        any_missing = true;
        first_missing |= i == 0;
      }
    }
    return true;
  }

  std::vector<types::Set> sets;  // of the keys that exist
  bool any_missing = false;
  bool first_missing = false;

 private:
  std::unique_ptr<keyspace::EntryHolder[]> holders_;
};

enum class BySize : uint8_t { kSmallestFirst, kLargestFirst };

inline void SortBySize(std::span<types::Set> sets, BySize order) {
  std::sort(sets.begin(), sets.end(), [order](const types::Set& a, const types::Set& b) {
    return order == BySize::kSmallestFirst ? a.size() < b.size() : a.size() > b.size();
  });
}

inline bool AnyContains(std::span<const types::Set> sets, std::string_view member) {
  return std::any_of(sets.begin(), sets.end(),
                     [member](const types::Set& set) { return set.Contains(member); });
}

// A set that grows outside the keyspace.
struct ResultSet {
  explicit ResultSet(dispatch::Call& call) : call(call), limits(SetLimitsOf(call)) {}
  ~ResultSet();
  ResultSet(const ResultSet&) = delete;
  ResultSet& operator=(const ResultSet&) = delete;
  void Add(std::string_view member) {
    set.Add(member, limits);
    call.Yield();
  }

  dispatch::Call& call;
  types::SetLimits limits;
  types::OwnHolder holder{intset::kEmpty};
  types::Set set{holder};
};

// Puts the result at `destination` (an empty one removes the key), says so, and answers with its size.
void StoreResult(dispatch::Call& call, const keyspace::Key& destination, ResultSet& result,
                 std::string_view event);

// Writes a set reply whose members `produce(write)` hands to `write(member)`.
template <typename Produce>
void ReplySet(dispatch::Call& call, Produce&& produce) {
  protocol::ReplyWriter& reply = call.reply();
  size_t count = 0;
  reply.Begin(protocol::ReplyWriter::Aggregate::kSet);
  produce([&](std::string_view member) {
    reply.Bulk(member);
    ++count;
    call.Yield();
  });
  reply.End(count);
}

// All members of one set.
inline void ReplyMembers(dispatch::Call& call, const types::Set& set) {
  call.reply().Set(set.size());
  set.ForEach([&](std::string_view member) {
    call.reply().Bulk(member);
    call.Yield();
  });
}

}  // namespace cinnabar::commands
