// Arbitrary bytes taken for an intset: what is refused is not read, what is valid stays so through changes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "structures/intset.h"

namespace intset = cinnabar::intset;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!intset::Valid(bytes)) return 0;
  const size_t count = intset::Count(bytes);
  for (size_t i = 0; i < count; ++i) CHECK(intset::Contains(bytes, intset::At(bytes, i)));

  cinnabar::HeapBytes set{bytes};
  for (const int64_t number : {int64_t{0}, int64_t{-3}, int64_t{70'000}, INT64_MIN, INT64_MAX}) {
    const bool was_there = intset::Contains(set.view(), number);
    CHECK(intset::Insert(set, number) == !was_there);
    CHECK(intset::Valid(set.view()) && intset::Contains(set.view(), number));
    if (was_there) continue;
    CHECK(intset::Erase(set, number));
    CHECK(intset::Valid(set.view()) && !intset::Contains(set.view(), number));
  }
  CHECK(intset::Count(set.view()) == count);
  intset::EraseRange(set, count / 3, count / 2);
  CHECK(intset::Valid(set.view()) && intset::Count(set.view()) == count - count / 2);
  return 0;
}
