#include "server/data_loader.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/numbers.h"
#include "config/config.h"

namespace cinnabar::server {
namespace {

using dispatch::Session;
using keyspace::Key;
using keyspace::Keyspace;
using persistence::RdbFileReader;
using Item = RdbFileReader::Item;

// Items between two looks at the clock.
constexpr int kItemsAtOnce = 64;

}  // namespace

DataLoader::DataLoader(dispatch::Services& services, std::vector<LoadPart> parts)
    : services_(services), dispatcher_(*services.dispatchers[0]), parts_(std::move(parts)) {
  figures_.started_seconds = SystemWallNanos() / kNanosPerSecond;
  for (const LoadPart& part : parts_) {
    struct stat facts {};
    if (stat(part.path.c_str(), &facts) == 0) figures_.bytes_total += static_cast<uint64_t>(facts.st_size);
  }
  session_ = std::make_unique<Session>(0, OutputBuffer(OutputBuffer::kFixedBytesMin));
}

DataLoader::~DataLoader() {
  keyspace::CoreState& core = dispatcher_.core();
  core.replaying = false;
  dispatcher_.UpdateTime();
}

DataLoader::Progress DataLoader::Fail(std::string message) {
  error_ = {std::move(message), 0};
  return Progress::kFailed;
}

DataLoader::Progress DataLoader::Step(Ticks deadline) {
  while (part_ < parts_.size()) {
    if (mapping_ == nullptr) {
      if (const Progress opened = OpenPart(); opened == Progress::kFailed) return opened;
    }
    for (int i = 0; i < kItemsAtOnce; ++i) {
      const Progress progress = snapshot_ != nullptr ? StepSnapshot() : StepCommands();
      if (progress == Progress::kFailed) return progress;
      if (progress == Progress::kMore) continue;
      bytes_before_ += mapping_->bytes().size();
      mapping_.reset();
      ++part_;
      break;
    }
    figures_.bytes = bytes_before_ + (mapping_ == nullptr    ? 0
                                      : snapshot_ != nullptr ? snapshot_->position()
                                                             : position_);
    if (dispatcher_.clock().Now() >= deadline)
      return part_ < parts_.size() ? Progress::kMore : Progress::kDone;
  }
  return Progress::kDone;
}

DataLoader::Progress DataLoader::OpenPart() {
  const LoadPart& part = parts_[part_];
  auto mapping = os::MappedFile::Open(part.path);
  if (!mapping) {
    return Fail(fmt::format("Fatal error: can't open {} {} for reading: {}",
                            part.kind == LoadPart::Kind::kSnapshot ? "the RDB file" : "the append log file",
                            part.name, mapping.error().message));
  }
  mapping_ = std::move(*mapping);
  position_ = transaction_at_ = 0;
  session_->database = 0;
  session_->transaction.Reset();
  const bool append_only = part.kind == LoadPart::Kind::kAppendOnly;
  dispatcher_.core().replaying = append_only;
  dispatcher_.UpdateTime();
  preamble_ = append_only && RdbFileReader::Recognizes(mapping_->bytes());
  if (append_only && !preamble_) return Progress::kMore;
  if (preamble_) services_.log.Notice("Reading RDB base file on AOF loading...");
  const auto checksum = services_.settings.persistence.rdbchecksum ? persistence::Checksum::kWritten
                                                                   : persistence::Checksum::kOmitted;
  snapshot_ = std::make_unique<RdbFileReader>(mapping_->bytes(), persistence::LimitsFrom(services_.settings),
                                              checksum);
  return Progress::kMore;
}

DataLoader::Progress DataLoader::StepSnapshot() {
  switch (snapshot_->Next()) {
    case Item::kFact:
      if (snapshot_->name() == "used-mem")
        figures_.used_memory_in_snapshot = static_cast<uint64_t>(ParseInt64(snapshot_->text()).value_or(0));
      return Progress::kMore;
    case Item::kDatabase:
      if (snapshot_->database() >= services_.keyspace.databases()) {
        return Fail(
            fmt::format("FATAL: Data file was created with a Redis server configured to handle more than {} "
                        "databases. Exiting",
                        services_.keyspace.databases()));
      }
      return Progress::kMore;
    case Item::kSizes:
      return Progress::kMore;
    case Item::kFunction:
      return Fail("The file holds functions, which this version does not have yet");
    case Item::kEntry:
      return TakeEntry();
    case Item::kEnd:
      position_ = transaction_at_ = snapshot_->position();
      snapshot_.reset();
      if (!preamble_) return Progress::kDone;
      services_.log.Notice("Reading the remaining AOF tail...");
      return Progress::kMore;
    case Item::kFault:
      break;
  }
  const std::string_view reason = snapshot_->reason();
  const bool truncated = snapshot_->fault() == persistence::RdbFault::kTruncated;
  return Fail(fmt::format("{} loading {} at offset {}: {}. Unrecoverable error, aborting now.",
                          truncated ? "Short read or OOM" : "Bad file format", parts_[part_].name,
                          snapshot_->position(), reason));
}

DataLoader::Progress DataLoader::TakeEntry() {
  keyspace::CoreState& core = dispatcher_.core();
  Keyspace& keyspace = services_.keyspace;
  // Replicas and journals say themselves what has expired; a snapshot does not.
  if (!core.replaying && snapshot_->expiry() != keyspace::kNever && snapshot_->expiry() < core.now) {
    ++figures_.keys_expired;
    return Progress::kMore;
  }
  const Key key = keyspace.KeyOf(snapshot_->name());
  const size_t shard = Keyspace::ShardOf(key.hash);
  keyspace::Database database(core, snapshot_->database());
  keyspace.Lock(shard);
  keyspace::EntryRef old = database.FindWrite(key, keyspace::Use::kSilent);
  if (old && parts_[part_].merging) {
    database.Erase(key, old);
    old = keyspace::EntryRef();
  }
  if (!old) {
    keyspace::EntryRef entry =
        database.Create(key, persistence::PayloadOf(snapshot_->value()), snapshot_->expiry());
    const persistence::EntryUse& use = snapshot_->use();
    if (use.frequency && core.access.lfu) {
      entry->set_clock(keyspace::LfuMinutes(core.now) << 8 | *use.frequency);
    } else if (use.idle_seconds && !core.access.lfu) {
      const auto idle = static_cast<uint32_t>(std::min<uint64_t>(*use.idle_seconds, keyspace::kClockMask));
      entry->set_clock((keyspace::LruClock(core.now) - idle) & keyspace::kClockMask);
    }
  }
  keyspace.Unlock(shard);
  if (old) {
    return Fail(
        fmt::format("RDB has duplicated key '{}' in DB {}", snapshot_->name(), snapshot_->database()));
  }
  ++figures_.keys_loaded;
  Delay();
  return Progress::kMore;
}

void DataLoader::Delay() {
  const int64_t delay = services_.settings.testing.key_load_delay_micros;
  if (delay > 0) usleep(static_cast<useconds_t>(delay));
  if (delay < 0 && ++items_ % static_cast<uint64_t>(-delay) == 0) usleep(1);
}

DataLoader::Progress DataLoader::StepCommands() {
  using Outcome = persistence::AofReader::Outcome;
  const std::string_view rest = mapping_->bytes().substr(position_);
  if (rest.empty() && !session_->in_transaction()) return Progress::kDone;
  const Outcome outcome = commands_.Next(rest);
  if (outcome == Outcome::kIncomplete || outcome == Outcome::kBadFormat) return EndOfCommands(outcome);
  if (outcome == Outcome::kCommand) {
    if (!session_->in_transaction()) transaction_at_ = position_;
    if (!RunCommand(commands_.argv())) return Progress::kFailed;
  }
  position_ += commands_.size();
  return Progress::kMore;
}

bool DataLoader::RunCommand(std::span<const std::string_view> argv) {
  const dispatch::Command* command = services_.registry.Resolve(argv);
  if (command == nullptr || command->run == nullptr) {
    Fail(fmt::format("Unknown command '{}' reading the append only file {}", argv[0], parts_[part_].name));
    return false;
  }
  if (!command->AcceptsArgumentCount(argv.size())) {
    Fail(fmt::format("Wrong number of arguments of command '{}' reading the append only file {}", argv[0],
                     parts_[part_].name));
    return false;
  }
  dispatcher_.Replay(*session_, argv, *command);
  // Nobody reads the replies.
  session_->output.Clear();
  Delay();
  return true;
}

// The bytes end within a command, or are none.
DataLoader::Progress DataLoader::EndOfCommands(persistence::AofReader::Outcome outcome) {
  const LoadPart& part = parts_[part_];
  if (outcome == persistence::AofReader::Outcome::kBadFormat) {
    return Fail(fmt::format(
        "Bad file format reading the append only file {}: make a backup of your AOF file, then use "
        "./redis-check-aof --fix <filename.manifest>",
        part.name));
  }
  const uint64_t whole = session_->in_transaction() ? transaction_at_ : position_;
  session_->transaction.Reset();
  if (part.last && services_.settings.persistence.aof_load_truncated) {
    services_.log.Warning("!!! Warning: short read while loading the AOF file {}!!!", part.name);
    services_.log.Warning("AOF {} loaded anyway because aof-load-truncated is enabled", part.name);
    services_.log.Warning("Truncating the AOF {} at offset {}", part.name, whole);
    if (truncate(part.path.c_str(), static_cast<off_t>(whole)) != 0) {
      return Fail(fmt::format("Error truncating the AOF file {}: {}", part.name, strerror(errno)));
    }
    truncated_to_ = whole;
    return Progress::kDone;
  }
  return Fail(
      fmt::format("Unexpected end of file reading the append only file {}. You can: 1) Make a backup of your "
                  "AOF file, then use "
                  "./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the "
                  "'aof-load-truncated' configuration "
                  "option to yes and restart the server.",
                  part.name));
}

}  // namespace cinnabar::server
