// KEYS: every key name that matches a pattern.
//
// A large keyspace is read in slices between other commands: one table at a time, its shard released every
// few buckets, so that nobody waits for the sweep. A key that is there from the first slice to the last is
// returned at least once; if its table grows or shrinks meanwhile it may be returned twice. Inside a
// transaction the world is stopped anyway, and the answer is exact.
#include <limits>
#include <string>
#include <vector>

#include "base/glob.h"
#include "base/prefetch.h"
#include "commands/generic/held_shard.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Entry;
using keyspace::Keyspace;
namespace Flag = dispatch::Flag;

constexpr Nanos kSlice = 100 * kNanosPerMicro;
constexpr int kBucketsPerHold = 32;

class Sweep final : public dispatch::Continuation {
 public:
  Sweep(const Call& call, std::string_view pattern)
      : database_(call.session().database),
        pattern_(pattern),
        everything_(pattern == "*"),
        writer_(names_, call.reply().version()) {}

  Progress Step(Call& call) override {
    const TickClock& clock = call.dispatcher().clock();
    const Ticks deadline = clock.Now() + clock.ToTicks(kSlice);
    do {
      if (!SweepSome(call)) return Progress::kDone;
    } while (clock.Now() < deadline);
    return Progress::kMore;
  }

  // Reads a few buckets of one table. At the end writes the reply and returns false.
  bool SweepSome(Call& call) {
    Keyspace& keyspace = call.core().keyspace;
    if (keyspace.tables_if_any(database_) == nullptr || table_ == keyspace.tables()) {
      call.reply().Array(count_);
      call.reply().Raw(std::move(names_));
      return false;
    }
    HeldShard held(call, Keyspace::ShardOfTable(table_));
    Table<Entry>& table = keyspace.table(database_, table_).entries;
    found_.clear();
    for (int bucket = 0; bucket < kBucketsPerHold; ++bucket) {
      cursor_ = table.Scan(cursor_, [&](TableSlot& slot) {
        found_.push_back(slot.entry<const Entry>());
        Prefetch(found_.back());
      });
      if (cursor_ != 0) continue;
      ++table_;
      break;
    }
    for (const Entry* entry : found_) Consider(*entry, call.now());
    return true;
  }

 private:
  void Consider(const Entry& entry, Millis now) {
    if (entry.expired(now) || !(everything_ || GlobMatch(pattern_, entry.key()))) return;
    writer_.Bulk(entry.key());
    ++count_;
  }

  const int database_;
  const std::string pattern_;
  const bool everything_;
  size_t table_ = 0;
  uint64_t cursor_ = 0;
  std::vector<const Entry*> found_;
  size_t count_ = 0;
  OutputBuffer names_;
  protocol::ReplyWriter writer_;
};

void Keys(Call& call) {
  auto sweep = std::make_unique<Sweep>(call, call.arg(1));
  if (call.in_transaction()) {
    while (sweep->SweepSome(call)) {
    }
    return;
  }
  if (sweep->Step(call) == dispatch::Continuation::Progress::kMore) call.Suspend(std::move(sweep));
}

constexpr CommandSpec kTable[] = {{
    .name = "keys",
    .synopsis = "pattern:pattern",
    .summary = "Returns the names of all keys that match a glob-style pattern.",
    .since = "1.0.0",
    .group = "generic",
    .complexity = "O(N) for N keys in the database, read in slices between other commands.",
    .arity = 2,
    .flags = Flag::kReadOnly | Flag::kSweep,
    .categories = "dangerous",
    .tips = "request_policy:all_shards,nondeterministic_output_order",
    .run = Keys,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericKeysCommands{kTable};

}  // namespace cinnabar::commands
