// A sweep that moves every block of a keyspace, in slices between random commands, against a naive model.
#include "keyspace/defragmentation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "base/relocation_for_test.h"
#include "keyspace/database.h"
#include "keyspace/entry_holder.h"
#include "keyspace/string_value.h"
#include "types/hash.h"
#include "types/set.h"
#include "types/sorted_set.h"

namespace cinnabar::keyspace {
namespace {

class DefragmentationTest : public ::testing::TestWithParam<Layout> {
 protected:
  DefragmentationTest() {
    const char* given = std::getenv("CINNABAR_TEST_SEED");
    seed_ = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
    random_.Seed(seed_);
    core_.SetNow(1000);
  }
  ~DefragmentationTest() override {
    if (HasFailure())
      std::printf("repeat with CINNABAR_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }

  Database Any() { return Database(core_, static_cast<int>(random_.Uniform(2))); }
  static Entry::Payload Empty(types::Type type) {
    const bool hash = type == types::Type::kHash;
    return {
        .type = type, .place = Place::kInline, .bytes = hash ? types::Hash::kEmptyPacked : listpack::kEmpty};
  }

  // Strings of every form, some of which expire.
  void SetString(Database database, const std::string& name) {
    constexpr size_t kLengths[] = {0, 5, 44, 500, 1024, 1025, 5000};
    const std::string text = random_.OneIn(4) ? std::to_string(random_.Uniform(1000000))
                                              : std::string(kLengths[random_.Uniform(7)], 'v') + name;
    const Key key = keyspace_.KeyOf(name);
    EntryRef entry = database.FindToChange(key);
    if (entry) {
      database.Replace(entry, StringPayload(text));
    } else {
      entry = database.Create(key, StringPayload(text));
    }
    const Millis expiry = random_.OneIn(3) ? 2000 + static_cast<Millis>(random_.Uniform(100)) : kNever;
    database.SetExpiry(key, entry, expiry);
    strings_[{database.index(), name}] = {text, expiry};
  }
  void Erase(Database database, const std::string& name) {
    const Key key = keyspace_.KeyOf(name);
    EntryRef entry = database.FindToChange(key);
    ASSERT_EQ(static_cast<bool>(entry), strings_.erase({database.index(), name}) == 1);
    if (entry) database.Erase(key, entry);
  }
  // A set, a hash and a sorted set of one member each change by one element.
  void ChangeCollections(Database database) {
    const std::string number = std::string(random_.Uniform(40), '-') + std::to_string(random_.Uniform(3000));
    for (const auto& [type, name] : {std::pair(types::Type::kSet, "#set"),
                                     {types::Type::kHash, "#hash"},
                                     {types::Type::kSortedSet, "#zset"}}) {
      const Key key = keyspace_.KeyOf(name);
      EntryRef entry = database.FindToChange(key);
      EntryHolder holder(entry ? entry : database.Create(key, Empty(type)));
      if (type == types::Type::kSet) types::Set(holder).Add(number, {});
      if (type == types::Type::kHash) types::Hash(holder).Set(number, number, {});
      if (type == types::Type::kSortedSet) types::SortedSet(holder).Add(number, 1, {}, {});
    }
    members_[database.index()].insert(number);
  }

  void Compare() {
    for (const auto& [where, expected] : strings_) {
      Database database(core_, where.first);
      EntryRef entry = database.FindRead(keyspace_.KeyOf(where.second));
      ASSERT_TRUE(entry) << where.second;
      DigitScratch scratch;
      EXPECT_EQ(StringBytes(*entry, scratch), expected.first);
      EXPECT_EQ(entry->expiry(), expected.second);
    }
    for (const auto& [index, members] : members_) {
      Database database(core_, index);
      std::set<std::string> of_set, of_hash, of_sorted_set;
      EntryHolder holder(database.FindRead(keyspace_.KeyOf("#set")));
      types::Set(holder).ForEach([&](std::string_view member) { of_set.emplace(member); });
      holder.Open(database.FindRead(keyspace_.KeyOf("#hash")));
      for (const std::string& member : members) EXPECT_TRUE(types::Hash(holder).Find(member).found);
      EXPECT_EQ(types::Hash(holder).size(), members.size());
      holder.Open(database.FindRead(keyspace_.KeyOf("#zset")));
      types::SortedSet(holder).ForEach(
          [&](std::string_view member, double) { of_sorted_set.emplace(member); });
      EXPECT_EQ(of_set, members);
      EXPECT_EQ(of_sorted_set, members);
    }
  }

  uint64_t seed_;
  Random random_{1};
  Keyspace keyspace_{2, HashKey(17), 1, GetParam()};
  CoreState core_{.keyspace = keyspace_};
  std::map<std::pair<int, std::string>, std::pair<std::string, Millis>> strings_;
  std::map<int, std::set<std::string>> members_;
};

INSTANTIATE_TEST_SUITE_P(Layouts, DefragmentationTest, testing::Values(Layout::kByHash, Layout::kBySlot));

TEST_P(DefragmentationTest, NothingIsLostBetweenSlices) {
  const TickClock clock;
  RandomRelocation relocation(random_, 80);
  DefragmentationSweep sweep(keyspace_, 0, 1);
  int sweeps = 0;
  for (int step = 0; (step < 8000 || sweeps < 3) && !HasFailure(); ++step) {
    const std::string name = "key:" + std::to_string(random_.Uniform(5000));
    if (random_.OneIn(3)) {
      Erase(Any(), name);
    } else {
      SetString(Any(), name);
    }
    if (random_.OneIn(5)) ChangeCollections(Any());
    // With a deadline that is over, a slice is one step.
    const Ticks deadline = random_.OneIn(2) ? 0 : clock.Now() + clock.ToTicks(20 * kNanosPerMicro);
    if (sweep.Run(relocation, 1 + random_.Uniform(200), clock, deadline) ==
        DefragmentationSweep::Progress::kThrough) {
      ++sweeps;
    }
    if (step % 1000 == 0) Compare();
  }
  Compare();
  EXPECT_GT(relocation.moved(), 10000u);
  EXPECT_GT(sweep.keys_moved(), 1000u);
}

TEST_P(DefragmentationTest, AStringThatAReplyStillHoldsStays) {
  Database database(core_, 0);
  const Key key = keyspace_.KeyOf("k");
  EntryRef entry = database.Create(key, StringPayload(std::string(5000, 'v')));
  const SharedBytes reply = SharedBytes::Share(entry->block());
  const TickClock clock;
  RandomRelocation relocation(random_, 100);
  DefragmentationSweep sweep(keyspace_, 0, 1);
  while (sweep.Run(relocation, 1000, clock, ~Ticks{0}) != DefragmentationSweep::Progress::kThrough) {
  }
  EXPECT_GT(relocation.moved(), 0u);
  EXPECT_EQ(reply.view(), std::string(5000, 'v'));
  EXPECT_EQ(database.FindRead(key)->block()->data, reply.view().data());
}

TEST_P(DefragmentationTest, SweepsOfAllCoresTogetherMeetEveryKeyOnce) {
  for (int i = 0; i < 3000; ++i) {
    const std::string name = std::to_string(i);
    Database(core_, 1).Create(keyspace_.KeyOf(name), StringPayload(name));
  }
  const TickClock clock;
  RandomRelocation relocation(random_, 50);
  uint64_t keys = 0;
  for (size_t core = 0; core < 3; ++core) {
    DefragmentationSweep sweep(keyspace_, core, 3);
    while (sweep.Run(relocation, 1000, clock, ~Ticks{0}) != DefragmentationSweep::Progress::kThrough) {
    }
    keys += sweep.keys_moved() + sweep.keys_left();
  }
  EXPECT_EQ(keys, 3000u);
}

}  // namespace
}  // namespace cinnabar::keyspace
