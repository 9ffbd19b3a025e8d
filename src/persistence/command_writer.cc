#include "persistence/command_writer.h"

#include <fmt/format.h>

#include <initializer_list>
#include <vector>

#include "base/numbers.h"
#include "keyspace/string_value.h"
#include "keyspace/value_view.h"
#include "persistence/snapshot_file.h"
#include "protocol/encode_command.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/stream.h"

namespace cinnabar::persistence {
namespace {

using keyspace::Entry;
using keyspace::ValueView;
using protocol::EncodeCommand;

// Elements of one command: long ones would hold up a server that replays them.
constexpr size_t kElementsMax = 64;

void Encode(std::initializer_list<std::string_view> argv, std::string& out) {
  EncodeCommand({argv.begin(), argv.size()}, out);
}

// Collects elements and writes them in commands of limited length.
class Batch {
 public:
  Batch(std::string_view command, std::string_view key, size_t words_per_element, std::string& out)
      : command_(command), key_(key), words_max_(words_per_element * kElementsMax), out_(out) {}
  ~Batch() { Flush(); }

  void Add(std::string_view word) {
    words_.emplace_back(word);
    if (words_.size() == words_max_) Flush();
  }

 private:
  void Flush() {
    if (words_.empty()) return;
    std::vector<std::string_view> argv = {command_, key_};
    argv.insert(argv.end(), words_.begin(), words_.end());
    EncodeCommand(argv, out_);
    words_.clear();
  }

  const std::string_view command_, key_;
  const size_t words_max_;
  std::string& out_;
  std::vector<std::string> words_;
};

void AppendList(const Entry& entry, std::string& out) {
  ValueView view(entry);
  Batch batch("RPUSH", entry.key(), 1, out);
  types::List(view, {}).ForEach([&](const listpack::Element& element) {
    listpack::Digits digits;
    batch.Add(element.Text(digits));
  });
}

void AppendSet(const Entry& entry, std::string& out) {
  ValueView view(entry);
  Batch batch("SADD", entry.key(), 1, out);
  types::Set(view).ForEach([&](std::string_view member) { batch.Add(member); });
}

void AppendSortedSet(const Entry& entry, std::string& out) {
  ValueView view(entry);
  Batch batch("ZADD", entry.key(), 2, out);
  types::SortedSet(view).ForEach([&](std::string_view member, double score) {
    char text[kDoubleTextBytes];
    batch.Add({text, FormatDouble(score, text)});
    batch.Add(member);
  });
}

void AppendHash(const Entry& entry, std::string& out) {
  ValueView view(entry);
  const types::Hash hash(view);
  {
    Batch batch("HMSET", entry.key(), 2, out);
    hash.ForEach([&](const listpack::Element& field, const listpack::Element& value, Millis) {
      listpack::Digits field_digits, value_digits;
      batch.Add(field.Text(field_digits));
      batch.Add(value.Text(value_digits));
    });
  }
  hash.ForEach([&](const listpack::Element& field, const listpack::Element&, Millis expiry) {
    if (expiry == types::kNeverExpires) return;
    listpack::Digits digits;
    Encode({"HPEXPIREAT", entry.key(), Int64ToString(expiry), "FIELDS", "1", field.Text(digits)}, out);
  });
}

void AppendGroup(std::string_view key, std::string_view name, const types::StreamGroup& group,
                 std::string& out) {
  const types::StreamIdText last(group.last_id);
  Encode({"XGROUP", "CREATE", key, name, last.view(), "ENTRIESREAD", Int64ToString(group.entries_read)}, out);
  for (const auto& [consumer, facts] : group.consumers()) {
    if (facts.pending().empty()) Encode({"XGROUP", "CREATECONSUMER", key, name, consumer}, out);
  }
  group.pending().ForEach([&](const types::PendingEntry& pending) {
    const types::StreamIdText id(pending.id);
    Encode({"XCLAIM", key, name, pending.consumer->name(), "0", id.view(), "TIME",
            Int64ToString(pending.delivered), "RETRYCOUNT", std::to_string(pending.deliveries), "JUSTID",
            "FORCE"},
           out);
  });
}

void AppendStream(const Entry& entry, std::string& out) {
  const auto& stream = static_cast<const types::Stream&>(*entry.object());
  const std::string_view key = entry.key();
  types::StreamCursor cursor(stream, types::kStreamIdMin, types::kStreamIdMax);
  types::StreamEntry item;
  while (cursor.Next(item)) {
    std::vector<std::string> words = {"XADD", std::string(key),
                                      std::string(types::StreamIdText(item.id).view())};
    item.ForEachPair([&](std::string_view field, std::string_view value) {
      words.emplace_back(field);
      words.emplace_back(value);
    });
    const std::vector<std::string_view> argv(words.begin(), words.end());
    EncodeCommand(argv, out);
  }
  const types::StreamIdText last(stream.last_id);
  if (stream.empty()) {
    // An entry that goes at once makes the key. No id is 0-0.
    const bool never = stream.last_id == types::StreamId{};
    Encode({"XADD", key, "MAXLEN", "0", never ? std::string_view("0-1") : last.view(), "x", "y"}, out);
  }
  Encode({"XSETID", key, last.view(), "ENTRIESADDED", std::to_string(stream.entries_added), "MAXDELETEDID",
          types::StreamIdText(stream.max_deleted_id).view()},
         out);
  if (stream.groups() == nullptr) return;
  for (const auto& [name, group] : *stream.groups()) AppendGroup(key, name, group, out);
}

void AppendString(const Entry& entry, std::string& out) {
  keyspace::DigitScratch scratch;
  Encode({"SET", entry.key(), keyspace::StringBytes(entry, scratch)}, out);
}

}  // namespace

void AppendCommands(const Entry& entry, std::string& out) {
  switch (entry.type()) {
    case types::Type::kString:
      AppendString(entry, out);
      break;
    case types::Type::kList:
      AppendList(entry, out);
      break;
    case types::Type::kSet:
      AppendSet(entry, out);
      break;
    case types::Type::kSortedSet:
      AppendSortedSet(entry, out);
      break;
    case types::Type::kHash:
      AppendHash(entry, out);
      break;
    case types::Type::kStream:
      AppendStream(entry, out);
      break;
  }
  if (entry.has_expiry()) Encode({"PEXPIREAT", entry.key(), Int64ToString(entry.expiry())}, out);
}

Result<uint64_t> WriteCommandsFile(keyspace::Keyspace& keyspace, const SnapshotOptions& options,
                                   const std::string& path, const std::string& temporary,
                                   uint64_t sync_bytes) {
  return WriteWholeFile(path, temporary, sync_bytes, [&](ByteSink& sink) {
    uint64_t keys = 0;
    int selected = -1;
    std::string text;
    if (options.annotated) text = fmt::format("#TS:{}\r\n", options.now / kMillisPerSecond);
    for (const std::string& code : options.functions) Encode({"FUNCTION", "LOAD", code}, text);
    sink.Take(text);
    text.clear();
    ForEachEntry(keyspace, [&](int database, const Entry& entry) {
      if (database != selected) Encode({"SELECT", std::to_string(database)}, text);
      selected = database;
      AppendCommands(entry, text);
      sink.Take(text);
      text.clear();
      ++keys;
      if (options.progress) options.progress(keys);
    });
    return keys;
  });
}

}  // namespace cinnabar::persistence
