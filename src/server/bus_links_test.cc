// The connections of the cluster bus: two ends in one thread, whose loop turns until what is awaited has
// happened.
#include "server/bus_links.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "cluster/packet.h"
#include "net/certificates_for_test.h"
#include "net/socket.h"
#include "net/transport.h"
#include "server/link_loop_for_test.h"

namespace cinnabar::server {
namespace {

using cluster::LinkId;
using cluster::Packet;
using cluster::PacketType;

std::shared_ptr<const std::string> Message(std::string text) {
  Packet packet;
  packet.type = PacketType::kPublish;
  packet.sender = *cluster::NodeId::Parse("0123456789012345678901234567890123456789");
  packet.channel = "c";
  packet.message = std::move(text);
  return std::make_shared<const std::string>(cluster::Encode(packet));
}

// One end: what it hears of its links.
class End final : public BusUser {
 public:
  End(TestLoop& loop, const TlsContexts& tls, const config::Settings& settings, const Clock& clock,
      Logger& log, LinkId first)
      : links_({.loop = loop,
                .user = *this,
                .tls = tls,
                .settings = settings,
                .clock = clock,
                .log = log,
                .resolve = [](const std::string& name) -> Result<std::string> {
                  if (name == "here") return "127.0.0.1";
                  return Fail("nobody knows it");
                }}),
        last_(first) {}

  LinkId LinkAccepted(std::string_view peer_ip) override {
    ++accepted;
    from = peer_ip;
    return ++last_;
  }
  void LinkConnected(LinkId /*link*/) override { ++connected; }
  void LinkReceived(LinkId link, std::string_view packet, std::string_view local_ip) override {
    heard.emplace_back(packet);
    local = local_ip;
    if (on_packet) on_packet(link);
  }
  void LinkClosed(LinkId /*link*/) override { ++closed; }

  BusLinks& links() { return links_; }
  LinkId NewLink() { return ++last_; }
  LinkId last() const { return last_; }

  int accepted = 0, connected = 0, closed = 0;
  std::string from, local;
  std::vector<std::string> heard;
  std::function<void(LinkId)> on_packet;

 private:
  BusLinks links_;
  LinkId last_;
};

class BusLinksTest : public ::testing::Test {
 protected:
  BusLinksTest() {
    log_.SetLevel(LogLevel::kNothing);
    settings_.network.bind = {"127.0.0.1", "-::1"};
  }

