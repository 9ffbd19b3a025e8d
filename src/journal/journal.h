// The journal: one ordered stream of effects (DESIGN §6).
//
// Every change to the data set becomes one record of RESP bytes; its offset in the stream is the replication
// offset. Records are appended while the shards of the change are held, so that their order is a serial
// order. Sinks read the stream: the append-only file, the backlog of replicas, a test. Without a sink nothing
// is produced.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/brief_lock.h"
#include "base/flat_vector.h"
#include "protocol/encode_command.h"

namespace cinnabar::journal {

// The records of one command or transaction, collected before they are appended.
class Effects {
 public:
  void Add(int database, std::span<const std::string_view> argv);
  void Add(int database, std::initializer_list<std::string_view> argv) {
    Add(database, std::span<const std::string_view>(argv.begin(), argv.size()));
  }
  // `text` is what the other Add would make of it; it stays where it is until Clear.
  void AddEncoded(int database, std::string_view text) {
    records_.push_back({database, 0, text.size(), text.data(), false});
  }
  // For replicas alone: it changes nothing that a file would keep.
  void AddForReplicas(int database, std::span<const std::string_view> argv) {
    Add(database, argv);
    records_.back().for_replicas = true;
    mixed_ = true;
  }
  // Where the next record will stand; what was added since then may be dropped again, or be kept from files.
  size_t mark() const { return records_.size(); }
  void DropSince(size_t mark);
  void OnlyForReplicasSince(size_t mark);
  void OnlyForFilesSince(size_t mark);
  // Whether replicas and files are to get different records.
  bool mixed() const { return mixed_; }
  bool empty() const { return records_.empty(); }
  size_t size() const { return records_.size(); }
  void Clear() {
    mixed_ = false;
    records_.clear();
    bytes_.clear();
  }

  struct Record {
    int database;
    size_t begin;
    size_t end;
    const char* elsewhere;  // null: the effects hold its text themselves
    bool for_replicas = false;
    bool for_files = false;
  };
  const FlatVector<Record>& records() const { return records_; }
  std::string_view bytes(const Record& record) const {
    const char* text = record.elsewhere != nullptr ? record.elsewhere : bytes_.data();
    return {text + record.begin, record.end - record.begin};
  }
  size_t held_bytes() const { return bytes_.size(); }

 private:
  std::string bytes_;
  FlatVector<Record> records_;
  bool mixed_ = false;
};

class JournalSink {
 public:
  virtual ~JournalSink() = default;
  // Called in stream order under the journal's lock: copy and return. `offset` is the stream offset of
  // bytes[0].
  virtual void OnBytes(uint64_t offset, std::string_view bytes) = 0;
  // A part of another server's stream. It begins and ends with these databases selected.
  virtual void OnRaw(uint64_t offset, std::string_view bytes, int /*database_before*/,
                     int /*database_behind*/) {
    OnBytes(offset, bytes);
  }
  // A record that changes nothing and is for replicas alone; it has its place in the stream all the same.
  virtual void OnControl(uint64_t offset, std::string_view bytes) { OnBytes(offset, bytes); }
  // Records of which some are for replicas alone; `kept` is the rest, as a file keeps it.
  virtual void OnMixed(uint64_t offset, std::string_view bytes, std::string_view /*kept*/) {
    OnBytes(offset, bytes);
  }
  // Changes that are no part of the stream, which stands at `offset`. They begin with a SELECT.
  virtual void OnLocal(uint64_t /*offset*/, std::string_view /*bytes*/) {}
};

// Where the SELECT stands that the first record of several needs: Redis 7.0 writes it before their MULTI, 7.2
// behind it.
enum class SelectPlace : uint8_t { kBeforeMulti, kBehindMulti };

class Journal {
 public:
  // REQUIRES: nothing else runs.
  void AddSink(JournalSink& sink);
  void RemoveSink(JournalSink& sink);
  void SetSelectPlace(SelectPlace place) { select_place_ = place; }
  bool active() const { return !sinks_.empty(); }

  // Appends the records, a SELECT before each change of database, and MULTI/EXEC around several records.
  // Returns the offset behind them. Any core; takes the leaf lock.
  uint64_t Append(const Effects& effects);
  // Appends a part of another journal as it is, for a replica that passes its primary's stream on: whole
  // records, which begin and end with these databases selected. The next record that Append makes begins with
  // a SELECT. Returns the offset behind the bytes.
  uint64_t AppendRaw(std::string_view bytes, int database_before, int database_behind);
  // Appends a record for replicas alone (PING, REPLCONF GETACK). Does nothing without a sink. Returns the
  // offset behind it.
  uint64_t AppendControl(std::string_view bytes);
  // Changes that a replica's own client has made: for this server's files, outside the stream.
  uint64_t AppendLocal(const Effects& effects);
  uint64_t offset() const;
  // The stream goes on at another offset: what follows belongs to another history. REQUIRES: the world is
  // stopped, and every sink is told by its owner.
  void SetOffset(uint64_t offset);
  // The next record begins with a SELECT: for a sink that starts a new file.
  void SelectAnew();

 private:
  void SelectDatabase(int database);
  // Puts the records into staging_, as one transaction if there are several; into kept_ those that files
  // keep.
  void Stage(const Effects& effects);
  void StageSelect(int database);
  void StageWord(std::string_view word);
  uint64_t AppendMixed(const Effects& effects);
  void ShrinkStaging();

  mutable BriefLock lock_;
  std::vector<JournalSink*> sinks_;
  std::string staging_, kept_;
  uint64_t offset_ = 0;
  int database_ = -1;
  SelectPlace select_place_ = SelectPlace::kBehindMulti;
};

using protocol::EncodeCommand;

}  // namespace cinnabar::journal
