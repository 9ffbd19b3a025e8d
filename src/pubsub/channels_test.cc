#include "pubsub/channels.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace cinnabar::pubsub {
namespace {

// Notes what is delivered, as "core:session[pattern] channel payload".
class Notes final : public Delivery {
 public:
  void Deliver(int core, std::shared_ptr<const Message> message, std::vector<Recipient> recipients) override {
    for (const Recipient& recipient : recipients) {
      std::string line = std::to_string(core) + ":" + std::to_string(recipient.session);
      if (recipient.pattern != nullptr) line += "[" + *recipient.pattern + "]";
      lines.push_back(line + " " + message->channel + " " + std::string(message->payload.view()));
      last_ticket = recipient.ticket;
    }
  }
  std::vector<std::string> Take() { return std::exchange(lines, {}); }
  std::vector<std::string> lines;
  Ticket last_ticket = 0;
};

class ChannelsTest : public testing::Test {
 protected:
  using Lines = std::vector<std::string>;
  Notes notes_;
  Channels channels_{notes_};
  Subscriber first_{1, 0};
  Subscriber second_{2, 1};
};

TEST_F(ChannelsTest, DeliversToEachCoreChannelBeforePattern) {
  EXPECT_FALSE(channels_.anybody());
  EXPECT_EQ(channels_.Publish(Kind::kChannel, "news", "x"), 0u);
  EXPECT_TRUE(channels_.Subscribe(first_, Kind::kPattern, "n*"));
  EXPECT_TRUE(channels_.Subscribe(first_, Kind::kChannel, "news"));
  EXPECT_FALSE(channels_.Subscribe(first_, Kind::kChannel, "news"));
  EXPECT_TRUE(channels_.Subscribe(second_, Kind::kChannel, "news"));
  EXPECT_EQ(channels_.Publish(Kind::kChannel, "news", "x"), 3u);
  EXPECT_EQ(notes_.Take(), (Lines{"0:1 news x", "0:1[n*] news x", "1:2 news x"}));
  EXPECT_EQ(channels_.CountSubscribers(Kind::kChannel, "news"), 2u);
  EXPECT_EQ(channels_.CountNames(Kind::kPattern), 1u);
  channels_.UnsubscribeAll(first_);
  EXPECT_TRUE(first_.empty());
  EXPECT_EQ(channels_.Publish(Kind::kChannel, "news", "y"), 1u);
  EXPECT_TRUE(channels_.Unsubscribe(second_, Kind::kChannel, "news"));
  EXPECT_FALSE(channels_.Unsubscribe(second_, Kind::kChannel, "news"));
  EXPECT_FALSE(channels_.anybody());
}

TEST_F(ChannelsTest, KeepsShardChannelsApart) {
  channels_.Subscribe(first_, Kind::kShardChannel, "a");
  channels_.Subscribe(second_, Kind::kPattern, "*");
  EXPECT_EQ(channels_.Publish(Kind::kShardChannel, "a", "x"), 1u);
  EXPECT_EQ(channels_.Publish(Kind::kChannel, "a", "y"), 1u);
  EXPECT_EQ(notes_.Take(), (Lines{"0:1 a x", "1:2[*] a y"}));
  EXPECT_EQ(channels_.Names(Kind::kShardChannel, "*"), Lines{"a"});
  EXPECT_TRUE(channels_.Names(Kind::kChannel, "*").empty());
  channels_.UnsubscribeAll(first_);
  channels_.UnsubscribeAll(second_);
}

TEST_F(ChannelsTest, AMessageForAnEarlierSubscriptionIsKnown) {
  channels_.Subscribe(first_, Kind::kChannel, "a");
  channels_.Publish(Kind::kChannel, "a", "x");
  const Ticket earlier = notes_.last_ticket;
  EXPECT_TRUE(first_.Holds(Kind::kChannel, "a", earlier));
  channels_.Unsubscribe(first_, Kind::kChannel, "a");
  EXPECT_FALSE(first_.Holds(Kind::kChannel, "a", earlier));
  channels_.Subscribe(first_, Kind::kChannel, "a");
  EXPECT_FALSE(first_.Holds(Kind::kChannel, "a", earlier));
  channels_.UnsubscribeAll(first_);
}

// Against a set of (subscriber, name).
TEST_F(ChannelsTest, AgreesWithAModel) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::set<std::pair<int, std::string>> model;
  Subscriber* subscribers[] = {&first_, &second_};
  for (int step = 0; step < 2000; ++step) {
    const int who = static_cast<int>(random() % 2);
    const std::string name(1, static_cast<char>('a' + random() % 5));
    switch (random() % 3) {
      case 0:
        EXPECT_EQ(channels_.Subscribe(*subscribers[who], Kind::kChannel, name),
                  model.emplace(who, name).second);
        break;
      case 1:
        EXPECT_EQ(channels_.Unsubscribe(*subscribers[who], Kind::kChannel, name),
                  model.erase({who, name}) == 1);
        break;
      default:
        EXPECT_EQ(channels_.Publish(Kind::kChannel, name, "x"),
                  model.count({0, name}) + model.count({1, name}));
    }
    EXPECT_EQ(first_.count(Kind::kChannel) + second_.count(Kind::kChannel), model.size());
  }
}

}  // namespace
}  // namespace cinnabar::pubsub
