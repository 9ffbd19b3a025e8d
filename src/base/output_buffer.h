// OutputBuffer: the bytes that one connection still has to send.
//
//   [ fixed part ] -> [ chunk ] -> [ chunk: shared block ] -> ...
//
// Small replies land in the fixed part, which is reused for ever; what does not fit goes to a list of chunks.
// A large value is linked in, not copied. Bytes leave in order through `Gather` (for writev) and `Consume`.
// Owned by one thread at a time.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>

#include "base/shared_bytes.h"

namespace cinnabar {

class OutputBuffer {
 public:
  static constexpr size_t kFixedBytesMax = 16 * 1024;
  static constexpr size_t kFixedBytesMin = 1024;

  OutputBuffer() = default;
  explicit OutputBuffer(size_t fixed_capacity);
  OutputBuffer(OutputBuffer&& other) noexcept;
  OutputBuffer& operator=(OutputBuffer&& other) noexcept;
  ~OutputBuffer();

  void Append(std::string_view bytes) {
    if (chunks_.empty() && fixed_capacity_ - fixed_size_ >= bytes.size()) [[likely]] {
      std::memcpy(fixed_ + fixed_size_, bytes.data(), bytes.size());
      fixed_size_ += bytes.size();
      return;
    }
    AppendChunk(bytes);
  }
  // Room for `count` bytes to be formatted in place, or null when the fixed part cannot give it (use Append).
  char* Room(size_t count) {
    if (!chunks_.empty() || fixed_capacity_ - fixed_size_ < count) return nullptr;
    return fixed_ + fixed_size_;
  }
  void Commit(size_t count) { fixed_size_ += count; }

  void AppendShared(SharedBytes bytes);
  // Takes over all bytes of `other`, in order, after ours.
  void Splice(OutputBuffer&& other);

  bool empty() const { return fixed_size_ == fixed_sent_ && chunks_.empty(); }
  size_t pending_bytes() const { return fixed_size_ - fixed_sent_ + chunk_bytes_; }
  // Fills up to `limit` iovecs with the first bytes to send; returns how many.
  int Gather(iovec* vectors, int limit) const;
  void Consume(size_t count);
  // Everything as one string; nothing is left.
  std::string TakeText();
  void Clear();

  size_t fixed_capacity() const { return fixed_capacity_; }
  size_t fixed_pending() const { return fixed_size_ - fixed_sent_; }
  size_t chunk_count() const { return chunks_.size(); }
  // Memory held by the chunks, shared blocks included at their full size.
  size_t chunk_memory() const { return chunk_memory_; }
  // What of it others hold as well, each owner of a block having an equal part. Looks at every chunk.
  size_t memory_of_others() const;
  // REQUIRES: empty(). Changes the size of the fixed part.
  void ResizeFixed(size_t capacity);

 private:
  struct Chunk {
    SharedBytes bytes;
    size_t sent = 0;
    bool writable = false;  // ours to append to
  };
  void AppendChunk(std::string_view bytes);
  void PushChunk(SharedBytes bytes, bool writable);
  void DropFront();

  char* fixed_ = nullptr;
  size_t fixed_capacity_ = 0;
  size_t fixed_size_ = 0;
  size_t fixed_sent_ = 0;
  std::deque<Chunk> chunks_;
  size_t chunk_bytes_ = 0;
  size_t chunk_memory_ = 0;
};

}  // namespace cinnabar
