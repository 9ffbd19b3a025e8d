#include "server/client_memory.h"

#include <gtest/gtest.h>

namespace cinnabar::server {
namespace {

config::Settings Limit(int64_t amount, bool is_percent, int64_t maxmemory) {
  config::Settings settings;
  settings.clients.maxmemory_clients = {.amount = amount, .is_percent = is_percent};
  settings.memory.maxmemory_bytes = maxmemory;
  return settings;
}

TEST(ClientMemoryTest, TheLimitIsInBytesOrAShareOfMaxmemory) {
  ClientMemory memory(1);
  EXPECT_FALSE(memory.limited());
  memory.ApplyLimit(Limit(1000, false, 0));
  EXPECT_EQ(memory.limit(), 1000u);
  memory.ApplyLimit(Limit(7, true, 6 << 20));
  EXPECT_EQ(memory.limit(), (6u << 20) * 7 / 100);
  memory.ApplyLimit(Limit(7, true, 0));
  EXPECT_FALSE(memory.limited());
}

TEST(ClientMemoryTest, AllCoresCountTogether) {
  ClientMemory memory(3);
  memory.ApplyLimit(Limit(1000, false, 0));
  memory.Change(0, {}, {.bytes = 600});
  memory.Change(2, {}, {.bytes = 400});
  EXPECT_FALSE(memory.Over());
  memory.Change(2, {.bytes = 400}, {.bytes = 401});
  EXPECT_TRUE(memory.Over());
  memory.Change(0, {.bytes = 600}, {});
  EXPECT_FALSE(memory.Over());
}

TEST(ClientMemoryTest, WhoIsProtectedCountsAndDoesNotGo) {
  ClientMemory memory(2);
  memory.ApplyLimit(Limit(1000, false, 0));
  memory.Change(0, {}, {.bytes = 5000, .evictable = false});
  EXPECT_FALSE(memory.Over());
  memory.Change(1, {}, {.bytes = 1});
  EXPECT_TRUE(memory.Over());
  memory.Change(0, {.bytes = 5000, .evictable = false}, {.bytes = 5000});
  memory.Change(1, {.bytes = 1}, {});
  EXPECT_TRUE(memory.Over());
}

}  // namespace
}  // namespace cinnabar::server
