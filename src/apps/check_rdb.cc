#include "apps/check_rdb.h"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <unordered_set>

#include "base/clock.h"
#include "config/settings.h"
#include "os/mapped_file.h"
#include "persistence/rdb_file.h"
#include "types/value.h"

namespace cinnabar::apps {
namespace {

using persistence::RdbFileReader;
using Item = RdbFileReader::Item;
using Step = RdbFileReader::Step;

constexpr uint16_t kFirstWithChecksum = 5;
constexpr size_t kChecksumBytes = 8;
constexpr size_t kMagicBytes = 5;

std::string_view StepName(Step step) {
  switch (step) {
    case Step::kStart:
      return "start";
    case Step::kType:
      return "read-type";
    case Step::kExpiry:
      return "read-expire";
    case Step::kLength:
      return "read-len";
    case Step::kFact:
      return "read-aux";
    case Step::kModuleFact:
      return "read-module-aux";
    case Step::kFunction:
      return "read-functions";
    case Step::kKey:
      return "read-key";
    case Step::kValue:
      return "read-object-value";
    case Step::kChecksum:
      break;
  }
  return "check-sum";
}

std::string_view RdbTypeName(persistence::RdbType type) {
  constexpr std::string_view kNames[] = {"string",
                                         "list-linked",
                                         "set-hashtable",
                                         "zset-v1",
                                         "hash-hashtable",
                                         "zset-v2",
                                         "module-value",
                                         "module-value2",
                                         "",
                                         "hash-zipmap",
                                         "list-ziplist",
                                         "set-intset",
                                         "zset-ziplist",
                                         "hash-ziplist",
                                         "quicklist",
                                         "stream",
                                         "hash-listpack",
                                         "zset-listpack",
                                         "quicklist-v2",
                                         "stream-v2",
                                         "set-listpack",
                                         "stream-v3",
                                         "hash-hashtable-md-pre-release",
                                         "hash-listpack-md-pre-release",
                                         "hash-hashtable-md",
                                         "hash-listpack-md"};
  const auto index = static_cast<size_t>(type);
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

// One check of one snapshot.
class SnapshotCheck {
 public:
  SnapshotCheck(std::string_view bytes, ExpiredKeys expired_keys, SnapshotFigures& figures)
      : bytes_(bytes),
        expired_keys_(expired_keys),
        figures_(figures),
        reader_(bytes, persistence::LimitsFrom(config::Settings())) {}

  std::optional<size_t> Run(std::string_view name) {
    fmt::print("[offset 0] Checking RDB file {}\n", name);
    while (true) {
      switch (reader_.Next()) {
        case Item::kFact:
          Say(fmt::format("AUX FIELD {} = '{}'", reader_.name(), reader_.text()));
          break;
        case Item::kDatabase:
          Say(fmt::format("Selecting DB ID {}", reader_.database()));
          break;
        case Item::kSizes:
        case Item::kNothing:  // is a fault here: nobody asked to let it pass
        case Item::kMore:     // all is there
          break;
        case Item::kFunction:
          break;
        case Item::kEntry:
          if (!IsNew()) {
            SayFault(persistence::DuplicatedKeyText(reader_.name(), reader_.database()));
            return std::nullopt;
          }
          CountEntry();
          break;
        case Item::kEnd:
          SayFine();
          return reader_.position();
        case Item::kFault:
          SayFault(FaultText());
          return std::nullopt;
      }
    }
  }

 private:
  void Say(std::string_view what) { fmt::print("[offset {}] {}\n", reader_.position(), what); }

  // Whether loading finds no other value under the key.
  bool IsNew() {
    if (expired_keys_ == ExpiredKeys::kPassedOver && reader_.expiry() < now_) return true;
    return seen_.insert(fmt::format("{} {}", reader_.database(), reader_.name())).second;
  }

  void CountEntry() {
    ++keys_;
    SnapshotFigures::Share& share = figures_.by_type[static_cast<size_t>(reader_.value().type)];
    ++share.keys;
    share.bytes += reader_.position() - reader_.item_position();
    if (!reader_.value().mended.empty()) ++figures_.mended;
    if (reader_.expiry() == keyspace::kNever) return;
    ++expires_;
    if (reader_.expiry() < now_) ++expired_;
  }

  void SayCounts() const {
    fmt::print("[info] {} keys read\n[info] {} expires\n[info] {} already expired\n", keys_, expires_,
               expired_);
  }

  void SayFine() {
    if (reader_.version() >= kFirstWithChecksum) {
      const std::string_view sum = bytes_.substr(reader_.position() - kChecksumBytes, kChecksumBytes);
      const bool summed = sum.find_first_not_of('\0') != std::string_view::npos;
      Say(summed ? "Checksum OK" : "RDB file was saved with checksum disabled: no check performed.");
    }
    Say("\\o/ RDB looks OK! \\o/");
    SayCounts();
  }

  std::string FaultText() const {
    const std::string reason(reader_.reason());
    if (reader_.fault() == persistence::RdbFault::kTruncated) {
      return reader_.step() == Step::kFunction ? "Failed loading library, Failed loading library payload"
                                               : "Unexpected EOF reading RDB file";
    }
    if (reader_.fault() != persistence::RdbFault::kUnsupported) return reason;
    if (reader_.step() == Step::kStart) {
      return fmt::format("{} {}", reason, std::atoi(std::string(bytes_.substr(kMagicBytes, 4)).c_str()));
    }
    if (reader_.step() == Step::kType) {
      return fmt::format("{}: {}", reason, static_cast<uint8_t>(bytes_[reader_.position() - 1]));
    }
    return reason;
  }

  void SayFault(std::string_view what) {
    fmt::print("--- RDB ERROR DETECTED ---\n");
    Say(what);
    fmt::print("[additional info] While doing: {}\n", StepName(reader_.step()));
    const bool in_value = reader_.step() == Step::kValue;
    if (in_value) {
      ++keys_;
      fmt::print("[additional info] Reading key '{}'\n", reader_.name());
    }
    // Before the first key Redis says type 0.
    if (in_value || reader_.step() == Step::kKey || keys_ == 0) {
      fmt::print("[additional info] Reading type {} ({})\n", static_cast<int>(reader_.value_type()),
                 RdbTypeName(reader_.value_type()));
    }
    SayCounts();
  }

  const std::string_view bytes_;
  const ExpiredKeys expired_keys_;
  SnapshotFigures& figures_;
  RdbFileReader reader_;
  std::unordered_set<std::string> seen_;  // databases and keys
  const Millis now_ = SystemWallNanos() / kNanosPerMilli;
  uint64_t keys_ = 0, expires_ = 0, expired_ = 0;
};

}  // namespace

void SnapshotFigures::Print() const {
  for (size_t i = 0; i < kTypes; ++i) {
    if (by_type[i].keys == 0) continue;
    fmt::print("[summary] {}: {} keys, {} bytes\n", types::TypeName(static_cast<types::Type>(i)),
               by_type[i].keys, by_type[i].bytes);
  }
  if (mended > 0) fmt::print("[summary] values that loading puts right: {}\n", mended);
}

std::optional<size_t> CheckSnapshot(std::string_view bytes, std::string_view name, ExpiredKeys expired,
                                    SnapshotFigures& figures) {
  return SnapshotCheck(bytes, expired, figures).Run(name);
}

int RunCheckRdb(std::span<const std::string> arguments) {
  if (arguments.size() != 2) {
    fmt::print(stderr, "Usage: {} <rdb-file-name>\n", arguments.empty() ? "redis-check-rdb" : arguments[0]);
    return 1;
  }
  const std::string& path = arguments[1];
  if (path == "-v" || path == "--version") {
    fmt::print("redis-check-rdb {}\n", config::RedisVersion(config::CompatVersion::k72));
    return 0;
  }
  const auto file = os::MappedFile::Open(path);
  if (!file) {
    fmt::print("[offset 0] Checking RDB file {}\n", path);
    fmt::print(stderr, "Cannot open file {}: {}\n", path, file.error().message);
    return 1;
  }
  SnapshotFigures figures;
  if (!CheckSnapshot((*file)->bytes(), path, ExpiredKeys::kPassedOver, figures)) return 1;
  figures.Print();
  return 0;
}

}  // namespace cinnabar::apps
