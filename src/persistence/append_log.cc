#include "persistence/append_log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

namespace cinnabar::persistence {
namespace {

using std::chrono::milliseconds;

// A sync covers what was written when it began: with the time that it takes itself, a second at most is not
// on disk.
constexpr int64_t kSyncMillis = 900;
constexpr int64_t kLateMillis = 1000;
constexpr milliseconds kRetry{1000};
// A write that took longer makes cores leave writing to the writer thread for a while.
constexpr int64_t kSlowWriteMillis = 10;
constexpr int64_t kSlowForMillis = 1000;
// How long a sync waits for more, at most: four times what the last one took, where that is short; else this
// long, or a quarter of it. And how long when nothing comes.
constexpr Nanos kGather = 500 * kNanosPerMicro;
constexpr Nanos kGatherSyncs = 4;
constexpr Nanos kGapSyncsPart = 2;
// So much is worth a sync of its own: let the cores work beside it.
constexpr uint64_t kGatherBytes = 16 * 1024;
// Another core needs microseconds for its write.
constexpr int kFileTries = 64;
constexpr size_t kKeptBytesMax = 256 * 1024;

int64_t NowMillis() {
  return SystemMonotonicNanos() / kNanosPerMilli;
}

// A short string needs no memory of its own.
size_t HeapBytes(const std::string& bytes) {
  return bytes.capacity() > std::string().capacity() ? bytes.capacity() : 0;
}

// For counters that one thread at a time changes.
void Add(std::atomic<uint64_t>& counter, uint64_t count) {
  counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

void RaiseTo(std::atomic<uint64_t>& figure, uint64_t least) {
  uint64_t now = figure.load(std::memory_order_relaxed);
  while (now < least && !figure.compare_exchange_weak(now, least, std::memory_order_acq_rel)) {
  }
}

}  // namespace

AppendLog::File::~File() {
  close(fd);
}

AppendLog::AppendLog(Listener& listener, os::MemoryMeter* meter)
    : listener_(listener),
      meter_(meter),
      writer_(os::StartThread([this] { RunWriter(); })),
      syncer_(os::StartThread([this] { RunSyncer(); })) {}

AppendLog::~AppendLog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  sync_work_.notify_all();
  writer_.join();
  syncer_.join();
}

void AppendLog::Rotate(int fd, uint64_t size) {
  {
    std::lock_guard lock(tail_lock_);
    const uint64_t offset = appended_.load(std::memory_order_relaxed);
    if (file_ != nullptr) {
      earlier_.push_back(
          {.file = file_, .end_offset = offset, .bytes = std::exchange(tail_, {}), .closes = true});
    }
    file_ = fd < 0 ? nullptr : std::make_shared<File>(fd);
    if (fd >= 0) {
      earlier_.push_back({.file = file_, .file_bytes = size, .end_offset = offset, .opens = true});
    }
  }
  WakeWriter();
}

void AppendLog::Close() {
  Rotate(-1, 0);
}

void AppendLog::Append(uint64_t end_offset, std::string_view bytes) {
  std::lock_guard lock(tail_lock_);
  if (file_ == nullptr) return;
  const size_t before = HeapBytes(tail_);
  tail_.append(bytes);
  if (const size_t now = HeapBytes(tail_); now != before) memory_.fetch_add(now - before);
  Add(appended_bytes_, bytes.size());
  appended_.store(end_offset, std::memory_order_release);
}

void AppendLog::SetPolicy(SyncPolicy policy) {
  {
    std::lock_guard lock(mutex_);
    policy_.store(policy, std::memory_order_relaxed);
  }
  sync_work_.notify_all();
}

void AppendLog::HoldSyncs(bool hold) {
  {
    std::lock_guard lock(mutex_);
    hold_syncs_.store(hold, std::memory_order_relaxed);
  }
  sync_work_.notify_all();
}

// ---- the thread that kicks ----

void AppendLog::Kick() {
  const bool always = policy_.load(std::memory_order_relaxed) == SyncPolicy::kAlways;
  if (appended_.load(std::memory_order_acquire) <= (always ? synced() : written())) return;
  if (always) return WakeWriter();
  if (!WriteHere()) {
    WakeWriter();
    if ((failing_.load(std::memory_order_relaxed) & kWriteFails) == 0) return;
  }
  Release();
}

void AppendLog::WakeWriter() {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    wake = !std::exchange(kicked_, true);
  }
  if (wake) work_.notify_one();
}

