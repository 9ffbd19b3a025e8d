#include "types/set.h"

#include "base/numbers.h"

namespace cinnabar::types {
namespace {

bool FitsListpack(size_t count, size_t longest, const SetLimits& limits) {
  return static_cast<int64_t>(count) <= limits.listpack.entries &&
         static_cast<int64_t>(longest) <= limits.listpack.value_bytes;
}

// Whether an intset has room for one more number, which may make all others wider.
bool FitsIntset(std::string_view bytes, int64_t number, const SetLimits& limits) {
  constexpr size_t kHeaderBytes = 8;
  const size_t count = intset::Count(bytes);
  const size_t own = number == static_cast<int16_t>(number)   ? 2
                     : number == static_cast<int32_t>(number) ? 4
                                                              : 8;
  const size_t width = std::max<size_t>(own, static_cast<unsigned char>(bytes[0]));
  return static_cast<int64_t>(count) < limits.intset_entries &&
         kHeaderBytes + (count + 1) * width <= kPackedBytesMax;
}

// More than a listpack of these numbers and this member takes.
size_t ListpackBytesAtMost(size_t numbers, std::string_view member) {
  constexpr size_t kNumberBytes = 11;
  return listpack::kEmpty.size() + numbers * kNumberBytes + listpack::EncodedSize(member);
}

// Of the ends of an intset: the numbers between have no longer text.
size_t LongestText(std::string_view intset_bytes) {
  const size_t count = intset::Count(intset_bytes);
  if (count == 0) return 0;
  char digits[kInt64TextBytes];
  return std::max(FormatInt64(intset::At(intset_bytes, 0), digits),
                  FormatInt64(intset::At(intset_bytes, count - 1), digits));
}

}  // namespace

size_t LargeSet::memory(size_t) const {
  return sizeof(*this) + members.memory();
}

std::unique_ptr<Value> LargeSet::Clone() const {
  auto copy = std::make_unique<LargeSet>(members.size());
  members.ForEach([&](std::string_view member) {
    copy->members.InsertNew(member);
    return true;
  });
  return copy;
}

bool LargeSet::RelocateSome(Relocation& relocation, RelocationCursor& cursor) {
  return members.RelocateSome(relocation, cursor.at);
}

std::string_view Set::EmptyFor(std::string_view first, const SetLimits& limits) {
  return limits.intset_entries > 0 && ParseInt64(first) ? intset::kEmpty : listpack::kEmpty;
}

size_t Set::size() const {
  if (!holder_->packed()) return table().size();
  return IsIntset(packed()) ? intset::Count(packed()) : listpack::Count(packed());
}

bool Set::Contains(std::string_view member) const {
  if (!holder_->packed()) return table().Contains(member);
  const std::string_view bytes = packed();
  if (IsIntset(bytes)) {
    const auto number = ParseInt64(member);
    return number && intset::Contains(bytes, *number);
  }
  const size_t first = listpack::First(bytes);
  return first != listpack::kEnd && listpack::Find(bytes, first, member) != listpack::kEnd;
}

bool Set::Add(std::string_view member, const SetLimits& limits) {
  if (!holder_->packed()) return table().Insert(member);
  return IsIntset(packed()) ? AddToIntset(member, limits) : AddToListpack(member, limits);
}

bool Set::AddToIntset(std::string_view member, const SetLimits& limits) {
  const size_t count = intset::Count(packed());
  if (const auto number = ParseInt64(member)) {
    if (intset::Contains(packed(), *number)) return false;
    if (FitsIntset(packed(), *number, limits)) return intset::Insert(*holder_, *number);
    BecomeTable(count + 1);
  } else if (FitsListpack(count + 1, std::max(member.size(), LongestText(packed())), limits) &&
             ListpackBytesAtMost(count, member) <= kPackedBytesMax) {
    BecomeListpack();
    return AddToListpack(member, limits);
  } else {
    BecomeTable(count + 1);
  }
  table().InsertNew(member);
  return true;
}

bool Set::AddToListpack(std::string_view member, const SetLimits& limits) {
  const std::string_view bytes = packed();
  const size_t first = listpack::First(bytes);
  if (first != listpack::kEnd && listpack::Find(bytes, first, member) != listpack::kEnd) return false;
  const size_t count = listpack::Count(bytes);
  if (FitsListpack(count + 1, member.size(), limits) &&
      bytes.size() + listpack::EncodedSize(member) <= kPackedBytesMax) {
    listpack::Append(*holder_, member);
    return true;
  }
  BecomeTable(count + 1);
  table().InsertNew(member);
  return true;
}

bool Set::Remove(std::string_view member) {
  if (!holder_->packed()) return table().Erase(member);
  if (IsIntset(packed())) {
    const auto number = ParseInt64(member);
    return number && intset::Erase(*holder_, *number);
  }
  const size_t first = listpack::First(packed());
  if (first == listpack::kEnd) return false;
  const size_t position = listpack::Find(packed(), first, member);
  if (position == listpack::kEnd) return false;
  listpack::Erase(*holder_, position);
  return true;
}

void Set::BecomeListpack() {
  HeapBytes pack(listpack::kEmpty);
  const size_t count = intset::Count(packed());
  for (size_t i = 0; i < count; ++i) listpack::AppendInteger(pack, intset::At(packed(), i));
  holder_->BecomePacked(pack.view());
}

void Set::BecomeTable(size_t expected) {
  auto large = std::make_unique<LargeSet>(expected);
  ForEach([&](std::string_view member) { large->members.InsertNew(member); });
  holder_->BecomeObject(std::move(large));
}

}  // namespace cinnabar::types
