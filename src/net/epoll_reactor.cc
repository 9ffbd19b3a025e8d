#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "net/reactor.h"

namespace cinnabar::net {
namespace {

constexpr int kEventsMax = 256;

// A hang-up of the peer is reported also to an owner that does not wait for bytes.
uint32_t ToEpoll(uint32_t interest) {
  return ((interest & kReadable) != 0 ? uint32_t{EPOLLIN} : uint32_t{EPOLLRDHUP}) |
         ((interest & kWritable) != 0 ? uint32_t{EPOLLOUT} : 0);
}

class EpollReactor final : public Reactor {
 public:
  EpollReactor(int epoll_fd, int wake_fd) : epoll_fd_(epoll_fd), wake_fd_(wake_fd) {}
  ~EpollReactor() override {
    close(wake_fd_);
    close(epoll_fd_);
  }

  Status Add(int fd, uint32_t interest, void* token) override {
    epoll_event event{ToEpoll(interest), {.ptr = token}};
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0)
      return Fail("epoll_ctl: " + std::string(strerror(errno)), errno);
    return {};
  }
  void Change(int fd, uint32_t interest, void* token) override {
    epoll_event event{ToEpoll(interest), {.ptr = token}};
    epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
  }
  void Remove(int fd) override { epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr); }

  std::span<Event> Wait(int timeout_millis, std::span<Event> room) override {
    const int limit = static_cast<int>(std::min<size_t>(room.size(), kEventsMax));
    int count = epoll_wait(epoll_fd_, raw_.data(), limit, timeout_millis);
    size_t kept = 0;
    for (int i = 0; i < count; ++i) {
      if (raw_[i].data.ptr == nullptr) {
        DrainWake();
        continue;
      }
      uint32_t ready = 0;
      if (raw_[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) ready |= kReadable;
      if (raw_[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) ready |= kWritable;
      if (raw_[i].events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) ready |= kHungUp;
      room[kept++] = {raw_[i].data.ptr, ready};
    }
    return room.first(kept);
  }

  bool Ready() const override {
    pollfd ready{.fd = epoll_fd_, .events = POLLIN, .revents = 0};
    return poll(&ready, 1, 0) != 0;
  }

  void Wake() override {
    if (woken_.exchange(true, std::memory_order_acq_rel)) return;
    uint64_t one = 1;
    [[maybe_unused]] ssize_t written = write(wake_fd_, &one, sizeof one);
  }

 private:
  void DrainWake() {
    uint64_t count;
    [[maybe_unused]] ssize_t got = read(wake_fd_, &count, sizeof count);
    woken_.store(false, std::memory_order_release);
  }

  int epoll_fd_;
  int wake_fd_;
  std::atomic<bool> woken_{false};
  std::array<epoll_event, kEventsMax> raw_;
};

}  // namespace

Result<std::unique_ptr<Reactor>> MakeEpollReactor() {
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return Fail("epoll_create1: " + std::string(strerror(errno)), errno);
  int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event event{EPOLLIN, {.ptr = nullptr}};
  if (wake_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) != 0) {
    int code = errno;
    close(epoll_fd);
    return Fail("eventfd: " + std::string(strerror(code)), code);
  }
  return std::make_unique<EpollReactor>(epoll_fd, wake_fd);
}

}  // namespace cinnabar::net
