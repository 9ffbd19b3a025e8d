// Connections of commands to other servers, against sockets of the test.
#include "server/peer_links.h"

#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "dispatch/services_for_test.h"
#include "net/reactor.h"
#include "net/socket.h"

namespace cinnabar::server {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::PeerLink;
using dispatch::Peers;
using Refusal = Peers::Refusal;
using Step = PeerLink::Step;
namespace Flag = dispatch::Flag;

// ASK key host port password: one request and its reply, over a connection that is kept afterwards.
void Ask(Call& call) {
  Peers& peers = *call.services().peers;
  Peers::Opened opened =
      peers.Open(call, {.host = call.arg(2), .port = call.arg(3), .user = {}, .password = call.arg(4)}, 300,
                 Peers::Which::kAny);
  if (opened.link == nullptr)
    return call.reply().Simple(opened.refusal == Refusal::kRefused ? "refused" : "unreachable");
  const std::string kept = opened.link->kept ? "kept " : "new ";
  if (opened.link->Send(call, "PING\r\n", 300) != Step::kDone) return call.reply().Simple(kept + "not sent");
  protocol::Reply reply;
  const Step step = opened.link->Receive(call, reply, 300);
  if (step != Step::kDone)
    return call.reply().Simple(kept + (step == Step::kTimedOut ? "timed out" : "failed"));
  peers.Keep(call, std::move(opened.link));
  call.reply().Simple(kept + reply.text);
}

constexpr CommandSpec kCommands[] = {{.name = "ask",
                                      .summary = "s",
                                      .since = "1",
                                      .group = "string",
                                      .arity = 5,
                                      .flags = Flag::kWrite | Flag::kAwaitsPeer,
                                      .keys = {dispatch::OneKey(dispatch::KeyUse::kRw)},
                                      .run = Ask}};
static_assert(dispatch::Valid(kCommands));

Result<std::string> ResolveForTest(const std::string& host) {
  if (host == "here") return std::string("127.0.0.1");
  return Fail("nobody knows");
}

// A listener whose connections are answered by hand.
class Peer {
 public:
  Peer() : listener_(*net::ListenTcp("127.0.0.1", 0, 16)) {}
  ~Peer() {
    for (int fd : accepted) close(fd);
    close(listener_);
  }
  std::string port() const {
    const std::string name = net::LocalName(listener_);
    return name.substr(name.rfind(':') + 1);
  }
  void AcceptOne() {
    ASSERT_TRUE(net::WaitReady(listener_, net::kReadable, 10 * kNanosPerSecond));
    const Result<net::Accepted> got = net::Accept(listener_);
    ASSERT_TRUE(got.has_value());
    accepted.push_back(got->fd);
  }
  void Say(std::string_view text) {
    ASSERT_EQ(send(accepted.back(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // One request.
  void Hear() {
    char room[64];
    ASSERT_TRUE(net::WaitReady(accepted.back(), net::kReadable, 10 * kNanosPerSecond));
    ASSERT_EQ(recv(accepted.back(), room, sizeof room, 0), 6);
  }
  std::vector<int> accepted;

 private:
  const int listener_;
};

class PeerLinksTest : public dispatch::DispatchTest {
 protected:
  PeerLinksTest() : DispatchTest(kCommands) { services_.peers = &links_; }

  std::string AskPeer(const std::string& host, const std::string& port, const std::string& password = "") {
    return Run({"ask", "k", host, port, password});
  }
  // The peer accepts and answers while the command waits.
  std::string AskNew(const std::string& said, const std::string& password = "") {
    std::thread answering([&] {
      peer_.AcceptOne();
      peer_.Say(said);
    });
    std::string reply = AskPeer("here", peer_.port(), password);
    answering.join();
    return reply;
  }

  Peer peer_;
  TlsContexts tls_{log_};
  PeerLinks links_{services_, tls_, 1, ResolveForTest};
};

TEST_F(PeerLinksTest, AConnectionIsKeptForTheNextCommand) {
  EXPECT_EQ(AskNew("+one\r\n"), "+new one\r\n");
  EXPECT_EQ(links_.kept(), 1u);
  peer_.Hear();
  std::thread answering([&] {
    peer_.Hear();
    peer_.Say("+two\r\n");
  });
  EXPECT_EQ(AskPeer("here", peer_.port()), "+kept two\r\n");
  answering.join();
  EXPECT_EQ(links_.kept(), 1u);
}

// What was said before anybody has asked is no answer.
TEST_F(PeerLinksTest, OneThatSaysMoreMeanwhileIsNotUsedAgain) {
  EXPECT_EQ(AskNew("+one\r\n"), "+new one\r\n");
  peer_.Say("+two\r\n");
  EXPECT_EQ(AskNew("+three\r\n"), "+new three\r\n");
  EXPECT_EQ(links_.kept(), 1u);
}

TEST_F(PeerLinksTest, NobodyIsGivenTheConnectionOfAnother) {
  EXPECT_EQ(AskNew("+one\r\n", "secret"), "+new one\r\n");
  EXPECT_EQ(AskNew("+two\r\n", "other"), "+new two\r\n");
  EXPECT_EQ(AskNew("+three\r\n"), "+new three\r\n");
  EXPECT_EQ(links_.kept(), 3u);
}

TEST_F(PeerLinksTest, OneThatThePeerHasClosedIsReplaced) {
  EXPECT_EQ(AskNew("+one\r\n"), "+new one\r\n");
  close(peer_.accepted.back());
  peer_.accepted.pop_back();
  EXPECT_EQ(AskNew("+two\r\n"), "+new two\r\n");
}

TEST_F(PeerLinksTest, WhatIsNoReplyEndsIt) {
  EXPECT_EQ(AskNew("nonsense\r\n"), "+new failed\r\n");
  EXPECT_EQ(AskNew("$-7\r\n"), "+new failed\r\n");
  EXPECT_EQ(links_.kept(), 0u);
}

TEST_F(PeerLinksTest, MoreThanOneReplyIsNotKept) {
  EXPECT_EQ(AskNew("+one\r\n+more\r\n"), "+new one\r\n");
  EXPECT_EQ(links_.kept(), 0u);
}

TEST_F(PeerLinksTest, SilenceIsATimeout) {
  EXPECT_EQ(AskPeer("here", peer_.port()), "+new timed out\r\n");
  EXPECT_EQ(links_.kept(), 0u);
}

TEST_F(PeerLinksTest, WhereNobodyIs) {
  EXPECT_EQ(AskPeer("nowhere", "1"), "+unreachable\r\n");
  EXPECT_EQ(AskPeer("", "1"), "+unreachable\r\n");
  EXPECT_EQ(AskPeer("here", "none"), "+refused\r\n");
  EXPECT_EQ(AskPeer("here", "70000"), "+refused\r\n");
  int closed = *net::ListenTcp("127.0.0.1", 0, 1);
  const std::string name = net::LocalName(closed);
  close(closed);
  EXPECT_EQ(AskPeer("127.0.0.1", name.substr(name.rfind(':') + 1)), "+refused\r\n");
}

TEST_F(PeerLinksTest, TheyAreNotClosedAtOnce) {
  EXPECT_EQ(AskNew("+one\r\n"), "+new one\r\n");
  links_.Cron(0);
  EXPECT_EQ(links_.kept(), 1u);
}

}  // namespace
}  // namespace cinnabar::server
