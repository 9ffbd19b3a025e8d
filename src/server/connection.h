// Connection: a transport and the session behind it. Owned by one core.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "dispatch/session.h"
#include "net/transport.h"
#include "protocol/request_parser.h"
#include "server/client_memory.h"

namespace cinnabar::server {

// Bytes that were read and not consumed, kept between two turns. What it has allocated stays with it for the
// next large request, until the core's cron finds that the requests have become small or have stopped.
class InputBuffer {
 public:
  InputBuffer() = default;
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;
  ~InputBuffer() { std::free(data_); }

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  // The most bytes that were held since the last call.
  size_t TakePeak() {
    const size_t peak = peak_;
    peak_ = size_;
    return peak;
  }
  std::string_view view() const { return {data_, size_}; }
  char* tail() { return data_ + size_; }
  size_t room() const { return capacity_ - size_; }

  // Makes room for the next read: for all of a request of `wanted` bytes (0: its size is not known), and in
  // any case for kRoomMin bytes, so that the system is asked rarely. It grows by doubling, so that a request
  // of many small parts is copied a few times at most, whatever its size.
  static constexpr size_t kRoomMin = 16 * 1024;
  void MakeRoom(size_t wanted);
  // Makes room for `bytes` and the next read, as above, and appends them.
  void Append(std::string_view bytes, size_t wanted);
  void Grown(size_t count) {
    size_ += count;
    if (size_ > peak_) peak_ = size_;
  }
  // Drops the first bytes.
  void Consume(size_t count);
  // REQUIRES: size() == 0. Gives the memory back.
  void Release();
  // Gives back the memory of all that is not filled. A request that is cut off gets its room again when more
  // of it arrives.
  void Shrink();
  // Forgets the bytes and gives the memory back.
  void Clear() {
    size_ = 0;
    Release();
  }

 private:
  void Reserve(size_t capacity);

  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  size_t peak_ = 0;
};

struct Connection {
  Connection(uint64_t id, OutputBuffer output, std::unique_ptr<net::Transport> transport)
      : session(id, std::move(output)), transport(std::move(transport)) {}

  dispatch::Session session;
  const std::unique_ptr<net::Transport> transport;
  protocol::RequestParser parser;
  InputBuffer input;
  uint32_t wanted = net::kReadable;    // what the core waits for: net::Interest bits
  uint32_t reported = net::kReadable;  // what the reactor was asked for: also what the transport needs
  bool runnable = false;               // in the core's list of connections with work left
  bool attended_soon = false;          // in the core's list of connections to attend
  bool held = false;                   // in the core's list of connections whose replies wait for the disk
  bool in_turn = false;                // its requests are in a batch that is not finished
  bool close_later = false;            // it is to be closed when no command is in the middle any more
  bool doomed = false;                 // somebody else has closed it: no longer counted nor shown
  ClientWeight weight = {};            // its part in ClientMemory
  size_t reply_peak = 0;               // since the reply buffer was last looked at
  Millis reply_peak_at = 0;
};

}  // namespace cinnabar::server
