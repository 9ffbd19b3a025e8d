// Which history of changes a data set belongs to.
//
// A replication id names a history, an offset a place in it: two servers with the same id and offset hold the
// same data. A server has a second id as well: the history that it belonged to before it was promoted, or
// before its primary was, which is the same up to `second_offset`
// (https://redis.io/docs/latest/operate/oss_and_stack/management/replication/, "Replication ID explained").
//
//   id2  ======================x - - - -      the old primary's history, which may have gone on without us
//   id                         \========      ours
//                      bytes before x: second_offset
//
// Plain values: the owner is whoever owns the role of the server (everything here changes with the world
// stopped).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "replication/backlog.h"

namespace cinnabar::replication {

// 40 hexadecimal digits.
class ReplicationId {
 public:
  static constexpr size_t kDigits = 40;

  // None: 40 zeros, as INFO shows an absent second id.
  ReplicationId() { digits_.fill('0'); }
  // Digits from a source of random words; it must be good enough that two servers never get the same (a
  // generator that was seeded by the operating system).
  template <typename RandomWords>
  static ReplicationId New(RandomWords& random) {
    return FromWords(random.Next(), random.Next(), random.Next());
  }
  // Nothing when it is no id.
  static std::optional<ReplicationId> Parse(std::string_view text);

  std::string_view text() const { return {digits_.data(), digits_.size()}; }
  bool none() const { return *this == ReplicationId(); }
  // As a replica asks for it: the case of letters does not count.
  bool Matches(std::string_view text) const;
  bool operator==(const ReplicationId&) const = default;

 private:
  static ReplicationId FromWords(uint64_t a, uint64_t b, uint64_t c);

  std::array<char, kDigits> digits_;
};

class History {
 public:
  History() = default;
  explicit History(ReplicationId id) : id_(id) {}

  const ReplicationId& id() const { return id_; }
  const ReplicationId& second_id() const { return second_id_; }
  // The bytes that both have in common; INFO's second_repl_offset is one more. None: there is no second id.
  std::optional<StreamOffset> second_offset() const {
    return second_id_.none() ? std::nullopt : std::optional(second_offset_);
  }
  // second_repl_offset as INFO shows it.
  int64_t second_offset_for_info() const {
    return second_id_.none() ? -1 : static_cast<int64_t>(second_offset_) + 1;
  }

  // Whether a data set that is at `offset` of history `id` can go on with ours: it is a prefix of what we (or
  // our primary) have produced, as far as ids tell. Whether the bytes are still there is the backlog's
  // question.
  bool CanContinue(std::string_view id, StreamOffset offset) const {
    return id_.Matches(id) || (!second_id_.none() && second_id_.Matches(id) && offset <= second_offset_);
  }

  // From here on we write our own continuation: on promotion, and when a primary comes back from its files,
  // whose old run may have gone on further. Also when our primary says that it goes on under another id.
  void Shift(ReplicationId next, StreamOffset offset) {
    second_id_ = id_;
    second_offset_ = offset;
    id_ = next;
  }
  // A history with no past that anybody knows: after a full synchronisation (the primary's id), and when
  // changes were made that no stream has carried (a new id).
  void Replace(ReplicationId id) {
    id_ = id;
    second_id_ = ReplicationId();
    second_offset_ = 0;
  }
  bool operator==(const History&) const = default;

 private:
  ReplicationId id_;
  ReplicationId second_id_;
  StreamOffset second_offset_ = 0;
};

// A data set's place: what a replica asks to continue from.
struct Position {
  ReplicationId id;
  StreamOffset offset = 0;
  bool operator==(const Position&) const = default;
};

}  // namespace cinnabar::replication
