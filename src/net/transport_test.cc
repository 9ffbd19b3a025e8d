// The plain transport over real sockets.
#include "net/transport.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "net/socket.h"

namespace cinnabar::net {
namespace {

using Outcome = Transfer::Outcome;

class SocketTransportTest : public testing::Test {
 protected:
  void SetUp() override {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    transport_ = std::make_unique<SocketTransport>(pair[0]);
    peer_ = pair[1];
  }
  void TearDown() override { ClosePeer(); }
  void ClosePeer() {
    if (peer_ >= 0) close(peer_);
    peer_ = -1;
  }

  Transfer Read(size_t room = 100) {
    text_.assign(room, '\0');
    const Transfer transfer = transport_->Read(text_);
    text_.resize(transfer.bytes);
    return transfer;
  }
  Transfer Write(std::vector<std::string> texts) {
    std::vector<iovec> parts;
    for (std::string& text : texts) parts.push_back({text.data(), text.size()});
    return transport_->Write(parts);
  }
  // All that has arrived at the other end.
  std::string TakeAtPeer() {
    std::string all(1 << 20, '\0');
    size_t size = 0;
    ssize_t got = 0;
    while (size < all.size() && (got = read(peer_, all.data() + size, all.size() - size)) > 0)
      size += static_cast<size_t>(got);
    all.resize(size);
    return all;
  }

  std::unique_ptr<Transport> transport_;
  int peer_ = -1;
  std::string text_;
};

TEST_F(SocketTransportTest, MovesBytesBothWays) {
  EXPECT_EQ(Read().outcome, Outcome::kLater);
  ASSERT_EQ(write(peer_, "hello", 5), 5);
  EXPECT_EQ(Read(3).outcome, Outcome::kMoved);
  EXPECT_EQ(text_, "hel");
  Read();
  EXPECT_EQ(text_, "lo");
  EXPECT_EQ(Read().outcome, Outcome::kLater);
  EXPECT_EQ(Write({"one"}).bytes, 3u);
  EXPECT_EQ(Write({"two", "", "three"}).bytes, 8u);
  EXPECT_EQ(TakeAtPeer(), "onetwothree");
}

TEST_F(SocketTransportTest, ReadinessIsAllThatItNeeds) {
  EXPECT_EQ(transport_->pending(), 0u);
  EXPECT_FALSE(transport_->unsent());
  EXPECT_FALSE(transport_->awaits_peer());
  for (uint32_t wanted : {0u, uint32_t{kReadable}, uint32_t{kWritable}, uint32_t{kReadable | kWritable}}) {
    EXPECT_EQ(transport_->Interest(wanted), wanted);
  }
}

// The kernel takes what fits: first a part, then nothing, then again when the peer has read.
TEST_F(SocketTransportTest, AFullSocketTakesAPartAndThenNothing) {
  const std::string large(8 << 20, 'x');
  size_t sent = 0;
  Transfer transfer = Write({large});
  EXPECT_LT(transfer.bytes, large.size());
  while (transfer.outcome == Outcome::kMoved) {
    ASSERT_GT(transfer.bytes, 0u);
    sent += transfer.bytes;
    transfer = Write({large});
  }
  EXPECT_EQ(transfer.outcome, Outcome::kLater);
  EXPECT_EQ(transfer.bytes, 0u);
  EXPECT_EQ(TakeAtPeer().size(), sent);
  EXPECT_EQ(Write({"more"}).bytes, 4u);
}

TEST_F(SocketTransportTest, APartMayEndInsideOne) {
  const int small = 4096;
  ASSERT_EQ(setsockopt(transport_->fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  std::string expected;
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i) {
    texts.push_back(std::string(1000, static_cast<char>('a' + i % 26)));
    expected += texts.back();
  }
  const Transfer transfer = Write(texts);
  ASSERT_EQ(transfer.outcome, Outcome::kMoved);
  ASSERT_LT(transfer.bytes, expected.size());
  EXPECT_EQ(TakeAtPeer(), expected.substr(0, transfer.bytes));
}

TEST_F(SocketTransportTest, WritingNothingMovesNothing) {
  EXPECT_EQ(transport_->Write({}).outcome, Outcome::kLater);
}

TEST_F(SocketTransportTest, APeerThatHasClosedEndsReading) {
  ASSERT_EQ(write(peer_, "last", 4), 4);
  ClosePeer();
  EXPECT_EQ(Read().bytes, 4u);
  EXPECT_EQ(Read().outcome, Outcome::kEnded);
  const Transfer transfer = Write({"x"});
  EXPECT_EQ(transfer.outcome, Outcome::kFailed);
  EXPECT_EQ(transfer.error, EPIPE);
}

TEST_F(SocketTransportTest, AHalfClosedPeerStillTakesBytes) {
  ASSERT_EQ(shutdown(peer_, SHUT_WR), 0);
  EXPECT_EQ(Read().outcome, Outcome::kEnded);
  EXPECT_EQ(Write({"reply"}).bytes, 5u);
  EXPECT_EQ(TakeAtPeer(), "reply");
}

TEST_F(SocketTransportTest, ShutdownIsSeenByThePeerAndKeepsTheDescriptor) {
  transport_->Shutdown();
  char byte;
  EXPECT_EQ(read(peer_, &byte, 1), 0);
  EXPECT_EQ(Read().outcome, Outcome::kEnded);
  EXPECT_EQ(Write({"x"}).outcome, Outcome::kFailed);
  EXPECT_GE(transport_->fd(), 0);
  transport_.reset();
}

TEST_F(SocketTransportTest, ItsEndClosesTheDescriptor) {
  const int fd = transport_->fd();
  transport_.reset();
  char byte;
  EXPECT_EQ(read(peer_, &byte, 1), 0);
  EXPECT_EQ(read(fd, &byte, 1), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST(SocketTransportOverTcp, AResetFailsBothWays) {
  const int listener = ListenTcp("127.0.0.1", 0, 16).value();
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  auto reactor = MakeEpollReactor().value();
  std::vector<Event> room(8);
  int token = 0;
  ASSERT_TRUE(reactor->Add(listener, kReadable, &token).has_value());
  reactor->Wait(-1, room);
  SocketTransport transport(Accept(listener).value().fd);
  ASSERT_GE(transport.fd(), 0);
  reactor->Remove(listener);
  // A socket that is closed without lingering sends a reset.
  const linger none{.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(setsockopt(client, SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
  close(client);
  ASSERT_TRUE(reactor->Add(transport.fd(), kReadable, &token).has_value());
  ASSERT_EQ(reactor->Wait(-1, room).size(), 1u);
  char bytes[10];
  const Transfer read = transport.Read(bytes);
  EXPECT_EQ(read.outcome, Outcome::kFailed);
  EXPECT_EQ(read.error, ECONNRESET);
  const iovec part{bytes, sizeof bytes};
  EXPECT_EQ(transport.Write({&part, 1}).outcome, Outcome::kFailed);
  close(listener);
}

}  // namespace
}  // namespace cinnabar::net
