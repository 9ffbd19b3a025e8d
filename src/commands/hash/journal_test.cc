// What the hash commands leave in the journal: effects that mean the same whenever they are replayed.
#include <gtest/gtest.h>

#include "commands/command_tables.h"
#include "dispatch/services_for_test.h"

namespace cinnabar::commands {
namespace {

// All commands of this program as one table.
std::span<const dispatch::CommandSpec> AllCommands() {
  static const std::vector<dispatch::CommandSpec> all = [] {
    std::vector<dispatch::CommandSpec> specs;
    for (std::span<const dispatch::CommandSpec> table : CommandTables()) {
      specs.insert(specs.end(), table.begin(), table.end());
    }
    return specs;
  }();
  return all;
}

class HashJournalTest : public dispatch::DispatchTest {
 protected:
  HashJournalTest() : DispatchTest(AllCommands()) {
    Run({"SET", "s", "x"});  // brings the SELECT
    Journal();
  }
  // The record of one command.
  std::string After(const std::vector<std::string>& words) {
    const std::string reply = Run(words);
    EXPECT_NE(reply[0], '-') << reply;
    return Journal();
  }
};

TEST_F(HashJournalTest, PlainChangesAsTheyWereSent) {
  EXPECT_EQ(After({"HSET", "h", "a", "1", "b", "2"}), "HSET h a 1 b 2");
  EXPECT_EQ(After({"HSETNX", "h", "c", "1"}), "HSETNX h c 1");
  EXPECT_EQ(After({"HINCRBY", "h", "a", "5"}), "HINCRBY h a 5");
  EXPECT_EQ(After({"HDEL", "h", "a", "x"}), "HDEL h a x");
  EXPECT_EQ(After({"HSETEX", "h", "FNX", "FIELDS", "1", "d", "1"}), "HSETEX h FNX FIELDS 1 d 1");
}

TEST_F(HashJournalTest, NothingWhereNothingChanged) {
  Run({"HSET", "h", "a", "1"});
  Journal();
  EXPECT_EQ(After({"HSETNX", "h", "a", "2"}), "");
  EXPECT_EQ(After({"HDEL", "h", "x"}), "");
  EXPECT_EQ(After({"HRANDFIELD", "h"}), "");
  EXPECT_EQ(After({"HEXPIRE", "h", "10", "XX", "FIELDS", "1", "a"}), "");
  EXPECT_EQ(After({"HEXPIRE", "h", "10", "FIELDS", "1", "x"}), "");
  EXPECT_EQ(After({"HPERSIST", "h", "FIELDS", "1", "a"}), "");
  EXPECT_EQ(After({"HGETEX", "h", "FIELDS", "1", "a"}), "");
  EXPECT_EQ(After({"HGETEX", "h", "PERSIST", "FIELDS", "1", "a"}), "");
  EXPECT_EQ(After({"HGETDEL", "h", "FIELDS", "1", "x"}), "");
  EXPECT_EQ(After({"HSETEX", "h", "FNX", "FIELDS", "1", "a", "1"}), "");
}

TEST_F(HashJournalTest, SumsAreStored) {
  EXPECT_EQ(After({"HINCRBYFLOAT", "h", "a", "1.50"}), "HSET h a 1.5");
  Run({"HPEXPIREAT", "h", "33177117420000", "FIELDS", "1", "a"});
  Journal();
  EXPECT_EQ(After({"HINCRBYFLOAT", "h", "a", "1"}),
            "MULTI | HSET h a 2.5 | HPEXPIREAT h 33177117420000 FIELDS 1 a | EXEC");
}

TEST_F(HashJournalTest, MomentsAreAbsolute) {
  Run({"HSET", "h", "a", "1", "b", "2"});
  Journal();
  EXPECT_EQ(After({"HEXPIREAT", "h", "33177117420", "NX", "FIELDS", "3", "a", "x", "b"}),
            "HPEXPIREAT h 33177117420000 FIELDS 2 a b");
  EXPECT_TRUE(After({"HEXPIRE", "h", "100", "FIELDS", "1", "a"}).starts_with("HPEXPIREAT h 1"));
  EXPECT_EQ(After({"HPERSIST", "h", "FIELDS", "2", "a", "x"}), "HPERSIST h FIELDS 1 a");
  EXPECT_EQ(After({"HGETEX", "h", "PXAT", "33177117420000", "FIELDS", "2", "a", "x"}),
            "HPEXPIREAT h 33177117420000 FIELDS 1 a");
  EXPECT_EQ(After({"HGETEX", "h", "PERSIST", "FIELDS", "1", "a"}), "HPERSIST h FIELDS 1 a");
  EXPECT_EQ(After({"HSETEX", "h", "PXAT", "33177117420000", "FIELDS", "1", "c", "3"}),
            "MULTI | HSET h c 3 | HPEXPIREAT h 33177117420000 FIELDS 1 c | EXEC");
}

TEST_F(HashJournalTest, PastMomentsDelete) {
  Run({"HSET", "h", "a", "1", "b", "2", "c", "3", "d", "4"});
  Journal();
  EXPECT_EQ(After({"HEXPIRE", "h", "0", "FIELDS", "2", "a", "x"}), "HDEL h a");
  EXPECT_EQ(After({"HGETEX", "h", "PXAT", "1", "FIELDS", "1", "b"}), "HDEL h b");
  EXPECT_EQ(After({"HSETEX", "h", "PXAT", "1", "FIELDS", "1", "c", "9"}),
            "MULTI | HSET h c 9 | HDEL h c | EXEC");
  EXPECT_EQ(After({"HGETDEL", "h", "FIELDS", "2", "d", "x"}), "HDEL h d");
  EXPECT_EQ(Run({"EXISTS", "h"}), ":0\r\n");
}

// A replica whose clock is late must not see the old value.
TEST_F(HashJournalTest, ExpiredFieldsAreDeletedBeforeTheyAreWrittenAnew) {
  Run({"HSET", "h", "a", "1", "b", "2"});
  dispatcher_->core().may_expire = false;
  Run({"HPEXPIREAT", "h", "1", "FIELDS", "1", "a"});
  dispatcher_->core().may_expire = true;
  Journal();
  EXPECT_EQ(Run({"HGET", "h", "a"}), "$-1\r\n");
  EXPECT_EQ(Journal(), "");
  EXPECT_NE(After({"HINCRBY", "h", "a", "5"}).find("HDEL h a | HINCRBY h a 5"), std::string::npos);
  EXPECT_EQ(Run({"HGET", "h", "a"}), "$1\r\n5\r\n");
}

}  // namespace
}  // namespace cinnabar::commands
