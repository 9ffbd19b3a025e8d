// The connections of a sentinel, against sockets of the test. One thread: the loop turns until what is
// awaited has happened.
#include "server/sentinel_links.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <thread>

#include "net/certificates_for_test.h"
#include "net/socket.h"
#include "net/transport.h"
#include "server/link_loop_for_test.h"

namespace cinnabar::server {
namespace {

using sentinel::Address;
using sentinel::ConnectionId;

// A server of the test: its listening socket, and the connection that has come.
class TestServer {
 public:
  TestServer() : listener_(*net::ListenTcp("127.0.0.1", 0, 8)) {}
  ~TestServer() { close(listener_); }

  int port() const {
    const std::string name = net::LocalName(listener_);
    return std::stoi(name.substr(name.rfind(':') + 1));
  }
  Address address() const { return {"127.0.0.1", "127.0.0.1", port()}; }
  bool Accept() {
    accepted_ = *net::Accept(listener_);
    if (accepted_.fd < 0) return false;
    transport_ = std::make_unique<net::SocketTransport>(accepted_.fd);
    return true;
  }
  void UseTls(const TlsContexts& tls) { transport_ = tls.OverAccepted(std::move(transport_)); }
  void Say(const std::string& bytes) { saying_ += bytes; }
  // Moves bytes both ways; returns what has come so far.
  const std::string& Heard() {
    if (transport_ == nullptr) return heard_;
    const iovec part{saying_.data(), saying_.size()};
    saying_.erase(0, transport_->Write({&part, saying_.empty() ? 0u : 1u}).bytes);
    char room[4096];
    net::Transfer got;
    while ((got = transport_->Read(room)).outcome == net::Transfer::Outcome::kMoved)
      heard_.append(room, got.bytes);
    ended_ = got.outcome != net::Transfer::Outcome::kLater;
    return heard_;
  }
  bool Ended() {
    Heard();
    return ended_;
  }
  void Hang() { transport_.reset(); }
  const std::string& peer() const { return accepted_.peer; }

 private:
  int listener_;
  net::Accepted accepted_;
  std::unique_ptr<net::Transport> transport_;
  std::string saying_;
  std::string heard_;
  bool ended_ = false;
};

std::atomic<int> lookups{0};

Result<std::string> ResolveForTest(const std::string& name) {
  ++lookups;
  if (name == "here") return "127.0.0.1";
  return Fail("nobody knows it");
}

class SentinelLinksTest : public ::testing::Test, public LinkListener {
 protected:
  SentinelLinksTest() {
    log_.SetLevel(LogLevel::kNothing);
    lookups = 0;
  }

  void LinkConnected(ConnectionId id, std::string_view local_ip) override {
    Note("connected " + std::to_string(id) + " from " + std::string(local_ip));
  }
  void LinkReceived(ConnectionId id, const protocol::Reply& reply) override {
    Note(std::to_string(id) + ": " + (reply.IsText() ? reply.text : std::to_string(reply.integer)));
  }
  void LinkClosed(ConnectionId id) override { Note("closed " + std::to_string(id)); }

  void Note(const std::string& event) {
    events_.push_back(event);
    if (const auto what = on_event_.find(event); what != on_event_.end()) what->second();
  }
  bool Happened(const std::string& event) const { return std::ranges::count(events_, event) != 0; }
  void Await(const std::string& event) {
    loop_.Until([&] {
      links_.OnTick();
      return Happened(event);
    });
  }
  void Send(ConnectionId id, std::initializer_list<std::string_view> words) {
    links_.Send(id, {words.begin(), words.size()});
  }
  void ConnectTo(TestServer& server, ConnectionId id) {
    links_.Connect(id, server.address());
    Await("connected " + std::to_string(id) + " from 127.0.0.1");
    ASSERT_TRUE(server.Accept());
  }

