// The manifest of a multi-part append-only file: which files hold the data set, and in which order they are
// read.
//
//   file NAME seq NUMBER type b      the base: a snapshot (.rdb), or commands (.aof); at most one
//   file NAME seq NUMBER type i      an increment: what was written since; read in this order
//   file NAME seq NUMBER type h      history: replaced already, to be deleted
//
// Names with special characters are quoted as in config files; unknown pairs of words at the end of a line
// and lines that begin with `#` are ignored. Layout of Redis 7.0
// (https://redis.io/docs/management/persistence/#log-rewriting). Text in, text out: the files are somebody
// else's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cinnabar::persistence {

struct AofFile {
  enum class Type : char { kBase = 'b', kIncrement = 'i', kHistory = 'h' };
  std::string name;
  int64_t sequence = 0;
  Type type = Type::kIncrement;
  bool operator==(const AofFile&) const = default;
};

enum class BaseFormat : uint8_t { kSnapshot, kCommands };

class AofManifest {
 public:
  // The error says what Redis says in its log; its code is the number of the line.
  static Result<AofManifest> Parse(std::string_view text);
  std::string Format() const;

  bool empty() const { return !base && increments.empty(); }
  // Makes the next file of its kind; the old base becomes history. `stem` is the setting `appendfilename`.
  const AofFile& AddBase(std::string_view stem, BaseFormat format);
  const AofFile& AddIncrement(std::string_view stem);
  // All increments but the last become history.
  void RetireIncrementsBefore(int64_t sequence);

  std::optional<AofFile> base;
  std::vector<AofFile> increments;
  std::vector<AofFile> history;  // the newest first

 private:
  int64_t last_base_ = 0;
  int64_t last_increment_ = 0;
};

// "appendonly.aof" → "appendonly.aof.manifest"
std::string ManifestName(std::string_view stem);

}  // namespace cinnabar::persistence
