// Backlog: the last bytes of the replication stream, kept once for everybody who reads them.
//
//   first block            ...            last block
//   [##########] -> [##########] -> [#####.....]        each block owns one reference to the next
//    ^ begin()          ^ a replica's Cursor   ^ end()
//
// The journal appends (or, on a replica, whoever has applied a piece of its primary's stream). Every replica
// link is a Cursor: a place in the chain and one reference to the block there. Nothing is copied for a link;
// it sends straight from the blocks.
//
// Offsets. A StreamOffset is how many bytes of the history lie before a place: the offset that INFO shows as
// master_repl_offset, and that FULLRESYNC and REPLCONF ACK carry. PSYNC names the first byte that the replica
// lacks and counts from 1: a replica that has `n` bytes asks for n + 1
// (https://redis.io/docs/latest/operate/oss_and_stack/management/replication/). So the backlog can serve
// PSYNC p exactly when Holds(p - 1), and repl_backlog_first_byte_offset is begin() + 1.
//
// What is kept. Blocks at the front go while more than `limit` bytes would remain without them, unless a
// cursor needs them: a slow replica keeps its part until somebody closes it, and what is kept serves other
// replicas as well. Whole blocks go, so that up to one block more than the limit stays. Blocks are a
// sixteenth of the limit.
//
// Threads. One appender at a time (the journal's lock, or the thread that applies the stream). Cursors read
// beside it without a lock: a block says how many of its bytes are valid, with release and acquire. A cursor
// belongs to one thread at a time. `lock_` is a leaf lock for what looks at the chain as a whole: Open, Trim,
// and an append that begins a block; an append inside a block takes none. Start, Stop and the destructor
// REQUIRE that nobody appends meanwhile; cursors that are still open then keep their blocks, and must be
// closed before the backlog is destroyed.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/brief_lock.h"

namespace cinnabar::replication {

using StreamOffset = uint64_t;

class Backlog {
 private:
  struct Block;

 public:
  class Cursor {
   public:
    Cursor() = default;
    Cursor(Cursor&& other) noexcept
        : backlog_(std::exchange(other.backlog_, nullptr)), block_(other.block_), sent_(other.sent_) {}
    Cursor& operator=(Cursor&& other) noexcept {
      std::swap(backlog_, other.backlog_);
      std::swap(block_, other.block_);
      std::swap(sent_, other.sent_);
      return *this;
    }
    ~Cursor() { Close(); }

    explicit operator bool() const { return backlog_ != nullptr; }
    // The place of the next byte to send. REQUIRES for all below: the cursor is open.
    StreamOffset offset() const;
    // Bytes that are there and were not passed yet.
    uint64_t pending_bytes() const;
    // Fills up to `limit` iovecs with the next bytes; returns how many. They are valid until Advance passes
    // them.
    int Gather(iovec* vectors, int limit) const;
    // REQUIRES: Gather has shown that many bytes.
    void Advance(uint64_t count);
    void Close();

   private:
    friend class Backlog;
    Cursor(Backlog* backlog, Block* block, uint32_t sent) : backlog_(backlog), block_(block), sent_(sent) {}

    Backlog* backlog_ = nullptr;
    Block* block_ = nullptr;  // holds one reference
    uint32_t sent_ = 0;       // bytes of the block that were passed
  };

  static constexpr uint64_t kLimitMin = 16 * 1024;

  // `limit_bytes` is repl-backlog-size; less than kLimitMin counts as kLimitMin.
  explicit Backlog(uint64_t limit_bytes) { SetLimit(limit_bytes); }
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;
  ~Backlog();

  // Forgets everything and goes on, empty, at `offset`.
  void Start(StreamOffset offset);
  // Forgets everything; until the next Start nothing is kept and Append must not be called.
  void Stop();
  bool active() const { return active_.load(std::memory_order_acquire); }

  // REQUIRES: active(), and that nobody else appends.
  void Append(std::string_view bytes);

  // Whether every byte from `offset` on is here (none, if it is the end).
  bool Holds(StreamOffset offset) const;
  // A cursor there, or nothing when !Holds(offset). Any thread.
  std::optional<Cursor> Open(StreamOffset offset);

  // Takes effect at the next Trim or new block. Any thread.
  void SetLimit(uint64_t limit_bytes);
  uint64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  // Lets go of blocks beyond the limit that no cursor needs any more, a bounded number in one call. Any
  // thread; to be called now and then: appends trim only when they begin a block.
  // Few at once: a large backlog whose slow reader has gone is not freed in one go, under a lock.
  static constexpr int kTrimmedAtOnce = 64;
  void Trim(int blocks_max = kTrimmedAtOnce);

  // Figures for INFO; each is right by itself at some moment of the call. Any thread.
  StreamOffset begin() const { return begin_.load(std::memory_order_acquire); }
  StreamOffset end() const { return end_.load(std::memory_order_acquire); }
  // repl_backlog_histlen.
  uint64_t kept_bytes() const;
  // Memory of all blocks, each counted once whoever holds it: mem_total_replication_buffers.
  uint64_t memory() const { return memory_.load(std::memory_order_relaxed); }
  // What of it the limit alone would not keep, i.e. what waits for slow replicas.
  uint64_t memory_beyond_limit() const;

 private:
  Block* NewBlock(uint64_t wanted);
  void AddBlock(uint64_t wanted);
  void TrimLocked(int blocks_max);
  void DropChain();
  void Release(Block* block);

  mutable BriefLock lock_;
  std::atomic<bool> active_{false};
  Block* first_ = nullptr;  // under lock_; holds one reference
  Block* last_ = nullptr;   // written under lock_; the appender may read it without
  std::atomic<StreamOffset> begin_{0};
  std::atomic<StreamOffset> end_{0};
  std::atomic<uint64_t> limit_{kLimitMin};
  std::atomic<uint64_t> memory_{0};
};

}  // namespace cinnabar::replication
