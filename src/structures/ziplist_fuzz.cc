// Arbitrary bytes taken for a ziplist and for a zipmap: refused, or a listpack of what they hold.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "structures/listpack.h"
#include "structures/ziplist.h"
#include "structures/zipmap.h"

using namespace cinnabar;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  HeapBytes from_ziplist(listpack::kEmpty);
  (void)ziplist::AppendTo(from_ziplist, bytes);
  CHECK(listpack::Valid(from_ziplist.view()));
  HeapBytes from_zipmap(listpack::kEmpty);
  (void)zipmap::AppendTo(from_zipmap, bytes);
  CHECK(listpack::Valid(from_zipmap.view()));
  CHECK(listpack::Count(from_zipmap.view()) % 2 == 0);
  return 0;
}
