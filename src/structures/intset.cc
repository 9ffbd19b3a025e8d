#include "structures/intset.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/unaligned.h"

namespace cinnabar::intset {
namespace {

constexpr size_t kHeaderBytes = 8;
constexpr size_t kCountOffset = 4;

inline size_t WidthOf(std::string_view set) {
  return LoadAs<uint32_t>(set.data());
}

inline size_t WidthFor(int64_t number) {
  if (number == static_cast<int16_t>(number)) return 2;
  return number == static_cast<int32_t>(number) ? 4 : 8;
}

inline int64_t NumberAt(const char* numbers, size_t width, size_t index) {
  if (width == 2) return LoadAs<int16_t>(numbers + index * 2);
  if (width == 4) return LoadAs<int32_t>(numbers + index * 4);
  return LoadAs<int64_t>(numbers + index * 8);
}

inline void StoreAt(char* numbers, size_t width, size_t index, int64_t number) {
  if (width == 2) return StoreAs(numbers + index * 2, static_cast<int16_t>(number));
  if (width == 4) return StoreAs(numbers + index * 4, static_cast<int32_t>(number));
  StoreAs(numbers + index * 8, number);
}

// How many numbers are smaller. Halves the range without a branch that could be mispredicted.
template <typename T>
size_t LowerBoundOf(const char* numbers, size_t count, int64_t number) {
  if (count == 0) return 0;
  const char* base = numbers;
  while (count > 1) {
    const size_t half = count / 2;
    base += LoadAs<T>(base + (half - 1) * sizeof(T)) < number ? half * sizeof(T) : 0;
    count -= half;
  }
  return static_cast<size_t>(base - numbers) / sizeof(T) + (LoadAs<T>(base) < number);
}

size_t LowerBound(std::string_view set, int64_t number) {
  const char* const numbers = set.data() + kHeaderBytes;
  const size_t count = Count(set);
  switch (WidthOf(set)) {
    case 2:
      return LowerBoundOf<int16_t>(numbers, count, number);
    case 4:
      return LowerBoundOf<int32_t>(numbers, count, number);
    default:
      return LowerBoundOf<int64_t>(numbers, count, number);
  }
}

// Whether `number` is the one at `index`, which may be the end.
bool IsAt(std::string_view set, size_t index, int64_t number) {
  return index < Count(set) && At(set, index) == number;
}

void SetCount(PackedBytes& set, size_t count) {
  StoreAs(set.data() + kCountOffset, static_cast<uint32_t>(count));
}

// Adds a number that is too wide for the set, hence smaller or greater than all that are there.
void Widen(PackedBytes& set, int64_t number) {
  const size_t old_width = WidthOf(set.view());
  const size_t width = WidthFor(number);
  const size_t count = Count(set.view());
  set.Resize(kHeaderBytes + (count + 1) * width);
  char* const numbers = set.data() + kHeaderBytes;
  const size_t shift = number < 0 ? 1 : 0;
  // From the end, so that no number is overwritten before it was read.
  for (size_t i = count; i-- > 0;) StoreAt(numbers, width, i + shift, NumberAt(numbers, old_width, i));
  StoreAt(numbers, width, number < 0 ? 0 : count, number);
  StoreAs(set.data(), static_cast<uint32_t>(width));
  SetCount(set, count + 1);
}

template <typename T>
bool Ascending(const char* numbers, size_t count) {
  for (size_t i = 1; i < count; ++i) {
    if (LoadAs<T>(numbers + (i - 1) * sizeof(T)) >= LoadAs<T>(numbers + i * sizeof(T))) return false;
  }
  return true;
}

}  // namespace

size_t Count(std::string_view set) {
  return LoadAs<uint32_t>(set.data() + kCountOffset);
}

int64_t At(std::string_view set, size_t index) {
  return NumberAt(set.data() + kHeaderBytes, WidthOf(set), index);
}

bool Contains(std::string_view set, int64_t number) {
  return WidthFor(number) <= WidthOf(set) && IsAt(set, LowerBound(set, number), number);
}

bool Insert(PackedBytes& set, int64_t number) {
  const size_t width = WidthOf(set.view());
  const size_t count = Count(set.view());
  CHECK(count < std::numeric_limits<uint32_t>::max());
  if (WidthFor(number) > width) {
    Widen(set, number);
    return true;
  }
  // Numbers often come in ascending order.
  const bool greatest = count == 0 || At(set.view(), count - 1) < number;
  const size_t index = greatest ? count : LowerBound(set.view(), number);
  if (!greatest && At(set.view(), index) == number) return false;
  set.Resize(set.size() + width);
  char* const numbers = set.data() + kHeaderBytes;
  if (!greatest)
    std::memmove(numbers + (index + 1) * width, numbers + index * width, (count - index) * width);
  StoreAt(numbers, width, index, number);
  SetCount(set, count + 1);
  return true;
}

bool Erase(PackedBytes& set, int64_t number) {
  if (WidthFor(number) > WidthOf(set.view())) return false;
  const size_t index = LowerBound(set.view(), number);
  if (!IsAt(set.view(), index, number)) return false;
  EraseRange(set, index, 1);
  return true;
}

void EraseRange(PackedBytes& set, size_t from, size_t count) {
  const size_t width = WidthOf(set.view());
  const size_t old_count = Count(set.view());
  CHECK(from <= old_count && count <= old_count - from);
  char* const hole = set.data() + kHeaderBytes + from * width;
  std::memmove(hole, hole + count * width, (old_count - from - count) * width);
  SetCount(set, old_count - count);
  set.Resize(set.size() - count * width);
}

bool Valid(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return false;
  const size_t width = WidthOf(bytes);
  const size_t count = Count(bytes);
  if (width != 2 && width != 4 && width != 8) return false;
  if (bytes.size() - kHeaderBytes != count * width) return false;
  const char* const numbers = bytes.data() + kHeaderBytes;
  if (width == 2) return Ascending<int16_t>(numbers, count);
  return width == 4 ? Ascending<int32_t>(numbers, count) : Ascending<int64_t>(numbers, count);
}

}  // namespace cinnabar::intset
