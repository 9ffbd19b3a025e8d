// ReplyParser: turns the bytes that a server sends into replies, RESP2 and RESP3. Sans-I/O.
//
//   *2\r\n $3\r\nabc\r\n *1\r\n :7\r\n
//   |      |             |      `- a value goes into the innermost open aggregate; the last one closes it
//   |      |             `- an aggregate is opened: it lies on a stack until its elements are there
//   |      `- the length line is used up at once, then the bytes move into the value as they come
//   `- what is used up is never looked at again
//
// Hence bytes may be cut anywhere, the work is linear in them, and what a length only announces takes no
// memory (but for a few elements). Replies are owned, unlike the arguments of a request: whoever waits for
// one keeps it for longer than the bytes.
//
// Attributes are read and dropped. Pushes stand between replies; one inside a reply (SUBSCRIBE in a
// transaction) is an element like others. Streamed types, whose length is not known in advance, are refused.
// Spec: https://redis.io/docs/reference/protocol-spec/
//
// One parser belongs to one connection, which is of no use any more after kDamaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/reply.h"

namespace cinnabar::protocol {

class ReplyParser {
 public:
  // Of one reply, with its attributes. What it takes in memory is a small multiple of `total_bytes` plus
  // `elements` times the size of a Reply.
  struct Limits {
    size_t bulk_bytes = 64 << 20;    // of one string, simple ones included
    size_t elements = 1 << 20;       // of all aggregates together; a pair of a map counts twice
    int depth = 16;                  // of aggregates in each other; they are also freed as deep
    size_t total_bytes = 256 << 20;  // as sent
  };

  // kReply: one reply. kIncomplete: more bytes are needed. kDamaged: see problem().
  enum class Outcome : uint8_t { kReply, kIncomplete, kDamaged };

  ReplyParser() : ReplyParser(Limits{}) {}
  explicit ReplyParser(Limits limits) : limits_(limits) {}

  // Takes the bytes that come next. They are kept until Next has used them, so that it should be called until
  // it says kIncomplete before more are fed. After damage they are dropped.
  void Feed(std::string_view bytes);

  // The next reply of what was fed. `reply` is replaced by kReply and left alone otherwise. Damage is found
  // behind the replies that came before it, and remains until Reset.
  Outcome Next(Reply& reply);

  // What is wrong, for people; empty if nothing is.
  std::string_view problem() const { return problem_; }

  // Bytes that were fed and belong to no reply that was returned; nothing after damage.
  size_t buffered() const { return reply_bytes_ + unread(); }

  // Forgets all bytes and damage: the next ones are those of a new connection.
  void Reset();

 private:
  // What came of the next piece of input. kValue: a complete value in value_. kProgress: no value, but there
  // may be more input.
  enum class Step : uint8_t { kValue, kProgress, kCutOff, kDamaged };

  // An aggregate whose elements are not all there.
  struct Open {
    Reply reply;
    size_t left;     // elements still to come, at least 1
    bool attribute;  // its elements are dropped, and so is it
  };

  size_t unread() const { return buffer_.size() - position_; }
  std::string_view rest() const { return std::string_view(buffer_).substr(position_); }
  void Use(size_t bytes);
  void DropUsed();
  bool PutAway();
  Step ReadLine();
  Step Interpret(char type, std::string_view line);
  Step ReadNumber(char type, std::string_view line);
  Step OpenBulk(Reply::Kind kind, std::string_view line);
  Step ReadBulk();
  Step OpenAggregate(char type, std::string_view line);
  Step Value(Reply::Kind kind);
  Step Damage(std::string problem);

  Limits limits_;
  std::string buffer_;
  size_t position_ = 0;  // of the first byte in buffer_ that was not used
  size_t searched_ = 0;  // bytes from there in which a line has no end
  Reply value_;          // the one that is being read
  bool in_bulk_ = false;
  size_t bulk_left_ = 0;  // bytes of the bulk that are still to come, without its line end
  std::vector<Open> open_;
  size_t reply_bytes_ = 0;  // used since the last complete reply
  size_t announced_ = 0;    // elements, since then
  std::string problem_;
};

}  // namespace cinnabar::protocol
