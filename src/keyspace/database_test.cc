// A model test: random operations on a database against a std::map, with a clock that the test moves.
#include "keyspace/database.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "keyspace/string_value.h"

namespace cinnabar::keyspace {
namespace {

struct ModelEntry {
  std::string value;
  Millis expiry = kNever;
};

class RecordedEvents final : public KeyspaceEvents {
 public:
  void OnAwaited(int, const Key&) override {}
  void OnChanged(const Key& key, uint64_t changer) override {
    changed.push_back(std::to_string(changer) + " " + std::string(key.bytes));
  }
  void OnNew(int, std::string_view) override {}
  void OnMissed(int, std::string_view) override {}
  void OnExpired(int database, std::string_view key) override {
    expired.insert({database, std::string(key)});
  }
  void OnFieldsExpired(int, std::string_view, std::span<const std::string>) override {}
  void OnLastFieldExpired(int, std::string_view) override {}
  void OnSlowToFree(Entry* gone) override {
    ++handed_over;
    Entry::Destroy(gone);
  }
  std::multiset<std::pair<int, std::string>> expired;
  std::vector<std::string> changed;
  int handed_over = 0;
};

class DatabaseModel {
 public:
  DatabaseModel(uint64_t seed, Layout layout)
      : random_(seed), keyspace_(2, HashKey(seed), 1, layout), core_{.keyspace = keyspace_} {
    core_.events = &events_;
    core_.now = now_ = 1000;
  }

  void Step() {
    const int index = static_cast<int>(random_.Uniform(2));
    Database database(core_, index);
    std::map<std::string, ModelEntry>& model = model_[index];
    const std::string name = AnyName();
    const Key key = keyspace_.KeyOf(name);
    switch (random_.Uniform(12)) {
      case 0:
        Tick();
        break;
      case 1:
        SetExpiry(database, model, key);
        break;
      case 2:
        Erase(database, model, key);
        break;
      case 3:
        Mutate(database, model, key);
        break;
      case 4:
        Rename(database, model, key);
        break;
      case 5:
        Clone(database, model, key);
        break;
      case 6:
        if (random_.OneIn(50)) Drop(index);
        break;
      default:
        Put(database, model, key);
    }
    Check(database, model, key);
  }

  void CheckAll() {
    for (int index = 0; index < 2; ++index) {
      Database database(core_, index);
      for (auto copy = model_[index]; auto& [name, entry] : copy)
        Check(database, model_[index], keyspace_.KeyOf(name));
      ASSERT_EQ(keyspace_.Size(index), model_[index].size());
      size_t with_expiry = 0;
      for (auto& [name, entry] : model_[index]) with_expiry += entry.expiry != kNever;
      ASSERT_EQ(keyspace_.VolatileSize(index), with_expiry);
    }
    EXPECT_EQ(events_.expired, expired_);
  }

 private:
  std::string AnyName() {
    const std::string number = std::to_string(random_.Uniform(40));
    switch (random_.Uniform(6)) {
      case 0:
        return std::string(254, 'k') + number;  // around the length that needs its own field
      case 1:
        return std::string(253 + random_.Uniform(3), 'k');
      case 2:
        return std::string(70000, 'K') + number;
      case 3:
        return "";
      default:
        return "k" + number;
    }
  }
  std::string AnyValue() {
    switch (random_.Uniform(5)) {
      case 0:
        return std::to_string(static_cast<int64_t>(random_.Next()));
      case 1:
        return std::string(Entry::kInlineMax - 1 + random_.Uniform(3), 'v');
      case 2:
        return std::string(5000, 'V');
      default:
        return std::string(random_.Uniform(30), static_cast<char>(random_.Next()));
    }
  }
  Millis AnyExpiry() {
    return random_.OneIn(2) ? kNever : now_ + 1 + static_cast<Millis>(random_.Uniform(100));
  }

  // A look-up removes what has expired; the model does it at the same moment.
  void ExpireModel(int index, const std::string& name) {
    auto found = model_[index].find(name);
    if (found == model_[index].end() || found->second.expiry > now_) return;
    expired_.insert({index, name});
    model_[index].erase(found);
  }
  EntryRef Find(Database& database, const Key& key) {
    ExpireModel(database.index(), std::string(key.bytes));
    return database.FindToChange(key);
  }

  void Tick() { core_.SetNow(now_ += static_cast<Millis>(random_.Uniform(20))); }

