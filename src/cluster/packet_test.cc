#include "cluster/packet.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "cluster/corpus_for_test.h"

namespace cinnabar::cluster {
namespace {

constexpr std::string_view kCorpus = "packet_fuzz";

// Where things are in a packet.
constexpr size_t kTypeAt = 12;
constexpr size_t kGossipCountAt = 14;
constexpr size_t kSenderAt = 40;
constexpr size_t kPrimaryAt = 2128;
constexpr size_t kIpAt = 2168;
constexpr size_t kExtensionCountAt = 2214;
constexpr size_t kPacketFlagsAt = 2253;

NodeId Id(char digit) {
  return *NodeId::Parse(std::string(NodeId::kSize, digit));
}

// The number in big endian.
std::string Big(uint64_t number, int bytes) {
  std::string text;
  for (int at = bytes - 1; at >= 0; --at) text += static_cast<char>(number >> (at * 8));
  return text;
}

void Put(std::string& packet, size_t at, std::string_view bytes) {
  packet.replace(at, bytes.size(), bytes);
}

// Says its new length.
std::string WithBytesBehind(std::string packet, std::string_view bytes) {
  packet += bytes;
  Put(packet, 4, Big(packet.size(), 4));
  return packet;
}

std::string WithExtensions(const Packet& packet, uint16_t count, std::string_view bytes) {
  std::string encoded = WithBytesBehind(Encode(packet), bytes);
  Put(encoded, kExtensionCountAt, Big(count, 2));
  encoded[kPacketFlagsAt] |= kHasExtensionsFlag;
  return encoded;
}

std::string ErrorOf(std::string_view bytes) {
  const auto packet = Decode(bytes);
  return packet ? "none" : packet.error().message;
}

// Whatever it is, it is refused or can be written and read again.
void ExpectSane(std::string_view bytes) {
  const auto packet = Decode(bytes);
  if (!packet) return;
  const auto again = Decode(Encode(*packet));
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(*again, *packet);
}

Packet FromNodeA(PacketType type) {
  return {.type = type, .sender = Id('a'), .flags = kPrimaryFlag, .state_ok = true, .port = 7000};
}

// ---- packets of real nodes

struct Recorded {
  std::string_view name;
  PacketType type;
  size_t gossip = 0;
  std::string_view hostname = "none";
};

const Recorded kRecorded[] = {
    {"meet", PacketType::kMeet},
    {"meet_hostname", PacketType::kMeet, 0, "seven77"},
    {"ping", PacketType::kPing, 3},
    {"ping_hostname", PacketType::kPing, 3, "node-0.example.com"},
    {"ping_paused", PacketType::kPing, 3, "node-0.example.com"},
    {"ping_six", PacketType::kPing, 3, "node-0.example.com"},
    {"ping_gossip_of_a_failure", PacketType::kPing, 2, "seven77"},
    {"pong_hostname", PacketType::kPong, 3, "seven77"},
    {"pong_replica", PacketType::kPong, 3, "node-0.example.com"},
    {"fail", PacketType::kFail},
    {"publish", PacketType::kPublish},
    {"publish_empty", PacketType::kPublish},
    {"publish_shard", PacketType::kPublishShard},
    {"vote_request", PacketType::kVoteRequest},
    {"vote_request_forced", PacketType::kVoteRequest},
    {"vote", PacketType::kVote},
    {"update", PacketType::kUpdate},
    {"manual_failover", PacketType::kManualFailover},
};

Packet DecodeRecorded(std::string_view name) {
  auto packet = Decode(CorpusFile(kCorpus, name));
  EXPECT_TRUE(packet) << name << ": " << packet.error().message;
  return packet ? *packet : Packet{};
}

TEST(RecordedPackets, AreReadAndWrittenAsTheyWere) {
  for (const Recorded& recorded : kRecorded) {
    SCOPED_TRACE(recorded.name);
    const std::string bytes = CorpusFile(kCorpus, recorded.name);
    const auto packet = Decode(bytes);
    ASSERT_TRUE(packet) << packet.error().message;
    EXPECT_EQ(packet->type, recorded.type);
    EXPECT_EQ(packet->gossip.size(), recorded.gossip);
    EXPECT_EQ(packet->hostname.value_or("none"), recorded.hostname);
    EXPECT_FALSE(packet->sender.empty());
    EXPECT_EQ(packet->bus_port, packet->port + 10000);
    EXPECT_EQ(PacketLength(std::string_view(bytes).substr(0, kLengthBytes)).value(), bytes.size());
    EXPECT_EQ(Encode(*packet), bytes);
  }
}

TEST(RecordedPackets, AreAllKnownHere) {
  for (const std::string& name : CorpusNames(kCorpus))
    EXPECT_NE(std::ranges::find(kRecorded, name, &Recorded::name), std::end(kRecorded)) << name;
}

TEST(RecordedPackets, SayWhatTheNodesSaid) {
  EXPECT_EQ(DecodeRecorded("meet").flags & kPrimaryFlag, kPrimaryFlag);
  EXPECT_TRUE(DecodeRecorded("meet").primary.empty());
  EXPECT_TRUE(DecodeRecorded("ping").state_ok);
  EXPECT_EQ(DecodeRecorded("ping_paused").packet_flags & kPausedFlag, kPausedFlag);
  EXPECT_EQ(DecodeRecorded("vote_request_forced").packet_flags, kForceVoteFlag);
  EXPECT_EQ(DecodeRecorded("publish").channel, "chan");
  EXPECT_EQ(DecodeRecorded("publish").message, "hello");
  EXPECT_EQ(DecodeRecorded("publish_empty").channel, "");
  EXPECT_EQ(DecodeRecorded("publish_shard").message, "shard message");
  const Packet six = DecodeRecorded("ping_six");
  EXPECT_TRUE(std::ranges::all_of(six.gossip, [](const Gossip& each) { return each.ip == "::1"; }));
  const Packet replica = DecodeRecorded("pong_replica");
  EXPECT_EQ(replica.flags & (kPrimaryFlag | kReplicaFlag), kReplicaFlag);
  EXPECT_FALSE(replica.primary.empty());
  EXPECT_GT(replica.slots.Count(), 5000);
  const Packet update = DecodeRecorded("update");
  EXPECT_FALSE(update.about.empty());
  EXPECT_GT(update.about_epoch, 3u);
  EXPECT_EQ(update.about_slots.Ranges(), (std::vector<SlotRange>{{0, 5460}}));
  EXPECT_FALSE(DecodeRecorded("fail").about.empty());
  const auto& gossip = DecodeRecorded("ping_gossip_of_a_failure").gossip;
  EXPECT_TRUE(std::ranges::any_of(
      gossip, [](const Gossip& each) { return (each.flags & (kMaybeFailedFlag | kFailedFlag)) != 0; }));
  EXPECT_TRUE(std::ranges::all_of(gossip, [](const Gossip& each) {
    return each.ip == "127.0.0.1" && each.port > 0 && each.bus_port == each.port + 10000 &&
           each.plain_port == 0 && each.flags != 0 && each.pong_received > 1'700'000'000;
  }));
  const Packet candidate = DecodeRecorded("vote_request");
  EXPECT_EQ(candidate.current_epoch, 6u);  // asks for a new one
  EXPECT_EQ(candidate.config_epoch, 5u);
  EXPECT_EQ(candidate.offset, 28u);
  EXPECT_FALSE(candidate.state_ok);
}

// ---- extensions of 7.2

TEST(Extensions, StandBehindTheGossipAsRedis72ReadsThem) {
  Packet packet = FromNodeA(PacketType::kPing);
  packet.gossip.push_back({.id = Id('b'), .ip = "10.0.0.2", .port = 1});
  const size_t before = Encode(packet).size();
  packet.hostname = "h234567";
  packet.human_name = "n2345678";
  packet.forgotten = {{.id = Id('c'), .seconds = 60}};
  packet.shard = Id('d');
  const std::string encoded = Encode(packet);
  const std::string padding(7, '\0');
  EXPECT_EQ(encoded.substr(before), Big(16, 4) + Big(0, 2) + Big(0, 2) + "h234567" + Big(0, 1) +  //
                                        Big(24, 4) + Big(1, 2) + Big(0, 2) + "n2345678" + Big(0, 1) +
                                        padding + Big(56, 4) + Big(2, 2) + Big(0, 2) + Id('c').str() +
                                        Big(60, 8) + Big(48, 4) + Big(3, 2) + Big(0, 2) + Id('d').str());
  EXPECT_EQ(encoded.substr(kExtensionCountAt, 2), Big(4, 2));
  EXPECT_EQ(encoded[kPacketFlagsAt], kHasExtensionsFlag);
  packet.packet_flags = kHasExtensionsFlag;
  EXPECT_EQ(Decode(encoded).value(), packet);
}

TEST(Extensions, OfNewerNodesAreSkipped) {
  Packet packet = FromNodeA(PacketType::kPong);
  packet.packet_flags = kHasExtensionsFlag;
  const std::string unknown = Big(16, 4) + Big(77, 2) + Big(0, 2) + "whatever";
  const std::string shard = Big(48, 4) + Big(3, 2) + Big(0, 2) + Id('d').str();
  const auto read = Decode(WithExtensions(packet, 2, unknown + shard));
  packet.shard = Id('d');
  EXPECT_EQ(read.value(), packet);
}

TEST(Extensions, AreReadOnlyWhereThePacketSaysThatItHasThem) {
  std::string bytes = WithExtensions(FromNodeA(PacketType::kPing), 1, Big(8, 4) + Big(77, 2) + Big(0, 2));
  EXPECT_TRUE(Decode(bytes));
  bytes[kPacketFlagsAt] = 0;
  EXPECT_EQ(ErrorOf(bytes), "more bytes than its type has");
}

TEST(Extensions, OfAWrongLengthAreRefused) {
  const auto with = [](std::string_view bytes) {
    return ErrorOf(WithExtensions(FromNodeA(PacketType::kPing), 1, bytes));
  };
  const std::string zeros(8, '\0');
  EXPECT_EQ(with(""), "extensions are cut");
  EXPECT_EQ(with(Big(8, 4) + Big(9, 2)), "extensions are cut");
  EXPECT_EQ(with(Big(0, 4) + Big(9, 2) + Big(0, 2)), "an extension of 0 bytes");
  EXPECT_EQ(with(Big(12, 4) + Big(9, 2) + Big(0, 2) + "abcd"), "an extension of 12 bytes");
  EXPECT_EQ(with(Big(16, 4) + Big(9, 2) + Big(0, 2)), "an extension of 16 bytes");
  EXPECT_EQ(with(Big(0xfffffff8, 4) + Big(9, 2) + Big(0, 2)), "an extension of 4294967288 bytes");
  EXPECT_EQ(with(Big(8, 4) + Big(0, 2) + Big(0, 2)), "a host name that is none");
  EXPECT_EQ(with(Big(16, 4) + Big(0, 2) + Big(0, 2) + "12345678"), "a host name that is none");
  EXPECT_EQ(with(Big(24, 4) + Big(0, 2) + Big(0, 2) + "new\nline" + zeros), "a host name that is none");
  EXPECT_EQ(with(Big(16, 4) + Big(1, 2) + Big(0, 2) + "12345678"), "a name that is none");
  EXPECT_EQ(with(Big(16, 4) + Big(1, 2) + Big(0, 2) + "a b" + Big(0, 5)), "a name that is none");
  EXPECT_EQ(with(Big(16, 4) + Big(1, 2) + Big(0, 2) + "a=b" + Big(0, 5)), "a name that is none");
  EXPECT_EQ(with(Big(16, 4) + Big(1, 2) + Big(0, 2) + "a,b" + Big(0, 5)), "a name that is none");
  EXPECT_EQ(with(Big(48, 4) + Big(2, 2) + Big(0, 2) + Id('c').str()), "a forgotten node of another size");
  EXPECT_EQ(with(Big(56, 4) + Big(3, 2) + Big(0, 2) + Id('c').str() + zeros), "a shard of another size");
  EXPECT_EQ(with(Big(48, 4) + Big(3, 2) + Big(0, 2) + Id('c').str() + "x"), "more bytes than its type has");
  EXPECT_EQ(with(Big(48, 4) + Big(3, 2) + Big(0, 2) + std::string(40, 'g')), "a node id that is none");
  EXPECT_EQ(with(Big(264, 4) + Big(0, 2) + Big(0, 2) + std::string(255, 'h') + Big(0, 1)), "none");
  EXPECT_EQ(with(Big(272, 4) + Big(0, 2) + Big(0, 2) + std::string(256, 'h') + zeros),
            "a host name that is none");
}

// ---- what is refused

TEST(Packets, ThatBeginWrongAreRefused) {
  EXPECT_EQ(PacketLength("RCmb" + Big(2256, 4)).value(), 2256u);
  EXPECT_EQ(PacketLength("RCmb" + Big(kPacketBytesMax, 4)).value(), kPacketBytesMax);
  EXPECT_FALSE(PacketLength("RCmb" + Big(2255, 4)));
  EXPECT_FALSE(PacketLength("RCmb" + Big(kPacketBytesMax + 1, 4)));
  EXPECT_FALSE(PacketLength("RCmb" + Big(0xffffffff, 4)));
  EXPECT_FALSE(PacketLength("RCmB" + Big(2256, 4)));
  EXPECT_FALSE(PacketLength("GET / HT"));
  EXPECT_EQ(ErrorOf(""), "shorter than a header");
  const std::string good = Encode(FromNodeA(PacketType::kVote));
  EXPECT_EQ(ErrorOf(good), "none");
  EXPECT_EQ(ErrorOf(good + "x"), "another length than it says");
}

TEST(Packets, WithAWrongHeaderAreRefused) {
  const auto with = [](size_t at, std::string_view bytes) {
    std::string packet = Encode(FromNodeA(PacketType::kVote));
    Put(packet, at, bytes);
    return ErrorOf(packet);
  };
  EXPECT_EQ(with(8, Big(0, 2)), "version 0 is not known");
  EXPECT_EQ(with(8, Big(2, 2)), "version 2 is not known");
  EXPECT_EQ(with(kTypeAt, Big(9, 2)), "type 9 is not known");
  EXPECT_EQ(with(kTypeAt, Big(11, 2)), "type 11 is not known");
  EXPECT_EQ(with(kTypeAt, Big(0x8004, 2)), "type 32772 is not known");
  EXPECT_EQ(with(kSenderAt, std::string(40, '\0')), "a node id that is none");
  EXPECT_EQ(with(kSenderAt + 39, "G"), "a node id that is none");
  EXPECT_EQ(with(kPrimaryAt, "a"), "a node id that is none");
  EXPECT_EQ(with(kPrimaryAt, Id('b').text()), "none");
  EXPECT_EQ(with(kIpAt, std::string(46, '1')), "an address that is none");
  EXPECT_EQ(with(kIpAt, std::string(45, '1')), "none");
  EXPECT_EQ(with(kIpAt, "10.0.0.1 x"), "an address that is none");
  EXPECT_EQ(with(kIpAt, "10.0.0.1\nvars"), "an address that is none");
}

TEST(Packets, OfAnotherSizeThanTheirTypeAreRefused) {
  for (const PacketType type : {PacketType::kFail, PacketType::kUpdate, PacketType::kVote,
                                PacketType::kVoteRequest, PacketType::kManualFailover}) {
    Packet packet = FromNodeA(type);
    if (type == PacketType::kFail || type == PacketType::kUpdate) packet.about = Id('b');
    const std::string good = Encode(packet);
    EXPECT_EQ(ErrorOf(good), "none");
    EXPECT_EQ(ErrorOf(WithBytesBehind(good, "x")), "another size than its type has");
    if (good.size() == kHeaderBytes) continue;
    EXPECT_EQ(ErrorOf(WithBytesBehind(good.substr(0, good.size() - 1), "")),
              "another size than its type has");
  }
}

TEST(Packets, WhoseGossipDoesNotFitAreRefused) {
  Packet packet = FromNodeA(PacketType::kMeet);
  packet.gossip.assign(3, {.id = Id('b'), .ip = "10.0.0.2"});
  std::string bytes = Encode(packet);
  EXPECT_EQ(ErrorOf(WithBytesBehind(bytes, "x")), "more bytes than its type has");
  Put(bytes, kGossipCountAt, Big(4, 2));
  EXPECT_EQ(ErrorOf(bytes), "gossip is cut");
  Put(bytes, kGossipCountAt, Big(65535, 2));
  EXPECT_EQ(ErrorOf(bytes), "gossip is cut");
  Put(bytes, kGossipCountAt, Big(2, 2));
  EXPECT_EQ(ErrorOf(bytes), "more bytes than its type has");
  Put(bytes, kGossipCountAt, Big(3, 2));
  std::string other = bytes;
  Put(other, kHeaderBytes + 104, "x");
  EXPECT_EQ(ErrorOf(other), "a node id that is none");
  other = bytes;
  Put(other, kHeaderBytes + 104, std::string(40, '\0'));
  EXPECT_EQ(ErrorOf(other), "a node id that is none");
  Put(bytes, kHeaderBytes + 48, "10.0.0.2,x");
  EXPECT_EQ(ErrorOf(bytes), "an address that is none");
}

TEST(Packets, WhoseMessageDoesNotFitAreRefused) {
  Packet packet = FromNodeA(PacketType::kPublish);
  packet.channel = "channel";
  packet.message = "message";
  const std::string good = Encode(packet);
  EXPECT_EQ(Decode(good).value(), packet);
  const auto with = [&](uint64_t channel_bytes, uint64_t message_bytes) {
    std::string bytes = good;
    Put(bytes, kHeaderBytes, Big(channel_bytes, 4) + Big(message_bytes, 4));
    return ErrorOf(bytes);
  };
  EXPECT_EQ(with(7, 7), "none");
  EXPECT_EQ(with(14, 0), "none");
  EXPECT_EQ(with(7, 8), "a message of another size");
  EXPECT_EQ(with(7, 6), "a message of another size");
  EXPECT_EQ(with(0xffffffff, 15), "a message of another size");
  EXPECT_EQ(with(0xffffffff, 0xffffffff), "a message of another size");
  EXPECT_EQ(ErrorOf(WithBytesBehind(good.substr(0, kHeaderBytes + 7), "")), "a message is cut");
}

// ---- any packets

class PacketMaker {
 public:
  explicit PacketMaker(uint64_t seed) : random_(seed) {}

