#include "load_thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace cinnabar::bench {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kPoolRequestsMax = 1'000'000;
constexpr size_t kReceiveBytes = 256 * 1024;
constexpr int kEventsMax = 256;

struct SchedulerTimes {
  double running = 0;
  double waiting = 0;
};

SchedulerTimes ThreadTimes() {
  SchedulerTimes times;
  std::FILE* file = std::fopen("/proc/thread-self/schedstat", "r");
  if (file == nullptr) return times;
  unsigned long long running = 0, waiting = 0;
  if (std::fscanf(file, "%llu %llu", &running, &waiting) == 2) {
    times = {static_cast<double>(running) / kSecond, static_cast<double>(waiting) / kSecond};
  }
  std::fclose(file);
  return times;
}

}  // namespace

int64_t NowNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

LoadThread::LoadThread(const Options& options, int index, int connections, int64_t requests,
                       int64_t first_number)
    : options_(options),
      batches_total_((requests + options.pipeline - 1) / options.pipeline),
      first_number_(first_number),
      writer_(options, options.seed * 7919 + static_cast<uint64_t>(index)),
      buffer_(kReceiveBytes) {
  for (int i = 0; i < connections; ++i) connections_.push_back(std::make_unique<Connection>());
  if (options.rate > 0) {
    double per_connection = options.rate / options.connections / options.pipeline;
    interval_ns_ = static_cast<int64_t>(kSecond / per_connection);
  }
}

LoadThread::~LoadThread() {
  for (auto& connection : connections_) {
    if (connection->fd >= 0) close(connection->fd);
  }
  if (epoll_ >= 0) close(epoll_);
}

void LoadThread::Prepare() {
  if (!options_.sequential) MakePool();
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  for (auto& connection : connections_) {
    if (!Connect(*connection)) return Break(std::string("connect: ") + std::strerror(errno));
  }
}

// Requests with random keys are made before the clock starts and then reused in a ring.
void LoadThread::MakePool() {
  int64_t batches = std::min(batches_total_, std::max<int64_t>(1, kPoolRequestsMax / options_.pipeline));
  for (int64_t batch = 0; batch < batches; ++batch) {
    pool_batches_.push_back(pool_.size());
    for (int i = 0; i < options_.pipeline; ++i) writer_.Append(batch * options_.pipeline + i, pool_);
  }
  pool_batches_.push_back(pool_.size());
}

bool LoadThread::Connect(Connection& connection) {
  bool local = !options_.socket.empty();
  connection.fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection.fd < 0) return false;
  int failed;
  if (local) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    options_.socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
    failed = connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(options_.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    failed = connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  if (failed != 0) return false;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) == 0;
}

void LoadThread::Break(std::string why) {
  result_.broken = true;
  if (result_.first_error.empty()) result_.first_error = std::move(why);
}

void LoadThread::Run() {
  SchedulerTimes before = ThreadTimes();
  result_.started_ns = NowNanos();
  if (options_.seconds > 0) {
    deadline_ns_ = result_.started_ns + static_cast<int64_t>(options_.seconds * kSecond);
  }
  if (!result_.broken) StartAll();
  Loop();
  result_.ended_ns = NowNanos();
  SchedulerTimes after = ThreadTimes();
  result_.cpu_seconds = after.running - before.running;
  result_.cpu_wait_seconds = after.waiting - before.waiting;
  result_.requests = batches_done_ * options_.pipeline;
  for (auto& connection : connections_) {
    result_.errors += connection->replies.errors();
    if (result_.first_error.empty()) result_.first_error = connection->replies.first_error();
  }
}

void LoadThread::StartAll() {
  int64_t now = result_.started_ns;
  int64_t count = static_cast<int64_t>(connections_.size());
  for (int64_t i = 0; i < count; ++i) {
    Connection& connection = *connections_[static_cast<size_t>(i)];
    connection.due_ns = now + interval_ns_ * i / count;
    if (interval_ns_ > 0) {
      timetable_.push({connection.due_ns, &connection});
    } else {
      SendBatch(connection, now);
    }
  }
}

