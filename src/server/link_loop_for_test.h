// A loop for connections that are no client's (link_loop.h), turned by the test itself.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "net/reactor.h"
#include "server/link_loop.h"

namespace cinnabar::server {

class TestLoop final : public LinkLoop {
 public:
  Status Add(int fd, ReadyHandler& handler) override {
    handlers_.insert(&handler);
    return reactor_->Add(fd, net::kReadable, &handler);
  }
  void Change(int fd, ReadyHandler& handler, uint32_t events) override {
    reactor_->Change(fd, events, &handler);
  }
  void Remove(int fd, ReadyHandler& handler) override {
    handlers_.erase(&handler);
    reactor_->Remove(fd);
  }
  void Soon(std::function<void()> work) override { work_.push_back(std::move(work)); }
  void SoonInBetween(std::function<void()> work) override { Soon(std::move(work)); }
  bool Interrupted() const override { return interrupted; }

  void Work() {
    for (auto& work : std::exchange(work_, {})) work();
  }
  void Turn() {
    Work();
    for (const net::Event& event : reactor_->Wait(1, room_)) {
      auto* handler = static_cast<ReadyHandler*>(event.token);
      if (handlers_.contains(handler)) handler->OnReady();
    }
    Work();
  }
  // Fails the test when it takes too long.
  void Until(const std::function<bool()>& happened) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!happened()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit);
      Turn();
    }
  }

  bool interrupted = false;

 private:
  std::unique_ptr<net::Reactor> reactor_ = std::move(*net::MakeEpollReactor());
  std::set<ReadyHandler*> handlers_;
  std::deque<std::function<void()>> work_;
  std::array<net::Event, 16> room_;
};

}  // namespace cinnabar::server