  Packet Make() {
    constexpr PacketType kTypes[] = {
        PacketType::kPing,         PacketType::kPong,          PacketType::kMeet,   PacketType::kFail,
        PacketType::kPublish,      PacketType::kVote,          PacketType::kUpdate, PacketType::kVoteRequest,
        PacketType::kPublishShard, PacketType::kManualFailover};
    Packet packet{.type = kTypes[random_.Uniform(std::size(kTypes))]};
    MakeHeader(packet);
    switch (packet.type) {
      case PacketType::kPing:
      case PacketType::kPong:
      case PacketType::kMeet:
        MakeGossip(packet);
        break;
      case PacketType::kPublish:
      case PacketType::kPublishShard:
        packet.channel = Bytes(100);
        packet.message = Bytes(1000);
        break;
      case PacketType::kUpdate:
        packet.about_epoch = random_.Next();
        packet.about_slots = Slots();
        [[fallthrough]];
      case PacketType::kFail:
        packet.about = NodeId::Make(random_);
        break;
      default:
        break;
    }
    return packet;
  }

  Random& random() { return random_; }

 private:
  void MakeHeader(Packet& packet) {
    packet.sender = NodeId::Make(random_);
    packet.flags = Number();
    packet.packet_flags = static_cast<uint8_t>(random_.Uniform(256));
    packet.state_ok = random_.OneIn(2);
    packet.ip = Ip();
    packet.port = Number();
    packet.bus_port = Number();
    packet.plain_port = Number();
    packet.current_epoch = random_.Next();
    packet.config_epoch = random_.Next();
    packet.offset = random_.Next();
    if (random_.OneIn(2)) packet.primary = NodeId::Make(random_);
    packet.slots = Slots();
  }

