// The data of a simulated node: strings in two databases, changed by records of a stream, and enough about
// the stream itself to tell whether it was applied without a gap and without a repeat.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/flat_vector.h"
#include "protocol/request_parser.h"

namespace cinnabar::simulator {

// What identifies a state: the bytes that led to it and the data that it is.
struct StateMark {
  uint64_t stream = 0;
  uint64_t data = 0;
  bool operator==(const StateMark&) const = default;
};

class DataSet {
 public:
  // Applies one record: SET, APPEND, INCR and DEL change data, SELECT chooses the database, others do
  // nothing. False: it is no record that a primary writes.
  bool Apply(std::span<const std::string_view> words);
  // These bytes of the stream are applied.
  void NoteStream(std::string_view bytes);
  // Changes without a stream: the state is another one all the same.
  void ApplyWithoutStream(std::span<const std::string_view> words);

  StateMark mark() const { return {stream_, data_}; }
  int database() const { return database_; }
  const std::map<std::pair<int, std::string>, std::string>& entries() const { return entries_; }

  // All of it as bytes, as a snapshot holds it, and back.
  std::string Serialize() const;
  static std::optional<DataSet> Parse(std::string_view bytes);

 private:
  void Set(std::string_view key, std::string value);
  void Erase(std::string_view key);

  std::map<std::pair<int, std::string>, std::string> entries_;
  uint64_t data_ = 0;  // sum of the fingerprints of all entries
  uint64_t stream_ = 0;
  int database_ = 0;  // that the stream has selected
};

// Applies a stream that comes in pieces: whole records, and transactions as a whole.
class StreamApplier {
 public:
  void Feed(std::string_view bytes) { buffer_ += bytes; }
  void Reset();
  bool empty() const { return buffer_.empty(); }

  struct Applied {
    std::string bytes;          // of the stream, verbatim
    bool ack_is_asked = false;  // there was a REPLCONF GETACK among them
    bool damaged = false;       // what follows is no stream
  };
  // Applies up to `records_max` records (more, if a transaction has more).
  Applied ApplyTo(DataSet& data, int records_max);

 private:
  // Reads one record at `position`. Its words point into the buffer.
  protocol::RequestParser::Outcome ReadRecord(size_t position);

  std::string buffer_;
  protocol::RequestParser parser_;
  FlatVector<std::string_view> words_;
  std::deque<std::string> storage_;
};

}  // namespace cinnabar::simulator
