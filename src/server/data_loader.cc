#include "server/data_loader.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/numbers.h"
#include "base/quote.h"
#include "config/config.h"

namespace cinnabar::server {
namespace {

using dispatch::Session;
using keyspace::Key;
using keyspace::Keyspace;
using persistence::RdbFileReader;
using Item = RdbFileReader::Item;

// Items of a batch, between two looks at the clock.
constexpr size_t kItemsAtOnce = 64;
// An entry takes no less in a file: what it says about their number is believed that far.
constexpr size_t kEntryBytesLeast = 4;
constexpr size_t kShownBytes = 128;     // of a key, in the log
constexpr uint64_t kToldEmptyMax = 10;  // after so many the sum has to do
// An item that is not whole is read again with every byte that comes as long as it is small; later when twice
// as much is there.
constexpr uint64_t kSmallItemBytes = 16 << 10;

}  // namespace

DataLoader::DataLoader(dispatch::Services& services, std::vector<LoadPart> parts, keyspace::Keyspace* apart)
    : services_(services),
      dispatcher_(*services.dispatchers[0]),
      keyspace_(apart == nullptr ? services.keyspace : *apart),
      parts_(std::move(parts)) {
  if (apart != nullptr)
    apart_ = std::make_unique<keyspace::CoreState>(keyspace::CoreState{.keyspace = *apart});
  figures_.started_seconds = SystemWallNanos() / kNanosPerSecond;
  for (const LoadPart& part : parts_) {
    if (part.incoming != nullptr) figures_.bytes_total += part.incoming->announced();
    struct stat facts {};
    if (stat(part.path.c_str(), &facts) == 0) figures_.bytes_total += static_cast<uint64_t>(facts.st_size);
  }
  session_ = std::make_unique<Session>(0, OutputBuffer(OutputBuffer::kFixedBytesMin));
}

DataLoader::~DataLoader() {
  for (const NewEntry& made : made_) keyspace::Entry::Destroy(made.entry);
  keyspace::CoreState& core = dispatcher_.core();
  core.replaying = false;
  dispatcher_.UpdateTime();
}

DataLoader::Progress DataLoader::Fail(std::string message) {
  error_ = {std::move(message), 0};
  return Progress::kFailed;
}

DataLoader::Progress DataLoader::Step(Ticks deadline) {
  const uint64_t enough =
      figures_.bytes +
      static_cast<uint64_t>(services_.settings.testing.loading_process_events_interval_bytes);
  while (part_ < parts_.size()) {
    if (mapping_ == nullptr && snapshot_ == nullptr) {
      if (const Progress opened = OpenPart(); opened == Progress::kFailed) return opened;
    }
    const Progress progress = snapshot_ != nullptr ? StepSnapshot() : StepCommands();
    if (progress == Progress::kFailed) return progress;
    if (progress == Progress::kDone) {
      bytes_before_ += PartBytes();
      mapping_.reset();
      position_ = 0;
      ++part_;
    }
    figures_.bytes = bytes_before_ + (snapshot_ != nullptr ? snapshot_->position() : position_);
    if (progress == Progress::kWaits) return progress;
    if (figures_.bytes >= enough || dispatcher_.clock().Now() >= deadline)
      return part_ < parts_.size() ? Progress::kMore : Progress::kDone;
  }
  return Progress::kDone;
}

Status DataLoader::OpenFile() {
  const LoadPart& part = parts_[part_];
  auto mapping = os::MappedFile::Open(part.path);
  if (!mapping) {
    return cinnabar::Fail(
        fmt::format("Fatal error: can't open {} {} for reading: {}",
                    part.kind == LoadPart::Kind::kSnapshot ? "the RDB file" : "the append log file",
                    part.name, mapping.error().message));
  }
  mapping_ = std::move(*mapping);
  return {};
}

DataLoader::Progress DataLoader::OpenPart() {
  const LoadPart& part = parts_[part_];
  if (part.incoming == nullptr) {
    if (const Status opened = OpenFile(); !opened) return Fail(opened.error().message);
  }
  const std::string_view bytes = mapping_ == nullptr ? std::string_view() : mapping_->bytes();
  position_ = transaction_at_ = 0;
  session_->database = 0;
  session_->transaction.Reset();
  const bool append_only = part.kind == LoadPart::Kind::kAppendOnly;
  dispatcher_.core().replaying = append_only;
  dispatcher_.UpdateTime();
  preamble_ = append_only && RdbFileReader::Recognizes(bytes);
  if (append_only && !preamble_) return Progress::kMore;
  if (preamble_) services_.log.Notice("Reading RDB base file on AOF loading...");
  const auto checksum = services_.settings.persistence.rdbchecksum ? persistence::Checksum::kWritten
                                                                   : persistence::Checksum::kOmitted;
  snapshot_ = std::make_unique<RdbFileReader>(bytes, persistence::LimitsFrom(services_.settings), checksum);
  if (mapping_ == nullptr) snapshot_->MoreMayCome();
  if (services_.settings.persistence.rdb_version_check == config::RdbVersionCheck::kRelaxed)
    snapshot_->AcceptLaterVersions();
  snapshot_->LetEmptyPass();
  return Progress::kMore;
}

bool DataLoader::TakeMore() {
  IncomingPayload& payload = *incoming();
  if (!payload.has_wanted()) return false;
  payload.DropBefore(snapshot_->needed_from());
  snapshot_->Renew(payload.bytes(), payload.begin(), payload.whole());
  return true;
}

DataLoader::Progress DataLoader::Await() {
  const uint64_t there = incoming()->received() - snapshot_->position();
  incoming()->Want(incoming()->received() + (there < kSmallItemBytes ? 1 : there));
  return Progress::kWaits;
}

DataLoader::Progress DataLoader::StepSnapshot() {
  if (read_up_) return incoming()->whole() ? EndOfSnapshot() : Progress::kWaits;
  if (incoming() != nullptr && !TakeMore()) return Progress::kWaits;
  Progress progress = Progress::kMore;
  for (size_t i = 0; i < kItemsAtOnce && progress == Progress::kMore && snapshot_ != nullptr; ++i) {
    progress = TakeItem(snapshot_->Next());
  }
  return InsertNew() ? progress : Progress::kFailed;
}

DataLoader::Progress DataLoader::TakeItem(Item item) {
  switch (item) {
    case Item::kFact:
      NoteFact(snapshot_->name(), snapshot_->text());
      return Progress::kMore;
    case Item::kDatabase:
      if (snapshot_->database() >= services_.keyspace.databases()) {
        return Fail(
            fmt::format("FATAL: Data file was created with a Redis server configured to handle more than {} "
                        "databases. Exiting",
                        services_.keyspace.databases()));
      }
      if (!InsertNew()) return Progress::kFailed;
      database_ = snapshot_->database();
      table_entries_ = 0;
      return Progress::kMore;
    case Item::kSizes:
      TakeSizes();
      return Progress::kMore;
    case Item::kFunction:
      return TakeLibrary();
    case Item::kEntry:
      TellOfMended();
      TakeEntry();
      return Progress::kMore;
    case Item::kNothing:
      SkipEmpty();
      return Progress::kMore;
    case Item::kEnd:
      read_up_ = incoming() != nullptr && !incoming()->whole();
      if (!read_up_) return EndOfSnapshot();
      incoming()->WantAll();
      return Progress::kWaits;
    case Item::kMore:
      return Await();
    case Item::kFault:
      break;
  }
  const std::string_view reason = snapshot_->reason();
  const bool truncated = snapshot_->fault() == persistence::RdbFault::kTruncated;
  if (snapshot_->step() == RdbFileReader::Step::kValue) {
    services_.log.Warning("The value of key {} in DB {}: {}",
                          Quoted(snapshot_->name().substr(0, kShownBytes)), snapshot_->database(), reason);
  }
  return Fail(fmt::format("{} loading {} at offset {}: {}. Unrecoverable error, aborting now.",
                          truncated ? "Short read or OOM" : "Bad file format", parts_[part_].name,
                          snapshot_->position(), reason));
}

DataLoader::Progress DataLoader::TakeLibrary() {
  const std::string code(snapshot_->text());
  if (apart_ != nullptr || services_.scripts == nullptr) {
    libraries_.push_back(code);
    return Progress::kMore;
  }
  using Restore = dispatch::Scripts::Restore;
  const Status restored = services_.scripts->RestoreLibraries(
      0, {&code, 1}, parts_[part_].merging ? Restore::kReplace : Restore::kAppend);
  if (!restored) return Fail(fmt::format("Failed creating the library: {}", restored.error().message));
  return Progress::kMore;
}

void DataLoader::NoteFact(std::string_view name, std::string_view text) {
  const int64_t number = ParseInt64(text).value_or(-1);
  if (name == "used-mem")
    figures_.used_memory_in_snapshot = static_cast<uint64_t>(std::max<int64_t>(number, 0));
  if (name == "repl-id") figures_.replication_id = text;
  if (name == "repl-offset") figures_.replication_offset = number;
  const bool database = number >= 0 && number < services_.keyspace.databases();
  if (name == "repl-stream-db" && database) figures_.stream_database = static_cast<int>(number);
}

void DataLoader::SkipEmpty() {
  if (++figures_.keys_empty > kToldEmptyMax) return;
  services_.log.Notice("Loading the data set: skipping empty key: {}",
                       snapshot_->name().substr(0, kShownBytes));
}

// Of the first: a file that has one may have many.
void DataLoader::TellOfMended() {
  const std::string_view how = snapshot_->value().mended;
  if (how.empty() || std::exchange(told_of_mended_, true)) return;
  services_.log.Notice(
      "Loading the data set: the value of key {} in DB {} is put right: {}. More may follow.",
      Quoted(snapshot_->name().substr(0, kShownBytes)), snapshot_->database(), how);
}

DataLoader::Progress DataLoader::EndOfSnapshot() {
  position_ = transaction_at_ = snapshot_->position();
  read_up_ = false;
  snapshot_.reset();
  if (!preamble_) return Progress::kDone;
  services_.log.Notice("Reading the remaining AOF tail...");
  return Progress::kMore;
}

void DataLoader::TakeSizes() {
  // Of a payload only what is there is sure, not what was announced.
  const uint64_t possible = (PartBytes() - snapshot_->position()) / kEntryBytesLeast;
  table_entries_ = std::min(snapshot_->keys(), possible) / keyspace_.tables();
}

void DataLoader::TakeEntry() {
  keyspace::CoreState& core = dispatcher_.core();
  // Primaries and journals say themselves what has expired; a snapshot does not.
  if (!core.replaying && !dispatcher_.context().follows && snapshot_->expiry() != keyspace::kNever &&
      snapshot_->expiry() < core.now) {
    ++figures_.keys_expired;
    if (!figures_.replication_id.empty()) expired_.push_back({database_, std::string(snapshot_->name())});
    return;
  }
  const Key key = keyspace_.KeyOf(snapshot_->name());
  keyspace::Entry* entry =
      keyspace::Entry::Create(key.bytes, persistence::PayloadOf(snapshot_->value()), snapshot_->expiry());
  entry->set_clock(keyspace::FreshClock(core.now, core.access));
  const persistence::EntryUse& use = snapshot_->use();
  if (use.frequency && core.access.lfu) {
    entry->set_clock(keyspace::ClockOfFrequency(*use.frequency, core.now));
  } else if (use.idle_seconds && !core.access.lfu) {
    entry->set_clock(keyspace::ClockOfIdle(*use.idle_seconds, core.now));
  }
  made_.push_back({entry, key.hash});
  ++figures_.keys_loaded;
  Delay();
}

bool DataLoader::InsertNew() {
  // Nobody else changes a table at the moment: where a bucket is can be looked up without its shard.
  for (const NewEntry& made : made_) {
    keyspace_.table(database_, keyspace_.TableOf(made.hash)).entries.PrefetchBucket(made.hash);
  }
  size_t done = 0;
  while (done < made_.size() && Insert(made_[done])) ++done;
  const bool all = done == made_.size();
  made_.erase(made_.begin(), made_.begin() + static_cast<ptrdiff_t>(done));
  return all;
}

bool DataLoader::Insert(const NewEntry& made) {
  const Key key{made.entry->key(), made.hash};
  const size_t shard = Keyspace::ShardOf(key.hash);
  keyspace::Database database(apart_ == nullptr ? dispatcher_.core() : *apart_, database_);
  keyspace_.Lock(shard);
  auto& entries = keyspace_.table(database_, keyspace_.TableOf(key.hash)).entries;
  if (entries.size() == 0 && table_entries_ > 0) entries.Reserve(table_entries_);
  keyspace::EntryRef old = database.FindToChange(key, keyspace::Use::kSilent);
  if (old && parts_[part_].merging) {
    database.Erase(key, old);
    old = keyspace::EntryRef();
  }
  if (!old) database.Insert(key, made.entry);
  keyspace_.Unlock(shard);
  if (old) Fail(persistence::DuplicatedKeyText(key.bytes, database_));
  return !old;
}

void DataLoader::Delay() {
  const int64_t delay = services_.settings.testing.key_load_delay_micros;
  if (delay > 0) usleep(static_cast<useconds_t>(delay));
  if (delay < 0 && ++items_ % static_cast<uint64_t>(-delay) == 0) usleep(1);
}

DataLoader::Progress DataLoader::StepCommands() {
  using Outcome = persistence::AofReader::Outcome;
  const size_t began = position_;
  // DEBUG LOADAOF replays within a command.
  const dispatch::NestedRun run(dispatcher_.context());
  const Outcome outcome = ParseCommands();
  dispatcher_.preparer().PrefetchEntries(batch_, *session_, 0, batch_.requests.size());
  for (size_t i = 0; i < batch_.requests.size(); ++i) {
    if (!session_->in_transaction()) transaction_at_ = position_;
    if (!RunCommand(batch_.requests[i])) return Progress::kFailed;
    position_ = record_ends_[i];
  }
  if (outcome == Outcome::kBadFormat) return EndOfCommands(outcome);
  if (outcome != Outcome::kIncomplete) return Progress::kMore;
  // Annotations may stand behind the last command.
  const std::string_view rest = mapping_->bytes().substr(position_);
  if (position_ != began) return Progress::kMore;
  if (rest.empty() && !session_->in_transaction()) return Progress::kDone;
  return EndOfCommands(outcome);
}

// Collects whole commands. Annotations belong to the record behind them, or before them at the end.
persistence::AofReader::Outcome DataLoader::ParseCommands() {
  using Outcome = persistence::AofReader::Outcome;
  batch_.Clear();
  record_ends_.clear();
  size_t at = position_;
  Outcome outcome = Outcome::kCommand;
  while (batch_.requests.size() < kItemsAtOnce) {
    outcome = commands_.Next(mapping_->bytes().substr(at));
    if (outcome == Outcome::kIncomplete || outcome == Outcome::kBadFormat) break;
    at += commands_.size();
    if (outcome == Outcome::kAnnotation) {
      if (batch_.requests.empty()) position_ = at;
      continue;
    }
    const auto first = static_cast<uint32_t>(batch_.arguments.size());
    for (const std::string_view argument : commands_.argv()) batch_.arguments.push_back(argument);
    dispatcher_.preparer().Prepare(batch_, *session_, first);
    record_ends_.push_back(at);
  }
  return outcome;
}

bool DataLoader::RunCommand(const dispatch::Request& request) {
  const std::span<const std::string_view> argv = batch_.argv(request);
  const dispatch::Command* command = request.command;
  if (command == nullptr || command->run == nullptr) {
    Fail(fmt::format("Unknown command '{}' reading the append only file {}", argv[0], parts_[part_].name));
    return false;
  }
  if (!command->AcceptsArgumentCount(argv.size())) {
    Fail(fmt::format("Wrong number of arguments of command '{}' reading the append only file {}", argv[0],
                     parts_[part_].name));
    return false;
  }
  dispatcher_.Replay(*session_, batch_, request);
  // Nobody reads the replies.
  session_->output.Clear();
  Delay();
  return true;
}

// The bytes end within a command, or are none.
namespace {

// After a power cut a file may be longer than what has reached the disk: some file systems (ext4) fill the
// rest of its last block with zeros. Then the last record is not damaged, it was cut off where the zeros
// begin.
bool CutOffInZeros(std::string_view rest) {
  const size_t last = rest.find_last_not_of('\0');
  const size_t written = last == std::string_view::npos ? 0 : last + 1;
  if (written == rest.size()) return false;
  return persistence::AofReader().Next(rest.substr(0, written)) ==
         persistence::AofReader::Outcome::kIncomplete;
}

}  // namespace

DataLoader::Progress DataLoader::EndOfCommands(persistence::AofReader::Outcome outcome) {
  const LoadPart& part = parts_[part_];
  if (outcome == persistence::AofReader::Outcome::kBadFormat &&
      !CutOffInZeros(mapping_->bytes().substr(position_))) {
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
