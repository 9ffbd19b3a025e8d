// DEBUG subcommands about keys and values.
#include <fmt/format.h>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/encoding_name.h"
#include "commands/server/debug.h"
#include "commands/server/value_digest.h"
#include "keyspace/string_value.h"
#include "persistence/rdb_value.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using keyspace::Entry;
using keyspace::EntryRef;
using keyspace::Keyspace;
using keyspace::Use;

constexpr std::string_view kNotHashTable =
    "ERR The value stored at the specified key is not represented using an hash table";

// Visits every entry of a database.
template <typename Visit>
void ForEachEntry(Keyspace& keyspace, int database, Visit&& visit) {
  keyspace::ShardTable* first = keyspace.tables_if_any(database);
  if (first == nullptr) return;
  for (size_t table = 0; table < keyspace.tables(); ++table) {
    auto& entries = first[table].entries;
    for (size_t bucket = 0; bucket < entries.bucket_count(); ++bucket) {
      entries.VisitBucket(bucket, [&](TableSlot& slot) { visit(*slot.entry<Entry>()); });
    }
  }
}

// The bytes that the value takes in an RDB file.
size_t SerializedLength(const Call& call, const Entry& entry) {
  class Counter final : public persistence::ByteSink {
   public:
    void Take(std::string_view bytes) override { count += bytes.size(); }
    size_t count = 0;
  };
  using persistence::Compression;
  Counter counter;
  std::string rest;
  const bool compress = call.settings().persistence.rdbcompression;
  persistence::RdbWriter out(rest, compress ? Compression::kLzf : Compression::kNone, &counter);
  persistence::WriteValue(out, entry, persistence::TypeFor(entry));
  return counter.count + rest.size();
}

// The entry even if its time is over, which a replica leaves to its primary.
EntryRef FindAlsoExpired(Call& call, const keyspace::Key& key) {
  auto& entries = call.db().ShardTableOf(key).entries;
  return EntryRef(
      entries.Find(key.hash, [&](const keyspace::Entry& entry) { return entry.key() == key.bytes; }));
}

void Object(Call& call) {
  EntryRef entry = FindAlsoExpired(call, call.key(2));
  if (!entry) return call.reply().Error(errors::kNoSuchKey);
  const uint64_t idle = call.core().access.lfu ? 0 : keyspace::IdleSeconds(entry->clock(), call.now());
  call.reply().Simple(fmt::format(
      "Value at:{} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{} type:{}",
      static_cast<const void*>(entry.get()), EncodingName(call, *entry), SerializedLength(call, *entry),
      entry->clock() >> keyspace::kClockFineBits, idle, types::TypeName(entry->type())));
}

void DigestAll(Call& call) {
  DataSetDigest digest;
  Keyspace& keyspace = call.core().keyspace;
  for (int database = 0; database < keyspace.databases(); ++database) {
    if (keyspace.Size(database) == 0) continue;
    digest.BeginDatabase(database);
    ForEachEntry(keyspace, database, [&](const Entry& entry) { digest.AddEntry(entry); });
  }
  call.reply().Simple(digest.Hex());
}

void DigestValues(Call& call) {
  call.reply().Array(call.argc() - 2);
  for (size_t i = 2; i < call.argc(); ++i) {
    EntryRef entry = call.db().Peek(call.key(i));
    call.reply().Simple(entry ? DigestOfValue(*entry).Hex() : Digest().Hex());
  }
}

void Populate(Call& call) {
  const auto count = ParseInt64(call.arg(2));
  if (!count || *count < 0) return call.reply().Error(errors::kOutOfRange);
  const std::string_view prefix = call.argc() > 3 ? call.arg(3) : std::string_view("key");
  int64_t size = 0;
  if (call.argc() > 4) {
    const auto wanted = ParseInt64(call.arg(4));
    if (!wanted || *wanted < 0) return call.reply().Error(errors::kOutOfRange);
    size = *wanted;
  }
  std::string name, value;
  for (int64_t i = 0; i < *count; ++i) {
    name = fmt::format("{}:{}", prefix, i);
    const keyspace::Key key = call.core().keyspace.KeyOf(name);
    if (call.db().Peek(key)) continue;
    value = fmt::format("value:{}", i);
    if (size > 0) value.resize(static_cast<size_t>(size));
    call.db().Create(key, keyspace::StringPayload(value));
    call.db().MarkChanged(key, call.session_id());
  }
  call.reply().Ok();
}

// One half of HTSTATS. Slots stand for what other servers call the table size.
std::string TableText(std::string_view title, size_t buckets, size_t overflow, size_t elements,
                      size_t bytes) {
  std::string text = fmt::format("[{}]\n", title);
  if (buckets == 0 || elements == 0) return text + "No stats available for empty dictionaries\n";
  return text + fmt::format(
                    "Hash table 0 stats (main hash table):\n"
                    " table size: {}\n"
                    " number of elements: {}\n"
                    " buckets: {}\n"
                    " overflow buckets: {}\n"
                    " elements per bucket: {:.2f}\n"
                    " bytes: {}\n",
                    buckets * Table<Entry>::kSlots, elements, buckets, overflow,
                    static_cast<double>(elements) / static_cast<double>(buckets), bytes);
}

void TableStatistics(Call& call) {
  Keyspace& keyspace = call.core().keyspace;
  const auto index = ParseInt64(call.arg(2));
  if (!index) return call.reply().Error(errors::kNotInteger);
  if (*index < 0 || *index >= keyspace.databases()) return call.reply().Error("ERR Out of range database");
  size_t buckets = 0, overflow = 0, elements = 0, marked = 0, bytes = 0;
  if (keyspace::ShardTable* first = keyspace.tables_if_any(static_cast<int>(*index))) {
    for (size_t table = 0; table < keyspace.tables(); ++table) {
      const auto& entries = first[table].entries;
      buckets += entries.bucket_count();
      overflow += entries.overflow_count();
      elements += entries.size();
      marked += entries.marked();
      bytes += entries.memory();
    }
  }
  // Keys that expire are marked in the same table.
  call.reply().Verbatim("txt", TableText("Dictionary HT", buckets, overflow, elements, bytes) +
                                   TableText("Expires HT", buckets, 0, marked, 0));
}

void TableStatisticsOfKey(Call& call) {
  EntryRef entry = call.db().Peek(call.key(2));
  call.reply().Error(entry ? kNotHashTable : errors::kNoSuchKey);
}

constexpr DebugSubcommand kTable[] = {
    {"object", 1, 2, Object},
    {"digest", 0, 0, DigestAll},
    {"digest-value", 1, kAnyNumber, DigestValues},
    {"populate", 1, 3, Populate},
    {"htstats", 1, 2, TableStatistics},
    {"htstats-key", 1, 2, TableStatisticsOfKey},
};

}  // namespace

constinit const std::span<const DebugSubcommand> kDebugDataSubcommands{kTable};

}  // namespace cinnabar::commands
