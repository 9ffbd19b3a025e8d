// Arbitrary bytes taken for a value of any type: they are refused, or make a value that can be written and
// read again, whatever the limits are, and then is the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "persistence/rdb_value.h"
#include "persistence/value_for_test.h"

using namespace cinnabar;
using namespace cinnabar::persistence;

namespace {

ValueLimits LimitsFor(uint8_t choice) {
  ValueLimits limits;
  if ((choice & 1) != 0) {
    limits.set = {.intset_entries = 2, .listpack = {.entries = 2, .value_bytes = 4}};
    limits.sorted_set = limits.hash = {.entries = 2, .value_bytes = 4};
    limits.list.node_size = 3;
  }
  if ((choice & 2) != 0) limits.list.compress_depth = 1;
  return limits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const uint16_t version = (data[0] & 4) != 0 ? kRdbVersion72 : kRdbVersion70;
  RdbReader in(bytes);
  RdbValue value;
  if (!ReadValue(in, data[1], LimitsFor(data[0]), value)) {
    CHECK(in.failed() && !in.reason().empty());
    CHECK(value.bytes.empty() && value.object == nullptr);
    return 0;
  }
  const EntryForTest first(value);
  for (uint8_t choice = 0; choice < 2; ++choice) {
    const std::string written = first.Written(version);
    RdbReader again(std::string_view(written).substr(1));
    RdbValue second_value;
    CHECK(ReadValue(again, static_cast<uint8_t>(written[0]), LimitsFor(choice), second_value));
    CHECK(again.left() == 0);
    const EntryForTest second(second_value);
    CHECK(first.Texts() == second.Texts());
    CHECK(second.Written(version).size() > 1);
  }
  return 0;
}