bool AppendLog::TryFile(std::unique_lock<std::mutex>& file) {
  for (int i = 0; i < kFileTries; ++i) {
    if (file.try_lock()) return true;
    if (hands_off_.load(std::memory_order_relaxed) != 0) return false;
    std::this_thread::yield();
  }
  return false;
}

// Writes what was appended. False when that is for the writer thread.
bool AppendLog::WriteHere() {
  const int64_t began = NowMillis();
  if (hands_off_.load(std::memory_order_relaxed) != 0 ||
      slow_until_millis_.load(std::memory_order_relaxed) > began) {
    return false;
  }
  std::unique_lock file(file_mutex_, std::defer_lock);
  if (!TryFile(file) || !batch_.empty()) return false;
  {
    std::lock_guard lock(tail_lock_);
    if (!earlier_.empty()) return false;
    direct_.bytes.swap(tail_);
    direct_.file = file_;
    direct_.end_offset = appended_.load(std::memory_order_relaxed);
  }
  if (WriteSegment(direct_) != 0) {
    batch_.push_back(std::exchange(direct_, {}));
    return false;
  }
  if (NowMillis() - began >= kSlowWriteMillis)
    slow_until_millis_.store(began + kSlowForMillis, std::memory_order_relaxed);
  return true;
}

bool AppendLog::Flush(bool sync) {
  std::unique_lock lock(mutex_);
  const uint64_t target = appended_.load(std::memory_order_relaxed);
  sync_wanted_ = sync_wanted_ || sync;
  kicked_ = flush_waits_ = true;
  work_.notify_all();
  const uint64_t round = rounds_, failed_tries = failed_tries_;
  settled_.wait(lock, [&] {
    const uint64_t reached = sync ? synced() : written();
    return failed_tries_ > failed_tries || (rounds_ > round && reached >= target && (!sync || !sync_wanted_));
  });
  return !failing();
}

// ---- the writer thread ----

void AppendLog::RunWriter() {
  std::optional<os::ThreadMemory> counted;
  if (meter_ != nullptr) counted.emplace(*meter_);
  std::unique_lock lock(mutex_);
  bool last = false;
  Gathering gathering;
  while (!last) {
    work_.wait(lock, [this] { return stopping_ || kicked_; });
    GatherMore(lock, gathering);
    kicked_ = false;
    last = stopping_;
    const bool sync_wanted = sync_wanted_;
    lock.unlock();
    const uint64_t before = synced();
    bool on_disk = false;
    {
      os::ForkShelter shelter;
      WriteBatch(shelter);
      const bool always = policy_.load(std::memory_order_relaxed) == SyncPolicy::kAlways;
      on_disk = (sync_wanted || always || last) && SyncWithPatience(shelter);
      Release();
    }
    gathering = NextGathering(synced() - before);
    lock.lock();
    if (on_disk) sync_wanted_ = sync_wanted_ && !sync_wanted;
    flush_waits_ = false;
    ++rounds_;
    settled_.notify_all();
  }
}

// Those whose replies have just left will write again in a moment: without waiting for them groups of clients
// would take turns, each with a part of a sync's worth of writes.
AppendLog::Gathering AppendLog::NextGathering(uint64_t released_bytes) const {
  const Nanos sync = sync_nanos_.load(std::memory_order_relaxed);
  const Nanos patience = std::min(sync * kGatherSyncs, std::max(kGather, sync / kGatherSyncs));
  return {.enough = std::min(appended_at_sync_.load(std::memory_order_relaxed) + released_bytes,
                             written() + kGatherBytes),
          .gap = std::chrono::nanoseconds(std::min(sync / kGapSyncsPart, kGather)),
          .until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(patience)};
}