  void Listen() {
    const int probe = *net::ListenTcp("127.0.0.1", 0, 1);
    const std::string name = net::LocalName(probe);
    port_ = std::stoi(name.substr(name.rfind(':') + 1));
    close(probe);
    ASSERT_TRUE(there_.links().Open(port_).has_value());
    ASSERT_TRUE(there_.links().Register().has_value());
  }
  LinkId ConnectTo(const std::string& ip) {
    const LinkId link = here_.NewLink();
    here_.links().Connect(link, ip, port_);
    loop_.Until([&] {
      here_.links().OnTick();
      return here_.connected == 1;
    });
    return link;
  }
  // A stranger who says these bytes.
  int Stranger(std::string_view bytes) {
    const int fd = *net::BeginConnect("127.0.0.1", port_, "");
    EXPECT_TRUE(net::WaitReady(fd, net::kWritable, 5 * kNanosPerSecond));
    EXPECT_EQ(send(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return fd;
  }

  Logger log_;
  config::Settings settings_;
  TlsContexts tls_{log_};
  ManualClock clock_;
  TestLoop loop_;
  int port_ = 0;
  End there_{loop_, tls_, settings_, clock_, log_, 100};
  End here_{loop_, tls_, settings_, clock_, log_, 0};
};

TEST_F(BusLinksTest, CarriesPacketsBothWays) {
  Listen();
  const LinkId link = ConnectTo("127.0.0.1");
  const auto small = Message("small"), large = Message(std::string(3 << 20, 'x'));
  here_.links().Send(link, small);
  here_.links().Send(link, large);
  here_.links().Send(link, small);
  loop_.Until([&] { return there_.heard.size() == 3; });
  EXPECT_EQ(there_.heard, (std::vector<std::string>{*small, *large, *small}));
  EXPECT_EQ(there_.from, "127.0.0.1");
  EXPECT_EQ(there_.local, "127.0.0.1");
  there_.links().Send(there_.last(), large);
  loop_.Until([&] { return here_.heard.size() == 1; });
  EXPECT_EQ(here_.heard.front(), *large);
  EXPECT_EQ(here_.links().SendBufferOf(link).used, 0u);
  EXPECT_EQ(here_.closed + there_.closed, 0);
}

TEST_F(BusLinksTest, FindsNodesThatAnnounceAName) {
  Listen();
  const LinkId link = ConnectTo("here");
  here_.links().Send(link, Message("m"));
  loop_.Until([&] { return there_.heard.size() == 1; });
  here_.links().Connect(here_.NewLink(), "nowhere", port_);
  loop_.Until([&] {
    here_.links().OnTick();
    return here_.closed == 1;
  });
}

TEST_F(BusLinksTest, TellsOfConnectionsThatDoNotComeAbout) {
  Listen();
  there_.links().StopListening();
  here_.links().Connect(here_.NewLink(), "127.0.0.1", port_);
  EXPECT_EQ(here_.closed, 0);  // nothing is told from inside
  loop_.Until([&] { return here_.closed == 1; });
  EXPECT_EQ(here_.links().count(), 0u);
}

TEST_F(BusLinksTest, APacketMayComeInPieces) {
  Listen();
  const std::string packet = *Message("in pieces");
  const int fd = Stranger(packet.substr(0, 5));
  for (size_t sent = 5; sent < packet.size(); sent += 700) {
    loop_.Turn();
    EXPECT_TRUE(there_.heard.empty());
    const std::string piece = packet.substr(sent, 700);
    ASSERT_EQ(send(fd, piece.data(), piece.size(), 0), static_cast<ssize_t>(piece.size()));
  }
  loop_.Until([&] { return there_.heard.size() == 1; });
  EXPECT_EQ(there_.heard.front(), packet);
  close(fd);
  loop_.Until([&] { return there_.closed == 1; });
}

TEST_F(BusLinksTest, WhatIsNoPacketEndsTheLink) {
  Listen();
  std::string endless = *Message("m");
  std::fill_n(endless.begin() + 4, 4, '\xff');  // 4 GiB
  for (const std::string& bytes :
       {std::string("PING\r\nPING\r\n"), endless, std::string("RCmb\0\0\0\1", 8)}) {
    const int before = there_.closed;
    const int fd = Stranger(bytes);
    loop_.Until([&] { return there_.closed == before + 1; });
    close(fd);
  }
  EXPECT_TRUE(there_.heard.empty());
  EXPECT_EQ(there_.links().count(), 0u);
}

TEST_F(BusLinksTest, AStrangerWhoSaysNothingIsSentAway) {
  Listen();
  const int fd = Stranger("RC");
  loop_.Until([&] { return there_.accepted == 1; });
  loop_.Turn();
  clock_.AdvanceMillis(2 * settings_.cluster.node_timeout_millis + 1000);
  there_.links().OnTick();
  EXPECT_EQ(there_.closed, 1);
  close(fd);
}

TEST_F(BusLinksTest, TheUserMayCloseTheLinkThatItHearsFrom) {
  Listen();
  const LinkId link = ConnectTo("127.0.0.1");
  there_.on_packet = [this](LinkId heard) { there_.links().Close(heard); };
  for (int i = 0; i < 3; ++i) here_.links().Send(link, Message("m"));
  loop_.Until([&] { return here_.closed == 1; });
  EXPECT_EQ(there_.heard.size(), 1u);
  EXPECT_EQ(there_.closed, 0);
}

TEST_F(BusLinksTest, WhatWasSaidBeforeTheEndIsHeard) {
  Listen();
  const LinkId link = ConnectTo("127.0.0.1");
  here_.links().Send(link, Message("farewell"));
  here_.links().Close(link);
  loop_.Until([&] { return there_.closed == 1; });
  EXPECT_EQ(there_.heard.size(), 1u);
}

TEST_F(BusLinksTest, APeerThatTakesNothingIsGivenUpAtTheLimit) {
  Listen();
  // The stranger reads nothing.
  const int fd = Stranger(*Message("hello"));
  loop_.Until([&] { return there_.heard.size() == 1; });
  settings_.cluster.link_sendbuf_limit_bytes = 8 << 20;
  const auto large = Message(std::string(1 << 20, 'x'));
  for (int i = 0; i < 64 && there_.closed == 0; ++i) {
    there_.links().Send(there_.last(), large);
    loop_.Turn();
  }
  EXPECT_EQ(there_.closed, 1);
  EXPECT_EQ(there_.links().over_limit(), 1u);
  EXPECT_EQ(there_.links().memory(), 0u);
  close(fd);
}

TEST_F(BusLinksTest, SpeaksTls) {
  const net::TestFolder folder;
  const net::TestAuthority authority{folder, "authority"};
  const net::TlsIdentity identity = authority.Issue("node");
  settings_.tls.cluster = true;
  settings_.tls.cert_file = identity.cert_file;
  settings_.tls.key_file = identity.key_file;
  settings_.tls.ca_cert_file = authority.ca_file();
  ASSERT_TRUE(tls_.Apply(settings_).has_value());
  Listen();
  const LinkId link = ConnectTo("127.0.0.1");
  const auto large = Message(std::string(1 << 20, 'x'));
  here_.links().Send(link, large);
  loop_.Until([&] { return there_.heard.size() == 1; });
  there_.links().Send(there_.last(), large);
  loop_.Until([&] { return here_.heard.size() == 1; });
  EXPECT_EQ(here_.heard.front(), *large);
  // Who does not speak it is sent away.
  const int fd = Stranger(*Message("plain"));
  loop_.Until([&] { return there_.closed == 1; });
  EXPECT_EQ(there_.heard.size(), 1u);
  close(fd);
}

}  // namespace
}  // namespace cinnabar::server
