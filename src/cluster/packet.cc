// The header, at its offsets:
//
//      0 "RCmb"            16 u64 current epoch     2128 primary[40]            2250 u16 flags
//      4 u32 length        24 u64 config epoch      2168 ip[46], NUL padded     2252 u8 state: 0 ok, 1 fail
//      8 u16 version: 1    32 u64 offset            2214 u16 extensions         2253 u8 packet flags
//     10 u16 port          40 sender[40]            2216 (30 unused)            2254 (2 unused)
//     12 u16 type          80 slots[2048]           2246 u16 plain port         2256 what the type has
//     14 u16 gossip entries                         2248 u16 bus port
//
// Behind it:
//
//   PING, PONG, MEET      gossip entries, then extensions
//   FAIL                  id[40]
//   PUBLISH, PUBLISHSHARD u32 channel bytes, u32 message bytes, channel, message
//   UPDATE                u64 epoch, id[40], slots[2048]
//   the others            nothing
//
//   gossip entry: id[40], u32 ping sent, u32 pong received, ip[46], u16 port, u16 bus port, u16 flags,
//                 u16 plain port, 2 unused: 104 bytes
//   extension:    u32 length with this head, a multiple of 8; u16 type; 2 unused; then
//                 0 host name, 1 human name: text, NUL, padding
//                 2 forgotten node: id[40], u64 seconds
//                 3 shard: id[40]
//
// Seen on the wire of Redis 7.0 (the recorded packets of packet_test.cc); types 1 to 3 of extensions are
// of 7.2.
#include "cluster/packet.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <span>
#include <utility>

#include "base/check.h"
#include "cluster/names.h"

namespace cinnabar::cluster {
namespace {

constexpr std::string_view kSignature = "RCmb";
constexpr uint16_t kVersion = 1;
constexpr size_t kTypePlace = 12;
constexpr uint8_t kStateOk = 0;
constexpr uint8_t kStateFail = 1;

constexpr size_t kAddressBytes = kAddressBytesMax + 1;
constexpr size_t kGossipBytes = 104;
constexpr size_t kPublishHeadBytes = 8;
constexpr size_t kUpdateBytes = 8 + NodeId::kSize + kSlotBytes;
constexpr size_t kHeaderGapBytes = 30;  // between the extensions' number and the plain port

constexpr size_t kExtensionHeadBytes = 8;
constexpr size_t kForgottenBytes = kExtensionHeadBytes + NodeId::kSize + 8;
constexpr size_t kShardBytes = kExtensionHeadBytes + NodeId::kSize;

enum class Extension : uint16_t { kHostname = 0, kHumanName = 1, kForgotten = 2, kShard = 3 };

bool HasGossip(PacketType type) {
  return type == PacketType::kPing || type == PacketType::kPong || type == PacketType::kMeet;
}

bool IsPublish(PacketType type) {
  return type == PacketType::kPublish || type == PacketType::kPublishShard;
}

template <std::unsigned_integral T>
T BigEndian(T value) {
  static_assert(std::endian::native == std::endian::little);
  return std::byteswap(value);
}

// ---- writing

class Writer {
 public:
  // REQUIRES: what is written fits exactly. The bytes that are skipped are zero already.
  explicit Writer(std::string& out) : at_(out.data()), end_(out.data() + out.size()) {}
  ~Writer() { CHECK(at_ == end_); }

  template <std::unsigned_integral T>
  void Number(T value) {
    value = BigEndian(value);
    std::memcpy(Skip(sizeof value), &value, sizeof value);
  }
  void Bytes(std::string_view bytes) { std::ranges::copy(bytes, Skip(bytes.size())); }
  // REQUIRES: shorter than its field, which ends with a NUL at least.
  void Text(std::string_view text, size_t field_bytes) {
    CHECK(text.size() < field_bytes);
    std::ranges::copy(text, Skip(field_bytes));
  }
  void Id(const NodeId& id) { std::ranges::copy(id.text(), Skip(NodeId::kSize)); }
  void Slots(const SlotSet& slots) {
    slots.Write(std::span<uint8_t, kSlotBytes>(reinterpret_cast<uint8_t*>(Skip(kSlotBytes)), kSlotBytes));
  }
  char* Skip(size_t bytes) {
    CHECK(bytes <= static_cast<size_t>(end_ - at_));
    return std::exchange(at_, at_ + bytes);
  }