void AppendLog::GatherMore(std::unique_lock<std::mutex>& lock, const Gathering& gathering) {
  if (policy_.load(std::memory_order_relaxed) != SyncPolicy::kAlways) return;
  while (!stopping_ && !flush_waits_ && appended_.load(std::memory_order_relaxed) < gathering.enough) {
    kicked_ = false;  // every kick looks whether that is enough
    const auto until = std::min(gathering.until, std::chrono::steady_clock::now() + gathering.gap);
    if (!work_.wait_until(lock, until, [this] { return stopping_ || kicked_ || flush_waits_; })) break;
  }
}

// Takes what was appended, behind what is there already.
void AppendLog::TakeBatch() {
  std::lock_guard lock(tail_lock_);
  std::move(earlier_.begin(), earlier_.end(), std::back_inserter(batch_));
  earlier_.clear();
  // Offsets without bytes are released as well: not all of the journal is for the file.
  const uint64_t known = batch_.empty() ? written() : batch_.back().end_offset;
  if (file_ == nullptr || (tail_.empty() && appended_.load(std::memory_order_relaxed) <= known)) return;
  batch_.push_back(
      {.file = file_, .end_offset = appended_.load(std::memory_order_relaxed), .bytes = std::move(tail_)});
  tail_ = {};
}

void AppendLog::WriteBatch(os::ForkShelter& shelter) {
  hands_off_.fetch_or(kWriterAtWork);
  std::unique_lock file(file_mutex_);
  TakeBatch();
  while (!batch_.empty()) {
    Segment& segment = batch_.front();
    const int code = WriteSegment(segment);
    const bool closes = segment.closes;
    file.unlock();
    // The last bytes of a file are on disk before a byte goes into the next.
    const bool done = code == 0 && (!closes || synced() >= written() || Sync());
    if (code != 0) NoteFailure(kWriteFails, "write", code);
    if (!done) Release();
    const bool give_up = !done && !WaitToTryAgain(shelter);
    file.lock();
    if (!done && !give_up) continue;
    memory_.fetch_sub(HeapBytes(batch_.front().bytes));
    Add(settled_bytes_, batch_.front().bytes.size());
    if (closes) current_.reset();
    batch_.pop_front();
  }
  hands_off_.fetch_and(~uint32_t{kWriterAtWork});
}

// After a failure; a Flush does not wait until the time is up. False at the end of the log's life.
bool AppendLog::WaitToTryAgain(os::ForkShelter& shelter) {
  std::unique_lock lock(mutex_);
  ++failed_tries_;
  settled_.notify_all();
  if (stopping_) return false;
  shelter.Leave();
  work_.wait_for(lock, kRetry, [this] { return stopping_ || flush_waits_; });
  flush_waits_ = false;
  lock.unlock();
  shelter.Enter();
  return true;
}

bool AppendLog::SyncWithPatience(os::ForkShelter& shelter) {
  while (unsynced_.load() || synced() < written()) {
    if (Sync()) continue;
    if (policy_.load(std::memory_order_relaxed) == SyncPolicy::kAlways) {
      if (WaitToTryAgain(shelter)) continue;
      return false;
    }
    // The syncer tries again when it is time.
    std::lock_guard lock(mutex_);
    ++failed_tries_;
    settled_.notify_all();
    return false;
  }
  return true;
}

// ---- the syncer thread ----

bool AppendLog::WantsSyncs() const {
  return policy_.load(std::memory_order_relaxed) == SyncPolicy::kEverySecond &&
         !hold_syncs_.load(std::memory_order_relaxed) && unsynced_.load();
}

void AppendLog::RunSyncer() {
  std::optional<os::ThreadMemory> counted;
  if (meter_ != nullptr) counted.emplace(*meter_);
  int64_t next_sync = 0;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const int64_t now = NowMillis();
    if (!WantsSyncs()) {
      sync_work_.wait(lock);
    } else if (now < next_sync) {
      sync_work_.wait_for(lock, milliseconds(next_sync - now));
    } else {
      next_sync = now + kSyncMillis;
      lock.unlock();
      hands_off_.fetch_or(kSyncing);
      {
        os::ForkShelter shelter;
        Sync();
      }
      hands_off_.fetch_and(~uint32_t{kSyncing});
      lock.lock();
    }
  }
}

// ---- the file ----

