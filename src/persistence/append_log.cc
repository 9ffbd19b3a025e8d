#include "persistence/append_log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/check.h"

namespace cinnabar::persistence {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kSyncMillis = 1000;
constexpr milliseconds kGather{1};
constexpr milliseconds kRetry{1000};

int64_t NowMillis() {
  return SystemMonotonicNanos() / kNanosPerMilli;
}

// A short string needs no memory of its own.
size_t HeapBytes(const std::string& bytes) {
  return bytes.capacity() > std::string().capacity() ? bytes.capacity() : 0;
}

}  // namespace

AppendLog::AppendLog(Listener& listener, os::MemoryMeter* meter)
    : listener_(listener), meter_(meter), thread_([this] { Run(); }) {}

AppendLog::~AppendLog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  thread_.join();
  if (fd_ >= 0) close(fd_);
}

void AppendLog::Rotate(int fd, uint64_t size) {
  {
    std::lock_guard lock(mutex_);
    if (fd_ >= 0) pending_.push_back({.fd = fd_, .end_offset = appended_, .closes = true});
    fd_ = fd;
    if (fd >= 0) pending_.push_back({.fd = fd, .file_bytes = size, .end_offset = appended_, .opens = true});
    kicked_ = true;
  }
  work_.notify_all();
}

void AppendLog::Close() {
  Rotate(-1, 0);
}

void AppendLog::Append(uint64_t end_offset, std::string_view bytes) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (fd_ < 0) return;
    if (pending_.empty() || pending_.back().closes) pending_.push_back({.fd = fd_});
    Segment& last = pending_.back();
    const size_t before = HeapBytes(last.bytes);
    last.bytes.append(bytes);
    memory_.fetch_add(HeapBytes(last.bytes) - before, std::memory_order_relaxed);
    last.end_offset = appended_ = end_offset;
    pending_bytes_ += bytes.size();
    wake = asleep_ && policy_.load(std::memory_order_relaxed) != SyncPolicy::kAlways;
  }
  if (wake) work_.notify_all();
}

void AppendLog::Kick() {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (pending_.empty()) return;
    wake = !std::exchange(kicked_, true);
  }
  if (wake) work_.notify_all();
}

bool AppendLog::Flush(bool sync) {
  std::unique_lock lock(mutex_);
  const uint64_t target = appended_;
  sync_wanted_ = sync_wanted_ || sync;
  kicked_ = true;
  work_.notify_all();
  const uint64_t round = rounds_, failed_tries = failed_tries_;
  settled_.wait(lock, [&] {
    const uint64_t reached = sync ? durable_.load() : written_.load();
    return failed_tries_ > failed_tries || (rounds_ > round && reached >= target && (!sync || !sync_wanted_));
  });
  return !failing();
}

size_t AppendLog::pending_bytes() const {
  std::lock_guard lock(mutex_);
  return pending_bytes_;
}

// Returns with something to do: bytes, a sync that is due, or the end.
void AppendLog::WaitForWork(std::unique_lock<std::mutex>& lock) {
  while (!stopping_ && !kicked_) {
    const SyncPolicy policy = policy_.load(std::memory_order_relaxed);
    if (!pending_.empty() && policy != SyncPolicy::kAlways) {
      // Lets more come together: a write for each command would cost more than the command.
      work_.wait_for(lock, kGather, [this] { return stopping_ || kicked_; });
      return;
    }
    asleep_ = true;
    if (unsynced_ && policy == SyncPolicy::kEverySecond && !hold_syncs_.load(std::memory_order_relaxed)) {
      const int64_t left = last_sync_millis_ + kSyncMillis - NowMillis();
      if (left <= 0 || work_.wait_for(lock, milliseconds(left)) == std::cv_status::timeout) {
        asleep_ = false;
        return;
      }
    } else if (!pending_.empty()) {
      work_.wait_for(lock, kGather);  // appended without a kick
      asleep_ = false;
      return;
    } else {
      work_.wait(lock);
    }
    asleep_ = false;
  }
  kicked_ = false;
}

void AppendLog::Forget(const Segment& segment) {
  memory_.fetch_sub(HeapBytes(segment.bytes), std::memory_order_relaxed);
}

void AppendLog::WriteBatch(std::deque<Segment> batch) {
  while (!batch.empty()) {
    if (WriteSegment(batch.front())) {
      Forget(batch.front());
      batch.pop_front();
      continue;
    }
    std::unique_lock lock(mutex_);
    WaitToTryAgain(lock);
    const bool give_up = stopping_;
    lock.unlock();
    if (!give_up || WriteSegment(batch.front())) continue;
    for (const Segment& segment : batch) Forget(segment);
    return;
  }
}

