// Fields of hashes that expire, as a sweep meets them: which hashes it is told of, wherever they went.
#include <gtest/gtest.h>

#include "keyspace/database.h"
#include "keyspace/entry_holder.h"
#include "types/hash.h"

namespace cinnabar::keyspace {
namespace {

class RecordedEvents final : public KeyspaceEvents {
 public:
  void OnAwaited(int, const Key&) override {}
  void OnChanged(const Key&, uint64_t) override {}
  void OnSlowToFree(Entry* gone) override { Entry::Destroy(gone); }
  void OnNew(int, std::string_view) override {}
  void OnMissed(int, std::string_view) override {}
  void OnExpired(int, std::string_view) override {}
  void OnFieldsExpired(int database, std::string_view key, std::span<const std::string> fields) override {
    for (const std::string& field : fields) {
      log.push_back(std::to_string(database) + " " + std::string(key) + " " + field);
    }
  }
  void OnLastFieldExpired(int database, std::string_view key) override {
    log.push_back(std::to_string(database) + " " + std::string(key) + " gone");
  }
  std::vector<std::string> log;
};

class FieldExpiryTest : public ::testing::Test {
 protected:
  FieldExpiryTest() {
    core_.events = &events_;
    core_.now = 1000;
  }

  // A hash of two fields of which `a` expires at a moment.
  void MakeHash(int index, std::string_view name, Millis at) {
    Database database(core_, index);
    const Key key = keyspace_.KeyOf(name);
    EntryHolder holder(database.Create(
        key, {.type = types::Type::kHash, .place = Place::kInline, .bytes = types::Hash::kEmptyPacked}));
    types::Hash hash(holder, core_.now);
    hash.Set("a", "1", {});
    hash.Set("b", "2", {});
    hash.SetExpiry(hash.Find("a"), "a", at);
    database.NoteFieldExpiry(key, *holder.entry());
  }
  // The hashes in which a sweep would look now.
  std::vector<std::string> Due(int index, std::string_view name) {
    TimedHashes* timed = keyspace_.timed_hashes(index, Keyspace::ShardOf(keyspace_.HashOf(name)));
    return timed == nullptr ? std::vector<std::string>() : timed->TakeDue(core_.now, 100);
  }
  Millis NextOf(int index, std::string_view name) {
    return keyspace_.table(index, Keyspace::ShardOf(keyspace_.HashOf(name))).next_expiry;
  }
  using Names = std::vector<std::string>;

  Keyspace keyspace_{2, HashKey(17), 1};
  RecordedEvents events_;
  CoreState core_{.keyspace = keyspace_};
};

TEST_F(FieldExpiryTest, TheSweepIsToldWhenAndWhere) {
  MakeHash(0, "h", 1500);
  EXPECT_EQ(NextOf(0, "h"), 1500);
  EXPECT_EQ(keyspace_.Earliest(0, 0), 1500);
  EXPECT_EQ(Due(0, "h"), Names());
  core_.SetNow(1500);
  EXPECT_EQ(Due(0, "h"), Names{"h"});
  EXPECT_EQ(Due(0, "h"), Names());
}

TEST_F(FieldExpiryTest, FieldsGoAndTheKeyWithTheLast) {
  MakeHash(0, "h", 1500);
  Database database(core_, 0);
  const Key key = keyspace_.KeyOf("h");
  EntryRef entry = database.FindToChange(key);
  EXPECT_EQ(database.RemoveExpiredFields(key, entry, 10), 0u);
  core_.SetNow(1500);
  EXPECT_EQ(database.RemoveExpiredFields(key, entry, 10), 1u);
  ASSERT_TRUE(entry);
  EXPECT_EQ(events_.log, Names{"0 h a"});
  EntryHolder holder(entry);
  types::Hash hash(holder, core_.now);
  hash.SetExpiry(hash.Find("b"), "b", 1600);
  core_.SetNow(1601);
  EXPECT_EQ(database.RemoveExpiredFields(key, entry, 10), 1u);
  EXPECT_FALSE(entry);
  EXPECT_FALSE(database.FindToChange(key));
  EXPECT_EQ(events_.log, (Names{"0 h a", "0 h b", "0 h gone"}));
}

TEST_F(FieldExpiryTest, AHashIsKnownUnderItsNewName) {
  MakeHash(0, "h", 1500);
  Database from(core_, 0), to(core_, 1);
  const Key key = keyspace_.KeyOf("h"), renamed = keyspace_.KeyOf("g");
  Entry* entry = from.Take(key, from.FindToChange(key));
  to.Insert(renamed, Entry::Rename(entry, "g"));
  to.Insert(key, Entry::Clone(*to.FindToChange(renamed), "h"));
  EXPECT_EQ(NextOf(1, "g"), 1500);
  core_.now = 2000;
  EXPECT_EQ(Due(1, "g"), Names{"g"});
  EXPECT_EQ(Due(1, "h"), Names{"h"});
  EXPECT_EQ(Due(0, "h"), Names{"h"});  // a hint that finds nothing
}

TEST_F(FieldExpiryTest, SwapAndFlushTakeThemAlong) {
  MakeHash(0, "h", 1500);
  keyspace_.Swap(0, 1);
  EXPECT_EQ(NextOf(1, "h"), 1500);
  MakeHash(0, "h", 1700);
  core_.SetNow(1500);
  EXPECT_EQ(Due(0, "h"), Names());
  EXPECT_EQ(Due(1, "h"), Names{"h"});
  keyspace_.Detach(0);
  core_.now = 2000;
  EXPECT_EQ(Due(0, "h"), Names());
}

}  // namespace
}  // namespace cinnabar::keyspace
