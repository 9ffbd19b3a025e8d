// Engine: a server with one core and no sockets, driven command by command. It replays what a parallel run
// recorded.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "commands/server/value_digest.h"
#include "config/config.h"
#include "keyspace/string_value.h"
#include "server/history_record_for_test.h"
#include "server/server.h"
#include "types/stream.h"

namespace cinnabar::server {

// A stream without times, without consumers that hold nothing, and without the numbers of deliveries.
inline std::string StreamText(const types::Stream& stream) {
  const auto id = [](types::StreamId value) { return std::string(types::StreamIdText(value).view()) + " "; };
  std::string text =
      "stream " + id(stream.last_id) + id(stream.max_deleted_id) + std::to_string(stream.entries_added) + ":";
  types::StreamCursor cursor(stream, types::kStreamIdMin, types::kStreamIdMax);
  types::StreamEntry entry;
  while (cursor.Next(entry)) {
    text += id(entry.id);
    entry.ForEachPair([&](std::string_view field, std::string_view value) {
      text.append(field).append("=").append(value).append(" ");
    });
  }
  if (stream.groups() == nullptr) return text;
  for (const auto& [name, group] : *stream.groups()) {
    text += "group " + std::string(name) + " " + id(group.last_id) + std::to_string(group.entries_read) + ":";
    group.pending().ForEach([&](const types::PendingEntry& pending) {
      text += id(pending.id) + std::string(pending.consumer->name()) + " ";
    });
  }
  return text;
}

// Also those that hold nothing.
inline std::string ConsumersText(const keyspace::Entry& entry) {
  std::string text;
  if (entry.type() != types::Type::kStream) return text;
  const auto& stream = static_cast<const types::Stream&>(*entry.object());
  if (stream.groups() == nullptr) return text;
  for (const auto& [name, group] : *stream.groups()) {
    for (const auto& [consumer_name, consumer] : group.consumers()) text += std::string(consumer_name) + " ";
  }
  return text;
}

inline std::string DeliveriesText(const keyspace::Entry& entry) {
  std::string text;
  if (entry.type() != types::Type::kStream) return text;
  const auto& stream = static_cast<const types::Stream&>(*entry.object());
  if (stream.groups() == nullptr) return text;
  for (const auto& [name, group] : *stream.groups()) {
    group.pending().ForEach(
        [&](const types::PendingEntry& pending) { text += std::to_string(pending.deliveries) + " "; });
  }
  return text;
}

inline std::string ValueText(const keyspace::Entry& entry) {
  keyspace::DigitScratch scratch;
  if (entry.type() == types::Type::kString) return std::string(keyspace::StringBytes(entry, scratch));
  if (entry.type() == types::Type::kStream) {
    return StreamText(static_cast<const types::Stream&>(*entry.object()));
  }
  return commands::DigestOfValue(entry).Hex();
}

// REQUIRES: nothing runs.
inline DataSet DumpDataSet(keyspace::Keyspace& keyspace) {
  DataSet data;
  for (int database = 0; database < keyspace.databases(); ++database) {
    keyspace::ShardTable* first = keyspace.tables_if_any(database);
    for (size_t table = 0; first != nullptr && table < keyspace.tables(); ++table) {
      auto& entries = first[table].entries;
      for (size_t bucket = 0; bucket < entries.bucket_count(); ++bucket) {
        entries.VisitBucket(bucket, [&](TableSlot& slot) {
          const auto& entry = *slot.entry<keyspace::Entry>();
          std::string name(entry.key());
          while (data.contains({database, name})) name += " (once more)";  // which no table may hold
          data[{database, std::move(name)}] = {
              ValueText(entry), entry.expiry(), DeliveriesText(entry),
              commands::DigestOfValue(entry).Hex() + " " + ConsumersText(entry)};
        });
      }
    }
  }
  return data;
}

class Engine {
 public:
  explicit Engine(journal::JournalSink* sink = nullptr) : config_(*files_) {
    log_.SetLevel(LogLevel::kNothing);
    config_.Mutable().general.threads = 1;
    config_.Mutable().persistence.save = {};
    server_ = std::make_unique<Server>(config_, log_, ServerOptions{.program = "test", .journal_sink = sink});
  }

  // Runs one command of one session and returns its reply.
  std::string Run(uint64_t session_id, const Words& argv) {
    dispatch::Session& session = Prepare(session_id, argv);
    if (dispatcher().Execute(session, batch_, batch_.requests[0]) ==
        dispatch::Dispatcher::Outcome::kBlocked) {
      dispatcher().blocked().Abandon(session);
      session.suspended = false;
      return std::string(kWaits);
    }
    return session.output.TakeText();
  }

  // Runs one command of a journal, which says itself what has expired, and returns its reply.
  std::string Replay(const Words& argv) {
    dispatcher().core().replaying = true;
    dispatcher().UpdateTime();
    dispatch::Session& session = Prepare(0, argv);
    if (batch_.requests[0].command == nullptr) return "-no command";
    dispatcher().Replay(session, batch_, batch_.requests[0]);
    return session.output.TakeText();
  }

  DataSet Dump() { return DumpDataSet(server_->services().keyspace); }

 private:
  dispatch::Dispatcher& dispatcher() { return *server_->services().dispatchers[0]; }
  dispatch::Session& Prepare(uint64_t session_id, const Words& argv) {
    auto& session = sessions_[session_id];
    if (session == nullptr) {
      session = std::make_unique<dispatch::Session>(session_id, OutputBuffer(OutputBuffer::kFixedBytesMin));
    }
    batch_.Clear();
    for (const std::string& word : argv) batch_.arguments.push_back(word);
    dispatcher().preparer().Prepare(batch_, *session, 0);
    return *session;
  }

  std::unique_ptr<config::ConfigFiles> files_ = config::MakeSystemConfigFiles();
  config::Config config_;
  Logger log_;
  std::unique_ptr<Server> server_;
  std::unordered_map<uint64_t, std::unique_ptr<dispatch::Session>> sessions_;
  dispatch::Batch batch_;
};

}  // namespace cinnabar::server