void AppendLog::Run() {
  std::optional<os::ThreadMemory> counted;
  if (meter_ != nullptr) counted.emplace(*meter_);
  std::unique_lock lock(mutex_);
  while (true) {
    WaitForWork(lock);
    if (stopping_ && pending_.empty()) break;
    std::deque<Segment> batch = std::exchange(pending_, {});
    lock.unlock();
    WriteBatch(std::move(batch));
    lock.lock();
    const bool sync_wanted = sync_wanted_;
    lock.unlock();
    const bool synced = SyncAsPolicyAsks(sync_wanted);
    lock.lock();
    if (synced) sync_wanted_ = false;
    pending_bytes_ = 0;
    for (const Segment& segment : pending_) pending_bytes_ += segment.bytes.size();
    ++rounds_;
    settled_.notify_all();
  }
  lock.unlock();
  if (unsynced_ && current_fd_ >= 0) Sync();
  lock.lock();
  ++rounds_;
  settled_.notify_all();
}

// After a failure; a Flush does not wait until the time is up.
void AppendLog::WaitToTryAgain(std::unique_lock<std::mutex>& lock) {
  ++failed_tries_;
  settled_.notify_all();
  work_.wait_for(lock, kRetry, [this] { return stopping_ || kicked_; });
  kicked_ = false;
}

bool AppendLog::WriteSegment(Segment& segment) {
  if (segment.opens) {
    segment.opens = false;
    current_fd_ = segment.fd;
    file_bytes_.store(segment.file_bytes, std::memory_order_relaxed);
  }
  size_t done = 0;
  while (done < segment.bytes.size()) {
    const ssize_t count = write(segment.fd, segment.bytes.data() + done, segment.bytes.size() - done);
    if (count > 0) {
      done += static_cast<size_t>(count);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    const int code = count < 0 ? errno : ENOSPC;
    // Half a record would end the life of everything behind it: cut it off, or else go on where it ends.
    const auto whole = static_cast<off_t>(file_bytes_.load(std::memory_order_relaxed));
    if (done > 0 && ftruncate(segment.fd, whole) != 0) {
      segment.bytes.erase(0, done);
      file_bytes_.fetch_add(done, std::memory_order_relaxed);
      unsynced_ = true;
    }
    NoteFailure("write", code);
    return false;
  }
  if (done > 0) {
    file_bytes_.fetch_add(done, std::memory_order_relaxed);
    unsynced_ = true;
    NoteSuccess();
  }
  written_.store(std::max(segment.end_offset, written_.load()), std::memory_order_release);
  if (segment.closes) {
    if (unsynced_ && !Sync()) return false;
    close(segment.fd);
    current_fd_ = -1;
  }
  return true;
}

bool AppendLog::SyncAsPolicyAsks(bool wanted) {
  const SyncPolicy policy = policy_.load(std::memory_order_relaxed);
  const int64_t now = NowMillis();
  const bool always = policy == SyncPolicy::kAlways;
  const bool due = policy == SyncPolicy::kEverySecond && !hold_syncs_.load(std::memory_order_relaxed) &&
                   now - last_sync_millis_ >= kSyncMillis;
  if (!unsynced_) {
    Release();
    return true;
  }
  if (!wanted && !always && !due) return false;
  while (!Sync()) {
    std::unique_lock lock(mutex_);
    if (stopping_ || !always) {  // everysec tries again when it is due
      ++failed_tries_;
      settled_.notify_all();
      return false;
    }
    WaitToTryAgain(lock);
  }
  return true;
}

bool AppendLog::Sync() {
  const int64_t began = NowMillis();
  last_sync_millis_ = began;
  if (fdatasync(current_fd_) != 0) {
    NoteFailure("fsync", errno);
    return false;
  }
  if (NowMillis() - began > kSyncMillis) delayed_syncs_.fetch_add(1, std::memory_order_relaxed);
  syncs_.fetch_add(1, std::memory_order_relaxed);
  unsynced_ = false;
  NoteSuccess();
  Release();
  return true;
}

void AppendLog::Release() {
  const uint64_t offset = written_.load(std::memory_order_relaxed);
  if (durable_.exchange(offset, std::memory_order_acq_rel) != offset) listener_.OnReleased(offset);
}

void AppendLog::NoteFailure(const char* call, int code) {
  if (failing_.exchange(true)) return;
  listener_.OnFailed({std::string(call) + ": " + std::strerror(code), code});
}

void AppendLog::NoteSuccess() {
  if (failing_.exchange(false)) listener_.OnRecovered();
}

}  // namespace cinnabar::persistence