  Logger log_;
  config::Settings settings_;
  TlsContexts tls_{log_};
  ManualClock clock_;
  TestLoop loop_;
  std::vector<std::string> events_;
  std::map<std::string, std::function<void()>> on_event_;
  SentinelLinks links_{{.loop = loop_,
                        .listener = *this,
                        .tls = tls_,
                        .settings = settings_,
                        .clock = clock_,
                        .log = log_,
                        .resolve = ResolveForTest}};
};

TEST_F(SentinelLinksTest, CarriesCommandsAndReplies) {
  TestServer server;
  links_.Connect(1, server.address());
  EXPECT_TRUE(events_.empty());  // nothing is told from inside
  Send(1, {"TOO", "EARLY"});
  Await("connected 1 from 127.0.0.1");
  ASSERT_TRUE(server.Accept());
  Send(1, {"PING"});
  Send(1, {"PUBLISH", "c", "two words"});
  loop_.Until([&] { return server.Heard().ends_with("two words\r\n"); });
  EXPECT_EQ(server.Heard(), "*1\r\n$4\r\nPING\r\n*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$9\r\ntwo words\r\n");
  for (const char byte : std::string("+PONG\r\n:12\r\n$2\r\nab\r\n")) {
    server.Say(std::string(1, byte));
    server.Heard();
    loop_.Turn();
  }
  Await("1: ab");
  EXPECT_EQ(events_, (std::vector<std::string>{"connected 1 from 127.0.0.1", "1: PONG", "1: 12", "1: ab"}));
  links_.Close(1);
  loop_.Until([&] { return server.Ended(); });
  EXPECT_EQ(links_.count(), 0u);
  EXPECT_EQ(events_.size(), 4u);
}

TEST_F(SentinelLinksTest, TellsThatNobodyListens) {
  const int port = TestServer().port();  // it is gone again
  links_.Connect(1, {"127.0.0.1", "127.0.0.1", port});
  Await("closed 1");
  EXPECT_EQ(events_.size(), 1u);
  EXPECT_EQ(links_.count(), 0u);
}

TEST_F(SentinelLinksTest, ConnectsFromTheConfiguredAddress) {
  TestServer server;
  settings_.network.bind_source_addr = "127.0.0.2";
  links_.Connect(1, server.address());
  Await("connected 1 from 127.0.0.2");
  ASSERT_TRUE(server.Accept());
  EXPECT_TRUE(server.peer().starts_with("127.0.0.2:")) << server.peer();
}

TEST_F(SentinelLinksTest, AnErrorAtOnceIsToldLater) {
  TestServer server;
  settings_.network.bind_source_addr = "203.0.113.1";  // of nobody
  links_.Connect(1, server.address());
  EXPECT_TRUE(events_.empty());
  loop_.Work();
  EXPECT_EQ(events_, std::vector<std::string>{"closed 1"});
}

TEST_F(SentinelLinksTest, AnIpv6AddressIsToldWithoutBrackets) {
  const Result<int> listener = net::ListenTcp("::1", 0, 8);
  if (!listener) GTEST_SKIP() << "no IPv6 here";
  const std::string name = net::LocalName(*listener);
  links_.Connect(1, {"::1", "::1", std::stoi(name.substr(name.rfind(':') + 1))});
  Await("connected 1 from ::1");
  close(*listener);
}

TEST_F(SentinelLinksTest, ClosesWhenWhatComesIsDamaged) {
  TestServer server;
  ConnectTo(server, 1);
  server.Say("+good\r\n?bad\r\n+never\r\n");
  server.Heard();
  Await("closed 1");
  EXPECT_TRUE(Happened("1: good"));
  EXPECT_FALSE(Happened("1: never"));
  loop_.Until([&] { return server.Ended(); });
  EXPECT_EQ(links_.count(), 0u);
}

TEST_F(SentinelLinksTest, RepliesBeforeTheEndAreTold) {
  TestServer server;
  ConnectTo(server, 1);
  server.Say("+last\r\n+cut of");
  server.Heard();
  server.Hang();
  Await("closed 1");
  EXPECT_EQ(events_.size(), 3u);
  EXPECT_EQ(events_[1], "1: last");
}

TEST_F(SentinelLinksTest, MayBeClosedWhileItsBytesAreHandled) {
  TestServer server;
  ConnectTo(server, 1);
  on_event_["1: one"] = [&] {
    Send(1, {"BYE"});
    links_.Close(1);
  };
  server.Say("+one\r\n+two\r\n");
  server.Heard();
  Await("1: one");
  loop_.Until([&] { return server.Ended(); });
  EXPECT_EQ(server.Heard(), "*1\r\n$3\r\nBYE\r\n");
  EXPECT_FALSE(Happened("1: two"));
  EXPECT_FALSE(Happened("closed 1"));
}

TEST_F(SentinelLinksTest, MayBeClosedAsSoonAsItIsConnected) {
  TestServer server;
  on_event_["connected 1 from 127.0.0.1"] = [&] { links_.Close(1); };
  links_.Connect(1, server.address());
  Await("connected 1 from 127.0.0.1");
  ASSERT_TRUE(server.Accept());
  loop_.Until([&] { return server.Ended(); });
  EXPECT_EQ(events_.size(), 1u);
}

TEST_F(SentinelLinksTest, MayBeClosedBeforeItIsConnected) {
  TestServer server;
  links_.Connect(1, server.address());
  links_.Close(1);
  links_.Connect(2, server.address());
  loop_.Work();
  links_.Close(2);
  links_.Connect(3, {"here", "", server.port()});
  loop_.Work();
  links_.Close(3);
  loop_.Until([] { return lookups == 1; });
  for (int turn = 0; turn < 5; ++turn) {
    links_.OnTick();
    loop_.Turn();
  }
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(links_.count(), 0u);
}

TEST_F(SentinelLinksTest, OthersMayBeMadeAndClosedWhileOneEnds) {
  TestServer server, other;
  ConnectTo(server, 1);
  ConnectTo(other, 2);
  on_event_["closed 1"] = [&] {
    links_.Close(2);
    links_.Connect(3, server.address());
  };
  server.Hang();
  Await("connected 3 from 127.0.0.1");
  loop_.Until([&] { return other.Ended(); });
  EXPECT_EQ(links_.count(), 1u);
}

TEST_F(SentinelLinksTest, AnAnswerFromInsideLeaves) {
  TestServer server;
  ConnectTo(server, 1);
  on_event_["1: ask"] = [&] { Send(1, {"ANSWER"}); };
  server.Say("+ask\r\n");
  loop_.Until([&] { return !server.Heard().empty(); });
  EXPECT_EQ(server.Heard(), "*1\r\n$6\r\nANSWER\r\n");
}

TEST_F(SentinelLinksTest, UnsentBytesAreBounded) {
  TestServer server;
  ConnectTo(server, 1);
  const std::string large(1 << 20, 'x');
  size_t sent = 0;
  while (!Happened("closed 1") && sent < 256) {
    Send(1, {large});
    ++sent;
    loop_.Turn();
  }
  EXPECT_TRUE(Happened("closed 1"));
  EXPECT_GE(sent, SentinelLinks::kUnsentBytesMax / large.size());
  EXPECT_EQ(links_.count(), 0u);
}

TEST_F(SentinelLinksTest, ASlowPeerGetsAll) {
  TestServer server;
  ConnectTo(server, 1);
  const std::string large(12 << 20, 'x');
  Send(1, {large});
  Send(1, {"END"});
  loop_.Turn();
  loop_.Until([&] { return server.Heard().ends_with("$3\r\nEND\r\n"); });
  EXPECT_FALSE(Happened("closed 1"));
}

TEST_F(SentinelLinksTest, DoesNotTryForEver) {
  TestServer server;
  links_.Connect(1, server.address());
  loop_.Work();  // the loop tells nothing of the socket
  clock_.AdvanceMillis(SentinelLinks::kConnectPatience);
  links_.OnTick();
  EXPECT_TRUE(events_.empty());
  clock_.AdvanceMillis(1);
  links_.OnTick();
  EXPECT_EQ(events_, std::vector<std::string>{"closed 1"});
  loop_.Turn();
  EXPECT_EQ(events_.size(), 1u);
}

TEST_F(SentinelLinksTest, LooksNamesUp) {
  TestServer server;
  links_.Connect(1, {"here", "127.0.0.9", server.port()});
  links_.Connect(2, {"here", "", server.port()});
  Await("connected 1 from 127.0.0.1");
  Await("connected 2 from 127.0.0.1");
  EXPECT_EQ(lookups, 1);
  links_.Connect(3, {"here", "127.0.0.1", server.port()});
  Await("connected 3 from 127.0.0.1");
  EXPECT_EQ(lookups, 2);
}

TEST_F(SentinelLinksTest, ANameThatNobodyKnowsCountsAsBefore) {
  TestServer server;
  links_.Connect(1, {"nowhere", "127.0.0.1", server.port()});
  Await("connected 1 from 127.0.0.1");
  links_.Connect(2, {"nowhere", "", server.port()});
  Await("closed 2");
  links_.Connect(3, {"nowhere", "nowhere", server.port()});
  Await("closed 3");
}

TEST_F(SentinelLinksTest, NothingIsHandledWhileACommandIsInTheMiddle) {
  TestServer server;
  ConnectTo(server, 1);
  loop_.interrupted = true;
  server.Say("+reply\r\n");
  server.Heard();
  for (int turn = 0; turn < 5; ++turn) loop_.Turn();
  EXPECT_FALSE(Happened("1: reply"));
  loop_.interrupted = false;
  Await("1: reply");
}

class SentinelTlsLinksTest : public SentinelLinksTest {
 protected:
  SentinelTlsLinksTest() {
    const net::TlsIdentity identity = authority_.Issue("one");
    settings_.tls.replication = true;
    settings_.tls.cert_file = identity.cert_file;
    settings_.tls.key_file = identity.key_file;
    settings_.tls.ca_cert_file = authority_.ca_file();
    EXPECT_TRUE(tls_.Apply(settings_).has_value());
  }

