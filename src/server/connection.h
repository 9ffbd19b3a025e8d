// Connection: a transport and the session behind it. Owned by one core.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/shared_bytes.h"
#include "dispatch/session.h"
#include "net/transport.h"
#include "protocol/request_parser.h"
#include "server/client_memory.h"

namespace cinnabar::server {

// Bytes that were read and not consumed, kept between two turns. Its memory stays with it for the next large
// request, until the core's cron finds that the requests have become small or have stopped.
class InputBuffer {
 public:
  InputBuffer() = default;
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;

  size_t size() const { return size_; }
  size_t capacity() const { return bytes_.capacity(); }
  // The most bytes that were held since the last call.
  size_t TakePeak() {
    const size_t peak = peak_;
    peak_ = size_;
    return peak;
  }
  std::string_view view() const { return {bytes_ ? bytes_.view().data() : nullptr, size_}; }
  char* tail() { return bytes_.data() + size_; }
  size_t room() const { return capacity() - size_; }

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
  // A part of the bytes, which are kept in their memory for it; the buffer takes as much new memory when it
  // goes on (Consume). Empty when the part would keep much more memory than it needs.
  SharedBytes Lend(std::string_view part);
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

  SharedBytes bytes_;
  size_t size_ = 0;
  size_t peak_ = 0;
};

// What the core that owns a connection does with it: exactly one of these at any time.
//
//                 complete requests              its batch is finished
//       kOpen  --------------------->  kInTurn  ----------------------->  kOpen
//         ^                               |
//         |                               +---> kPostponed, kBlocked or kSuspended:
//         |                                     a request was begun, or put off
//         |                                                |
//         +--------  it has its reply, or may be tried  ---+
//
//       all but kInTurn  --->  kClosing        closed while a long command was in the middle
//       all but kInTurn  --->  gone            closed between commands
enum class ConnectionState : uint8_t {
  kOpen,       // takes requests: the core reads what arrives
  kInTurn,     // its requests are in a batch that is not finished. Nobody else may write to it or close it
  kPostponed,  // the next request waits for the end of a CLIENT PAUSE or of a long command, or for other
               // cores
  kBlocked,    // the last request waits for keys; the mailbox brings its reply
  kSuspended,  // the last request goes on in slices between batches (dispatch::Continuation)
  kClosing,    // goes as soon as no command is in the middle. Nothing is read or written any more
};
bool MayFollow(ConnectionState from, ConnectionState to);

// The lists of a core that a connection may stand in, each once. These are independent of its state and of
// each other, except that a connection in its turn is never kRunnable.
enum class Place : uint8_t {
  kRunnable = 1,  // requests that have arrived were left for later, or the transport holds some
  kAttended = 2,  // messages or a reply were written to it: to be looked at when the mailbox is drained
  kHeld = 4,      // its replies wait for the disk
};

class Connection final : private dispatch::ArgumentLender {
 public:
  Connection(uint64_t id, OutputBuffer output, std::unique_ptr<net::Transport> transport)
      : session(id, std::move(output)), transport(std::move(transport)) {
    session.lender = this;
  }

  ConnectionState state() const { return state_; }
  bool in_turn() const { return state_ == ConnectionState::kInTurn; }
  // REQUIRES: MayFollow(state(), next).
  void Become(ConnectionState next) {
    DCHECK(MayFollow(state_, next));
    state_ = next;
  }
  // The state after a turn, as its last request has left the session.
  ConnectionState AfterTurn() const {
    if (session.postponed) [[unlikely]]
      return ConnectionState::kPostponed;
    if (!session.suspended) [[likely]]
      return ConnectionState::kOpen;
    return session.blocked != nullptr ? ConnectionState::kBlocked : ConnectionState::kSuspended;
  }
  // True when it was not there.
  bool Enter(Place place) {
    const bool entered = !StandsIn(place);
    places_ |= static_cast<uint8_t>(place);
    return entered;
  }
  // True when it was there.
  bool Leave(Place place) {
    const bool left = StandsIn(place);
    places_ &= static_cast<uint8_t>(~static_cast<uint8_t>(place));
    return left;
  }
  bool StandsIn(Place place) const { return (places_ & static_cast<uint8_t>(place)) != 0; }

  // What always holds between two turns: the state agrees with what the commands know of the session
  // (postponed, suspended, blocked), and the reactor was asked for what the core and the transport wait for.
  // The core reads in kOpen and in no other state; a request that waits for other cores, which is soon over,
  // leaves the reactor asked as it was.
  bool Consistent() const;

  dispatch::Session session;
  const std::unique_ptr<net::Transport> transport;
  protocol::RequestParser parser;
  InputBuffer input;
  // What the core waits for (net::Interest bits). kReadable follows from the state; kWritable is independent:
  // a part of the output could not be sent.
  uint32_t wanted = net::kReadable;
  uint32_t reported = net::kReadable;  // what the reactor was asked for: also what the transport needs
  bool ignored = false;                // the reactor does not know it at present: its client has hung up
  // Somebody else has closed it, in whatever state it is: no longer counted nor shown. Set with the world
  // stopped; the core closes it when it attends to it.
  bool doomed = false;
  ClientWeight weight = {};  // its part in ClientMemory
  size_t reply_peak = 0;     // since the reply buffer was last looked at
  Millis reply_peak_at = 0;
  Millis held_since = 0;  // in Place::kHeld

 private:
  SharedBytes Lend(std::string_view argument) override { return input.Lend(argument); }

  ConnectionState state_ = ConnectionState::kOpen;
  uint8_t places_ = 0;  // bits of Place
};

}  // namespace cinnabar::server
