#include "persistence/aof_manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.h"
#include "config/line.h"

namespace cinnabar::persistence {
namespace {

constexpr size_t kLineBytesMax = 1024;
constexpr std::string_view kIncrementSuffix = ".incr.aof";
constexpr std::string_view kBadFormat = "Invalid AOF manifest file format";

bool IsPath(std::string_view name) {
  return name.find('/') != std::string_view::npos || name.find('\\') != std::string_view::npos;
}

Result<AofFile> ParseFile(std::string_view line) {
  const auto words = config::SplitLine(line);
  if (!words || words->size() < 6 || words->size() % 2 != 0) return Fail(std::string(kBadFormat));
  AofFile file;
  char type = '\0';
  for (size_t i = 0; i < words->size(); i += 2) {
    const std::string& name = (*words)[i];
    const std::string& value = (*words)[i + 1];
    if (name == "file") {
      if (IsPath(value)) return Fail("File can't be a path, just a filename");
      file.name = value;
    } else if (name == "seq") {
      file.sequence = ParseInt64(value).value_or(0);
    } else if (name == "type") {
      type = value.empty() ? '\0' : value[0];
    }
  }
  if (file.name.empty() || file.sequence <= 0 || type == '\0') return Fail(std::string(kBadFormat));
  if (type != 'b' && type != 'i' && type != 'h') return Fail("Unknown AOF file type");
  file.type = static_cast<AofFile::Type>(type);
  return file;
}

std::string FormatFile(const AofFile& file) {
  return fmt::format("file {} seq {} type {}\n", config::QuoteArgumentIfNeeded(file.name), file.sequence,
                     static_cast<char>(file.type));
}

}  // namespace

Result<AofManifest> AofManifest::Parse(std::string_view text) {
  AofManifest manifest;
  int64_t last_retired = 0;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    if (end == std::string_view::npos || end > kLineBytesMax) {
      const bool too_long = std::min(end, text.size()) > kLineBytesMax;
      return Fail(too_long ? "The AOF manifest file contains too long line" : std::string(kBadFormat),
                  number);
    }
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.starts_with('#')) continue;
    auto file = ParseFile(line);
    if (!file) return Fail(file.error().message, number);
    switch (file->type) {
      case AofFile::Type::kBase:
        if (manifest.base) return Fail("Found duplicate base file information", number);
        manifest.last_base_ = file->sequence;
        manifest.base = std::move(*file);
        break;
      case AofFile::Type::kHistory:
        if (file->name.ends_with(kIncrementSuffix)) last_retired = std::max(last_retired, file->sequence);
        manifest.history.push_back(std::move(*file));
        break;
      case AofFile::Type::kIncrement:
        if (file->sequence <= manifest.last_increment_)
          return Fail("Found a non-monotonic sequence number", number);
        manifest.last_increment_ = file->sequence;
        manifest.increments.push_back(std::move(*file));
        break;
    }
  }
  if (number == 0) return Fail("Found an empty AOF manifest");
  // A new increment must not have the name of one that waits for its removal.
  manifest.last_increment_ = std::max(manifest.last_increment_, last_retired);
  return manifest;
}

std::string AofManifest::Format() const {
  std::string text;
  if (base) text += FormatFile(*base);
  for (const AofFile& file : history) text += FormatFile(file);
  for (const AofFile& file : increments) text += FormatFile(file);
  return text;
}

const AofFile& AofManifest::AddBase(std::string_view stem, BaseFormat format) {
  if (base) {
    base->type = AofFile::Type::kHistory;
    history.insert(history.begin(), std::move(*base));
  }
  const std::string_view suffix = format == BaseFormat::kSnapshot ? "rdb" : "aof";
  ++last_base_;
  base = AofFile{fmt::format("{}.{}.base.{}", stem, last_base_, suffix), last_base_, AofFile::Type::kBase};
  return *base;
}

const AofFile& AofManifest::AddIncrement(std::string_view stem) {
  ++last_increment_;
  increments.push_back({fmt::format("{}.{}{}", stem, last_increment_, kIncrementSuffix), last_increment_,
                        AofFile::Type::kIncrement});
  return increments.back();
}

void AofManifest::RetireIncrementsBefore(int64_t sequence) {
  std::vector<AofFile> kept;
  for (AofFile& file : increments) {
    if (file.sequence >= sequence) {
      kept.push_back(std::move(file));
      continue;
    }
    file.type = AofFile::Type::kHistory;
    history.insert(history.begin(), std::move(file));
  }
  increments = std::move(kept);
}

std::string ManifestName(std::string_view stem) {
  return std::string(stem) + ".manifest";
}

}  // namespace cinnabar::persistence
