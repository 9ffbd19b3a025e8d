// What packets cost: how often memory is asked for.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "base/random.h"
#include "cluster/packet.h"

namespace {

thread_local size_t allocations = 0;

}  // namespace

// Of the whole test program. Not inlined: the compiler would see memory of `new` that goes to free().
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace cinnabar::cluster {
namespace {

template <typename Work>
size_t Allocations(Work&& work) {
  const size_t before = allocations;
  work();
  return allocations - before;
}

Packet PingAbout(int nodes, std::string_view ip) {
  Random random(1);
  Packet packet{.sender = NodeId::Make(random), .ip = "10.0.0.1"};
  for (int node = 0; node < nodes; ++node)
    packet.gossip.push_back({.id = NodeId::Make(random), .ip = std::string(ip), .port = 6379});
  return packet;
}

TEST(PacketCost, EncodeAllocatesOnce) {
  Packet ping = PingAbout(50, "10.0.0.2");
  ping.hostname = "a.host.whose.name.is.longer.than.others";
  std::string bytes;
  EXPECT_EQ(Allocations([&] { bytes = Encode(ping); }), 1u);
  Packet publish = PingAbout(0, "");
  publish.type = PacketType::kPublish;
  publish.channel = "channel";
  publish.message = std::string(100'000, 'm');
  EXPECT_EQ(Allocations([&] { bytes = Encode(publish); }), 1u);
}

TEST(PacketCost, DecodeAllocatesTheGossipAndLongAddresses) {
  const std::string short_ips = Encode(PingAbout(50, "255.255.255.255"));
  EXPECT_EQ(Allocations([&] { EXPECT_TRUE(Decode(short_ips)); }), 1u);
  const std::string long_ips = Encode(PingAbout(50, "2001:db8:1111:2222::1"));
  EXPECT_EQ(Allocations([&] { EXPECT_TRUE(Decode(long_ips)); }), 51u);
}

}  // namespace
}  // namespace cinnabar::cluster
