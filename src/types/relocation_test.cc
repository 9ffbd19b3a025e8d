// Large values whose blocks move at random moments between random changes, against naive models. A step of
// the relocation goes on where the last one stopped, whatever has changed since. Run under ASan, it finds
// code that has kept an old address.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>

#include "base/random.h"
#include "base/relocation_for_test.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/stream.h"

namespace cinnabar::types {
namespace {

class RelocationTest : public ::testing::Test {
 protected:
  RelocationTest() {
    const char* given = std::getenv("CINNABAR_TEST_SEED");
    seed_ = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
    random_.Seed(seed_);
  }
  ~RelocationTest() override {
    if (HasFailure())
      std::printf("repeat with CINNABAR_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }

  // Short ones that need no memory, and long ones.
  std::string Text(uint64_t number) {
    constexpr size_t kLengths[] = {1, 6, 7, 30, 100, 300};
    std::string text = std::to_string(number);
    text.resize(std::max(text.size(), kLengths[number % std::size(kLengths)]), '-');
    return text;
  }
  std::string Draw(uint64_t range) { return Text(random_.Uniform(range)); }

  // `change` and steps of the relocation in turns; `compare` now and then. Both work on value().
  void Play(std::unique_ptr<Value> value, int steps, const std::function<void(bool growing)>& change,
            const std::function<void()>& compare) {
    value_ = std::move(value);
    for (int step = 0; step < steps && !HasFailure(); ++step) {
      change(step % 3000 < 2000);
      if (random_.OneIn(20)) Step();
      if (step % 500 == 0) compare();
    }
    RelocationCursor cursor;
    RandomRelocation all(random_, 100);
    while (value_->RelocateSome(all, cursor)) {
    }
    EXPECT_EQ(all.moved(), all.offers());
    EXPECT_GT(all.offers(), 0u);
    compare();
    // A cursor of something else does no harm.
    cursor = {random_.Uniform(3), random_.Next()};
    value_->RelocateSome(all, cursor);
    compare();
  }
  template <typename T>
  T& value() {
    return static_cast<T&>(*value_);
  }

  uint64_t seed_;
  Random random_{1};

 private:
  void Step() {
    RandomRelocation some(random_, random_.OneIn(2) ? 100 : 30);
    if (!value_->RelocateSome(some, cursor_)) cursor_ = {};
  }

  std::unique_ptr<Value> value_;
  RelocationCursor cursor_;
};

TEST_F(RelocationTest, Set) {
  std::set<std::string> model;
  Play(
      std::make_unique<LargeSet>(), 12000,
      [&](bool growing) {
        const std::string member = Draw(3000);
        StringSet& members = value<LargeSet>().members;
        if (random_.Uniform(10) < (growing ? 8u : 1u)) {
          ASSERT_EQ(members.Insert(member), model.insert(member).second);
        } else {
          ASSERT_EQ(members.Erase(member), model.erase(member) == 1);
        }
      },
      [&] {
        std::set<std::string> all;
        value<LargeSet>().members.ForEach([&](std::string_view member) {
          all.emplace(member);
          return true;
        });
        EXPECT_EQ(all, model);
        for (const std::string& member : model) EXPECT_TRUE(value<LargeSet>().members.Contains(member));
      });
}

TEST_F(RelocationTest, HashWithFieldsThatExpire) {
  struct Field {
    std::string value;
    Millis expiry;
    bool operator==(const Field&) const = default;
  };
  std::map<std::string, Field> model;
  Millis now = 1;
  Play(
      std::make_unique<LargeHash>(), 12000,
      [&](bool growing) {
        LargeHash& hash = value<LargeHash>();
        const std::string name = Draw(2000);
        const uint64_t code = hash.HashOf(name);
        TableSlot* slot = hash.Find(name, code);
        ASSERT_EQ(slot != nullptr, model.contains(name));
        const Millis expiry =
            random_.OneIn(4) ? now + static_cast<Millis>(random_.Uniform(500)) : kNeverExpires;
        if (random_.Uniform(10) < (growing ? 8u : 2u)) {
          const std::string text = Draw(1000000);
          if (slot == nullptr) {
            hash.Insert(name, code, text, expiry);
          } else {
            hash.Replace(*slot, code, text, expiry);
          }
          model[name] = {text, expiry};
        } else if (slot != nullptr) {
          hash.Erase(slot, code);
          model.erase(name);
        }
        if (!random_.OneIn(100)) return;
        now += 100;
        for (const std::string& gone : hash.TakeExpired(now, 1000000)) {
          ASSERT_LE(model.at(gone).expiry, now);
          model.erase(gone);
        }
      },
      [&] {
        std::map<std::string, Field> all;
        value<LargeHash>().ForEach([&](const HashField& field) {
          all[std::string(field.name())] = {std::string(field.value()), field.expiry()};
        });
        EXPECT_EQ(all, model);
      });
}

TEST_F(RelocationTest, SortedSet) {
  std::map<std::string, double> model;
  Play(
      std::make_unique<LargeSortedSet>(), 12000,
      [&](bool growing) {
        LargeSortedSet& set = value<LargeSortedSet>();
        const std::string member = Draw(4000);
        const auto score = static_cast<double>(random_.Uniform(random_.OneIn(2) ? 5 : 100000));
        ScoredMember* found = set.Find(member);
        ASSERT_EQ(found != nullptr, model.contains(member));
        if (random_.Uniform(10) < (growing ? 8u : 2u)) {
          if (found == nullptr) {
            set.Add(member, score);
          } else {
            set.ChangeScore(*found, score);
          }
          model[member] = score;
        } else if (random_.OneIn(50) && set.size() > 100) {
          const uint64_t rank = random_.Uniform(set.size() - 60);
          set.order().WalkUp(rank, 60,
                             [&](const ScoredMember& gone) { model.erase(std::string(gone.member())); });
          set.EraseRanks(rank, 60);
        } else {
          ASSERT_EQ(set.Erase(member), model.erase(member) == 1);
        }
      },
      [&] {
        const LargeSortedSet& set = value<LargeSortedSet>();
        set.order().CheckInvariants();
        std::map<std::string, double> all;
        set.order().WalkUp(0, set.size(), [&](const ScoredMember& one) {
          all[std::string(one.member())] = one.score();
          EXPECT_EQ(set.Find(one.member()), &one);
        });
        EXPECT_EQ(all, model);
      });
}

TEST_F(RelocationTest, ListWithNodesOfEveryKind) {
  const ListOptions options{.node_size = 5, .compress_depth = 1};
  std::deque<std::string> model;
  Play(
      std::make_unique<LargeList>(options), 12000,
      [&](bool growing) {
        LargeList& list = value<LargeList>();
        const std::string text = random_.OneIn(50) ? std::string(10000, 'x') : Draw(100000);
        const size_t at = random_.Uniform(model.size() + 1);
        if (random_.Uniform(10) < (growing ? 8u : 2u) || model.size() < 20) {
          if (random_.OneIn(2)) {
            list.Push(ListEnd::kTail, text);
            model.push_back(text);
          } else {
            list.InsertAt(at, text);
            model.insert(model.begin() + static_cast<ptrdiff_t>(at), text);
          }
        } else if (random_.OneIn(2)) {
          const size_t count = random_.Uniform(10);
          list.Drop(ListEnd::kHead, count);
          model.erase(model.begin(), model.begin() + static_cast<ptrdiff_t>(count));
        } else if (at < model.size()) {
          list.Set(at, text);
          model[at] = text;
        }
      },
      [&] {
        std::deque<std::string> all;
        value<LargeList>().Walk(0, ListEnd::kTail, [&](const listpack::Element& element) {
          listpack::Digits digits;
          all.emplace_back(element.Text(digits));
          return true;
        });
        EXPECT_TRUE(all == model);
      });
}

TEST_F(RelocationTest, StreamWithGroups) {
  std::map<StreamId, std::string> model;
  std::map<std::string, std::set<StreamId>> pending;  // by consumer
  auto stream = std::make_unique<Stream>();
  for (const char* group : {"g1", "g2"}) {
    StreamGroup* made = stream->AddGroup(group, {}, 0);
    for (int i = 0; i < 5; ++i) made->AddConsumer(std::string(group) + "-" + std::to_string(i), 1);
  }
  uint64_t next = 1;
  Play(
      std::move(stream), 12000,
      [&](bool growing) {
        Stream& all = value<Stream>();
        if (random_.Uniform(10) < (growing ? 8u : 2u) || model.empty()) {
          const StreamId id{next++, 0};
          const std::string text = Draw(100000);
          const std::string_view pair[] = {"field", text};
          all.Append(id, pair, {.bytes = 4096, .entries = 5});
          model[id] = text;
          const std::string group = random_.OneIn(2) ? "g1" : "g2";
          const std::string consumer = group + "-" + std::to_string(random_.Uniform(5));
          StreamGroup& reader = *all.FindGroup(group);
          reader.Deliver(id, *reader.FindConsumer(consumer), 1);
          pending[consumer].insert(id);
        } else {
          const StreamId id{1 + random_.Uniform(next), 0};
          ASSERT_EQ(all.Erase(id), model.erase(id) == 1);
          for (const char* group : {"g1", "g2"}) {
            const PendingEntry* entry = all.FindGroup(group)->FindPending(id);
            if (entry == nullptr) continue;
            ASSERT_EQ(pending[entry->consumer->name()].erase(id), 1u);
            all.FindGroup(group)->RemovePending(id);
          }
        }
      },
      [&] {
        const Stream& stream = value<Stream>();
        std::map<StreamId, std::string> seen;
        StreamCursor cursor(stream, {}, {next, 0});
        for (StreamEntry entry; cursor.Next(entry);) {
          entry.ForEachPair([&](std::string_view, std::string_view text) { seen[entry.id] = text; });
        }
        EXPECT_EQ(seen, model);
        for (const auto& [name, group] : *stream.groups()) {
          for (const auto& [consumer, facts] : group.consumers()) {
            std::set<StreamId> ids;
            facts.pending().ForEach([&](const PendingId& one) { ids.insert(one.id); });
            EXPECT_EQ(ids, pending[consumer]);
          }
        }
      });
}

}  // namespace
}  // namespace cinnabar::types