  void Put(Database& database, std::map<std::string, ModelEntry>& model, const Key& key) {
    const ModelEntry fresh{AnyValue(), AnyExpiry()};
    EntryRef entry = Find(database, key);
    if (entry) {
      database.Replace(entry, StringPayload(fresh.value));
      model[std::string(key.bytes)].value = fresh.value;
      return;
    }
    database.Create(key, StringPayload(fresh.value), fresh.expiry);
    model[std::string(key.bytes)] = fresh;
  }
  void SetExpiry(Database& database, std::map<std::string, ModelEntry>& model, const Key& key) {
    EntryRef entry = Find(database, key);
    if (!entry) return;
    const Millis expiry = AnyExpiry();
    database.SetExpiry(key, entry, expiry);
    model[std::string(key.bytes)].expiry = expiry;
  }
  void Erase(Database& database, std::map<std::string, ModelEntry>& model, const Key& key) {
    EntryRef entry = Find(database, key);
    if (entry) database.Erase(key, entry);
    model.erase(std::string(key.bytes));
  }
  void Mutate(Database& database, std::map<std::string, ModelEntry>& model, const Key& key) {
    EntryRef entry = Find(database, key);
    if (!entry) return;
    std::string& value = model[std::string(key.bytes)].value;
    const size_t size = random_.Uniform(2500);
    char* bytes = MutableString(entry, size);
    value.resize(size, '\0');
    if (size > 0) bytes[size - 1] = value[size - 1] = 'x';
    EXPECT_TRUE(entry->raw());
  }
  void Rename(Database& database, std::map<std::string, ModelEntry>& model, const Key& key) {
    const std::string name = AnyName();
    const Key target = keyspace_.KeyOf(name);
    if (name == key.bytes) return;
    if (!Find(database, key)) return;
    if (EntryRef old = Find(database, target)) database.Erase(target, old);
    Entry* entry = database.Take(key, database.FindToChange(key));
    database.Insert(target, Entry::Rename(entry, name));
    model[name] = model[std::string(key.bytes)];
    model.erase(std::string(key.bytes));
  }
  // A large value is shared by the copy: a change of one must not show in the other.
  void Clone(Database& database, std::map<std::string, ModelEntry>& model, const Key& key) {
    const std::string name = AnyName();
    const Key target = keyspace_.KeyOf(name);
    if (name == key.bytes) return;
    if (EntryRef old = Find(database, target)) database.Erase(target, old);
    model.erase(name);
    EntryRef entry = Find(database, key);
    if (!entry) return;
    database.Insert(target, Entry::Clone(*entry, name));
    model[name] = model[std::string(key.bytes)];
  }
  void Drop(int index) {
    Keyspace::Dropped dropped = keyspace_.Detach(index);
    EXPECT_EQ(dropped.keys(), model_[index].size());
    while (dropped.FreeSome()) {
    }
    model_[index].clear();
    keyspace_.Swap(0, 1);
    std::swap(model_[0], model_[1]);
  }

  void Check(Database& database, std::map<std::string, ModelEntry>& model, const Key& key) {
    EntryRef entry = Find(database, key);
    auto found = model.find(std::string(key.bytes));
    ASSERT_EQ(static_cast<bool>(entry), found != model.end()) << key.bytes.substr(0, 20);
    if (!entry) return;
    DigitScratch scratch;
    EXPECT_EQ(entry->key(), key.bytes);
    EXPECT_EQ(StringBytes(*entry, scratch), found->second.value);
    EXPECT_EQ(entry->expiry(), found->second.expiry);
    EXPECT_EQ(entry.slot()->marked(), found->second.expiry != kNever);
    EXPECT_EQ(StringLength(*entry), found->second.value.size());
  }

  Random random_;
  Keyspace keyspace_;
  RecordedEvents events_;
  CoreState core_;
  Millis now_ = 0;
  std::map<std::string, ModelEntry> model_[2];
  std::multiset<std::pair<int, std::string>> expired_;
};

class BothLayouts : public testing::TestWithParam<Layout> {};
INSTANTIATE_TEST_SUITE_P(Layouts, BothLayouts, testing::Values(Layout::kByHash, Layout::kBySlot));

TEST_P(BothLayouts, BehaveLikeAMap) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  DatabaseModel model(seed, GetParam());
  for (int step = 0; step < 6000 && !testing::Test::HasFailure(); ++step) model.Step();
  model.CheckAll();
}

class OneCore : public testing::TestWithParam<Layout> {
 protected:
  Keyspace keyspace_{2, HashKey(7), 1, GetParam()};
  CoreState core_{.keyspace = keyspace_};
  Database database_{core_, 0};

