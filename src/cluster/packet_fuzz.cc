// Bytes are a packet or are refused. A packet that was read says the same when it is written again, and is
// written the same way ever after.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cluster/packet.h"

using namespace cinnabar::cluster;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto packet = Decode(bytes);
  if (!packet) return 0;
  CHECK(PacketLength(bytes.substr(0, kLengthBytes)) == size);
  const std::string written = Encode(*packet);
  CHECK(written.size() <= size);
  const auto again = Decode(written);
  CHECK(again && *again == *packet);
  CHECK(Encode(*again) == written);
  return 0;
}