 private:
  char* at_;
  char* const end_;
};

size_t NameBytes(const std::optional<std::string>& name) {
  return name ? kExtensionHeadBytes + (name->size() / 8 + 1) * 8 : 0;
}

size_t ExtensionBytes(const Packet& packet) {
  return NameBytes(packet.hostname) + NameBytes(packet.human_name) +
         packet.forgotten.size() * kForgottenBytes + (packet.shard ? kShardBytes : 0);
}

size_t ExtensionCount(const Packet& packet) {
  return packet.hostname.has_value() + packet.human_name.has_value() + packet.forgotten.size() +
         packet.shard.has_value();
}

size_t DataBytes(const Packet& packet) {
  if (HasGossip(packet.type)) return packet.gossip.size() * kGossipBytes + ExtensionBytes(packet);
  if (IsPublish(packet.type)) return kPublishHeadBytes + packet.channel.size() + packet.message.size();
  if (packet.type == PacketType::kFail) return NodeId::kSize;
  if (packet.type == PacketType::kUpdate) return kUpdateBytes;
  return 0;
}

// REQUIRES: the number fits its field.
template <std::unsigned_integral T>
T Narrow(size_t number) {
  CHECK(std::in_range<T>(number));
  return static_cast<T>(number);
}

void WriteHeader(const Packet& packet, size_t length, Writer& writer) {
  const bool gossips = HasGossip(packet.type);
  const size_t extensions = gossips ? ExtensionCount(packet) : 0;
  writer.Bytes(kSignature);
  writer.Number(Narrow<uint32_t>(length));
  writer.Number(kVersion);
  writer.Number(packet.port);
  writer.Number(std::to_underlying(packet.type));
  writer.Number(Narrow<uint16_t>(gossips ? packet.gossip.size() : 0));
  writer.Number(packet.current_epoch);
  writer.Number(packet.config_epoch);
  writer.Number(packet.offset);
  writer.Id(packet.sender);
  writer.Slots(packet.slots);
  writer.Id(packet.primary);
  writer.Text(packet.ip, kAddressBytes);
  writer.Number(Narrow<uint16_t>(extensions));
  writer.Skip(kHeaderGapBytes);
  writer.Number(packet.plain_port);
  writer.Number(packet.bus_port);
  writer.Number(packet.flags);
  writer.Number(packet.state_ok ? kStateOk : kStateFail);
  const uint8_t has_extensions = extensions > 0 ? kHasExtensionsFlag : 0;
  writer.Number(static_cast<uint8_t>(packet.packet_flags | has_extensions));
  writer.Skip(2);
}

void WriteGossip(const Gossip& gossip, Writer& writer) {
  writer.Id(gossip.id);
  writer.Number(gossip.ping_sent);
  writer.Number(gossip.pong_received);
  writer.Text(gossip.ip, kAddressBytes);
  writer.Number(gossip.port);
  writer.Number(gossip.bus_port);
  writer.Number(gossip.flags);
  writer.Number(gossip.plain_port);
  writer.Skip(2);
}

void WriteExtensionHead(Extension type, size_t bytes, Writer& writer) {
  writer.Number(Narrow<uint32_t>(bytes));
  writer.Number(std::to_underlying(type));
  writer.Skip(2);
}

void WriteName(Extension type, const std::optional<std::string>& name, Writer& writer) {
  if (!name) return;
  CHECK(name->size() <= kNameBytesMax);
  WriteExtensionHead(type, NameBytes(name), writer);
  writer.Text(*name, NameBytes(name) - kExtensionHeadBytes);
}

void WriteExtensions(const Packet& packet, Writer& writer) {
  WriteName(Extension::kHostname, packet.hostname, writer);
  WriteName(Extension::kHumanName, packet.human_name, writer);
  for (const Forgotten& forgotten : packet.forgotten) {
    WriteExtensionHead(Extension::kForgotten, kForgottenBytes, writer);
    writer.Id(forgotten.id);
    writer.Number(forgotten.seconds);
  }
  if (packet.shard) {
    WriteExtensionHead(Extension::kShard, kShardBytes, writer);
    writer.Id(*packet.shard);
  }
}

// ---- reading

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  size_t left() const { return rest_.size(); }
  // REQUIRES, all of them: as many bytes are left.
  std::string_view Bytes(size_t count) {
    CHECK(count <= rest_.size());
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  template <std::unsigned_integral T>
  T Number() {
    T value;
    std::memcpy(&value, Bytes(sizeof value).data(), sizeof value);
    return BigEndian(value);
  }
  SlotSet Slots() {
    const std::string_view bytes = Bytes(kSlotBytes);
    return SlotSet::Read(
        std::span<const uint8_t, kSlotBytes>(reinterpret_cast<const uint8_t*>(bytes.data()), kSlotBytes));
  }

 private:
  std::string_view rest_;
};

// Up to the NUL that must be there.
std::optional<std::string_view> Text(std::string_view field) {
  const size_t end = field.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  return field.substr(0, end);
}

Result<std::string> ReadAddress(Reader& reader) {
  const auto text = Text(reader.Bytes(kAddressBytes));
  if (!text || !IsAddress(*text)) return Fail("an address that is none");
  return std::string(*text);
}

Result<NodeId> ReadId(Reader& reader) {
  const auto id = NodeId::Parse(reader.Bytes(NodeId::kSize));
  if (!id) return Fail("a node id that is none");
  return *id;
}

// Zero bytes: nobody.
Result<NodeId> ReadIdOrNobody(Reader& reader) {
  const std::string_view bytes = reader.Bytes(NodeId::kSize);
  if (bytes.find_first_not_of('\0') == std::string_view::npos) return NodeId{};
  const auto id = NodeId::Parse(bytes);
  if (!id) return Fail("a node id that is none");
  return *id;
}

// How many of them come behind the header.
struct Counts {
  size_t gossip = 0;
  size_t extensions = 0;
};

Result<PacketType> ReadType(Reader& reader) {
  const auto number = reader.Number<uint16_t>();
  const auto type = static_cast<PacketType>(number);
  if (number > std::to_underlying(PacketType::kPublishShard) || type == PacketType::kModule)
    return Fail(fmt::format("type {} is not known", number));
  return type;
}

// REQUIRES: a whole header is left.
Result<Counts> ReadHeader(Reader& reader, Packet& packet) {
  Counts counts;
  reader.Bytes(kLengthBytes);
  if (const auto version = reader.Number<uint16_t>(); version != kVersion)
    return Fail(fmt::format("version {} is not known", version));
  packet.port = reader.Number<uint16_t>();
  packet.type = TRY(ReadType(reader));
  counts.gossip = reader.Number<uint16_t>();
  packet.current_epoch = reader.Number<uint64_t>();
  packet.config_epoch = reader.Number<uint64_t>();
  packet.offset = reader.Number<uint64_t>();
  packet.sender = TRY(ReadId(reader));
  packet.slots = reader.Slots();
  packet.primary = TRY(ReadIdOrNobody(reader));
  packet.ip = TRY(ReadAddress(reader));
  counts.extensions = reader.Number<uint16_t>();
  reader.Bytes(kHeaderGapBytes);
  packet.plain_port = reader.Number<uint16_t>();
  packet.bus_port = reader.Number<uint16_t>();
  packet.flags = reader.Number<uint16_t>();
  packet.state_ok = reader.Number<uint8_t>() == kStateOk;
  packet.packet_flags = reader.Number<uint8_t>();
  reader.Bytes(2);
  return counts;
}

Status ReadGossip(Reader& reader, size_t count, std::vector<Gossip>& all) {
  if (count > reader.left() / kGossipBytes) return Fail("gossip is cut");
  all.reserve(count);
  for (; count > 0; --count) {
    Gossip& gossip = all.emplace_back();
    gossip.id = TRY(ReadId(reader));
    gossip.ping_sent = reader.Number<uint32_t>();
    gossip.pong_received = reader.Number<uint32_t>();
    gossip.ip = TRY(ReadAddress(reader));
    gossip.port = reader.Number<uint16_t>();
    gossip.bus_port = reader.Number<uint16_t>();
    gossip.flags = reader.Number<uint16_t>();
    gossip.plain_port = reader.Number<uint16_t>();
    reader.Bytes(2);
  }
  return {};
}

// REQUIRES: `data` is whole, without the head.
Status ReadExtension(uint16_t type, std::string_view data, Packet& packet) {
  Reader reader(data);
  switch (Extension{type}) {
    case Extension::kHostname: {
      const auto name = Text(data);
      if (!name || !IsHostname(*name)) return Fail("a host name that is none");
      packet.hostname = *name;
      return {};
    }
    case Extension::kHumanName: {
      const auto name = Text(data);
      if (!name || !IsHumanName(*name)) return Fail("a name that is none");
      packet.human_name = *name;
      return {};
    }
    case Extension::kForgotten: {
      if (data.size() != kForgottenBytes - kExtensionHeadBytes)
        return Fail("a forgotten node of another size");
      Forgotten& forgotten = packet.forgotten.emplace_back();
      forgotten.id = TRY(ReadId(reader));
      forgotten.seconds = reader.Number<uint64_t>();
      return {};
    }
    case Extension::kShard:
      if (data.size() != kShardBytes - kExtensionHeadBytes) return Fail("a shard of another size");
      packet.shard = TRY(ReadId(reader));
      return {};
  }
  return {};  // of a newer node
}

Status ReadExtensions(Reader& reader, size_t count, Packet& packet) {
  for (; count > 0; --count) {
    if (reader.left() < kExtensionHeadBytes) return Fail("extensions are cut");
    const size_t bytes = reader.Number<uint32_t>();
    const auto type = reader.Number<uint16_t>();
    reader.Bytes(2);
    if (bytes < kExtensionHeadBytes || bytes % 8 != 0 || bytes - kExtensionHeadBytes > reader.left())
      return Fail(fmt::format("an extension of {} bytes", bytes));
    TRY_STATUS(ReadExtension(type, reader.Bytes(bytes - kExtensionHeadBytes), packet));
  }
  return {};
}

Status ReadPublish(Reader& reader, Packet& packet) {
  if (reader.left() < kPublishHeadBytes) return Fail("a message is cut");
  const uint64_t channel_bytes = reader.Number<uint32_t>();
  const uint64_t message_bytes = reader.Number<uint32_t>();
  if (channel_bytes + message_bytes != reader.left()) return Fail("a message of another size");
  packet.channel = reader.Bytes(channel_bytes);
  packet.message = reader.Bytes(message_bytes);
  return {};
}

Status ReadData(Reader& reader, const Counts& counts, Packet& packet) {
  if (HasGossip(packet.type)) {
    TRY_STATUS(ReadGossip(reader, counts.gossip, packet.gossip));
    if ((packet.packet_flags & kHasExtensionsFlag) == 0) return {};
    return ReadExtensions(reader, counts.extensions, packet);
  }
  if (IsPublish(packet.type)) return ReadPublish(reader, packet);
  if (reader.left() != DataBytes(packet)) return Fail("another size than its type has");
  if (packet.type == PacketType::kFail) {
    packet.about = TRY(ReadId(reader));
  } else if (packet.type == PacketType::kUpdate) {
    packet.about_epoch = reader.Number<uint64_t>();
    packet.about = TRY(ReadId(reader));
    packet.about_slots = reader.Slots();
  }
  return {};
}

}  // namespace

Result<size_t> PacketLength(std::string_view start) {
  CHECK(start.size() >= kLengthBytes);
  Reader reader(start);
  if (reader.Bytes(kSignature.size()) != kSignature) return Fail("no packet of the cluster bus");
  const size_t length = reader.Number<uint32_t>();
  if (length < kHeaderBytes || length > kPacketBytesMax)
    return Fail(fmt::format("a packet of {} bytes", length));
  return length;
}

PacketType TypeOf(std::string_view packet) {
  CHECK(packet.size() >= kHeaderBytes);
  Reader reader(packet.substr(kTypePlace));
  return static_cast<PacketType>(reader.Number<uint16_t>());
}

std::string Encode(const Packet& packet) {
  const size_t length = kHeaderBytes + DataBytes(packet);
  std::string out(length, '\0');
  Writer writer(out);
  WriteHeader(packet, length, writer);
  if (HasGossip(packet.type)) {
    for (const Gossip& gossip : packet.gossip) WriteGossip(gossip, writer);
    WriteExtensions(packet, writer);
  } else if (IsPublish(packet.type)) {
    writer.Number(Narrow<uint32_t>(packet.channel.size()));
    writer.Number(Narrow<uint32_t>(packet.message.size()));
    writer.Bytes(packet.channel);
    writer.Bytes(packet.message);
  } else if (packet.type == PacketType::kFail) {
    writer.Id(packet.about);
  } else if (packet.type == PacketType::kUpdate) {
    writer.Number(packet.about_epoch);
    writer.Id(packet.about);
    writer.Slots(packet.about_slots);
  }
  return out;
}

Result<Packet> Decode(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return Fail("shorter than a header");
  if (TRY(PacketLength(bytes)) != bytes.size()) return Fail("another length than it says");
  Reader reader(bytes);
  Result<Packet> packet(std::in_place);
  const Counts counts = TRY(ReadHeader(reader, *packet));
  TRY_STATUS(ReadData(reader, counts, *packet));
  if (reader.left() > 0) return Fail("more bytes than its type has");
  return packet;
}

}  // namespace cinnabar::cluster
