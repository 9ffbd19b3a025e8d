// DataLoader: fills the data set from files, in slices, so that the server answers LOADING meanwhile.
//
//   snapshot file          RDB
//   append-only part       RDB (a base), or commands, or an RDB followed by commands (files of Redis 4 to 6)
//
// Runs on core 0. While it works, Alarm::kLoading keeps every command away that may look at the data set; it
// takes the shards of what it adds all the same, because others count keys.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/dispatcher.h"
#include "os/mapped_file.h"
#include "persistence/aof_reader.h"
#include "persistence/rdb_file.h"

namespace cinnabar::server {

struct LoadPart {
  enum class Kind : uint8_t { kSnapshot, kAppendOnly } kind = Kind::kSnapshot;
  std::string path;
  std::string name;      // for messages
  bool last = true;      // no bytes follow: it may be cut off
  bool merging = false;  // keys that are there already are replaced
};

class DataLoader {
 public:
  enum class Progress : uint8_t { kMore, kDone, kFailed };

  struct Figures {
    uint64_t keys_loaded = 0;
    uint64_t keys_expired = 0;  // left out, because their time had passed
    uint64_t bytes = 0;
    uint64_t bytes_total = 0;
    int64_t started_seconds = 0;
    uint64_t used_memory_in_snapshot = 0;
  };

  DataLoader(dispatch::Services& services, std::vector<LoadPart> parts);
  ~DataLoader();

  // Works until the deadline. After kFailed error() is for the log.
  Progress Step(Ticks deadline);

  const Error& error() const { return error_; }
  const Figures& figures() const { return figures_; }
  // Bytes that the last part was shortened to, because it was cut off within a command.
  std::optional<uint64_t> truncated_to() const { return truncated_to_; }

 private:
  Progress OpenPart();
  Progress StepSnapshot();
  Progress StepCommands();
  Progress EndOfCommands(persistence::AofReader::Outcome outcome);
  Progress TakeEntry();
  bool RunCommand(std::span<const std::string_view> argv);
  Progress Fail(std::string message);
  void Delay();

  dispatch::Services& services_;
  dispatch::Dispatcher& dispatcher_;
  std::vector<LoadPart> parts_;
  size_t part_ = 0;
  std::unique_ptr<os::MappedFile> mapping_;
  std::unique_ptr<persistence::RdbFileReader> snapshot_;  // while one is read
  bool preamble_ = false;                                 // commands follow the snapshot
  persistence::AofReader commands_;
  size_t position_ = 0;        // in the part, behind the last whole command
  size_t transaction_at_ = 0;  // where an open MULTI begins
  std::unique_ptr<dispatch::Session> session_;
  Figures figures_;
  uint64_t items_ = 0;         // keys and commands, for the delay that tests ask for
  uint64_t bytes_before_ = 0;  // of the parts that are done
  Error error_;
  std::optional<uint64_t> truncated_to_;
};

}  // namespace cinnabar::server
