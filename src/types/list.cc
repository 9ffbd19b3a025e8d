#include "types/list.h"

#include <algorithm>

#include "base/check.h"

namespace cinnabar::types {
namespace {

// Beyond this a list leaves its owner, although Redis still calls it a listpack: in a LargeList a push or pop
// at the head moves nothing.
constexpr size_t kInOwnerBytesMax = 2048;
static_assert(kInOwnerBytesMax <= kPackedBytesMax);

// What an element takes in a listpack beyond its bytes, at most.
constexpr size_t kElementOverhead = 10;

enum class Growth : uint8_t { kStaysPacked, kListpackByRule, kBeyond };

// Redis counts the plain lengths of what is added.
Growth GrowthOf(size_t bytes, size_t count, std::span<const std::string_view> values,
                const ListOptions& options) {
  size_t added = 0;
  for (std::string_view value : values) added += value.size();
  if (!options.limit().Allows(bytes + added, count + values.size())) return Growth::kBeyond;
  const size_t most = bytes + added + kElementOverhead * values.size();
  return most <= kInOwnerBytesMax ? Growth::kStaysPacked : Growth::kListpackByRule;
}

size_t RemoveFromPacked(PackedBytes& pack, ListEnd from, size_t most, std::string_view value) {
  size_t removed = 0;
  if (from == ListEnd::kHead) {
    size_t position = listpack::First(pack.view());
    while (removed < most && position != listpack::kEnd) {
      position = listpack::Find(pack.view(), position, value);
      if (position == listpack::kEnd) break;
      position = listpack::Erase(pack, position);
      ++removed;
    }
    return removed;
  }
  size_t position = listpack::Last(pack.view());
  while (removed < most && position != listpack::kEnd) {
    const size_t previous = listpack::Previous(pack.view(), position);
    if (listpack::Equals(pack.view(), position, value)) {
      listpack::Erase(pack, position);
      ++removed;
    }
    position = previous;
  }
  return removed;
}

void PushPacked(PackedBytes& pack, ListEnd end, std::span<const std::string_view> values) {
  for (std::string_view value : values) {
    listpack::Insert(pack, end == ListEnd::kHead ? listpack::First(pack.view()) : listpack::kEnd, value);
  }
}

}  // namespace

bool BuildPackedList(ListEnd end, std::span<const std::string_view> values, const ListOptions& options,
                     PackedBytes& bytes) {
  if (GrowthOf(listpack::kEmpty.size(), 0, values, options) != Growth::kStaysPacked) return false;
  bytes.Resize(listpack::kEmpty.size());
  std::memcpy(bytes.data(), listpack::kEmpty.data(), listpack::kEmpty.size());
  if (end == ListEnd::kTail) {
    PushPacked(bytes, end, values);
  } else {
    for (size_t i = values.size(); i > 0; --i) listpack::Append(bytes, values[i - 1]);
  }
  return true;
}

void List::BecomeLarge() {
  auto large = std::make_unique<LargeList>(options_);
  if (listpack::Count(holder_.view()) > 0) large->AddNode(LargeList::Form::kPacked, holder_.view());
  holder_.BecomeObject(std::move(large));
}

void List::PrepareToAdd(std::span<const std::string_view> values) {
  if (!packed()) return large().KeepName(values);
  const std::string_view pack = holder_.view();
  const Growth growth = GrowthOf(pack.size(), listpack::Count(pack), values, options_);
  if (growth == Growth::kStaysPacked) [[likely]]
    return;
  BecomeLarge();
  if (growth == Growth::kListpackByRule) large().CallListpack();
}

void List::Shrink() {
  if (packed() || !large().FitsListpack()) return;
  large().CallListpack();
  // At half the size, so that it does not go to and fro.
  const std::string_view pack = large().Listpack();
  if (pack.size() <= kInOwnerBytesMax / 2) holder_.BecomePacked(std::string(pack));
}

void List::Push(ListEnd end, std::span<const std::string_view> values) {
  PrepareToAdd(values);
  if (packed()) return PushPacked(holder_, end, values);
  for (std::string_view value : values) large().Push(end, value);
}

NodeSequence List::Drop(ListEnd end, size_t count) {
  if (!packed()) {
    NodeSequence dropped = large().DropInto(end, count);
    Shrink();
    return dropped;
  }
  CHECK(count < listpack::Count(holder_.view()));
  if (count == 0) return {};
  const size_t position = end == ListEnd::kHead ? listpack::First(holder_.view())
                                                : listpack::At(holder_.view(), -static_cast<int64_t>(count));
  listpack::Erase(holder_, position, count);
  return {};
}

void List::Set(size_t index, std::string_view value) {
  PrepareToAdd({&value, 1});
  if (packed()) {
    listpack::Replace(holder_, listpack::At(holder_.view(), static_cast<int64_t>(index)), value);
    return;
  }
  large().Set(index, value);
  Shrink();
}

bool List::Insert(ListSide side, std::string_view pivot, std::string_view value) {
  const SoughtElement sought(pivot);
  size_t index = 0;
  bool found = false;
  Walk(0, ListEnd::kTail, [&](const listpack::Element& element) {
    found = sought.Is(element);
    if (!found) ++index;
    return !found;
  });
  if (!found) return false;
  if (side == ListSide::kAfter) ++index;
  PrepareToAdd({&value, 1});
  if (packed()) {
    listpack::Insert(holder_, listpack::At(holder_.view(), static_cast<int64_t>(index)), value);
  } else {
    large().InsertAt(index, value);
  }
  return true;
}

size_t List::Remove(ListEnd from, size_t most, std::string_view value) {
  if (packed()) return RemoveFromPacked(holder_, from, most, value);
  const size_t removed = large().Remove(from, most, value);
  Shrink();
  return removed;
}

}  // namespace cinnabar::types
