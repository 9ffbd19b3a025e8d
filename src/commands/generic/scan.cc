// SCAN: all keys, a few per call.
//
//   cursor = [ cursor within the table | table: 10 bits, or 14 where every hash slot has a table of its own ]
//
// Tables are visited in order, each through its own cursor, which keeps the guarantee within a table: what is
// there all the time is returned. A key never changes its table.
#include <optional>
#include <string>
#include <vector>

#include "base/ascii.h"
#include "commands/generic/held_shard.h"
#include "commands/scan_options.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Database;
using keyspace::Entry;
using keyspace::Keyspace;
namespace Flag = dispatch::Flag;

// A call visits at most this many buckets for each key that was asked for.
constexpr uint64_t kBucketsPerKey = 10;

struct KeyScanOptions : ScanOptions {
  std::optional<std::string_view> type;
};

KeyScanOptions ParseOptions(Args& args) {
  KeyScanOptions options;
  while (args.more() && !args.failed()) {
    if (options.Parse(args)) continue;
    if (args.TakeWith("TYPE")) {
      options.type = args.Next();
    } else {
      args.FailSyntax();
    }
  }
  return options;
}

bool SameType(types::Type type, std::string_view wanted) {
  return cinnabar::SameWord(types::TypeName(type), wanted);
}

class Scanner {
 public:
  Scanner(Call& call, uint64_t cursor, const KeyScanOptions& options)
      : call_(call),
        options_(options),
        database_(call.db()),
        tables_(database_.keyspace().tables()),
        table_(cursor % tables_),
        position_(cursor / tables_) {}

  void Run() {
    if (database_.keyspace().tables_if_any(database_.index()) == nullptr) table_ = tables_;
    while (table_ < tables_ && !Enough()) {
      HeldShard held(call_, Keyspace::ShardOfTable(table_));
      ScanTable(held);
    }
  }

  // 0 when all keys were visited.
  uint64_t cursor() const { return table_ == tables_ ? 0 : position_ * tables_ + table_; }
  const std::vector<std::string>& names() const { return names_; }

 private:
  bool Enough() const { return visited_ >= options_.count || buckets_ / kBucketsPerKey >= options_.count; }

  void ScanTable(HeldShard& held) {
    Table<Entry>& table = database_.keyspace().table(database_.index(), table_).entries;
    const size_t size_before = table.size();
    do {
      expired_.clear();
      position_ = table.Scan(position_, [&](TableSlot& slot) { Consider(*slot.entry<const Entry>()); });
      for (const std::string& name : expired_) held.Expire(database_, name);
      if (size_before != 0) ++buckets_;
    } while (position_ != 0 && !Enough());
    if (position_ == 0) ++table_;
  }

  void Consider(const Entry& entry) {
    ++visited_;
    if (entry.expired(call_.now())) {
      expired_.emplace_back(entry.key());
    } else if ((!options_.type || SameType(entry.type(), *options_.type)) && options_.Matches(entry.key())) {
      names_.emplace_back(entry.key());
    }
  }

  Call& call_;
  const KeyScanOptions& options_;
  Database& database_;
  const size_t tables_;
  size_t table_;
  uint64_t position_;
  uint64_t visited_ = 0;
  uint64_t buckets_ = 0;
  std::vector<std::string> names_;
  std::vector<std::string> expired_;
};

void Scan(Call& call) {
  const auto cursor = ParseScanCursor(call.arg(1));
  if (!cursor) return call.reply().Error(kInvalidCursor);
  Args args(call, 2);
  const KeyScanOptions options = ParseOptions(args);
  if (args.failed()) return args.Reply(call);
  Scanner scanner(call, *cursor, options);
  scanner.Run();
  call.reply().Array(2);
  call.reply().Bulk(std::to_string(scanner.cursor()));
  call.reply().BulkArray(scanner.names());
}

constexpr CommandSpec kTable[] = {{
    .name = "scan",
    .synopsis = "cursor:integer [MATCH:pattern pattern] [COUNT:integer count] [TYPE:string type]@6.0.0",
    .summary =
        "Returns a few key names and the cursor for the next call; what exists all the time is returned.",
    .since = "2.8.0",
    .group = "generic",
    .complexity = "O(1) per call with a fixed COUNT; O(N) for a whole pass over N keys.",
    .arity = -2,
    .flags = Flag::kReadOnly | Flag::kSweep,
    .tips = "nondeterministic_output,request_policy:special",
    .history = "6.0.0: Added the `TYPE` subcommand.",
    .run = Scan,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericScanCommands{kTable};

}  // namespace cinnabar::commands
