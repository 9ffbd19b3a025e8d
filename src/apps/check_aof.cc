#include "apps/check_aof.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "apps/check_rdb.h"
#include "base/numbers.h"
#include "os/mapped_file.h"
#include "persistence/aof_check.h"
#include "persistence/aof_manifest.h"
#include "persistence/rdb_file.h"

namespace cinnabar::apps {
namespace {

using persistence::AofCheck;
using persistence::AofManifest;
using persistence::RdbFileReader;

// Shorter files have no room for the head of a snapshot.
constexpr size_t kSnapshotBytesMin = 8;

enum class Repair { kNone, kFix };

struct Task {
  Repair repair = Repair::kNone;
  std::optional<int64_t> until;  // seconds
  std::string path;
};

// What a part of the data set is, and where.
struct Part {
  enum class Kind { kAlone, kBase, kIncrement } kind = Kind::kAlone;
  enum class Place { kLast, kNotLast } place = Place::kLast;
  std::string path;
  std::string name;  // for messages
};

bool HasSnapshot(std::string_view bytes) {
  return bytes.size() >= kSnapshotBytesMin && RdbFileReader::Recognizes(bytes);
}

// Whether the text may be a manifest: no command comes first, and a line tells of a file.
bool LooksLikeManifest(std::string_view bytes) {
  if (HasSnapshot(bytes)) return false;
  bool first = true;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    if (line.starts_with('#')) continue;
    if (first && line.starts_with('*')) return false;
    first = false;
    if (line.starts_with("file")) return true;
  }
  return false;
}

bool Confirmed() {
  fmt::print("Continue? [y/N]: ");
  std::fflush(stdout);
  return std::tolower(std::fgetc(stdin)) == 'y';
}

bool Shorten(const std::string& path, size_t size) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = ftruncate(fd, static_cast<off_t>(size)) == 0 && fsync(fd) == 0;
  close(fd);
  return done;
}

// The files of one data set, one after the other.
class Checker {
 public:
  explicit Checker(const Task& task) : task_(task) {}

  // False: the rest need not be looked at.
  bool Check(const Part& part);
  void PrintSummary() const;

 private:
  // Takes the file away when it is shortened: nobody may look at its bytes then.
  bool EndAtMoment(const Part& part, size_t whole);
  bool EndOfCommands(const Part& part, size_t size, const AofCheck::Result& result);
  bool CutOff(const Part& part, size_t size, size_t whole);
  void SayValid(const Part& part, std::string_view verdict) const;

  const Task& task_;
  AofCheck commands_;
  SnapshotFigures figures_;
  uint64_t command_count_ = 0;
  uint64_t command_bytes_ = 0;
  bool shortened_ = false;
};

void Checker::SayValid(const Part& part, std::string_view verdict) const {
  const std::string_view kind = part.kind == Part::Kind::kBase        ? "BASE "
                                : part.kind == Part::Kind::kIncrement ? "INCR "
                                                                      : "";
  fmt::print("{}AOF {} is {}\n", kind, part.name, verdict);
}

bool Checker::Check(const Part& part) {
  const auto file = os::MappedFile::Open(part.path);
  if (!file) {
    // Redis opens the base twice, and says it the first time.
    fmt::print("Cannot open file {}: {}{}\n", part.path, file.error().message,
               part.kind == Part::Kind::kBase ? "" : ", aborting...");
    return false;
  }
  const std::string_view bytes = (*file)->bytes();
  const bool snapshot = part.kind != Part::Kind::kIncrement && HasSnapshot(bytes);
  if (part.kind == Part::Kind::kBase) {
    fmt::print("Start to check BASE AOF ({} format).\n", snapshot ? "RDB" : "RESP");
  }
  if (bytes.empty()) {
    SayValid(part, "empty");
    return true;
  }
  size_t begin = 0;
  if (snapshot) {
    const auto size = CheckSnapshot(bytes, part.name, ExpiredKeys::kLoaded, figures_);
    if (!size) {
      fmt::print("RDB preamble of AOF file is not sane, aborting.\n");
      return false;
    }
    fmt::print("RDB preamble is OK, proceeding with AOF tail...\n");
    begin = *size;
  }
  const AofCheck::Result result = commands_.Check(bytes, begin, task_.until, part.name);
  command_count_ += result.commands;
  command_bytes_ += result.whole - begin;
  switch (result.outcome) {
    case AofCheck::Result::Outcome::kBadAnnotation:
      fmt::print("Invalid timestamp annotation\n");
      return false;
    case AofCheck::Result::Outcome::kLater:
      return EndAtMoment(part, result.whole);
    case AofCheck::Result::Outcome::kRead:
      break;
  }
  return EndOfCommands(part, bytes.size(), result);
}

bool Checker::EndAtMoment(const Part& part, size_t whole) {
  if (whole == 0) {
    fmt::print("AOF {} has nothing before timestamp {}, aborting...\n", part.path, *task_.until);
    return false;
  }
  if (part.place == Part::Place::kNotLast) {
    fmt::print(
        "Failed to truncate AOF {} to timestamp {} to offset {} because it is not the last file.\n"
        "If you insist, please delete all files after this file according to the manifest file and delete "
        "the "
        "corresponding records in manifest file manually. Then re-run redis-check-aof.\n",
        part.path, *task_.until, whole);
    return false;
  }
  shortened_ = true;
  if (!Shorten(part.path, whole)) {
    fmt::print("Failed to truncate AOF {} to timestamp {}\n", part.name, *task_.until);
    return false;
  }
  fmt::print("Successfully truncated AOF {} to timestamp {}\n", part.name, *task_.until);
  return true;
}

