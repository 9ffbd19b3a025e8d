// Whatever packets arrive on whatever links, the machine stays in one piece, nobody joins who was neither met
// nor told of by a node that we know, and what it saves can be loaded again.
//
// The input is a list of events, each a few bytes: which one, of whom, and the fields that it has. Packets
// are made from fields, because random bytes are hardly ever one; packet_fuzz.cc looks at the bytes
// themselves.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "base/check.h"
#include "cluster/cluster.h"

using namespace cinnabar;
using namespace cinnabar::cluster;

namespace {

class Port final : public ClusterPort {
 public:
  void Connect(LinkId link, const std::string&, int) override { open.push_back(link); }
  void Send(LinkId, std::shared_ptr<const std::string> packet) override {
    CHECK(Decode(*packet).has_value());
  }
  void Close(LinkId link) override { std::erase(open, link); }
  SendBuffer SendBufferOf(LinkId /*link*/) const override { return {}; }
  LinkTotals TotalsOfLinks() const override { return {}; }
  Status Save(Durability) override {
    if (disk_full) return Fail("full");
    return {};
  }
  ReplicationView Replication() override { return view; }
  void Follow(const std::string&, int) override {}
  void FollowNobody() override {}
  void PauseWrites(Millis) override {}
  void ResumeWrites() override {}
  size_t CountKeys(int slot) override { return static_cast<size_t>(slot % 3); }
  bool Empty() override { return true; }
  void DropKeys(const SlotSet&) override {}
  void DropAllKeys() override {}
  void RoutingChanged() override {}
  void Deliver(bool, std::string_view, std::string_view) override {}
  void Log(LogLevel, std::string_view) override {}

