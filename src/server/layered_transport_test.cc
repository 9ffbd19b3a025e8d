// A core serves connections whose transport is a layer: bytes that are pending without an event, bytes that
// leave later than they were taken.
//
// CINNABAR_TEST_SEED repeats a run.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "server/layered_transport_for_test.h"
#include "server/server.h"

namespace cinnabar::server {
namespace {

uint64_t Seed() {
  const char* text = std::getenv("CINNABAR_TEST_SEED");
  return text == nullptr ? std::random_device{}() : std::strtoull(text, nullptr, 10);
}

std::string Request(const std::vector<std::string>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return text;
}

std::string Bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

// A server with two cores on a Unix socket, while it lives. Its clients run on other threads.
class LayeredServer {
 public:
  explicit LayeredServer(uint64_t seed) : files_(config::MakeSystemConfigFiles()), config_(*files_) {
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
    config_.Mutable().general.threads = 2;
    config_.Mutable().network.port = 0;
    config_.Mutable().network.unixsocket = directory_ + "/socket";
    config_.Mutable().persistence.dir = directory_;
    config_.Mutable().persistence.save = {};
    log_.SetLevel(LogLevel::kNothing);
    ServerOptions options{.program = "test"};
    options.make_transport = [this, seed](int fd) -> std::unique_ptr<net::Transport> {
      return std::make_unique<LayeredTransport>(std::make_unique<net::SocketTransport>(fd), seed + made_++);
    };
    server_ = std::make_unique<Server>(config_, log_, std::move(options));
    const Status listening = server_->Listen();
    EXPECT_TRUE(listening.has_value()) << listening.error().message;
  }
  ~LayeredServer() {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  // Runs it until `work`, on a thread of its own, has ended.
  void RunWhile(const std::function<void()>& work) {
    std::thread client([&] {
      work();
      server_->Stop();
    });
    server_->Run();
    client.join();
  }

  int Connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, config_.settings().network.unixsocket.c_str(),
                config_.settings().network.unixsocket.size() + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    // An answer that never comes fails the test instead of hanging it.
    const timeval patience{60, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

 private:
  std::string directory_ = ::testing::TempDir() + "cinnabar_layered_XXXXXX";
  std::unique_ptr<config::ConfigFiles> files_;
  config::Config config_;
  Logger log_;
  std::atomic<uint64_t> made_{0};
  std::unique_ptr<Server> server_;
};

void SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(sent, 0);
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string ReceiveToTheEnd(int fd) {
  std::string all;
  char bytes[65536];
  ssize_t got = 0;
  while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0) all.append(bytes, static_cast<size_t>(got));
  EXPECT_EQ(got, 0) << "no end after " << all.size() << " bytes";
  return all;
}

std::string Receive(int fd, size_t size) {
  std::string text(size, '\0');
  const ssize_t got = recv(fd, text.data(), size, MSG_WAITALL);
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return text;
}

// All at once, and QUIT behind it: every byte of every reply arrives before the end.
TEST(LayeredTransport, APipelineLosesNothing) {
  const uint64_t seed = Seed();
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  LayeredServer server(seed);
  std::mt19937_64 random(seed);
  std::string requests, replies;
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "key:" + std::to_string(random() % 50);
    const size_t size = random() % 100 == 0 ? random() % 100'000 : random() % 200;
    const std::string value(size, static_cast<char>('a' + i % 26));
    requests += Request({"SET", key, value}) + Request({"GET", key});
    replies += "+OK\r\n" + Bulk(value);
  }
  requests += Request({"QUIT"});
  replies += "+OK\r\n";
  server.RunWhile([&] {
    const int fd = server.Connect();
    std::thread sender([&] { SendAll(fd, requests); });
    const std::string got = ReceiveToTheEnd(fd);
    sender.join();
    close(fd);
    EXPECT_EQ(got.size(), replies.size());
    EXPECT_TRUE(got == replies);
  });
}

// What came in one piece with a request that blocks is pending meanwhile, and taken up when it is served.
TEST(LayeredTransport, WhatIsBehindABlockedRequestIsNotForgotten) {
  const uint64_t seed = Seed();
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  LayeredServer server(seed);
  server.RunWhile([&] {
    const int waiter = server.Connect(), giver = server.Connect();
    for (int round = 0; round < 20; ++round) {
      const std::string large(12'000, 'v');
      SendAll(waiter,
              Request({"BLPOP", "list", "0"}) + Request({"SET", "key", large}) + Request({"GET", "key"}));
      SendAll(giver, Request({"RPUSH", "list", "element"}));
      EXPECT_EQ(Receive(giver, 4), ":1\r\n");
      const std::string expected = "*2\r\n" + Bulk("list") + Bulk("element") + "+OK\r\n" + Bulk(large);
      EXPECT_TRUE(Receive(waiter, expected.size()) == expected) << "round " << round;
    }
    close(waiter);
    close(giver);
  });
}

}  // namespace
}  // namespace cinnabar::server
