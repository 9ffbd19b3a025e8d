// What happened in a parallel run, as the server itself saw it: the commands in a serial order, and the
// journal.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "dispatch/services.h"
#include "dispatch/session.h"
#include "journal/journal.h"

namespace cinnabar::server {

using Words = std::vector<std::string>;

// For a message.
inline std::string Shown(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += ::testing::PrintToString(word.substr(0, 60)) + " ";
  return text;
}

// Stands for the reply of a command that blocks.
inline constexpr std::string_view kWaits = "(waits)";

struct HistoryRecord {
  uint64_t session;
  Words argv;
  std::string reply;
  bool served = false;  // it had waited: somebody else's change completed it
};

// Both ports are called while the shards of the command are held: for any two commands that share a key, the
// order of the records is the order in which they ran.
class HistoryRecorder final : public dispatch::HistoryObserver, public journal::JournalSink {
 public:
  void OnCommand(const dispatch::Caller& caller, std::span<const std::string_view> argv,
                 std::string_view reply, Ran ran) override {
    // Gives others time to slip in between the run and the note, if the locks let them.
    if (calls_.fetch_add(1, std::memory_order_relaxed) % 4 == 0) std::this_thread::yield();
    std::lock_guard lock(mutex_);
    records_.push_back({caller.id, Words(argv.begin(), argv.end()),
                        std::string(ran == Ran::kWaits ? kWaits : reply), ran == Ran::kServed});
  }
  // Called under the journal's own lock.
  void OnBytes(uint64_t, std::string_view bytes) override { journal_ += bytes; }

  // Once nothing runs any more.
  const std::vector<HistoryRecord>& records() const { return records_; }
  const std::string& journal() const { return journal_; }

 private:
  std::atomic<uint64_t> calls_{0};
  std::mutex mutex_;
  std::vector<HistoryRecord> records_;
  std::string journal_;
};

// ---- RESP, as far as a test needs it ----

// The end of the reply that begins at `at`; npos when it is not complete.
inline size_t ReplyEnd(std::string_view data, size_t at) {
  const size_t line_end = data.find("\r\n", at);
  if (line_end == std::string_view::npos) return line_end;
  const char type = data[at];
  size_t next = line_end + 2;
  if (std::string_view("+-:,#_(").find(type) != std::string_view::npos) return next;
  const long long count = std::stoll(std::string(data.substr(at + 1, line_end - at - 1)));
  if (count < 0) return next;
  if (type == '$' || type == '=' || type == '!') {
    next += static_cast<size_t>(count) + 2;
    return next <= data.size() ? next : std::string_view::npos;
  }
  for (long long i = 0; i < (type == '%' ? 2 * count : count); ++i) {
    if (next >= data.size()) return std::string_view::npos;
    next = ReplyEnd(data, next);
    if (next == std::string_view::npos) return next;
  }
  return next;
}

// The elements of a complete aggregate reply; none for anything else.
inline std::vector<std::string_view> ReplyElements(std::string_view reply) {
  std::vector<std::string_view> elements;
  if (reply.empty() || (reply[0] != '*' && reply[0] != '~')) return elements;
  for (size_t at = reply.find("\r\n") + 2; at < reply.size();) {
    const size_t end = ReplyEnd(reply, at);
    elements.push_back(reply.substr(at, end - at));
    at = end;
  }
  return elements;
}

inline std::string EncodeWords(const Words& words) {
  std::string out;
  const std::vector<std::string_view> views(words.begin(), words.end());
  journal::EncodeCommand(views, out);
  return out;
}

// The commands of a journal, each with the bulk strings it is made of.
inline std::vector<Words> JournalCommands(std::string_view journal) {
  std::vector<Words> commands;
  for (size_t at = 0; at < journal.size();) {
    const size_t end = ReplyEnd(journal, at);
    if (end == std::string_view::npos) {
      commands.push_back({"(the journal is cut off)"});
      return commands;
    }
    Words words;
    for (std::string_view element : ReplyElements(journal.substr(at, end - at))) {
      const size_t body = element.find("\r\n") + 2;
      words.emplace_back(element.substr(body, element.size() - body - 2));
    }
    commands.push_back(std::move(words));
    at = end;
  }
  return commands;
}

// One key of the final data set.
struct DataValue {
  std::string bytes;  // of a string; of anything else a text or digest that tells values apart
  int64_t expiry;
  // Of a stream, what only the history can tell: how often pending entries were handed out (to read them
  // again counts and is not journaled, as in Redis).
  std::string noted;
  std::string digest;  // of the value, consumers that hold nothing included
};
using DataSet = std::map<std::pair<int, std::string>, DataValue>;

}  // namespace cinnabar::server
