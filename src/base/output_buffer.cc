#include "base/output_buffer.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace cinnabar {
namespace {
constexpr size_t kChunkBytes = 16 * 1024;
constexpr size_t kBlockOverhead = sizeof(SharedBytes::Block);
}  // namespace

OutputBuffer::OutputBuffer(size_t fixed_capacity)
    : fixed_(static_cast<char*>(std::malloc(fixed_capacity))), fixed_capacity_(fixed_capacity) {}

OutputBuffer::OutputBuffer(OutputBuffer&& other) noexcept {
  *this = std::move(other);
}

OutputBuffer& OutputBuffer::operator=(OutputBuffer&& other) noexcept {
  std::swap(fixed_, other.fixed_);
  std::swap(fixed_capacity_, other.fixed_capacity_);
  std::swap(fixed_size_, other.fixed_size_);
  std::swap(fixed_sent_, other.fixed_sent_);
  std::swap(chunks_, other.chunks_);
  std::swap(chunk_bytes_, other.chunk_bytes_);
  std::swap(chunk_memory_, other.chunk_memory_);
  return *this;
}

OutputBuffer::~OutputBuffer() {
  std::free(fixed_);
}

void OutputBuffer::PushChunk(SharedBytes bytes, bool writable) {
  chunk_bytes_ += bytes.size();
  chunk_memory_ += bytes.capacity() + kBlockOverhead;
  chunks_.push_back(Chunk{std::move(bytes), 0, writable});
}

void OutputBuffer::AppendChunk(std::string_view bytes) {
  if (chunks_.empty() && fixed_capacity_ > fixed_size_) {
    size_t head = std::min(bytes.size(), fixed_capacity_ - fixed_size_);
    std::memcpy(fixed_ + fixed_size_, bytes.data(), head);
    fixed_size_ += head;
    bytes.remove_prefix(head);
  }
  if (!chunks_.empty() && chunks_.back().writable) {
    Chunk& last = chunks_.back();
    size_t head = std::min(bytes.size(), last.bytes.capacity() - last.bytes.size());
    std::memcpy(last.bytes.data() + last.bytes.size(), bytes.data(), head);
    last.bytes.set_size(last.bytes.size() + head);
    chunk_bytes_ += head;
    bytes.remove_prefix(head);
  }
  if (!bytes.empty()) PushChunk(SharedBytes::Copy(bytes, kChunkBytes - kBlockOverhead), true);
}

void OutputBuffer::AppendShared(SharedBytes bytes) {
  if (bytes.size() > 0) PushChunk(std::move(bytes), false);
}

void OutputBuffer::Splice(OutputBuffer&& other) {
  if (other.fixed_pending() > 0) Append({other.fixed_ + other.fixed_sent_, other.fixed_pending()});
  for (Chunk& chunk : other.chunks_) {
    if (chunk.sent > 0 || chunk.bytes.size() < kChunkBytes / 4) {
      Append(chunk.bytes.view().substr(chunk.sent));
    } else {
      PushChunk(std::move(chunk.bytes), chunk.writable);
    }
  }
  other.Clear();
}

int OutputBuffer::Gather(iovec* vectors, int limit) const {
  int count = 0;
  if (fixed_size_ > fixed_sent_) vectors[count++] = {fixed_ + fixed_sent_, fixed_size_ - fixed_sent_};
  for (const Chunk& chunk : chunks_) {
    if (count == limit) break;
    std::string_view rest = chunk.bytes.view().substr(chunk.sent);
    vectors[count++] = {const_cast<char*>(rest.data()), rest.size()};
  }
  return count;
}

size_t OutputBuffer::memory_of_others() const {
  size_t sum = 0;
  for (const Chunk& chunk : chunks_) {
    const size_t bytes = chunk.bytes.capacity() + kBlockOverhead;
    sum += bytes - bytes / chunk.bytes.owners();
  }
  return sum;
}

void OutputBuffer::DropFront() {
  chunk_memory_ -= chunks_.front().bytes.capacity() + kBlockOverhead;
  chunks_.pop_front();
}

void OutputBuffer::Consume(size_t count) {
  size_t head = std::min(count, fixed_size_ - fixed_sent_);
  fixed_sent_ += head;
  count -= head;
  if (fixed_sent_ == fixed_size_) fixed_sent_ = fixed_size_ = 0;
  while (count > 0) {
    Chunk& front = chunks_.front();
    size_t step = std::min(count, front.bytes.size() - front.sent);
    front.sent += step;
    chunk_bytes_ -= step;
    count -= step;
    if (front.sent == front.bytes.size()) DropFront();
  }
}

std::string OutputBuffer::TakeText() {
  std::string text;
  text.reserve(pending_bytes());
  iovec parts[64];
  while (const int count = Gather(parts, 64)) {
    size_t sum = 0;
    for (int i = 0; i < count; ++i) {
      text.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
      sum += parts[i].iov_len;
    }
    Consume(sum);
  }
  return text;
}

void OutputBuffer::Clear() {
  fixed_size_ = fixed_sent_ = 0;
  chunks_.clear();
  chunk_bytes_ = chunk_memory_ = 0;
}

void OutputBuffer::ResizeFixed(size_t capacity) {
  std::free(fixed_);
  fixed_ = static_cast<char*>(std::malloc(capacity));
  fixed_capacity_ = capacity;
}

}  // namespace cinnabar