bool LoadThread::Finished(int64_t now) const {
  if (result_.broken || batches_done_ >= batches_total_) return true;
  return deadline_ns_ > 0 && now >= deadline_ns_;
}

void LoadThread::Loop() {
  std::array<epoll_event, kEventsMax> events;
  while (true) {
    int64_t now = NowNanos();
    if (Finished(now)) return;
    while (!timetable_.empty() && timetable_.top().at_ns <= now) {
      Due due = timetable_.top();
      timetable_.pop();
      SendBatch(*due.connection, due.at_ns);
    }
    int64_t wake = timetable_.empty() ? 0 : timetable_.top().at_ns;
    if (deadline_ns_ > 0) wake = wake == 0 ? deadline_ns_ : std::min(wake, deadline_ns_);
    timespec wait{};
    if (wake > 0) {
      int64_t nanos = std::max<int64_t>(0, wake - NowNanos());
      wait = {.tv_sec = nanos / kSecond, .tv_nsec = nanos % kSecond};
    }
    int count = epoll_pwait2(epoll_, events.data(), kEventsMax, wake > 0 ? &wait : nullptr, nullptr);
    if (count < 0 && errno != EINTR) return Break(std::string("epoll: ") + std::strerror(errno));
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
      uint32_t what = events[static_cast<size_t>(i)].events;
      if (what & EPOLLOUT) Flush(connection);
      if (what & (EPOLLIN | EPOLLHUP | EPOLLERR)) Receive(connection);
    }
  }
}

void LoadThread::SendBatch(Connection& connection, int64_t due) {
  if (batches_sent_ >= batches_total_) return;
  int64_t batch = batches_sent_++;
  connection.due_ns = due;
  connection.awaited = options_.pipeline;
  if (options_.sequential) {
    connection.own_batch.clear();
    for (int i = 0; i < options_.pipeline; ++i) {
      writer_.Append(first_number_ + batch * options_.pipeline + i, connection.own_batch);
    }
    connection.unsent = connection.own_batch;
  } else {
    size_t slot = static_cast<size_t>(batch) % (pool_batches_.size() - 1);
    connection.unsent =
        std::string_view(pool_).substr(pool_batches_[slot], pool_batches_[slot + 1] - pool_batches_[slot]);
  }
  Flush(connection);
}

void LoadThread::Flush(Connection& connection) {
  while (!connection.unsent.empty()) {
    ssize_t sent =
        send(connection.fd, connection.unsent.data(), connection.unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return WatchWrites(connection, true);
    if (sent < 0) return Break(std::string("send: ") + std::strerror(errno));
    connection.unsent.remove_prefix(static_cast<size_t>(sent));
  }
  if (connection.wants_write) WatchWrites(connection, false);
}

void LoadThread::WatchWrites(Connection& connection, bool on) {
  connection.wants_write = on;
  epoll_event event{.events = EPOLLIN | (on ? uint32_t{EPOLLOUT} : 0u), .data = {.ptr = &connection}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
}

void LoadThread::Receive(Connection& connection) {
  ssize_t size = recv(connection.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size < 0) return Break(std::string("recv: ") + std::strerror(errno));
  if (size == 0) return Break("the server closed a connection " + connection.replies.first_error());
  connection.awaited -= connection.replies.Feed({buffer_.data(), static_cast<size_t>(size)});
  if (connection.awaited < 0) return Break("more replies than requests");
  if (connection.awaited > 0) return;
  int64_t now = NowNanos();
  result_.latency.Add(static_cast<uint64_t>(now - connection.due_ns));
  ++batches_done_;
  Next(connection, now);
}

void LoadThread::Next(Connection& connection, int64_t now) {
  if (interval_ns_ == 0) return SendBatch(connection, now);
  int64_t due = connection.due_ns + interval_ns_;
  if (due <= now) return SendBatch(connection, due);
  timetable_.push({due, &connection});
}

}  // namespace cinnabar::bench
