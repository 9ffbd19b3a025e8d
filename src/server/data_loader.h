// DataLoader: fills the data set from files, in slices, so that the server answers LOADING meanwhile.
//
//   snapshot file          RDB
//   payload that comes     RDB, read as far as it has come
//   append-only part       RDB (a base), or commands, or an RDB followed by commands (files of Redis 4 to 6)
//
// Nearly every key that is added is a cache miss or two. So entries are made, and commands parsed, a batch
// ahead: their buckets are on the way while the next is read.
//
// Runs on core 0. While it works, Alarm::kLoading keeps every command away that may look at the data set; it
// takes the shards of what it adds all the same, because others count keys.
// Size: three kinds of files are read in slices, and each slice begins where the last one ended.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/dispatcher.h"
#include "os/mapped_file.h"
#include "persistence/aof_reader.h"
#include "persistence/rdb_file.h"
#include "server/incoming_payload.h"

namespace cinnabar::server {

struct LoadPart {
  enum class Kind : uint8_t { kSnapshot, kAppendOnly } kind = Kind::kSnapshot;
  std::string path;
  std::string name;                                     // for messages
  bool last = true;                                     // no bytes follow: it may be cut off
  bool merging = false;                                 // keys that are there already are replaced
  std::shared_ptr<IncomingPayload> incoming = nullptr;  // instead of a file
};

class DataLoader {
 public:
  // kWaits: for bytes that have not come yet.
  enum class Progress : uint8_t { kMore, kWaits, kDone, kFailed };

  struct Figures {
    uint64_t keys_loaded = 0;
    uint64_t keys_expired = 0;  // left out, because their time had passed
    uint64_t keys_empty = 0;    // left out, because they had no value
    uint64_t bytes = 0;
    uint64_t bytes_total = 0;
    int64_t started_seconds = 0;
    uint64_t used_memory_in_snapshot = 0;
    // Where the data set stood in its history of replication when the (last) snapshot was made; no id:
    // unknown.
    std::string replication_id;
    int64_t replication_offset = -1;
    int stream_database = 0;  // that was selected in the stream there
  };
  struct ExpiredKey {
    int database;
    std::string name;
  };

  // `apart`: the keyspace to fill instead of the server's; it must outlive this, and nobody else uses it.
  DataLoader(dispatch::Services& services, std::vector<LoadPart> parts, keyspace::Keyspace* apart = nullptr);
  ~DataLoader();

  // Works until the deadline, or until so much has been read that clients want to be looked after. After
  // kFailed error() is for the log.
  Progress Step(Ticks deadline);

  // Whether Step finds more than it did when it said that it waits.
  bool CanGoOn() const { return part_ == parts_.size() || !incoming() || incoming()->has_wanted(); }

  const Error& error() const { return error_; }
  const Figures& figures() const { return figures_; }
  // Keys that were left out because their time had passed, of a data set with a place in a history: others of
  // that history still have them.
  std::vector<ExpiredKey> TakeExpired() { return std::move(expired_); }
  // The sources of functions that came with a data set that was loaded apart.
  std::vector<std::string> TakeLibraries() { return std::move(libraries_); }

 private:
  struct NewEntry {
    keyspace::Entry* entry;
    uint64_t hash;
  };

  IncomingPayload* incoming() const { return parts_[part_].incoming.get(); }
  uint64_t PartBytes() const {
    return incoming() != nullptr ? incoming()->received() : mapping_->bytes().size();
  }
  Progress OpenPart();
  Status OpenFile();
  // Shows the reader what has come. False: that is not enough yet.
  bool TakeMore();
  Progress Await();
  // A batch of items.
  Progress StepSnapshot();
  Progress TakeItem(persistence::RdbFileReader::Item item);
  Progress EndOfSnapshot();
  Progress StepCommands();
  persistence::AofReader::Outcome ParseCommands();
  Progress TakeLibrary();
  void NoteFact(std::string_view name, std::string_view text);
  void SkipEmpty();
  void TellOfMended();
  Progress EndOfCommands(persistence::AofReader::Outcome outcome);
  void TakeSizes();
  // Makes an entry of what the snapshot holds next.
  void TakeEntry();
  bool InsertNew();
  bool Insert(const NewEntry& made);
  bool RunCommand(const dispatch::Request& request);
  Progress Fail(std::string message);
  void Delay();

  dispatch::Services& services_;
  dispatch::Dispatcher& dispatcher_;
  keyspace::Keyspace& keyspace_;
  std::unique_ptr<keyspace::CoreState> apart_;  // of another keyspace; null: the dispatcher's is used
  std::vector<ExpiredKey> expired_;
  std::vector<std::string> libraries_;
  std::vector<LoadPart> parts_;
  size_t part_ = 0;
  std::unique_ptr<os::MappedFile> mapping_;
  std::unique_ptr<persistence::RdbFileReader> snapshot_;  // while one is read
  bool preamble_ = false;                                 // commands follow the snapshot
  bool read_up_ = false;        // the end of the snapshot was met; its payload may have more bytes
  std::vector<NewEntry> made_;  // of database_, not in the table yet
  int database_ = 0;
  size_t table_entries_ = 0;  // how many the snapshot says that each table of the database will have
  persistence::AofReader commands_;
  dispatch::Batch batch_;
  std::vector<size_t> record_ends_;  // parallel to the requests of the batch
  size_t position_ = 0;              // in the part, behind the last whole command
  size_t transaction_at_ = 0;        // where an open MULTI begins
  std::unique_ptr<dispatch::Session> session_;
  Figures figures_;
  bool told_of_mended_ = false;
  uint64_t items_ = 0;         // keys and commands, for the delay that tests ask for
  uint64_t bytes_before_ = 0;  // of the parts that are done
  Error error_;
};

}  // namespace cinnabar::server
