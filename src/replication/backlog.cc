#include "replication/backlog.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>

#include "base/check.h"

namespace cinnabar::replication {
namespace {

constexpr uint64_t kBlockBytesMin = 1024;
constexpr uint64_t kBlockBytesMax = 64 * 1024;

}  // namespace

struct Backlog::Block {
  std::atomic<uint32_t> references;  // the block before it or the backlog, and each cursor in it
  std::atomic<uint32_t> size;        // valid bytes; only grows
  uint32_t capacity;
  StreamOffset offset;  // of data[0]
  std::atomic<Block*> next;
  char data[];
};

// ---- cursors ----

StreamOffset Backlog::Cursor::offset() const {
  return block_->offset + sent_;
}

uint64_t Backlog::Cursor::pending_bytes() const {
  // An append makes its bytes visible in the block before it moves the end: what is passed may be ahead of
  // it.
  const StreamOffset end = backlog_->end(), here = offset();
  return end > here ? end - here : 0;
}

int Backlog::Cursor::Gather(iovec* vectors, int limit) const {
  int count = 0;
  uint32_t sent = sent_;
  for (Block* block = block_; block != nullptr && count < limit;
       block = block->next.load(std::memory_order_acquire), sent = 0) {
    const uint32_t size = block->size.load(std::memory_order_acquire);
    if (size > sent) vectors[count++] = {block->data + sent, size - sent};
    // The next block is read after this one's size: it is linked only when this one is full.
    if (size < block->capacity) break;
  }
  return count;
}

void Backlog::Cursor::Advance(uint64_t count) {
  while (true) {
    const uint64_t here = std::min<uint64_t>(count, block_->capacity - sent_);
    sent_ += here;
    count -= here;
    if (sent_ < block_->capacity) break;
    // A full block is let go at once, if there is a next one, so that it can be trimmed.
    Block* next = block_->next.load(std::memory_order_acquire);
    if (next == nullptr) break;
    next->references.fetch_add(1, std::memory_order_relaxed);
    backlog_->Release(std::exchange(block_, next));
    sent_ = 0;
  }
  CHECK(count == 0);
}

void Backlog::Cursor::Close() {
  if (backlog_ == nullptr) return;
  std::exchange(backlog_, nullptr)->Release(block_);
}

// ---- the chain ----

Backlog::~Backlog() {
  DropChain();
  CHECK(memory() == 0);
}

void Backlog::DropChain() {
  if (first_ != nullptr) Release(first_);
  first_ = last_ = nullptr;
}

// Frees the block if nobody refers to it any more, and those behind it that it alone has kept.
void Backlog::Release(Block* block) {
  while (block != nullptr && block->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    Block* next = block->next.load(std::memory_order_acquire);
    memory_.fetch_sub(sizeof(Block) + block->capacity, std::memory_order_relaxed);
    ::operator delete(block);
    block = next;
  }
}

Backlog::Block* Backlog::NewBlock(uint64_t wanted) {
  // With its header a block is as large as allocators like it.
  const uint64_t usual = std::clamp(limit() / 16, kBlockBytesMin, kBlockBytesMax) - sizeof(Block);
  // A large record gets larger blocks, though never so large that trimming by blocks would be coarse.
  const uint64_t capacity = std::clamp(wanted, usual, kBlockBytesMax - sizeof(Block));
  auto* block = new (::operator new(sizeof(Block) + capacity)) Block;
  block->references.store(1, std::memory_order_relaxed);
  block->size.store(0, std::memory_order_relaxed);
  block->capacity = static_cast<uint32_t>(capacity);
  block->offset = end();
  block->next.store(nullptr, std::memory_order_relaxed);
  memory_.fetch_add(sizeof(Block) + capacity, std::memory_order_relaxed);
  return block;
}

void Backlog::AddBlock(uint64_t wanted) {
  Block* block = NewBlock(wanted);
  std::lock_guard lock(lock_);
  last_->next.store(block, std::memory_order_release);
  last_ = block;
  TrimLocked(kTrimmedAtOnce);
}

void Backlog::Start(StreamOffset offset) {
  std::lock_guard lock(lock_);
  DropChain();
  begin_.store(offset, std::memory_order_release);
  end_.store(offset, std::memory_order_release);
  first_ = last_ = NewBlock(0);
  active_.store(true, std::memory_order_release);
}

void Backlog::Stop() {
  std::lock_guard lock(lock_);
  active_.store(false, std::memory_order_release);
  DropChain();
  begin_.store(end(), std::memory_order_release);
}

void Backlog::Append(std::string_view bytes) {
  DCHECK(active());
  while (!bytes.empty()) {
    uint32_t size = last_->size.load(std::memory_order_relaxed);
    if (size == last_->capacity) {
      AddBlock(bytes.size());
      size = 0;
    }
    const size_t count = std::min<size_t>(bytes.size(), last_->capacity - size);
    std::memcpy(last_->data + size, bytes.data(), count);
    last_->size.store(static_cast<uint32_t>(size + count), std::memory_order_release);
    end_.store(last_->offset + size + count, std::memory_order_release);
    bytes.remove_prefix(count);
  }
}

bool Backlog::Holds(StreamOffset offset) const {
  std::lock_guard lock(lock_);
  return active() && offset >= begin() && offset <= end();
}

std::optional<Backlog::Cursor> Backlog::Open(StreamOffset offset) {
  std::lock_guard lock(lock_);
  if (!active() || offset < begin() || offset > end()) return std::nullopt;
  Block* block = first_;
  while (offset >= block->offset + block->capacity) {
    Block* next = block->next.load(std::memory_order_acquire);
    if (next == nullptr) break;  // the end of a full last block
    block = next;
  }
  block->references.fetch_add(1, std::memory_order_relaxed);
  return Cursor(this, block, static_cast<uint32_t>(offset - block->offset));
}

void Backlog::SetLimit(uint64_t limit_bytes) {
  limit_.store(std::max(limit_bytes, kLimitMin), std::memory_order_relaxed);
}

void Backlog::Trim(int blocks_max) {
  std::lock_guard lock(lock_);
  if (active()) TrimLocked(blocks_max);
}

void Backlog::TrimLocked(int blocks_max) {
  for (int i = 0; i < blocks_max && first_ != last_; ++i) {
    // One reference is ours, and nobody else can get one: Open needs the lock, and a cursor comes only from a
    // block before.
    if (first_->references.load(std::memory_order_acquire) != 1) return;
    if (end() - (first_->offset + first_->capacity) < limit()) return;
    Block* next = first_->next.load(std::memory_order_acquire);
    next->references.fetch_add(1, std::memory_order_relaxed);
    begin_.store(next->offset, std::memory_order_release);
    Release(std::exchange(first_, next));
  }
}

uint64_t Backlog::kept_bytes() const {
  std::lock_guard lock(lock_);
  return active() ? end() - begin() : 0;
}

uint64_t Backlog::memory_beyond_limit() const {
  const uint64_t all = memory();
  return all > limit() ? all - limit() : 0;
}

}  // namespace cinnabar::replication