  void Put(std::string_view name, std::string_view value, Millis expiry = kNever) {
    const Key key = keyspace_.KeyOf(name);
    if (EntryRef old = database_.FindToChange(key)) database_.Erase(key, old);
    database_.Create(key, StringPayload(value), expiry);
    database_.MarkChanged(key);
  }
};

INSTANTIATE_TEST_SUITE_P(Layouts, OneCore, testing::Values(Layout::kByHash, Layout::kBySlot));

TEST_P(OneCore, ChangesAreToldIfWanted) {
  RecordedEvents events;
  core_.events = &events;
  core_.now = core_.expiry_clock = 1000;
  Put("untold", "1");
  core_.tells_changed = true;
  database_.MarkChanged(keyspace_.KeyOf("a"), 5);
  Put("b", "1", 1500);
  core_.now = core_.expiry_clock = 2000;
  EXPECT_FALSE(database_.FindRead(keyspace_.KeyOf("b")));
  EXPECT_EQ(events.changed, (std::vector<std::string>{"5 a", "0 b", "0 b"}));
}

TEST_P(OneCore, WatchersSeeChangesOfTheirKeyOnly) {
  Watcher watcher;
  const Key key = keyspace_.KeyOf("a");
  keyspace_.Watch(0, key, watcher);
  Put("b", "1");
  EXPECT_FALSE(watcher.dirty);
  database_.MarkChanged(key);
  EXPECT_TRUE(watcher.dirty);
  watcher.dirty = false;
  keyspace_.Unwatch(0, key, watcher);
  Put("a", "1");
  EXPECT_FALSE(watcher.dirty);
}

TEST_P(OneCore, WatchersSeeExpirySwapAndDrop) {
  Watcher expiring, swapped, dropped, absent;
  Put("e", "1", 10);
  keyspace_.Watch(0, keyspace_.KeyOf("e"), expiring);
  core_.SetNow(20);
  EXPECT_FALSE(database_.FindRead(keyspace_.KeyOf("e")));
  EXPECT_TRUE(expiring.dirty);

  Put("s", "1");
  keyspace_.Watch(1, keyspace_.KeyOf("s"), swapped);
  keyspace_.Watch(1, keyspace_.KeyOf("none"), absent);
  keyspace_.Swap(0, 1);
  EXPECT_TRUE(swapped.dirty);
  keyspace_.Watch(1, keyspace_.KeyOf("s"), dropped);
  keyspace_.Detach(1);
  EXPECT_TRUE(dropped.dirty);
  EXPECT_FALSE(absent.dirty);
}

TEST_P(OneCore, ExpiredKeysAreOnlyHiddenFromWhoMayNotChange) {
  Put("k", "1", 10);
  core_.SetNow(10);
  core_.may_expire = false;
  EXPECT_FALSE(database_.FindRead(keyspace_.KeyOf("k")));
  EXPECT_EQ(keyspace_.Size(0), 1u);
  core_.may_expire = true;
  EXPECT_FALSE(database_.FindRead(keyspace_.KeyOf("k")));
  EXPECT_EQ(keyspace_.Size(0), 0u);
  EXPECT_EQ(core_.expired, 1u);
}

TEST_P(OneCore, LargeValuesAreHandedOverWhenThatIsAskedFor) {
  RecordedEvents events;
  core_.events = &events;
  const std::string large(1'000'000, 'x');
  const Key key = keyspace_.KeyOf("k");
  const auto replace = [&](std::string_view value) {
    EntryRef entry = database_.FindToChange(key);
    database_.Replace(entry, StringPayload(value));
  };
  const auto expire = [&] {
    core_.SetNow(core_.now + 100);
    EXPECT_FALSE(database_.FindRead(key));
  };
  Put("k", large, 10);
  replace(large);
  expire();
  EXPECT_EQ(events.handed_over, 0) << "not asked for";

  core_.hands_over_replaced = true;
  Put("k", large, core_.now + 10);
  replace("small");
  EXPECT_EQ(events.handed_over, 1);
  DigitScratch scratch;
  const EntryRef entry = database_.FindRead(key);
  EXPECT_EQ(StringBytes(*entry, scratch), "small");
  EXPECT_EQ(entry->key(), "k");
  EXPECT_EQ(entry->expiry(), core_.now + 10);
  replace(large);
  EXPECT_EQ(events.handed_over, 1) << "what is small is freed at once";
  expire();
  EXPECT_EQ(events.handed_over, 1);

  core_.hands_over_expired = true;
  Put("k", large, core_.now + 10);
  expire();
  EXPECT_EQ(events.handed_over, 2);
  Put("k", "small", core_.now + 10);
  expire();
  EXPECT_EQ(events.handed_over, 2);
  EXPECT_EQ(events.expired.size(), 4u);
}

TEST_P(OneCore, CountsHitsAndMisses) {
  Put("k", "1");
  database_.FindRead(keyspace_.KeyOf("k"));
  database_.FindRead(keyspace_.KeyOf("x"));
  database_.Peek(keyspace_.KeyOf("x"));
  database_.FindToChange(keyspace_.KeyOf("k"));
  EXPECT_EQ(core_.hits, 1u);
  EXPECT_EQ(core_.misses, 1u);
}

TEST(StringValue, EncodingNames) {
  Entry* entry = Entry::Create("k", StringPayload("123"), kNever);
  EXPECT_EQ(StringEncoding(*entry), "int");
  entry = Entry::Replace(entry, StringPayload("0123"));
  EXPECT_EQ(StringEncoding(*entry), "embstr");
  entry = Entry::Replace(entry, StringPayload(std::string(44, 'x')));
  EXPECT_EQ(StringEncoding(*entry), "embstr");
  entry = Entry::Replace(entry, StringPayload(std::string(45, 'x')));
  EXPECT_EQ(StringEncoding(*entry), "raw");
  Entry::Destroy(entry);
}

}  // namespace
}  // namespace cinnabar::keyspace