bool Checker::EndOfCommands(const Part& part, size_t size, const AofCheck::Result& result) {
  if (result.bad_record) fmt::print("AOF {} format error\n", part.name);
  if (!result.fault.empty()) fmt::print("{}\n", result.fault);
  const size_t rest = size - result.whole;
  if (rest == 0 && task_.until) {
    fmt::print("Truncate nothing in AOF {} to timestamp {}\n", part.name, *task_.until);
    SayValid(part, "valid");
    return true;
  }
  fmt::print("AOF analyzed: filename={}, size={}, ok_up_to={}, ok_up_to_line={}, diff={}\n", part.name, size,
             result.whole, commands_.line(), rest);
  if (rest > 0) return CutOff(part, size, result.whole);
  SayValid(part, "valid");
  return true;
}

bool Checker::CutOff(const Part& part, size_t size, size_t whole) {
  if (task_.repair == Repair::kNone) {
    fmt::print("AOF {} is not valid. Use the --fix option to try fixing it.\n", part.name);
    return false;
  }
  if (part.place == Part::Place::kNotLast) {
    fmt::print("Failed to truncate AOF {} because it is not the last file\n", part.name);
    return false;
  }
  fmt::print("This will shrink the AOF {} from {} bytes, with {} bytes, to {} bytes\n", part.name, size,
             size - whole, whole);
  if (!Confirmed()) {
    fmt::print("Aborting...\n");
    return false;
  }
  shortened_ = true;
  if (!Shorten(part.path, whole)) {
    fmt::print("Failed to truncate AOF {}\n", part.name);
    return false;
  }
  fmt::print("Successfully truncated AOF {}\n", part.name);
  return true;
}

void Checker::PrintSummary() const {
  if (shortened_) return;
  figures_.Print();
  fmt::print("[summary] commands: {}, {} bytes\n", command_count_, command_bytes_);
}

int SayBadManifest(std::string_view text, const Error& error) {
  fmt::print("\n*** FATAL AOF MANIFEST FILE ERROR ***\n");
  if (error.code > 0) {
    for (int line = 1; line < error.code; ++line) text.remove_prefix(text.find('\n') + 1);
    fmt::print("Reading the manifest file, at line {}\n>>> '{}'\n", error.code,
               text.substr(0, text.find('\n')));
  }
  fmt::print("{}\n", error.message);
  return 1;
}

int CheckManifest(const Task& task, std::string_view text) {
  fmt::print("Start checking Multi Part AOF\n");
  const auto manifest = AofManifest::Parse(text);
  if (!manifest) return SayBadManifest(text, manifest.error());
  const size_t slash = task.path.rfind('/');
  const std::string folder = slash == std::string::npos ? "./" : task.path.substr(0, slash + 1);
  Checker checker(task);
  if (manifest->base) {
    const std::string& name = manifest->base->name;
    const auto place = manifest->increments.empty() ? Part::Place::kLast : Part::Place::kNotLast;
    if (!checker.Check({.kind = Part::Kind::kBase, .place = place, .path = folder + name, .name = name}))
      return 1;
  }
  if (!manifest->increments.empty()) fmt::print("Start to check INCR files.\n");
  for (const persistence::AofFile& file : manifest->increments) {
    const auto place = &file == &manifest->increments.back() ? Part::Place::kLast : Part::Place::kNotLast;
    const Part part{
        .kind = Part::Kind::kIncrement, .place = place, .path = folder + file.name, .name = file.name};
    if (!checker.Check(part)) return 1;
  }
  fmt::print("All AOF files and manifest are valid\n");
  checker.PrintSummary();
  return 0;
}

int CheckAlone(const Task& task) {
  fmt::print("Start checking Old-Style AOF\n");
  Checker checker(task);
  if (!checker.Check({.path = task.path, .name = task.path})) return 1;
  checker.PrintSummary();
  return 0;
}

int SayUsage(std::string_view program) {
  fmt::print(stderr, "Usage: {} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>\n",
             program);
  return 1;
}

}  // namespace

int RunCheckAof(std::span<const std::string> arguments) {
  Task task;
  if (arguments.size() == 3 && arguments[1] == "--fix") {
    task.repair = Repair::kFix;
  } else if (arguments.size() == 4 && arguments[1] == "--truncate-to-timestamp") {
    task.until = ParseInt64(arguments[2]);
    if (!task.until) {
      fmt::print("Invalid timestamp, aborting...\n");
      return 1;
    }
    if (*task.until == 0) task.until.reset();
  } else if (arguments.size() != 2) {
    return SayUsage(arguments.empty() ? "redis-check-aof" : arguments[0]);
  }
  task.path = arguments.back();
  const auto file = os::MappedFile::Open(task.path);
  if (!file) {
    if (file.error().code == EISDIR) {
      fmt::print("Cannot read file: {}\n", task.path);
    } else {
      fmt::print("Cannot open file {}: {}\n", task.path, file.error().message);
    }
    return 1;
  }
  if (!LooksLikeManifest((*file)->bytes())) return CheckAlone(task);
  return CheckManifest(task, (*file)->bytes());
}

}  // namespace cinnabar::apps