int AppendLog::WriteSegment(Segment& segment) {
  if (segment.opens) {
    segment.opens = false;
    current_ = segment.file;
    file_bytes_.store(segment.file_bytes, std::memory_order_relaxed);
  }
  const int fd = segment.file->fd;
  size_t done = 0;
  while (done < segment.bytes.size()) {
    const ssize_t count = write(fd, segment.bytes.data() + done, segment.bytes.size() - done);
    if (count > 0) {
      done += static_cast<size_t>(count);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    const int code = count < 0 ? errno : ENOSPC;
    // Half a record would end the life of everything behind it: cut it off, or else go on where it ends.
    const auto whole = static_cast<off_t>(file_bytes_.load(std::memory_order_relaxed));
    if (done > 0 && ftruncate(fd, whole) != 0) NoteWritten(segment, done);
    return code;
  }
  if (done > 0) {
    NoteWritten(segment, done);
    NoteSuccess(kWriteFails);
  }
  RaiseTo(written_, segment.end_offset);
  return 0;
}

// The first `bytes` of the segment are in the file.
void AppendLog::NoteWritten(Segment& segment, size_t bytes) {
  Add(file_bytes_, bytes);
  Add(settled_bytes_, bytes);
  if (bytes < segment.bytes.size()) {
    segment.bytes.erase(0, bytes);
  } else {
    segment.bytes.clear();
    if (segment.bytes.capacity() > kKeptBytesMax) {
      memory_.fetch_sub(HeapBytes(segment.bytes));
      std::string().swap(segment.bytes);
    }
  }
  if (unsynced_.exchange(true) || policy_.load(std::memory_order_relaxed) != SyncPolicy::kEverySecond) return;
  { std::lock_guard lock(mutex_); }  // the syncer is before its look at it, or waits
  sync_work_.notify_one();
}

bool AppendLog::Sync() {
  std::shared_ptr<File> file;
  uint64_t offset = 0;
  {
    std::lock_guard lock(file_mutex_);
    file = current_;
    offset = written();
    unsynced_.store(false);
  }
  const Nanos began = SystemMonotonicNanos();
  if (file != nullptr && fdatasync(file->fd) != 0) {
    const int code = errno;
    unsynced_.store(true);
    {
      std::lock_guard lock(mutex_);
      if (!doubtful()) durable_before_.store(synced());
      sync_failures_.fetch_add(1);
    }
    NoteFailure(kSyncFails, "fsync", code);
    return false;
  }
  const Nanos spent = SystemMonotonicNanos() - began;
  sync_nanos_.store(spent, std::memory_order_relaxed);
  if (spent > kLateMillis * kNanosPerMilli) delayed_syncs_.fetch_add(1, std::memory_order_relaxed);
  syncs_.fetch_add(1, std::memory_order_relaxed);
  appended_at_sync_.store(appended_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  RaiseTo(synced_, offset);
  NoteSuccess(kSyncFails);
  Release();
  return true;
}

uint64_t AppendLog::durable() const {
  return doubtful() ? durable_before_.load(std::memory_order_acquire) : synced();
}

void AppendLog::TrustAgain(uint64_t failures, uint64_t offset) {
  RaiseTo(synced_, offset);
  std::lock_guard lock(mutex_);
  if (failures == sync_failures_.load()) forgiven_failures_.store(failures);
}

void AppendLog::Release() {
  if (policy_.load(std::memory_order_relaxed) == SyncPolicy::kAlways) return listener_.OnReleased(durable());
  const bool full = (failing_.load(std::memory_order_relaxed) & kWriteFails) != 0;
  listener_.OnReleased(full ? appended_.load(std::memory_order_acquire) : written());
}

void AppendLog::NoteFailure(Failing what, const char* call, int code) {
  if (failing_.fetch_or(what) != 0) return;
  listener_.OnFailed({std::string(call) + ": " + std::strerror(code), code});
}

void AppendLog::NoteSuccess(Failing what) {
  if ((failing_.load(std::memory_order_relaxed) & what) == 0) return;
  if (failing_.fetch_and(~uint32_t{what}) == what) listener_.OnRecovered();
}

}  // namespace cinnabar::persistence
