// One thread of the load generator: its connections, its requests, its figures.
//
// Closed loop: a connection sends a batch of `pipeline` requests, waits for all its replies, sends the next.
// With a rate, every connection has a timetable, and a late batch counts its waiting from the moment at which
// it was due, so that a stalled server cannot hide its stall by slowing the questions down.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "histogram.h"
#include "replies.h"
#include "requests.h"

namespace cinnabar::bench {

struct LoadResult {
  int64_t started_ns = 0;
  int64_t ended_ns = 0;
  int64_t requests = 0;
  int64_t errors = 0;
  std::string first_error;  // an error reply, or what broke the run
  bool broken = false;      // a connection was refused or lost
  double cpu_seconds = 0;
  double cpu_wait_seconds = 0;  // ready to run, but not running: how much this machine disturbed the client
  Histogram latency;            // of batches
};

class LoadThread {
 public:
  // This thread sends `requests` requests over `connections` connections, with numbers from `first_number`
  // on.
  LoadThread(const Options& options, int index, int connections, int64_t requests, int64_t first_number);
  ~LoadThread();
  LoadThread(const LoadThread&) = delete;
  LoadThread& operator=(const LoadThread&) = delete;

  // Prepares requests and opens the connections. What can fail is told by result().broken.
  void Prepare();
  // Runs the load on the calling thread.
  void Run();

  const LoadResult& result() const { return result_; }

 private:
  struct Connection {
    int fd = -1;
    int64_t awaited = 0;  // replies of the batch still missing
    int64_t due_ns = 0;   // from when the batch's latency counts
    std::string_view unsent;
    std::string own_batch;  // the bytes of a batch made on the fly (sequential runs)
    ReplyCounter replies;
    bool wants_write = false;
  };
  struct Due {
    int64_t at_ns;
    Connection* connection;
    bool operator>(const Due& other) const { return at_ns > other.at_ns; }
  };

  void MakePool();
  bool Connect(Connection& connection);
  void Break(std::string why);
  void StartAll();
  void Loop();
  bool Finished(int64_t now) const;
  void Next(Connection& connection, int64_t now);
  void SendBatch(Connection& connection, int64_t due);
  void Flush(Connection& connection);
  void Receive(Connection& connection);
  void WatchWrites(Connection& connection, bool on);

  const Options& options_;
  int64_t batches_total_;
  int64_t first_number_;
  RequestWriter writer_;
  std::string pool_;
  std::vector<size_t> pool_batches_;  // where each prepared batch starts, and where the last one ends
  std::vector<std::unique_ptr<Connection>> connections_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> timetable_;
  std::vector<char> buffer_;
  int64_t interval_ns_ = 0;  // between two batches of one connection; 0 without a rate
  int64_t deadline_ns_ = 0;
  int64_t batches_sent_ = 0;
  int64_t batches_done_ = 0;
  int epoll_ = -1;
  LoadResult result_;
};

// CLOCK_MONOTONIC.
int64_t NowNanos();

}  // namespace cinnabar::bench
