// What is said to be whole is whole: checked again it is found good to its end.
#include <string>

#include "base/check.h"
#include "persistence/aof_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cinnabar::persistence::AofCheck;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  AofCheck check, again;
  const auto result =
      check.Check(bytes, 0, size % 2 == 0 ? std::optional<int64_t>(100) : std::nullopt, "file");
  CHECK(result.whole <= size);
  const std::string whole(bytes.substr(0, result.whole));
  const auto second = again.Check(whole, 0, std::nullopt, "file");
  CHECK(second.whole == whole.size() && second.fault.empty() && !second.bad_record);
  return 0;
}