  void MakeGossip(Packet& packet) {
    for (uint64_t count = random_.Uniform(5); count > 0; --count) {
      packet.gossip.push_back({.id = NodeId::Make(random_),
                               .ping_sent = static_cast<uint32_t>(random_.Next()),
                               .pong_received = static_cast<uint32_t>(random_.Next()),
                               .ip = Ip(),
                               .port = Number(),
                               .bus_port = Number(),
                               .flags = Number(),
                               .plain_port = Number()});
    }
    if (random_.OneIn(2)) packet.hostname = std::string(random_.Uniform(256), 'h');
    if (random_.OneIn(2)) packet.human_name = std::string(random_.Uniform(256), '!');
    if (random_.OneIn(2)) packet.shard = NodeId::Make(random_);
    for (uint64_t count = random_.Uniform(3); count > 0; --count)
      packet.forgotten.push_back({.id = NodeId::Make(random_), .seconds = random_.Next()});
    const bool extended = packet.hostname || packet.human_name || packet.shard || !packet.forgotten.empty();
    if (extended) packet.packet_flags |= kHasExtensionsFlag;
  }

  uint16_t Number() { return static_cast<uint16_t>(random_.Next()); }
  std::string Ip() {
    constexpr std::string_view kIps[] = {"", "127.0.0.1", "::1", "fe80::1%eth0",
                                         "0000:1111:2222:3333:4444:5555:255.255.255.255"};
    return std::string(kIps[random_.Uniform(std::size(kIps))]);
  }
  std::string Bytes(uint64_t max) {
    std::string bytes(random_.Uniform(max), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_.Next());
    return bytes;
  }
  SlotSet Slots() {
    SlotSet slots;
    for (uint64_t count = random_.Uniform(100); count > 0; --count)
      slots.Add(static_cast<int>(random_.Uniform(kSlots)));
    return slots;
  }

