// Sockets and the reactor, over real descriptors.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "net/reactor.h"
#include "net/socket.h"

namespace cinnabar::net {
namespace {

class Net : public testing::Test {
 protected:
  void SetUp() override {
    auto made = MakeEpollReactor();
    ASSERT_TRUE(made.has_value()) << made.error().message;
    reactor_ = std::move(*made);
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair_), 0);
  }
  void TearDown() override {
    close(pair_[0]);
    close(pair_[1]);
  }
  void Send() { ASSERT_EQ(write(pair_[1], "x", 1), 1); }

  std::unique_ptr<Reactor> reactor_;
  int pair_[2];
  int token_ = 0;
  std::array<Event, 8> room_;
};

TEST_F(Net, ReportsWhatIsReadyAndWanted) {
  ASSERT_TRUE(reactor_->Add(pair_[0], kReadable, &token_).has_value());
  EXPECT_TRUE(reactor_->Wait(0, room_).empty());
  Send();
  auto events = reactor_->Wait(-1, room_);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].token, &token_);
  EXPECT_EQ(events[0].ready, uint32_t{kReadable});
  EXPECT_EQ(reactor_->Wait(0, room_).size(), 1u) << "level-triggered";

  reactor_->Change(pair_[0], kWritable, &token_);
  events = reactor_->Wait(-1, room_);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].ready, uint32_t{kWritable});

  reactor_->Remove(pair_[0]);
  EXPECT_TRUE(reactor_->Wait(0, room_).empty());
}

TEST_F(Net, OthersSeeWhetherAnythingIsReady) {
  ASSERT_TRUE(reactor_->Add(pair_[0], kReadable, &token_).has_value());
  EXPECT_FALSE(reactor_->Ready());
  Send();
  std::thread([&] { EXPECT_TRUE(reactor_->Ready()); }).join();
  EXPECT_EQ(reactor_->Wait(0, room_).size(), 1u) << "it takes nothing away";
  EXPECT_TRUE(reactor_->Ready()) << "nobody has read it yet";
  char byte;
  ASSERT_EQ(read(pair_[0], &byte, 1), 1);
  EXPECT_FALSE(reactor_->Ready());
  reactor_->Wake();
  EXPECT_TRUE(reactor_->Ready());
}

TEST_F(Net, AHangUpMakesBothReady) {
  ASSERT_TRUE(reactor_->Add(pair_[0], kReadable | kWritable, &token_).has_value());
  close(pair_[1]);
  auto events = reactor_->Wait(-1, room_);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].ready, kReadable | kWritable | kHungUp);
  pair_[1] = -1;
}

TEST_F(Net, BytesAreNoHangUp) {
  ASSERT_TRUE(reactor_->Add(pair_[0], kReadable, &token_).has_value());
  ASSERT_EQ(write(pair_[1], "x", 1), 1);
  auto events = reactor_->Wait(-1, room_);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].ready, uint32_t{kReadable});
}

TEST_F(Net, AddingTwiceIsAnError) {
  ASSERT_TRUE(reactor_->Add(pair_[0], kReadable, &token_).has_value());
  Status again = reactor_->Add(pair_[0], kReadable, &token_);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, EEXIST);
}

TEST_F(Net, WakeEndsAWaitFromAnyThread) {
  for (int round = 0; round < 100; ++round) {
    std::thread waker([this] { reactor_->Wake(); });
    EXPECT_TRUE(reactor_->Wait(-1, room_).empty());
    waker.join();
  }
  reactor_->Wake();
  reactor_->Wake();
  EXPECT_TRUE(reactor_->Wait(-1, room_).empty());
}

// Accepts what was connected before; a connection of another kind may take a moment to arrive.
Accepted AcceptOne(Reactor& reactor, int listener) {
  int token = 0;
  EXPECT_TRUE(reactor.Add(listener, kReadable, &token).has_value());
  std::array<Event, 1> room;
  reactor.Wait(10000, room);
  auto accepted = Accept(listener);
  reactor.Remove(listener);
  return accepted.value_or(Accepted{});
}

TEST_F(Net, TcpAcceptsWithAddresses) {
  auto listener = ListenTcp("127.0.0.1", 0, 16);
  ASSERT_TRUE(listener.has_value()) << listener.error().message;
  EXPECT_EQ(Accept(*listener).value().fd, -1) << "nobody waits";
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ASSERT_EQ(getsockname(*listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const Accepted accepted = AcceptOne(*reactor_, *listener);
  ASSERT_GE(accepted.fd, 0);
  EXPECT_TRUE(accepted.loopback);
  EXPECT_FALSE(accepted.unix_socket);
  EXPECT_TRUE(accepted.peer.starts_with("127.0.0.1:")) << accepted.peer;
  EXPECT_EQ(accepted.local, "127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  SetNoDelay(accepted.fd);
  SetKeepAlive(accepted.fd, 60);
  int on = 0;
  length = sizeof on;
  getsockopt(accepted.fd, SOL_SOCKET, SO_KEEPALIVE, &on, &length);
  EXPECT_NE(on, 0);

  auto second = ListenTcp("127.0.0.1", ntohs(address.sin_port), 16);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, EADDRINUSE);
  close(client);
  close(accepted.fd);
  close(*listener);
}

TEST_F(Net, UnixSocketsReplaceAStaleFileAndSetTheMode) {
  std::string directory = testing::TempDir() + "cinnabar_net_XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/socket";
  close(ListenUnix(path, 0, 16).value());
  const int listener = ListenUnix(path, 0700, 16).value();
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const Accepted accepted = AcceptOne(*reactor_, listener);
  ASSERT_GE(accepted.fd, 0);
  EXPECT_TRUE(accepted.unix_socket);
  EXPECT_EQ(accepted.peer, path + ":0");
  for (int fd : {client, accepted.fd, listener}) close(fd);
  std::filesystem::remove_all(directory);
}

TEST(Listen, ErrorsSayWhy) {
  EXPECT_EQ(ListenUnix(std::string(200, 'x'), 0, 16).error().code, ENAMETOOLONG);
  EXPECT_EQ(ListenUnix("/nowhere/at/all", 0, 16).error().code, ENOENT);
  EXPECT_FALSE(ListenTcp("not an address", 1, 16).has_value());
}

}  // namespace
}  // namespace cinnabar::net
