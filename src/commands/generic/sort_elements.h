// What SORT reads: the elements of a collection, and the values that patterns name.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/collection.h"
#include "commands/generic/sort_options.h"
#include "keyspace/string_value.h"
#include "structures/listpack.h"

namespace cinnabar::commands {

// Keeps copies of texts for the time of a command.
class TextStore {
 public:
  std::string_view Keep(std::string_view text) {
    if (text.empty()) return {};
    if (left_ < text.size()) Grow(text.size());
    std::memcpy(next_, text.data(), text.size());
    const std::string_view kept(next_, text.size());
    next_ += text.size();
    left_ -= text.size();
    return kept;
  }

 private:
  void Grow(size_t least) {
    constexpr size_t kChunkBytes = 64 * 1024;
    left_ = std::max(least, kChunkBytes);
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
    next_ = chunks_.back().get();
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

// A list, set or sorted set that is to be sorted. A missing key is an empty one.
class SortSource {
 public:
  // False when the key holds another type: WRONGTYPE has been answered.
  bool Open(dispatch::Call& call, const keyspace::Key& key);

  size_t size();
  bool is_set() const { return type_ == types::Type::kSet; }
  // `count` elements from `first` on, copied to `texts`, in the order of the collection itself. Sets know no
  // descending one. REQUIRES: they are there.
  enum class Order : uint8_t { kAscending, kDescending };
  std::vector<std::string_view> Elements(dispatch::Call& call, size_t first, size_t count, Order order,
                                         TextStore& texts);

 private:
  types::Type type_ = types::Type::kList;
  keyspace::EntryHolder holder_;
};

// Looks up what patterns name. REQUIRES: the world is stopped, as the keys are nobody's argument.
class PatternValues {
 public:
  explicit PatternValues(dispatch::Call& call) : call_(&call) {}

  // Calls `use(std::string_view)` with the value for this element, if there is one: that of a string key, of
  // a hash's field, or the element itself.
  template <typename Use>
  void Find(const SortPattern& pattern, std::string_view element, Use&& use) {
    if (pattern.self) return use(element);
    if (!pattern.has_place) return;
    keyspace::EntryRef entry = Lookup(pattern, element);
    if (!entry) return;
    if (!pattern.field.empty()) {
      std::string_view value;
      if (entry->type() == types::Type::kHash && FindField(entry, pattern.field, value)) use(value);
    } else if (entry->type() == types::Type::kString) {
      keyspace::DigitScratch scratch;
      use(keyspace::StringBytes(*entry, scratch));
    }
  }

 private:
  keyspace::EntryRef Lookup(const SortPattern& pattern, std::string_view element) {
    name_.assign(pattern.before).append(element).append(pattern.after);
    return call_->db().FindRead(call_->core().keyspace.KeyOf(name_));
  }
  // The value of a hash's field; false when there is none. Valid until the next call.
  bool FindField(keyspace::EntryRef entry, std::string_view field, std::string_view& value);

  dispatch::Call* call_;
  std::string name_;
  listpack::Digits digits_;
};

}  // namespace cinnabar::commands
