#include "replication/backlog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "replication/backlog_sink.h"

namespace cinnabar::replication {
namespace {

// The byte of the stream at `offset`, so that every piece can be checked by itself.
char ByteAt(StreamOffset offset) {
  return static_cast<char>((offset * 0x9e3779b97f4a7c15) >> 56);
}

std::string Stream(StreamOffset begin, size_t size) {
  std::string text;
  for (size_t i = 0; i < size; ++i) text += ByteAt(begin + i);
  return text;
}

// Takes up to `limit` bytes.
std::string Take(Backlog::Cursor& cursor, size_t limit = SIZE_MAX) {
  iovec vectors[8];
  std::string text;
  while (text.size() < limit) {
    const int count = cursor.Gather(vectors, 8);
    if (count == 0) break;
    size_t taken = 0;
    for (int i = 0; i < count; ++i) {
      const size_t part = std::min(vectors[i].iov_len, limit - text.size());
      text.append(static_cast<const char*>(vectors[i].iov_base), part);
      taken += part;
    }
    cursor.Advance(taken);
  }
  return text;
}

TEST(Backlog, OffsetsCountTheBytesBefore) {
  Backlog backlog(Backlog::kLimitMin);
  EXPECT_FALSE(backlog.active());
  EXPECT_FALSE(backlog.Holds(0));
  backlog.Start(100);
  EXPECT_TRUE(backlog.Holds(100));
  EXPECT_FALSE(backlog.Holds(99));
  EXPECT_FALSE(backlog.Holds(101));
  backlog.Append("abc");
  EXPECT_EQ(backlog.begin(), 100u);
  EXPECT_EQ(backlog.end(), 103u);
  EXPECT_EQ(backlog.kept_bytes(), 3u);
  EXPECT_TRUE(backlog.Holds(103));
  EXPECT_FALSE(backlog.Holds(104));
  auto cursor = backlog.Open(101);
  ASSERT_TRUE(cursor.has_value());
  EXPECT_EQ(cursor->offset(), 101u);
  EXPECT_EQ(cursor->pending_bytes(), 2u);
  EXPECT_EQ(Take(*cursor), "bc");
  EXPECT_EQ(cursor->pending_bytes(), 0u);
  backlog.Append("de");
  EXPECT_EQ(Take(*cursor), "de");
  EXPECT_FALSE(backlog.Open(99).has_value());
  EXPECT_FALSE(backlog.Open(106).has_value());
}

TEST(Backlog, TakesTheJournalsStream) {
  journal::Journal journal;
  Backlog backlog(Backlog::kLimitMin);
  BacklogSink sink(backlog);
  backlog.Start(journal.offset());
  journal.AddSink(sink);
  journal::Effects effects;
  effects.Add(0, {"INCR", "n"});
  for (int i = 0; i < 3; ++i) journal.Append(effects);
  EXPECT_EQ(backlog.end(), journal.offset());
  auto cursor = backlog.Open(0);
  EXPECT_TRUE(Take(*cursor).starts_with("*2\r\n$6\r\nSELECT"));
}

TEST(Backlog, KeepsTheLimitAndAtMostOneBlockMore) {
  Backlog backlog(64 * 1024);
  backlog.Start(0);
  for (int i = 0; i < 5000; ++i) {
    backlog.Append(Stream(backlog.end(), 1 + i % 300));
    EXPECT_LE(backlog.kept_bytes(), 64u * 1024 + 2 * 4096);
    EXPECT_GE(backlog.kept_bytes(), std::min<uint64_t>(backlog.end(), 64 * 1024));
  }
  EXPECT_GT(backlog.begin(), 0u);
  EXPECT_FALSE(backlog.Holds(0));
  auto cursor = backlog.Open(backlog.begin());
  EXPECT_EQ(Take(*cursor), Stream(backlog.begin(), backlog.kept_bytes()));
}

TEST(Backlog, SlowReplicasKeepTheirBlocksAndServeOthers) {
  Backlog backlog(Backlog::kLimitMin);
  backlog.Start(7);
  backlog.Append(Stream(7, 10));
  auto slow = backlog.Open(9);
  for (int i = 0; i < 100; ++i) backlog.Append(Stream(backlog.end(), 10000));
  EXPECT_GT(backlog.kept_bytes(), 1'000'000u);
  EXPECT_GT(backlog.memory_beyond_limit(), 900'000u);
  // Another one may continue from there.
  auto other = backlog.Open(20);
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(Take(*other), Stream(20, backlog.end() - 20));
  // Each block is counted once, whoever holds it.
  EXPECT_LT(backlog.memory(), 1'200'000u);
  EXPECT_EQ(Take(*slow, 500'000), Stream(9, 500'000));
  backlog.Trim();
  EXPECT_GT(backlog.begin(), 400'000u);
  EXPECT_LE(backlog.begin(), slow->offset());
  slow->Close();
  for (int i = 0; i < 20; ++i) backlog.Trim();
  EXPECT_LE(backlog.kept_bytes(), Backlog::kLimitMin + 64 * 1024);
  EXPECT_LE(backlog.memory(), Backlog::kLimitMin + 3 * 64 * 1024);
}

TEST(Backlog, ALowerLimitTakesEffectAtTheNextTrim) {
  Backlog backlog(1024 * 1024);
  backlog.Start(0);
  backlog.Append(Stream(0, 900'000));
  backlog.Trim();
  EXPECT_EQ(backlog.begin(), 0u);
  backlog.SetLimit(1);
  EXPECT_EQ(backlog.limit(), Backlog::kLimitMin);
  backlog.Trim();
  EXPECT_GT(backlog.begin(), 700'000u);
}

TEST(Backlog, StartsAnewWhileOldCursorsAreOpen) {
  Backlog backlog(Backlog::kLimitMin);
  backlog.Start(0);
  backlog.Append(Stream(0, 100'000));
  auto old = backlog.Open(99'000);
  backlog.Start(5000);
  EXPECT_FALSE(backlog.Holds(0));
  EXPECT_EQ(Take(*old), Stream(99'000, 1000));
  backlog.Append("x");
  EXPECT_EQ(Take(*old), "");
  auto fresh = backlog.Open(5000);
  EXPECT_EQ(Take(*fresh), "x");
  backlog.Stop();
  EXPECT_FALSE(backlog.Holds(5001));
  EXPECT_EQ(backlog.kept_bytes(), 0u);
  old->Close();
  fresh->Close();
  EXPECT_EQ(backlog.memory(), 0u);
}

TEST(Backlog, EveryCursorSeesTheStreamWhateverTheSizes) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  Backlog backlog(Backlog::kLimitMin);
  backlog.Start(1000);
  struct Reader {
    Backlog::Cursor cursor;
    StreamOffset at;
  };
  std::vector<Reader> readers;
  for (int step = 0; step < 5000; ++step) {
    const uint64_t choice = random.Uniform(10);
    if (choice < 5) {
      backlog.Append(Stream(backlog.end(), random.Uniform(random.OneIn(50) ? 100'000 : 400)));
    } else if (choice == 5 && readers.size() < 5) {
      const StreamOffset at = backlog.begin() + random.Uniform(backlog.kept_bytes() + 1);
      auto cursor = backlog.Open(at);
      ASSERT_TRUE(cursor.has_value());
      readers.push_back({std::move(*cursor), at});
    } else if (choice == 6 && !readers.empty() && random.OneIn(3)) {
      readers.erase(readers.begin() + static_cast<long>(random.Uniform(readers.size())));
    } else if (!readers.empty()) {
      Reader& reader = readers[random.Uniform(readers.size())];
      ASSERT_EQ(reader.cursor.offset(), reader.at);
      ASSERT_EQ(reader.cursor.pending_bytes(), backlog.end() - reader.at);
      const std::string text = Take(reader.cursor, random.Uniform(50'000));
      ASSERT_EQ(text, Stream(reader.at, text.size()));
      reader.at += text.size();
    }
  }
}

// Meant for TSan: one appends, others read, trim and open.
TEST(Backlog, IsReadWhileItGrows) {
  Backlog backlog(Backlog::kLimitMin);
  backlog.Start(0);
  constexpr StreamOffset kEnd = 700'000;
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 3; ++i) {
    auto cursor = std::make_shared<Backlog::Cursor>(std::move(*backlog.Open(0)));
    threads.emplace_back([&backlog, &wrong, cursor] {
      StreamOffset at = 0;
      while (at < kEnd) {
        const std::string text = Take(*cursor, 20'000);
        for (size_t k = 0; k < text.size(); ++k) wrong += text[k] != ByteAt(at + k);
        at += text.size();
        backlog.Trim();
        // The place was just trimmed or is there; either is an answer.
        if (auto other = backlog.Open(backlog.begin())) {
          const StreamOffset from = other->offset();
          const std::string first = Take(*other, 10);
          wrong += first != Stream(from, first.size());
        }
        if (text.empty()) std::this_thread::yield();
      }
    });
  }
  std::string piece;
  while (backlog.end() < kEnd) {
    piece = Stream(backlog.end(), std::min<size_t>(3000, kEnd - backlog.end()));
    backlog.Append(piece);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace cinnabar::replication