  Random random_;
};

TEST(AnyPacket, GoesRound) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(seed);
    const Packet packet = PacketMaker(seed).Make();
    const std::string bytes = Encode(packet);
    const auto read = Decode(bytes);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(*read, packet);
    ASSERT_EQ(Encode(*read), bytes);
  }
}

// A prefix with its own length in the header, so that more than the first check is met.
TEST(AnyPacket, CutAnywhereIsRefusedOrRead) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    const std::string bytes = Encode(PacketMaker(seed).Make());
    for (size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_FALSE(Decode(std::string_view(bytes).substr(0, size))) << size;
      if (size >= kLengthBytes) ExpectSane(WithBytesBehind(bytes.substr(0, size), ""));
    }
  }
}

TEST(AnyPacket, ChangedAnywhereIsRefusedOrRead) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    PacketMaker maker(seed);
    std::string bytes = Encode(maker.Make());
    for (size_t at = 0; at < bytes.size(); ++at) {
      const char before = bytes[at];
      for (const char after : {'\0', '\xff', static_cast<char>(before ^ 1), static_cast<char>(before ^ 0x80),
                               static_cast<char>(maker.random().Next())}) {
        bytes[at] = after;
        ExpectSane(bytes);
      }
      bytes[at] = before;
    }
  }
}

}  // namespace
}  // namespace cinnabar::cluster
