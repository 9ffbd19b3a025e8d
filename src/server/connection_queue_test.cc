#include "server/connection_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

namespace cinnabar::server {
namespace {

class ConnectionQueueTest : public testing::Test {
 protected:
  Connection& Make() {
    const uint64_t id = connections_.size() + 1;
    auto made = std::make_unique<Connection>(id, OutputBuffer(OutputBuffer::kFixedBytesMin), nullptr);
    return *connections_.emplace(id, std::move(made)).first->second;
  }
  template <typename Visit>
  void TakeAll(Visit&& visit) {
    queue_.TakeAll(
        [this](uint64_t id) {
          const auto found = connections_.find(id);
          return found == connections_.end() ? nullptr : found->second.get();
        },
        visit);
  }
  std::vector<uint64_t> TakeIds() {
    std::vector<uint64_t> ids;
    TakeAll([&](Connection& connection) { ids.push_back(connection.session.id); });
    return ids;
  }
  using Ids = std::vector<uint64_t>;

  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  ConnectionQueue queue_{Place::kRunnable};
};

TEST_F(ConnectionQueueTest, KeepsTheOrderAndHoldsEachOnce) {
  Connection& first = Make();
  Connection& second = Make();
  queue_.Add(second);
  queue_.Add(first);
  queue_.Add(second);
  EXPECT_TRUE(first.StandsIn(Place::kRunnable));
  EXPECT_FALSE(first.StandsIn(Place::kAttended));
  EXPECT_EQ(TakeIds(), (Ids{2, 1}));
  EXPECT_TRUE(queue_.empty());
  EXPECT_FALSE(first.StandsIn(Place::kRunnable));
}

// Those that wait for their visit still count as standing here; one that had its visit may come back.
TEST_F(ConnectionQueueTest, EachLeavesJustBeforeItsVisit) {
  Connection& first = Make();
  Connection& second = Make();
  queue_.Add(first);
  queue_.Add(second);
  TakeAll([&](Connection& connection) {
    if (&connection != &first) return;
    EXPECT_TRUE(second.StandsIn(Place::kRunnable));
    queue_.Add(second);  // it is to come anyway
    queue_.Add(first);
  });
  EXPECT_EQ(TakeIds(), Ids{1});
}

TEST_F(ConnectionQueueTest, OneThatHasGoneIsPassedOver) {
  queue_.Add(Make());
  queue_.Add(Make());
  queue_.Add(Make());
  connections_.erase(1);
  Ids visited;
  TakeAll([&](Connection& connection) {
    visited.push_back(connection.session.id);
    connections_.erase(3);
  });
  EXPECT_EQ(visited, Ids{2});
}

}  // namespace
}  // namespace cinnabar::server
