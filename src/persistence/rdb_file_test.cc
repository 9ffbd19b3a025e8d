#include "persistence/rdb_file.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "keyspace/database.h"
#include "persistence/snapshot_writer.h"

namespace cinnabar::persistence {
namespace {

using Item = RdbFileReader::Item;
using keyspace::CoreState;
using keyspace::Database;
using keyspace::Keyspace;

struct TextSink final : ByteSink {
  void Take(std::string_view bytes) override { text += bytes; }
  std::string text;
};

const ValueLimits kLimits = LimitsFrom(config::Settings());

std::string Snapshot(Keyspace& keyspace) {
  TextSink sink;
  WriteSnapshot(keyspace, {.now = 1'700'000'000'000, .redis_version = "7.0.15"}, sink);
  return sink.text;
}

void SetString(CoreState& core, int index, std::string_view name, std::string_view value,
               Millis expiry = keyspace::kNever) {
  Database database(core, index);
  database.Create(core.keyspace.KeyOf(name), {.bytes = value}, expiry);
}

// Reads all items; the last one is kEnd or kFault.
std::vector<Item> ReadAll(RdbFileReader& reader, std::map<std::string, std::string>& strings) {
  std::vector<Item> items;
  do {
    items.push_back(reader.Next());
    if (items.back() == Item::kEntry)
      strings[std::to_string(reader.database()) + "/" + std::string(reader.name())] = reader.value().bytes;
  } while (items.back() != Item::kEnd && items.back() != Item::kFault);
  return items;
}

TEST(RdbFile, RoundTrip) {
  Keyspace keyspace(16, HashKey(7), 1);
  CoreState core{.keyspace = keyspace};
  SetString(core, 0, "a", "one");
  SetString(core, 0, "b", std::string(500, 'x'), 1'800'000'000'000);
  SetString(core, 9, "c", "three");
  const std::string file = Snapshot(keyspace);
  EXPECT_TRUE(file.starts_with("REDIS0010"));
  RdbFileReader reader(file, kLimits);
  std::map<std::string, std::string> strings;
  EXPECT_EQ(ReadAll(reader, strings).back(), Item::kEnd) << reader.reason();
  EXPECT_EQ(strings, (std::map<std::string, std::string>{
                         {"0/a", "one"}, {"0/b", std::string(500, 'x')}, {"9/c", "three"}}));
  EXPECT_EQ(reader.position(), file.size());
}

TEST(RdbFile, EveryChangedByteIsNoticed) {
  Keyspace keyspace(16, HashKey(7), 1);
  CoreState core{.keyspace = keyspace};
  SetString(core, 0, "key", "some value");
  const std::string file = Snapshot(keyspace);
  for (size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x15);
    RdbFileReader reader(damaged, kLimits);
    std::map<std::string, std::string> strings;
    EXPECT_EQ(ReadAll(reader, strings).back(), Item::kFault) << "byte " << i;
  }
}

TEST(RdbFile, EveryCutIsTruncated) {
  Keyspace keyspace(16, HashKey(7), 1);
  CoreState core{.keyspace = keyspace};
  SetString(core, 0, "key", "some value", 1'800'000'000'000);
  const std::string file = Snapshot(keyspace);
  for (size_t size = 0; size < file.size(); ++size) {
    RdbFileReader reader(std::string_view(file).substr(0, size), kLimits);
    std::map<std::string, std::string> strings;
    EXPECT_EQ(ReadAll(reader, strings).back(), Item::kFault);
    EXPECT_EQ(reader.fault(), RdbFault::kTruncated) << size;
  }
}

// What comes in pieces, cut anywhere, is read as if it had been there at once, and what was read may go.
TEST(RdbFile, PiecesAreReadAsTheyCome) {
  constexpr uint64_t kSeed = 20260301;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  Keyspace keyspace(16, HashKey(7), 1);
  CoreState core{.keyspace = keyspace};
  for (int i = 0; i < 300; ++i) {
    const std::string value(random.OneIn(10) ? random.Uniform(60'000) : random.Uniform(60), 'v');
    const Millis expiry = random.OneIn(3) ? 1'800'000'000'000 : keyspace::kNever;
    SetString(core, static_cast<int>(random.Uniform(4)), std::to_string(i), value, expiry);
  }
  const std::string file = Snapshot(keyspace);
  std::map<std::string, std::string> expected;
  RdbFileReader whole(file, kLimits);
  const std::vector<Item> items = ReadAll(whole, expected);
  for (int round = 0; round < 30; ++round) {
    std::map<std::string, std::string> strings;
    std::vector<Item> found;
    RdbFileReader reader({}, kLimits);
    reader.MoreMayCome();
    std::string there;  // a copy, so that the sanitizer sees reads of what has gone
    size_t begin = 0;
    const uint64_t piece_max = uint64_t{1} << random.Uniform(18);
    while (found.empty() || found.back() != Item::kEnd) {
      const Item item = reader.Next();
      if (item == Item::kEntry)
        strings[std::to_string(reader.database()) + "/" + std::string(reader.name())] = reader.value().bytes;
      ASSERT_NE(item, Item::kFault) << reader.reason() << " at " << reader.position();
      if (item != Item::kMore) {
        found.push_back(item);
        continue;
      }
      const size_t end = std::min<size_t>(begin + there.size() + 1 + random.Uniform(piece_max), file.size());
      begin = reader.needed_from();
      there = file.substr(begin, end - begin);
      reader.Renew(there, begin, end == file.size());
    }
    ASSERT_EQ(found, items);
    ASSERT_EQ(strings, expected);
    ASSERT_EQ(reader.position(), file.size());
  }
}

TEST(RdbFile, APieceThatIsMissingIsAFaultAtTheEnd) {
  Keyspace keyspace(16, HashKey(7), 1);
  CoreState core{.keyspace = keyspace};
  SetString(core, 0, "a", "one");
  const std::string file = Snapshot(keyspace);
  RdbFileReader reader({}, kLimits);
  reader.MoreMayCome();
  EXPECT_EQ(reader.Next(), Item::kMore);
  reader.Renew(std::string_view(file).substr(0, file.size() - 1), 0, true);
  std::map<std::string, std::string> strings;
  EXPECT_EQ(ReadAll(reader, strings).back(), Item::kFault);
  EXPECT_EQ(reader.fault(), RdbFault::kTruncated);
}

TEST(RdbFile, OldHeadersAndOpcodes) {
  // Version 1: no checksum; an expiry in seconds.
  const std::string file("REDIS0001\xfe\x02\xfd\x10\x00\x00\x00\x00\x01k\x01v\xff", 22);
  RdbFileReader reader(file, kLimits);
  ASSERT_EQ(reader.Next(), Item::kDatabase);
  EXPECT_EQ(reader.database(), 2);
  ASSERT_EQ(reader.Next(), Item::kEntry);
  EXPECT_EQ(reader.expiry(), 16'000);
  EXPECT_EQ(reader.value().bytes, "v");
  EXPECT_EQ(reader.Next(), Item::kEnd);
}

// Which is how the keyspace says that a key never expires.
TEST(RdbFile, TheLastMomentIsOne) {
  const std::string file = std::string("REDIS0001\xfe\x00\xfc", 12) + std::string(7, '\xff') +
                           std::string("\x7f\x00\x01k\x01v\xff", 7);
  RdbFileReader reader(file, kLimits);
  ASSERT_EQ(reader.Next(), Item::kDatabase);
  ASSERT_EQ(reader.Next(), Item::kEntry) << reader.reason();
  EXPECT_EQ(reader.expiry(), keyspace::kNever - 1);
}

TEST(RdbFile, WhatIsNoFile) {
  for (const std::string& text : {std::string("HELLO0010\xff"), std::string("REDIS00x0\xff"),
                                  std::string("REDIS0000\xff"), std::string("REDIS9999\xff")}) {
    RdbFileReader reader(text, kLimits);
    EXPECT_EQ(reader.Next(), Item::kFault) << text;
    EXPECT_FALSE(reader.reason().empty());
  }
}

TEST(RdbFile, SaysWhatCouldNotBeRead) {
  using Step = RdbFileReader::Step;
  const std::string head("REDIS0010\xfe\x00", 11);
  const auto step_after = [&](std::string_view rest) {
    const std::string file = head + std::string(rest);
    RdbFileReader reader(file, kLimits);
    EXPECT_EQ(reader.Next(), Item::kDatabase);
    EXPECT_EQ(reader.Next(), Item::kFault);
    return reader.step();
  };
  EXPECT_EQ(step_after(""), Step::kType);
  EXPECT_EQ(step_after("\x08\x01k"), Step::kType);
  EXPECT_EQ(step_after("\xfc\x01"), Step::kExpiry);
  EXPECT_EQ(step_after("\xfb\x01"), Step::kLength);
  EXPECT_EQ(step_after("\xfa\x01"), Step::kFact);
  EXPECT_EQ(step_after("\xf5\x01"), Step::kFunction);
  EXPECT_EQ(step_after("\x01\x01"), Step::kKey);
  EXPECT_EQ(step_after("\x01\x01k"), Step::kValue);
  EXPECT_EQ(step_after("\xff"), Step::kChecksum);
  EXPECT_EQ(RdbFileReader("REDIS", kLimits).step(), Step::kStart);
}

}  // namespace
}  // namespace cinnabar::persistence
