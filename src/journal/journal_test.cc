#include "journal/journal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace cinnabar::journal {
namespace {

class CollectingSink final : public JournalSink {
 public:
  void OnBytes(uint64_t offset, std::string_view bytes) override {
    EXPECT_EQ(offset, text.size());
    text += bytes;
  }
  std::string text;
};

std::string Encoded(std::initializer_list<std::string_view> words) {
  std::string out;
  EncodeCommand(std::span<const std::string_view>(words.begin(), words.size()), out);
  return out;
}

TEST(Journal, EncodesAsRequests) {
  EXPECT_EQ(Encoded({"SET", "k", ""}), "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
}

TEST(Journal, SelectsTheDatabaseWhenItChanges) {
  Journal journal;
  CollectingSink sink;
  journal.AddSink(sink);
  for (int database : {0, 0, 3}) {
    Effects effects;
    effects.Add(database, {"INCR", "n"});
    journal.Append(effects);
  }
  const std::string incr = Encoded({"INCR", "n"});
  EXPECT_EQ(sink.text, Encoded({"SELECT", "0"}) + incr + incr + Encoded({"SELECT", "3"}) + incr);
  EXPECT_EQ(journal.offset(), sink.text.size());
}

// A stream that is passed on may change the database.
TEST(Journal, SelectsAnewBehindBytesOfAnotherJournal) {
  Journal journal;
  CollectingSink sink;
  journal.AddSink(sink);
  Effects effects;
  effects.Add(0, {"A"});
  journal.Append(effects);
  const std::string raw = Encoded({"SELECT", "7"}) + Encoded({"B"});
  const uint64_t before = journal.offset();
  EXPECT_EQ(journal.AppendRaw(raw, 0, 7), before + raw.size());
  journal.Append(effects);
  const std::string a = Encoded({"A"});
  EXPECT_EQ(sink.text, Encoded({"SELECT", "0"}) + a + raw + Encoded({"SELECT", "0"}) + a);
}

TEST(Journal, GoesOnAtAnotherOffset) {
  Journal journal;
  journal.SetOffset(1000);
  EXPECT_EQ(journal.offset(), 1000u);
  EXPECT_EQ(journal.AppendRaw("abc", 0, 0), 1003u);
}

// What a file keeps, beside what the stream has.
class FileSink final : public JournalSink {
 public:
  void OnBytes(uint64_t, std::string_view bytes) override { text += bytes; }
  void OnControl(uint64_t, std::string_view) override {}
  void OnLocal(uint64_t, std::string_view bytes) override { text += bytes; }
  std::string text;
};

TEST(Journal, ControlRecordsAreInTheStreamAndLocalChangesAreNot) {
  Journal journal;
  CollectingSink stream;
  FileSink file;
  journal.AppendControl("unheard");
  EXPECT_EQ(journal.offset(), 0u);
  journal.AddSink(file);
  journal.AddSink(stream);
  Effects effects;
  effects.Add(2, {"A"});
  journal.Append(effects);
  journal.AppendControl(Encoded({"PING"}));
  const uint64_t offset = journal.offset();
  EXPECT_EQ(journal.AppendLocal(effects), offset);
  EXPECT_EQ(journal.offset(), offset);
  journal.Append(effects);
  const std::string a = Encoded({"SELECT", "2"}) + Encoded({"A"});
  EXPECT_EQ(stream.text, a + Encoded({"PING"}) + a);
  EXPECT_EQ(file.text, a + a + a);
}

TEST(Journal, TakesRecordsThatAreEncodedAlready) {
  Journal journal;
  CollectingSink sink;
  journal.AddSink(sink);
  const std::string text = Encoded({"SET", "a", "1"});
  Effects effects;
  effects.AddEncoded(0, text);
  journal.Append(effects);
  effects.Clear();
  effects.Add(0, {"B"});
  effects.AddEncoded(0, text);
  effects.Add(0, {"C"});
  journal.Append(effects);
  EXPECT_EQ(sink.text, Encoded({"SELECT", "0"}) + text + Encoded({"MULTI"}) + Encoded({"B"}) + text +
                           Encoded({"C"}) + Encoded({"EXEC"}));
}

TEST(Journal, GroupsSeveralEffects) {
  const std::string multi = Encoded({"MULTI"}), exec = Encoded({"EXEC"}), select = Encoded({"SELECT", "0"});
  for (const SelectPlace place : {SelectPlace::kBeforeMulti, SelectPlace::kBehindMulti}) {
    Journal journal;
    CollectingSink sink;
    journal.AddSink(sink);
    journal.SetSelectPlace(place);
    Effects effects;
    effects.Add(0, {"A"});
    effects.Add(1, {"B"});
    journal.Append(effects);
    effects.Clear();
    EXPECT_TRUE(effects.empty());
    effects.Add(1, {"C"});
    const uint64_t end = journal.Append(effects);
    EXPECT_EQ(sink.text, (place == SelectPlace::kBeforeMulti ? select + multi : multi + select) +
                             Encoded({"A"}) + Encoded({"SELECT", "1"}) + Encoded({"B"}) + exec +
                             Encoded({"C"}));
    EXPECT_EQ(end, sink.text.size());
  }
}

TEST(Journal, WithoutAReaderNothingIsProduced) {
  Journal journal;
  EXPECT_FALSE(journal.active());
  Effects effects;
  effects.Add(0, {"A"});
  EXPECT_EQ(journal.Append(effects), 0u);
  CollectingSink sink;
  journal.AddSink(sink);
  EXPECT_TRUE(journal.active());
  journal.RemoveSink(sink);
  EXPECT_FALSE(journal.active());
  EXPECT_EQ(sink.text, "");
}

// Appends of several threads stay whole, and offsets have no gaps.
TEST(Journal, AppendsAreAtomic) {
  constexpr int kThreads = 4, kRounds = 500;
  Journal journal;
  CollectingSink sink;
  journal.AddSink(sink);
  journal.SetSelectPlace(SelectPlace::kBeforeMulti);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&journal, t] {
      const std::string name = "T" + std::to_string(t);
      for (int i = 0; i < kRounds; ++i) {
        Effects effects;
        effects.Add(0, {name, "1"});
        effects.Add(0, {name, "2"});
        journal.Append(effects);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::string> pieces;
  for (int t = 0; t < kThreads; ++t) {
    const std::string name = "T" + std::to_string(t);
    pieces.push_back(Encoded({"MULTI"}) + Encoded({name, "1"}) + Encoded({name, "2"}) + Encoded({"EXEC"}));
  }
  size_t at = Encoded({"SELECT", "0"}).size(), count = 0;
  while (at < sink.text.size()) {
    const bool known = std::any_of(pieces.begin(), pieces.end(), [&](const std::string& piece) {
      return sink.text.compare(at, piece.size(), piece) == 0;
    });
    ASSERT_TRUE(known) << "at " << at;
    at += pieces[0].size();
    ++count;
  }
  EXPECT_EQ(count, size_t{kThreads} * kRounds);
}

}  // namespace
}  // namespace cinnabar::journal
