// What the journal gets of commands that chance decides.
#include <gtest/gtest.h>

#include <vector>

#include "dispatch/services_for_test.h"

namespace cinnabar::commands {

extern const std::span<const dispatch::CommandSpec> kSetAddCommands;
extern const std::span<const dispatch::CommandSpec> kSetRandomCommands;

namespace {

std::span<const dispatch::CommandSpec> Commands() {
  static const std::vector<dispatch::CommandSpec> commands = [] {
    std::vector<dispatch::CommandSpec> all(kSetAddCommands.begin(), kSetAddCommands.end());
    all.insert(all.end(), kSetRandomCommands.begin(), kSetRandomCommands.end());
    return all;
  }();
  return commands;
}

class SetRandomTest : public dispatch::DispatchTest {
 protected:
  SetRandomTest() : DispatchTest(Commands()) {}
};

TEST_F(SetRandomTest, APopIsJournaledAsTheRemovalOfItsMember) {
  Run({"SADD", "s", "a", "b"});
  Journal();
  const std::string first = Run({"SPOP", "s"});
  EXPECT_EQ(Journal(), first == "$1\r\na\r\n" ? "SREM s a" : "SREM s b");
  EXPECT_EQ(Run({"SPOP", "s"}).substr(0, 4), "$1\r\n");
  EXPECT_EQ(Journal().substr(0, 7), "SREM s ");
  EXPECT_EQ(Run({"SPOP", "s"}), "$-1\r\n");
  EXPECT_EQ(Journal(), "");
}

TEST_F(SetRandomTest, ManyPoppedMembersAreOneRemoval) {
  Run({"SADD", "s", "1", "2", "3"});
  Journal();
  Run({"SPOP", "s", "2"});
  const std::string removal = Journal();
  EXPECT_EQ(removal.substr(0, 7), "SREM s ");
  EXPECT_EQ(removal.size(), std::string("SREM s 1 2").size());
  Run({"SPOP", "s", "0"});
  EXPECT_EQ(Journal(), "");
}

TEST_F(SetRandomTest, AWholeSetIsRemovedAsAKey) {
  Run({"SADD", "s", "1", "2", "3"});
  Journal();
  Run({"SPOP", "s", "5"});
  EXPECT_EQ(Journal(), "DEL s");
  Run({"SADD", "s", "1", "2", "3"});
  Journal();
  config_.Mutable().memory.lazyfree_lazy_server_del = true;
  Run({"SPOP", "s", "3"});
  EXPECT_EQ(Journal(), "UNLINK s");
}

TEST_F(SetRandomTest, DrawsAreNotJournaled) {
  Run({"SADD", "s", "1", "2", "3"});
  Journal();
  Run({"SRANDMEMBER", "s"});
  Run({"SRANDMEMBER", "s", "-10"});
  Run({"SRANDMEMBER", "s", "2"});
  EXPECT_EQ(Journal(), "");
}

}  // namespace
}  // namespace cinnabar::commands
