// Hello messages and INFO texts are read or refused; a hello message that is read says the same when it is
// written again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "sentinel/hello.h"
#include "sentinel/info_report.h"

using namespace cinnabar::sentinel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto hello = ParseHello(text)) CHECK(ParseHello(EncodeHello(*hello)) == hello);
  const InfoReport report = ParseInfo(text);
  for (const auto& replica : report.replicas) CHECK(!replica.host.empty() && replica.port > 0);
  return 0;
}
