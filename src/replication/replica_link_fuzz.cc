// The replica's end on any bytes of a primary, whole and in pieces: the same comes out however they are cut,
// and nothing that the server is told contradicts what it was told before.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "replication/replica_link.h"

using namespace cinnabar;
using namespace cinnabar::replication;

namespace {

// Notes what the link wants and checks the order.
class Port final : public ReplicaLinkPort {
 public:
  void Connect() override {
    CHECK(!connected);
    connected = true;
    log += "connect\n";
  }
  void Send(std::string_view bytes) override {
    CHECK(connected);
    log += bytes;
  }
  void Close(std::string_view) override {
    CHECK(connected);
    connected = false;
    log += "close\n";
  }
  void Continue(const ReplicationId& id) override { log += "continue " + std::string(id.text()) + "\n"; }
  void BeginLoad(const Payload& payload) override {
    CHECK(!loading);
    loading = true;
    left = payload.size;
    log += "load " + std::string(payload.position.id.text()) + "\n";
  }
  void LoadBytes(std::string_view bytes) override {
    CHECK(loading && !bytes.empty());
    if (left) {
      CHECK(bytes.size() <= *left);
      *left -= bytes.size();
    }
    log += bytes;
  }
  void EndLoad() override {
    CHECK(loading && left.value_or(0) == 0);
    log += "loaded\n";
    ended = true;
  }
  OldData AbortLoad() override {
    CHECK(loading);
    loading = ended = false;
    log += "abort\n";
    return OldData::kKept;
  }
  void Apply(std::string_view bytes) override {
    CHECK(connected && !loading && !bytes.empty());
    log += bytes;
  }

  bool connected = false, loading = false, ended = false;
  std::optional<uint64_t> left;
  std::string log;
};

// What happens with this input in pieces of that size.
std::string Run(std::string_view input, size_t piece, bool knows_a_history) {
  Port port;
  ReplicaLink link(port);
  Millis now = 1000;
  std::optional<Position> position;
  if (knows_a_history) position = Position{*ReplicationId::Parse(std::string(40, 'a')), 1000};
  link.Follow(position, now);
  link.OnTick(now);
  link.Connected(now);
  while (!input.empty() && port.connected) {
    const size_t count = std::min(piece, input.size());
    const size_t taken = link.Received(input.substr(0, count), now);
    CHECK(taken <= count);
    input.remove_prefix(taken);
    if (port.ended) {
      port.loading = port.ended = false;
      link.Loaded(ReplicaLink::Load::kLoaded, now);
      CHECK(link.online());
    } else {
      CHECK(taken == count);
    }
  }
  link.Stop();
  CHECK(!port.connected && !port.loading);
  return port.log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const bool knows_a_history = (data[0] & 1) != 0;
  // Most inputs begin behind the handshake, which is soon explored.
  std::string input = (data[0] & 2) != 0 ? "+PONG\r\n+OK\r\n+OK\r\n" : "";
  input.append(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string whole = Run(input, input.size(), knows_a_history);
  CHECK(whole == Run(input, 1 + data[1] % 64, knows_a_history));
  return 0;
}
