// Arbitrary bytes taken for a HyperLogLog value: every operation ends, in bounds, and agrees with the others
// on whether the value is corrupt.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "structures/hyperloglog.h"

namespace hll = cinnabar::hyperloglog;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kSparseBytesMax = 3000;
  std::string value = hll::Create().substr(0, hll::kHeaderBytes);
  value.append(reinterpret_cast<const char*>(data), size);
  if (size > 0 && data[0] == 0xff) {
    value[4] = 0;
    value.resize(hll::kDenseBytes);
  }
  CHECK(hll::HasValidHeader(value));
  const auto count = hll::Count(value);
  hll::Registers registers;
  CHECK(hll::MergeInto(registers, value).has_value() == count.has_value());
  if (count) {
    CHECK(hll::Count(registers) == *count);
    CHECK(hll::Count(hll::Encode(registers, hll::Encoding::kSparse, kSparseBytesMax)) == *count);
  }
  std::string dense = value;
  CHECK(hll::ToDense(dense).has_value() == count.has_value());
  if (hll::EncodingOf(value) == hll::Encoding::kSparse) {
    CHECK(hll::DescribeRuns(value).has_value() == count.has_value());
  }
  for (int i = 0; i < 16; ++i) {
    const std::string element(1, static_cast<char>(i));
    (void)hll::AddInPlace(value, element);
    const auto added = hll::Add(value, element, kSparseBytesMax);
    if (count) CHECK(added.has_value() && hll::Count(value).has_value());
  }
  return 0;
}
