#include "types/stream_group.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "base/random.h"

namespace cinnabar::types {
namespace {

struct ModelEntry {
  std::string consumer;
  Millis delivered;
  uint64_t deliveries;
};

struct Model {
  std::set<std::string> consumers;
  std::map<StreamId, ModelEntry> pending;
};

// Every pending entry belongs to exactly one consumer, which knows of it.
void ExpectSame(const StreamGroup& group, const Model& model) {
  ASSERT_EQ(group.consumers().size(), model.consumers.size());
  ASSERT_EQ(group.pending().size(), model.pending.size());
  auto expected = model.pending.begin();
  group.pending().ForEach([&](const PendingEntry& entry) {
    EXPECT_EQ(entry.id, expected->first);
    EXPECT_EQ(entry.consumer->name(), expected->second.consumer);
    EXPECT_EQ(entry.delivered, expected->second.delivered);
    EXPECT_EQ(entry.deliveries, expected->second.deliveries);
    ++expected;
  });
  size_t owned = 0;
  for (const auto& [name, consumer] : group.consumers()) {
    EXPECT_TRUE(model.consumers.contains(name));
    EXPECT_EQ(consumer.name(), name);
    consumer.pending().ForEach([&](const PendingId& item) {
      const auto at = model.pending.find(item.id);
      ASSERT_NE(at, model.pending.end());
      EXPECT_EQ(at->second.consumer, name);
    });
    owned += consumer.pending().size();
  }
  EXPECT_EQ(owned, model.pending.size());
}

class Player {
 public:
  explicit Player(uint64_t seed) : random_(seed) {}

  void Step() {
    ++now_;
    switch (random_.Uniform(10)) {
      case 0:
        if (random_.OneIn(10)) return RemoveConsumer();
        return;
      case 1:
      case 2:
        return Reassign();
      case 3:
      case 4:
        return Acknowledge();
      default:
        return Deliver();
    }
  }
  void Check() const {
    ExpectSame(group_, model_);
    ExpectSame(StreamGroup(group_), model_);
  }

 private:
  StreamConsumer& SomeConsumer() {
    const std::string name = "consumer-" + std::to_string(random_.Uniform(5));
    StreamConsumer* consumer = group_.FindConsumer(name);
    EXPECT_EQ(consumer != nullptr, model_.consumers.contains(name));
    if (consumer != nullptr) return *consumer;
    model_.consumers.insert(name);
    return group_.AddConsumer(name, now_);
  }
  StreamId SomeId() { return {random_.Uniform(next_ + 1), 0}; }

  void Deliver() {
    const StreamId id = random_.OneIn(10) ? SomeId() : StreamId{next_++, 0};
    StreamConsumer& consumer = SomeConsumer();
    group_.Deliver(id, consumer, now_);
    model_.pending[id] = {consumer.name(), now_, 1};
  }
  void Reassign() {
    const StreamId id = SomeId();
    StreamConsumer& consumer = SomeConsumer();
    PendingEntry* entry = group_.FindPending(id);
    ASSERT_EQ(entry != nullptr, model_.pending.contains(id));
    if (entry == nullptr) return;
    group_.Assign(*entry, consumer);
    ++entry->deliveries;
    model_.pending[id].consumer = consumer.name();
    ++model_.pending[id].deliveries;
  }
  void Acknowledge() {
    const StreamId id =
        random_.OneIn(2) && !model_.pending.empty() ? model_.pending.begin()->first : SomeId();
    ASSERT_EQ(group_.RemovePending(id), model_.pending.erase(id) == 1);
  }
  void RemoveConsumer() {
    const std::string name = SomeConsumer().name();
    const size_t owned =
        std::erase_if(model_.pending, [&](const auto& e) { return e.second.consumer == name; });
    model_.consumers.erase(name);
    ASSERT_EQ(group_.RemoveConsumer(name), owned);
  }

  Random random_;
  Millis now_ = 1000;
  uint64_t next_ = 1;
  StreamGroup group_{StreamId{}, 0};
  Model model_;
};

TEST(StreamGroupTest, AgreesWithAMap) {
  std::random_device device;
  for (int run = 0; run < 20; ++run) {
    const uint64_t seed = device();
    SCOPED_TRACE("seed " + std::to_string(seed));
    Player player(seed);
    for (int step = 0; step < 3000; ++step) {
      player.Step();
      if (step % 250 == 249) player.Check();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace cinnabar::types