  net::TestFolder folder_;
  net::TestAuthority authority_{folder_, "test"};
};

TEST_F(SentinelTlsLinksTest, SpeaksTls) {
  TestServer server;
  links_.Connect(1, server.address());
  loop_.Until([&] { return server.Accept(); });
  server.UseTls(tls_);
  loop_.Until([&] {
    server.Heard();
    return Happened("connected 1 from 127.0.0.1");
  });
  Send(1, {"PING"});
  loop_.Until([&] { return server.Heard() == "*1\r\n$4\r\nPING\r\n"; });
  // More than one record, and more than one read.
  std::string replies;
  for (int i = 0; i < 20'000; ++i) replies += ":" + std::to_string(i) + "\r\n";
  server.Say(replies + "+end\r\n");
  loop_.Until([&] {
    server.Heard();
    return Happened("1: end");
  });
  EXPECT_EQ(events_.size(), 20'002u);
  links_.Close(1);
  loop_.Until([&] { return server.Ended(); });
}

TEST_F(SentinelTlsLinksTest, APeerWithoutTlsIsNotConnected) {
  TestServer server;
  links_.Connect(1, server.address());
  loop_.Until([&] { return server.Accept(); });
  server.Say("-ERR what is that\r\n");
  loop_.Until([&] {
    server.Heard();
    return Happened("closed 1");
  });
  EXPECT_EQ(events_.size(), 1u);
}

TEST_F(SentinelTlsLinksTest, APeerThatDoesNotAnswerIsNotWaitedFor) {
  TestServer server;
  links_.Connect(1, server.address());
  loop_.Until([&] { return server.Accept(); });
  loop_.Until([&] { return !server.Heard().empty(); });
  EXPECT_TRUE(events_.empty());
  clock_.AdvanceMillis(SentinelLinks::kConnectPatience + 1);
  Await("closed 1");
}

}  // namespace
}  // namespace cinnabar::server