  std::vector<LinkId> open;
  bool disk_full = false;
  ReplicationView view;
};

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  uint8_t Byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

// A few nodes that occur again and again. The first is the machine's own.
NodeId IdOf(int number) {
  return *NodeId::Parse(fmt::format("{:040x}", number % 8 + 1));
}

SlotSet SlotsOf(uint8_t byte) {
  SlotSet slots;
  for (int slot = byte & 0x0f; slot < 16; ++slot) slots.Add(slot * (byte >> 4));
  return slots;
}

Packet PacketOf(Input& input) {
  Packet packet{.type = static_cast<PacketType>(input.Byte() % 11)};
  if (packet.type == PacketType::kModule) packet.type = PacketType::kPing;
  packet.sender = IdOf(input.Byte());
  packet.flags = static_cast<uint16_t>(input.Byte() | (input.Byte() << 8));
  packet.packet_flags = input.Byte();
  packet.port = packet.bus_port = input.Byte();
  if (packet.port % 2 == 0) packet.ip = "10.0.0.9";
  packet.current_epoch = input.Byte();
  packet.config_epoch = input.Byte();
  packet.offset = input.Byte();
  if (const uint8_t primary = input.Byte(); primary % 2 == 0) packet.primary = IdOf(primary / 2);
  packet.slots = SlotsOf(input.Byte());
  packet.about = IdOf(input.Byte());
  packet.about_epoch = input.Byte();
  packet.about_slots = SlotsOf(input.Byte());
  if (packet.type > PacketType::kMeet) return packet;
  for (int count = input.Byte() % 4; count > 0; --count) {
    Gossip gossip{.id = IdOf(input.Byte()), .ip = "10.0.0.7"};
    gossip.flags = static_cast<uint16_t>(input.Byte() | (input.Byte() << 8));
    gossip.port = gossip.bus_port = input.Byte();
    gossip.pong_received = input.Byte() * 10'000'000U;
    packet.gossip.push_back(gossip);
  }
  const uint8_t more = input.Byte();
  if (more & 1) packet.hostname = "some.example";
  if (more & 2) packet.shard = IdOf(more);
  if (more & 4) packet.forgotten.push_back({.id = IdOf(more >> 4), .seconds = more});
  return packet;
}

LinkId SomeLink(const Port& port, uint8_t byte) {
  return port.open.empty() ? 1 : port.open[byte % port.open.size()];
}

bool Knows(const Cluster& machine, const NodeId& id) {
  const Node* node = machine.Find(id.text());
  return node != nullptr && !node->in_handshake();
}

void Arrive(Input& input, Port& port, Cluster& machine) {
  const LinkId link = SomeLink(port, input.Byte());
  const Packet packet = PacketOf(input);
  const size_t before = machine.nodes().size();
  const bool known = Knows(machine, packet.sender);
  bool expected = false;
  for (const auto& view : machine.Links()) {
    const Node* to = view.id == link && view.outgoing ? machine.Find(view.node.text()) : nullptr;
    expected = expected || (to != nullptr && to->in_handshake());
  }
  machine.Received(link, Encode(packet), "10.0.0.1");
  const size_t most =
      before + (packet.type == PacketType::kMeet ? 1 : 0) + (known ? packet.gossip.size() : 0);
  // Whoever answers a handshake is a node that we know, from its answer on.
  CHECK(expected || machine.nodes().size() <= most);
}

void Ask(Input& input, Cluster& machine) {
  const int slot = input.Byte();
  const NodeId id = IdOf(input.Byte());
  switch (input.Byte() % 12) {
    case 0:
      return (void)machine.Meet("10.0.0.5", input.Byte(), input.Byte());
    case 1:
      return (void)machine.Forget(id.text());
    case 2:
      return (void)machine.AddSlots(SlotsOf(input.Byte()));
    case 3:
      return (void)machine.DeleteSlots(SlotsOf(input.Byte()));
    case 4:
      return (void)machine.Migrate(slot, id.text());
    case 5:
      return (void)machine.Import(slot, id.text());
    case 6:
      return (void)machine.Assign(slot, id.text());
    case 7:
      return (void)machine.Replicate(id.text());
    case 8:
      return (void)machine.Failover(static_cast<Cluster::FailoverKind>(input.Byte() % 3));
    case 9:
      return (void)machine.BumpEpoch();
    case 10:
      return (void)machine.Reset(input.Byte() % 2 == 0);
    default:
      return machine.Publish(input.Byte() % 2 == 0, "channel", "message");
  }
}

void Happen(Input& input, Port& port, ManualClock& clock, Cluster& machine) {
  switch (input.Byte() % 8) {
    case 0:
      clock.AdvanceMillis(input.Byte() * 100);
      return machine.OnTick();
    case 1: {
      const LinkId link = machine.NewLinkId();
      port.open.push_back(link);
      return machine.Accepted(link, "10.0.0.3");
    }
    case 2:
      return machine.Connected(SomeLink(port, input.Byte()));
    case 3: {
      const LinkId link = SomeLink(port, input.Byte());
      std::erase(port.open, link);
      return machine.Closed(link);
    }
    case 4:
      port.disk_full = input.Byte() % 2 == 0;
      port.view.silence = input.Byte();
      return;
    case 5:
      return Ask(input, machine);
    default:
      return Arrive(input, port, machine);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Port port;
  ManualClock clock;
  Options options{.node_timeout = 1000};
  Cluster machine(Cluster::Setup{.port = port, .clock = clock, .seed = 1, .options = options});
  std::string file =
      fmt::format("{} 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-99\n", IdOf(0).text());
  for (int number = 1; number < 4; ++number)
    file += fmt::format("{} 10.0.0.{}:6379@16379 master - 0 0 {} connected {}00-{}99\n", IdOf(number).text(),
                        number + 1, number + 1, number, number);
  file += fmt::format("{} 10.0.0.5:6379@16379 slave {} 0 0 1 connected\n", IdOf(4).text(), IdOf(0).text());
  CHECK(machine.Load(file + "vars currentEpoch 4 lastVoteEpoch 0\n").has_value());
  CHECK(machine.Start().has_value());
  for (Input input(data, size); !input.empty();) Happen(input, port, clock, machine);
  Cluster again(Cluster::Setup{.port = port, .clock = clock, .seed = 2, .options = options});
  CHECK(again.Load(machine.FileText()).has_value());
  return 0;
}
